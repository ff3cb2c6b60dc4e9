"""What a run that ends by itself leaves behind: nothing that is still open, and everybody told who wants to know."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.remote.repository import RemoteTaskRepository
from spectral.domains.workflows.runs.ending import PARENT_ENDED, RunEnding
from spectral.domains.workflows.runs.repository import InterruptRepository, RunActRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now


class RunSurroundings:
    """Closes what is around a run, in the transaction that ends it."""

    def __init__(self, launcher: Launcher) -> None:
        self._launcher = launcher

    async def release(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        run: WorkflowRun,
        waits: Sequence[tuple[str, Mapping[str, Any]]],
    ) -> None:
        """What these waits waited for ends: losers of a race, what came too late, what a failure made pointless."""
        for key, wait in waits:
            if wait["type"] == "remote":
                await RemoteTaskRepository(session, access).cancel(run.id, run.generation, key, utc_now())
            elif wait["type"] == "subflow":
                await self._end_subflow(session, access, UUID(wait["run_id"]))
            elif "interrupt_id" in wait:
                await InterruptRepository(session, access).withdraw(UUID(wait["interrupt_id"]))

    async def _end_subflow(self, session: AsyncSession, access: WorkspaceAccess, run_id: UUID) -> None:
        ending = RunEnding(session, access, self._launcher)
        runs = RunActRepository(session, access)
        for subflow in await runs.lock_open_descendants(run_id):
            await ending.cancel(subflow, PARENT_ENDED)
        subflow = await RunRepository(session, access).lock(run_id)
        if RunStatus(subflow.status) not in FINAL:
            await ending.cancel(subflow, PARENT_ENDED)

    async def close(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """Its questions, tasks and subflows end, whoever waits for it is told, and those who asked to know of it."""
        ending = RunEnding(session, access, self._launcher)
        if run.status != RunStatus.SUCCEEDED:
            # What succeeded waits for nothing any more.
            await InterruptRepository(session, access).cancel_pending(run)
            await RemoteTaskRepository(session, access).cancel(run.id, run.generation, None, utc_now())
            for subflow in await RunActRepository(session, access).lock_open_descendants(run.id):
                await ending.cancel(subflow, PARENT_ENDED)
        await ending.tell_parent(run)
        await ending.announce(run)
