"""Day partitions of the span tables: made by a function of the owner, reached through their parents only."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.ingestion.partitions import PartitionWindow, make_partitions
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.traces.ingestion.test_ingestor import make_workspace, running, send
from tests.domains.traces.otlp_samples import SECOND, make_span

pytestmark = pytest.mark.databases("postgresql")

WINDOW = PartitionWindow(days_behind=3, days_ahead=2)
DAYS = 6
AHEAD = timedelta(days=2)


async def partitions(database: Database, parent: str) -> dict[str, str]:
    """The partitions of a table and the storage of their payload."""
    async with database.transaction(read_only=True) as session:
        found = await session.execute(
            sa.text(
                "SELECT c.relname, coalesce((SELECT a.attstorage::text FROM pg_attribute a WHERE a.attrelid = c.oid "
                "AND a.attname = 'payload'), '') FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
                "WHERE i.inhparent = CAST(:parent AS regclass)"
            ),
            {"parent": parent},
        )
        return {row[0]: row[1] for row in found}


async def test_every_day_of_the_window_has_its_partition(database: Database) -> None:
    await make_partitions(database, WINDOW)
    today = utc_now().date()
    for parent in ("span", "span_chunk"):
        found = await partitions(database, parent)
        assert {f"{parent}_{today:%Y%m%d}", f"{parent}_{today + AHEAD:%Y%m%d}", f"{parent}_default"} <= set(found)
        assert DAYS + 1 <= len(found) <= DAYS + 3  # and the default one; two more when midnight passes
    assert set((await partitions(database, "span_chunk")).values()) == {"e"}
    assert await make_partitions(database, WINDOW) == 0


async def test_spans_are_in_the_partition_of_their_day_and_others_in_the_default(database: Database) -> None:
    access = await make_workspace(database)
    now = int(utc_now().timestamp()) * SECOND
    async with running(database) as ingestor:
        await send(ingestor, access, make_span(start=now, end=now), make_span(span_id=b"longago_", start=1, end=now))
    async with database.transaction(access, read_only=True) as session:
        found = await session.execute(
            sa.text("SELECT started_at, tableoid::regclass::text FROM span ORDER BY started_at")
        )
        places = {row[0]: row[1] for row in found}
    assert places == {
        1: "spectral_partitions.span_default",
        now: f"spectral_partitions.span_{utc_now().date():%Y%m%d}",
    }


async def test_a_day_whose_spans_are_in_the_default_partition_stays_there(database: Database) -> None:
    access = await make_workspace(database)
    far = utc_now().date() + timedelta(days=14)
    async with running(database) as ingestor:
        start = int(utc_now().timestamp()) * SECOND + 14 * 86_400 * SECOND
        await send(ingestor, access, make_span(start=start, end=start))
    async with database.transaction() as session:
        made = await session.scalar(sa.select(sa.func.spectral_make_span_partitions(far, far)))
    assert made == 0
    assert f"span_{far:%Y%m%d}" not in await partitions(database, "span")


async def test_partitions_cannot_be_reached_directly(database: Database) -> None:
    for statement in ("SELECT * FROM spectral_partitions.span_default", "DROP TABLE spectral_partitions.span_default"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with database.transaction() as session:
                await session.execute(sa.text(statement))


async def test_the_function_makes_no_more_than_it_should(database: Database) -> None:
    today = utc_now().date()
    for last in (today + timedelta(days=70), today + timedelta(days=1200)):
        with pytest.raises(DBAPIError, match="at most"):
            async with database.transaction() as session:
                await session.execute(sa.select(sa.func.spectral_make_span_partitions(today, last)))


async def test_a_transaction_without_a_workspace_sees_and_writes_nothing(database: Database) -> None:
    access = await make_workspace(database)
    async with running(database) as ingestor:
        await send(ingestor, access, make_span())
    for table in ("span", "span_chunk", "trace", "usage_hourly", "trace_ingestion"):
        async with database.transaction() as session:
            assert (await session.scalar(sa.text(f"SELECT count(*) FROM {table}"))) == 0  # noqa: S608
    with pytest.raises(DBAPIError, match="row-level security"):
        async with database.transaction() as session:
            await session.execute(
                sa.text(
                    "INSERT INTO span_chunk VALUES (:workspace, '\\x01', 1, '\\x01', 1, 1, '\\x01')",
                ),
                {"workspace": access.workspace_id},
            )
