"""Spans that arrive while their trace is being deleted are stored with a trace, not without one."""

import asyncio

import pytest
import sqlalchemy as sa

from spectral.domains.traces.lifecycle.deletion_slices import TraceRemover
from spectral.domains.traces.models import USAGE_HOURLY, SpanRecord, Trace
from spectral.platform.db.session import Database
from tests.domains.traces.ingestion.test_ingestor import make_workspace, rows_of, running, send, stored
from tests.domains.traces.otlp_samples import TRACE_ID, make_span


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("attempt", range(2))
async def test_a_late_span_waits_for_the_deletion_and_begins_the_trace_anew(database: Database, attempt: int) -> None:
    access = await make_workspace(database)
    late = make_span(span_id=b"late____")
    async with running(database) as ingestor:
        await send(ingestor, access, make_span())
        async with database.transaction(access) as session:
            if attempt:
                removed = await TraceRemover(session, access).undo([TRACE_ID])
                assert removed.traces == 1
            locked = sa.select(Trace.trace_id).where(
                Trace.workspace_id == access.workspace_id, Trace.trace_id == TRACE_ID
            )
            await session.execute(locked.with_for_update())
            sending = asyncio.create_task(send(ingestor, access, late))
            while not await waits(database) and not sending.done():  # noqa: ASYNC110 - a lock tells nobody
                await asyncio.sleep(0.01)
            if not attempt:
                await TraceRemover(session, access).undo([TRACE_ID])
        await sending
        (trace,) = await rows_of(database, access, Trace.__table__)
        assert trace[0] == TRACE_ID
        assert [row[1] for row in await rows_of(database, access, SpanRecord.__table__)] == [b"late____"]
        assert len(await rows_of(database, access, USAGE_HOURLY)) == 1
        alone = await make_workspace(database)
        await send(ingestor, alone, late)
        assert await stored(database, access) == await stored(database, alone)


async def waits(database: Database) -> bool:
    """Whether some connection of this database waits for another one's lock."""
    async with database.transaction(read_only=True) as session:
        found = await session.execute(
            sa.text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')")
        )
        return bool(found.scalar_one())
