"""Identities at other providers, and sign-ins that are under way there.

Revision ID: 0010
Revises: 0009
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "external_identity",
        sa.Column("id", UUID, nullable=False),
        sa.Column("user_id", UUID, nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("issuer", sa.String(500), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("email", sa.String(320), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("last_used_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_external_identity"),
        sa.ForeignKeyConstraint(["user_id"], ["app_user.id"], ondelete="CASCADE", name="fk_external_identity_user_id"),
        sa.UniqueConstraint("provider", "issuer", "subject", name="uq_external_identity_provider_issuer_subject"),
        sa.UniqueConstraint("user_id", "provider", "issuer", name="uq_external_identity_user_id_provider_issuer"),
    )
    op.create_table(
        "sign_in_attempt",
        sa.Column("id", UUID, nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.Column("state_hash", sa.String(64), nullable=False),
        sa.Column("browser_hash", sa.String(64), nullable=False),
        sa.Column("sealed", sa.Text, nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_sign_in_attempt"),
        sa.UniqueConstraint("state_hash", name="uq_sign_in_attempt_state_hash"),
    )
    op.create_index("ix_sign_in_attempt_expires_at", "sign_in_attempt", ["expires_at"])


def downgrade() -> None:
    op.drop_table("sign_in_attempt")
    op.drop_table("external_identity")
