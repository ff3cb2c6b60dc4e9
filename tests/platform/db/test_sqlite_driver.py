"""One trip a statement, and a transaction from the first statement to its end."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, OperationalError

from spectral.platform.db.session import Database
from spectral.platform.db.sqlite_driver import ThreadConnection


@pytest.fixture
async def numbers(tmp_path: Path) -> AsyncIterator[Database]:
    """A database with one table `number(value)` that holds 1 and 2."""
    path = tmp_path / "numbers.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE number (value INTEGER PRIMARY KEY)")
        connection.executemany("INSERT INTO number VALUES (?)", [(1,), (2,)])
    connection.close()
    database = Database(f"sqlite+aiosqlite:///{path}", pool_size=2)
    yield database
    await database.close()


async def values(database: Database) -> list[int]:
    async with database.transaction(read_only=True) as session:
        return list((await session.execute(sa.text("SELECT value FROM number ORDER BY value"))).scalars())


async def test_a_read_takes_one_trip_a_statement(numbers: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await values(numbers) == [1, 2]
    awaited: list[str] = []
    execute = ThreadConnection._execute

    async def counted(connection: ThreadConnection, work: object, *arguments: object, **options: object) -> object:
        awaited.append(getattr(work, "__name__", "?"))
        return await execute(connection, work, *arguments, **options)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(ThreadConnection, "_execute", counted)
    assert await values(numbers) == [1, 2]
    assert len(awaited) == 1, awaited


async def test_a_transaction_holds_from_its_first_statement_on(numbers: Database) -> None:
    async with numbers.transaction(read_only=True) as reading:
        count = sa.text("SELECT count(*) FROM number")
        assert (await reading.execute(count)).scalar_one() == 2
        async with numbers.transaction() as writing:
            inserted = await writing.execute(sa.text("INSERT INTO number VALUES (3)"))
            assert inserted.rowcount == 1  # type: ignore[attr-defined]
        assert (await reading.execute(count)).scalar_one() == 2
    assert await values(numbers) == [1, 2, 3]


async def test_what_fails_leaves_nothing_and_the_connection_goes_on(numbers: Database) -> None:
    async def violate() -> None:
        async with numbers.transaction() as session:
            await session.execute(sa.text("INSERT INTO number VALUES (7)"))
            await session.execute(sa.text("INSERT INTO number VALUES (:value)"), [{"value": 8}, {"value": 1}])

    for _ in range(3):
        with pytest.raises(IntegrityError):
            await violate()
    assert await values(numbers) == [1, 2]
    async with numbers.transaction(read_only=True) as session:
        with pytest.raises(OperationalError, match="no such table"):
            await session.execute(sa.text("SELECT * FROM letter"))
    assert await values(numbers) == [1, 2]


async def test_what_cannot_be_committed_is_rolled_back(numbers: Database) -> None:
    async with numbers.transaction() as session:
        reference = "value INTEGER REFERENCES number (value) DEFERRABLE INITIALLY DEFERRED"
        await session.execute(sa.text(f"CREATE TABLE pointer ({reference})"))

    async def point_nowhere() -> None:
        async with numbers.transaction() as session:
            await session.execute(sa.text("INSERT INTO number VALUES (5)"))
            await session.execute(sa.text("INSERT INTO pointer VALUES (99)"))

    for _ in range(2):
        with pytest.raises(IntegrityError, match="FOREIGN KEY"):
            await point_nowhere()
    assert await values(numbers) == [1, 2]


async def test_rows_can_be_streamed_inside_the_transaction(numbers: Database) -> None:
    async with numbers.transaction(read_only=True) as session:
        found = [row.value async for row in await session.stream(sa.text("SELECT value FROM number ORDER BY value"))]
    assert found == [1, 2]


async def test_a_writer_that_is_cancelled_leaves_nothing(numbers: Database) -> None:
    written = asyncio.Event()

    async def write() -> None:
        async with numbers.transaction() as session:
            await session.execute(sa.text("INSERT INTO number VALUES (9)"))
            written.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(write())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with numbers.transaction() as session:
        await session.execute(sa.text("INSERT INTO number VALUES (4)"))
    assert await values(numbers) == [1, 2, 4]


async def test_an_empty_transaction_takes_no_trip_and_ends(numbers: Database) -> None:
    async with numbers.transaction(), numbers.transaction(read_only=True):
        pass
    assert await values(numbers) == [1, 2]
