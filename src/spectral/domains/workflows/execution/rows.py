"""What an execution writes: only under its own lease, and all of one turn together."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm.attributes import set_committed_value

from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scheduler import Scheduler
from spectral.domains.workflows.execution.state import ENDED, FULL_EVERY, Entry, State, changes_between
from spectral.domains.workflows.execution.states import EXECUTING, RunStatus
from spectral.domains.workflows.execution.store import (
    NewEvent,
    RunRepository,
    Statements,
    execute_together,
    rest_topic_of,
    topic_of,
)
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowRunEvent, WorkflowStep
from spectral.domains.workflows.nodes.masking import masked_inputs
from spectral.platform.db.base import Json
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id

RUN_COLUMNS = (
    "lease",
    "segment_no",
    "status",
    "last_seq",
    "next_index",
    "outputs",
    "error",
    "current_nodes",
    "suspension",
    "pause",
    "wake_at",
    "spent",
    "started_at",
    "finished_at",
    "updated_at",
)
"""What an execution changes in a run."""
NEWS = ("lease", "inbox", "status", "last_seq", "pause")
"""What others change in a run while an execution has it."""
STEP_CHANGES = (
    "status",
    "attempts",
    "outputs",
    "error",
    "wait_type",
    "wake_at",
    "next_retry_at",
    "started_at",
    "finished_at",
)

# Over tables and built once: a turn is most of what a step costs, and the ORM's part of it was more than half.
RUN, STEP, EVENT, CHECKPOINT = (
    cast("sa.Table", model.__table__) for model in (WorkflowRun, WorkflowStep, WorkflowRunEvent, WorkflowCheckpoint)
)
_RUN = sa.and_(RUN.c.workspace_id == sa.bindparam("of_workspace"), RUN.c.id == sa.bindparam("of_run"))
LOOK = sa.select(*(RUN.c[name] for name in NEWS)).where(_RUN)
HOLD = LOOK.with_for_update()
SHARE = sa.select(RUN.c.lease).where(_RUN).with_for_update(read=True)
CHANGE_RUN = sa.update(RUN).where(_RUN).values({name: sa.bindparam(name) for name in RUN_COLUMNS})
CHANGE_STEP = (
    sa.update(STEP)
    .where(
        STEP.c.workspace_id == sa.bindparam("of_workspace"),
        STEP.c.run_id == sa.bindparam("of_run"),
        STEP.c.generation == sa.bindparam("of_generation"),
        STEP.c.key == sa.bindparam("of_key"),
        STEP.c.iteration == sa.bindparam("of_iteration"),
    )
    # Inputs are known at the start and gone from the state in the end.
    .values(
        {name: sa.bindparam(name) for name in STEP_CHANGES}
        | {"inputs": sa.func.coalesce(sa.bindparam("new_inputs", type_=Json), STEP.c.inputs)}
    )
)
ADD_STEPS, ADD_EVENTS, ADD_CHECKPOINT = sa.insert(STEP), sa.insert(EVENT), sa.insert(CHECKPOINT)


class RunRows:
    """The rows of one run, as one execution writes them. lease: under which the run was taken.

    size: about how many bytes of JSON the state is; counted exactly where an execution begins.
    """

    def __init__(self, context: WorkContext, launcher: Launcher) -> None:
        self._context = context
        self._launcher = launcher
        self._names = {"of_workspace": context.workspace_id, "of_run": context.key}
        self._stored: dict[str, Any] = {}
        self._new_state: dict[str, Any] | None = None
        self.size = 0
        self._steps: set[tuple[str, int]] = set()
        self.lease = 0

    async def hold(self, session: AsyncSession) -> WorkflowRun | None:
        """The run as it is now, held; None where it has been deleted. The caller's own: the session forgets it."""
        if (run := await self._hold_new(session)) is not None:
            return run
        try:
            run = await RunRepository(session, self._context.access).lock(self._context.key)
        except NotFoundError:
            return None
        session.expunge(run)
        return run

    async def _hold_new(self, session: AsyncSession) -> WorkflowRun | None:
        """The run as this process has just inserted it, where nothing has happened to it since."""
        new = self._launcher.take_new(self._context.key)
        if new is None:
            return None
        found = (await (await session.connection()).execute(HOLD, self._names)).one_or_none()
        if found is None or (found.lease, found.last_seq, found.status) != (0, 1, RunStatus.QUEUED):
            return None
        run, self._new_state = new
        run.inbox, run.pause = found.inbox, found.pause
        return run

    async def hold_own(self, session: AsyncSession, run: WorkflowRun) -> None:
        """Hold the run and bring what others change in it up to date.

        Raises LeaseLostError when it is not this execution's any more.
        """
        found = (await (await session.connection()).execute(HOLD, self._names)).one_or_none()
        if found is None or found.lease != self.lease:
            self._context.note_lost()
            raise LeaseLostError(str(self._context.key))
        for name in NEWS:
            set_committed_value(run, name, getattr(found, name))

    async def fence(self, session: AsyncSession) -> None:
        """The transaction commits only while the run is this execution's. Raises LeaseLostError otherwise."""
        found = (await session.execute(SHARE, self._names)).one_or_none()
        if found is None or found.lease != self.lease:
            self._context.note_lost()
            raise LeaseLostError(str(self._context.key))

    async def has_news(self, inbox: int) -> bool:
        """Whether something was sent to the run since, or it is not this execution's any more."""
        async with self._context.database.transaction(self._context.access, read_only=True) as session:
            found = (await session.execute(LOOK, self._names)).one_or_none()
        return found is None or found.inbox != inbox or found.lease != self.lease

    async def load(self, session: AsyncSession, run: WorkflowRun) -> State:
        """The run's present state."""
        if self._new_state is not None:
            state = State(self._new_state)
        else:
            state = State.load(await RunRepository(session, self._context.access).checkpoints(run))
        self._stored = state.to_document()
        self.size = size_of(self._stored)
        self._steps = {
            (key, entry.get("iteration", 1)) for key, entry in state.nodes.items() if entry.get("ordinal") is not None
        }
        return state

    async def tell(self, session: AsyncSession, run: WorkflowRun, *events: NewEvent) -> None:
        """Events, and what was changed in the run, which is held."""
        await execute_together(session, self._telling(run, events))
        await self._publish(session, run, bool(events))

    async def write(self, session: AsyncSession, run: WorkflowRun, scheduler: Scheduler, said: list[NewEvent]) -> None:
        """The turn: the run's columns, its steps, its events, its checkpoint. What the scheduler gathered is taken."""
        events = [*said, *scheduler.events]
        checkpoint, steps = self._checkpoint(run, scheduler), self._changed_steps(run, scheduler)
        await execute_together(session, [*checkpoint, *steps, *self._telling(run, events)])
        await self._publish(session, run, bool(events))
        scheduler.steps.clear()
        scheduler.events.clear()

    def _telling(self, run: WorkflowRun, events: Sequence[NewEvent]) -> Statements:
        run.updated_at = now = utc_now()
        first = run.last_seq + 1
        run.last_seq += len(events)
        rows = [event.row(run, seq, now) for seq, event in enumerate(events, start=first)]
        changes: Statements = [(CHANGE_RUN, self._names | {name: getattr(run, name) for name in RUN_COLUMNS})]
        return [*changes, (ADD_EVENTS, rows)] if rows else changes

    async def _publish(self, session: AsyncSession, run: WorkflowRun, has_events: bool) -> None:  # noqa: FBT001
        live = self._launcher.live
        if live is None:
            return
        if has_events:
            await live.publish(session, topic_of(run.id), run.last_seq)
        if run.status not in EXECUTING:
            await live.publish(session, rest_topic_of(run.id), run.last_seq)

    def _checkpoint(self, run: WorkflowRun, scheduler: Scheduler) -> Statements:
        document = scheduler.state.to_document()
        full = run.next_index % FULL_EVERY == 0
        changes = changes_between(self._stored, document)
        if not changes:
            return []
        ended = sum(1 for entry in scheduler.state.nodes.values() if entry.get("status") in ENDED)
        row = {
            "workspace_id": run.workspace_id,
            "id": new_id(),
            "created_at": scheduler.now,
            "run_id": run.id,
            "index": run.next_index,
            "generation": run.generation,
            "full": full,
            "state": document if full else changes,
            "last_node": scheduler.last_node,
            "next_nodes": scheduler.next_nodes() if scheduler.ended is None else [],
            "steps_completed": ended,
        }
        run.next_index += 1
        self._stored = document
        self.size = size_of(document) if full else self.size + size_of(changes)
        return [(ADD_CHECKPOINT, row)]

    def _changed_steps(self, run: WorkflowRun, scheduler: Scheduler) -> Statements:
        new, changed = [], []
        for (key, iteration), entry in scheduler.steps.items():
            row = _step(run, scheduler, key, iteration, entry)
            if (key, iteration) in self._steps:
                named = {"of_generation": run.generation, "of_key": key, "of_iteration": iteration}
                changes = {name: row[name] for name in STEP_CHANGES}
                changed.append(self._names | named | changes | {"new_inputs": row["inputs"]})
            else:
                new.append(row)
                self._steps.add((key, iteration))
        return [(statement, rows) for statement, rows in ((ADD_STEPS, new), (CHANGE_STEP, changed)) if rows]


def _step(run: WorkflowRun, scheduler: Scheduler, key: str, iteration: int, entry: Entry) -> dict[str, Any]:
    node = scheduler.node_at(key)
    wait = entry.get("wait") or {}
    wake_at = _moment(wait.get("wake_at"))
    return {
        "workspace_id": run.workspace_id,
        "id": new_id(),
        "created_at": scheduler.now,
        "run_id": run.id,
        "generation": run.generation,
        "key": key,
        "iteration": iteration,
        "node": node.id,
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
        "started_at": _moment(entry.get("started_at")),
        "finished_at": _moment(entry.get("finished_at")),
    }


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def size_of(document: Any) -> int:
    """Bytes of a JSON document."""
    return len(json.dumps(document, ensure_ascii=False).encode())
