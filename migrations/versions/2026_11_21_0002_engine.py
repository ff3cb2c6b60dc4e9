"""The engine: work, executors and schedules.

Revision ID: 0002
Revises: 0001
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
OPEN_WORK = sa.text("state IN ('queued', 'running')")


def upgrade() -> None:
    op.create_table(
        "engine_work",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("payload", Json, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("segment_no", sa.Integer(), nullable=False),
        sa.Column("lease", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("executor_id", sa.String(255)),
        sa.Column("wake_at", MOMENT, nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("cancel_requested", sa.Boolean(), nullable=False),
        sa.Column("error", sa.String(255)),
        sa.CheckConstraint(
            "state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name=op.f("ck_engine_work_state")
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f("fk_engine_work_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f("pk_engine_work")),
    )
    op.create_index("ix_engine_work_workspace_id_kind_state", "engine_work", ["workspace_id", "kind", "state"])
    op.create_index(
        "ix_engine_work_open",
        "engine_work",
        ["state", "wake_at"],
        sqlite_where=OPEN_WORK,
        postgresql_where=OPEN_WORK,
    )
    op.create_table(
        "engine_executor",
        sa.Column("id", sa.String(255), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("heartbeat_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_engine_executor")),
    )
    op.create_table(
        "engine_schedule",
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("slot", sa.BigInteger(), nullable=False),
        sa.Column("executor_id", sa.String(255)),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.Column("error", sa.String(255)),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_engine_schedule")),
    )
    enable_row_security(op, "engine_work")
    if op.get_bind().dialect.name == "postgresql":
        # The sweep and the reaper look across workspaces; policies of one table add up.
        engine = "current_setting('spectral.engine', true) = 'on'"
        op.execute(f'CREATE POLICY "engine_work_engine" ON "engine_work" USING ({engine}) WITH CHECK ({engine})')


def downgrade() -> None:
    op.drop_table("engine_schedule")
    op.drop_table("engine_executor")
    op.drop_table("engine_work")
