"""What one transaction does with the spans of one workspace: the part of storing that is the same on every database.

Rollups and hourly counters are functions of the set of stored spans: a span that is new adds to them, a copy that wins
over a stored one replaces it in them, a copy that loses changes nothing.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from spectral.domains.traces.batch import PreparedBatch, PreparedTrace
from spectral.domains.traces.chunks import Chunk, winners
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.rollup import TraceRollup, TraceRow, Usage, add_usage, count_usage
from spectral.domains.traces.vocabulary import SpanRow

SpanKey = tuple[bytes, bytes]
"""(trace id, span id)"""


@dataclass(slots=True)
class Received:
    """What a workspace sent, for its statistics; `rejected` counts spans and requests by reason."""

    requests: int = 0
    accepted_spans: int = 0
    duplicate_spans: int = 0
    received_bytes: int = 0
    rejected: dict[str, int] = field(default_factory=dict)

    def add(self, batch: PreparedBatch) -> None:
        """Count one request."""
        self.requests += 1
        self.accepted_spans += batch.accepted
        self.received_bytes += batch.received_bytes
        for reason, count in batch.rejections.reasons.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count


class SpanStore(Protocol):
    """The statements of one database, inside one transaction. Every one of them names the workspace.

    Rows are written in the order of their keys, so that two processes never wait for each other in a circle.
    """

    async def enter(self, workspace_id: UUID) -> None:
        """Let the transaction touch this workspace's rows, and no other's."""
        ...

    async def claim_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> dict[bytes, TraceRow]:
        """Insert the traces that do not exist, lock the others until the commit; answers the others as stored."""
        ...

    async def find_spans(
        self, workspace_id: UUID, keys: Sequence[SpanKey], window: tuple[int, int]
    ) -> dict[SpanKey, SpanRow]:
        """The stored ones among these spans; `window`: first and last start that they can have."""
        ...

    async def find_chunks(self, workspace_id: UUID, trace_id: bytes) -> list[tuple[bytes, int]]:
        """Payload and codec of every chunk of a trace."""
        ...

    async def delete_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None: ...

    async def insert_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None: ...

    async def insert_chunks(self, workspace_id: UUID, chunks: Sequence[Chunk]) -> None:
        """Chunks that are there already are left alone."""
        ...

    async def update_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> None:
        """Replace the rollups; feedback stays as it is."""
        ...

    async def add_usage(self, workspace_id: UUID, usage: Usage) -> None:
        """Add to the hourly counters; rows in which nothing is left are removed."""
        ...

    async def add_received(self, workspace_id: UUID, received: Received, now: datetime) -> None: ...


@dataclass(slots=True)
class _Gathered:
    """The spans of one trace in several requests. `rollup` is None when it has to be made from the chunks."""

    rows: dict[bytes, SpanRow]
    chunks: list[Chunk]
    rollup: TraceRollup | None

    def add(self, trace: PreparedTrace) -> None:
        """Add the spans of another request."""
        self.chunks.append(trace.chunk)
        overlapping = False
        for span_id, row in trace.rows.items():
            current = self.rows.get(span_id)
            overlapping = overlapping or current is not None
            if current is None or current.rank < row.rank:
                self.rows[span_id] = row
        if overlapping or self.rollup is None:
            self.rollup = None
        else:
            self.rollup.merge(trace.rollup)


class _Change:
    """What a workspace's spans change: collected first, written at the end."""

    def __init__(self) -> None:
        self.inserted: list[SpanRow] = []
        self.deleted: list[SpanRow] = []
        self.chunks: list[Chunk] = []
        self.traces: list[TraceRow] = []
        self.duplicates = 0


async def store_spans(
    store: SpanStore, workspace_id: UUID, batches: Sequence[PreparedBatch], mapper: SpanMapper, now: datetime
) -> None:
    """Store the spans of one workspace, at most once per (trace_id, span_id), in the caller's transaction.

    batches: may hold copies of each other's spans and of stored ones, in any order.
    """
    received = Received()
    for batch in batches:
        received.add(batch)
    gathered = _gather(batches)
    change = _Change()
    if gathered:
        rollups = {trace_id: await _rollup(trace_id, found, mapper) for trace_id, found in sorted(gathered.items())}
        existing = await store.claim_traces(workspace_id, [rollup.row() for rollup in rollups.values()])
        known = await _known(store, workspace_id, gathered, existing)
        for trace_id, found in gathered.items():
            if trace_id in existing:
                stored = TraceRollup.stored(existing[trace_id])
                await _change_trace(store, workspace_id, change, found, stored, rollups[trace_id], known, mapper)
            else:
                change.inserted += found.rows.values()
                change.chunks += found.chunks
        await _write(store, workspace_id, change)
        await store.add_usage(workspace_id, _usage(batches, change))
    received.duplicate_spans = received.accepted_spans - len(change.inserted)
    await store.add_received(workspace_id, received, now)


def _gather(batches: Sequence[PreparedBatch]) -> dict[bytes, _Gathered]:
    gathered: dict[bytes, _Gathered] = {}
    for batch in batches:
        for trace_id, trace in batch.traces.items():
            found = gathered.get(trace_id)
            if found is None:
                # A copy: a group that fails is stored again request by request.
                rollup = TraceRollup(trace_id)
                rollup.merge(trace.rollup)
                gathered[trace_id] = _Gathered(dict(trace.rows), [trace.chunk], rollup)
            else:
                found.add(trace)
    return gathered


async def _rollup(trace_id: bytes, found: _Gathered, mapper: SpanMapper) -> TraceRollup:
    if found.rollup is None:
        return await _rollup_of_chunks(trace_id, _contents(found.chunks), None, mapper)
    return found.rollup


async def _known(
    store: SpanStore, workspace_id: UUID, gathered: Mapping[bytes, _Gathered], existing: Mapping[bytes, TraceRow]
) -> dict[SpanKey, SpanRow]:
    if not existing:
        return {}
    keys = sorted((trace_id, span_id) for trace_id in existing for span_id in gathered[trace_id].rows)
    window = (min(row.started_at for row in existing.values()), max(row.ended_at for row in existing.values()))
    return await store.find_spans(workspace_id, keys, window)


async def _change_trace(
    store: SpanStore,
    workspace_id: UUID,
    change: _Change,
    found: _Gathered,
    stored: TraceRollup,
    rollup: TraceRollup,
    known: Mapping[SpanKey, SpanRow],
    mapper: SpanMapper,
) -> None:
    """Work out what the spans of a trace that exists already change."""
    trace_id = stored.trace_id
    fresh: list[SpanRow] = []
    replaced: list[tuple[SpanRow, SpanRow]] = []
    for span_id, row in found.rows.items():
        old = known.get((trace_id, span_id))
        if old is None:
            fresh.append(row)
        elif old.rank < row.rank:
            replaced.append((old, row))
    if not fresh and not replaced:
        return
    if replaced:
        chunks = [*await store.find_chunks(workspace_id, trace_id), *_contents(found.chunks)]
        stored = await _rollup_of_chunks(trace_id, chunks, None, mapper)
    elif len(fresh) < len(found.rows):
        only = {row.span_id for row in fresh}
        stored.merge(await _rollup_of_chunks(trace_id, _contents(found.chunks), only, mapper))
    else:
        stored.merge(rollup)
    change.inserted += fresh
    change.inserted += [new for _, new in replaced]
    change.deleted += [old for old, _ in replaced]
    change.chunks += found.chunks
    change.traces.append(stored.row())


async def _write(store: SpanStore, workspace_id: UUID, change: _Change) -> None:
    if change.deleted:
        await store.delete_spans(workspace_id, sorted(change.deleted, key=_key))
    if change.inserted:
        await store.insert_spans(workspace_id, sorted(change.inserted, key=_key))
    if change.chunks:
        await store.insert_chunks(workspace_id, sorted(change.chunks, key=lambda chunk: chunk[:3]))
    if change.traces:
        await store.update_traces(workspace_id, sorted(change.traces, key=lambda row: row.trace_id))


def _key(row: SpanRow) -> SpanKey:
    return row.trace_id, row.span_id


def _usage(batches: Sequence[PreparedBatch], change: _Change) -> Usage:
    usage: Usage = {}
    if not change.deleted and len(change.inserted) == sum(len(t.rows) for b in batches for t in b.traces.values()):
        for batch in batches:
            add_usage(usage, batch.usage)
        return usage
    for row in change.inserted:
        count_usage(usage, row)
    for row in change.deleted:
        count_usage(usage, row, -1)
    return usage


def _contents(chunks: Iterable[Chunk]) -> list[tuple[bytes, int]]:
    return [(chunk.payload, chunk.codec) for chunk in chunks]


async def _rollup_of_chunks(
    trace_id: bytes, chunks: list[tuple[bytes, int]], only: set[bytes] | None, mapper: SpanMapper
) -> TraceRollup:
    """The rollup of the spans in these chunks, or of those whose ids are in `only`."""

    def read() -> TraceRollup:
        spans = winners(chunks, mapper)
        rollup = TraceRollup.of(
            trace_id, (mapped for span_id, (mapped, _) in spans.items() if only is None or span_id in only)
        )
        rollup.seal()
        return rollup

    return await asyncio.to_thread(read)
