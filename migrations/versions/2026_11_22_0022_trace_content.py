"""Content that comes as log events, and spans that come without any.

Revision ID: 0022
Revises: 0021
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

COLUMNS = ("accepted_log_records", "content")


def upgrade() -> None:
    # With defaults, so that processes of the version before go on counting while this one is rolled out.
    op.add_column(
        "trace_ingestion",
        sa.Column("accepted_log_records", sa.BigInteger, nullable=False, server_default=sa.text("0")),
    )
    op.add_column("trace_ingestion", sa.Column("content", Json, nullable=False, server_default=sa.text("'{}'")))


def downgrade() -> None:
    for column in COLUMNS:
        op.drop_column("trace_ingestion", column)
