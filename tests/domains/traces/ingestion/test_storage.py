"""The writers, as the role that ingests: every way in, every row they keep up, and what goes wrong below them."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest
import sqlalchemy as sa
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.ingestor import StoredListener, TraceIngestor
from spectral.domains.traces.ingestion.policy import IngestionPolicy, PolicyBook
from spectral.domains.traces.ingestion.storage_sqlite import SqliteSpanWriter
from spectral.domains.traces.models import SpanChunk, SpanRecord, Trace, TraceArrival, TraceIngestion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError, UnavailableError
from spectral.settings import Settings
from tests.domains.traces.ingestion.test_ingestor import make_workspace, rows_of, send, stored
from tests.domains.traces.otlp_samples import MAPPER, SECOND, START, TRACE_ID, make_batch, make_request, make_span


class FixedPolicy(PolicyBook):
    """The same policy for every workspace."""

    def __init__(self, database: Database, policy: IngestionPolicy) -> None:
        super().__init__(database)
        self.fixed = policy

    async def policy(self, access: WorkspaceAccess) -> IngestionPolicy:
        del access
        return self.fixed


class Notes:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.seen: list[tuple[WorkspaceAccess, frozenset[str]]] = []

    def stored(self, access: WorkspaceAccess, agents: frozenset[str]) -> None:
        self.seen.append((access, agents))


@pytest.fixture
async def ingestion(settings: Settings, database: Database) -> AsyncIterator[Database]:
    """The database as the role that ingests."""
    if settings.ingestion_url == settings.url:
        yield database
        return
    found = Database(settings.ingestion_url, pool_size=3)
    yield found
    await found.close()


@asynccontextmanager
async def running(
    database: Database, policy: IngestionPolicy | None = None, listeners: Sequence[StoredListener] = ()
) -> AsyncIterator[TraceIngestor]:
    policies = FixedPolicy(database, policy or IngestionPolicy())
    ingestor = TraceIngestor(database, MAPPER, policies=policies, listeners=listeners)
    await ingestor.start()
    try:
        yield ingestor
    finally:
        await ingestor.stop()


def spans(count: int, first: int = 1, **options: Any) -> list[Span]:
    return [make_span(span_id=number.to_bytes(8, "big"), **options) for number in range(first, first + count)]


async def everything(database: Database, access: WorkspaceAccess) -> list[Any]:
    """All that is stored of a workspace, but for when it came."""
    return [await stored(database, access), await rows_of(database, access, SpanChunk.__table__)]


async def chunk_counts(database: Database, access: WorkspaceAccess) -> tuple[int, int]:
    """What the trace says, and what there is."""
    async with database.transaction(access, read_only=True) as session:
        mine = Trace.workspace_id == access.workspace_id
        said = await session.scalar(sa.select(Trace.chunk_count).where(mine))
        return said or 0, len(await rows_of(database, access, SpanChunk.__table__))


# ---------------------------------------------------------------------------------------------------------- the ways in


async def test_what_is_made_in_the_server_is_stored_as_if_it_had_been_sent(
    database: Database, ingestion: Database
) -> None:
    sent, made = await make_workspace(database), await make_workspace(database)
    bad = make_span(span_id=b"\x00" * 8)
    async with running(ingestion) as ingestor:
        await send(ingestor, sent, *spans(3), bad)
        await asyncio.gather(send(ingestor, sent, *spans(3, 2)), send(ingestor, sent, *spans(2, 9)))
        rejections = await ingestor.take(made, make_request(*spans(3), bad), 1234)
        await ingestor.take(made, make_request(*spans(3, 2)), 1)
        await ingestor.take(made, make_request(*spans(2, 9)), 1)
    assert rejections.reasons == {"invalid_span_id": 1}
    assert await everything(database, made) == await everything(database, sent)
    async with database.transaction(made, read_only=True) as session:
        ours = TraceIngestion.workspace_id == made.workspace_id
        assert sum(await session.scalars(sa.select(TraceIngestion.received_bytes).where(ours))) == 1236


async def test_larger_requests_are_read_elsewhere_and_stored_the_same(database: Database, ingestion: Database) -> None:
    access = await make_workspace(database)
    async with running(ingestion) as ingestor:
        await send(ingestor, access, *spans(600, custom="x" * 100))
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 600


@pytest.mark.databases("postgresql")
async def test_a_role_that_may_not_copy_stores_the_same(database: Database, ingestion: Database) -> None:
    copied, inserted = await make_workspace(database), await make_workspace(database)
    for role, access in ((ingestion, copied), (database, inserted)):
        async with running(role) as ingestor:
            for batch in (spans(5), spans(5, 3), spans(2, 1, end=START + 9 * SECOND)):
                await send(ingestor, access, *batch)
    assert await everything(database, inserted) == await everything(database, copied)
    assert await chunk_counts(database, inserted) == await chunk_counts(database, copied) == (3, 3)


# ------------------------------------------------------------------------------------------------------ what is kept up


async def test_a_trace_knows_how_many_chunks_it_lies_in(database: Database, ingestion: Database) -> None:
    access = await make_workspace(database)
    async with running(ingestion) as ingestor:
        await asyncio.gather(*(send(ingestor, access, *spans(1, number)) for number in (1, 1, 2)))
        assert await chunk_counts(database, access) == (2, 2)
        await send(ingestor, access, *spans(1, 3))
        # Nothing new, then something new together with what is there already.
        await send(ingestor, access, *spans(1, 1))
        await asyncio.gather(send(ingestor, access, *spans(1, 2)), send(ingestor, access, *spans(1, 4)))
        assert await chunk_counts(database, access) == (4, 4)
        await send(ingestor, access, *spans(1, 4, end=START + 3 * SECOND))
    assert await chunk_counts(database, access) == (5, 5)


async def test_listeners_hear_of_what_is_durable_and_of_nothing_else(database: Database, ingestion: Database) -> None:
    one, other = await make_workspace(database), await make_workspace(database)
    gone = WorkspaceAccess.for_system(UUID(int=1), UUID(int=2), "tests")
    notes = Notes()
    async with running(ingestion, listeners=[notes]) as ingestor:
        await asyncio.gather(
            send(ingestor, one, make_span(spectral__agent__id="a")),
            send(ingestor, one, make_span(span_id=b"another_", spectral__agent__id="b")),
            send(ingestor, other, make_span()),
        )
        heard = {access.workspace_id: set[str]() for access, _ in notes.seen}
        for access, agents in notes.seen:
            heard[access.workspace_id] |= agents
        assert heard == {one.workspace_id: {"a", "b"}, other.workspace_id: set()}
        notes.seen.clear()
        with pytest.raises(NotFoundError):
            await send(ingestor, gone, make_span(spectral__agent__id="c"))
        await send(ingestor, one, make_span(span_id=b"\x00" * 8, spectral__agent__id="d"))
    assert notes.seen == []


async def test_arrivals_are_noted_for_traces_that_got_spans(database: Database, ingestion: Database) -> None:
    access = await make_workspace(database)

    async def arrived() -> dict[bytes, Any]:
        return {row[0]: row[1] for row in await rows_of(database, access, TraceArrival.__table__)}

    async with running(ingestion) as ingestor:
        await send(ingestor, access, make_span(trace_id=b"u" * 16))
    assert await arrived() == {}
    async with running(ingestion, IngestionPolicy(watches=True)) as ingestor:
        await send(ingestor, access, make_span(), make_span(trace_id=b"u" * 16))
        before = await arrived()
        assert set(before) == {TRACE_ID}
        assert utc_now() - before[TRACE_ID] < timedelta(minutes=5)
        await send(ingestor, access, make_span(span_id=b"another_"), make_span(trace_id=b"u" * 16))
    assert set(await arrived()) == {TRACE_ID}
    assert (await arrived())[TRACE_ID] > before[TRACE_ID]


async def test_spans_from_before_the_retention_are_rejected_and_their_neighbours_kept(
    database: Database, ingestion: Database
) -> None:
    access = await make_workspace(database)
    now = int(utc_now().timestamp()) * SECOND
    day = 86_400 * SECOND
    async with running(ingestion, IngestionPolicy(retention_days=7)) as ingestor:
        old = make_span(start=now - 8 * day, end=now)
        fresh = make_span(span_id=b"another_", start=now - 6 * day, end=now)
        rejections = await ingestor.take(access, make_request(old, fresh), 10)
    assert rejections.reasons == {"older_than_retention": 1}
    assert "keep" in rejections.message
    assert [row[1] for row in await rows_of(database, access, SpanRecord.__table__)] == [b"another_"]
    (minute,) = await rows_of(database, access, TraceIngestion.__table__)
    assert {"older_than_retention": 1} in minute


# ------------------------------------------------------------------------------------------------------ what goes wrong


async def test_rows_that_lost_their_trace_do_not_stand_in_the_way(database: Database, ingestion: Database) -> None:
    access = await make_workspace(database)
    trace = make_batch(make_span(name="new"), make_span(span_id=b"another_")).traces[TRACE_ID]
    async with database.transaction(access) as session:
        for row in trace.rows.values():
            orphan = {**row._asdict(), "name": "orphan", "workspace_id": access.workspace_id}
            await session.execute(sa.insert(SpanRecord).values(orphan))
        chunk = {**trace.chunk._asdict(), "workspace_id": access.workspace_id}
        await session.execute(sa.insert(SpanChunk).values(chunk))
    other = await make_workspace(database)
    async with running(ingestion) as ingestor:
        for target in (access, other):
            await send(ingestor, target, make_span(name="new"), make_span(span_id=b"another_"))
    assert await everything(database, access) == await everything(database, other)


@pytest.mark.databases("sqlite")
async def test_a_full_disk_is_a_503_until_there_is_room(database: Database) -> None:
    access = await make_workspace(database)

    async def limit(pages: int) -> None:
        await database.write_at_once(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").close())

    async with running(database) as ingestor:
        await send(ingestor, access, *spans(1))
        await limit(1)
        with pytest.raises(UnavailableError) as caught:
            await send(ingestor, access, *spans(2_000, 2))
        assert int(caught.value.headers["Retry-After"]) > 0
        assert len(await rows_of(database, access, SpanRecord.__table__)) == 1
        await limit(1_000_000)
        await send(ingestor, access, *spans(2_000, 2))
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 2_001


@pytest.mark.databases("postgresql")
async def test_a_connection_that_is_cut_off_is_replaced(database: Database, ingestion: Database) -> None:
    access = await make_workspace(database)
    async with running(ingestion) as ingestor:
        await send(ingestor, access, *spans(1))
        async with ingestion.transaction() as session:
            ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = current_user "
            assert await session.scalar(sa.text(ended + "AND pid <> pg_backend_pid() AND datname = current_database()"))
        for _ in range(20):
            (refusal,) = await asyncio.gather(send(ingestor, access, *spans(1, 2)), return_exceptions=True)
            if refusal is None:
                break
            assert isinstance(refusal, UnavailableError)
            await asyncio.sleep(0.05)
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 2


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize(
    ("error", "is_away"),
    [
        (asyncpg.DiskFullError("no space left on device"), True),
        (asyncpg.AdminShutdownError("terminating connection"), True),
        (asyncpg.DeadlockDetectedError("deadlock detected"), True),
        (asyncpg.ReadOnlySQLTransactionError("a standby"), True),
        (asyncpg.InterfaceError("connection is closed"), True),
        (ConnectionRefusedError(), True),
        (TimeoutError(), True),
        (sqlite3.OperationalError("database is locked"), True),
        (asyncpg.NumericValueOutOfRangeError("out of range"), False),
        (asyncpg.ProgramLimitExceededError("index row size exceeds"), False),
        (sqlite3.DataError("too big"), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else str(value),
)
async def test_only_what_may_pass_by_itself_is_told_to_be_sent_again(
    database: Database, monkeypatch: pytest.MonkeyPatch, error: Exception, *, is_away: bool
) -> None:
    access = await make_workspace(database)

    async def fail(*_arguments: object) -> None:
        raise error

    async with running(database) as ingestor:
        monkeypatch.setattr(SqliteSpanWriter, "write", fail)
        with pytest.raises(UnavailableError if is_away else type(error)):
            await send(ingestor, access, make_span())
