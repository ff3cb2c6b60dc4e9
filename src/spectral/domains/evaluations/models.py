"""The tables of evaluations: rubrics, objectives, and the journal of what was executed and scored."""

from datetime import date, datetime
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

    Where models score it is written before they are asked, `unscored`, and gets its score when they have answered.

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


class Judgement(WorkspaceOwned, Base):
    """What a model said about one answer, for one subject: a question that has its reply is never asked again.

    question_digest: of everything that the model is shown and asked.  scorer_digest: of the scorer with its options,
    so that judgements by one judge are found whatever the rubric.  state: `asked` before the call, then `answered`, or
    `failed` where it gave no verdict.  reserved_nano_usd: what calls may have cost that never said so (in flight at a
    crash, failed at the provider); it counts as spent.  cost_nano_usd: of the reply, null where unknown.
    shown: `{input, expected, output}`, kept where people may be asked to label it.
    """

    __tablename__ = "judgement"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "subject_id", "question_digest", name="uq_judgement_journal_key"),
        sa.Index(None, "workspace_id", "scorer_digest", "state"),
        sa.CheckConstraint("state IN ('asked', 'answered', 'failed')", name="state"),
    )

    subject_kind: Mapped[str] = mapped_column(sa.String(32))
    subject_id: Mapped[UUID]
    question_digest: Mapped[str] = mapped_column(sa.String(64))
    scorer_digest: Mapped[str] = mapped_column(sa.String(64))
    purpose: Mapped[str] = mapped_column(sa.String(32))
    model: Mapped[str] = mapped_column(sa.String(200))
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int] = mapped_column(sa.Integer)
    score: Mapped[float | None] = mapped_column(sa.Double)
    explanation: Mapped[str | None] = mapped_column(sa.String(1000))
    error: Mapped[str | None] = mapped_column(sa.String(1000))
    reserved_nano_usd: Mapped[int] = mapped_column(NanoUsdColumn, default=0)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    latency_ms: Mapped[float] = mapped_column(sa.Double, default=0.0)
    shown: Mapped[dict[str, Any] | None]


class CalibrationLabel(WorkspaceOwned, Base):
    """What a person said of an answer that a judge has scored, without having seen the judge's score.

    One label for each question of a judge, whoever gives it.  value: on the judge's scale, 0 to 1.  judged: what the
    judge had said, 0 to 1; kept here, so that the label counts when the judgement is gone.
    """

    __tablename__ = "calibration_label"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "scorer_digest", "question_digest", name="uq_calibration_label_question"),
    )

    scorer_digest: Mapped[str] = mapped_column(sa.String(64))
    question_digest: Mapped[str] = mapped_column(sa.String(64))
    value: Mapped[float] = mapped_column(sa.Double)
    judged: Mapped[float] = mapped_column(sa.Double)
    comment: Mapped[str | None] = mapped_column(sa.String(2000))
    labelled_by: Mapped[str] = mapped_column(sa.String(100))


class OnlineEvaluation(WorkspaceOwned, Base):
    """A rubric that scores a share of the new traces, within a budget a day.

    account_id: so that work can be started for the workspace from a look across workspaces.  rubric_version: null is
    the latest at the time of scoring.  agent_id, agent_version, mode, trace_name: which traces it is for; null is any.
    settle_s: how long no span of a trace must have come before it is scored.
    """

    __tablename__ = "online_evaluation"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id", "name"),
        sa.Index(None, "workspace_id", "rubric_id"),
        sa.Index(
            "ix_online_evaluation_workspace_id_enabled",
            "workspace_id",
            postgresql_where=sa.text("enabled"),
            sqlite_where=sa.text("enabled"),
        ),
        tenant_fk("rubric_id", "rubric", ondelete="RESTRICT"),
    )

    account_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(64))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    rubric_id: Mapped[UUID]
    rubric_version: Mapped[int | None] = mapped_column(sa.Integer)
    target: Mapped[str] = mapped_column(sa.String(16))
    agent_id: Mapped[str | None] = mapped_column(sa.String(200))
    agent_version: Mapped[str | None] = mapped_column(sa.String(200))
    mode: Mapped[str | None] = mapped_column(sa.String(64))
    trace_name: Mapped[str | None] = mapped_column(sa.String(512))
    sampling_rate: Mapped[float] = mapped_column(sa.Double)
    max_evaluations_per_day: Mapped[int] = mapped_column(sa.Integer)
    max_cost_nano_usd_per_day: Mapped[int | None] = mapped_column(NanoUsdColumn)
    settle_s: Mapped[int] = mapped_column(sa.Integer)
    enabled: Mapped[bool] = mapped_column(sa.Boolean)
    created_by: Mapped[str] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class OnlineEvaluationDay(Base):
    """What an online evaluation did on one day (UTC), and what its budget of that day holds.

    claimed: evaluations taken from the budget, each before it was made.  evaluated + failed: those that have ended.
    reserved_nano_usd: the most that calls without a known cost may have cost; it counts as spent.
    """

    __tablename__ = "online_evaluation_day"
    __table_args__ = (tenant_fk("online_evaluation_id", "online_evaluation", ondelete="CASCADE"),)

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    online_evaluation_id: Mapped[UUID] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(sa.Date, primary_key=True)
    claimed: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    evaluated: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    failed: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    skipped_by_sampling: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    skipped_by_budget: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    reserved_nano_usd: Mapped[int] = mapped_column(NanoUsdColumn, default=0)
    cost_nano_usd: Mapped[int] = mapped_column(NanoUsdColumn, default=0)
    last_run_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class TraceScore(WorkspaceOwned, Base):
    """One trace scored by one version of an online evaluation's rubric: at most once, whatever was killed.

    Written as `claimed` together with what its budget gives, then `scored`, or `failed` where there is no score.
    attempts: how often a paid scorer was asked.  day: whose budget it is from.  span_count: how many spans the trace
    had when it was scored.  name: the evaluation's at that time; what was scored stays when the evaluation is deleted.
    """

    __tablename__ = "trace_score"
    __table_args__ = (
        sa.UniqueConstraint(
            "workspace_id", "online_evaluation_id", "trace_id", "rubric_version", name="uq_trace_score_once"
        ),
        sa.ForeignKeyConstraint(
            ["workspace_id", "trace_id"], ["trace.workspace_id", "trace.trace_id"], ondelete="CASCADE"
        ),
        sa.Index(None, "workspace_id", "trace_id"),
        sa.Index(
            "ix_trace_score_workspace_id_claimed",
            "workspace_id",
            "trace_id",
            postgresql_where=sa.text("state = 'claimed'"),
            sqlite_where=sa.text("state = 'claimed'"),
        ),
        sa.Index(None, "workspace_id", "online_evaluation_id", "created_at"),
        sa.CheckConstraint("state IN ('claimed', 'scored', 'failed')", name="state"),
    )

    trace_id: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    online_evaluation_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(64))
    rubric_id: Mapped[UUID]
    rubric_version: Mapped[int] = mapped_column(sa.Integer)
    state: Mapped[str] = mapped_column(sa.String(16))
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    day: Mapped[date] = mapped_column(sa.Date)
    reserved_nano_usd: Mapped[int] = mapped_column(NanoUsdColumn, default=0)
    span_count: Mapped[int] = mapped_column(sa.BigInteger)
    total: Mapped[float | None] = mapped_column(sa.Double)
    passed: Mapped[bool | None] = mapped_column(sa.Boolean)
    dimensions: Mapped[dict[str, Any]]
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    missing_reason: Mapped[str | None] = mapped_column(sa.String(32))
    error_type: Mapped[str | None] = mapped_column(sa.String(200))
    error_message: Mapped[str | None] = mapped_column(sa.String(1000))
    scored_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
