"""Sample sets, their frozen holdouts and their items.

Revision ID: 0003
Revises: 0002
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = ("sample_set", "holdout", "sample_item")


def owned(table: str, *parts: sa.schema.SchemaItem) -> None:
    """A table of workspace-owned rows."""
    op.create_table(
        table,
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        *parts,
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
        ),
    )


def reference(table: str, column: str, parent: str, ondelete: str) -> sa.ForeignKeyConstraint:
    """A composite reference inside the workspace."""
    return sa.ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{parent}.workspace_id", f"{parent}.id"],
        ondelete=ondelete,
        name=f"fk_{table}_workspace_id_{column}",
    )


def upgrade() -> None:
    owned(
        "sample_set",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("shares", Json, nullable=False),
        sa.Column("group_by", Json, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name="uq_sample_set_workspace_id_name"),
    )
    owned(
        "holdout",
        sa.Column("set_id", UUID, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("looks", sa.Integer, nullable=False),
        sa.Column("frozen_at", MOMENT, nullable=False),
        sa.Column("frozen_by", sa.String(100), nullable=False),
        sa.Column("retired_at", MOMENT),
        sa.Column("retired_reason", sa.String(500)),
        reference("holdout", "set_id", "sample_set", "CASCADE"),
    )
    op.create_index(
        "uq_holdout_current",
        "holdout",
        ["workspace_id", "set_id"],
        unique=True,
        sqlite_where=sa.text("retired_at IS NULL"),
        postgresql_where=sa.text("retired_at IS NULL"),
    )
    owned(
        "sample_item",
        sa.Column("set_id", UUID, nullable=False),
        sa.Column("holdout_id", UUID),
        sa.Column("split", sa.String(10), nullable=False),
        sa.Column("group_key", sa.String(300), nullable=False),
        sa.Column("links", Json, nullable=False),
        sa.Column("input", Json, nullable=False),
        sa.Column("expected", Json),
        sa.Column("metadata", Json, nullable=False),
        sa.Column("source_trace_id", sa.String(32)),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("expected_hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.LargeBinary),
        sa.Column("updated_at", MOMENT, nullable=False),
        reference("sample_item", "set_id", "sample_set", "CASCADE"),
        reference("sample_item", "holdout_id", "holdout", "CASCADE"),
        sa.UniqueConstraint(
            "workspace_id", "set_id", "fingerprint", name="uq_sample_item_workspace_id_set_id_fingerprint"
        ),
        sa.CheckConstraint("split IN ('reflect', 'select', 'holdout')", name=op.f("ck_sample_item_split")),
        sa.CheckConstraint("holdout_id IS NULL OR split = 'holdout'", name=op.f("ck_sample_item_frozen")),
    )
    op.create_index("ix_sample_item_workspace_id_set_id_split", "sample_item", ["workspace_id", "set_id", "split"])
    op.create_index(
        "ix_sample_item_workspace_id_set_id_created_at", "sample_item", ["workspace_id", "set_id", "created_at"]
    )
    op.create_index("ix_sample_item_workspace_id_holdout_id", "sample_item", ["workspace_id", "holdout_id"])
    enable_row_security(op, *TABLES)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
