"""The problems only scans have; each says what would help."""

from typing import ClassVar

from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.shared.errors import BusinessRuleViolationError, ConflictError, UnavailableError
from spectral.platform.shared.money import nano_to_usd


class ScanPausedError(LeaseLostError):
    """The scan was paused: this execution gives it back as if another had taken it, and leaves everything as it is."""


class NotReadyError(BusinessRuleViolationError):
    """The data does not allow a decision; `missing` lists what is needed."""

    slug: ClassVar[str] = "scan-not-ready"
    title: ClassVar[str] = "Scan Not Ready"


class BudgetTooSmallError(BusinessRuleViolationError):
    """The budget does not cover the least that a scan with this data has to spend."""

    slug: ClassVar[str] = "budget-too-small"
    title: ClassVar[str] = "Budget Too Small"


class SamplesChangedError(BusinessRuleViolationError):
    """Items that the scan was measuring were changed or removed: its arms would no longer be comparable."""

    slug: ClassVar[str] = "samples-changed"
    title: ClassVar[str] = "Samples Changed"

    def __init__(self, split: str) -> None:
        super().__init__(f"Items of the {split} split were changed or removed while the scan ran; start a new scan")


class ProviderDownError(UnavailableError):
    """The agent, the model behind it, or a model that scores, did not answer; what was answered before is kept."""

    slug: ClassVar[str] = "provider-down"
    title: ClassVar[str] = "Provider Down"

    def __init__(self, lost: int, asked: int, fault: str, *, judge: bool = False) -> None:
        what = "answers were not judged" if judge else "executions were not answered"
        super().__init__(f"{lost} of {asked} {what} ({fault}); resume the scan when the provider is back")


class StrategyFailedError(BusinessRuleViolationError):
    """A search strategy broke; the scan cannot go on, because its result would depend on where it broke."""

    slug: ClassVar[str] = "strategy-failed"
    title: ClassVar[str] = "Strategy Failed"

    def __init__(self, strategy: str, error: Exception) -> None:
        super().__init__(f"The strategy {strategy} failed with {type(error).__name__}")


class DuplicateScheduleError(ConflictError):
    """Schedules are told apart by their names."""

    slug: ClassVar[str] = "duplicate-schedule"
    title: ClassVar[str] = "Duplicate Schedule"

    def __init__(self, name: str) -> None:
        super().__init__(f"There is a schedule named {name!r} already")


class TooManySchedulesError(BusinessRuleViolationError):
    """Every schedule is looked at whenever one may be due, so a workspace has only so many."""

    slug: ClassVar[str] = "too-many-schedules"
    title: ClassVar[str] = "Too Many Schedules"

    def __init__(self, maximum: int) -> None:
        super().__init__(f"A workspace has at most {maximum} schedules; delete one first", maximum=maximum)


class NightBudgetSpentError(BusinessRuleViolationError):
    """What schedules may spend in 24 hours by the bounds of the workspace's autonomy leaves nothing for this scan."""

    slug: ClassVar[str] = "night-budget-spent"
    title: ClassVar[str] = "Night Budget Spent"

    def __init__(self, budget_nano_usd: int, *, unpriced: bool = False) -> None:
        budget = nano_to_usd(budget_nano_usd)
        why = (
            "the price of a model is unknown, so it cannot be kept"
            if unpriced
            else "what schedules have started in the last 24 hours may spend all of it"
        )
        super().__init__(f"The budget per night is {budget} USD, and {why}", budget_per_night_usd=budget)


class TooFewPromptsError(BusinessRuleViolationError):
    """A template is what several prompts have in common; of one or two nobody could say."""

    slug: ClassVar[str] = "too-few-prompts"
    title: ClassVar[str] = "Too Few Prompts"

    def __init__(self, found: int, needed: int) -> None:
        super().__init__(
            f"{found} prompts could be read and {needed} are needed: of traces whose first model call has its content",
            found=found,
            needed=needed,
        )


class TemplateNotFoundError(BusinessRuleViolationError):
    """What was recovered is not to be stored: it reproduces too little, or nobody knows the model that it was for."""

    slug: ClassVar[str] = "template-not-found"
    title: ClassVar[str] = "Template Not Found"

    def __init__(self, reproduced: int, prompts: int, model: str | None) -> None:
        why = "no trace names a model; give one" if model is None else "at least half of them must be"
        super().__init__(f"{reproduced} of {prompts} prompts are reproduced; nothing was stored, because {why}")
