"""All narrow rows of one trace in one answer, parents before children: what a waterfall draws."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec

from spectral.domains.traces.models import Trace
from spectral.domains.traces.moments import rfc3339_ns
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.shared.money import nano_to_usd

MAXIMUM_ROWS = 10_000
MILLISECOND = 1_000_000

Hex = Annotated[str, msgspec.Meta(description="lower-case hexadecimal", examples=["eee19b7ec3c1b174"])]


class TreeSpan(msgspec.Struct, omit_defaults=True, frozen=True):
    """A span; what is not known is left out.

    `depth` counts from 0 at a root. `is_orphan`: it names a parent that is not there; it stands as a root.
    `offset_ms` is its start after that of the trace.
    """

    span_id: Hex
    name: str
    kind: str
    operation: str
    status: str
    offset_ms: float
    duration_ms: float
    depth: int
    parent_span_id: Hex | None = None
    is_orphan: bool = False
    provider: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    audio_tokens: int | None = None
    cost_usd: Annotated[str, msgspec.Meta(description="decimal, US dollars")] | None = None
    tool_name: str | None = None
    error_type: str | None = None
    agent_id: str | None = None
    agent_version: str | None = None
    service: str | None = None


class TraceTree(msgspec.Struct, frozen=True):
    """A trace's spans, each followed by the spans below it; siblings in the order of their start.

    `is_cut`: the trace has more than the 10,000 spans that are here, which are the first to start.
    """

    trace_id: Hex
    started_at: Annotated[str, msgspec.Meta(description="RFC 3339 with nine decimals")]
    duration_ms: float
    span_count: int
    is_cut: bool
    spans: list[TreeSpan]


def tree_of(trace: Trace, rows: Sequence[Any]) -> TraceTree:
    """The tree of these spans, which are in the order of their start."""
    return TraceTree(
        trace_id=trace.trace_id.hex(),
        started_at=rfc3339_ns(trace.started_at),
        duration_ms=trace.duration_ns / MILLISECOND,
        span_count=trace.span_count,
        is_cut=trace.span_count > len(rows),
        spans=[_node(row, depth, trace.started_at, is_orphan=is_orphan) for row, depth, is_orphan in _in_order(rows)],
    )


def _in_order(rows: Sequence[Any]) -> Iterator[tuple[Any, int, bool]]:
    """Depth first. Spans that are each other's parents are reached from no root; they follow as roots."""
    known = {row.span_id for row in rows}
    below: dict[bytes, list[Any]] = {}
    roots = []
    for row in rows:
        if row.parent_span_id in known:
            below.setdefault(row.parent_span_id, []).append(row)
        else:
            roots.append(row)
    seen: set[bytes] = set()
    for root in [*roots, *rows]:
        waiting = [(root, 0)]
        while waiting:
            row, depth = waiting.pop()
            if row.span_id in seen:
                continue
            seen.add(row.span_id)
            yield row, depth, depth == 0 and row.parent_span_id is not None
            waiting += [(child, depth + 1) for child in reversed(below.get(row.span_id, ()))]


def _node(row: Any, depth: int, start: int, *, is_orphan: bool) -> TreeSpan:
    cost, parent = row.cost_nano_usd, row.parent_span_id
    return TreeSpan(
        span_id=row.span_id.hex(),
        name=row.name,
        kind=row.kind,
        operation=row.operation,
        status=SpanStatus.NAMES[row.status],
        offset_ms=(row.started_at - start) / MILLISECOND,
        duration_ms=(row.ended_at - row.started_at) / MILLISECOND,
        depth=depth,
        parent_span_id=None if parent is None else parent.hex(),
        is_orphan=is_orphan,
        provider=row.provider,
        model=row.model,
        input_tokens=row.input_tokens,
        output_tokens=row.output_tokens,
        cache_read_tokens=row.cache_read_tokens,
        cache_write_tokens=row.cache_write_tokens,
        reasoning_tokens=row.reasoning_tokens,
        audio_tokens=row.audio_tokens,
        cost_usd=None if cost is None else nano_to_usd(cost),
        tool_name=row.tool_name,
        error_type=row.error_type,
        agent_id=row.agent_id,
        agent_version=row.agent_version,
        service=row.service,
    )
