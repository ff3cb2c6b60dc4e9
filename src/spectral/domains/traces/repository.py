"""Queries over the traces of one workspace."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import SpanChunk, SpanRecord, Trace, TraceFeedback, TraceIngestion
from spectral.domains.traces.search.filter_compiler import IS_SHOWN
from spectral.domains.traces.search.trace_search import Listed
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.cursors import COUNTED, Cursor
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

NANOSECONDS = 1_000_000_000

SCORE_SEPARATOR = "/"
"""In the names of scores that evaluations write; the name of a person's feedback cannot hold it."""


@dataclass(frozen=True, slots=True)
class Volume:
    """How much a workspace has stored, and what it sent lately; `spending` is what its own model calls cost lately."""

    traces: int
    spans: int
    received_spans: int
    received_bytes: int
    spending: Spending


class TraceRepository:
    """Traces, spans and chunks of one workspace."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self.session = session
        self.access = access

    def _mine(self, model: type[Any]) -> sa.ColumnElement[bool]:
        return cast("sa.ColumnElement[bool]", model.workspace_id == self.access.workspace_id)

    async def find_trace(self, trace_id: bytes) -> Trace | None:
        """None also for a trace of which only log events have come."""
        statement = sa.select(Trace).where(self._mine(Trace), Trace.trace_id == trace_id, IS_SHOWN)
        return (await self.session.scalars(statement)).one_or_none()

    async def list_spans(self, trace: Trace, page: Page, cursor: Cursor | None) -> Listed:
        """The spans of a trace in the order of their start."""
        statement = sa.select(SpanRecord).where(self._mine(SpanRecord), *self._in_trace(trace))
        # A sum, because SQLite would take the index by time, which holds the whole workspace, for its order.
        key, identifier = SpanRecord.started_at + 0, SpanRecord.span_id
        if cursor is not None:
            after = sa.tuple_(sa.literal(cursor.value, sa.BigInteger), sa.literal(cursor.identifier, sa.LargeBinary))
            statement = statement.where(sa.tuple_(key, identifier) > after)
        statement = statement.order_by(key, identifier).limit(page.limit + 1)
        if cursor is None:
            statement = statement.offset(page.offset)
        rows = (await self.session.scalars(statement)).all()
        total, has_more = trace.span_count, len(rows) > page.limit
        return Listed(rows[: page.limit], min(total, COUNTED), total > COUNTED, has_more)

    def _in_trace(self, trace: Trace) -> list[sa.ColumnElement[bool]]:
        conditions: list[sa.ColumnElement[bool]] = [SpanRecord.trace_id == trace.trace_id]
        if self.session.get_bind().dialect.name != "sqlite":
            # Its spans start in its time: one day's partition, or two. SQLite would take its index by time for it.
            conditions.append(SpanRecord.started_at.between(trace.started_at, trace.ended_at))
        return conditions

    async def list_span_rows(self, trace: Trace, limit: int) -> Sequence[sa.Row[Any]]:
        """The first rows of the spans of a trace in the order of their start, as they are."""
        statement = sa.select(*SPAN_COLUMNS).where(self._mine(SpanRecord), *self._in_trace(trace))
        statement = statement.order_by(SpanRecord.started_at + 0, SpanRecord.span_id).limit(limit)
        return (await self.session.execute(statement)).all()

    async def find_span(self, trace: Trace, span_id: bytes) -> SpanRecord | None:
        statement = sa.select(SpanRecord).where(
            self._mine(SpanRecord), *self._in_trace(trace), SpanRecord.span_id == span_id
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def list_chunks(self, trace_id: bytes) -> list[tuple[bytes, int]]:
        """Payload and codec of every chunk of a trace."""
        statement = (
            sa.select(SpanChunk.payload, SpanChunk.codec)
            .where(self._mine(SpanChunk), SpanChunk.trace_id == trace_id)
            .order_by(SpanChunk.start_ns, SpanChunk.digest)
        )
        return [(row[0], row[1]) for row in await self.session.execute(statement)]

    async def write_feedback_rollup(self, trace_id: bytes) -> None:
        """Bring the trace's count of feedback and mean scores up to date; locks the trace's row until the commit."""
        statement = (
            sa.select(TraceFeedback.name, sa.func.count(), sa.func.avg(TraceFeedback.score))
            .where(self._mine(TraceFeedback), TraceFeedback.trace_id == trace_id)
            .group_by(TraceFeedback.name)
            .order_by(TraceFeedback.name)
        )
        found = [(row[0], int(row[1]), row[2]) for row in await self.session.execute(statement)]
        means = {name: float(mean) for name, _, mean in found if mean is not None}
        # What evaluations wrote stays; the name of feedback cannot hold their separator.
        others = {name: score for name, score in (await self._scores(trace_id)).items() if SCORE_SEPARATOR in name}
        await self.session.execute(
            sa.update(Trace)
            .where(self._mine(Trace), Trace.trace_id == trace_id)
            .values(feedback_count=sum(count for _, count, _ in found), scores=means | others)
        )

    async def write_source_scores(self, trace_id: bytes, source: str, values: Mapping[str, float]) -> None:
        """Replace the scores named `source` or `source/…`; the trace's row must be locked."""
        below = f"{source}{SCORE_SEPARATOR}"
        kept = {
            name: score
            for name, score in (await self._scores(trace_id)).items()
            if name != source and not name.startswith(below)
        }
        await self.session.execute(
            sa.update(Trace)
            .where(self._mine(Trace), Trace.trace_id == trace_id)
            .values(scores=kept | dict(values))
            .execution_options(synchronize_session=False)
        )

    async def _scores(self, trace_id: bytes) -> dict[str, Any]:
        statement = sa.select(Trace.scores).where(self._mine(Trace), Trace.trace_id == trace_id)
        return (await self.session.execute(statement)).scalar_one_or_none() or {}

    async def lock_trace(self, trace_id: bytes) -> bool:
        """Whether the trace exists; its row is locked until the commit."""
        found = sa.select(Trace.trace_id).where(self._mine(Trace), Trace.trace_id == trace_id, IS_SHOWN)
        statement = found.with_for_update()
        return (await self.session.execute(statement)).one_or_none() is not None

    async def list_ingestion(self, since: datetime) -> list[TraceIngestion]:
        """What was sent, minute by minute, oldest first."""
        statement = (
            sa.select(TraceIngestion)
            .where(self._mine(TraceIngestion), TraceIngestion.minute >= since)
            .order_by(TraceIngestion.minute)
        )
        return list((await self.session.scalars(statement)).all())

    async def volume(self, since: datetime) -> Volume:
        """What is stored, and what came in since that moment."""
        spans = sa.func.coalesce(sa.func.sum(Trace.span_count), 0)
        stored = sa.select(sa.func.count(), spans).where(self._mine(Trace), IS_SHOWN)
        traces, spans = (await self.session.execute(stored)).one()
        sums = [
            sa.func.coalesce(sa.func.sum(column), 0)
            for column in (TraceIngestion.accepted_spans, TraceIngestion.received_bytes)
        ]
        came = sa.select(*sums).where(self._mine(TraceIngestion), TraceIngestion.minute >= since)
        received_spans, received_bytes = (await self.session.execute(came)).one()
        started = Trace.started_at >= int(since.timestamp()) * NANOSECONDS
        cost = sa.select(
            *(sa.func.coalesce(sa.func.sum(column), 0) for column in (Trace.cost_nano_usd, Trace.unpriced_spans))
        ).where(self._mine(Trace), started)
        known, unpriced = (await self.session.execute(cost)).one()
        spending = Spending(int(known), int(unpriced))
        return Volume(int(traces), int(spans), int(received_spans), int(received_bytes), spending)

    async def last_accepted(self) -> datetime | None:
        """When spans last came in, as far back as the statistics are kept."""
        found = (
            sa.select(TraceIngestion.last_seen_at)
            .where(self._mine(TraceIngestion), TraceIngestion.accepted_spans > 0)
            .order_by(TraceIngestion.minute.desc())
            .limit(1)
        )
        return (await self.session.scalars(found)).one_or_none()


SPAN_COLUMNS = tuple(
    column for column in SpanRecord.__table__.columns if column.name not in {"workspace_id", "encoded_length", "digest"}
)
"""What is told of a span."""


class FeedbackRepository(WorkspaceRepository[TraceFeedback]):
    """Feedback on the traces of one workspace."""

    model: ClassVar[type[TraceFeedback]] = TraceFeedback
    kind = "Feedback"

    def of_trace(self, trace_id: bytes, span_id: bytes | None = None) -> sa.Select[tuple[TraceFeedback]]:
        """Feedback on a trace, or on one of its spans."""
        where = [TraceFeedback.trace_id == trace_id]
        if span_id is not None:
            where.append(TraceFeedback.span_id == span_id)
        return self.select(*where)

    async def erase(self, trace_id: bytes, feedback_id: UUID | None) -> int:
        """Delete all feedback on a trace, or one; answers how many there were."""
        where = [TraceFeedback.trace_id == trace_id]
        if feedback_id is not None:
            where.append(TraceFeedback.id == feedback_id)
        return await self.execute(self.delete(*where))
