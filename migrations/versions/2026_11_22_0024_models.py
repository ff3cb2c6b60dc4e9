"""Models: the catalogue of the operations staff, credentials of workspaces, calls and their cost.

Revision ID: 0024
Revises: 0023
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = ("provider_credential", "model_call")


def upgrade() -> None:
    op.create_table(
        "model_config",
        sa.Column("name", sa.String(300), nullable=False),
        sa.Column("tier", sa.String(16)),
        sa.Column("input_price", NanoUsdColumn),
        sa.Column("output_price", NanoUsdColumn),
        sa.Column("enabled", sa.Boolean, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("updated_by", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_model_config"),
    )
    op.create_table(
        "provider_credential",
        *_owned("provider_credential"),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("prefix", sa.String(64), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("base_url", sa.String(500)),
        sa.Column("api_key", sa.Text, nullable=False),
        sa.Column("last_four", sa.String(4), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("checked_at", MOMENT),
        sa.Column("check_error", sa.Text),
        sa.UniqueConstraint("workspace_id", "name", name="uq_provider_credential_workspace_id_name"),
        sa.UniqueConstraint("workspace_id", "prefix", name="uq_provider_credential_workspace_id_prefix"),
    )
    op.create_table(
        "model_call",
        *_owned("model_call"),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("subject", sa.String(200)),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("model", sa.String(300), nullable=False),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("cached_tokens", sa.BigInteger, nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("latency_ms", sa.Float, nullable=False),
        sa.Column("error_type", sa.String(64)),
    )
    op.create_index("ix_model_call_workspace_id_created_at_id", "model_call", ["workspace_id", "created_at", "id"])
    op.create_index(
        "ix_model_call_workspace_id_subject_created_at", "model_call", ["workspace_id", "subject", "created_at"]
    )
    enable_row_security(op, *TABLES)


def downgrade() -> None:
    for table in (*reversed(TABLES), "model_config"):
        op.drop_table(table)


def _owned(table: str) -> list[Any]:
    return [
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
        ),
    ]
