"""Calls that ended longer ago than the installation keeps them are deleted, in batches."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.exc import DBAPIError

from spectral.domains.inference.repository import ModelCallRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

SCHEDULE: Final = "models.retention"
INTERVAL_S: Final = 3600.0
BATCH: Final = 1000
PAUSE_S: Final = 0.02

log: Final = structlog.get_logger(__name__)


class ModelCallRetention:
    """Deletes what is too old. workspaces: every workspace of the installation."""

    def __init__(
        self, database: Database, workspaces: Callable[[], Awaitable[Sequence[WorkspaceAccess]]], retention_days: int
    ) -> None:
        self._database = database
        self._workspaces = workspaces
        self._retention_days = retention_days

    async def run(self) -> None:
        """Once through every workspace; due every hour. A workspace that fails does not keep the others waiting."""
        before = utc_now() - timedelta(days=self._retention_days)
        for access in await self._workspaces():
            try:
                removed = BATCH
                while removed >= BATCH:
                    async with self._database.transaction(access) as session:
                        removed = await ModelCallRepository(session, access).forget_before(before, BATCH)
                    if removed:
                        await asyncio.sleep(PAUSE_S)
            except DBAPIError as error:
                log.warning("calls_not_expired", workspace_id=str(access.workspace_id), error=type(error).__name__)
