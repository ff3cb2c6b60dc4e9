"""Placeholder until the owner of traces writes this revision over it.

Revision ID: 0004
Revises: 0003a
"""

revision = "0004"
down_revision = "0003a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    pass


def downgrade() -> None:
    pass
