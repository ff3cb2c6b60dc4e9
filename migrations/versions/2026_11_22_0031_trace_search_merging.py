"""The words of traces on SQLite are merged in larger steps: small commits wrote the same words again too often.

Revision ID: 0031
Revises: 0030
"""

from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

DEFAULT = 4
SEGMENTS = 8
"""Of one level, before they become one of the next. A search looks into each of them."""


def upgrade() -> None:
    """Set how many."""
    _merge(SEGMENTS)


def downgrade() -> None:
    """As it was."""
    _merge(DEFAULT)


def _merge(segments: int) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"INSERT INTO trace_search (trace_search, rank) VALUES ('automerge', {segments})")  # noqa: S608
