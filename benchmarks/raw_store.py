"""What the databases take with nothing around them: the yardstick for the ingestion of the same run.

Pinned: narrow rows and compressed chunks that were made before, on the real schema, 500 spans a commit, with full
durability. `executemany` into SQLite, binary `COPY` into PostgreSQL. No HTTP, no decoding, no rollups.

A yardstick has to be measured too: the same rows into tables without a key or an index, and without waiting for the
disk, are what this machine's database does at most, whatever the schema is.
"""

import asyncio
import contextlib
import random
import sqlite3
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg

from benchmarks.traffic import SECOND_NS, templates
from spectral.domains.traces.ingestion.batch import PreparedBatch, read_batch
from spectral.domains.traces.ingestion.chunks import Chunk
from spectral.domains.traces.ingestion.policy import IngestionPolicy
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.requests import PROTOBUF
from spectral.domains.traces.vocabulary import SpanRow
from spectral.platform.db.migrations import migrate
from spectral.settings import load_settings

SPANS_A_COMMIT = 500
COMMITS = 100
WORKSPACE = UUID("01900000-0000-7000-8000-000000000001")

TABLES = {"span": SpanRow._fields, "span_chunk": Chunk._fields}
"""Of the two tables, the columns after `workspace_id`."""

Rows = tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]


def _commits(workspace: object) -> list[Rows]:
    """The rows of each commit: spans and chunks, their columns in the order of the tables."""
    dice = random.Random(11)  # noqa: S311
    mapper, policy = SpanMapper(), IngestionPolicy()
    made = templates(4, SPANS_A_COMMIT, seed=11)
    prepared: list[Rows] = []
    for number in range(COMMITS):
        body = made[number % len(made)].restamped(time.time_ns() - dice.randrange(3_600) * SECOND_NS)
        batch: PreparedBatch = read_batch(body, PROTOBUF, None, 2**26, mapper, policy)
        spans = [(workspace, *row) for trace in batch.traces.values() for row in trace.rows.values()]
        chunks = [(workspace, *trace.chunk) for trace in batch.traces.values()]
        prepared.append((sorted(spans, key=lambda row: row[1:3]), sorted(chunks, key=lambda row: row[1:4])))
    return prepared


def raw_sqlite(folder: Path) -> float:
    """Spans per second into a SQLite file of its own."""
    settings = load_settings(data_dir=folder, engine_executes=False, log_level="WARNING")
    migrate(settings)
    return _into_sqlite(folder / "spectral.db", "FULL")


def bare_sqlite(folder: Path) -> float:
    """The same rows into tables without keys and indexes, with nothing waited for."""
    path = folder / "bare.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        for table, columns in TABLES.items():
            connection.execute(f"CREATE TABLE {table} (workspace_id, {', '.join(columns)})")
    return _into_sqlite(path, "OFF")


def _into_sqlite(path: Path, synchronous: str) -> float:
    prepared = _commits(WORKSPACE.hex)
    span, chunk = (_insert(table, columns) for table, columns in TABLES.items())
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        started = time.perf_counter()
        for spans, chunks in prepared:
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(span, spans)
            connection.executemany(chunk, chunks)
            connection.execute("COMMIT")
        return COMMITS * SPANS_A_COMMIT / (time.perf_counter() - started)


async def raw_postgres(admin_url: str) -> float:
    """Spans per second into a migrated PostgreSQL database, as somebody whom no policy binds."""
    connection = await asyncpg.connect(admin_url)
    try:
        rate = await _into_postgres(connection, "public")
        for table in TABLES:
            await connection.execute(f"DELETE FROM {table} WHERE workspace_id = $1", WORKSPACE)  # noqa: S608 - our own
        return rate
    finally:
        await connection.close()


async def bare_postgres(admin_url: str) -> float:
    """The same rows into tables without keys, indexes and partitions, with nothing waited for."""
    connection = await asyncpg.connect(admin_url)
    try:
        await connection.execute("SET synchronous_commit = off")
        await connection.execute("CREATE SCHEMA bare")
        for table in TABLES:
            await connection.execute(f"CREATE TABLE bare.{table} (LIKE public.{table})")
        return await _into_postgres(connection, "bare")
    finally:
        await connection.execute("DROP SCHEMA bare CASCADE")
        await connection.close()


async def _into_postgres(connection: asyncpg.Connection, schema: str) -> float:
    prepared = await asyncio.to_thread(_commits, WORKSPACE)
    started = time.perf_counter()
    for rows in prepared:
        async with connection.transaction():
            for (table, columns), records in zip(TABLES.items(), rows, strict=True):
                await connection.copy_records_to_table(
                    table, schema_name=schema, records=records, columns=["workspace_id", *columns]
                )
    return COMMITS * SPANS_A_COMMIT / (time.perf_counter() - started)


def _insert(table: str, columns: tuple[str, ...]) -> str:
    names = ("workspace_id", *columns)
    return f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})"  # noqa: S608 - our own
