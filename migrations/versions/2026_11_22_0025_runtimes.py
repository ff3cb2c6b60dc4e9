"""Agents: runtimes beyond the prompt, what runners do for evaluations, and how well a replica agrees.

Revision ID: 0025
Revises: 0024
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
EVALUATIONS = sa.text("evaluation_key IS NOT NULL")


def upgrade() -> None:
    # With a default, so that processes of the version before go on creating agents while this one is rolled out.
    op.add_column("agent", sa.Column("runtime_settings", Json, nullable=False, server_default=sa.text("'{}'")))
    op.add_column("agent", sa.Column("runtime_secret_sealed", sa.Text))
    op.add_column("remote_task", sa.Column("evaluation_key", sa.String(64)))
    op.add_column("remote_task", sa.Column("leased_at", MOMENT))
    op.create_index(
        "uq_remote_task_evaluation_key",
        "remote_task",
        ["workspace_id", "evaluation_key"],
        unique=True,
        sqlite_where=EVALUATIONS,
        postgresql_where=EVALUATIONS,
    )
    op.create_table(
        "replica_check",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("sample_set_id", UUID, nullable=False),
        sa.Column("sample_set_version", sa.Integer, nullable=False),
        sa.Column("item_ids", Json, nullable=False),
        sa.Column("max_cost_nano_usd", sa.BigInteger),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("compared", sa.Integer),
        sa.Column("agreed", sa.Integer),
        sa.Column("missing", sa.Integer),
        sa.Column("lower", sa.Double),
        sa.Column("upper", sa.Double),
        sa.Column("failure", Json),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name=op.f("ck_replica_check_status")
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_replica_check"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_replica_check_workspace_id"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "agent_id"],
            ["agent.workspace_id", "agent.id"],
            ondelete="CASCADE",
            name="fk_replica_check_workspace_id_agent_id",
        ),
    )
    op.create_index(
        "ix_replica_check_workspace_id_agent_id_config_hash",
        "replica_check",
        ["workspace_id", "agent_id", "config_hash"],
    )
    enable_row_security(op, "replica_check")


def downgrade() -> None:
    op.drop_table("replica_check")
    op.drop_index("uq_remote_task_evaluation_key", "remote_task")
    for column in ("leased_at", "evaluation_key"):
        op.drop_column("remote_task", column)
    for column in ("runtime_secret_sealed", "runtime_settings"):
        op.drop_column("agent", column)
