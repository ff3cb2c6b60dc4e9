"""Agents, their config versions, environments, promotions, templates and invocations.

Revision ID: 0003a
Revises: 0003
"""

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0003a"
down_revision = "0003"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = (
    "agent",
    "agent_config",
    "agent_environment",
    "agent_promotion",
    "agent_template",
    "agent_template_version",
    "agent_invocation",
)


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


def child_of(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    """A row that goes with its parent."""
    return sa.ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{parent}.workspace_id", f"{parent}.id"],
        ondelete="CASCADE",
        name=f"fk_{table}_workspace_id_{column}",
    )


def unique(table: str, *columns: str) -> sa.UniqueConstraint:
    """No two rows of a workspace agree in these columns."""
    return sa.UniqueConstraint("workspace_id", *columns, name=f"uq_{table}_workspace_id_{'_'.join(columns)}")


def index(table: str, *columns: str) -> None:
    """An index within the workspace."""
    op.create_index(f"ix_{table}_workspace_id_{'_'.join(columns)}", table, ["workspace_id", *columns])


def upgrade() -> None:
    owned(
        "agent",
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("runtime", sa.String(20), nullable=False),
        sa.Column("latest_version", sa.Integer, nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("archived_at", MOMENT),
        unique("agent", "name"),
    )
    owned(
        "agent_config",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("document", Json, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("origin", sa.String(100), nullable=False),
        sa.Column("note", sa.String(2000)),
        sa.Column("created_by", sa.String(100), nullable=False),
        child_of("agent_config", "agent_id", "agent"),
        unique("agent_config", "agent_id", "version"),
        unique("agent_config", "agent_id", "config_hash"),
    )
    owned(
        "agent_environment",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("environment", sa.String(32), nullable=False),
        sa.Column("config_id", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("promoted_at", MOMENT, nullable=False),
        child_of("agent_environment", "agent_id", "agent"),
        child_of("agent_environment", "config_id", "agent_config"),
        unique("agent_environment", "agent_id", "environment"),
    )
    index("agent_environment", "config_id")
    owned(
        "agent_promotion",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("environment", sa.String(32), nullable=False),
        sa.Column("config_id", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("previous_version", sa.Integer),
        sa.Column("reason", sa.String(2000)),
        sa.Column("actor", sa.String(100), nullable=False),
        child_of("agent_promotion", "agent_id", "agent"),
        child_of("agent_promotion", "config_id", "agent_config"),
    )
    index("agent_promotion", "agent_id", "created_at")
    index("agent_promotion", "config_id")
    owned(
        "agent_template",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        child_of("agent_template", "agent_id", "agent"),
        unique("agent_template", "agent_id", "name"),
    )
    owned(
        "agent_template_version",
        sa.Column("template_id", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("messages", Json, nullable=False),
        sa.Column("variables", Json, nullable=False),
        sa.Column("origin", sa.String(100), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        child_of("agent_template_version", "template_id", "agent_template"),
        unique("agent_template_version", "template_id", "version"),
    )
    owned(
        "agent_invocation",
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("version", sa.Integer),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("mode", sa.String(20), nullable=False),
        sa.Column("input", Json),
        sa.Column("output", sa.Text),
        sa.Column("error_type", sa.String(50)),
        sa.Column("error_message", sa.Text),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("seed", sa.BigInteger, nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("latency_ms", sa.Float, nullable=False),
        sa.Column("started_at", MOMENT, nullable=False),
        sa.Column("actor", sa.String(100), nullable=False),
        child_of("agent_invocation", "agent_id", "agent"),
    )
    index("agent_invocation", "agent_id", "created_at")
    enable_row_security(op, *TABLES)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
