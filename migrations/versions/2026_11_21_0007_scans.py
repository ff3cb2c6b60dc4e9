"""Scans: the optimization loop's own record.

Revision ID: 0007
Revises: 0006
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from spectral.platform.db.base import Json, NanoUsdColumn, UtcTime
from spectral.platform.db.policies import enable_row_security

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

UUID = sa.Uuid(as_uuid=True)
MOMENT = UtcTime(timezone=True)
TABLES = ("scan", "scan_phase", "scan_candidate", "scan_event", "scan_question")


def upgrade() -> None:
    op.create_table(
        "scan",
        *_owned("scan"),
        sa.Column("agent_id", UUID, nullable=False),
        sa.Column("base_version", sa.Integer(), nullable=False),
        sa.Column("base_config_hash", sa.String(64), nullable=False),
        sa.Column("target_environment", sa.String(32), nullable=False),
        sa.Column("sample_set_id", UUID, nullable=False),
        sa.Column("sample_set_version", sa.Integer(), nullable=False),
        sa.Column("holdout_id", UUID, nullable=False),
        sa.Column("rubric_id", UUID, nullable=False),
        sa.Column("rubric_version", sa.Integer(), nullable=False),
        sa.Column("objective_id", UUID, nullable=False),
        sa.Column("objective", Json, nullable=False),
        sa.Column("strategies", Json, nullable=False),
        sa.Column("options", Json, nullable=False),
        sa.Column("reflection_model", sa.String(200)),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("max_evaluations", sa.Integer(), nullable=False),
        sa.Column("max_cost_nano_usd", NanoUsdColumn()),
        sa.Column("plan", Json, nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16)),
        sa.Column("outcome", sa.String(20)),
        sa.Column("failure", Json),
        sa.Column("changeset_id", UUID),
        sa.Column("experiment_id", UUID),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.String(100), nullable=False),
        sa.Column("started_at", MOMENT),
        sa.Column("finished_at", MOMENT),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'cancelling', 'completed', 'failed', 'cancelled')",
            name=op.f("ck_scan_status"),
        ),
        *[
            _reference("scan", f"{table}_id", table, "RESTRICT")
            for table in ("agent", "sample_set", "rubric", "objective")
        ],
    )
    for columns in (
        ("created_at",),
        ("agent_id", "created_at"),
        ("sample_set_id",),
        ("rubric_id",),
        ("objective_id",),
    ):
        op.create_index(
            op.f(f"ix_scan_workspace_id_{'_'.join(columns)}"), "scan", ["workspace_id", *columns], unique=False
        )
    op.create_table(
        "scan_phase",
        *_owned("scan_phase"),
        sa.Column("scan_id", UUID, nullable=False),
        sa.Column("name", sa.String(16), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("result", Json),
        sa.Column("finished_at", MOMENT),
        _reference("scan_phase", "scan_id", "scan", "CASCADE"),
        _unique("scan_phase", "scan_id", "name"),
    )
    op.create_table(
        "scan_candidate",
        *_owned("scan_candidate"),
        sa.Column("scan_id", UUID, nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.String(64), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("changes", Json, nullable=False),
        sa.Column("config_hash", sa.String(64), nullable=False),
        sa.Column("select_result", Json),
        _reference("scan_candidate", "scan_id", "scan", "CASCADE"),
        _unique("scan_candidate", "scan_id", "ordinal"),
        _unique("scan_candidate", "scan_id", "config_hash"),
    )
    op.create_table(
        "scan_event",
        *_owned("scan_event"),
        sa.Column("scan_id", UUID, nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(64), nullable=False),
        sa.Column("phase", sa.String(16)),
        sa.Column("data", Json, nullable=False),
        _reference("scan_event", "scan_id", "scan", "CASCADE"),
        _unique("scan_event", "scan_id", "seq"),
    )
    op.create_table(
        "scan_question",
        *_owned("scan_question"),
        sa.Column("scan_id", UUID, nullable=False),
        sa.Column("purpose", sa.String(32), nullable=False),
        sa.Column("prompt_hash", sa.String(64), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("model", sa.String(200), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nano_usd", NanoUsdColumn()),
        sa.Column("latency_ms", sa.Float(), nullable=False),
        _reference("scan_question", "scan_id", "scan", "CASCADE"),
        _unique("scan_question", "scan_id", "purpose", "prompt_hash", "ordinal"),
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
        sa.ForeignKeyConstraint(
            ["workspace_id"], ["workspace.id"], name=op.f(f"fk_{table}_workspace_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("workspace_id", "id", name=op.f(f"pk_{table}")),
    ]


def _reference(table: str, column: str, target: str, ondelete: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["workspace_id", column],
        [f"{target}.workspace_id", f"{target}.id"],
        name=op.f(f"fk_{table}_workspace_id_{column}"),
        ondelete=ondelete,
    )


def _unique(table: str, *columns: str) -> sa.UniqueConstraint:
    return sa.UniqueConstraint("workspace_id", *columns, name=op.f(f"uq_{table}_workspace_id_{'_'.join(columns)}"))
