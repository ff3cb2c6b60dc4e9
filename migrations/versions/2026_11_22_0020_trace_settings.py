"""What a workspace decides about its traces: masking, retention; and the traces that it wants to be gone.

On PostgreSQL whole days of spans go by dropping their partitions, with a function that runs as the tables' owner.

Revision ID: 0020
Revises: 0019
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)

# One partition a call, so that nobody waits for more than one lock; a busy table is left for the next hour.
DROPPING = """
CREATE FUNCTION spectral_drop_span_partition(kept_days integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    oldest text;
BEGIN
    IF kept_days IS NULL OR kept_days < 1 THEN
        RAISE EXCEPTION 'a day of spans is kept at least';
    END IF;
    PERFORM pg_advisory_xact_lock(7311926448218);
    SELECT c.relname INTO oldest
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'spectral_partitions' AND c.relkind = 'r' AND c.relname ~ '^span(_chunk)?_[0-9]{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < (now() AT TIME ZONE 'UTC')::date - kept_days
    ORDER BY right(c.relname, 8), c.relname
    LIMIT 1;
    IF oldest IS NOT NULL THEN
        EXECUTE format('DROP TABLE spectral_partitions.%I', oldest);
    END IF;
    RETURN oldest;
END
$$
"""


def upgrade() -> None:
    op.create_table(
        "trace_settings",
        *_owned(),
        sa.Column("retention_days", sa.Integer()),
        sa.Column("masking", Json, nullable=False),
        sa.Column("watches", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(100), nullable=False),
        *_keys("trace_settings"),
        sa.UniqueConstraint("workspace_id", name="uq_trace_settings_workspace_id"),
        sa.CheckConstraint("retention_days > 0", name=op.f("ck_trace_settings_retention_days")),
    )
    op.create_table(
        "trace_deletion",
        *_owned(),
        sa.Column("by", sa.String(16), nullable=False),
        sa.Column("selection", Json, nullable=False),
        sa.Column("selection_digest", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("traces_deleted", sa.BigInteger(), nullable=False),
        sa.Column("spans_deleted", sa.BigInteger(), nullable=False),
        sa.Column("requested_by", sa.String(100), nullable=False),
        sa.Column("finished_at", MOMENT),
        *_keys("trace_deletion"),
        sa.CheckConstraint("state IN ('pending', 'running', 'done')", name=op.f("ck_trace_deletion_state")),
    )
    op.create_index("ix_trace_deletion_workspace_id_created_at", "trace_deletion", ["workspace_id", "created_at"])
    enable_row_security(op, "trace_settings", "trace_deletion")
    if op.get_bind().dialect.name == "postgresql":
        op.execute(DROPPING)


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION spectral_drop_span_partition(integer)")
    op.drop_table("trace_deletion")
    op.drop_table("trace_settings")


def _owned() -> list[sa.Column[Any]]:
    return [
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    ]


def _keys(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
        ),
    ]
