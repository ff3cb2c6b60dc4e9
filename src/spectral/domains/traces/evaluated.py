"""What evaluations read of traces and write to them, in the caller's transaction."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.bodies import SpanBody, span_bodies
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.preview import full_text
from spectral.domains.traces.repository import TraceRepository
from spectral.domains.traces.vocabulary import AGGREGATING, MODEL_CALLS, Kind
from spectral.platform.access.principal import WorkspaceAccess

MAXIMUM_SPANS = 10_000
MAXIMUM_CANDIDATES = 200


@dataclass(frozen=True, slots=True)
class TraceContent:
    """What a trace says in full. Both are None where its spans came without content.

    input: JSON where it was sent as JSON.  output: the text of the last message.  tool_calls: the names of the tools in
    the order of their calls.
    """

    input: Any
    output: str | None
    tool_calls: tuple[str, ...]


class EvaluatedTraces:
    """The traces of one workspace, as evaluations need them."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._session = session
        self._access = access
        self._mapper = mapper
        self._traces = TraceRepository(session, access)

    async def hold(self, trace_ids: Collection[bytes]) -> None:
        """None of these traces is deleted, or gets spans, before the transaction ends."""
        # In the order of their keys, as ingestion locks them.
        statement = (
            sa.select(Trace.trace_id)
            .where(Trace.workspace_id == self._access.workspace_id, Trace.trace_id.in_(trace_ids))
            .order_by(Trace.trace_id)
            .with_for_update(read=True, key_share=True)
        )
        await self._session.execute(statement)

    async def find(self, trace_ids: Collection[bytes]) -> Sequence[Trace]:
        """Those of these traces that exist and have spans, in the order of their ids."""
        statement = (
            sa.select(Trace)
            .where(Trace.workspace_id == self._access.workspace_id, Trace.trace_id.in_(trace_ids), Trace.span_count > 0)
            .order_by(Trace.trace_id)
            .execution_options(populate_existing=True)
        )
        return (await self._session.scalars(statement)).all()

    async def read_content(self, trace_id: bytes, *, of_model_call: bool = False) -> TraceContent:
        """The content of a trace as its previews are chosen: the root's where it has any, else its model calls'.

        of_model_call: of the last model call instead.
        """
        columns = (
            SpanRecord.span_id,
            SpanRecord.parent_span_id,
            SpanRecord.kind,
            SpanRecord.tool_name,
            SpanRecord.name,
            SpanRecord.started_at,
            SpanRecord.ended_at,
        )
        statement = (
            sa.select(*columns)
            .where(SpanRecord.workspace_id == self._access.workspace_id, SpanRecord.trace_id == trace_id)
            .order_by(SpanRecord.started_at, SpanRecord.span_id)
            .limit(MAXIMUM_SPANS)
        )
        spans = (await self._session.execute(statement)).all()
        tools = tuple(span.tool_name or span.name for span in spans if span.kind == Kind.TOOL)
        if of_model_call:
            calls = sorted((span for span in spans if span.kind in MODEL_CALLS), key=lambda span: -span.ended_at)
            first, last = calls[:1], calls[:1]
        else:
            first = sorted(spans, key=lambda span: (_preference(span), span.started_at, span.span_id))
            last = sorted(spans, key=lambda span: (_preference(span), -span.ended_at, span.span_id))
        first, last = first[:MAXIMUM_CANDIDATES], last[:MAXIMUM_CANDIDATES]
        wanted = frozenset(span.span_id for span in (*first, *last))
        chunks = await self._traces.list_chunks(trace_id)
        bodies = await asyncio.to_thread(span_bodies, chunks, wanted, self._mapper)
        asked = next((body.input for body in _of(first, bodies) if body.input is not None), None)
        answered = (full_text(body.output, "output") for body in _of(last, bodies))
        return TraceContent(asked, next((text for text in answered if text), None), tools)

    async def write_scores(self, trace_id: bytes, source: str, values: Mapping[str, float]) -> bool:
        """The trace's scores from this source are these, each under `source` or `source/…`; False where it is gone.

        source: holds a `/`, so that what people said, and what other sources said, stays as it is.
        """
        if not await self._traces.lock_trace(trace_id):
            return False
        await self._traces.write_source_scores(trace_id, source, values)
        return True


def _preference(span: Any) -> int:
    """As `rollup.TraceRollup` prefers content: the root's, then a model call's or an agent's, then any."""
    if span.parent_span_id is None:
        return 0
    return 1 if span.kind in MODEL_CALLS or span.kind in AGGREGATING else 2


def _of(spans: Sequence[Any], bodies: Mapping[bytes, SpanBody]) -> list[SpanBody]:
    return [bodies[span.span_id] for span in spans if span.span_id in bodies]
