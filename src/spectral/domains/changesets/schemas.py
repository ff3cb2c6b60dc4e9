"""The wire shapes of change sets, clusters, experiments and validations."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StringConstraints, model_validator

from spectral.domains.agents.json_values import STORABLE
from spectral.domains.agents.live import MAXIMUM_HOLDBACK
from spectral.domains.changesets.decision import GuardStatus, Reason, Verdict
from spectral.domains.changesets.guarding_schemas import PromotionGuardOut
from spectral.domains.changesets.states import ChangesetState
from spectral.domains.evaluations.calibration_schemas import JudgeCalibrationOut
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.pagination import Collection
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

ReasonText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000), STORABLE]
Label = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), STORABLE]
Note = Annotated[str, StringConstraints(max_length=4000), STORABLE]
MAXIMUM_ITEMS = 5_000
ClusterStatus = Literal["open", "investigating", "resolved", "muted"]
ValidationStatus = Literal["queued", "running", "completed", "failed", "cancelled"]
ExperimentStatus = Literal["waiting", "queued", "running", "completed", "failed", "cancelled"]
ExecutedBy = Literal["native", "runner", "replica", "outputs"]
"""How an agent was executed: by the platform, by the customer's runner, as a reconstruction from its traces, or by
somebody who brought the outputs."""


class AcceptIn(WireIn):
    """How to accept: without a passed validation only with a reason, which the audit log keeps.

    `holdback` is the share of the sessions that keep the version before until the guard has decided; left out it is 0.1
    for a change set that a holdout has validated, and 0 for any other.
    """

    override_reason: ReasonText | None = None
    holdback: float | None = Field(default=None, ge=0, le=MAXIMUM_HOLDBACK, allow_inf_nan=False)


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
    judges: list[JudgeCalibrationOut] = Field(
        description="the judges of the rubric, and how well they agreed with people when the look ended"
    )
    champion: LookArmOut | None
    challenger: LookArmOut | None
    execution: ExecutedBy
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
    execution: ExecutedBy
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
    """One place at which the candidate differs from the base.

    flags: what in the new text may have been copied out of a trace: URLs, names of tools, instructions.
    """

    pointer: str
    operation: Literal["add", "remove", "replace"]
    before: JsonValue
    after: JsonValue
    text_diff: str | None
    flags: list[str] = Field(default_factory=list)


class RecurrenceOut(WireOut):
    """In how many of the agent's last `scans` scans the cluster was seen."""

    seen: int
    scans: int


class ClusterOut(WireOut):
    """A failure cluster as the change set's scan saw it, and what the change set did to it.

    Of `failures` items it fixed `fixed`; `broke` items that were right fail like this cluster now; the three are null
    where no change set was asked about. `sightings` counts the scans that saw the cluster; `label`, `status` and `note`
    are a person's where one has set them. `merged_ids`: what people said is part of it; `split_from`: what they took it
    out of. `changeset_id` is the last change set of the scan that is shown, null where the scan proposed none.
    """

    id: UUID
    agent_id: UUID
    label: str
    label_curated: bool
    status: ClusterStatus
    note: str | None
    size: int
    share: float
    stability: float | None
    sightings: int
    recurrence: RecurrenceOut
    scan_id: UUID
    first_scan_id: UUID
    last_scan_id: UUID
    first_seen_at: Timestamp
    last_seen_at: Timestamp
    failures: int | None
    fixed: int | None
    broke: int | None
    changeset_id: UUID | None
    merged_ids: list[UUID]
    split_from: UUID | None
    examples: list["ClusterExampleOut"]
    updated_at: Timestamp


class ClusterExampleOut(WireOut):
    """A failed sample and what went wrong with it."""

    item_id: UUID
    text: str | None


class ClusterMemberOut(ClusterExampleOut):
    """A failed sample of a cluster, the trace that it was made of, and whether the change set fixed it.

    `fixed` is null where no change set was asked about, or where only counts were kept.
    """

    trace_id: str | None
    example: bool
    fixed: bool | None


class ClusterSightingOut(WireOut):
    """How large the cluster was in one scan."""

    scan_id: UUID
    at: Timestamp
    size: int
    share: float
    stability: float | None


class ClusterDetailOut(ClusterOut):
    """A failure cluster with one page of its members, and its last sightings, the last one first.

    `broken_item_ids`: what was right and fails like this cluster now; null where `fixed` of the members is.
    """

    members: Collection[ClusterMemberOut]
    history: list[ClusterSightingOut]
    broken_item_ids: list[UUID] | None


class ClusterMergeIn(WireIn):
    """Clusters that are one kind of failure. The first one's id stays; without a label its label does."""

    cluster_ids: list[UUID] = Field(min_length=2, max_length=50)
    label: Label | None = None

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        if len(set(self.cluster_ids)) != len(self.cluster_ids):
            message = "a cluster is named twice"
            raise ValueError(message)
        return self


class ClusterSplitIn(WireIn):
    """How a cluster falls apart: these items are a new one, or it falls into `k` parts by what its failures say.

    `label` is the new part's; several new parts are numbered.
    """

    item_ids: list[UUID] | None = Field(default=None, min_length=1, max_length=MAXIMUM_ITEMS)
    k: int | None = Field(default=None, ge=2, le=10)
    label: Label | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.item_ids is None) == (self.k is None):
            message = "exactly one of item_ids and k says how to split"
            raise ValueError(message)
        return self


class ClusterMembersIn(WireIn):
    """Failures of the same scan that are of this cluster, or are not: they are of the cluster `to`, or of none."""

    add: list[UUID] = Field(default_factory=list, max_length=MAXIMUM_ITEMS)
    remove: list[UUID] = Field(default_factory=list, max_length=MAXIMUM_ITEMS)
    to: UUID | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not self.add and not self.remove:
            message = "add or remove names at least one item"
            raise ValueError(message)
        if set(self.add) & set(self.remove):
            message = "an item is either added or removed"
            raise ValueError(message)
        if self.to is not None and not self.remove:
            message = "to says where removed items go, and none is removed"
            raise ValueError(message)
        return self


class ClusterPartsOut(WireOut):
    """What a cluster fell into; the first part keeps its id."""

    parts: list[ClusterOut]


class ExperimentArmOut(WireOut):
    """One configuration in an experiment. `frontier`: no other arm is better in quality, cost and latency.

    The numbers are null until it was measured; `objective` is the mean, with its 95 % interval where it was computed.
    """

    label: str
    champion: bool
    version: int | None
    config_hash: str
    frontier: bool
    objective: float | None
    objective_low: float | None
    objective_high: float | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None
    items: int | None
    missing: int | None
    mean_cost_usd: UsdAmount | None
    mean_latency_ms: float | None
    p95_latency_ms: float | None


class ExperimentOut(WireOut):
    """Configurations compared on the same items of one split; never on the holdout.

    `waiting`: for the outputs of an agent that somebody else executes. `items_digest`: SHA-256 over the items that it
    is pinned to. `execution` says who executed the agent. `cost_usd` is null where a price is unknown.
    """

    id: UUID
    name: str
    status: ExperimentStatus
    execution: ExecutedBy
    scan_id: UUID | None
    agent_id: UUID
    sample_set_id: UUID
    sample_set_version: int
    split: Literal["reflect", "select"]
    rubric_id: UUID
    rubric_version: int
    objective: dict[str, Any]
    margin: float | None
    items: int
    items_digest: str | None
    repeats: int
    seed: int
    max_evaluations: int | None
    max_cost_usd: UsdAmount | None
    cost_usd: UsdAmount | None
    arms: list[ExperimentArmOut]
    failure: FailureOut | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None


class ComparisonOut(WireOut):
    """A candidate against the champion on the same items: the gain with its 95 % interval.

    `p_value` is one-sided (that there is no gain), `p_adjusted` after Holm over all candidates of the experiment.
    Of experiments by hand, `verdict` says whether the candidate is worse: no_regression where the whole interval lies
    above -margin and every guard holds; regression where it lies below 0 or a guard is harmed; otherwise inconclusive,
    with the number of further samples that would decide it.
    """

    label: str
    version: int | None
    config_hash: str
    changes: dict[str, JsonValue]
    n: int
    groups: int | None
    missing: MissingOut | None
    effect: float
    low: float | None
    high: float | None
    method: str
    p_value: float | None
    p_adjusted: float | None
    wins: int
    losses: int
    broken_guards: list[str]
    guards: list[GuardOut]
    frontier: bool
    margin: float | None
    verdict: Literal["no_regression", "regression", "inconclusive"] | None
    reasons: list[str]
    n_more: int | None


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


class EvidenceClusterOut(ClusterOut):
    """A failure cluster in a chain of evidence. `trace_ids`: what its examples were made of."""

    trace_ids: list[str]


class EvidenceOut(WireOut):
    """The chain from observed traces to the verdict; a link that does not exist yet is null."""

    trace_ids: list[str] = Field(description="Of the examples of all clusters, at most 20.")
    clusters: list[EvidenceClusterOut]
    candidate: CandidateOut
    experiment: ExperimentOut | None
    holdout: HoldoutLookOut | None
    interval: EffectOut | None
    verdict: Verdict | None
    reasons: list[Reason]
    execution: ExecutedBy


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
    guard: PromotionGuardOut | None
