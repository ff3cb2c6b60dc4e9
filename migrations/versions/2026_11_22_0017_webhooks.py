"""What happened, where it is told, and how that went.

Revision ID: 0017
Revises: 0016
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "domain_event",
        *_owned(),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("data", Json, nullable=False),
        *_keys("domain_event"),
    )
    op.create_index("ix_domain_event_workspace_id_created_at", "domain_event", ["workspace_id", "created_at"])
    op.create_table(
        "webhook",
        *_owned(),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("target_sealed", sa.Text(), nullable=False),
        sa.Column("events", Json, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("secret_sealed", sa.Text()),
        sa.Column("former_secret_sealed", sa.Text()),
        sa.Column("former_secret_until", MOMENT),
        sa.Column("failing_since", MOMENT),
        sa.Column("disabled_reason", sa.String(200)),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        *_keys("webhook"),
        sa.UniqueConstraint("workspace_id", "name", name="uq_webhook_workspace_id_name"),
        sa.CheckConstraint("kind IN ('http', 'slack', 'email')", name=op.f("ck_webhook_kind")),
    )
    op.create_table(
        "webhook_delivery",
        *_owned(),
        sa.Column("webhook_id", UUID, nullable=False),
        sa.Column("event_id", UUID, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        *_keys("webhook_delivery"),
        _inside("webhook_delivery", "webhook_id", "webhook"),
        _inside("webhook_delivery", "event_id", "domain_event"),
        sa.CheckConstraint(
            "state IN ('pending', 'delivered', 'failed', 'refused', 'cancelled')",
            name=op.f("ck_webhook_delivery_state"),
        ),
    )
    op.create_index(
        "ix_webhook_delivery_workspace_id_webhook_id_created_at",
        "webhook_delivery",
        ["workspace_id", "webhook_id", "created_at"],
    )
    op.create_index("ix_webhook_delivery_workspace_id_event_id", "webhook_delivery", ["workspace_id", "event_id"])
    op.create_table(
        "webhook_attempt",
        *_owned(),
        sa.Column("delivery_id", UUID, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("status_code", sa.Integer()),
        sa.Column("error", sa.String(64)),
        sa.Column("response_snippet", sa.Text()),
        *_keys("webhook_attempt"),
        _inside("webhook_attempt", "delivery_id", "webhook_delivery"),
        sa.UniqueConstraint(
            "workspace_id", "delivery_id", "number", name="uq_webhook_attempt_workspace_id_delivery_id_number"
        ),
    )
    enable_row_security(op, "domain_event", "webhook", "webhook_delivery", "webhook_attempt")


def downgrade() -> None:
    for table in ("webhook_attempt", "webhook_delivery", "webhook", "domain_event"):
        op.drop_table(table)


def _owned() -> list[sa.Column[Any]]:
    return [
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
    ]


def _keys(table: str) -> list[sa.schema.SchemaItem]:
    return [
        sa.PrimaryKeyConstraint("workspace_id", "id", name=f"pk_{table}"),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], ondelete="CASCADE", name=f"fk_{table}_workspace_id"
        ),
    ]


def _inside(table: str, column: str, parent: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{parent}.workspace_id", f"{parent}.id"],
        ondelete="CASCADE",
        name=f"fk_{table}_workspace_id_{column}",
    )
