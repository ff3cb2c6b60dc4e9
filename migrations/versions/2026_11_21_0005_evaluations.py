"""evaluations: rubrics, objectives, the journal of results and reservations

Revision ID: 0005
Revises: 0004
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from spectral.platform.db.policies import enable_row_security

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = sa.DateTime(timezone=True)
JSON = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")


def owned(table: str) -> tuple[sa.Column[Any] | sa.Constraint, ...]:
    """What every workspace-owned table starts with."""
    return (
        sa.Column("workspace_id", UUID, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f(f"pk_{table}")),
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f(f"fk_{table}_workspace_id"), ondelete="CASCADE"
        ),
    )


def reference_to_rubric(table: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id", "rubric_id"],
        ["rubric.workspace_id", "rubric.id"],
        name=op.f(f"fk_{table}_workspace_id_rubric_id"),
        ondelete=ondelete,
    )


def upgrade() -> None:
    op.create_table(
        "rubric",
        *owned("rubric"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("latest_version", sa.Integer(), nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_rubric_workspace_id_name")),
    )
    op.create_table(
        "rubric_version",
        *owned("rubric_version"),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("document", JSON, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        reference_to_rubric("rubric_version", "CASCADE"),
        sa.UniqueConstraint(
            "workspace_id", "rubric_id", "version", name=op.f("uq_rubric_version_workspace_id_rubric_id_version")
        ),
    )
    op.create_table(
        "objective",
        *owned("objective"),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("description", sa.String(2000)),
        sa.Column("rubric_id", UUID),
        sa.Column("document", JSON, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        reference_to_rubric("objective", "RESTRICT"),
        sa.UniqueConstraint("workspace_id", "name", name=op.f("uq_objective_workspace_id_name")),
    )
    op.create_index(op.f("ix_objective_workspace_id_rubric_id"), "objective", ["workspace_id", "rubric_id"])
    op.create_table(
        "evaluation_result",
        *owned("evaluation_result"),
        sa.Column("subject_kind", sa.String(32), nullable=False),
        sa.Column("subject_id", UUID, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("rubric_digest", sa.String(64), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.Double()),
        sa.Column("passed", sa.Boolean(), nullable=False),
        sa.Column("dimensions", JSON, nullable=False),
        sa.Column("output", sa.Text()),
        sa.Column("missing_reason", sa.String(32)),
        sa.Column("error_type", sa.String(200)),
        sa.Column("error_message", sa.String(1000)),
        sa.Column("cost_nano_usd", sa.BigInteger()),
        sa.Column("latency_ms", sa.Double(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint(
            "workspace_id",
            "subject_id",
            "config_hash",
            "item_id",
            "repeat",
            name="uq_evaluation_result_journal_key",
        ),
    )
    op.create_table(
        "evaluation_reservation",
        *owned("evaluation_reservation"),
        sa.Column("subject_kind", sa.String(32), nullable=False),
        sa.Column("subject_id", UUID, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("item_id", UUID, nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("evaluations", sa.Integer(), nullable=False),
        sa.Column("cost_nano_usd", sa.BigInteger()),
    )
    op.create_index(
        op.f("ix_evaluation_reservation_workspace_id_subject_id"),
        "evaluation_reservation",
        ["workspace_id", "subject_id"],
    )
    enable_row_security(op, "rubric", "rubric_version", "objective", "evaluation_result", "evaluation_reservation")


def downgrade() -> None:
    op.drop_table("evaluation_reservation")
    op.drop_table("evaluation_result")
    op.drop_table("objective")
    op.drop_table("rubric_version")
    op.drop_table("rubric")
