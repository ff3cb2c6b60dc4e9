"""What an execution writes: only under its own lease, and all of one turn together."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scheduler import Scheduler
from spectral.domains.workflows.execution.state import ENDED, FULL_EVERY, Entry, State, changes_between, node_id_of
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowStep
from spectral.domains.workflows.nodes.masking import masked_inputs
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id


class RunRows:
    """The rows of one run, as one execution writes them. lease: under which the run was taken."""

    def __init__(self, context: WorkContext, launcher: Launcher) -> None:
        self._context = context
        self._launcher = launcher
        self._stored: dict[str, Any] = {}
        self._size = 0
        self.lease = 0

    def _runs(self, session: AsyncSession) -> RunRepository:
        return RunRepository(session, self._context.access, self._launcher.live)

    async def lock(self, session: AsyncSession) -> WorkflowRun | None:
        """The run as it is now, held; None where it has been deleted."""
        try:
            return await self._runs(session).lock(self._context.key)
        except NotFoundError:
            return None

    async def lock_own(self, session: AsyncSession) -> WorkflowRun:
        """As `lock`. Raises LeaseLostError when it is not this execution's any more."""
        run = await self.lock(session)
        if run is None or run.lease != self.lease:
            self._context.note_lost()
            raise LeaseLostError(str(self._context.key))
        return run

    async def has_news(self, inbox: int) -> bool:
        """Whether something was sent to the run since, or it is not this execution's any more."""
        looked = sa.select(WorkflowRun.inbox, WorkflowRun.lease).where(
            WorkflowRun.workspace_id == self._context.workspace_id, WorkflowRun.id == self._context.key
        )
        async with self._context.database.transaction(self._context.access, read_only=True) as session:
            found = (await session.execute(looked)).one_or_none()
        return found is None or found.inbox != inbox or found.lease != self.lease

    async def checkpoints(self, session: AsyncSession, run: WorkflowRun) -> Sequence[WorkflowCheckpoint]:
        """What the present state is made of."""
        return await self._runs(session).checkpoints(run)

    def remember(self, state: State) -> None:
        """This state is stored; the next checkpoint says what is different."""
        self._stored = state.to_document()
        self._size = size_of(self._stored)

    def grows_to(self, state: State) -> int:
        """About how many bytes of JSON the state is; counted exactly where an execution begins."""
        return self._size + size_of(changes_between(self._stored, state.document))

    async def tell(self, session: AsyncSession, run: WorkflowRun, *events: NewEvent) -> None:
        """These events, and what was changed in the run, which is locked."""
        await self._runs(session).append(run, events)

    async def write(self, session: AsyncSession, run: WorkflowRun, scheduler: Scheduler, said: list[NewEvent]) -> None:
        """The turn: the run's columns, its steps, its events, its checkpoint. What the scheduler gathered is taken."""
        await self._write_checkpoint(session, run, scheduler)
        if scheduler.steps:
            rows = [self._step(run, scheduler, *named, entry) for named, entry in scheduler.steps.items()]
            await self._write_steps(session, rows)
        await self._runs(session).append(run, [*said, *scheduler.events])
        scheduler.steps.clear()
        scheduler.events.clear()

    async def _write_checkpoint(self, session: AsyncSession, run: WorkflowRun, scheduler: Scheduler) -> None:
        document = scheduler.state.to_document()
        full = run.next_index % FULL_EVERY == 0
        changes = changes_between(self._stored, document)
        if not changes:
            return
        ended = sum(1 for entry in scheduler.state.nodes.values() if entry.get("status") in ENDED)
        await session.execute(
            sa.insert(WorkflowCheckpoint).values(
                workspace_id=run.workspace_id,
                id=new_id(),
                created_at=scheduler.now,
                run_id=run.id,
                index=run.next_index,
                generation=run.generation,
                full=full,
                state=document if full else changes,
                last_node=scheduler.last_node,
                next_nodes=scheduler.next_nodes() if scheduler.ended is None else [],
                steps_completed=ended,
            )
        )
        run.next_index += 1
        self._stored = document
        self._size = size_of(document) if full else self._size + size_of(changes)

    async def _write_steps(self, session: AsyncSession, rows: list[dict[str, Any]]) -> None:
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        statement = insert(WorkflowStep)
        kept = {"workspace_id", "id", "created_at", "run_id", "generation", "key", "iteration", "inputs", "ordinal"}
        changed = {
            column.name: statement.excluded[column.name]
            for column in WorkflowStep.__table__.columns
            if column.name not in kept
        }
        # Inputs are known at the start and gone from the state in the end.
        changed["inputs"] = sa.func.coalesce(statement.excluded.inputs, WorkflowStep.inputs)
        keys = ["workspace_id", "run_id", "generation", "key", "iteration"]
        await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)

    @staticmethod
    def _step(run: WorkflowRun, scheduler: Scheduler, key: str, iteration: int, entry: Entry) -> dict[str, Any]:
        node = scheduler.node_at(key)
        wait = entry.get("wait") or {}
        wake_at = datetime.fromisoformat(wait["wake_at"]) if wait.get("wake_at") else None
        return {
            "workspace_id": run.workspace_id,
            "id": new_id(),
            "created_at": utc_now(),
            "run_id": run.id,
            "generation": run.generation,
            "key": key,
            "iteration": iteration,
            "node": node_id_of(key),
            "kind": node.kind.value,
            "ordinal": entry.get("ordinal", 0),
            "status": entry["status"],
            "attempts": entry.get("attempt", 0),
            "max_attempts": node.retries.limit + 1,
            "inputs": masked_inputs(entry.get("inputs")),
            "outputs": entry.get("outputs"),
            "error": entry.get("error"),
            "wait_type": wait.get("type"),
            "wake_at": wake_at,
            "next_retry_at": wake_at if wait.get("type") == "retry" else None,
            "started_at": datetime.fromisoformat(entry["started_at"]) if entry.get("started_at") else None,
            "finished_at": datetime.fromisoformat(entry["finished_at"]) if entry.get("finished_at") else None,
        }


def size_of(document: Any) -> int:
    """Bytes of a JSON document."""
    return len(json.dumps(document, ensure_ascii=False).encode())
