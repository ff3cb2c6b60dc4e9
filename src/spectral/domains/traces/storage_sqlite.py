"""The statements of span ingestion on SQLite. One transaction writes at a time, so nothing needs to be locked."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from spectral.domains.traces.chunks import Chunk
from spectral.domains.traces.rollup import COUNTER_COLUMNS, TraceRow, Usage, UsageKey
from spectral.domains.traces.storage import Received, SpanKey
from spectral.domains.traces.storage_statements import (
    COLUMNS,
    add_received,
    listed,
    stored_trace,
    trace_values,
    usage_values,
)
from spectral.domains.traces.vocabulary import SpanRow

MAXIMUM_KEYS = 400
"""In one statement; older builds of SQLite take 999 parameters."""

T = TypeVar("T")


def _insert(table: str) -> str:
    columns = ("workspace_id", *COLUMNS[table])
    return f"INSERT INTO {table} ({listed(columns)}) VALUES ({listed(columns, '?')})"  # noqa: S608 - our own names


_TRACE_ROLLUP = [name for name in COLUMNS["trace"] if name != "trace_id"]

INSERT_SPAN = _insert("span")
INSERT_CHUNK = _insert("span_chunk") + " ON CONFLICT DO NOTHING"
INSERT_TRACE = _insert("trace")
UPDATE_TRACE = (
    _insert("trace")
    + " ON CONFLICT (workspace_id, trace_id) DO UPDATE SET "
    + listed(_TRACE_ROLLUP, "{0} = excluded.{0}")
)
ADD_USAGE = (
    _insert("usage_hourly")
    + f" ON CONFLICT (workspace_id, {listed(UsageKey._fields)}) DO UPDATE SET "
    + listed(COUNTER_COLUMNS, "{0} = {0} + excluded.{0}")
)
DELETE_SPAN = "DELETE FROM span WHERE workspace_id = ? AND trace_id = ? AND span_id = ? AND started_at = ?"
REMOVE_USAGE = (
    "DELETE FROM usage_hourly WHERE workspace_id = ? AND span_count = 0 AND "  # noqa: S608 - our own names
    + " AND ".join(f"{name} = ?" for name in UsageKey._fields)
)
SELECT_TRACES = f"SELECT {listed(COLUMNS['trace'])} FROM trace WHERE workspace_id = ? AND trace_id IN "  # noqa: S608
# CROSS JOIN keeps the order: left to itself SQLite reads every span of the workspace.
FIND_SPANS = (
    f"SELECT {listed(COLUMNS['span'], 's.{0}')} FROM k CROSS JOIN span s "  # noqa: S608 - our own names
    "ON s.workspace_id = ? AND s.trace_id = k.trace_id AND s.span_id = k.span_id"
)
SELECT_CHUNKS = "SELECT payload, codec FROM span_chunk WHERE workspace_id = ? AND trace_id = ?"


class SqliteSpanStore:
    """A `SpanStore` on one connection, inside `BEGIN IMMEDIATE`."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enter(self, workspace_id: UUID) -> None:
        """Nothing to do: the statements name the workspace."""

    async def claim_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> dict[bytes, TraceRow]:
        existing: dict[bytes, TraceRow] = {}
        for keys in _slices([row.trace_id for row in rows]):
            statement = f"{SELECT_TRACES}({_repeated('?', len(keys))})"
            found = await self._connection.exec_driver_sql(statement, (workspace_id.hex, *keys))
            existing |= {values[0]: stored_trace(values) for values in found}
        fresh = [row for row in rows if row.trace_id not in existing]
        await self._many(INSERT_TRACE, workspace_id, [trace_values(row) for row in fresh])
        return existing

    async def find_spans(
        self, workspace_id: UUID, keys: Sequence[SpanKey], window: tuple[int, int]
    ) -> dict[SpanKey, SpanRow]:
        del window
        found: dict[SpanKey, SpanRow] = {}
        for part in _slices(keys):
            statement = f"WITH k (trace_id, span_id) AS (VALUES {_repeated('(?, ?)', len(part))}) {FIND_SPANS}"
            parameters = (*(value for key in part for value in key), workspace_id.hex)
            for values in await self._connection.exec_driver_sql(statement, parameters):
                row = SpanRow(*values)
                found[row.trace_id, row.span_id] = row
        return found

    async def find_chunks(self, workspace_id: UUID, trace_id: bytes) -> list[tuple[bytes, int]]:
        found = await self._connection.exec_driver_sql(SELECT_CHUNKS, (workspace_id.hex, trace_id))
        return [(values[0], values[1]) for values in found]

    async def delete_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None:
        await self._many(DELETE_SPAN, workspace_id, [row[:3] for row in rows])

    async def insert_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None:
        await self._many(INSERT_SPAN, workspace_id, rows)

    async def insert_chunks(self, workspace_id: UUID, chunks: Sequence[Chunk]) -> None:
        await self._many(INSERT_CHUNK, workspace_id, chunks)

    async def update_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> None:
        await self._many(UPDATE_TRACE, workspace_id, [trace_values(row) for row in rows])

    async def add_usage(self, workspace_id: UUID, usage: Usage) -> None:
        await self._many(ADD_USAGE, workspace_id, usage_values(usage))
        await self._many(REMOVE_USAGE, workspace_id, [key for key in sorted(usage) if usage[key][0] <= 0])

    async def add_received(self, workspace_id: UUID, received: Received, now: datetime) -> None:
        await add_received(self._connection, workspace_id, received, now, is_sqlite=True)

    async def _many(self, statement: str, workspace_id: UUID, rows: Sequence[tuple[Any, ...]]) -> None:
        if rows:
            workspace = (workspace_id.hex,)
            await self._connection.exec_driver_sql(statement, [workspace + row for row in rows])


def _repeated(form: str, count: int) -> str:
    return ", ".join([form] * count)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), MAXIMUM_KEYS):
        yield items[start : start + MAXIMUM_KEYS]
