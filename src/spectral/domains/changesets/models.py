"""The tables of change sets: proposals, failure clusters, experiments, looks at holdouts and what these cost.

`scan_id` and `item_id` carry no foreign key: scans lie above this domain, and an item may leave its set while the
evidence about it stays.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, Json, NanoUsdColumn, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now


class Changeset(WorkspaceOwned, Base):
    """A proposed change of one agent's configuration; everything its verdict depends on is pinned.

    state: see `states.py`.  diff: list of `Change`.  objective: the `ObjectiveSpec` as it was when it was proposed.
    execution: native, runner or replica.  search_cost_nano_usd: what finding it cost, None where unknown.
    previous_version: what was live in the target environment when it was accepted.
    """

    __tablename__ = "changeset"
    __table_args__ = (
        sa.CheckConstraint(
            "state IN ('proposed', 'validating', 'validated', 'refuted', 'inconclusive', 'accepted', 'applied', "
            "'rolled_back', 'rejected', 'superseded')",
            name="state",
        ),
        tenant_fk("agent_id", "agent", ondelete="RESTRICT"),
        tenant_fk("sample_set_id", "sample_set", ondelete="RESTRICT"),
        tenant_fk("rubric_id", "rubric", ondelete="RESTRICT"),
        tenant_fk("objective_id", "objective", ondelete="RESTRICT"),
        tenant_fk("experiment_id", "experiment", ondelete="RESTRICT"),
        sa.UniqueConstraint("workspace_id", "scan_id", "candidate_version"),
        sa.Index(None, "workspace_id", "created_at"),
        sa.Index(None, "workspace_id", "agent_id", "state"),
        sa.Index(None, "workspace_id", "sample_set_id"),
        sa.Index(None, "workspace_id", "rubric_id"),
        sa.Index(None, "workspace_id", "objective_id"),
        sa.Index(None, "workspace_id", "experiment_id"),
    )

    scan_id: Mapped[UUID | None]
    agent_id: Mapped[UUID]
    state: Mapped[str] = mapped_column(sa.String(16))
    base_version: Mapped[int]
    candidate_version: Mapped[int]
    base_config_hash: Mapped[str] = mapped_column(sa.String(64))
    candidate_config_hash: Mapped[str] = mapped_column(sa.String(64))
    target_environment: Mapped[str] = mapped_column(sa.String(32))
    rationale: Mapped[str] = mapped_column(sa.Text)
    diff: Mapped[list[Any]]
    sample_set_id: Mapped[UUID]
    rubric_id: Mapped[UUID]
    rubric_version: Mapped[int]
    objective_id: Mapped[UUID]
    objective: Mapped[dict[str, Any]]
    experiment_id: Mapped[UUID | None]
    execution: Mapped[str] = mapped_column(sa.String(16))
    search_cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    previous_version: Mapped[int | None]
    override_reason: Mapped[str | None] = mapped_column(sa.String(2000))
    accepted_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    accepted_by: Mapped[str | None] = mapped_column(sa.String(100))
    applied_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    closed_by: Mapped[str | None] = mapped_column(sa.String(100))
    closed_reason: Mapped[str | None] = mapped_column(sa.String(2000))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class FailureCluster(WorkspaceOwned, Base):
    """A kind of failure of one agent that is recognised again in later scans; label, status and note are a person's.

    label_curated: a person chose the label, so a later scan does not rename it.  centroid: term → weight, unit length.
    merged_into: the cluster that a person said this one is part of; what is recognised as this one is that one then.
    split_from: the cluster that a person took this one out of.
    """

    __tablename__ = "failure_cluster"
    __table_args__ = (
        sa.CheckConstraint("status IN ('open', 'investigating', 'resolved', 'muted')", name="status"),
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        tenant_fk("merged_into", "failure_cluster", ondelete="CASCADE"),
        tenant_fk("split_from", "failure_cluster", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "agent_id"),
    )

    agent_id: Mapped[UUID]
    label: Mapped[str] = mapped_column(sa.String(200))
    label_curated: Mapped[bool] = mapped_column(sa.Boolean)
    status: Mapped[str] = mapped_column(sa.String(16))
    note: Mapped[str | None] = mapped_column(sa.String(4000))
    centroid: Mapped[dict[str, Any]]
    first_scan_id: Mapped[UUID]
    last_scan_id: Mapped[UUID]
    merged_into: Mapped[UUID | None]
    split_from: Mapped[UUID | None]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class ClusterRule(WorkspaceOwned, Base):
    """What a person said about one item of an agent: it belongs to a cluster, or is apart from it, in every scan.

    An item belongs to one cluster at most. `item_id` carries no foreign key, as with members.
    """

    __tablename__ = "failure_cluster_rule"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('belongs', 'apart')", name="kind"),
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        tenant_fk("cluster_id", "failure_cluster", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "item_id", "cluster_id"),
        sa.Index(None, "workspace_id", "agent_id"),
        sa.Index(None, "workspace_id", "cluster_id"),
    )

    agent_id: Mapped[UUID]
    item_id: Mapped[UUID]
    cluster_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(sa.String(16))
    created_by: Mapped[str] = mapped_column(sa.String(100))


class ClusterSighting(WorkspaceOwned, Base):
    """A failure cluster as one scan saw it, under what people have said about it since.

    cluster_id: None for the failures of the scan that are in no cluster, one such row a scan.  share: of the scan's
    failures, 0–1.  stability: 0–1, None where it was not estimated.
    """

    __tablename__ = "failure_cluster_sighting"
    __table_args__ = (
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        tenant_fk("cluster_id", "failure_cluster", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "scan_id", "cluster_id"),
        sa.Index(None, "workspace_id", "cluster_id"),
        sa.Index(None, "workspace_id", "agent_id", "created_at"),
    )

    agent_id: Mapped[UUID]
    cluster_id: Mapped[UUID | None]
    scan_id: Mapped[UUID]
    position: Mapped[int]
    label: Mapped[str] = mapped_column(sa.String(200))
    size: Mapped[int]
    share: Mapped[float] = mapped_column(sa.Double)
    stability: Mapped[float | None] = mapped_column(sa.Double)


class ClusterMember(WorkspaceOwned, Base):
    """A failed item of a sighting; `text` is what a person reads of it, None where the scan kept none.

    example: one of those that explain the cluster best.  terms: term → weight, what its likeness to clusters is told
    from; empty where the scan kept none.
    """

    __tablename__ = "failure_cluster_member"
    __table_args__ = (
        tenant_fk("sighting_id", "failure_cluster_sighting", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "sighting_id", "item_id"),
    )

    sighting_id: Mapped[UUID]
    item_id: Mapped[UUID]
    position: Mapped[int]
    text: Mapped[str | None] = mapped_column(sa.Text)
    example: Mapped[bool] = mapped_column(sa.Boolean)
    terms: Mapped[dict[str, Any]]


class ChangesetCluster(WorkspaceOwned, Base):
    """What a change set did to one failure cluster of its scan: of `failures` items it fixed some and broke others.

    failures: members that the champion failed; broke: items of the cluster's kind that only the candidate fails.
    fixed_items: ids of what was fixed.  broken_items: id → terms of what was broken.  Both are None where only the
    counts are known.
    """

    __tablename__ = "changeset_cluster"
    __table_args__ = (
        tenant_fk("changeset_id", "changeset", ondelete="CASCADE"),
        tenant_fk("sighting_id", "failure_cluster_sighting", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "changeset_id", "sighting_id"),
        sa.Index(None, "workspace_id", "sighting_id"),
    )

    changeset_id: Mapped[UUID]
    sighting_id: Mapped[UUID]
    failures: Mapped[int]
    fixed: Mapped[int]
    broke: Mapped[int]
    fixed_items: Mapped[list[Any] | None]
    broken_items: Mapped[dict[str, Any] | None]


class Experiment(WorkspaceOwned, Base):
    """A comparison of configurations on the same items of one split, never the holdout.

    What a scan records is `completed` when it is written; by hand it is asked for, and a run of the experiment's id
    measures it. objective: the `ObjectiveSpec` it is judged by.  items: how many every arm is measured on; item_ids and
    items_digest pin which, and what they said (`digest_of`), None for a scan's.  execution: native, runner, replica or
    outputs (somebody else executed the agent).  margin: the loss that still counts as no regression.
    """

    __tablename__ = "experiment"
    __table_args__ = (
        sa.CheckConstraint("split IN ('reflect', 'select')", name="split"),
        sa.CheckConstraint(
            "status IN ('waiting', 'queued', 'running', 'completed', 'failed', 'cancelled')", name="status"
        ),
        tenant_fk("agent_id", "agent", ondelete="RESTRICT"),
        tenant_fk("sample_set_id", "sample_set", ondelete="RESTRICT"),
        tenant_fk("rubric_id", "rubric", ondelete="RESTRICT"),
        sa.UniqueConstraint("workspace_id", "scan_id", "name"),
        sa.Index(None, "workspace_id", "created_at"),
        sa.Index(None, "workspace_id", "agent_id"),
        sa.Index(None, "workspace_id", "sample_set_id"),
        sa.Index(None, "workspace_id", "rubric_id"),
    )

    scan_id: Mapped[UUID | None]
    agent_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(200))
    sample_set_id: Mapped[UUID]
    sample_set_version: Mapped[int]
    split: Mapped[str] = mapped_column(sa.String(16))
    rubric_id: Mapped[UUID]
    rubric_version: Mapped[int]
    objective: Mapped[dict[str, Any]]
    items: Mapped[int]
    repeats: Mapped[int]
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    created_by: Mapped[str] = mapped_column(sa.String(100))
    status: Mapped[str] = mapped_column(sa.String(16), default="completed", server_default="completed")
    execution: Mapped[str] = mapped_column(sa.String(16), default="native", server_default="native")
    margin: Mapped[float | None] = mapped_column(sa.Double)
    max_evaluations: Mapped[int | None]
    max_cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    failure: Mapped[dict[str, Any] | None]
    items_digest: Mapped[str | None] = mapped_column(sa.String(64))
    # Thousands of ids, which no list of experiments reads.
    item_ids: Mapped[list[Any] | None] = mapped_column(Json, deferred=True, deferred_raiseload=True)
    started_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class ExperimentArm(WorkspaceOwned, Base):
    """One configuration in an experiment; position 0 is the champion that the others are compared with.

    summary: mean, interval, pass rate, cost and latency of this arm.  effect: the paired interval against the champion
    with p-value and Holm-adjusted p-value, None for the champion and before it was measured.  frontier: no other arm is
    better in quality, cost and latency.  version: None for a configuration that never became a version.  config: the
    document of an arm that somebody wrote for the experiment alone.
    """

    __tablename__ = "experiment_arm"
    __table_args__ = (
        tenant_fk("experiment_id", "experiment", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "experiment_id", "position"),
    )

    experiment_id: Mapped[UUID]
    position: Mapped[int]
    label: Mapped[str] = mapped_column(sa.String(200))
    version: Mapped[int | None]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    changes: Mapped[dict[str, Any]]
    summary: Mapped[dict[str, Any]]
    effect: Mapped[dict[str, Any] | None]
    frontier: Mapped[bool] = mapped_column(sa.Boolean)
    config: Mapped[dict[str, Any] | None]


class ExperimentOutput(WorkspaceOwned, Base):
    """What an arm of an experiment answered to one item, as somebody brought it who executed the agent.

    A later line about the same execution replaces an earlier one until the experiment is scored.  error_type: None
    where there is an output.  missing: the error says nothing about the agent.  cost_nano_usd: None where unknown.
    """

    __tablename__ = "experiment_output"
    __table_args__ = (
        tenant_fk("experiment_id", "experiment", ondelete="CASCADE"),
        sa.UniqueConstraint(
            "workspace_id", "experiment_id", "config_hash", "item_id", "repeat", name="uq_experiment_output_once"
        ),
    )

    experiment_id: Mapped[UUID]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    item_id: Mapped[UUID]
    repeat: Mapped[int]
    output: Mapped[str | None] = mapped_column(sa.Text)
    error_type: Mapped[str | None] = mapped_column(sa.String(200))
    error_message: Mapped[str | None] = mapped_column(sa.String(1000))
    missing: Mapped[bool] = mapped_column(sa.Boolean)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    latency_ms: Mapped[float] = mapped_column(sa.Double)


class HoldoutLedger(WorkspaceOwned, Base):
    """What one holdout may still be asked; `plan` is a `LookPlan`, made once and never changed."""

    __tablename__ = "holdout_ledger"
    __table_args__ = (
        tenant_fk("holdout_id", "holdout", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "holdout_id"),
    )

    holdout_id: Mapped[UUID]
    plan: Mapped[dict[str, Any]]
    looks_taken: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class Validation(WorkspaceOwned, Base):
    """One look at a holdout for one change set. Its α is spent when the row is made, whatever becomes of it.

    look: of the holdout, from 1.  stage: of the change set on this holdout, from 1.  work_id: the engine's key of the
    current attempt.  evidence: everything the verdict rests on, made by `numbers.evidence_of`.  execution: native,
    runner or replica, as its change set was made.
    """

    __tablename__ = "validation"
    __table_args__ = (
        sa.CheckConstraint("status IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="status"),
        tenant_fk("changeset_id", "changeset", ondelete="CASCADE"),
        tenant_fk("holdout_id", "holdout", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "holdout_id", "look"),
        sa.Index(None, "workspace_id", "changeset_id", "created_at"),
    )

    changeset_id: Mapped[UUID]
    holdout_id: Mapped[UUID]
    holdout_digest: Mapped[str] = mapped_column(sa.String(64))
    look: Mapped[int]
    looks_planned: Mapped[int]
    stage: Mapped[int]
    items: Mapped[int]
    alpha: Mapped[float] = mapped_column(sa.Double)
    minimum_effect: Mapped[float] = mapped_column(sa.Double)
    repeats: Mapped[int]
    max_cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    work_id: Mapped[UUID]
    status: Mapped[str] = mapped_column(sa.String(16))
    verdict: Mapped[str | None] = mapped_column(sa.String(16))
    reasons: Mapped[list[Any]]
    n_more: Mapped[int | None]
    evidence: Mapped[dict[str, Any] | None]
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    failure: Mapped[dict[str, Any] | None]
    execution: Mapped[str] = mapped_column(sa.String(16), default="native", server_default="native")
    requested_by: Mapped[str] = mapped_column(sa.String(100))
    started_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
