"""Scans: schedules, pause and resume, and scans that only search.

Revision ID: 0027
Revises: 0026
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_engine_reading, enable_row_security

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
STATUS = "status IN ('queued', 'running', 'paused', 'completed', 'failed', 'cancelled')"
FORMER_STATUS = "status IN ('queued', 'running', 'cancelling', 'completed', 'failed', 'cancelled')"


def upgrade() -> None:
    _update("scan", "UPDATE scan SET status = 'cancelled' WHERE status = 'cancelling'")
    # A scan that only searches has no holdout.
    _alter_scan(STATUS, holdout_nullable=True)
    op.create_table(
        "scan_schedule",
        *_owned("scan_schedule"),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("cron", sa.String(100), nullable=False),
        sa.Column("time_zone", sa.String(64), nullable=False),
        sa.Column("request", Json, nullable=False),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("next_run_at", MOMENT),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name="uq_scan_schedule_workspace_id_name"),
    )
    op.create_index("ix_scan_schedule_next_run_at", "scan_schedule", ["next_run_at"])
    op.create_table(
        "scan_firing",
        *_owned("scan_firing"),
        sa.Column("schedule_id", UUID, nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(16), nullable=False),
        sa.Column("scan_id", UUID),
        sa.Column("problem", Json),
        sa.CheckConstraint("outcome IN ('started', 'skipped', 'refused')", name=op.f("ck_scan_firing_outcome")),
        sa.ForeignKeyConstraint(
            ["workspace_id", "schedule_id"],
            ["scan_schedule.workspace_id", "scan_schedule.id"],
            ondelete="CASCADE",
            name="fk_scan_firing_workspace_id_schedule_id",
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "scan_id"],
            ["scan.workspace_id", "scan.id"],
            ondelete="CASCADE",
            name="fk_scan_firing_workspace_id_scan_id",
        ),
        sa.UniqueConstraint(
            "workspace_id", "schedule_id", "due_at", name="uq_scan_firing_workspace_id_schedule_id_due_at"
        ),
    )
    op.create_index("ix_scan_firing_workspace_id_scan_id", "scan_firing", ["workspace_id", "scan_id"])
    enable_row_security(op, "scan_schedule", "scan_firing")
    enable_engine_reading(op, "scan_schedule")


def downgrade() -> None:
    op.drop_table("scan_firing")
    op.drop_table("scan_schedule")
    _update("scan", "UPDATE scan SET status = 'cancelled' WHERE status = 'paused'")
    # Nothing before this revision could read a scan without a holdout.
    _update("scan", "DELETE FROM scan WHERE holdout_id IS NULL")
    _alter_scan(FORMER_STATUS, holdout_nullable=False)


def _alter_scan(status: str, *, holdout_nullable: bool) -> None:
    name = op.f("ck_scan_status")
    with op.batch_alter_table("scan") as table:
        table.drop_constraint(name, type_="check")
        table.create_check_constraint(name, status)
        table.alter_column("holdout_id", existing_type=UUID, nullable=holdout_nullable)


def _update(table: str, statement: str) -> None:
    """Change rows of every workspace: a forced owner would see none of them."""
    if op.get_bind().dialect.name != "postgresql":
        op.execute(statement)
        return
    op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    op.execute(statement)
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


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
