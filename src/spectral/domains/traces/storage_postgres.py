"""The statements of span ingestion on PostgreSQL: one per table and transaction, its rows as arrays.

They run under row-level security, so one connection can write for several workspaces only by naming each in turn.
Rows are locked in the order of their keys: all new traces first, in one statement, then all existing ones.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from spectral.domains.traces.chunks import Chunk
from spectral.domains.traces.rollup import COUNTER_COLUMNS, TraceRow, Usage, UsageKey
from spectral.domains.traces.storage import Received, SpanKey
from spectral.domains.traces.storage_statements import (
    CHUNK,
    COLUMNS,
    SPAN,
    TRACE,
    USAGE,
    add_received,
    listed,
    stored_trace,
    trace_values,
    usage_values,
)
from spectral.domains.traces.vocabulary import SpanRow
from spectral.platform.db.base import Json
from spectral.platform.db.policies import WORKSPACE_SETTING

_ARRAYS: tuple[tuple[type[sa.types.TypeEngine[Any]], str], ...] = (
    (sa.LargeBinary, "bytea"),
    (sa.SmallInteger, "smallint"),
    (sa.BigInteger, "bigint"),
    (sa.Integer, "integer"),
    (sa.Text, "text"),
)


def _array_type(column: sa.Column[Any]) -> str:
    if column.type is Json:
        return "text"
    kind = column.type.impl_instance if isinstance(column.type, sa.types.TypeDecorator) else column.type
    return next(name for python, name in _ARRAYS if isinstance(kind, python))


def _insert(table: sa.Table) -> str:
    names = COLUMNS[table.name]
    arrays = listed(f"${number}::{_array_type(table.c[name])}[]" for number, name in enumerate(names, start=2))
    values = listed(f"t.{name}::jsonb" if table.c[name].type is Json else f"t.{name}" for name in names)
    return (
        f"INSERT INTO {table.name} (workspace_id, {listed(names)}) "  # noqa: S608 - our own names
        f"SELECT $1::uuid, {values} FROM unnest({arrays}) AS t({listed(names)})"
    )


_TRACE_ROLLUP = [name for name in COLUMNS["trace"] if name != "trace_id"]
_USAGE_KEY = listed(UsageKey._fields)
_TRACE_LISTED = listed(f"{name}::text" if TRACE.c[name].type is Json else name for name in COLUMNS["trace"])

INSERT_SPANS = _insert(SPAN)
INSERT_CHUNKS = _insert(CHUNK) + " ON CONFLICT DO NOTHING"
INSERT_TRACES = _insert(TRACE) + " ON CONFLICT DO NOTHING RETURNING trace_id"
UPDATE_TRACES = (
    _insert(TRACE)
    + " ON CONFLICT (workspace_id, trace_id) DO UPDATE SET "
    + listed(_TRACE_ROLLUP, "{0} = excluded.{0}")
)
ADD_USAGE = (
    _insert(USAGE)
    + f" ON CONFLICT (workspace_id, {_USAGE_KEY}) DO UPDATE SET "
    + listed(COUNTER_COLUMNS, "{0} = usage_hourly.{0} + excluded.{0}")
)
LOCK_TRACES = (
    f"SELECT {_TRACE_LISTED} FROM trace WHERE workspace_id = $1::uuid "  # noqa: S608 - our own names
    "AND trace_id = ANY($2::bytea[]) ORDER BY trace_id FOR UPDATE"
)
FIND_SPANS = (
    f"SELECT {listed(COLUMNS['span'], 's.{0}')} FROM unnest($2::bytea[], $3::bytea[]) AS k(trace_id, span_id) "  # noqa: S608
    "JOIN span s ON s.workspace_id = $1::uuid AND s.trace_id = k.trace_id AND s.span_id = k.span_id "
    "AND s.started_at BETWEEN $4::bigint AND $5::bigint"
)
FIND_CHUNKS = "SELECT payload, codec FROM span_chunk WHERE workspace_id = $1::uuid AND trace_id = $2::bytea"
DELETE_SPANS = (
    "DELETE FROM span s USING unnest($2::bytea[], $3::bytea[], $4::bigint[]) AS k(trace_id, span_id, started_at) "
    "WHERE s.workspace_id = $1::uuid AND s.trace_id = k.trace_id AND s.span_id = k.span_id "
    "AND s.started_at = k.started_at"
)
REMOVE_USAGE = (
    "DELETE FROM usage_hourly u USING unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) "  # noqa: S608
    f"AS k({_USAGE_KEY}) WHERE u.workspace_id = $1::uuid AND u.span_count = 0 AND "
    + " AND ".join(f"u.{name} = k.{name}" for name in UsageKey._fields)
)


class PostgresSpanStore:
    """A `SpanStore` on one connection, inside a transaction that names the workspace."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def enter(self, workspace_id: UUID) -> None:
        statement = "SELECT set_config($1::text, $2::text, true)"
        await self._connection.exec_driver_sql(statement, (WORKSPACE_SETTING, str(workspace_id)))

    async def claim_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> dict[bytes, TraceRow]:
        values = [trace_values(row) for row in sorted(rows, key=lambda row: row.trace_id)]
        created = await self._run(INSERT_TRACES, workspace_id, _columns(values))
        fresh = {found[0] for found in created}
        others = [row.trace_id for row in rows if row.trace_id not in fresh]
        if not others:
            return {}
        found = await self._run(LOCK_TRACES, workspace_id, (others,))
        return {values[0]: stored_trace(values) for values in found}

    async def find_spans(
        self, workspace_id: UUID, keys: Sequence[SpanKey], window: tuple[int, int]
    ) -> dict[SpanKey, SpanRow]:
        found = await self._run(FIND_SPANS, workspace_id, (*_columns(keys), *window))
        rows = (SpanRow(*values) for values in found)
        return {(row.trace_id, row.span_id): row for row in rows}

    async def find_chunks(self, workspace_id: UUID, trace_id: bytes) -> list[tuple[bytes, int]]:
        found = await self._run(FIND_CHUNKS, workspace_id, (trace_id,))
        return [(values[0], values[1]) for values in found]

    async def delete_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None:
        keys = [(row.trace_id, row.span_id, row.started_at) for row in rows]
        await self._run(DELETE_SPANS, workspace_id, _columns(keys))

    async def insert_spans(self, workspace_id: UUID, rows: Sequence[SpanRow]) -> None:
        await self._run(INSERT_SPANS, workspace_id, _columns(rows))

    async def insert_chunks(self, workspace_id: UUID, chunks: Sequence[Chunk]) -> None:
        await self._run(INSERT_CHUNKS, workspace_id, _columns(chunks))

    async def update_traces(self, workspace_id: UUID, rows: Sequence[TraceRow]) -> None:
        await self._run(UPDATE_TRACES, workspace_id, _columns([trace_values(row) for row in rows]))

    async def add_usage(self, workspace_id: UUID, usage: Usage) -> None:
        if not usage:
            return
        await self._run(ADD_USAGE, workspace_id, _columns(usage_values(usage)))
        emptied = [key for key in sorted(usage) if usage[key][0] <= 0]
        if emptied:
            await self._run(REMOVE_USAGE, workspace_id, _columns(emptied))

    async def add_received(self, workspace_id: UUID, received: Received, now: datetime) -> None:
        await add_received(self._connection, workspace_id, received, now, is_sqlite=False)

    async def _run(self, statement: str, workspace_id: UUID, arrays: Iterable[Any]) -> sa.CursorResult[Any]:
        return await self._connection.exec_driver_sql(statement, (workspace_id, *arrays))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list per column, which asyncpg sends as arrays."""
    return [list(column) for column in zip(*rows, strict=True)]
