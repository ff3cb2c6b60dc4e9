"""How many chunks the spans of a trace lie in, so that those of finished traces can be found and merged.

Revision ID: 0018
Revises: 0017
"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

INDEX = "ix_trace_workspace_id_ended_at"
MANY = sa.text("chunk_count > 1")


def upgrade() -> None:
    op.add_column("trace", sa.Column("chunk_count", sa.Integer, nullable=False, server_default=sa.text("1")))
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    if is_postgresql:
        # Bound by their policies the owner would count nothing.
        op.execute("ALTER TABLE trace NO FORCE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE span_chunk NO FORCE ROW LEVEL SECURITY")
    op.execute(
        "UPDATE trace SET chunk_count = counted.chunks FROM (SELECT workspace_id, trace_id, count(*) AS chunks "
        "FROM span_chunk GROUP BY workspace_id, trace_id HAVING count(*) > 1) AS counted "
        "WHERE trace.workspace_id = counted.workspace_id AND trace.trace_id = counted.trace_id"
    )
    if is_postgresql:
        op.execute("ALTER TABLE trace FORCE ROW LEVEL SECURITY")
        op.execute("ALTER TABLE span_chunk FORCE ROW LEVEL SECURITY")
    op.create_index(INDEX, "trace", ["workspace_id", "ended_at"], postgresql_where=MANY, sqlite_where=MANY)


def downgrade() -> None:
    op.drop_index(INDEX, "trace")
    op.drop_column("trace", "chunk_count")
