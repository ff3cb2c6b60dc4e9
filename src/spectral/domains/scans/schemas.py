"""The wire shapes of scans."""

from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StringConstraints

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.scans.plan import MAXIMUM_EVALUATIONS, Mode
from spectral.domains.scans.states import Outcome, Phase, ScanStatus
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

MAXIMUM_CANDIDATES = 10
MAXIMUM_SEED = 2**53 - 1

Environment = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$")]
StrategyName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class BudgetIn(WireIn):
    """The most that a scan may spend; it is never exceeded. What is left out is not limited by a person."""

    max_evaluations: int | None = Field(default=None, ge=1, le=MAXIMUM_EVALUATIONS)
    max_cost_usd: UsdAmountIn | None = None


class ScanIn(WireIn):
    """A scan to start, or to preview."""

    agent_id: UUID
    sample_set_id: UUID
    mode: Mode = Field(
        default="full",
        description="`full` ends with a look at the frozen holdout. `synthetic_only` searches and proposes without "
        "one, and validates nothing.",
    )
    rubric_id: UUID | None = Field(default=None, description="Left out: the rubric that the objective is for.")
    objective_id: UUID
    strategies: list[StrategyName] = Field(
        default=["reflective", "few_shot"], min_length=1, max_length=10, description="In the order they run."
    )
    candidates: list[ConfigDocument] = Field(
        default=[],
        max_length=MAXIMUM_CANDIDATES,
        description="For the strategy `template`: configurations of your own, each reachable by the search space.",
    )
    budget: BudgetIn = Field(default_factory=BudgetIn)
    repeats: int = Field(
        default=1, ge=1, le=10, description="Executions of each item, for models that are not certain."
    )
    reflection_model: str | None = Field(
        default=None, min_length=1, max_length=200, description="A language model that proposes texts. Null: none."
    )
    seed: int = Field(default=0, ge=0, le=MAXIMUM_SEED)
    target_environment: Environment = "production"


class SamplesOut(WireOut):
    """Items of each split that a scan can use."""

    reflect: int
    select: int
    holdout: int


class DetectableEffectOut(WireOut):
    """The smallest true gain that a whole scan finds with this power: selected on `selected_on`, seen on `items`."""

    items: int
    selected_on: int
    alpha: float
    power: float
    discordance: float
    effect: float


class ReadinessOut(WireOut):
    """Whether a scan can be decided with this data."""

    mode: Mode
    samples: SamplesOut
    holdout_available: bool
    detectable: DetectableEffectOut | None
    problems: list[str]
    warnings: list[str]


class PlanOut(WireOut):
    """How the evaluations of the budget are divided; each number is an upper bound."""

    max_evaluations: int
    repeats: int
    detect: int
    search: int
    finalists: int
    evaluate: int
    ablations: int
    diagnose: int
    validation: int


class PreviewOut(WireOut):
    """What a scan would need and could show; nothing has been spent."""

    ready: bool
    readiness: ReadinessOut
    plan: PlanOut | None = Field(description="Null where the budget or the data does not allow a scan.")
    least_evaluations: int | None = Field(description="The smallest budget that would do, in evaluations.")
    estimated_cost_usd: UsdAmount | None = Field(
        description="What it will cost if answers are as long as usual; null where a price is unknown."
    )
    maximum_cost_usd: UsdAmount | None = Field(
        description="What it can cost at most, the budget included; null where nothing bounds it."
    )
    missing_credentials: list[str] = Field(description="Providers that the workspace has no credential for.")
    missing: list[str] = Field(description="What has to be there first.")


class ProgressOut(WireOut):
    """How far a scan is."""

    phases_finished: int
    phases: int
    evaluations: int
    max_evaluations: int


class BudgetOut(WireOut):
    """What a scan may spend."""

    max_evaluations: int
    max_cost_usd: UsdAmount | None


class PhaseOut(WireOut):
    """One phase and, once it has finished, its result."""

    name: Phase
    started_at: Timestamp
    finished_at: Timestamp | None
    result: dict[str, Any] | None


class CandidateOut(WireOut):
    """A configuration that was proposed: `changes` by JSON pointer, `select` how it did on the select split."""

    ordinal: int
    strategy: str
    rationale: str
    config_hash: str
    changes: dict[str, Any]
    select: dict[str, Any] | None


class ScanSummary(WireOut):
    """A scan as lists show it."""

    id: UUID
    agent_id: UUID
    sample_set_id: UUID
    rubric_id: UUID
    objective_id: UUID
    status: ScanStatus
    phase: Phase | None
    outcome: Outcome | None
    strategies: list[str]
    changeset_id: UUID | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class ScanOut(ScanSummary):
    """A scan with everything it was started with and has found so far."""

    base_version: int
    target_environment: str
    sample_set_version: int
    mode: Mode
    holdout_id: UUID | None = Field(description="Null where the scan only searches.")
    rubric_version: int
    experiment_id: UUID | None
    reflection_model: str | None
    seed: int
    budget: BudgetOut
    plan: PlanOut
    progress: ProgressOut
    failure: dict[str, Any] | None
    phases: list[PhaseOut]
    candidates: list[CandidateOut]
    results: dict[str, Any] | None = Field(description="Null until the scan has completed.")


class EventOut(WireOut):
    """Something that happened; `seq` counts from 1 without gaps."""

    seq: int
    type: str
    phase: Phase | None
    data: dict[str, Any]
    created_at: Timestamp


class EventPagination(WireOut):
    """`next_cursor` is null after the last event that there is; poll on with `after` = the last `seq`."""

    total: int
    limit: int
    offset: int
    next_cursor: str | None
    total_is_estimate: bool


class EventCollection(WireOut):
    """Events in their order."""

    results: list[EventOut]
    pagination: EventPagination


class CostLine(WireOut):
    """What one model cost for one purpose; null where a price is unknown."""

    model: str
    purpose: str
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd: UsdAmount | None


class ScanCostOut(WireOut):
    """What a scan and its validation have spent."""

    evaluations: int
    max_evaluations: int
    total_cost_usd: UsdAmount | None = Field(description="Null where a price is unknown.")
    max_cost_usd: UsdAmount | None
    by_model: list[CostLine]


Report = dict[str, Any]
