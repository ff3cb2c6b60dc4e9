"""What a run leaves open when it ends or begins again from outside: questions, tasks, steps and subflows end too."""

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.launching import PLATFORM_ADAPTERS, Launcher
from spectral.domains.workflows.execution.states import FINAL, RunAction, RunStatus, next_status
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.execution.tracing import trace_work_of
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.remote.repository import RemoteTaskRepository
from spectral.domains.workflows.runs.repository import SUBFLOW, InterruptRepository, RunActRepository, StepRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.events import EventType, emit
from spectral.platform.shared.clock import utc_now

PARENT_ENDED = "The run that started it has ended"


class RunEnding:
    """Ends runs of one workspace from outside, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._runs = RunRepository(session, access, launcher.live)
        self._act_runs = RunActRepository(session, access)

    async def lock_with_subflows(self, run: WorkflowRun) -> tuple[WorkflowRun, list[WorkflowRun]]:
        """The run and every subflow under it that is open, as they are now and held; the deepest subflow first.

        A subflow that ends holds itself and then its parent, so they are held in that order here too. One that the run
        has started in between is held after it; should it end at this very moment, the database lets one of us go.
        """
        subflows = await self._act_runs.lock_open_descendants(run.id)
        run = await self._runs.lock(run.id)
        late = await self._act_runs.lock_open_descendants(run.id, apart_from={one.id for one in subflows})
        return run, [*late, *subflows]

    async def cancel(self, run: WorkflowRun, reason: str | None) -> None:
        """The run is cancelled, and whatever executes it has lost it. It must be locked and open.

        Raises InvalidTransitionError (400).
        """
        run.status = next_status(run.status, RunAction.TERMINATE)
        run.finished_at = utc_now()
        run.error = {"type": "cancelled", "message": reason or "The run was cancelled"}
        run.suspension = run.pause = run.wake_at = None
        run.current_nodes = []
        events = await self.release(run)
        ended = NewEvent(
            "run.cancelled",
            status=run.status,
            error=run.error,
            data={"by": self._access.actor},
            started_at=run.started_at,
            ended_at=run.finished_at,
        )
        await self._runs.append(run, [*events, ended])
        # Parked for ever is open for ever; a restart wakes it all the same.
        await self._launcher.engine.cancel(self._session, run.workspace_id, run.id)
        await self.announce(run)

    async def announce(self, run: WorkflowRun) -> None:
        """Whoever wants to know that the run has ended is told: what it belongs to, the workspace, its traces."""
        await self._launcher.tell_ended(self._session, self._access, run)
        if run.adapter in PLATFORM_ADAPTERS:
            tasks = RemoteTaskRepository(self._session, self._access)
            await tasks.cancel_subject(f"{run.adapter}:{run.id}", utc_now())
            return  # what it belongs to tells of itself, and is no traffic of the workspace
        await self._launcher.engine.enqueue(self._session, trace_work_of(run))
        told = {"run_id": str(run.id), "name": run.name, "workflow": run.workflow_name, "status": run.status}
        await emit(self._session, self._access, EventType.WORKFLOW_RUN_FINISHED, subject=f"run:{run.id}", data=told)

    async def release(self, run: WorkflowRun) -> list[NewEvent]:
        """Nothing of the run's present generation is in flight, waits or is asked any more; answers what to tell of it.

        A write of whatever executes the run is not good any more, and that execution is interrupted.
        """
        run.lease += 1
        await self._session.flush()
        asked = await InterruptRepository(self._session, self._access).cancel_pending(run)
        tasks = RemoteTaskRepository(self._session, self._access)
        await tasks.cancel(run.id, run.generation, None, utc_now())
        steps = await StepRepository(self._session, self._access).cancel_open(run)
        await self._launcher.engine.halt(self._session, run.workspace_id, run.id)
        events = [
            NewEvent(
                "step.cancelled",
                node=step.key,
                status="cancelled",
                data={"iteration": step.iteration},
                started_at=step.started_at,
                ended_at=utc_now(),
            )
            for step in steps
        ]
        return events + [
            NewEvent("interrupt.cancelled", node=one.key, status=one.status, data={"interrupt_id": str(one.id)})
            for one in asked
        ]

    async def tell_parent(self, run: WorkflowRun) -> None:
        """A run that waits for this subflow looks at it again. Its subflow, which has ended, is locked before it."""
        if run.parent_run_id is None or (run.parent or {}).get("kind") != SUBFLOW:
            return
        parent = await self._runs.lock(run.parent_run_id)
        if RunStatus(parent.status) not in FINAL:
            await self._launcher.wake(self._session, self._access, parent)
