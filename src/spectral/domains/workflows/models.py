"""The tables of workflows: definitions and their versions, runs, and everything that a run leaves behind.

A run's rows are the truth about it. What the engine keeps (`engine_work`, one row per run under the run's id) only says
that somebody should look at the run again.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.domains.workflows.execution.states import RunStatus
from spectral.platform.db.base import Base, Json, NanoUsdColumn, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.secret_box import sealed

NAME_MAXIMUM = 128
KEY_MAXIMUM = 512
SECRET_PURPOSE = "workflow-secret"  # noqa: S105
SECRET_NAME = r"[A-Z][A-Z0-9_]{0,63}"  # noqa: S105
STATUSES = ", ".join(f"'{status}'" for status in RunStatus)
OPEN_TASKS = sa.text("status IN ('queued', 'leased')")
LEASED_TASKS = sa.text("status = 'leased'")
EVALUATION_TASKS = sa.text("evaluation_key IS NOT NULL")


class Workflow(WorkspaceOwned, Base):
    """A named workflow of a workspace. Its documents are its versions; deleting it keeps them for its runs.

    version: the latest.  origin: `api`, or `folder` for one that is read from the server's disk and cannot be changed.
    """

    __tablename__ = "workflow"
    __table_args__ = (
        sa.Index(
            "uq_workflow_name_live",
            "workspace_id",
            "name",
            unique=True,
            sqlite_where=sa.text("deleted_at IS NULL"),
            postgresql_where=sa.text("deleted_at IS NULL"),
        ),
    )

    name: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    description: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    origin: Mapped[str] = mapped_column(sa.String(16))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class WorkflowVersion(WorkspaceOwned, Base):
    """One immutable document. Without a workflow it is an inline document, found again by its digest.

    digest: SHA-256 of the canonical compiled form.  source: the text as it was sent.  source_format: `yaml` or `json`.
    document: the compiled form (`definitions.model.Definition.to_document`).
    """

    __tablename__ = "workflow_version"
    __table_args__ = (
        tenant_fk("workflow_id", "workflow", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "workflow_id", "version"),
        sa.Index(
            "uq_workflow_version_inline",
            "workspace_id",
            "digest",
            unique=True,
            sqlite_where=sa.text("workflow_id IS NULL"),
            postgresql_where=sa.text("workflow_id IS NULL"),
        ),
    )

    workflow_id: Mapped[UUID | None]
    version: Mapped[int | None]
    digest: Mapped[str] = mapped_column(sa.String(64))
    source: Mapped[str] = mapped_column(sa.Text)
    source_format: Mapped[str] = mapped_column(sa.String(8))
    document: Mapped[dict[str, Any]]
    created_by: Mapped[str] = mapped_column(sa.String(100))


class WorkflowRun(WorkspaceOwned, Base):
    """One run of one version. `id` is also the key of its engine work; people know it by `name`.

    name: what a caller chose, else the id as text; unique in the workspace.  generation: 1, and one more with every
    restart.  lease: grows with every execution that takes the run; a write is good only under its own.  inbox: grows
    with everything that is sent to the run (signals, answers, ends of children), so that an execution notices.
    last_seq: number of the last event.  next_index: number of the next checkpoint.  segment_no: executions begun.
    wake_at: when a wait ends by itself.  suspension: `{at, reason, step, index, data}` while the run waits for a person
    or an event.  pause: `{reason, mode, at, by}` from the request to the resume.  spent: `{tokens, cost_nano_usd,
    unknown_cost_calls}`.  parent: `{run_id, kind: subflow|fork|replay, step, index}`.  trace_id: its trace, 32 hex.
    """

    __tablename__ = "workflow_run"
    __table_args__ = (
        sa.CheckConstraint(f"status IN ({STATUSES})", name="status"),
        tenant_fk("version_id", "workflow_version", ondelete="RESTRICT"),
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index(None, "workspace_id", "created_at", "id"),
        sa.Index(None, "workspace_id", "workflow_name", "created_at", "id"),
        sa.Index(None, "workspace_id", "status", "created_at", "id"),
        sa.Index(None, "workspace_id", "user_id", "created_at"),
        sa.Index(None, "workspace_id", "parent_run_id"),
        sa.Index(None, "workspace_id", "finished_at"),
    )

    account_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    version_id: Mapped[UUID]
    workflow_name: Mapped[str | None] = mapped_column(sa.String(NAME_MAXIMUM))
    workflow_version: Mapped[int | None]
    adapter: Mapped[str] = mapped_column(sa.String(32))
    status: Mapped[str] = mapped_column(sa.String(16))
    generation: Mapped[int]
    lease: Mapped[int] = mapped_column(sa.BigInteger)
    inbox: Mapped[int] = mapped_column(sa.BigInteger)
    last_seq: Mapped[int] = mapped_column(sa.BigInteger)
    next_index: Mapped[int]
    segment_no: Mapped[int]
    inputs: Mapped[dict[str, Any]]
    outputs: Mapped[Any | None] = mapped_column(Json)
    error: Mapped[dict[str, Any] | None]
    current_nodes: Mapped[list[Any]]
    suspension: Mapped[dict[str, Any] | None]
    pause: Mapped[dict[str, Any] | None]
    wake_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    spent: Mapped[dict[str, Any]]
    user_id: Mapped[str | None] = mapped_column(sa.String(200))
    conversation_id: Mapped[str | None] = mapped_column(sa.String(200))
    context: Mapped[dict[str, Any]]
    labels: Mapped[dict[str, Any]]
    tags: Mapped[list[Any]]
    options: Mapped[dict[str, Any]]
    parent_run_id: Mapped[UUID | None]
    parent: Mapped[dict[str, Any] | None]
    trace_id: Mapped[str | None] = mapped_column(sa.String(32))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    started_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class WorkflowStep(WorkspaceOwned, Base):
    """One node's work in one generation of a run, from its first attempt on.

    key: the node's path, with the ordinal of every body it lies in (`each[3]/fetch`).  iteration: 1, and one more each
    time an edge leads back to it.  ordinal: counts from 0 in the order of first start.  inputs: masked.
    wait_type: `event`, `timer`, `interrupt`, `subflow`, `remote`, `retry` while it waits.
    """

    __tablename__ = "workflow_step"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "run_id", "generation", "key", "iteration"),
    )

    run_id: Mapped[UUID]
    generation: Mapped[int]
    key: Mapped[str] = mapped_column(sa.String(KEY_MAXIMUM))
    iteration: Mapped[int]
    node: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    kind: Mapped[str] = mapped_column(sa.String(32))
    ordinal: Mapped[int]
    status: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    inputs: Mapped[Any | None] = mapped_column(Json)
    outputs: Mapped[Any | None] = mapped_column(Json)
    error: Mapped[dict[str, Any] | None]
    wait_type: Mapped[str | None] = mapped_column(sa.String(16))
    wake_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    next_retry_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    started_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class WorkflowRunEvent(WorkspaceOwned, Base):
    """Something that happened in a run; `seq` counts from 1 without gaps over all generations, in order of commit.

    data: `{status, input, output, error, …}`, what the type says.  level, category: of events of type `log` only.
    """

    __tablename__ = "workflow_run_event"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "run_id", "seq"),
    )

    run_id: Mapped[UUID]
    seq: Mapped[int] = mapped_column(sa.BigInteger)
    generation: Mapped[int]
    type: Mapped[str] = mapped_column(sa.String(64))
    node: Mapped[str | None] = mapped_column(sa.String(KEY_MAXIMUM))
    level: Mapped[str | None] = mapped_column(sa.String(8))
    category: Mapped[str | None] = mapped_column(sa.String(64))
    started_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    data: Mapped[dict[str, Any]]


class WorkflowSignal(WorkspaceOwned, Base):
    """An event that was sent to a run; kept until a wait takes it, oldest first.

    signal_key: the caller's id, else the row's own; the same one again is the same signal.
    consumed_by: `key#iteration` of the wait that took it.
    """

    __tablename__ = "workflow_signal"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "run_id", "generation", "signal_key"),
    )

    run_id: Mapped[UUID]
    generation: Mapped[int]
    signal_key: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    type: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    payload: Mapped[Any | None] = mapped_column(Json)
    sent_by: Mapped[str] = mapped_column(sa.String(100))
    received_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    consumed_by: Mapped[str | None] = mapped_column(sa.String(KEY_MAXIMUM + 16))
    consumed_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class WorkflowCheckpoint(WorkspaceOwned, Base):
    """The state of a run after one commit; `index` counts from 0 over all generations.

    full: whether `state` is the whole state, else what changed since the checkpoint before (`state.changes_between`).
    """

    __tablename__ = "workflow_checkpoint"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "run_id", "index"),
    )

    run_id: Mapped[UUID]
    index: Mapped[int]
    generation: Mapped[int]
    full: Mapped[bool] = mapped_column(sa.Boolean)
    state: Mapped[dict[str, Any]]
    last_node: Mapped[str | None] = mapped_column(sa.String(KEY_MAXIMUM))
    next_nodes: Mapped[list[Any]]
    steps_completed: Mapped[int]


class WorkflowInterrupt(WorkspaceOwned, Base):
    """A question that a run asks a person.

    kind: `decision` (approve or reject) or `input` (data by `answer_schema`).
    status: `pending`, `approved`, `rejected`, `answered`, `expired` or `cancelled`.
    position: `before`, `node` or `after` of the step it belongs to.
    claimed_by: who the caller says answered; answered_by: who was signed in.
    """

    __tablename__ = "workflow_interrupt"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint(
            "workspace_id", "run_id", "generation", "key", "iteration", "position", name="uq_workflow_interrupt_once"
        ),
        sa.Index(None, "workspace_id", "status", "created_at"),
    )

    run_id: Mapped[UUID]
    generation: Mapped[int]
    key: Mapped[str] = mapped_column(sa.String(KEY_MAXIMUM))
    iteration: Mapped[int]
    position: Mapped[str] = mapped_column(sa.String(8))
    kind: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.Text)
    title: Mapped[str] = mapped_column(sa.Text)
    description: Mapped[str | None] = mapped_column(sa.Text)
    payload: Mapped[Any | None] = mapped_column(Json)
    answer_schema: Mapped[dict[str, Any] | None]
    status: Mapped[str] = mapped_column(sa.String(16))
    comment: Mapped[str | None] = mapped_column(sa.Text)
    answer: Mapped[Any | None] = mapped_column(Json)
    answered_by: Mapped[str | None] = mapped_column(sa.String(100))
    claimed_by: Mapped[str | None] = mapped_column(sa.String(200))
    answered_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    on_timeout: Mapped[str] = mapped_column(sa.String(16))


class WorkflowSecret(WorkspaceOwned, Base):
    """A secret that definitions name and never hold. value: sealed (`SecretBox` of `SECRET_PURPOSE`)."""

    __tablename__ = "workflow_secret"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"),)

    name: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    value: Mapped[str] = mapped_column(sa.Text, info=sealed(SECRET_PURPOSE))
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class WorkflowMemory(WorkspaceOwned, Base):
    """What runs remember for later runs of the workspace. namespace: the workflow's name unless it says another."""

    __tablename__ = "workflow_memory"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "namespace", "key"),)

    namespace: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    key: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    value: Mapped[Any | None] = mapped_column(Json)
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class WorkflowSettings(WorkspaceOwned, Base):
    """What a workspace decided for its workflows; at most one row, whose id is the workspace's.

    allowed_networks: CIDR blocks and hosts inside our own network that `http` nodes may call.
    retention_days: how long finished runs are kept, None for the installation's default.
    """

    __tablename__ = "workflow_settings"

    allowed_networks: Mapped[list[Any]]
    retention_days: Mapped[int | None]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class RunTicket(WorkspaceOwned, Base):
    """Lets one WebSocket open without a header, once. digest: SHA-256 of the ticket."""

    __tablename__ = "workflow_run_ticket"
    __table_args__ = (
        tenant_fk("run_id", "workflow_run", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "digest"),
    )

    run_id: Mapped[UUID]
    digest: Mapped[str] = mapped_column(sa.String(64))
    principal: Mapped[dict[str, Any]]
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


class RemoteTask(WorkspaceOwned, Base):
    """Work that a runner outside leases, does and answers.

    queue: `agent:<id>` or a name that the definition chose.  task: what the runner is given.
    run_id, step_key, iteration, generation: the step that waits for it, None for work of another part (`subject`).
    available_at: when it may be leased; of one that is leased, when that lease ends (`expires_at`).
    lease_s: how long a lease lasts without a heartbeat.  attempts: how often it was leased.
    token_digest: SHA-256 of the last lease's token.
    result_digest: SHA-256 of the body that was taken, so that the same one again is fine.
    evaluation_key: what an evaluation finds its task by when it is begun again; None for every other task.
    leased_at: when the last lease began.
    """

    __tablename__ = "remote_task"
    __table_args__ = (
        sa.CheckConstraint("status IN ('queued', 'leased', 'done', 'failed', 'cancelled')", name="status"),
        # What has ended leaves the index: runners look here all the time, and what is open is counted here.
        sa.Index(
            "ix_remote_task_open",
            "workspace_id",
            "queue",
            "status",
            "available_at",
            "id",
            sqlite_where=OPEN_TASKS,
            postgresql_where=OPEN_TASKS,
        ),
        # Leases that have ended are looked for across workspaces.
        sa.Index("ix_remote_task_leased", "available_at", sqlite_where=LEASED_TASKS, postgresql_where=LEASED_TASKS),
        sa.Index(None, "workspace_id", "run_id", "generation", "step_key"),
        sa.Index(
            "uq_remote_task_evaluation_key",
            "workspace_id",
            "evaluation_key",
            unique=True,
            sqlite_where=EVALUATION_TASKS,
            postgresql_where=EVALUATION_TASKS,
        ),
    )

    queue: Mapped[str] = mapped_column(sa.String(NAME_MAXIMUM))
    run_id: Mapped[UUID | None]
    generation: Mapped[int | None]
    step_key: Mapped[str | None] = mapped_column(sa.String(KEY_MAXIMUM))
    iteration: Mapped[int | None]
    subject: Mapped[str | None] = mapped_column(sa.String(200))
    task: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(sa.String(16))
    available_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    token_digest: Mapped[str | None] = mapped_column(sa.String(64))
    leased_by: Mapped[str | None] = mapped_column(sa.String(200))
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    lease_s: Mapped[float]
    attempts: Mapped[int]
    max_attempts: Mapped[int]
    result_digest: Mapped[str | None] = mapped_column(sa.String(64))
    outcome: Mapped[dict[str, Any] | None]
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    evaluation_key: Mapped[str | None] = mapped_column(sa.String(64))
    leased_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
