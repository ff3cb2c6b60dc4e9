"""Tasks whose last lease has ended are failed by a schedule; who may still lease a task needs nobody to say so.

And what evaluations had done is forgotten by another one.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.lifecycle.retention import workspaces
from spectral.domains.workflows.models import RemoteTask
from spectral.domains.workflows.remote.repository import EXHAUSTED, RemoteTaskRepository
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.discovery import look_across_workspaces
from spectral.platform.shared.clock import utc_now

SCHEDULE = "workflows.remote"
INTERVAL_S = 2.0
FORGETTING = "workflows.remote.forgetting"
FORGETTING_INTERVAL_S = 3600.0
KEPT = timedelta(days=3)
"""What nobody but an evaluation asked for: by then the evaluation has it in its journal."""
TASKS_A_BATCH = 500
TASKS_A_WORKSPACE = 200

log = structlog.get_logger(__name__)


class TaskRetention:
    """identity: the database as the authentication role, which knows every workspace."""

    def __init__(self, database: Database, identity: Database) -> None:
        self._database = database
        self._identity = identity

    async def run(self) -> None:
        """Tasks that were no run's and ended days ago are gone; a workspace that fails keeps no other one waiting."""
        before = utc_now() - KEPT
        for access in await workspaces(self._identity, FORGETTING):
            try:
                await forget_ended(self._database, access, before)
            except DBAPIError as error:
                log.warning(
                    "remote_tasks_not_forgotten", workspace_id=str(access.workspace_id), error=type(error).__name__
                )


async def forget_ended(database: Database, access: WorkspaceAccess, before: datetime) -> int:
    """Delete the tasks of a workspace that are no run's and ended before that moment; answers how many."""
    total = 0
    while True:
        async with database.transaction(access) as session:
            forgotten = await RemoteTaskRepository(session, access).forget_ended(before, TASKS_A_BATCH)
        total += forgotten
        if forgotten < TASKS_A_BATCH:
            return total


class LeaseExpiry:
    """identity: the database as the authentication role, which knows whose a workspace is."""

    def __init__(self, database: Database, identity: Database, queue: RemoteQueue) -> None:
        self._database = database
        self._identity = identity
        self._queue = queue

    async def run(self) -> None:
        """Every task that no runner answered in all of its leases has failed; of each workspace so many in a turn."""
        for access in await self._due():
            try:
                await self._fail_exhausted(access)
            except DBAPIError as error:
                log.warning(
                    "remote_tasks_not_expired", workspace_id=str(access.workspace_id), error=type(error).__name__
                )

    async def _due(self) -> Sequence[WorkspaceAccess]:
        ended = sa.select(RemoteTask.workspace_id).where(*EXHAUSTED, RemoteTask.available_at <= utc_now()).distinct()
        found = [row[0] for row in await look_across_workspaces(self._database, ended)]
        if not found:
            return []
        whose = sa.select(Workspace.id, Workspace.account_id).where(Workspace.id.in_(found))
        return [
            WorkspaceAccess.for_system(workspace_id, account_id, SCHEDULE)
            for workspace_id, account_id in await self._identity.look_up(whose)
        ]

    async def _fail_exhausted(self, access: WorkspaceAccess) -> None:
        async with self._database.transaction(access, read_only=True) as session:
            exhausted: Sequence[UUID] = await RemoteTaskRepository(session, access).exhausted(
                utc_now(), TASKS_A_WORKSPACE
            )
        for task_id in exhausted:
            # One at a time: each holds its run.
            async with self._database.transaction(access) as session:
                await self._queue.expire(session, access, task_id)
