"""What the statements of both databases are made of: columns in the order of the rows, JSON columns as text."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from spectral.domains.traces.chunks import Chunk
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace, TraceIngestion
from spectral.domains.traces.rollup import COUNTER_COLUMNS, TraceRow, Usage, UsageKey
from spectral.domains.traces.storage import Received
from spectral.domains.traces.vocabulary import SpanRow

SPAN = cast("sa.Table", SpanRecord.__table__)
CHUNK = cast("sa.Table", SpanChunk.__table__)
TRACE = cast("sa.Table", Trace.__table__)
INGESTION = cast("sa.Table", TraceIngestion.__table__)
USAGE = USAGE_HOURLY

COLUMNS: dict[str, tuple[str, ...]] = {
    "span": SpanRow._fields,
    "span_chunk": Chunk._fields,
    "trace": TraceRow._fields,
    "usage_hourly": (*UsageKey._fields, *COUNTER_COLUMNS),
}

STATISTICS_KEPT = timedelta(days=31)

_MODELS = TraceRow._fields.index("models")
_TAGS = TraceRow._fields.index("tags")


def trace_values(row: TraceRow) -> tuple[Any, ...]:
    """A row with its lists as JSON text."""
    return (*row[:_MODELS], compact_json(row.models), compact_json(row.tags), *row[_TAGS + 1 :])


def stored_trace(values: Sequence[Any]) -> TraceRow:
    """A row as it was read, its lists as JSON text or already read."""
    row = list(values)
    for index in (_MODELS, _TAGS):
        if isinstance(row[index], str):
            row[index] = json.loads(row[index])
    return TraceRow(*row)


def compact_json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def usage_values(usage: Usage) -> list[tuple[Any, ...]]:
    """One tuple per row of `usage_hourly`, in the order of their keys."""
    return [(*key, *usage[key]) for key in sorted(usage)]


def listed(names: Iterable[str], form: str = "{0}") -> str:
    """The names, each in `form`, with commas between them."""
    return ", ".join(form.format(name) for name in names)


async def add_received(
    connection: AsyncConnection, workspace_id: UUID, received: Received, now: datetime, *, is_sqlite: bool
) -> None:
    """Add to the minute's row; a minute's first row also removes those older than 31 days."""
    insert = sqlite.insert if is_sqlite else postgresql.insert
    minute = now.replace(second=0, microsecond=0)
    statement = insert(INGESTION).values(
        workspace_id=workspace_id,
        minute=minute,
        requests=received.requests,
        accepted_spans=received.accepted_spans,
        duplicate_spans=received.duplicate_spans,
        received_bytes=received.received_bytes,
        rejected={},
        last_seen_at=now,
    )
    added = ("requests", "accepted_spans", "duplicate_spans", "received_bytes")
    upsert = statement.on_conflict_do_update(
        index_elements=["workspace_id", "minute"],
        set_={name: INGESTION.c[name] + statement.excluded[name] for name in added} | {"last_seen_at": now},
    ).returning(INGESTION.c.requests, INGESTION.c.rejected)
    requests, rejected = (await connection.execute(upsert)).one()
    row = sa.and_(INGESTION.c.workspace_id == workspace_id, INGESTION.c.minute == minute)
    if received.rejected:
        for reason, count in received.rejected.items():
            rejected[reason] = rejected.get(reason, 0) + count
        await connection.execute(sa.update(INGESTION).where(row).values(rejected=rejected))
    if requests == received.requests:
        old = sa.and_(INGESTION.c.workspace_id == workspace_id, INGESTION.c.minute < now - STATISTICS_KEPT)
        await connection.execute(sa.delete(INGESTION).where(old))
