"""The tables of evaluations: rubrics, objectives, and the journal of what was executed and scored."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, NanoUsdColumn, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now


class Rubric(WorkspaceOwned, Base):
    """A rubric by name; what it says stands in its versions."""

    __tablename__ = "rubric"
    __table_args__ = (sa.UniqueConstraint("workspace_id", "name"),)

    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    latest_version: Mapped[int] = mapped_column(sa.Integer, default=1)
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class RubricVersion(WorkspaceOwned, Base):
    """One immutable version of a rubric; `document` is the canonical `RubricSpec`, `digest` its SHA-256 in hex."""

    __tablename__ = "rubric_version"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "rubric_id", "version"),
        tenant_fk("rubric_id", "rubric", ondelete="CASCADE"),
    )

    rubric_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(sa.Integer)
    document: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(sa.String(64))
    created_by: Mapped[str] = mapped_column(sa.String(100))


class Objective(WorkspaceOwned, Base):
    """What to optimise for; `document` is an `ObjectiveSpec`. Whoever decides by it keeps a copy: it can change."""

    __tablename__ = "objective"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index(None, "workspace_id", "rubric_id"),
        tenant_fk("rubric_id", "rubric", ondelete="RESTRICT"),
    )

    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    rubric_id: Mapped[UUID | None]
    document: Mapped[dict[str, Any]]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class EvaluationResult(WorkspaceOwned, Base):
    """One execution of one config on one item, scored: written once, never executed again (ADR 0009).

    subject: what the evaluation was for (a scan, a validation, an experiment); no foreign key, since subjects belong
    to domains above and items may leave their set while the evidence stays.  cost_nano_usd: null is unknown.
    """

    __tablename__ = "evaluation_result"
    __table_args__ = (
        sa.UniqueConstraint(
            "workspace_id", "subject_id", "config_hash", "item_id", "repeat", name="uq_evaluation_result_journal_key"
        ),
    )

    subject_kind: Mapped[str] = mapped_column(sa.String(32))
    subject_id: Mapped[UUID]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    item_id: Mapped[UUID]
    repeat: Mapped[int] = mapped_column(sa.Integer)
    purpose: Mapped[str] = mapped_column(sa.String(32))
    model: Mapped[str] = mapped_column(sa.String(200))
    rubric_digest: Mapped[str] = mapped_column(sa.String(64))
    seed: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[float | None] = mapped_column(sa.Double)
    passed: Mapped[bool] = mapped_column(sa.Boolean)
    dimensions: Mapped[dict[str, Any]]
    output: Mapped[str | None] = mapped_column(sa.Text)
    missing_reason: Mapped[str | None] = mapped_column(sa.String(32))
    error_type: Mapped[str | None] = mapped_column(sa.String(200))
    error_message: Mapped[str | None] = mapped_column(sa.String(1000))
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    latency_ms: Mapped[float] = mapped_column(sa.Double)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)


class EvaluationReservation(WorkspaceOwned, Base):
    """What a paid call may cost, written before it is made and removed with its result.

    One that stays belongs to calls whose cost never became known (in flight at a crash, or failed at the provider): it
    counts as spent for ever.  evaluations: 1, or 0 once the item's result is there.  cost_nano_usd: of all attempts;
    null where the price is unknown and money is not limited.
    """

    __tablename__ = "evaluation_reservation"
    __table_args__ = (sa.Index(None, "workspace_id", "subject_id"),)

    subject_kind: Mapped[str] = mapped_column(sa.String(32))
    subject_id: Mapped[UUID]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    item_id: Mapped[UUID]
    repeat: Mapped[int] = mapped_column(sa.Integer)
    purpose: Mapped[str] = mapped_column(sa.String(32))
    model: Mapped[str] = mapped_column(sa.String(200))
    evaluations: Mapped[int] = mapped_column(sa.Integer)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
