"""The wire shapes of change sets, clusters, experiments and validations."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints, model_validator

from spectral.domains.agents.json_values import STORABLE
from spectral.domains.changesets.decision import GuardStatus, Reason, Verdict
from spectral.domains.changesets.states import ChangesetState
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

ReasonText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), STORABLE]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), STORABLE]
Note = Annotated[str, StringConstraints(max_length=4000), STORABLE]
ClusterStatus = Literal["open", "investigating", "resolved", "muted"]
ValidationStatus = Literal["queued", "running", "completed", "failed", "cancelled"]


class AcceptIn(WireIn):
    """How to accept: without a passed validation only with a reason, which the audit log keeps."""

    override_reason: ReasonText | None = None


class CloseIn(WireIn):
    """Why a change set is rejected or taken back."""

    reason: ReasonText | None = None


class ValidationIn(WireIn):
    """How to look: `repeats` of each item where the agent is not deterministic, and at most this much money."""

    repeats: int = Field(default=1, ge=1, le=10)
    max_cost_usd: UsdAmountIn | None = None


class ClusterPatch(WireIn):
    """A person's view of a cluster; it survives later scans. Members that are left out stay as they are."""

    label: Label | None = None
    status: ClusterStatus | None = None
    note: Note | None = None

    @model_validator(mode="after")
    def _nothing_becomes_null(self) -> Self:
        for member in ("label", "status"):
            if member in self.model_fields_set and getattr(self, member) is None:
                message = f"{member} cannot be null"
                raise ValueError(message)
        return self


class EffectOut(WireOut):
    """The mean paired gain of the objective (challenger minus champion) with its interval.

    A bound is null where the data allows no bound (a single group). `method` is `bca`, `paired-t` or
    `zero-variance-bound`.
    """

    mean: float
    low: float | None
    high: float | None
    confidence: float
    method: str


class RateOut(WireOut):
    """A share with its Wilson interval."""

    successes: int
    n: int
    rate: float
    low: float
    high: float
    confidence: float


class LookArmOut(WireOut):
    """One configuration on the holdout. `passed` is its accuracy; an unknown price makes the mean cost null."""

    objective: float | None
    passed: RateOut
    errors: int
    mean_cost_usd: UsdAmount | None
    p50_latency_ms: float | None
    p95_latency_ms: float | None


class GuardOut(WireOut):
    """What the gain must not cost. `slack` is what is left of the allowance, in `unit`; negative is harm.

    Held: the whole interval of the slack is at least 0 (non-inferiority). Harmed: it is wholly negative.
    """

    name: str
    unit: str
    statistic: str
    champion: float | None
    challenger: float | None
    limit: float | None
    slack: float | None
    low: float | None
    high: float | None
    n: int
    status: GuardStatus


class MissingOut(WireOut):
    """Items without a result, by arm; more than 5 % of either makes a verdict inconclusive."""

    champion: int
    challenger: int


class FailureOut(WireOut):
    """Why something ended without a result."""

    type: str
    detail: str


class ValidationOut(WireOut):
    """One look at a holdout. The verdict follows from `effect`, at this look's confidence 1 - alpha, and the guards.

    `effect_95` is the 95 % interval of the same differences. `n_more` says how many further samples a next look needs.
    """

    id: UUID
    changeset_id: UUID
    status: ValidationStatus
    verdict: Verdict | None
    reasons: list[Reason]
    n_more: int | None
    holdout_id: UUID
    holdout_digest: str
    look: int
    looks_planned: int
    stage: int
    alpha: float
    minimum_effect: float
    repeats: int
    items: int
    n: int | None
    groups: int | None
    missing: MissingOut | None
    effect: EffectOut | None
    effect_95: EffectOut | None
    p_value: float | None
    guards: list[GuardOut]
    champion: LookArmOut | None
    challenger: LookArmOut | None
    max_cost_usd: UsdAmount | None
    cost_usd: UsdAmount | None
    failure: FailureOut | None
    requested_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class ChangesetOut(WireOut):
    """A proposed change of an agent's configuration, with the result of its last look at a holdout."""

    id: UUID
    state: ChangesetState
    agent_id: UUID
    scan_id: UUID | None
    base_version: int
    candidate_version: int
    target_environment: str
    rationale: str
    execution: Literal["native", "runner", "replica"]
    verdict: Verdict | None
    effect: EffectOut | None
    effect_95: EffectOut | None
    further_samples: int | None
    previous_version: int | None
    override_reason: str | None
    accepted_at: Timestamp | None
    accepted_by: str | None
    applied_at: Timestamp | None
    closed_at: Timestamp | None
    closed_by: str | None
    closed_reason: str | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class ChangeOut(WireOut):
    """One place at which the candidate differs from the base."""

    pointer: str
    operation: Literal["add", "remove", "replace"]
    before: JsonValue
    after: JsonValue
    text_diff: str | None


class ClusterOut(WireOut):
    """A failure cluster as the change set's scan saw it, and what the change set did to it.

    Of `failures` items it fixed `fixed`; `broke` items that were right fail like this cluster now. `sightings` counts
    the scans that saw the cluster; `label`, `status` and `note` are a person's where one has set them.
    """

    id: UUID
    label: str
    status: ClusterStatus
    note: str | None
    size: int
    share: float
    stability: float | None
    sightings: int
    first_scan_id: UUID
    last_scan_id: UUID
    failures: int
    fixed: int
    broke: int
    examples: list["ClusterMemberOut"]
    updated_at: Timestamp


class ClusterMemberOut(WireOut):
    """A failed sample; `text` is what went wrong with it, for those that explain the cluster."""

    item_id: UUID
    text: str | None


class ClusterDetailOut(ClusterOut):
    """A failure cluster with all its members."""

    members: list[ClusterMemberOut]


class ExperimentArmOut(WireOut):
    """One configuration in an experiment. `frontier`: no other arm is better in quality, cost and latency."""

    label: str
    champion: bool
    version: int | None
    config_hash: str
    frontier: bool
    objective: float | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    items: int | None
    missing: int | None
    mean_cost_usd: UsdAmount | None
    mean_latency_ms: float | None


class ExperimentOut(WireOut):
    """Configurations compared on the same items of one split; never on the holdout."""

    id: UUID
    name: str
    scan_id: UUID | None
    agent_id: UUID
    sample_set_id: UUID
    sample_set_version: int
    split: Literal["reflect", "select"]
    rubric_id: UUID
    rubric_version: int
    items: int
    repeats: int
    seed: int
    arms: list[ExperimentArmOut]
    created_by: str
    created_at: Timestamp


class ComparisonOut(WireOut):
    """A candidate against the champion on the same items: the gain with its 95 % interval.

    `p_value` is one-sided (that there is no gain), `p_adjusted` after Holm over all candidates of the experiment.
    """

    label: str
    version: int | None
    config_hash: str
    changes: dict[str, JsonValue]
    n: int
    effect: float
    low: float | None
    high: float | None
    method: str
    p_value: float | None
    p_adjusted: float | None
    wins: int
    losses: int
    broken_guards: list[str]
    frontier: bool


class CandidateOut(WireOut):
    """What would change."""

    base_version: int
    base_config_hash: str
    candidate_version: int
    candidate_config_hash: str
    diff: list[ChangeOut]


class HoldoutLookOut(WireOut):
    """Which frozen items were looked at, and the how-many-th look at them it was."""

    holdout_id: UUID
    digest: str
    look: int
    looks_planned: int
    stage: int
    items: int
    alpha: float


class EvidenceOut(WireOut):
    """The chain from observed traces to the verdict; a link that does not exist yet is null."""

    trace_ids: list[str]
    clusters: list[ClusterOut]
    candidate: CandidateOut
    experiment: ExperimentOut | None
    holdout: HoldoutLookOut | None
    interval: EffectOut | None
    verdict: Verdict | None
    reasons: list[Reason]
    execution: Literal["native", "runner", "replica"]


class CostOut(WireOut):
    """What finding and validating it cost; null where a price is unknown."""

    search_usd: UsdAmount | None
    validation_usd: UsdAmount | None
    total_usd: UsdAmount | None


class ChangesetDetailOut(ChangesetOut):
    """A change set with everything that explains it."""

    rubric_id: UUID
    rubric_version: int
    objective_id: UUID
    objective: dict[str, Any]
    sample_set_id: UUID
    experiment_id: UUID | None
    diff: list[ChangeOut]
    evidence: EvidenceOut
    validation: ValidationOut | None
    cost: CostOut
