"""What is kept of a trace and of an hour, as functions of the set of spans: order, batches and copies do not matter.

A `TraceRollup` is a commutative monoid: sums are integers, everything else is the value of the span with the smallest
rank among those that have one. Merging the rollups of disjoint sets of spans gives the rollup of their union.
"""

from bisect import bisect_right
from collections.abc import Iterable
from operator import add
from typing import Any, NamedTuple, Self

import msgspec

from spectral.domains.traces.preview import preview
from spectral.domains.traces.vocabulary import (
    AGGREGATING,
    LIVE,
    MODEL_CALLS,
    OWN_SERVICE,
    MappedSpan,
    SpanRow,
    SpanStatus,
)

MAXIMUM_MODELS = 20
MAXIMUM_TAGS = 50

LATENCY_BUCKETS = 36
LATENCY_BOUNDS_US = tuple(round(4_000 * 2 ** (index / 2)) for index in range(LATENCY_BUCKETS - 1))
"""Bucket i of the hourly latency histogram holds durations below bound i (µs): 4 ms · √2ⁱ, the last is open."""

NO_NAME = "unknown_service"
"""What an SDK that nobody told sends as its service, perhaps with the name of the program."""

HOUR_NS = 3_600 * 10**9
MAXIMUM_DURATION_US = 30 * 86_400 * 10**6

TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "audio_tokens",
)
_TOKENS = slice(SpanRow._fields.index(TOKEN_COLUMNS[0]), SpanRow._fields.index(TOKEN_COLUMNS[-1]) + 1)
_NO_TOKENS = (None,) * len(TOKEN_COLUMNS)

COUNTER_COLUMNS = (
    "span_count",
    "error_count",
    "root_count",
    "root_error_count",
    *TOKEN_COLUMNS,
    "cost_nano_usd",
    "priced_count",
    "unpriced_count",
    "duration_us",
    *(f"latency_{index:02d}" for index in range(LATENCY_BUCKETS)),
)

_COST = COUNTER_COLUMNS.index("cost_nano_usd")

Rank = tuple[int, int, bytes]
"""(preference, time, span id): smaller goes first. The span id makes it unique within a trace."""

ROOT, SESSION, USER, AGENT, MODE, SERVICE, INPUT, OUTPUT, ERROR, AGGREGATE = range(10)
_SLOTS = 10


class TraceRow(NamedTuple):
    """The rollup of a trace, in the order of the table's columns after `workspace_id`.

    `state` is what is needed to merge further spans into it; nothing else reads it.
    """

    trace_id: bytes
    started_at: int
    ended_at: int
    duration_ns: int
    name: str
    root_span_id: bytes
    status: int
    span_count: int
    error_count: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_tokens: int
    cost_nano_usd: int | None
    unpriced_spans: int
    models: list[str]
    tags: list[str]
    session_id: str | None
    user_id: str | None
    agent_id: str | None
    agent_version: str | None
    mode: str
    service: str | None
    error_type: str | None
    input_preview: str | None
    output_preview: str | None
    state: bytes


class _Content(NamedTuple):
    """Content whose preview is made only if it is the one that is kept."""

    value: Any


class TraceRollup:
    """The rollup of a set of spans of one trace, no two of them copies of one span.

    `has_events`: log events of the trace are stored, which those who add spans to it have to join.
    """

    __slots__ = (
        "cost",
        "ended_at",
        "error_count",
        "has_events",
        "models",
        "picks",
        "priced",
        "span_count",
        "started_at",
        "tags",
        "tokens",
        "trace_id",
        "unpriced",
        "usage_spans",
    )

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id
        self.started_at = 2**63 - 1
        self.ended_at = 0
        self.span_count = 0
        self.error_count = 0
        self.has_events = False
        self.usage_spans = 0
        self.priced = 0
        self.unpriced = 0
        self.tokens = [0] * len(TOKEN_COLUMNS)
        self.cost = 0
        self.models: set[str] = set()
        self.tags: set[str] = set()
        self.picks: list[tuple[Rank, Any] | None] = [None] * _SLOTS

    @classmethod
    def of(cls, trace_id: bytes, spans: Iterable[MappedSpan]) -> Self:
        """The rollup of these spans."""
        rollup = cls(trace_id)
        for span in spans:
            rollup.add(span)
        return rollup

    @classmethod
    def awaiting(cls, trace_id: bytes, moment: int) -> Self:
        """Of a trace of which only log events have come, the first at this moment; shown to nobody."""
        rollup = cls(trace_id)
        rollup.started_at = rollup.ended_at = moment
        rollup.has_events = True
        return rollup

    def add(self, span: MappedSpan) -> None:
        """Add one span that is not in it yet."""
        # Called for every span that comes in: looks at nothing twice and makes no tuple that is not kept.
        row = span.row
        started_at, ended_at, span_id = row.started_at, row.ended_at, row.span_id
        self.span_count += 1
        self.started_at = min(self.started_at, started_at)
        self.ended_at = max(self.ended_at, ended_at)
        picks = self.picks
        below = 0 if row.parent_span_id is None else 1
        rank = (below, started_at, span_id)
        current = picks[ROOT]
        if current is None or rank < current[0]:
            picks[ROOT] = (rank, (row.name, row.status))
        if row.service is not None:
            current = picks[SERVICE]
            if current is None or rank < current[0]:
                picks[SERVICE] = (rank, row.service)
        if row.status == SpanStatus.ERROR:
            self.error_count += 1
            self._offer(ERROR, (0, ended_at, span_id), row.error_type)
        if row.session_id is not None:
            self._offer(SESSION, rank, row.session_id)
        if row.user_id is not None:
            self._offer(USER, rank, row.user_id)
        if row.agent_id is not None:
            preference = below if span.agent_is_explicit else 2 + below
            self._offer(AGENT, (preference, started_at, span_id), (row.agent_id, row.agent_version))
        if row.mode != LIVE:
            self._offer(MODE, rank, row.mode)
        if span.input is not None or span.output is not None:
            self._add_content(span, below)
        if row.model is not None:
            self.models.add(row.model)
        if span.tags:
            self.tags.update(span.tags)
        self._add_usage(row, rank)

    def _add_content(self, span: MappedSpan, below: int) -> None:
        row = span.row
        preference = 0 if not below else 1 if row.kind in MODEL_CALLS or row.kind in AGGREGATING else 2
        if span.input is not None:
            self._offer(INPUT, (preference, row.started_at, row.span_id), _Content(span.input))
        if span.output is not None:
            self._offer(OUTPUT, (preference, -row.ended_at, row.span_id), _Content(span.output))

    def _add_usage(self, row: SpanRow, rank: Rank) -> None:
        used: tuple[int | None, ...] = row[_TOKENS]  # type: ignore[assignment]
        cost = row.cost_nano_usd
        reported = cost is not None or used != _NO_TOKENS
        if row.kind in AGGREGATING:
            # An agent or a chain repeats the usage of the model calls below it: kept apart, shown only without them.
            if reported:
                self._offer(AGGREGATE, rank, ([count or 0 for count in used], cost))
            return
        if reported:
            self.usage_spans += 1
            self.tokens = [total + (count or 0) for total, count in zip(self.tokens, used, strict=True)]
        if cost is not None:
            self.priced += 1
            self.cost += cost
        elif reported or row.kind in MODEL_CALLS:
            self.unpriced += 1

    def replace_content(self, span: MappedSpan) -> None:
        """Take in that a span has more content than when it was added; it has none less."""
        for slot in (INPUT, OUTPUT):
            pick = self.picks[slot]
            if pick is not None and pick[0][2] == span.row.span_id:
                self.picks[slot] = None
        self._add_content(span, 0 if span.row.parent_span_id is None else 1)

    def merge(self, other: "TraceRollup") -> None:
        """Add the spans of another rollup; none of them may be in this one."""
        self.started_at = min(self.started_at, other.started_at)
        self.ended_at = max(self.ended_at, other.ended_at)
        self.span_count += other.span_count
        self.error_count += other.error_count
        self.usage_spans += other.usage_spans
        self.priced += other.priced
        self.unpriced += other.unpriced
        self.cost += other.cost
        self.tokens = list(map(add, self.tokens, other.tokens))
        self.has_events = self.has_events or other.has_events
        self.models |= other.models
        self.tags |= other.tags
        for slot, pick in enumerate(other.picks):
            if pick is not None:
                self._offer(slot, *pick)

    @property
    def agent_by_service(self) -> str | None:
        """The root's service, of a live trace with calls of models or content in which no span names its agent."""
        root, service = self.picks[ROOT], self.picks[SERVICE]
        if root is None or service is None or self.picks[AGENT] is not None or self.picks[MODE] is not None:
            return None
        name: str = service[1]
        # Until the root is there another span may be the first that names one. Runs of workflows are no agents.
        if root[0][0] or service[0][0] or name == OWN_SERVICE or name.startswith(NO_NAME):
            return None
        has_content = any(self.picks[slot] for slot in (AGGREGATE, INPUT, OUTPUT))
        return name if has_content or self.models or self.usage_spans or self.unpriced else None

    def row(self) -> TraceRow:
        """The row to store; makes the previews that are still to be made."""
        self.seal()
        name, status = self._value(ROOT) or ("", SpanStatus.UNSET)
        root = self.picks[ROOT]
        agent, version = self._value(AGENT) or (self.agent_by_service, None)
        aggregate = self._value(AGGREGATE)
        counted, cost = self.tokens, self.cost if self.priced else None
        if not self.usage_spans and aggregate is not None:
            counted, cost = aggregate
        # Truncating to the smallest keeps merging associative.
        models, tags = sorted(self.models)[:MAXIMUM_MODELS], sorted(self.tags)[:MAXIMUM_TAGS]
        return TraceRow(
            trace_id=self.trace_id,
            started_at=self.started_at,
            ended_at=self.ended_at,
            duration_ns=self.ended_at - self.started_at,
            name=name,
            root_span_id=root[0][2] if root is not None else b"",
            status=status,
            span_count=self.span_count,
            error_count=self.error_count,
            input_tokens=counted[0],
            output_tokens=counted[1],
            cache_read_tokens=counted[2],
            cache_write_tokens=counted[3],
            reasoning_tokens=counted[4],
            audio_tokens=counted[5],
            cost_nano_usd=cost,
            unpriced_spans=self.unpriced,
            models=models,
            tags=tags,
            session_id=self._value(SESSION),
            user_id=self._value(USER),
            agent_id=agent,
            agent_version=version,
            mode=self._value(MODE) or LIVE,
            service=self._value(SERVICE),
            error_type=self._value(ERROR),
            input_preview=self._value(INPUT),
            output_preview=self._value(OUTPUT),
            state=self._state(),
        )

    @classmethod
    def stored(cls, row: TraceRow) -> Self:
        """The rollup that was stored as this row."""
        rollup = cls(row.trace_id)
        usage_spans, priced, ranks, aggregate, *has_events = msgspec.msgpack.decode(row.state)
        rollup.has_events = bool(has_events)
        if not row.span_count:
            return rollup
        rollup.started_at, rollup.ended_at = row.started_at, row.ended_at
        rollup.span_count, rollup.error_count = row.span_count, row.error_count
        rollup.usage_spans, rollup.priced, rollup.unpriced = usage_spans, priced, row.unpriced_spans
        if usage_spans:
            rollup.tokens = [getattr(row, name) for name in TOKEN_COLUMNS]
            rollup.cost = row.cost_nano_usd or 0
        rollup.models, rollup.tags = set(row.models), set(row.tags)
        values = {
            ROOT: (row.name, row.status),
            SESSION: row.session_id,
            USER: row.user_id,
            AGENT: (row.agent_id, row.agent_version),
            MODE: row.mode,
            SERVICE: row.service,
            ERROR: row.error_type,
            INPUT: row.input_preview,
            OUTPUT: row.output_preview,
            AGGREGATE: tuple(aggregate) if aggregate is not None else None,
        }
        for slot, rank in enumerate(ranks):
            if rank is not None:
                rollup.picks[slot] = (tuple(rank), values[slot])
        return rollup

    def _state(self) -> bytes:
        ranks = [pick[0] if pick is not None else None for pick in self.picks]
        state = (self.usage_spans, self.priced, ranks, self._value(AGGREGATE))
        return msgspec.msgpack.encode((*state, True) if self.has_events else state)

    def seal(self) -> None:
        for slot, side in ((INPUT, "input"), (OUTPUT, "output")):
            pick = self.picks[slot]
            if pick is not None and isinstance(pick[1], _Content):
                self.picks[slot] = (pick[0], preview(pick[1].value, "input" if side == "input" else "output"))

    def _offer(self, slot: int, rank: Rank, value: Any) -> None:
        current = self.picks[slot]
        if current is None or rank < current[0]:
            self.picks[slot] = (rank, value)

    def _value(self, slot: int) -> Any:
        pick = self.picks[slot]
        return None if pick is None else pick[1]


class UsageKey(NamedTuple):
    """Which row of `usage_hourly` a span counts in; `hour` is the hour's start in nanoseconds, "" is unknown."""

    hour: int
    agent_id: str
    agent_version: str
    model: str
    operation: str
    mode: str


Usage = dict[UsageKey, list[int]]
"""Counters by key, in the order of `COUNTER_COLUMNS`."""


def count_usage(usage: Usage, row: SpanRow, sign: int = 1) -> None:
    """Add one span to the hourly counters, or take it out again (sign −1).

    Spans of kind agent and chain count under their own operation, where their tokens repeat those of model calls.
    """
    started_at = row.started_at
    # A plain tuple finds the same entry as the named one, and is made in a fraction of the time.
    key: Any = (
        started_at - started_at % HOUR_NS,
        row.agent_id or "",
        row.agent_version or "",
        row.model or "",
        row.operation,
        row.mode,
    )
    counters = usage.get(key)
    if counters is None:
        counters = usage[UsageKey(*key)] = [0] * len(COUNTER_COLUMNS)
    counters[0] += sign
    failed = row.status == SpanStatus.ERROR
    if failed:
        counters[1] += sign
    if row.parent_span_id is None:
        counters[2] += sign
        if failed:
            counters[3] += sign
    used: tuple[int | None, ...] = row[_TOKENS]  # type: ignore[assignment]
    if used != _NO_TOKENS:
        for index, count in enumerate(used, start=4):
            if count:
                counters[index] += sign * count
    cost = row.cost_nano_usd
    if cost is not None:
        counters[_COST] += sign * cost
        counters[_COST + 1] += sign
    elif used != _NO_TOKENS or row.kind in MODEL_CALLS:
        counters[_COST + 2] += sign
    duration_us = min((row.ended_at - started_at) // 1000, MAXIMUM_DURATION_US)
    counters[_COST + 3] += sign * duration_us
    counters[_COST + 4 + bisect_right(LATENCY_BOUNDS_US, duration_us)] += sign


def add_usage(usage: Usage, other: Usage) -> None:
    """Add counters to counters."""
    for key, counters in other.items():
        mine = usage.get(key)
        if mine is None:
            usage[key] = list(counters)
        else:
            usage[key] = list(map(add, mine, counters))
