"""Retention: what is too old goes, what is kept stays, and the figures are history."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.ingestion.partitions import make_partitions_of_days
from spectral.domains.traces.lifecycle import deletion_slices
from spectral.domains.traces.lifecycle.models import TraceSettings
from spectral.domains.traces.lifecycle.retention import TraceRetention, drop_partitions, expire_traces
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.clock import utc_now
from tests.domains.traces.ingestion.test_ingestor import make_workspace, running, send
from tests.domains.traces.otlp_samples import SECOND, make_span

DAY = timedelta(days=1)


def span_of(number: int, days_ago: float) -> Any:
    start = int((utc_now() - days_ago * DAY).timestamp()) * SECOND
    return make_span(number.to_bytes(16, "big"), number.to_bytes(8, "big"), start=start, end=start + SECOND)


async def numbers(database: Database, access: WorkspaceAccess, table: Any) -> list[int]:
    async with database.transaction(access, read_only=True) as session:
        statement = sa.select(table.trace_id).where(table.workspace_id == access.workspace_id)
        return sorted(int.from_bytes(found, "big") for found in (await session.scalars(statement)).all())


async def keep(database: Database, access: WorkspaceAccess, days: int | None) -> None:
    async with database.transaction(access) as session:
        session.add(
            TraceSettings(
                workspace_id=access.workspace_id,
                id=access.workspace_id,
                retention_days=days,
                masking={},
                watches=False,
                version=1,
                updated_by="user:1",
            )
        )


async def run(database: Database, identity: Database, days: int | None) -> None:
    engine = Engine(database, executes=False)
    try:
        await TraceRetention(database, identity, engine, days).run()
    finally:
        await engine.stop()


@pytest.mark.parametrize(
    ("installation", "left"),
    [(None, [[1, 2], [1, 2, 3, 4], [1, 2, 3, 4]]), (20, [[1, 2], [1, 2, 3], [1, 2, 3]])],
    ids=["workspace", "installation"],
)
async def test_the_shorter_retention_of_workspace_and_installation_holds(
    database: Database,
    identity: Database,
    monkeypatch: pytest.MonkeyPatch,
    installation: int | None,
    left: list[list[int]],
) -> None:
    monkeypatch.setattr(deletion_slices, "SLICE_TRACES", 1)
    short, long, undecided = [await make_workspace(database) for _ in range(3)]
    async with running(database) as ingestor:
        for access in (short, long, undecided):
            await send(ingestor, access, *(span_of(n, days) for n, days in ((1, 0.1), (2, 1.9), (3, 2.1), (4, 40))))
    await keep(database, short, 2)
    await keep(database, long, 100)
    await run(database, identity, installation)
    await run(database, identity, installation)
    for access, expected in zip((short, long, undecided), left, strict=True):
        for table in (Trace, SpanRecord, SpanChunk):
            assert await numbers(database, access, table) == expected
        async with database.transaction(access, read_only=True) as session:
            counted = sa.select(sa.func.sum(USAGE_HOURLY.c.span_count))
            mine = counted.where(USAGE_HOURLY.c.workspace_id == access.workspace_id)
            assert (await session.execute(mine)).scalar_one() == 4


async def test_slices_are_bounded_by_spans_and_take_a_trace_at_least(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    monkeypatch.setattr(deletion_slices, "SLICE_SPANS", 2)
    start = int((utc_now() - 5 * DAY).timestamp()) * SECOND
    spans = [
        make_span(trace.to_bytes(16, "big"), (100 * trace + n).to_bytes(8, "big"), start=start + trace, end=start + 9)
        for trace, count in ((1, 3), (2, 1), (3, 1), (4, 1))
        for n in range(count)
    ]
    async with running(database) as ingestor:
        await send(ingestor, access, *spans)
    async with database.transaction(access, read_only=True) as session:
        remover = deletion_slices.TraceRemover(session, access)
        assert [found[-1] for found in await remover.expired(start + 100)] == [1]
        assert [found[-1] for found in await remover.some(Trace.span_count == 1)] == [2, 3]
    removed = await expire_traces(database, access, 1, utc_now())
    assert (removed.traces, removed.spans) == (4, 6)


@pytest.mark.databases("postgresql")
async def test_whole_days_lose_their_partitions(database: Database) -> None:
    access = await make_workspace(database)
    today = utc_now().date()
    days = [today - number * DAY for number in (0, 1, 2, 3, 4)]
    async with database.transaction() as session:
        await session.run_sync(lambda each: make_partitions_of_days(each.connection(), days))
    async with running(database) as ingestor:
        await send(ingestor, access, *(span_of(number + 1, number) for number in range(5)))
    assert await drop_partitions(database, 2) >= 4  # of the third and fourth day ago, and of older ones
    async with database.transaction(read_only=True) as session:
        found = await session.execute(
            sa.text("SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'span'::regclass")
        )
        names = {row[0] for row in found}
    assert f"spectral_partitions.span_{days[2]:%Y%m%d}" in names
    assert f"spectral_partitions.span_{days[3]:%Y%m%d}" not in names
    assert "spectral_partitions.span_default" in names
    assert await drop_partitions(database, 2) == 0
    assert await numbers(database, access, SpanRecord) == [1, 2, 3]
    # The rows of the traces follow, and so does what was in the default partition.
    await expire_traces(database, access, 2, utc_now() + timedelta(minutes=1))
    assert await numbers(database, access, Trace) == [1, 2]
    with pytest.raises(DBAPIError, match="a day of spans is kept at least"):
        await drop_partitions(database, 0)
