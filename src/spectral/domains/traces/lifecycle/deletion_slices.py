"""Traces leave the store in slices: a bounded number of traces and spans to a transaction.

A deleted row of `trace` takes its spans, chunks and feedback along, by trigger and foreign key.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.ingestion.rollup import Usage, count_usage
from spectral.domains.traces.ingestion.storage_postgres import add_usage as postgres_add_usage
from spectral.domains.traces.ingestion.storage_sqlite import add_usage as sqlite_add_usage
from spectral.domains.traces.models import SpanRecord, Trace, TraceArrival
from spectral.domains.traces.vocabulary import SpanRow
from spectral.platform.access.principal import WorkspaceAccess

SLICE_TRACES = 500
SLICE_SPANS = 20_000
"""A slice ends before this many spans, but holds a trace at least."""

MERGED_PAGES = 500
CHANGES_OF_A_MERGE = 2

_SPAN_COLUMNS = [SpanRecord.__table__.c[name] for name in SpanRow._fields]


@dataclass(frozen=True, slots=True)
class Removed:
    """How much went."""

    traces: int = 0
    spans: int = 0


class TraceRemover:
    """Removes traces of one workspace, in the caller's transaction, which should end after a slice."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._workspace_id = access.workspace_id

    async def expired(self, before_ns: int) -> list[bytes]:
        """A slice of the traces that started before, oldest first."""
        return await self.some(Trace.started_at < before_ns)

    async def some(self, *where: sa.ColumnElement[bool]) -> list[bytes]:
        """A slice of the traces that fit, oldest first."""
        statement = (
            sa.select(Trace.trace_id, Trace.span_count)
            .where(Trace.workspace_id == self._workspace_id, *where)
            .order_by(Trace.started_at)
            .limit(SLICE_TRACES)
        )
        return _slice([(row[0], row[1]) for row in await self._session.execute(statement)])

    async def some_with_span(self, where: sa.ColumnElement[bool]) -> list[bytes]:
        """A slice of the traces with a span that fits; reads every span of the workspace."""
        spans = sa.select(SpanRecord.trace_id).where(SpanRecord.workspace_id == self._workspace_id, where)
        found = [row[0] for row in await self._session.execute(spans.distinct().limit(SLICE_TRACES))]
        return await self.some(Trace.trace_id.in_(found)) if found else []

    async def forget(self, trace_ids: Sequence[bytes]) -> Removed:
        """Delete these traces; what they counted in the hourly figures stays, as history."""
        locked = await self._lock(trace_ids)
        return await self._delete(locked)

    async def undo(self, trace_ids: Sequence[bytes]) -> Removed:
        """Delete these traces as if they had never been sent: what they counted is taken out of the hourly figures."""
        locked = await self._lock(trace_ids)
        if not locked:
            return Removed()
        connection = await self._session.connection()
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            # Whoever reads the file finds zeros where they were; some builds do so anyway.
            await connection.exec_driver_sql("PRAGMA secure_delete=ON")
        usage: Usage = {}
        spans = sa.select(*_SPAN_COLUMNS).where(
            SpanRecord.workspace_id == self._workspace_id, SpanRecord.trace_id.in_([item[0] for item in locked])
        )
        for values in await self._session.execute(spans):
            count_usage(usage, SpanRow(*values), -1)
        removed = await self._delete(locked)
        # After the traces, in the order of their keys: as ingestion locks them.
        add_usage = sqlite_add_usage if is_sqlite else postgres_add_usage
        await add_usage(connection, self._workspace_id, usage)
        return removed

    async def forget_words(self, *, first: bool) -> bool:
        """A step towards an index of words in which nothing of deleted traces is left; False when it is done.

        SQLite keeps them there, marked as deleted, until parts of the index are merged. Nothing to do on PostgreSQL,
        where vacuuming removes them.  Source: SQLite, "FTS5 Extension", "The 'merge' Command".
        """
        connection = await self._session.connection()
        if connection.dialect.name != "sqlite":
            return False
        changes = "SELECT total_changes()"
        before = (await connection.exec_driver_sql(changes)).scalar_one()
        pages = -MERGED_PAGES if first else MERGED_PAGES
        await connection.exec_driver_sql("INSERT INTO trace_search (trace_search, rank) VALUES ('merge', ?)", (pages,))
        after = (await connection.exec_driver_sql(changes)).scalar_one()
        return bool(after - before >= CHANGES_OF_A_MERGE)

    async def _lock(self, trace_ids: Sequence[bytes]) -> list[tuple[bytes, int]]:
        """Those that are still there, with their number of spans; locked in the order of their keys."""
        statement = (
            sa.select(Trace.trace_id, Trace.span_count)
            .where(Trace.workspace_id == self._workspace_id, Trace.trace_id.in_(trace_ids))
            .order_by(Trace.trace_id)
            .with_for_update()
        )
        return [(row[0], row[1]) for row in await self._session.execute(statement)]

    async def _delete(self, locked: Sequence[tuple[bytes, int]]) -> Removed:
        ids = [trace_id for trace_id, _ in locked]
        for table in (Trace, TraceArrival):
            await self._session.execute(
                sa.delete(table)
                .where(table.workspace_id == self._workspace_id, table.trace_id.in_(ids))
                .execution_options(synchronize_session=False)
            )
        return Removed(len(locked), sum(count for _, count in locked))


def _slice(found: Sequence[tuple[bytes, int]]) -> list[bytes]:
    ids: list[bytes] = []
    spans = 0
    for trace_id, count in found:
        spans += count
        if ids and spans > SLICE_SPANS:
            break
        ids.append(trace_id)
    return ids
