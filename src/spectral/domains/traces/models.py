"""The tables of traces. Their writing is in `storage.py` and its dialects, in statements made for many rows at once."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.domains.traces.ingestion.rollup import COUNTER_COLUMNS
from spectral.platform.db.base import Base, Json, NanoUsdColumn, UtcTime, WorkspaceOwned
from spectral.platform.shared.clock import utc_now

TRACE_ID = sa.LargeBinary(16)
SPAN_ID = sa.LargeBinary(8)
DIGEST = sa.LargeBinary(16)


class SpanRecord(Base):
    """What is searched of a span. Times are nanoseconds since 1970; what was sent is in `span_chunk`.

    No foreign keys: a check per span would cost more than the insert. A deleted trace takes its spans and chunks along
    by trigger. On PostgreSQL partitioned by day of `started_at`.
    """

    __tablename__ = "span"
    __table_args__ = (
        sa.Index("ix_span_workspace_id_started_at", "workspace_id", "started_at"),
        {"postgresql_partition_by": "RANGE (started_at)"},
    )

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(TRACE_ID, primary_key=True)
    span_id: Mapped[bytes] = mapped_column(SPAN_ID, primary_key=True)
    started_at: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    ended_at: Mapped[int] = mapped_column(sa.BigInteger)
    parent_span_id: Mapped[bytes | None] = mapped_column(SPAN_ID)
    name: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    otel_kind: Mapped[int] = mapped_column(sa.SmallInteger)
    status: Mapped[int] = mapped_column(sa.SmallInteger)
    operation: Mapped[str] = mapped_column(sa.Text)
    provider: Mapped[str | None] = mapped_column(sa.Text)
    model: Mapped[str | None] = mapped_column(sa.Text)
    input_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    cache_read_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    cache_write_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    reasoning_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    audio_tokens: Mapped[int | None] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    session_id: Mapped[str | None] = mapped_column(sa.Text)
    user_id: Mapped[str | None] = mapped_column(sa.Text)
    tool_name: Mapped[str | None] = mapped_column(sa.Text)
    error_type: Mapped[str | None] = mapped_column(sa.Text)
    agent_id: Mapped[str | None] = mapped_column(sa.Text)
    agent_version: Mapped[str | None] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.Text)
    service: Mapped[str | None] = mapped_column(sa.Text)
    encoded_length: Mapped[int] = mapped_column(sa.BigInteger)
    digest: Mapped[bytes] = mapped_column(DIGEST)


class SpanChunk(Base):
    """The spans of one trace in one batch as they were sent, compressed (`chunks.py`).

    `digest`: BLAKE2b-128 of the uncompressed chunk, so the same batch sent again is the same row. On PostgreSQL
    partitioned by day of `start_ns`.
    """

    __tablename__ = "span_chunk"
    __table_args__ = ({"postgresql_partition_by": "RANGE (start_ns)"},)

    workspace_id: Mapped[UUID] = mapped_column(primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(TRACE_ID, primary_key=True)
    start_ns: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    digest: Mapped[bytes] = mapped_column(DIGEST, primary_key=True)
    codec: Mapped[int] = mapped_column(sa.SmallInteger)
    span_count: Mapped[int] = mapped_column(sa.Integer)
    payload: Mapped[bytes] = mapped_column(sa.LargeBinary)


class Trace(Base):
    """The rollup of a trace, kept up at ingestion (`rollup.py`); `feedback_count` and `scores` by feedback.

    `status` is the root span's; `cost_nano_usd` the sum of the known costs, None when none is known;
    `unpriced_spans` counts model calls whose cost is unknown; `chunk_count` the rows of `span_chunk` it lies in.
    The words of its texts are indexed beside it, on each database in its own way (`words.py`, revision 0019).
    """

    __tablename__ = "trace"
    __table_args__ = (
        sa.Index("ix_trace_workspace_id_started_at_trace_id", "workspace_id", "started_at", "trace_id"),
        sa.Index(
            "ix_trace_workspace_id_agent_id_started_at_trace_id", "workspace_id", "agent_id", "started_at", "trace_id"
        ),
        sa.Index(
            "ix_trace_workspace_id_session_id_started_at_trace_id",
            "workspace_id",
            "session_id",
            "started_at",
            "trace_id",
        ),
        sa.Index(
            "ix_trace_workspace_id_user_id_started_at_trace_id", "workspace_id", "user_id", "started_at", "trace_id"
        ),
        sa.Index(
            "ix_trace_workspace_id_started_at_trace_id_failed",
            "workspace_id",
            "started_at",
            "trace_id",
            postgresql_where=sa.text("error_count > 0"),
            sqlite_where=sa.text("error_count > 0"),
        ),
        sa.Index(
            "ix_trace_workspace_id_ended_at",
            "workspace_id",
            "ended_at",
            postgresql_where=sa.text("chunk_count > 1"),
            sqlite_where=sa.text("chunk_count > 1"),
        ),
    )

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(TRACE_ID, primary_key=True)
    started_at: Mapped[int] = mapped_column(sa.BigInteger)
    ended_at: Mapped[int] = mapped_column(sa.BigInteger)
    duration_ns: Mapped[int] = mapped_column(sa.BigInteger)
    name: Mapped[str] = mapped_column(sa.Text)
    root_span_id: Mapped[bytes] = mapped_column(SPAN_ID)
    status: Mapped[int] = mapped_column(sa.SmallInteger)
    span_count: Mapped[int] = mapped_column(sa.BigInteger)
    error_count: Mapped[int] = mapped_column(sa.BigInteger)
    input_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    output_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cache_read_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cache_write_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    reasoning_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    audio_tokens: Mapped[int] = mapped_column(sa.BigInteger)
    cost_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    unpriced_spans: Mapped[int] = mapped_column(sa.BigInteger)
    models: Mapped[list[Any]] = mapped_column(Json)
    tags: Mapped[list[Any]] = mapped_column(Json)
    session_id: Mapped[str | None] = mapped_column(sa.Text)
    user_id: Mapped[str | None] = mapped_column(sa.Text)
    agent_id: Mapped[str | None] = mapped_column(sa.Text)
    agent_version: Mapped[str | None] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.Text)
    service: Mapped[str | None] = mapped_column(sa.Text)
    error_type: Mapped[str | None] = mapped_column(sa.Text)
    input_preview: Mapped[str | None] = mapped_column(sa.Text)
    output_preview: Mapped[str | None] = mapped_column(sa.Text)
    state: Mapped[bytes] = mapped_column(sa.LargeBinary)
    feedback_count: Mapped[int] = mapped_column(sa.Integer, server_default=sa.text("0"))
    scores: Mapped[dict[str, Any]] = mapped_column(Json, server_default=sa.text("'{}'"))
    chunk_count: Mapped[int] = mapped_column(sa.Integer, server_default=sa.text("1"))


class TraceFeedback(WorkspaceOwned, Base):
    """What somebody thought of a trace, or of one span in it."""

    __tablename__ = "trace_feedback"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["workspace_id", "trace_id"], ["trace.workspace_id", "trace.trace_id"], ondelete="CASCADE"
        ),
        sa.Index("ix_trace_feedback_workspace_id_trace_id_created_at", "workspace_id", "trace_id", "created_at"),
    )

    trace_id: Mapped[bytes] = mapped_column(TRACE_ID)
    span_id: Mapped[bytes | None] = mapped_column(SPAN_ID)
    name: Mapped[str] = mapped_column(sa.String(64))
    score: Mapped[float | None] = mapped_column(sa.Float(53))
    label: Mapped[str | None] = mapped_column(sa.String(200))
    comment: Mapped[str | None] = mapped_column(sa.Text)
    created_by: Mapped[str] = mapped_column(sa.String(100))


class TraceIngestion(Base):
    """What a workspace sent in one minute; kept for 31 days. `rejected` counts spans and requests by reason.

    `content`: for each instrumentation scope how many model calls came, and how many of them without content; log
    events that bring the content of a span lower the second, which may pass below zero in a single minute.
    """

    __tablename__ = "trace_ingestion"

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    minute: Mapped[datetime] = mapped_column(UtcTime(timezone=True), primary_key=True, default=utc_now)
    requests: Mapped[int] = mapped_column(sa.BigInteger)
    accepted_spans: Mapped[int] = mapped_column(sa.BigInteger)
    duplicate_spans: Mapped[int] = mapped_column(sa.BigInteger)
    received_bytes: Mapped[int] = mapped_column(sa.BigInteger)
    rejected: Mapped[dict[str, Any]] = mapped_column(Json)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    accepted_log_records: Mapped[int] = mapped_column(sa.BigInteger, server_default=sa.text("0"))
    content: Mapped[dict[str, Any]] = mapped_column(Json, server_default=sa.text("'{}'"))


class TraceArrival(Base):
    """A trace that got spans while its workspace watches for new traces; gone once that was looked at.

    `seen_at`: when its latest spans came. No foreign key to the trace: the row is written with every batch.
    """

    __tablename__ = "trace_arrival"
    __table_args__ = (sa.Index("ix_trace_arrival_workspace_id_seen_at", "workspace_id", "seen_at"),)

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    trace_id: Mapped[bytes] = mapped_column(TRACE_ID, primary_key=True)
    seen_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


USAGE_HOURLY = sa.Table(
    "usage_hourly",
    Base.metadata,
    sa.Column("workspace_id", sa.Uuid(as_uuid=True), sa.ForeignKey("workspace.id", ondelete="CASCADE")),
    sa.Column("hour", sa.BigInteger, autoincrement=False),
    *(sa.Column(name, sa.Text) for name in ("agent_id", "agent_version", "model", "operation", "mode")),
    *(sa.Column(name, sa.BigInteger, nullable=False) for name in COUNTER_COLUMNS),
    sa.PrimaryKeyConstraint("workspace_id", "hour", "agent_id", "agent_version", "model", "operation", "mode"),
)
"""Sums over spans by hour (its start in nanoseconds), agent and version, model, operation and mode; "" is unknown.

`latency_NN` is a histogram over `rollup.LATENCY_BOUNDS_US`. Tokens of operations that only repeat those of the model
calls below them (agents, chains) stand in their own rows: sum the model calls' operations. Integers only, and only
ever added to, so any order of arrival ends in the same rows.
"""
