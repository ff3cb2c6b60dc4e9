"""Spans into SQLite: a group's whole transaction is one call in the thread of the connection that writes."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import NoneType
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from spectral.domains.traces.ingestion.chunks import Chunk
from spectral.domains.traces.ingestion.rollup import COUNTER_COLUMNS, TraceRow, Usage
from spectral.domains.traces.ingestion.storage import Content, Lookup, Part, Received, SpanKey, Storing
from spectral.domains.traces.ingestion.storage_statements import (
    COLUMNS,
    RECEIVED,
    SPAN_KEY,
    STATISTICS_KEPT,
    TRACE_ROLLUP,
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
from spectral.platform.db.session import Database

# Of every None and every bytes the driver asks Python's adaption protocol first, which costs more than storing it, a
# third of an insert; what is registered answers at once. Nothing changes in what is stored.
sqlite3.register_adapter(NoneType, {}.get)  # type: ignore[arg-type]
sqlite3.register_adapter(bytes, bytes.__bytes__)

MAXIMUM_PARAMETERS = 999
"""In one statement; later builds of SQLite take more."""

MAXIMUM_KEYS = 400

T = TypeVar("T")


def _insert(table: str, verb: str = "INSERT") -> str:
    columns = ("workspace_id", *COLUMNS[table])
    return f"{verb} INTO {table} ({listed(columns)}) VALUES ({listed(columns, '?')})"


# A span that no trace knows of (there should be none) gives way.
INSERT_SPAN = _insert("span", "INSERT OR REPLACE")
# Each step of a statement lets go of the interpreter and has to wait for the threads that read requests to get it back.
SPANS_A_STEP = MAXIMUM_PARAMETERS // (1 + len(COLUMNS["span"]))
INSERT_SPANS = INSERT_SPAN + (", " + INSERT_SPAN.partition(" VALUES ")[2]) * (SPANS_A_STEP - 1)
INSERT_CHUNK = _insert("span_chunk") + " ON CONFLICT DO NOTHING"
INSERT_TRACE = _insert("trace")
UPDATE_TRACE = (
    _insert("trace")
    + " ON CONFLICT (workspace_id, trace_id) DO UPDATE SET "
    + listed(TRACE_ROLLUP, "{0} = excluded.{0}")
    + ", chunk_count = chunk_count + excluded.chunk_count"
)
ADD_USAGE = (
    _insert("usage_hourly")
    + f" ON CONFLICT (workspace_id, {listed(USAGE_KEY)}) DO UPDATE SET "
    + listed(COUNTER_COLUMNS, "{0} = {0} + excluded.{0}")
)
REMOVE_USAGE = (
    "DELETE FROM usage_hourly WHERE workspace_id = ? AND span_count = 0 AND "  # noqa: S608 - our own names
    + " AND ".join(f"{name} = ?" for name in USAGE_KEY)
)
DELETE_SPAN = (
    "DELETE FROM span WHERE workspace_id = ? AND "  # noqa: S608 - our own names
    + " AND ".join(f"{name} = ?" for name in SPAN_KEY)
)
SELECT_TRACES = f"SELECT {listed(TraceRow._fields)} FROM trace WHERE workspace_id = ? AND trace_id IN "  # noqa: S608
# CROSS JOIN keeps the order: left to itself SQLite reads every span of the workspace.
FIND_SPANS = (
    f"SELECT {listed(COLUMNS['span'], 's.{0}')} FROM k CROSS JOIN span s "  # noqa: S608 - our own names
    "ON s.workspace_id = ? AND s.trace_id = k.trace_id AND s.span_id = k.span_id"
)
SELECT_CHUNKS = "SELECT payload, codec FROM span_chunk WHERE workspace_id = ? AND trace_id = ?"
# No trigger does this: before each row that a trigger inserts, the index would write out what it has gathered.
INDEX_WORDS = (
    "INSERT INTO trace_search (rowid, workspace_id, name, input_preview, output_preview) "
    "SELECT rowid, workspace_id, name, input_preview, output_preview FROM trace "
    "WHERE workspace_id = ? AND trace_id IN "
)
NOTE_ARRIVAL = (
    "INSERT INTO trace_arrival (workspace_id, trace_id, seen_at) VALUES (?, ?, ?) "
    "ON CONFLICT (workspace_id, trace_id) DO UPDATE SET seen_at = excluded.seen_at"
)
ADD_RECEIVED = (
    f"INSERT INTO trace_ingestion (workspace_id, minute, {listed(RECEIVED)}, rejected, last_seen_at) "  # noqa: S608
    f"VALUES (?, ?, {listed(RECEIVED, '?')}, '{{}}', ?) ON CONFLICT (workspace_id, minute) DO UPDATE SET "
    f"{listed(RECEIVED, '{0} = {0} + excluded.{0}')}, last_seen_at = excluded.last_seen_at "
    "RETURNING requests, rejected, content"
)
SET_COUNTS = "UPDATE trace_ingestion SET rejected = ?, content = ? WHERE workspace_id = ? AND minute = ?"
FORGET_RECEIVED = "DELETE FROM trace_ingestion WHERE workspace_id = ? AND minute < ?"


class SqliteSpanWriter:
    """A `SpanWriter` on the installation's one connection that writes, whose transactions nobody else's interrupt."""

    def __init__(self, database: Database, mapper: SpanMapper) -> None:
        self._database = database
        self._mapper = mapper

    async def write(self, parts: Sequence[Part], now: datetime) -> None:
        def store(connection: sqlite3.Connection) -> None:
            for part in parts:
                _Transaction(connection, part.workspace_id).store(part, self._mapper, now)

        await self._database.write_at_once(store)

    async def close(self) -> None:
        """Nothing to do: the connection is the database's."""


class _Transaction:
    """The statements of one workspace in an open transaction. Nobody else writes, so nothing needs to be locked."""

    def __init__(self, connection: sqlite3.Connection, workspace_id: UUID) -> None:
        self._connection = connection
        self._workspace = workspace_id.hex

    def store(self, part: Part, mapper: SpanMapper, now: datetime) -> None:
        storing = Storing(part.batches, mapper)
        if storing.trace_ids:
            existing = self._find_traces(storing.trace_ids)
            self._add_traces([trace_values(*trace) for trace in storing.new_traces(existing)])
            lookup = storing.look_up(existing)
            replaced = storing.compare(self._find_spans(lookup) if lookup is not None else {})
            change = storing.finish({trace_id: self._find_chunks(trace_id) for trace_id in replaced})
            self._many(DELETE_SPAN, [row[:3] for row in change.deleted])
            self._add_spans(change.inserted)
            self._many(INSERT_CHUNK, change.first_chunks)
            added = self._add_chunks(change.further_chunks)
            self._many(INSERT_CHUNK, change.event_chunks)
            self._many(UPDATE_TRACE, [trace_values(row, added.get(row.trace_id, 0)) for row in change.traces])
            self._many(ADD_USAGE, usage_values(change.usage))
            self._many(REMOVE_USAGE, emptied(change.usage))
            if part.is_watched:
                self._many(NOTE_ARRIVAL, [(trace_id, _moment(now)) for trace_id in change.arrived])
        self._add_received(storing.received, now)

    def _find_traces(self, trace_ids: Sequence[bytes]) -> dict[bytes, TraceRow]:
        existing: dict[bytes, TraceRow] = {}
        for keys in _slices(trace_ids):
            statement = f"{SELECT_TRACES}({_repeated('?', len(keys))})"
            for values in self._connection.execute(statement, (self._workspace, *keys)):
                existing[values[0]] = stored_trace(values)
        return existing

    def _add_traces(self, traces: Sequence[tuple[Any, ...]]) -> None:
        self._many(INSERT_TRACE, traces)
        for keys in _slices([values[0] for values in traces]):
            self._connection.execute(f"{INDEX_WORDS}({_repeated('?', len(keys))})", (self._workspace, *keys))

    def _add_spans(self, spans: Sequence[SpanRow]) -> None:
        whole = len(spans) - len(spans) % SPANS_A_STEP
        workspace = (self._workspace,)
        for start in range(0, whole, SPANS_A_STEP):
            rows = spans[start : start + SPANS_A_STEP]
            self._connection.execute(INSERT_SPANS, [value for row in rows for value in workspace + row])
        self._many(INSERT_SPAN, spans[whole:])

    def _find_spans(self, lookup: Lookup) -> dict[SpanKey, SpanRow]:
        found: dict[SpanKey, SpanRow] = {}
        for keys in _slices(lookup.keys):
            statement = f"WITH k (trace_id, span_id) AS (VALUES {_repeated('(?, ?)', len(keys))}) {FIND_SPANS}"
            parameters = (*(value for key in keys for value in key), self._workspace)
            for values in self._connection.execute(statement, parameters):
                row = SpanRow(*values)
                found[row.trace_id, row.span_id] = row
        return found

    def _find_chunks(self, trace_id: bytes) -> list[Content]:
        return self._connection.execute(SELECT_CHUNKS, (self._workspace, trace_id)).fetchall()

    def _add_chunks(self, chunks: Sequence[Chunk]) -> Mapping[bytes, int]:
        """How many were added to each trace; those that are there already are not."""
        added: dict[bytes, int] = {}
        for chunk in chunks:
            count = self._connection.execute(INSERT_CHUNK, (self._workspace, *chunk)).rowcount
            added[chunk.trace_id] = added.get(chunk.trace_id, 0) + count
        return added

    def _add_received(self, received: Received, now: datetime) -> None:
        minute = _moment(now.replace(second=0, microsecond=0))
        counts = [getattr(received, name) for name in RECEIVED]
        parameters = (self._workspace, minute, *counts, _moment(now))
        requests, rejected, content = self._connection.execute(ADD_RECEIVED, parameters).fetchone()
        merged = merged_counts(rejected, content, received)
        if merged is not None:
            self._connection.execute(SET_COUNTS, (*merged, self._workspace, minute))
        if requests == received.requests:
            # The first of its minute removes what is old.
            self._connection.execute(FORGET_RECEIVED, (self._workspace, _moment(now - STATISTICS_KEPT)))

    def _many(self, statement: str, rows: Iterable[tuple[Any, ...]]) -> None:
        if rows:
            workspace = (self._workspace,)
            self._connection.executemany(statement, [workspace + row for row in rows])


async def add_usage(connection: AsyncConnection, workspace_id: UUID, usage: Usage) -> None:
    """Add to the hourly counters in the caller's transaction; rows in which nothing is left are removed."""
    for statement, rows in ((ADD_USAGE, usage_values(usage)), (REMOVE_USAGE, emptied(usage))):
        if rows:
            await connection.exec_driver_sql(statement, [(workspace_id.hex, *row) for row in rows])


def _moment(moment: datetime) -> str:
    """As SQLAlchemy stores it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _repeated(form: str, count: int) -> str:
    return ", ".join([form] * count)


def _slices(items: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), MAXIMUM_KEYS):
        yield items[start : start + MAXIMUM_KEYS]
