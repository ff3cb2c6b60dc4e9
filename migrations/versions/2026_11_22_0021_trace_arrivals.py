"""Evaluation on arrival, and agents that were observed.

Revision ID: 0021
Revises: 0020
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_engine_reading, enable_row_security

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TRACE_ID = sa.LargeBinary(16)
ENABLED = sa.text("enabled")
CLAIMED = sa.text("state = 'claimed'")

OBSERVED = ("origin", "external_key", "first_seen_at", "last_seen_at")
TABLES = ("trace_arrival", "online_evaluation", "online_evaluation_day", "trace_score", "agent_tombstone")


def upgrade() -> None:
    op.create_table(
        "trace_arrival",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        sa.Column("seen_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "trace_id", name="pk_trace_arrival"),
        _workspace("trace_arrival"),
    )
    op.create_index("ix_trace_arrival_workspace_id_seen_at", "trace_arrival", ["workspace_id", "seen_at"])
    create_online_evaluation()
    create_trace_score()
    op.add_column("agent", sa.Column("origin", sa.String(16), nullable=False, server_default=sa.text("'created'")))
    op.add_column("agent", sa.Column("external_key", sa.String(200)))
    op.add_column("agent", sa.Column("first_seen_at", MOMENT))
    op.add_column("agent", sa.Column("last_seen_at", MOMENT))
    op.create_index("uq_agent_workspace_id_external_key", "agent", ["workspace_id", "external_key"], unique=True)
    op.create_table(
        "agent_tombstone",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("external_key", sa.String(200), nullable=False),
        sa.Column("deleted_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "external_key", name="pk_agent_tombstone"),
        _workspace("agent_tombstone"),
    )
    enable_row_security(op, *TABLES)
    # Where new traces wait for an evaluation is looked up across workspaces; what they are is not.
    enable_engine_reading(op, "trace_arrival", "online_evaluation")


def create_online_evaluation() -> None:
    op.create_table(
        "online_evaluation",
        *_owned("online_evaluation"),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("rubric_version", sa.Integer()),
        sa.Column("target", sa.String(16), nullable=False),
        sa.Column("agent_id", sa.String(200)),
        sa.Column("agent_version", sa.String(200)),
        sa.Column("mode", sa.String(64)),
        sa.Column("trace_name", sa.String(512)),
        sa.Column("sampling_rate", sa.Double(), nullable=False),
        sa.Column("max_evaluations_per_day", sa.Integer(), nullable=False),
        sa.Column("max_cost_nano_usd_per_day", NanoUsdColumn),
        sa.Column("settle_s", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name="uq_online_evaluation_workspace_id_name"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "rubric_id"],
            ["rubric.workspace_id", "rubric.id"],
            ondelete="RESTRICT",
            name="fk_online_evaluation_workspace_id_rubric_id",
        ),
    )
    op.create_index("ix_online_evaluation_workspace_id_rubric_id", "online_evaluation", ["workspace_id", "rubric_id"])
    op.create_index(
        "ix_online_evaluation_workspace_id_enabled",
        "online_evaluation",
        ["workspace_id"],
        postgresql_where=ENABLED,
        sqlite_where=ENABLED,
    )
    op.create_table(
        "online_evaluation_day",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("online_evaluation_id", UUID, nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in ("claimed", "evaluated", "failed", "skipped_by_sampling", "skipped_by_budget")
        ),
        sa.Column("reserved_nano_usd", NanoUsdColumn, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn, nullable=False),
        sa.Column("last_run_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "online_evaluation_id", "day", name="pk_online_evaluation_day"),
        _workspace("online_evaluation_day"),
        sa.ForeignKeyConstraint(
            ["workspace_id", "online_evaluation_id"],
            ["online_evaluation.workspace_id", "online_evaluation.id"],
            ondelete="CASCADE",
            name="fk_online_evaluation_day_workspace_id_online_evaluation_id",
        ),
    )


def create_trace_score() -> None:
    op.create_table(
        "trace_score",
        *_owned("trace_score"),
        sa.Column("trace_id", TRACE_ID, nullable=False),
        sa.Column("online_evaluation_id", UUID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("rubric_version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("reserved_nano_usd", NanoUsdColumn, nullable=False),
        sa.Column("span_count", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double()),
        sa.Column("passed", sa.Boolean()),
        sa.Column("dimensions", Json, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("missing_reason", sa.String(32)),
        sa.Column("error_type", sa.String(200)),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("scored_at", MOMENT),
        sa.UniqueConstraint(
            "workspace_id", "online_evaluation_id", "trace_id", "rubric_version", name="uq_trace_score_once"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "trace_id"],
            ["trace.workspace_id", "trace.trace_id"],
            ondelete="CASCADE",
            name="fk_trace_score_workspace_id_trace_id",
        ),
        sa.CheckConstraint("state IN ('claimed', 'scored', 'failed')", name=op.f("ck_trace_score_state")),
    )
    op.create_index("ix_trace_score_workspace_id_trace_id", "trace_score", ["workspace_id", "trace_id"])
    op.create_index(
        "ix_trace_score_workspace_id_claimed",
        "trace_score",
        ["workspace_id", "trace_id"],
        postgresql_where=CLAIMED,
        sqlite_where=CLAIMED,
    )
    op.create_index(
        "ix_trace_score_workspace_id_online_evaluation_id_created_at",
        "trace_score",
        ["workspace_id", "online_evaluation_id", "created_at"],
    )


def downgrade() -> None:
    op.drop_table("agent_tombstone")
    op.drop_index("uq_agent_workspace_id_external_key", "agent")
    for column in reversed(OBSERVED):
        op.drop_column("agent", column)
    for table in ("trace_score", "online_evaluation_day", "online_evaluation", "trace_arrival"):
        op.drop_table(table)


def _workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
    )


def _owned(table: str) -> list[Any]:
    return [
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        _workspace(table),
    ]
