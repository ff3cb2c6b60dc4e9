"""What people do to a run as a whole: pause it, let it go on, begin it again, end it, forget it."""

from datetime import UTC
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.launching import Launcher, work_of
from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import EXECUTING, FINAL, RunAction, RunStatus, next_status
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.execution.tracing import trace_id_of
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.runs.authority import RunAct, RunAuthority
from spectral.domains.workflows.runs.ending import PARENT_ENDED, RunEnding
from spectral.domains.workflows.runs.reading_repository import RunReadRepository
from spectral.domains.workflows.runs.repository import CheckpointRepository, RunActRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import InvalidTransitionError


class RunActions:
    """Actions on the runs of one workspace, in the caller's transaction. Runs are named by their name or their id.

    All of them raise NotFoundError, ForbiddenError, and InvalidTransitionError (400) where the run's status does not
    allow the action.
    """

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: RunAuthority
    ) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._authority = authority
        self._runs = RunRepository(session, access, launcher.live)
        self._ending = RunEnding(session, access, launcher)

    async def pause_run(self, name: str, *, reason: str | None, at_once: bool) -> WorkflowRun:
        """The run pauses: at once if nothing of it executes, else after the steps in flight.

        at_once: those are stopped, and done again after the resume. Timers run on meanwhile.
        """
        run = await self._runs.lock((await self._find(name)).id)
        await self._authority.authorize(RunAct.PAUSE, run)
        before = RunStatus(run.status)
        run.status = next_status(before, RunAction.PAUSE_NOW if at_once else RunAction.PAUSE)
        run.pause = {
            "reason": reason,
            "mode": "now" if at_once else "boundary",
            "at": utc_now().astimezone(UTC).isoformat(),
            "by": self._access.actor,
        }
        if run.status == RunStatus.PAUSING:
            run.inbox += 1
        elif before in EXECUTING:
            run.lease += 1
            await self._session.flush()
            await self._launcher.engine.halt(self._session, run.workspace_id, run.id)
        told = {"reason": reason, "mode": run.pause["mode"], "by": self._access.actor}
        await self._runs.append(run, [NewEvent(f"run.{run.status}", status=run.status, data=told)])
        await self._note(run, "run.paused", {"reason": reason, "mode": run.pause["mode"]})
        return run

    async def resume_run(self, name: str) -> WorkflowRun:
        """A paused run goes on, also one that has not come to its pause yet."""
        run = await self._runs.lock((await self._find(name)).id)
        await self._authority.authorize(RunAct.RESUME, run)
        await self.unpause(run)
        return run

    async def unpause(self, run: WorkflowRun) -> None:
        """As `resume_run`, of a run that the caller has locked and may resume."""
        run.status = next_status(run.status, RunAction.RESUME)
        run.pause = None
        run.inbox += 1
        await self._runs.append(run, [NewEvent("run.resumed", status=run.status, data={"by": self._access.actor})])
        await self._launcher.engine.wake(self._session, work_of(run))
        await self._note(run, "run.resumed", {})

    async def restart_run(self, name: str) -> WorkflowRun:
        """The run begins again under its id: the next generation, where the first one began; its history stays."""
        run, subflows = await self._ending.lock_with_subflows(await self._find(name))
        await self._authority.authorize(RunAct.RESTART, run)
        before = run.status
        run.status = next_status(before, RunAction.RESTART)
        for subflow in subflows:
            await self._ending.cancel(subflow, PARENT_ENDED)
        await self._runs.append(run, await self._ending.release(run))
        await self._begin_again(run)
        restarted = NewEvent("run.restarted", status=run.status, input=run.inputs, data={"by": self._access.actor})
        await self._runs.append(run, [restarted])
        await self._launcher.engine.wake(self._session, work_of(run))
        await self._note(run, "run.restarted", {"status": before, "generation": run.generation})
        return run

    async def terminate_run(self, name: str, reason: str | None) -> WorkflowRun:
        """The run ends here, and so do its subflows; a result that comes later changes nothing."""
        run, subflows = await self._ending.lock_with_subflows(await self._find(name))
        await self._authority.authorize(RunAct.TERMINATE, run)
        before = run.status
        next_status(before, RunAction.TERMINATE)
        for subflow in subflows:
            await self._ending.cancel(subflow, PARENT_ENDED)
        await self._ending.cancel(run, reason)
        await self._ending.tell_parent(run)
        await self._note(run, "run.cancelled", {"status": before, "reason": reason})
        return run

    async def delete_run(self, name: str) -> None:
        """A run that has ended is forgotten, with its history."""
        run = await self._runs.lock((await self._find(name)).id)
        await self._authority.authorize(RunAct.DELETE, run)
        if RunStatus(run.status) not in FINAL:
            message = f"A run that is {run.status} cannot be deleted; terminate it first"
            raise InvalidTransitionError(message, current=run.status)
        await RunActRepository(self._session, self._access).forget([run.id])
        self._session.expunge(run)
        await self._note(run, "run.deleted", {"name": run.name, "status": run.status})

    async def _begin_again(self, run: WorkflowRun) -> None:
        """Everything of a generation that has not begun. A fork begins where it began, not where its source did."""
        first = await self._runs.checkpoints(run, 0)
        state, next_nodes = State.load(first).to_document(), list(first[-1].next_nodes)
        run.generation += 1
        run.trace_id = trace_id_of(run.id, run.generation)
        run.outputs = run.error = run.suspension = run.pause = None
        run.wake_at = run.started_at = run.finished_at = None
        run.current_nodes = next_nodes
        run.spent = {}
        run.inbox += 1
        await CheckpointRepository(self._session, self._access).add_whole(run, state, next_nodes)

    async def _find(self, name: str) -> WorkflowRun:
        return await RunReadRepository(self._session, self._access).find_by_name(name)

    async def _note(self, run: WorkflowRun, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"run:{run.id}",
            detail=detail,
        )
