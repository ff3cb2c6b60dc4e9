"""After a promotion: holdbacks, guards, bounds of autonomy.

Revision ID: 0030
Revises: 0029
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_engine_reading, enable_row_security

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
RUNNING = sa.text("state = 'running'")


def upgrade() -> None:
    op.add_column("agent_environment", sa.Column("holdback_version", sa.Integer))
    op.add_column("agent_environment", sa.Column("holdback_share", sa.Double))
    op.add_column("agent_environment", sa.Column("salt", sa.String(32)))
    op.add_column("agent_promotion", sa.Column("holdback", sa.Double))
    # Nobody has said of the keys that exist that what comes with them may be relied on.
    op.add_column("api_key", sa.Column("trusted", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("autonomy", sa.Column("allow_production", sa.Boolean, nullable=False, server_default=sa.false()))
    op.create_table(
        "promotion_guard",
        *_owned("promotion_guard"),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("changeset_id", UUID, nullable=False),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("environment", sa.String(32), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous_version", sa.Integer, nullable=False),
        sa.Column("share", sa.Double),
        sa.Column("salt", sa.String(32)),
        sa.Column("source", sa.String(16)),
        sa.Column("online_evaluation_id", UUID),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("finding", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(2000)),
        sa.Column("sessions", sa.Integer, nullable=False),
        sa.Column("crossovers", sa.Integer, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("history", Json, nullable=False),
        sa.Column("cursor", MOMENT, nullable=False),
        sa.Column("alerted_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("finished_by", sa.String(100)),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "changeset_id"],
            ["changeset.workspace_id", "changeset.id"],
            ondelete="CASCADE",
            name="fk_promotion_guard_workspace_id_changeset_id",
        ),
        sa.UniqueConstraint("workspace_id", "changeset_id", name="uq_promotion_guard_workspace_id_changeset_id"),
        sa.CheckConstraint(
            "state IN ('running', 'alerting', 'rolled_back', 'released', 'ended')",
            name=op.f("ck_promotion_guard_state"),
        ),
    )
    op.create_index(
        "ix_promotion_guard_workspace_id_agent_id_environment",
        "promotion_guard",
        ["workspace_id", "agent_id", "environment"],
    )
    op.create_index(
        "ix_promotion_guard_workspace_id_running",
        "promotion_guard",
        ["workspace_id"],
        sqlite_where=RUNNING,
        postgresql_where=RUNNING,
    )
    op.create_table(
        "guard_observation",
        *_owned("guard_observation"),
        sa.Column("guard_id", UUID, nullable=False),
        sa.Column("unit", sa.LargeBinary(16), nullable=False),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("is_new", sa.Boolean, nullable=False),
        sa.Column("crossed", sa.Boolean, nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("trace_id", sa.LargeBinary(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace_id", "guard_id"],
            ["promotion_guard.workspace_id", "promotion_guard.id"],
            ondelete="CASCADE",
            name="fk_guard_observation_workspace_id_guard_id",
        ),
        sa.UniqueConstraint("workspace_id", "guard_id", "unit", name="uq_guard_observation_workspace_id_guard_id_unit"),
    )
    enable_row_security(op, "promotion_guard", "guard_observation")
    enable_engine_reading(op, "promotion_guard")


def downgrade() -> None:
    op.drop_table("guard_observation")
    op.drop_table("promotion_guard")
    op.drop_column("autonomy", "allow_production")
    op.drop_column("api_key", "trusted")
    op.drop_column("agent_promotion", "holdback")
    for column in ("salt", "holdback_share", "holdback_version"):
        op.drop_column("agent_environment", column)


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
