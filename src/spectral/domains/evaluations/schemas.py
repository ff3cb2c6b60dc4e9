"""The wire shapes of rubrics and objectives."""

from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints, model_validator

from spectral.domains.agents.json_values import STORABLE
from spectral.domains.evaluations.guards import Guard
from spectral.domains.evaluations.objectives import DEFAULT_MINIMUM_EFFECT, ObjectiveSpec, RubricTerm, Term
from spectral.domains.evaluations.scoring import MAX_DIMENSIONS, Dimension, RubricSpec, refuse_twins
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

MAX_EXAMPLES = 100
MAX_PAIRS = 1000
PREVIEWED_TRACES = 20

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), STORABLE]
Description = Annotated[str, StringConstraints(max_length=2000), STORABLE]
Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]

EXAMPLE_DIMENSIONS = [
    {"name": "intent", "scorer": "label", "weight": 3, "options": {"labels": ["billing", "login", "shipping"]}},
    {"name": "speed", "scorer": "latency", "weight": 1, "options": {"target_ms": 500, "limit_ms": 2000}},
]


class RubricIn(RubricSpec, WireIn):
    """A rubric to create, or what a rubric is to say from now on."""

    name: Name
    description: Description | None = None

    @property
    def spec(self) -> RubricSpec:
        """What the rubric says, without its name."""
        return RubricSpec(dimensions=self.dimensions, threshold=self.threshold, on_error=self.on_error)


class RubricPatch(WireIn):
    """What is to change about a rubric; members that are left out stay as they are."""

    name: Name | None = None
    description: Description | None = None
    dimensions: Annotated[Sequence[Dimension], Field(min_length=1, max_length=MAX_DIMENSIONS)] | None = None
    threshold: Share | None = None
    on_error: Literal["zero", "exclude"] | None = None

    @model_validator(mode="after")
    def changes_make_sense(self) -> Self:
        """Refuses null where a value is needed, and two dimensions of one name."""
        for member in self.model_fields_set - {"description"}:
            if getattr(self, member) is None:
                message = f"{member} cannot be null"
                raise ValueError(message)
        refuse_twins(self.dimensions or ())
        return self


class DimensionOut(WireOut):
    """One dimension of a rubric, every option written out."""

    name: str
    scorer: str
    weight: float
    options: dict[str, Any]


class RubricOut(WireOut):
    """A rubric as it is in one of its versions."""

    id: UUID
    name: str
    description: str | None
    version: int
    latest_version: int
    dimensions: list[DimensionOut]
    threshold: float
    on_error: Literal["zero", "exclude"]
    digest: str = Field(description="SHA-256 of what this version says; equal digests score alike")
    created_at: Timestamp
    updated_at: Timestamp
    created_by: str = Field(description="who made this version")


class FaultIn(WireIn):
    """The agent's own error."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    message: Annotated[str, StringConstraints(max_length=2000)] = ""


class ExampleIn(WireIn):
    """An answer to score: what was asked, what was expected, and what came."""

    input: JsonValue = None
    expected: JsonValue = None
    metadata: dict[str, JsonValue] = Field(default_factory=dict)
    output: str | None = None
    error: FaultIn | None = None
    latency_ms: Milliseconds = 0.0
    cost_usd: UsdAmountIn | None = Field(default=None, description="null: unknown")
    tool_calls: Annotated[list[str], Field(max_length=1000)] | None = Field(
        default=None, description="names of the tools called, in order; null: not reported"
    )


Examples = Annotated[list[ExampleIn], Field(min_length=1, max_length=MAX_EXAMPLES)]


class TracesIn(WireIn):
    """The newest live traces that can be scored."""

    agent_id: Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE] | None = Field(
        default=None, description="as spans name the agent; any agent when left out"
    )
    limit: Annotated[int, Field(ge=1, le=MAX_EXAMPLES)] = PREVIEWED_TRACES


MAX_COST = Field(
    default=None, description="the most that the models of judges and embeddings may cost; an unpriced one is refused"
)


class RubricPreviewIn(WireIn):
    """A rubric that need not be saved, and what to score with it: `cases`, or else `traces` (the newest 20)."""

    rubric: RubricSpec
    cases: Examples | None = None
    traces: TracesIn | None = None
    max_cost_usd: UsdAmountIn | None = MAX_COST

    @model_validator(mode="after")
    def one_of_both(self) -> Self:
        """Refuses cases and traces together."""
        if self.cases is not None and self.traces is not None:
            message = "give cases or traces, not both"
            raise ValueError(message)
        return self


class RubricScoreIn(WireIn):
    """Answers to score with a stored rubric; without `version` with its latest."""

    version: int | None = Field(default=None, ge=1, le=2**31 - 1)
    cases: Examples
    max_cost_usd: UsdAmountIn | None = MAX_COST


class DimensionScoreOut(WireOut):
    """One dimension's score, or why there is none."""

    score: float | None
    explanation: str
    scorer: str = Field(examples=["label@1"], description="scorer and its version")
    error: str | None


class ItemScoreOut(WireOut):
    """One answer's score; `total` is null exactly when it is missing."""

    total: float | None
    passed: bool
    missing: bool
    missing_reason: Literal["scorer", "provider", "agent_error"] | None
    error_type: str | None
    error_message: str | None
    dimensions: dict[str, DimensionScoreOut]


class ScoresOut(WireOut):
    """The scores of all answers, in their order, and their summary."""

    cases: list[ItemScoreOut]
    weights: dict[str, float]
    threshold: float
    scored: int
    missing: int
    passed: int
    mean_total: float | None
    cost_usd: UsdAmount | None = Field(description="of asking models; null where a price is unknown")
    trace_ids: list[str] | None = Field(default=None, description="of which traces the cases are, in their order")


class ObjectiveIn(ObjectiveSpec, WireIn):
    """An objective to create, or what an objective is to be from now on.

    With a `rubric_id` the dimensions that guards name must be in that rubric.
    """

    name: Name
    description: Description | None = None
    rubric_id: UUID | None = None

    @property
    def spec(self) -> ObjectiveSpec:
        """What the objective says, without its name."""
        return ObjectiveSpec(terms=self.terms, guards=self.guards, minimum_effect=self.minimum_effect)


class ObjectivePatch(WireIn):
    """What is to change about an objective; members that are left out stay as they are."""

    name: Name | None = None
    description: Description | None = None
    rubric_id: UUID | None = None
    terms: Sequence[Term] | None = None
    guards: Sequence[Guard] | None = None
    minimum_effect: Annotated[float, Field(ge=0, lt=1)] | None = None

    @model_validator(mode="after")
    def changes_make_sense(self) -> Self:
        """Refuses null where a value is needed, and what no objective may hold."""
        for member in self.model_fields_set - {"description", "rubric_id"}:
            if getattr(self, member) is None:
                message = f"{member} cannot be null"
                raise ValueError(message)
        ObjectiveSpec(
            terms=(RubricTerm(source="rubric"),) if self.terms is None else self.terms,
            guards=self.guards or (),
            minimum_effect=DEFAULT_MINIMUM_EFFECT if self.minimum_effect is None else self.minimum_effect,
        )
        return self


class ObjectiveOut(WireOut):
    """An objective. Scans and validations keep a copy of what it said when they started."""

    id: UUID
    name: str
    description: str | None
    rubric_id: UUID | None
    terms: list[Term]
    guards: list[Guard]
    minimum_effect: float
    created_at: Timestamp
    updated_at: Timestamp


class MeasuredIn(WireIn):
    """One measured item: the rubric's total and dimensions, and what the call took. A null total is missing."""

    total: Share | None = None
    dimensions: dict[str, Share | None] = Field(default_factory=dict, max_length=MAX_DIMENSIONS)
    error_type: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    latency_ms: Milliseconds = 0.0
    cost_usd: UsdAmountIn | None = Field(default=None, description="null: unknown")
    feedback: Share | None = Field(default=None, description="what people said of the answer; null: nobody did")


class PairIn(WireIn):
    """The same item, measured with the champion and with the challenger."""

    champion: MeasuredIn
    challenger: MeasuredIn


class ObjectivePreviewIn(WireIn):
    """Pairs to which an objective is applied."""

    pairs: Annotated[list[PairIn], Field(min_length=1, max_length=MAX_PAIRS)]


class PairOut(WireOut):
    """The objective's value of both sides, and challenger − champion; null where a side is missing."""

    champion: float | None
    challenger: float | None
    difference: float | None


class GuardPreviewOut(WireOut):
    """A guard on these pairs. `slack` is what is left of the allowance, negative is harm; null without any pair."""

    name: str
    unit: Literal["ms", "usd", "score", "error"]
    statistic: Literal["mean", "p95"]
    slack: float | None
    holds: bool
    pairs: int
    missing: int


class ObjectivePreviewOut(WireOut):
    """What an objective makes of the pairs. Point estimates: a verdict needs intervals, which a validation gives."""

    pairs: list[PairOut]
    weights: dict[str, float]
    mean_difference: float | None
    missing: int
    minimum_effect: float
    guards: list[GuardPreviewOut]


class RubricVersionOut(WireOut):
    """One version of a rubric."""

    version: int
    digest: str
    created_at: Timestamp
    created_by: str


class RubricDraftIn(WireIn):
    """For which agent a rubric is drafted, and from what. With a `model` it also proposes criteria for a judge."""

    agent_id: UUID
    sample_set_id: UUID | None = Field(
        default=None, description="its expected answers say what right answers look like"
    )
    model: Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE] | None = None
    max_cost_usd: UsdAmountIn | None = Field(default=None, description="the most that the model may cost")


class RubricDraftOut(WireOut):
    """A rubric that is not saved: check it, try it with `preview`, save it with a name of your own."""

    rubric: RubricSpec
    reasons: dict[str, str] = Field(description="for each dimension why it is there")
    model: str | None
    samples: int = Field(description="how many samples were looked at, none of them of a holdout")
    traces: int
    cost_usd: UsdAmount | None = Field(description="of asking the model; null where its price is unknown")
