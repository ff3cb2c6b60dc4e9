"""The tables of scans: the scan, its phases, its candidates, its events and what it asked a language model."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, NanoUsdColumn, UtcTime, WorkspaceOwned, tenant_fk


class Scan(WorkspaceOwned, Base):
    """One search for a better configuration of one agent; everything it depends on is pinned when it starts.

    base_version: the champion.  strategies: names, in the order they run.  options: what the person gave them, by
    strategy.  plan: how the budget is divided (see `plan.ScanPlan`).  phase: the one it is in or was in last.
    holdout_id: None where it only searches.  outcome: see `states.Outcome`, None until it is completed.
    failure: `{type, detail}` of a failed scan.  last_seq: the number of its last event.
    """

    __tablename__ = "scan"
    __table_args__ = (
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'paused', 'completed', 'failed', 'cancelled')", name="status"
        ),
        tenant_fk("agent_id", "agent", ondelete="RESTRICT"),
        tenant_fk("sample_set_id", "sample_set", ondelete="RESTRICT"),
        tenant_fk("rubric_id", "rubric", ondelete="RESTRICT"),
        tenant_fk("objective_id", "objective", ondelete="RESTRICT"),
        sa.Index(None, "workspace_id", "created_at"),
        sa.Index(None, "workspace_id", "agent_id", "created_at"),
        sa.Index(None, "workspace_id", "sample_set_id"),
        sa.Index(None, "workspace_id", "rubric_id"),
        sa.Index(None, "workspace_id", "objective_id"),
    )

    agent_id: Mapped[UUID]
    base_version: Mapped[int]
    base_config_hash: Mapped[str] = mapped_column(sa.String(64))
    target_environment: Mapped[str] = mapped_column(sa.String(32))
    sample_set_id: Mapped[UUID]
    sample_set_version: Mapped[int]
    holdout_id: Mapped[UUID | None]
    rubric_id: Mapped[UUID]
    rubric_version: Mapped[int]
    objective_id: Mapped[UUID]
    objective: Mapped[dict[str, Any]]
    strategies: Mapped[list[Any]]
    options: Mapped[dict[str, Any]]
    reflection_model: Mapped[str | None] = mapped_column(sa.String(200))
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    max_evaluations: Mapped[int]
    max_cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    plan: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(sa.String(16))
    phase: Mapped[str | None] = mapped_column(sa.String(16))
    outcome: Mapped[str | None] = mapped_column(sa.String(20))
    failure: Mapped[dict[str, Any] | None]
    changeset_id: Mapped[UUID | None]
    experiment_id: Mapped[UUID | None]
    last_seq: Mapped[int] = mapped_column(sa.BigInteger)
    created_by: Mapped[str] = mapped_column(sa.String(100))
    started_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class ScanSchedule(WorkspaceOwned, Base):
    """When a scan is started again and again. request: the body of the scan, checked anew at every firing.

    account_id: for the access of what it starts.  cron: five fields, read in `time_zone` (IANA).  next_run_at: None
    while it is not enabled.
    """

    __tablename__ = "scan_schedule"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index("ix_scan_schedule_next_run_at", "next_run_at"),
    )

    account_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(100))
    cron: Mapped[str] = mapped_column(sa.String(100))
    time_zone: Mapped[str] = mapped_column(sa.String(64))
    request: Mapped[dict[str, Any]]
    enabled: Mapped[bool]
    next_run_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class ScanFiring(WorkspaceOwned, Base):
    """What came of a schedule at one of its times; there is one for each time, whoever noticed that it had come.

    due_at: the time it was due, `created_at` when it was noticed.  scan_id: the scan that was started, or that still
    ran when it was skipped.  problem: `{type, title, detail}` of what was refused.
    """

    __tablename__ = "scan_firing"
    __table_args__ = (
        sa.CheckConstraint("outcome IN ('started', 'skipped', 'refused')", name="outcome"),
        tenant_fk("schedule_id", "scan_schedule", ondelete="CASCADE"),
        tenant_fk("scan_id", "scan", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "schedule_id", "due_at"),
        sa.Index(None, "workspace_id", "scan_id"),
    )

    schedule_id: Mapped[UUID]
    due_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    outcome: Mapped[str] = mapped_column(sa.String(16))
    scan_id: Mapped[UUID | None]
    problem: Mapped[dict[str, Any] | None]


class ScanPhase(WorkspaceOwned, Base):
    """One phase of one scan; there from its start on, with its result once it has finished."""

    __tablename__ = "scan_phase"
    __table_args__ = (
        tenant_fk("scan_id", "scan", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "scan_id", "name"),
    )

    scan_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(16))
    ordinal: Mapped[int]
    result: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class ScanCandidate(WorkspaceOwned, Base):
    """One configuration that a strategy proposed; `ordinal` counts from 1 in the order of proposal.

    select_result: how it did against the champion on the select split, None where it was not a finalist.
    """

    __tablename__ = "scan_candidate"
    __table_args__ = (
        tenant_fk("scan_id", "scan", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "scan_id", "ordinal"),
        sa.UniqueConstraint("workspace_id", "scan_id", "config_hash"),
    )

    scan_id: Mapped[UUID]
    ordinal: Mapped[int]
    strategy: Mapped[str] = mapped_column(sa.String(64))
    rationale: Mapped[str] = mapped_column(sa.Text)
    changes: Mapped[dict[str, Any]]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    select_result: Mapped[dict[str, Any] | None]


class ScanEvent(WorkspaceOwned, Base):
    """Something that happened in a scan; `seq` counts from 1 without gaps, in the order of commit."""

    __tablename__ = "scan_event"
    __table_args__ = (
        tenant_fk("scan_id", "scan", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "scan_id", "seq"),
    )

    scan_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    type: Mapped[str] = mapped_column(sa.String(64))
    phase: Mapped[str | None] = mapped_column(sa.String(16))
    data: Mapped[dict[str, Any]]


class ScanQuestion(WorkspaceOwned, Base):
    """One question to the scan's reflection model and its answer: the journal that a search is replayed from.

    ordinal: counts from 1 the times that this prompt was asked for this purpose.
    """

    __tablename__ = "scan_question"
    __table_args__ = (
        tenant_fk("scan_id", "scan", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "scan_id", "purpose", "prompt_hash", "ordinal"),
    )

    scan_id: Mapped[UUID]
    purpose: Mapped[str] = mapped_column(sa.String(32))
    prompt_hash: Mapped[str] = mapped_column(sa.String(64))
    ordinal: Mapped[int]
    model: Mapped[str] = mapped_column(sa.String(200))
    prompt: Mapped[str] = mapped_column(sa.Text)
    answer: Mapped[str] = mapped_column(sa.Text)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    latency_ms: Mapped[float]
