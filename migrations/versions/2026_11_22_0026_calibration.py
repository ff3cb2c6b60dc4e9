"""Evaluations: judged scores and the people they are calibrated against.

Revision ID: 0026
Revises: 0025
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = ("judgement", "calibration_label")


def upgrade() -> None:
    op.create_table(
        "judgement",
        *_owned("judgement"),
        sa.Column("subject_kind", sa.String(32), nullable=False),
        sa.Column("subject_id", UUID, nullable=False),
        sa.Column("question_digest", sa.String(64), nullable=False),
        sa.Column("scorer_digest", sa.String(64), nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("score", sa.Double),
        sa.Column("explanation", sa.String(1000)),
        sa.Column("error", sa.String(1000)),
        sa.Column("reserved_nano_usd", NanoUsdColumn, nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn),
        sa.Column("input_tokens", sa.BigInteger, nullable=False),
        sa.Column("output_tokens", sa.BigInteger, nullable=False),
        sa.Column("latency_ms", sa.Double, nullable=False),
        sa.Column("shown", Json),
        sa.UniqueConstraint("workspace_id", "subject_id", "question_digest", name="uq_judgement_journal_key"),
        sa.CheckConstraint("state IN ('asked', 'answered', 'failed')", name=op.f("ck_judgement_state")),
    )
    op.create_index(
        "ix_judgement_workspace_id_scorer_digest_state", "judgement", ["workspace_id", "scorer_digest", "state"]
    )
    op.create_table(
        "calibration_label",
        *_owned("calibration_label"),
        sa.Column("scorer_digest", sa.String(64), nullable=False),
        sa.Column("question_digest", sa.String(64), nullable=False),
        sa.Column("value", sa.Double, nullable=False),
        sa.Column("judged", sa.Double, nullable=False),
        sa.Column("comment", sa.String(2000)),
        sa.Column("labelled_by", sa.String(100), nullable=False),
        sa.UniqueConstraint("workspace_id", "scorer_digest", "question_digest", name="uq_calibration_label_question"),
    )
    enable_row_security(op, *TABLES)


def downgrade() -> None:
    for table in reversed(TABLES):
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
