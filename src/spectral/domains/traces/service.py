"""Traces as they are read, and what people think of them."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.bodies import SpanBody, span_bodies
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanRecord, Trace, TraceFeedback
from spectral.domains.traces.otlp.requests import OTHER_LOG, SPAN_ID_BYTES, TRACE_ID_BYTES
from spectral.domains.traces.repository import FeedbackRepository, TraceRepository, Volume
from spectral.domains.traces.search.trace_filter import TraceFilter, parse_sort
from spectral.domains.traces.search.trace_search import TraceSearch
from spectral.domains.traces.search.trace_tree import MAXIMUM_ROWS, TraceTree, tree_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.cursors import Cursor, decode_cursor
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

SPAN_ORDER = "spans"
STATISTICS_WINDOW = timedelta(hours=24)
RATE_WINDOW = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page: rows, total (counted up to 10,000), and the cursor of the next page, None at the end."""

    rows: Sequence[Any]
    total: int
    is_estimate: bool
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Statistics:
    """What a workspace sent since `window_start`."""

    window_start: datetime
    requests: int
    accepted_spans: int
    duplicate_spans: int
    accepted_log_records: int
    rejected: dict[str, int]
    received_bytes: int
    spans_per_second: float
    last_seen_at: datetime | None

    @property
    def mistakes(self) -> dict[str, int]:
        """What was rejected though its sender meant it to be stored; who exports all logs sends others along."""
        return {reason: count for reason, count in self.rejected.items() if reason != OTHER_LOG}


@dataclass(frozen=True, slots=True)
class FeedbackDraft:
    """Feedback before it is stored; `span_id` hexadecimal."""

    name: str
    span_id: str | None
    score: float | None
    label: str | None
    comment: str | None


class TraceService:
    """The traces of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._access = access
        self._mapper = mapper
        self._traces = TraceRepository(session, access)
        self._search = TraceSearch(session, access)
        self._feedback = FeedbackRepository(session, access)

    async def list_traces(self, wanted: TraceFilter, sort: str, page: Page, cursor: str | None) -> Listing:
        """Traces, newest first unless sorted otherwise. Raises ValidationFailedError for a bad sort or cursor."""
        order = parse_sort(sort)
        found = await self._search.page(wanted, order, page, _cursor(cursor, sort))
        next_cursor = order.cursor(found.rows[-1]) if found.has_more else None
        return Listing(found.rows, found.total, found.is_estimate, next_cursor)

    async def read_trace(self, trace_id: str) -> Trace:
        """Raises NotFoundError, also for what is not a trace id."""
        trace = await self._traces.find_trace(_identifier("Trace", trace_id, TRACE_ID_BYTES))
        if trace is None:
            raise NotFoundError("Trace", trace_id)
        return trace

    async def list_spans(self, trace_id: str, page: Page, cursor: str | None) -> Listing:
        """The spans of a trace in the order of their start. Raises NotFoundError."""
        trace = await self.read_trace(trace_id)
        found = await self._traces.list_spans(trace, page, _cursor(cursor, SPAN_ORDER))
        next_cursor = None
        if found.has_more:
            next_cursor = Cursor(SPAN_ORDER, found.rows[-1].started_at, found.rows[-1].span_id).encode()
        return Listing(found.rows, found.total, found.is_estimate, next_cursor)

    async def read_tree(self, trace_id: str) -> TraceTree:
        """A trace with the narrow rows of its spans, 10,000 at most. Raises NotFoundError."""
        trace = await self.read_trace(trace_id)
        return tree_of(trace, await self._traces.list_span_rows(trace, MAXIMUM_ROWS))

    async def read_span(self, trace_id: str, span_id: str) -> SpanRecord:
        """Raises NotFoundError."""
        trace = await self.read_trace(trace_id)
        span = await self._traces.find_span(trace, _identifier("Span", span_id, SPAN_ID_BYTES))
        if span is None:
            raise NotFoundError("Span", span_id)
        return span

    async def read_bodies(self, spans: Sequence[SpanRecord]) -> dict[bytes, SpanBody]:
        """What was sent for these spans of one trace, by span id; decoded off the event loop."""
        if not spans:
            return {}
        chunks = await self._traces.list_chunks(spans[0].trace_id)
        wanted = frozenset(span.span_id for span in spans)
        return await asyncio.to_thread(span_bodies, chunks, wanted, self._mapper)

    async def list_feedback(self, trace_id: str, page: Page) -> tuple[Sequence[TraceFeedback], int]:
        """Feedback on a trace and its spans, newest first. Raises NotFoundError."""
        trace = await self.read_trace(trace_id)
        return await self._feedback.page(self._feedback.of_trace(trace.trace_id), page)

    async def give_feedback(self, trace_id: str, draft: FeedbackDraft) -> TraceFeedback:
        """Store feedback. Raises NotFoundError when the trace, or the span in it, does not exist."""
        identifier = await self._locked(trace_id)
        span_id = None
        if draft.span_id is not None:
            span_id = (await self.read_span(trace_id, draft.span_id)).span_id
        feedback = self._feedback.add(
            TraceFeedback(
                trace_id=identifier,
                span_id=span_id,
                name=draft.name,
                score=draft.score,
                label=draft.label,
                comment=draft.comment,
                created_by=self._access.actor,
            )
        )
        await self._feedback.flush()
        await self._traces.write_feedback_rollup(identifier)
        return feedback

    async def withdraw_feedback(self, trace_id: str, feedback_id: UUID | None = None) -> None:
        """Delete one feedback, or all of a trace. Raises NotFoundError for one that does not exist."""
        identifier = await self._locked(trace_id)
        if not await self._feedback.erase(identifier, feedback_id) and feedback_id is not None:
            raise NotFoundError("Feedback", feedback_id)
        await self._traces.write_feedback_rollup(identifier)

    async def read_volume(self, since: datetime) -> Volume:
        """What is stored, and what came in since that moment, which lies 31 days back at most."""
        return await self._traces.volume(since)

    async def last_accepted(self) -> datetime | None:
        """When spans last came in; None where that is longer than 31 days ago."""
        return await self._traces.last_accepted()

    async def read_statistics(self) -> Statistics:
        """What the workspace sent in the last 24 hours."""
        now = utc_now()
        since = now - STATISTICS_WINDOW
        minutes = await self._traces.list_ingestion(since)
        recent = [minute for minute in minutes if minute.minute >= now - RATE_WINDOW]
        rejected: dict[str, int] = {}
        for minute in minutes:
            for reason, count in minute.rejected.items():
                rejected[reason] = rejected.get(reason, 0) + count
        return Statistics(
            window_start=since,
            requests=sum(minute.requests for minute in minutes),
            accepted_spans=sum(minute.accepted_spans for minute in minutes),
            duplicate_spans=sum(minute.duplicate_spans for minute in minutes),
            accepted_log_records=sum(minute.accepted_log_records for minute in minutes),
            rejected=dict(sorted(rejected.items())),
            received_bytes=sum(minute.received_bytes for minute in minutes),
            spans_per_second=round(sum(minute.accepted_spans for minute in recent) / RATE_WINDOW.total_seconds(), 3),
            last_seen_at=minutes[-1].last_seen_at if minutes else None,
        )

    async def _locked(self, trace_id: str) -> bytes:
        identifier = _identifier("Trace", trace_id, TRACE_ID_BYTES)
        if not await self._traces.lock_trace(identifier):
            raise NotFoundError("Trace", trace_id)
        return identifier


def _identifier(kind: str, text: str, size: int) -> bytes:
    """The bytes of a hexadecimal id; what is none is not found."""
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        identifier = b""
    if len(text) != 2 * size or len(identifier) != size:
        raise NotFoundError(kind, text[:64])
    return identifier


def _cursor(text: str | None, sort: str) -> Cursor | None:
    return None if text is None else decode_cursor(text, sort)
