"""What callers have used of their rates.

Revision ID: 0015
Revises: 0014
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import UtcTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "rate_window",
        sa.Column("bucket", sa.String(64), nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("bucket", name="pk_rate_window"),
    )
    op.create_index("ix_rate_window_expires_at", "rate_window", ["expires_at"])


def downgrade() -> None:
    op.drop_table("rate_window")
