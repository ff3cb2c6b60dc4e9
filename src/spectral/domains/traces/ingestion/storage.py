"""What one transaction does with the spans of one workspace, between its statements: the same on every database.

Rollups and hourly counters are functions of the set of stored spans: a span that is new adds to them, a copy that wins
over a stored one replaces it in them, a copy that loses changes nothing.
"""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from spectral.domains.traces.ingestion.batch import PreparedBatch, PreparedTrace
from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_LOGS, Chunk, log_events, winners
from spectral.domains.traces.ingestion.content_counts import ContentCounts, add_content
from spectral.domains.traces.ingestion.rollup import TraceRollup, TraceRow, Usage, add_usage, count_usage
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.vocabulary import SpanRow

SpanKey = tuple[bytes, bytes]
"""(trace id, span id)"""

Content = tuple[bytes, int]
"""Payload and codec of a chunk."""


class SpanWriter(Protocol):
    """Writes groups of requests into one database, each in one transaction."""

    async def write(self, parts: "Sequence[Part]", now: datetime) -> None:
        """Store everything or nothing. Every statement names its workspace.

        parts: one for each workspace, in the order of their ids. Rows are locked in the order of their keys (traces,
        then usage, then statistics), so that two processes never wait for each other in a circle.
        Raises the database driver's errors.
        """
        ...

    async def close(self) -> None: ...


class Part(NamedTuple):
    """What a group brings one workspace."""

    workspace_id: UUID
    batches: Sequence[PreparedBatch]

    @property
    def is_watched(self) -> bool:
        """Its traces are noted for evaluation on arrival."""
        return any(batch.watched for batch in self.batches)


@dataclass(slots=True)
class Received:
    """What a workspace sent, for its statistics; `rejected` counts spans, log records and requests by reason."""

    requests: int = 0
    accepted_spans: int = 0
    duplicate_spans: int = 0
    received_bytes: int = 0
    accepted_log_records: int = 0
    rejected: dict[str, int] = field(default_factory=dict)
    content: ContentCounts = field(default_factory=dict)

    def add(self, batch: PreparedBatch) -> None:
        """Count one request."""
        self.requests += 1
        self.accepted_spans += batch.accepted
        self.received_bytes += batch.received_bytes
        self.accepted_log_records += batch.events.accepted
        add_content(self.content, batch.content)
        for reason, count in batch.rejections.reasons.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + count


class Lookup(NamedTuple):
    """Spans that may be stored already. `window`: the first and last start that they can have if they are."""

    keys: list[SpanKey]
    window: tuple[int, int]


@dataclass(slots=True)
class Change:
    """What is to be written; everything of one trace together, traces in the order of their ids.

    `first_chunks`: of traces that are new, so none of them is there already; `further_chunks`: of the others;
    `event_chunks`: log events, which are not among the chunks that a trace counts.
    `traces`: rollups to replace.  `usage`: to be added.  `arrived`: the traces that got spans.
    """

    inserted: list[SpanRow] = field(default_factory=list)
    deleted: list[SpanRow] = field(default_factory=list)
    first_chunks: list[Chunk] = field(default_factory=list)
    further_chunks: list[Chunk] = field(default_factory=list)
    event_chunks: list[Chunk] = field(default_factory=list)
    traces: list[TraceRow] = field(default_factory=list)
    usage: Usage = field(default_factory=dict)
    arrived: list[bytes] = field(default_factory=list)


class Storing:
    """The spans of one workspace on their way into the store, at most once per (trace_id, span_id).

    batches: may hold copies of each other's spans and of stored ones, in any order.

    Its methods are the steps of one transaction, in this order, each with what the database answered to the one before:
    `new_traces` are inserted where they do not exist, the others locked; `look_up`; `compare`; `finish`.
    """

    def __init__(self, batches: Sequence[PreparedBatch], mapper: SpanMapper) -> None:
        self._batches = batches
        self._mapper = mapper
        self.received = Received()
        gathered: dict[bytes, _Gathered] = {}
        for batch in batches:
            self.received.add(batch)
            for trace_id, trace in batch.traces.items():
                found = gathered.get(trace_id)
                if found is None:
                    gathered[trace_id] = _Gathered(trace)
                else:
                    found.add(trace)
        self._gathered = dict(sorted(gathered.items()))
        self._events = _gathered_events(batches)
        self._existing: Mapping[bytes, TraceRow] = {}
        self._changes: list[_TraceChange] = []

    @property
    def trace_ids(self) -> list[bytes]:
        """Every trace that has spans or log events here, in the order of their ids."""
        return sorted({*self._gathered, *self._events}) if self._events else list(self._gathered)

    def new_traces(self, existing: Mapping[bytes, TraceRow] | None = None) -> list[tuple[TraceRow, int]]:
        """The rollup and the number of chunks of every trace as if there were nothing of it yet.

        existing: traces that are known to exist, which are left out.
        """
        return [self._new_trace(trace_id) for trace_id in self.trace_ids if not existing or trace_id not in existing]

    def _new_trace(self, trace_id: bytes) -> tuple[TraceRow, int]:
        found, events = self._gathered.get(trace_id), self._events.get(trace_id)
        if found is None:
            # Until its spans come the trace is only there so that it is deleted with what it has.
            return TraceRollup.awaiting(trace_id, self._events[trace_id].start_ns).row(), 0
        if events is None:
            return self._rollup(found, trace_id).row(), len(found.chunks)
        rollup = self._rollup_of([*found.contents(), *events.contents()], trace_id)
        rollup.has_events = True
        return rollup.row(), len(found.chunks)

    def look_up(self, existing: Mapping[bytes, TraceRow]) -> Lookup | None:
        """What must be known of the traces that exist already."""
        self._existing = existing
        if not existing:
            return None
        keys = [
            (trace_id, span_id)
            for trace_id in sorted(existing)
            if trace_id in self._gathered
            for span_id in self._gathered[trace_id].rows
        ]
        if not keys:
            return None
        window = (min(row.started_at for row in existing.values()), max(row.ended_at for row in existing.values()))
        return Lookup(keys, window)

    def compare(self, known: Mapping[SpanKey, SpanRow]) -> list[bytes]:
        """Take in which spans are stored already; answers the traces whose stored chunks are needed to go on.

        A copy that wins takes the loser's share out of its trace's rollup, which only the other spans can tell.
        """
        for trace_id in sorted(self._existing):
            change = _TraceChange(trace_id, TraceRollup.stored(self._existing[trace_id]), self._events.get(trace_id))
            gathered = self._gathered.get(trace_id)
            for span_id, row in gathered.rows.items() if gathered is not None else ():
                old = known.get((trace_id, span_id))
                if old is None:
                    change.fresh.append(row)
                elif old.rank < row.rank:
                    change.replaced.append((old, row))
            if change.fresh or change.replaced or change.events is not None:
                self._changes.append(change)
        return [change.trace_id for change in self._changes if change.needs_chunks]

    def finish(self, chunks: Mapping[bytes, Sequence[Content]]) -> Change:
        """What is to be written. `chunks`: of the traces that `compare` named."""
        change = Change()
        for trace_id, found in self._gathered.items():
            if trace_id not in self._existing:
                change.inserted += found.rows.values()
                change.first_chunks += found.chunks.values()
                change.arrived.append(trace_id)
        for trace_id, events in self._events.items():
            if trace_id not in self._existing:
                change.event_chunks += events.chunks
        for of_trace in self._changes:
            self._finish(of_trace, chunks.get(of_trace.trace_id, ()), change)
        change.usage = self._usage(change)
        self.received.duplicate_spans = self.received.accepted_spans - len(change.inserted)
        return change

    def _finish(self, of_trace: "_TraceChange", chunks: Sequence[Content], change: Change) -> None:
        """Add what is to be written of a trace that exists already."""
        rollup, events = of_trace.rollup, of_trace.events
        contents = [*chunks, *(events.contents() if events is not None else ())]
        if events is not None and self._are_new(events, chunks):
            change.event_chunks += events.chunks
            rollup.has_events = True
            self._say(rollup, contents, events.span_ids)
        elif not of_trace.fresh and not of_trace.replaced:
            # Events that were sent again, batched differently perhaps.
            return
        if of_trace.fresh or of_trace.replaced:
            found = self._gathered[of_trace.trace_id]
            change.inserted += of_trace.fresh
            change.inserted += [new for _, new in of_trace.replaced]
            change.deleted += [old for old, _ in of_trace.replaced]
            change.further_chunks += found.chunks.values()
            change.arrived.append(of_trace.trace_id)
            rollup = self._merged(of_trace, found, contents)
        if not rollup.span_count and events is not None:
            known = self._existing[of_trace.trace_id].started_at
            rollup = TraceRollup.awaiting(of_trace.trace_id, min(known, events.start_ns))
        change.traces.append(rollup.row())

    def _are_new(self, events: "_GatheredEvents", chunks: Iterable[Content]) -> bool:
        """Whether any of these events is not stored yet."""
        stored = log_events(chunks)
        return any(
            encoded not in stored.get(span_id, ())
            for span_id, sent in log_events(events.contents()).items()
            for encoded in sent
        )

    def _say(self, rollup: TraceRollup, contents: Iterable[Content], span_ids: Container[bytes]) -> None:
        """Take in what these spans, which are in the rollup already, have as content now."""
        for mapped, _ in winners(contents, self._mapper, span_ids).values():
            rollup.replace_content(mapped)

    def _merged(self, change: "_TraceChange", found: "_Gathered", contents: Sequence[Content]) -> TraceRollup:
        """contents: what is stored of the trace where that is needed, and its log events."""
        has_events = change.rollup.has_events
        if change.replaced:
            rollup = self._rollup_of([*contents, *found.contents()], change.trace_id)
            rollup.has_events = has_events
            return rollup
        if has_events or len(change.fresh) < len(found.rows):
            only = {row.span_id for row in change.fresh}
            of_logs = [content for content in contents if content[1] == CODEC_ZSTD_LOGS]
            change.rollup.merge(self._rollup_of([*of_logs, *found.contents()], change.trace_id, only))
        else:
            change.rollup.merge(self._rollup(found, change.trace_id))
        return change.rollup

    def _rollup(self, found: "_Gathered", trace_id: bytes) -> TraceRollup:
        if found.rollup is None:
            found.rollup = self._rollup_of(found.contents(), trace_id)
        return found.rollup

    def _rollup_of(self, chunks: Iterable[Content], trace_id: bytes, only: set[bytes] | None = None) -> TraceRollup:
        """The rollup of the spans in these chunks, or of those whose ids are in `only`."""
        spans = winners(chunks, self._mapper, only)
        rollup = TraceRollup.of(trace_id, (mapped for mapped, _ in spans.values()))
        rollup.seal()
        return rollup

    def _usage(self, change: Change) -> Usage:
        usage: Usage = {}
        as_sent = sum(len(trace.rows) for batch in self._batches for trace in batch.traces.values())
        if not change.deleted and len(change.inserted) == as_sent:
            if len(self._batches) == 1:
                return self._batches[0].usage
            for batch in self._batches:
                add_usage(usage, batch.usage)
            return usage
        for row in change.inserted:
            count_usage(usage, row)
        for row in change.deleted:
            count_usage(usage, row, -1)
        return usage


@dataclass(slots=True)
class _TraceChange:
    """What is new of a trace that exists, and which stored spans lose against which copies.

    `rollup`: as it is stored, with which the spans' are merged.
    """

    trace_id: bytes
    rollup: TraceRollup
    events: "_GatheredEvents | None"
    fresh: list[SpanRow] = field(default_factory=list)
    replaced: list[tuple[SpanRow, SpanRow]] = field(default_factory=list)

    @property
    def needs_chunks(self) -> bool:
        """What is stored has to be read again: a copy wins, or there are log events to be joined."""
        return bool(self.replaced) or self.events is not None or self.rollup.has_events


@dataclass(slots=True)
class _GatheredEvents:
    """The log events of one trace in several requests."""

    chunks: list[Chunk] = field(default_factory=list)
    span_ids: set[bytes] = field(default_factory=set)

    @property
    def start_ns(self) -> int:
        """The earliest moment in them."""
        return min(chunk.start_ns for chunk in self.chunks)

    def contents(self) -> list[Content]:
        return [(chunk.payload, chunk.codec) for chunk in self.chunks]


def _gathered_events(batches: Sequence[PreparedBatch]) -> dict[bytes, _GatheredEvents]:
    gathered: dict[bytes, _GatheredEvents] = {}
    for batch in batches:
        for trace_id, events in batch.events.traces.items():
            found = gathered.setdefault(trace_id, _GatheredEvents())
            if all(chunk.digest != events.chunk.digest for chunk in found.chunks):
                found.chunks.append(events.chunk)
            found.span_ids |= events.span_ids
    return dict(sorted(gathered.items()))


class _Gathered:
    """The spans of one trace in several requests. `rollup` is None when it has to be made from the chunks."""

    __slots__ = ("_is_shared", "chunks", "rollup", "rows")

    def __init__(self, trace: PreparedTrace) -> None:
        self.rows = trace.rows
        self.chunks = {trace.chunk.digest: trace.chunk}
        self.rollup: TraceRollup | None = trace.rollup
        self._is_shared = True

    def add(self, trace: PreparedTrace) -> None:
        """Add the spans of another request."""
        if self._is_shared:
            # A group that fails is stored again request by request: what is prepared stays as it is.
            self.rows = dict(self.rows)
            if self.rollup is not None:
                rollup = TraceRollup(self.rollup.trace_id)
                rollup.merge(self.rollup)
                self.rollup = rollup
            self._is_shared = False
        self.chunks[trace.chunk.digest] = trace.chunk
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

    def contents(self) -> list[Content]:
        """What `winners` reads."""
        return [(chunk.payload, chunk.codec) for chunk in self.chunks.values()]
