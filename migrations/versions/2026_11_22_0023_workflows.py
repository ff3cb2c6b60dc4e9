"""Workflows: definitions, runs and what they leave behind, and work for runners outside.

Revision ID: 0023
Revises: 0022
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_engine_reading, enable_row_security

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = (
    "workflow",
    "workflow_version",
    "workflow_run",
    "workflow_step",
    "workflow_run_event",
    "workflow_signal",
    "workflow_checkpoint",
    "workflow_interrupt",
    "workflow_secret",
    "workflow_memory",
    "workflow_settings",
    "workflow_run_ticket",
    "remote_task",
)


def upgrade() -> None:
    # A workspace may have ten thousand parked runs: what is due among them is found by its time.
    columns = ["workspace_id", "kind", "state", "wake_at"]
    op.create_index("ix_engine_work_workspace_id_kind_state_wake_at", "engine_work", columns)
    op.drop_index("ix_engine_work_workspace_id_kind_state", "engine_work")
    op.create_table(
        "workflow",
        *_owned("workflow"),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("origin", sa.String(16), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("deleted_at", MOMENT),
    )
    op.create_index(
        "uq_workflow_name_live",
        "workflow",
        ["workspace_id", "name"],
        unique=True,
        sqlite_where=sa.text("deleted_at IS NULL"),
        postgresql_where=sa.text("deleted_at IS NULL"),
    )
    op.create_table(
        "workflow_version",
        *_owned("workflow_version"),
        sa.Column("workflow_id", UUID),
        sa.Column("version", sa.Integer),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
        sa.Column("source_format", sa.String(8), nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "workflow_id"],
            ["workflow.workspace_id", "workflow.id"],
            ondelete="CASCADE",
            name="fk_workflow_version_workspace_id_workflow_id",
        ),
        sa.UniqueConstraint(
            "workspace_id", "workflow_id", "version", name="uq_workflow_version_workspace_id_workflow_id_version"
        ),
    )
    op.create_index(
        "uq_workflow_version_inline",
        "workflow_version",
        ["workspace_id", "digest"],
        unique=True,
        sqlite_where=sa.text("workflow_id IS NULL"),
        postgresql_where=sa.text("workflow_id IS NULL"),
    )
    op.create_table(
        "workflow_run",
        *_owned("workflow_run"),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("version_id", UUID, nullable=False),
        sa.Column("workflow_name", sa.String(128)),
        sa.Column("workflow_version", sa.Integer),
        sa.Column("adapter", sa.String(32), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("lease", sa.BigInteger, nullable=False),
        sa.Column("inbox", sa.BigInteger, nullable=False),
        sa.Column("last_seq", sa.BigInteger, nullable=False),
        sa.Column("next_index", sa.Integer, nullable=False),
        sa.Column("segment_no", sa.Integer, nullable=False),
        sa.Column("inputs", Json, nullable=False),
        sa.Column("outputs", Json),
        sa.Column("error", Json),
        sa.Column("current_nodes", Json, nullable=False),
        sa.Column("suspension", Json),
        sa.Column("pause", Json),
        sa.Column("wake_at", MOMENT),
        sa.Column("spent", Json, nullable=False),
        sa.Column("user_id", sa.String(200)),
        sa.Column("conversation_id", sa.String(200)),
        sa.Column("context", Json, nullable=False),
        sa.Column("labels", Json, nullable=False),
        sa.Column("tags", Json, nullable=False),
        sa.Column("options", Json, nullable=False),
        sa.Column("parent_run_id", UUID),
        sa.Column("parent", Json),
        sa.Column("trace_id", sa.String(32)),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'waiting', 'pausing', 'paused', 'interrupted', 'awaiting_input', "
            "'succeeded', 'failed', 'cancelled')",
            name=op.f("ck_workflow_run_status"),
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "version_id"],
            ["workflow_version.workspace_id", "workflow_version.id"],
            ondelete="RESTRICT",
            name="fk_workflow_run_workspace_id_version_id",
        ),
        sa.UniqueConstraint("workspace_id", "name", name="uq_workflow_run_workspace_id_name"),
    )
    op.create_index("ix_workflow_run_workspace_id_created_at_id", "workflow_run", ["workspace_id", "created_at", "id"])
    op.create_index("ix_workflow_run_workspace_id_finished_at", "workflow_run", ["workspace_id", "finished_at"])
    op.create_index("ix_workflow_run_workspace_id_parent_run_id", "workflow_run", ["workspace_id", "parent_run_id"])
    op.create_index(
        "ix_workflow_run_workspace_id_status_created_at_id",
        "workflow_run",
        ["workspace_id", "status", "created_at", "id"],
    )
    op.create_index(
        "ix_workflow_run_workspace_id_user_id_created_at", "workflow_run", ["workspace_id", "user_id", "created_at"]
    )
    op.create_index(
        "ix_workflow_run_workspace_id_workflow_name_created_at_id",
        "workflow_run",
        ["workspace_id", "workflow_name", "created_at", "id"],
    )
    op.create_table(
        "workflow_step",
        *_owned("workflow_step"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("node", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("inputs", Json),
        sa.Column("outputs", Json),
        sa.Column("error", Json),
        sa.Column("wait_type", sa.String(16)),
        sa.Column("wake_at", MOMENT),
        sa.Column("next_retry_at", MOMENT),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_step_workspace_id_run_id",
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "run_id",
            "generation",
            "key",
            "iteration",
            name="uq_workflow_step_workspace_id_run_id_generation_key_iteration",
        ),
    )
    op.create_table(
        "workflow_run_event",
        *_owned("workflow_run_event"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("node", sa.String(512)),
        sa.Column("level", sa.String(8)),
        sa.Column("category", sa.String(64)),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("ended_at", MOMENT),
        sa.Column("data", Json, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_run_event_workspace_id_run_id",
        ),
        sa.UniqueConstraint("workspace_id", "run_id", "seq", name="uq_workflow_run_event_workspace_id_run_id_seq"),
    )
    op.create_table(
        "workflow_signal",
        *_owned("workflow_signal"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("signal_key", sa.String(128), nullable=False),
        sa.Column("type", sa.String(128), nullable=False),
        sa.Column("payload", Json),
        sa.Column("sent_by", sa.String(100), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("consumed_by", sa.String(528)),
        sa.Column("consumed_at", MOMENT),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_signal_workspace_id_run_id",
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "run_id",
            "generation",
            "signal_key",
            name="uq_workflow_signal_workspace_id_run_id_generation_signal_key",
        ),
    )
    op.create_table(
        "workflow_checkpoint",
        *_owned("workflow_checkpoint"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("index", sa.Integer, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("full", sa.Boolean, nullable=False),
        sa.Column("state", Json, nullable=False),
        sa.Column("last_node", sa.String(512)),
        sa.Column("next_nodes", Json, nullable=False),
        sa.Column("steps_completed", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_checkpoint_workspace_id_run_id",
        ),
        sa.UniqueConstraint("workspace_id", "run_id", "index", name="uq_workflow_checkpoint_workspace_id_run_id_index"),
    )
    op.create_table(
        "workflow_interrupt",
        *_owned("workflow_interrupt"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("key", sa.String(512), nullable=False),
        sa.Column("iteration", sa.Integer, nullable=False),
        sa.Column("position", sa.String(8), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("reason", sa.Text),
        sa.Column("title", sa.Text, nullable=False),
        sa.Column("description", sa.Text),
        sa.Column("payload", Json),
        sa.Column("answer_schema", Json),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("comment", sa.Text),
        sa.Column("answer", Json),
        sa.Column("answered_by", sa.String(100)),
        sa.Column("claimed_by", sa.String(200)),
        sa.Column("answered_at", MOMENT),
        sa.Column("expires_at", MOMENT),
        sa.Column("on_timeout", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_interrupt_workspace_id_run_id",
        ),
        sa.UniqueConstraint(
            "workspace_id",
            "run_id",
            "generation",
            "key",
            "iteration",
            "position",
            name="uq_workflow_interrupt_once",
        ),  # LONG
    )
    op.create_index(
        "ix_workflow_interrupt_workspace_id_status_created_at",
        "workflow_interrupt",
        ["workspace_id", "status", "created_at"],
    )
    op.create_table(
        "workflow_secret",
        *_owned("workflow_secret"),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name="uq_workflow_secret_workspace_id_name"),
    )
    op.create_table(
        "workflow_memory",
        *_owned("workflow_memory"),
        sa.Column("namespace", sa.String(128), nullable=False),
        sa.Column("key", sa.String(128), nullable=False),
        sa.Column("value", Json),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "namespace", "key", name="uq_workflow_memory_workspace_id_namespace_key"),
    )
    op.create_table(
        "workflow_settings",
        *_owned("workflow_settings"),
        sa.Column("allowed_networks", Json, nullable=False),
        sa.Column("retention_days", sa.Integer),
        sa.Column("updated_at", MOMENT, nullable=False),
    )
    op.create_table(
        "workflow_run_ticket",
        *_owned("workflow_run_ticket"),
        sa.Column("run_id", UUID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("principal", Json, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "run_id"],
            ["workflow_run.workspace_id", "workflow_run.id"],
            ondelete="CASCADE",
            name="fk_workflow_run_ticket_workspace_id_run_id",
        ),
        sa.UniqueConstraint("workspace_id", "digest", name="uq_workflow_run_ticket_workspace_id_digest"),
    )
    op.create_table(
        "remote_task",
        *_owned("remote_task"),
        sa.Column("queue", sa.String(128), nullable=False),
        sa.Column("run_id", UUID),
        sa.Column("generation", sa.Integer),
        sa.Column("step_key", sa.String(512)),
        sa.Column("iteration", sa.Integer),
        sa.Column("subject", sa.String(200)),
        sa.Column("task", Json, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("available_at", MOMENT, nullable=False),
        sa.Column("token_digest", sa.String(64)),
        sa.Column("leased_by", sa.String(200)),
        sa.Column("expires_at", MOMENT),
        sa.Column("lease_s", sa.Float, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("max_attempts", sa.Integer, nullable=False),
        sa.Column("result_digest", sa.String(64)),
        sa.Column("outcome", Json),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'leased', 'done', 'failed', 'cancelled')", name=op.f("ck_remote_task_status")
        ),
    )
    open_tasks, leased = sa.text("status IN ('queued', 'leased')"), sa.text("status = 'leased'")
    op.create_index(
        "ix_remote_task_open",
        "remote_task",
        ["workspace_id", "queue", "status", "available_at", "id"],
        sqlite_where=open_tasks,
        postgresql_where=open_tasks,
    )
    op.create_index(
        "ix_remote_task_leased", "remote_task", ["available_at"], sqlite_where=leased, postgresql_where=leased
    )
    op.create_index(
        "ix_remote_task_workspace_id_run_id_generation_step_key",
        "remote_task",
        ["workspace_id", "run_id", "generation", "step_key"],
    )
    enable_row_security(op, *TABLES)
    # Retention, expired leases and runs that nobody looks after are found across workspaces.
    enable_engine_reading(op, "workflow_run", "remote_task", "workflow_settings")


def downgrade() -> None:
    op.create_index("ix_engine_work_workspace_id_kind_state", "engine_work", ["workspace_id", "kind", "state"])
    op.drop_index("ix_engine_work_workspace_id_kind_state_wake_at", "engine_work")
    for table in reversed(TABLES):
        op.drop_table(table)


def _owned(table: str) -> list[Any]:
    return [
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
        ),
    ]
