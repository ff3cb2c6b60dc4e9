"""Queries over the traces of one workspace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import SpanChunk, SpanRecord, Trace, TraceFeedback, TraceIngestion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.cursors import COUNTED, Cursor
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

NANOSECONDS = 1_000_000_000

SORTS: dict[str, sa.ColumnElement[int]] = {
    "started_at": cast("sa.ColumnElement[int]", Trace.started_at),
    "duration_ms": cast("sa.ColumnElement[int]", Trace.duration_ns),
    "cost_usd": sa.func.coalesce(Trace.cost_nano_usd, sa.literal(-1, sa.BigInteger)),
    "tokens": Trace.input_tokens + Trace.output_tokens,
    "error_count": cast("sa.ColumnElement[int]", Trace.error_count),
    "span_count": cast("sa.ColumnElement[int]", Trace.span_count),
}
"""What traces can be sorted by; a leading `-` turns it round. Traces without a known cost sort below free ones."""


_EQUAL = ("status", "agent_id", "agent_version", "session_id", "user_id", "mode", "service")


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """Which traces are asked for; None does not narrow. Times and durations in nanoseconds; `start_to` is exclusive."""

    start_from: int | None = None
    start_to: int | None = None
    status: int | None = None
    has_error: bool | None = None
    agent_id: str | None = None
    agent_version: str | None = None
    session_id: str | None = None
    user_id: str | None = None
    mode: str | None = None
    service: str | None = None
    name_contains: str | None = None
    minimum_duration_ns: int | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The WHERE clause."""
        conditions: list[sa.ColumnElement[bool]] = [
            cast("sa.ColumnElement[bool]", getattr(Trace, name) == getattr(self, name))
            for name in _EQUAL
            if getattr(self, name) is not None
        ]
        if self.start_from is not None:
            conditions.append(Trace.started_at >= self.start_from)
        if self.start_to is not None:
            conditions.append(Trace.started_at < self.start_to)
        if self.has_error is not None:
            conditions.append(Trace.error_count > 0 if self.has_error else Trace.error_count == 0)
        if self.name_contains is not None:
            conditions.append(Trace.name.icontains(self.name_contains, autoescape=True))
        if self.minimum_duration_ns is not None:
            conditions.append(Trace.duration_ns >= self.minimum_duration_ns)
        return conditions


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows, how many there are (counted up to 10,000), and whether there are more after them."""

    rows: Sequence[Any]
    total: int
    is_estimate: bool
    has_more: bool


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
        statement = sa.select(Trace).where(self._mine(Trace), Trace.trace_id == trace_id)
        return (await self.session.scalars(statement)).one_or_none()

    async def list_traces(self, wanted: TraceFilter, sort: str, page: Page, cursor: Cursor | None) -> Listed:
        """Traces in the order of `sort` (a key of SORTS, `-` for descending); ties by id."""
        statement = sa.select(Trace).where(self._mine(Trace), *wanted.conditions())
        key, descending = SORTS[sort.removeprefix("-")], sort.startswith("-")
        return await self._list(statement, key, Trace.trace_id, page, cursor, descending=descending)

    async def list_spans(self, trace_id: bytes, page: Page, cursor: Cursor | None) -> Listed:
        """The spans of a trace in the order of their start."""
        statement = sa.select(SpanRecord).where(self._mine(SpanRecord), SpanRecord.trace_id == trace_id)
        # A sum, because SQLite would take the index by time, which holds the whole workspace, for its order.
        key = SpanRecord.started_at + 0
        return await self._list(statement, key, SpanRecord.span_id, page, cursor, descending=False)

    async def find_span(self, trace_id: bytes, span_id: bytes) -> SpanRecord | None:
        statement = sa.select(SpanRecord).where(
            self._mine(SpanRecord), SpanRecord.trace_id == trace_id, SpanRecord.span_id == span_id
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
        await self.session.execute(
            sa.update(Trace)
            .where(self._mine(Trace), Trace.trace_id == trace_id)
            .values(
                feedback_count=sum(count for _, count, _ in found),
                scores={name: float(mean) for name, _, mean in found if mean is not None},
            )
        )

    async def lock_trace(self, trace_id: bytes) -> bool:
        """Whether the trace exists; its row is locked until the commit."""
        statement = sa.select(Trace.trace_id).where(self._mine(Trace), Trace.trace_id == trace_id).with_for_update()
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
        stored = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(Trace.span_count), 0)).where(self._mine(Trace))
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

    async def _list(
        self,
        statement: sa.Select[Any],
        key: sa.ColumnElement[int],
        identifier: Any,
        page: Page,
        cursor: Cursor | None,
        *,
        descending: bool,
    ) -> Listed:
        counted = statement.with_only_columns(sa.literal(1)).limit(COUNTED + 1).subquery()
        total = int((await self.session.execute(sa.select(sa.func.count()).select_from(counted))).scalar_one())
        if cursor is not None:
            after = sa.tuple_(sa.literal(cursor.value, sa.BigInteger), sa.literal(cursor.identifier, sa.LargeBinary))
            here = sa.tuple_(key, identifier)
            statement = statement.where(here < after if descending else here > after)
        order = (key.desc(), identifier.desc()) if descending else (key.asc(), identifier.asc())
        statement = statement.order_by(*order).limit(page.limit + 1)
        if cursor is None:
            statement = statement.offset(page.offset)
        rows = (await self.session.scalars(statement)).all()
        return Listed(rows[: page.limit], min(total, COUNTED), total > COUNTED, len(rows) > page.limit)


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
