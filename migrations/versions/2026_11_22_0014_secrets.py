"""Signing keys as sealed rows.

Revision ID: 0014
Revises: 0013
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "signing_key",
        sa.Column("kid", sa.String(32), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("public_key", sa.String(43), nullable=False),
        sa.Column("sealed_private_key", sa.Text, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("signs_from", MOMENT, nullable=False),
        sa.Column("signs_until", MOMENT),
        sa.Column("expires_at", MOMENT),
        sa.PrimaryKeyConstraint("kid", name="pk_signing_key"),
        sa.UniqueConstraint("generation", name="uq_signing_key_generation"),
    )


def downgrade() -> None:
    op.drop_table("signing_key")
