"""Deletions that are under way, and how far a workspace may act on its own.

Revision ID: 0012
Revises: 0011
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import (
    ACCOUNT,
    disable_identity_security,
    enable_identity_security,
    enable_row_security,
)

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
OPEN_DELETION = sa.text("state <> 'done'")
OPEN_GRANT = sa.text("ended_at IS NULL")


def upgrade() -> None:
    # No foreign keys: what was deleted, and that it was, is told after the account is gone.
    op.create_table(
        "deletion",
        sa.Column("id", UUID, nullable=False),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("parent_id", UUID),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("subject_id", UUID, nullable=False),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("requested_by", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tables_done", sa.Integer(), nullable=False),
        sa.Column("tables_total", sa.Integer(), nullable=False),
        sa.Column("rows_deleted", sa.BigInteger(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("finished_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_deletion"),
        sa.CheckConstraint("kind IN ('workspace', 'account')", name=op.f("ck_deletion_kind")),
        sa.CheckConstraint("state IN ('pending', 'running', 'done')", name=op.f("ck_deletion_state")),
    )
    op.create_index("ix_deletion_account_id_created_at", "deletion", ["account_id", "created_at"])
    op.create_index("ix_deletion_parent_id", "deletion", ["parent_id"])
    op.create_index(
        "ix_deletion_open", "deletion", ["kind"], sqlite_where=OPEN_DELETION, postgresql_where=OPEN_DELETION
    )
    enable_identity_security(op, {"deletion": f"account_id = {ACCOUNT}"})
    op.create_table(
        "autonomy",
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("max_cost_increase_percent", sa.Float()),
        sa.Column("allowed_change_kinds", Json),
        sa.Column("budget_per_night_nano_usd", NanoUsdColumn()),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name="pk_autonomy"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name="fk_autonomy_workspace_id"
        ),
        sa.UniqueConstraint("workspace_id", name="uq_autonomy_workspace_id"),
        sa.CheckConstraint(
            "mode IN ('observe_only', 'recommend', 'manual', 'bounded_auto')", name=op.f("ck_autonomy_mode")
        ),
    )
    enable_row_security(op, "autonomy")
    # The customer reads who was let in; people of other accounts are hidden from them by policy.
    op.add_column("support_grant", sa.Column("email", sa.String(320), nullable=False, server_default=""))
    op.create_index(
        "uq_support_grant_open",
        "support_grant",
        ["workspace_id", "user_id"],
        unique=True,
        sqlite_where=OPEN_GRANT,
        postgresql_where=OPEN_GRANT,
    )


def downgrade() -> None:
    op.drop_index("uq_support_grant_open", "support_grant")
    op.drop_column("support_grant", "email")
    op.drop_table("autonomy")
    disable_identity_security(op, "deletion")
    op.drop_table("deletion")
