"""Traces that are older than a workspace or the installation keeps them are deleted, hour by hour.

A trace is as old as its first span. What it counted stays in `usage_hourly`, which is history and names nobody.
"""

import asyncio
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.ingestion.policy import shorter
from spectral.domains.traces.lifecycle.deletion import TraceDeletionService
from spectral.domains.traces.lifecycle.deletion_slices import Removed, TraceRemover
from spectral.domains.traces.lifecycle.repository import TraceSettingsRepository
from spectral.domains.traces.moments import NANOSECONDS
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.clock import utc_now

SCHEDULE = "traces.retention"
INTERVAL_S = 3600.0
PAUSE_S = 0.02
RETRY_AFTER = timedelta(minutes=5)
LOCK_NOT_AVAILABLE = "55P03"

log = structlog.get_logger(__name__)


class TraceRetention:
    """Deletes what is too old. retention_days: the installation's, None where it keeps everything.

    identity: the database as the authentication role, which knows every workspace.
    """

    def __init__(self, database: Database, identity: Database, engine: Engine, retention_days: int | None) -> None:
        self._database = database
        self._identity = identity
        self._engine = engine
        self._retention_days = retention_days

    async def run(self) -> None:
        """Once through every workspace; due every hour. A workspace that fails does not keep the others waiting."""
        now = utc_now()
        if self._retention_days is not None:
            await drop_partitions(self._database, self._retention_days)
        for access in await workspaces(self._identity, SCHEDULE):
            try:
                removed = await self._expire(access, now)
            except DBAPIError as error:
                log.warning("traces_not_expired", workspace_id=str(access.workspace_id), error=type(error).__name__)
            else:
                if removed.traces:
                    log.info(
                        "traces_expired",
                        workspace_id=str(access.workspace_id),
                        traces=removed.traces,
                        spans=removed.spans,
                    )

    async def _expire(self, access: WorkspaceAccess, now: datetime) -> Removed:
        async with self._database.transaction(access) as session:
            settings = await TraceSettingsRepository(session, access).find()
            await TraceDeletionService(session, access, self._engine).retry_failed(now - RETRY_AFTER)
        days = shorter(settings.retention_days if settings is not None else None, self._retention_days)
        return Removed() if days is None else await expire_traces(self._database, access, days, now)


async def expire_traces(database: Database, access: WorkspaceAccess, days: int, now: datetime) -> Removed:
    """Delete the traces of a workspace that started more than so many days ago; answers how much it was."""
    before_ns = oldest_kept_ns(days, now)
    total = Removed()
    while True:
        async with database.transaction(access, read_only=True) as session:
            found = await TraceRemover(session, access).expired(before_ns)
        if not found:
            return total
        async with database.transaction(access) as session:
            removed = await TraceRemover(session, access).forget(found)
        total = Removed(total.traces + removed.traces, total.spans + removed.spans)
        await asyncio.sleep(PAUSE_S)


def oldest_kept_ns(days: int, now: datetime) -> int:
    """The earliest start that is kept."""
    return max(0, int((now - timedelta(days=days)).timestamp()) * NANOSECONDS)


async def drop_partitions(database: Database, days: int) -> int:
    """Whole days that the installation keeps no more lose their partitions; answers how many. Nothing on SQLite.

    Their traces' rows follow in slices, and so do rows in the default partition. A partition that is in use for long
    stays until the next hour.
    """
    if database.is_sqlite:
        return 0
    dropped = 0
    while True:
        try:
            async with database.transaction() as session:
                name = (await session.execute(sa.select(sa.func.spectral_drop_span_partition(days)))).scalar_one()
        except DBAPIError as error:
            if getattr(error.orig, "sqlstate", None) != LOCK_NOT_AVAILABLE:
                raise
            log.warning("span_partition_in_use")
            return dropped
        if name is None:
            return dropped
        dropped += 1


async def workspaces(identity: Database, what: str) -> list[WorkspaceAccess]:
    """Access to every workspace that is not being deleted, for what the installation does by itself."""
    statement = sa.select(Workspace.id, Workspace.account_id).where(Workspace.deleting_at.is_(None))
    found = await identity.look_up(statement.order_by(Workspace.id))
    access = partial(WorkspaceAccess.for_system, what=what)
    return [access(row[0], row[1]) for row in found]
