"""The wire shapes of online evaluations and of what they score."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from spectral.domains.agents.json_values import STORABLE
from spectral.domains.evaluations.schemas import Description
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

EVALUATION = "evaluation"
LONGEST_SETTLE_S = 3600

Target = Literal["trace", "model_call"]
OnlineName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9_.\-]{1,64}$"),
    Field(
        description="Letters, digits, `_`, `.`, `-`. Its scores are called `eval/<name>` on traces.", examples=["tone"]
    ),
]
Version = Annotated[int, Field(ge=1, le=2**31 - 1)]
Name200 = Annotated[str, StringConstraints(min_length=1, max_length=200), STORABLE]


class OnlineFilterIn(WireIn):
    """Which traces are for evaluation; what is left out does not narrow. Traces of evaluations never are."""

    agent_id: Name200 | None = None
    agent_version: Name200 | None = None
    mode: Annotated[str, StringConstraints(min_length=1, max_length=64), STORABLE] | None = None
    name: Annotated[str, StringConstraints(min_length=1, max_length=512), STORABLE] | None = Field(
        default=None, description="The name of the trace: its root span's."
    )

    @model_validator(mode="after")
    def no_loops(self) -> Self:
        """Refuses to evaluate what evaluations did."""
        if self.mode == EVALUATION:
            message = f"traces of the mode '{EVALUATION}' are never evaluated on arrival"
            raise ValueError(message)
        return self


class OnlineBudgetIn(WireIn):
    """The most that is spent in one day (UTC). Without `max_cost_usd` only the number of evaluations is limited."""

    max_evaluations: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    max_cost_usd: UsdAmountIn | None = None


class OnlineEvaluationIn(WireIn):
    """A rubric to run on new traces. Without `rubric_version` it is the rubric's latest, at the time of scoring."""

    name: OnlineName
    description: Description | None = None
    rubric_id: UUID
    rubric_version: Version | None = None
    target: Target = Field(
        default="trace",
        description="`trace`: the input and output of the whole trace; `model_call`: those of its last model call.",
    )
    filter: OnlineFilterIn = OnlineFilterIn()
    sampling_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] = 1.0
    budget: OnlineBudgetIn = OnlineBudgetIn()
    settle_s: Annotated[int, Field(ge=0, le=LONGEST_SETTLE_S)] = Field(
        default=30,
        description="A trace is scored once no span of it has come for so many seconds; "
        "of several enabled online evaluations the longest holds for all.",
    )
    enabled: bool = True

    def columns(self) -> dict[str, Any]:
        """The columns that were given, or all with their defaults."""
        return columns_of(self)


class OnlineEvaluationPatch(WireIn):
    """What is to change; members that are left out stay as they are. `filter` and `budget` are replaced as a whole."""

    name: OnlineName | None = None
    description: Description | None = None
    rubric_id: UUID | None = None
    rubric_version: Version | None = None
    target: Target | None = None
    filter: OnlineFilterIn | None = None
    sampling_rate: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    budget: OnlineBudgetIn | None = None
    settle_s: Annotated[int, Field(ge=0, le=LONGEST_SETTLE_S)] | None = None
    enabled: bool | None = None

    @model_validator(mode="after")
    def changes_make_sense(self) -> Self:
        """Refuses null where a value is needed."""
        for member in self.model_fields_set - {"description", "rubric_version"}:
            if getattr(self, member) is None:
                message = f"{member} cannot be null"
                raise ValueError(message)
        return self

    def columns(self) -> dict[str, Any]:
        """The columns that were given."""
        return columns_of(self, self.model_fields_set)


def columns_of(data: OnlineEvaluationIn | OnlineEvaluationPatch, given: set[str] | None = None) -> dict[str, Any]:
    """The columns behind these members (all of them where `given` is None)."""
    columns: dict[str, Any] = {}
    for member in type(data).model_fields if given is None else given:
        value = getattr(data, member)
        if isinstance(value, OnlineFilterIn):
            columns |= {
                "agent_id": value.agent_id,
                "agent_version": value.agent_version,
                "mode": value.mode,
                "trace_name": value.name,
            }
        elif isinstance(value, OnlineBudgetIn):
            columns |= {
                "max_evaluations_per_day": value.max_evaluations,
                "max_cost_nano_usd_per_day": value.max_cost_usd,
            }
        else:
            columns[member] = value
    return columns


class OnlineFilterOut(WireOut):
    """Which traces are for evaluation; null does not narrow."""

    agent_id: str | None
    agent_version: str | None
    mode: str | None
    name: str | None


class OnlineBudgetOut(WireOut):
    """The most that is spent in one day (UTC)."""

    max_evaluations: int
    max_cost_usd: UsdAmount | None


class OnlineFiguresOut(WireOut):
    """What it did since it exists, and today (UTC).

    `failed` counts traces that could not be scored: no content, a scorer's fault. A trace that was skipped and gets
    spans again later is looked at, and counted, once more.
    """

    evaluated: int
    failed: int
    skipped_by_sampling: int
    skipped_by_budget: int
    cost_usd: UsdAmount
    evaluations_today: int = Field(description="Taken from today's budget, failed ones included.")
    spent_today_usd: UsdAmount = Field(description="With what is reserved for calls that have not told their cost.")
    last_run_at: Timestamp | None


class OnlineEvaluationOut(WireOut):
    """A rubric that runs on new traces."""

    id: UUID
    name: str
    description: str | None
    rubric_id: UUID
    rubric_version: int | None
    target: Target
    filter: OnlineFilterOut
    sampling_rate: float
    budget: OnlineBudgetOut
    settle_s: int
    enabled: bool
    figures: OnlineFiguresOut
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class ScoredDimensionOut(WireOut):
    """One dimension's score, or the reason why there is none."""

    score: float | None
    explanation: str
    scorer: str
    error: str | None


class TraceScoreOut(WireOut):
    """What one version of a rubric made of one trace. `total` null: it could not be scored, `error` says why.

    `span_count` is how many spans the trace had then; spans that come later do not make it score again.
    """

    id: UUID
    trace_id: str
    online_evaluation_id: UUID
    name: str
    rubric_id: UUID
    rubric_version: int
    total: float | None
    passed: bool | None
    dimensions: dict[str, ScoredDimensionOut]
    cost_usd: UsdAmount | None
    missing_reason: str | None
    error_type: str | None
    error: str | None
    span_count: int
    scored_at: Timestamp | None
    created_at: Timestamp


class TraceScoreList(BaseModel):
    """One page of scores, newest first."""

    results: list[TraceScoreOut]
    pagination: CursorPagination
