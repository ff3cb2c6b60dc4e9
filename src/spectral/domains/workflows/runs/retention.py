"""Runs that ended longer ago than a workspace or the installation keeps them are deleted, in batches.

The engine's own rows of them go by the engine's own rule; their traces are kept as traces are.
"""

import asyncio
from datetime import datetime, timedelta

import structlog
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.lifecycle.retention import workspaces
from spectral.domains.workflows.runs.repository import RunActRepository, VersionRepository
from spectral.domains.workflows.settings.repository import SettingsRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

SCHEDULE = "workflows.retention"
INTERVAL_S = 3600.0
RUNS_A_BATCH = 50
VERSIONS_A_BATCH = 500
PAUSE_S = 0.02

log = structlog.get_logger(__name__)


class RunRetention:
    """Deletes what is too old. retention_days: the installation's, for workspaces that have decided nothing.

    identity: the database as the authentication role, which knows every workspace.
    """

    def __init__(self, database: Database, identity: Database, retention_days: int) -> None:
        self._database = database
        self._identity = identity
        self._retention_days = retention_days

    async def run(self) -> None:
        """Once through every workspace; due every hour. A workspace that fails does not keep the others waiting."""
        now = utc_now()
        for access in await workspaces(self._identity, SCHEDULE):
            try:
                removed = await self._expire(access, now)
            except DBAPIError as error:
                log.warning("runs_not_expired", workspace_id=str(access.workspace_id), error=type(error).__name__)
            else:
                if removed:
                    log.info("runs_expired", workspace_id=str(access.workspace_id), runs=removed)

    async def _expire(self, access: WorkspaceAccess, now: datetime) -> int:
        async with self._database.transaction(access, read_only=True) as session:
            settings = await SettingsRepository(session, access).find()
        days = settings.retention_days if settings is not None else None
        return await expire_runs(self._database, access, now - timedelta(days=days or self._retention_days))


async def expire_runs(database: Database, access: WorkspaceAccess, before: datetime) -> int:
    """Delete the runs of a workspace that ended before that moment, and inline documents that only they were of.

    Answers how many runs it was.
    """
    total = 0
    while True:
        async with database.transaction(access) as session:
            runs = RunActRepository(session, access)
            found = await runs.finished_before(before, RUNS_A_BATCH)
            if found:
                total += await runs.forget(found)
        if len(found) < RUNS_A_BATCH:
            break
        await asyncio.sleep(PAUSE_S)
    while True:
        async with database.transaction(access) as session:
            forgotten = await VersionRepository(session, access).forget_unused_inline(before, VERSIONS_A_BATCH)
        if forgotten < VERSIONS_A_BATCH:
            return total
        await asyncio.sleep(PAUSE_S)
