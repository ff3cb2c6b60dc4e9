"""Invites.

Revision ID: 0011
Revises: 0010
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import ACCOUNT, enable_identity_security

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
OPEN_INVITE = sa.text("outcome IS NULL")


def upgrade() -> None:
    op.create_table(
        "invite",
        sa.Column("id", UUID, nullable=False),
        sa.Column("account_id", UUID, nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("workspaces", Json, nullable=False),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("invited_by", UUID),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("outcome", sa.String(20)),
        sa.Column("closed_at", MOMENT),
        sa.PrimaryKeyConstraint("id", name="pk_invite"),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], ondelete="CASCADE", name="fk_invite_account_id"),
        sa.UniqueConstraint("token_hash", name="uq_invite_token_hash"),
    )
    op.create_index("ix_invite_account_id_created_at", "invite", ["account_id", "created_at"])
    op.create_index(
        "uq_invite_open",
        "invite",
        ["account_id", "email"],
        unique=True,
        sqlite_where=OPEN_INVITE,
        postgresql_where=OPEN_INVITE,
    )
    enable_identity_security(op, {"invite": f"account_id = {ACCOUNT}"})


def downgrade() -> None:
    op.drop_table("invite")
