"""What can go wrong with rubrics, objectives and measurements."""

from uuid import UUID

from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError
from spectral.platform.shared.money import nano_to_usd


class RubricNameTakenError(ConflictError):
    """The workspace has a rubric of this name."""

    slug = "rubric-name-taken"
    title = "Rubric Name Taken"


class ObjectiveNameTakenError(ConflictError):
    """The workspace has an objective of this name."""

    slug = "objective-name-taken"
    title = "Objective Name Taken"


class RubricInUseError(BusinessRuleViolationError):
    """Something still refers to the rubric."""

    slug = "rubric-in-use"
    title = "Rubric In Use"


class ObjectiveInUseError(BusinessRuleViolationError):
    """Something still refers to the objective."""

    slug = "objective-in-use"
    title = "Objective In Use"


class ScorerNotInstalledError(BusinessRuleViolationError):
    """A stored rubric uses a scorer that this installation no longer has, or options that it no longer takes."""

    slug = "scorer-not-installed"
    title = "Scorer Not Installed"


class UnknownDimensionError(BusinessRuleViolationError):
    """A guard names a dimension that the objective's rubric does not have."""

    slug = "unknown-dimension"
    title = "Unknown Dimension"


class PreviewTooSlowError(BusinessRuleViolationError):
    """Scoring the examples takes longer than a request may."""

    slug = "preview-too-slow"
    title = "Preview Too Slow"


class BudgetExhaustedError(BusinessRuleViolationError):
    """What was about to be spent is not covered by the budget; it was not spent."""

    slug = "budget-exhausted"
    title = "Budget Exhausted"


class CeilingExceededError(BusinessRuleViolationError):
    """An execution of an agent that runs elsewhere has cost more than its settings say that one can."""

    slug = "ceiling-exceeded"
    title = "Ceiling Exceeded"

    def __init__(self, cost_nano_usd: int, ceiling_nano_usd: int) -> None:
        cost, ceiling = nano_to_usd(cost_nano_usd), nano_to_usd(ceiling_nano_usd)
        super().__init__(
            f"An execution has cost {cost} USD, and the agent's settings say that one costs {ceiling} USD at most; "
            "nothing more is executed, because no budget can be kept so",
            cost_usd=cost,
            max_cost_usd=ceiling,
        )


class UnpricedModelError(BusinessRuleViolationError):
    """A budget in US dollars cannot be kept with a model whose price is unknown."""

    slug = "unpriced-model"
    title = "Unpriced Model"

    def __init__(self, model: str) -> None:
        super().__init__(
            f"The price of {model!r} is unknown, so a budget in US dollars cannot be kept; "
            "leave out the dollar budget or choose a priced model",
            model=model,
        )


class JudgedMeanwhileError(ConflictError):
    """Another request asks the judge about the same answer right now."""

    slug = "judged-meanwhile"
    title = "Judged Meanwhile"

    def __init__(self) -> None:
        super().__init__("Another request has the same answer judged right now; try again in a moment")


class NoJudgeError(BusinessRuleViolationError):
    """The rubric has no judge, or not the one that was named."""

    slug = "no-judge"
    title = "No Judge"


class AlreadyLabelledError(ConflictError):
    """Somebody has labelled this answer."""

    slug = "already-labelled"
    title = "Already Labelled"


class UnusableDraftError(BusinessRuleViolationError):
    """What a model drafted is not a rubric."""

    slug = "unusable-draft"
    title = "Unusable Draft"


class JournalMismatchError(Exception):
    """A journal was written under another rubric than the one it is continued with: a defect of the caller."""

    def __init__(self, subject_id: UUID) -> None:
        super().__init__(f"the journal of {subject_id} was written under another rubric")


class OnlineEvaluationNameTakenError(ConflictError):
    """The workspace has an online evaluation of this name."""

    slug = "online-evaluation-name-taken"
    title = "Online Evaluation Name Taken"
