"""What the statements of both databases are made of: columns in the order of the rows, JSON columns as text."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any, cast

import msgspec
import sqlalchemy as sa

from spectral.domains.traces.ingestion.chunks import Chunk
from spectral.domains.traces.ingestion.content_counts import ContentCounts, add_content
from spectral.domains.traces.ingestion.rollup import COUNTER_COLUMNS, TraceRow, Usage, UsageKey
from spectral.domains.traces.ingestion.storage import Received
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace
from spectral.domains.traces.vocabulary import SpanRow

SPAN = cast("sa.Table", SpanRecord.__table__)
CHUNK = cast("sa.Table", SpanChunk.__table__)
TRACE = cast("sa.Table", Trace.__table__)
USAGE = USAGE_HOURLY

COLUMNS: dict[str, tuple[str, ...]] = {
    "span": SpanRow._fields,
    "span_chunk": Chunk._fields,
    "trace": (*TraceRow._fields, "chunk_count"),
    "usage_hourly": (*UsageKey._fields, *COUNTER_COLUMNS),
}
"""What is written of each table, besides the workspace."""

SPAN_KEY = ("trace_id", "span_id", "started_at")
TRACE_ROLLUP = TraceRow._fields[1:]
USAGE_KEY = UsageKey._fields
RECEIVED = ("requests", "accepted_spans", "duplicate_spans", "received_bytes", "accepted_log_records")

STATISTICS_KEPT = timedelta(days=31)

_MODELS = TraceRow._fields.index("models")
_TAGS = TraceRow._fields.index("tags")


def trace_values(row: TraceRow, chunks: int) -> tuple[Any, ...]:
    """A row of `trace`, its lists as JSON text. `chunks`: that it has, or that are added to those it has."""
    return (*row[:_MODELS], compact_json(row.models), compact_json(row.tags), *row[_TAGS + 1 :], chunks)


def stored_trace(values: Sequence[Any]) -> TraceRow:
    """A rollup as it was read, its lists as JSON text or already read."""
    row = list(values)
    for index in (_MODELS, _TAGS):
        if isinstance(row[index], str):
            row[index] = msgspec.json.decode(row[index])
    return TraceRow(*row)


def compact_json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def usage_values(usage: Usage) -> list[tuple[Any, ...]]:
    """One tuple per row of `usage_hourly`, in the order of their keys."""
    return [(*key, *usage[key]) for key in sorted(usage)]


def emptied(usage: Usage) -> list[UsageKey]:
    """The rows that may have nothing left in them, in the order of their keys."""
    return sorted(key for key, counters in usage.items() if counters[0] <= 0)


def merged_counts(rejected: str, content: str, received: Received) -> tuple[str, str] | None:
    """The rejections and content counts of a minute with what was received, as JSON text; None where nothing changes.

    rejected, content: as they are stored, as text.
    """
    if not received.rejected and not received.content:
        return None
    reasons: dict[str, int] = msgspec.json.decode(rejected)
    for reason, count in received.rejected.items():
        reasons[reason] = reasons.get(reason, 0) + count
    scopes: ContentCounts = msgspec.json.decode(content)
    add_content(scopes, received.content)
    return compact_json(reasons), compact_json(scopes)


def listed(names: Iterable[str], form: str = "{0}") -> str:
    """The names, each in `form`, with commas between them."""
    return ", ".join(form.format(name) for name in names)
