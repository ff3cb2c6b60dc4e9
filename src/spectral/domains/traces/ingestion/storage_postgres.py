"""Spans into PostgreSQL: one statement per table and transaction, on a connection that the writer keeps.

Spans and the chunks of new traces are copied in, binary, which costs both sides half of what an INSERT costs. `COPY` is
refused to a role that row-level security binds (an installation with a single role); such a one inserts arrays, naming
each workspace to its transaction in turn.

Rows are locked in the order of their keys: all new traces first, in one statement, then all existing ones.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from spectral.domains.traces.ingestion.chunks import Chunk
from spectral.domains.traces.ingestion.rollup import COUNTER_COLUMNS, TraceRow, Usage
from spectral.domains.traces.ingestion.storage import Content, Lookup, Part, Received, SpanKey, Storing
from spectral.domains.traces.ingestion.storage_statements import (
    CHUNK,
    COLUMNS,
    RECEIVED,
    SPAN,
    SPAN_KEY,
    STATISTICS_KEPT,
    TRACE,
    TRACE_ROLLUP,
    USAGE,
    USAGE_KEY,
    emptied,
    listed,
    merged_counts,
    stored_trace,
    trace_values,
    usage_values,
)
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.vocabulary import SpanRow
from spectral.platform.db.base import Json
from spectral.platform.db.policies import WORKSPACE_SETTING
from spectral.platform.db.session import Database

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


_TRACE_LISTED = listed(f"{name}::text" if TRACE.c[name].type is Json else name for name in TraceRow._fields)

MAY_COPY = "SELECT NOT row_security_active('span') AND NOT row_security_active('span_chunk')"
ENTER = f"SELECT set_config('{WORKSPACE_SETTING}', $1::text, true)"
INSERT_SPANS = _insert(SPAN)
INSERT_CHUNKS = _insert(CHUNK) + " ON CONFLICT DO NOTHING RETURNING trace_id"
INSERT_TRACES = _insert(TRACE) + " ON CONFLICT DO NOTHING RETURNING trace_id"
UPDATE_TRACES = (
    _insert(TRACE)
    + " ON CONFLICT (workspace_id, trace_id) DO UPDATE SET "
    + listed(TRACE_ROLLUP, "{0} = excluded.{0}")
    + ", chunk_count = trace.chunk_count + excluded.chunk_count"
)
ADD_USAGE = (
    _insert(USAGE)
    + f" ON CONFLICT (workspace_id, {listed(USAGE_KEY)}) DO UPDATE SET "
    + listed(COUNTER_COLUMNS, "{0} = usage_hourly.{0} + excluded.{0}")
)
REMOVE_USAGE = (
    "DELETE FROM usage_hourly u USING unnest($2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) "  # noqa: S608
    f"AS k({listed(USAGE_KEY)}) WHERE u.workspace_id = $1::uuid AND u.span_count = 0 AND "
    + " AND ".join(f"u.{name} = k.{name}" for name in USAGE_KEY)
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
    f"DELETE FROM span s USING unnest($2::bytea[], $3::bytea[], $4::bigint[]) AS k({listed(SPAN_KEY)}) "  # noqa: S608
    "WHERE s.workspace_id = $1::uuid AND s.trace_id = k.trace_id AND s.span_id = k.span_id "
    "AND s.started_at = k.started_at"
)
NOTE_ARRIVALS = (
    "INSERT INTO trace_arrival (workspace_id, trace_id, seen_at) SELECT $1::uuid, k, $3::timestamptz "
    "FROM unnest($2::bytea[]) AS k ON CONFLICT (workspace_id, trace_id) DO UPDATE SET seen_at = excluded.seen_at"
)
_RECEIVED_PLACES = [str(place) for place in range(3, 3 + len(RECEIVED))]
ADD_RECEIVED = (
    f"INSERT INTO trace_ingestion (workspace_id, minute, {listed(RECEIVED)}, rejected, last_seen_at) "  # noqa: S608
    f"VALUES ($1::uuid, $2::timestamptz, {listed(_RECEIVED_PLACES, '${0}::bigint')}, '{{}}', "
    f"${3 + len(RECEIVED)}::timestamptz) "
    "ON CONFLICT (workspace_id, minute) DO UPDATE SET "
    + listed(RECEIVED, "{0} = trace_ingestion.{0} + excluded.{0}")
    + ", last_seen_at = excluded.last_seen_at RETURNING requests, rejected::text, content::text"
)
SET_COUNTS = (
    "UPDATE trace_ingestion SET rejected = $3::text::jsonb, content = $4::text::jsonb "
    "WHERE workspace_id = $1::uuid AND minute = $2::timestamptz"
)
FORGET_RECEIVED = "DELETE FROM trace_ingestion WHERE workspace_id = $1::uuid AND minute < $2::timestamptz"


class PostgresSpanWriter:
    """A `SpanWriter` on one connection, taken from the database's pool when it is needed and kept until it breaks."""

    def __init__(self, database: Database, mapper: SpanMapper) -> None:
        self._database = database
        self._mapper = mapper
        self._held: AsyncConnection | None = None
        self._is_bound = True

    async def write(self, parts: Sequence[Part], now: datetime) -> None:
        try:
            connection = await self._connection()
            try:
                await self._store(connection, parts, now, clears=False)
            except asyncpg.UniqueViolationError:
                # A span or chunk that no trace knows of: there should be none, but it must not be in the way for ever.
                await self._store(connection, parts, now, clears=True)
        except asyncpg.PostgresError:
            # The server has answered, so the connection is usable, unless the answer was that it ends.
            if self._held is not None and (await self._driver(self._held)).is_closed():
                await self._drop()
            raise
        except BaseException:
            await self._drop()
            raise

    async def close(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            await held.close()

    async def _connection(self) -> asyncpg.Connection:
        if self._held is None:
            self._held = await self._database.writer.connect()
            driver = await self._driver(self._held)
            self._is_bound = not await driver.fetchval(MAY_COPY)
            return driver
        return await self._driver(self._held)

    async def _driver(self, held: AsyncConnection) -> asyncpg.Connection:
        return cast("asyncpg.Connection", (await held.get_raw_connection()).driver_connection)

    async def _drop(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            # Not given back: whatever it was in the middle of, nobody else may find it there.
            await held.invalidate()
            await held.close()

    async def _store(
        self, connection: asyncpg.Connection, parts: Sequence[Part], now: datetime, *, clears: bool
    ) -> None:
        async with connection.transaction():
            for part in parts:
                if self._is_bound:
                    await connection.execute(ENTER, str(part.workspace_id))
                transaction = _Transaction(connection, part.workspace_id, copies=not self._is_bound, clears=clears)
                await transaction.store(part, self._mapper, now)


class _Transaction:
    """The statements of one workspace in an open transaction.

    copies: instead of inserting.  clears: the way first, for spans and chunks that are there without their trace.
    """

    def __init__(self, connection: asyncpg.Connection, workspace_id: UUID, *, copies: bool, clears: bool) -> None:
        self._connection = connection
        self._workspace_id = workspace_id
        self._copies = copies
        self._clears = clears

    async def store(self, part: Part, mapper: SpanMapper, now: datetime) -> None:
        storing = Storing(part.batches, mapper)
        if storing.trace_ids:
            existing = await self._claim_traces(storing)
            lookup = storing.look_up(existing)
            replaced = storing.compare(await self._find_spans(lookup) if lookup is not None else {})
            change = storing.finish({trace_id: await self._find_chunks(trace_id) for trace_id in replaced})
            await self._many(DELETE_SPANS, [row[:3] for row in change.deleted])
            if self._clears:
                await self._many(DELETE_SPANS, [row[:3] for row in change.inserted])
            if self._copies:
                await self._copy("span", change.inserted)
            else:
                await self._many(INSERT_SPANS, change.inserted)
            if self._copies and not self._clears:
                await self._copy("span_chunk", change.first_chunks)
            else:
                await self._add_chunks(change.first_chunks)
            added = await self._add_chunks(change.further_chunks)
            await self._add_chunks(change.event_chunks)
            await self._many(UPDATE_TRACES, [trace_values(row, added.get(row.trace_id, 0)) for row in change.traces])
            await self._many(ADD_USAGE, usage_values(change.usage))
            await self._many(REMOVE_USAGE, emptied(change.usage))
            if part.is_watched and change.arrived:
                await self._run(NOTE_ARRIVALS, change.arrived, now)
        await self._add_received(storing.received, now)

    async def _claim_traces(self, storing: Storing) -> dict[bytes, TraceRow]:
        """Insert the traces that do not exist, lock the others until the commit; answers the others as stored."""
        existing: dict[bytes, TraceRow] = {}
        waiting = [trace_values(*trace) for trace in storing.new_traces()]
        while waiting:
            fresh = {found[0] for found in await self._many(INSERT_TRACES, waiting)}
            waiting = [values for values in waiting if values[0] not in fresh]
            if waiting:
                locked = await self._run(LOCK_TRACES, [values[0] for values in waiting])
                existing |= {values[0]: stored_trace(tuple(values)) for values in locked}
                # One that was deleted between the two statements is new after all.
                waiting = [values for values in waiting if values[0] not in existing]
        return existing

    async def _find_spans(self, lookup: Lookup) -> dict[SpanKey, SpanRow]:
        found = await self._run(FIND_SPANS, *_columns(lookup.keys), *lookup.window)
        rows = (SpanRow(*values) for values in found)
        return {(row.trace_id, row.span_id): row for row in rows}

    async def _find_chunks(self, trace_id: bytes) -> list[Content]:
        return [(values[0], values[1]) for values in await self._run(FIND_CHUNKS, trace_id)]

    async def _add_chunks(self, chunks: Sequence[Chunk]) -> dict[bytes, int]:
        """How many were added to each trace; those that are there already are not."""
        added: dict[bytes, int] = {}
        for (trace_id,) in await self._many(INSERT_CHUNKS, chunks):
            added[trace_id] = added.get(trace_id, 0) + 1
        return added

    async def _add_received(self, received: Received, now: datetime) -> None:
        minute = now.replace(second=0, microsecond=0)
        ((requests, rejected, content),) = await self._run(
            ADD_RECEIVED, minute, *(getattr(received, name) for name in RECEIVED), now
        )
        counts = merged_counts(rejected, content, received)
        if counts is not None:
            await self._run(SET_COUNTS, minute, *counts)
        if requests == received.requests:
            # The first of its minute removes what is old.
            await self._run(FORGET_RECEIVED, now - STATISTICS_KEPT)

    async def _copy(self, table: str, rows: Iterable[tuple[Any, ...]]) -> None:
        if rows:
            workspace = (self._workspace_id,)
            await self._connection.copy_records_to_table(
                table, records=[workspace + row for row in rows], columns=["workspace_id", *COLUMNS[table]]
            )

    async def _many(self, statement: str, rows: Sequence[Sequence[Any]]) -> list[asyncpg.Record]:
        return await self._run(statement, *_columns(rows)) if rows else []

    async def _run(self, statement: str, *parameters: Any) -> list[asyncpg.Record]:
        found: list[asyncpg.Record] = await self._connection.fetch(statement, self._workspace_id, *parameters)
        return found


async def add_usage(connection: AsyncConnection, workspace_id: UUID, usage: Usage) -> None:
    """Add to the hourly counters in the caller's transaction; rows in which nothing is left are removed."""
    for statement, rows in ((ADD_USAGE, usage_values(usage)), (REMOVE_USAGE, emptied(usage))):
        if rows:
            await connection.exec_driver_sql(statement, (workspace_id, *_columns(rows)))


def _columns(rows: Sequence[Sequence[Any]]) -> list[list[Any]]:
    """Rows as one list per column, which asyncpg sends as arrays."""
    return [list(column) for column in zip(*rows, strict=True)]
