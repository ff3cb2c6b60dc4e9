"""The installation that the state machine drives, and what must be true of its rows whatever happens."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from spectral.domains.workflows.execution.launching import KIND, Launcher
from spectral.domains.workflows.execution.state import State, changes_between
from spectral.domains.workflows.execution.states import FINAL, TRANSITIONS, RunAction, RunStatus
from spectral.domains.workflows.execution.store import RunRepository, topic_of
from spectral.domains.workflows.models import (
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowSignal,
    WorkflowStep,
    WorkflowVersion,
)
from spectral.domains.workflows.nodes.calls import NodeCall
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.timers import DueWork
from spectral.platform.engine.work import NEVER, EngineWork, WorkState
from spectral.platform.shared.errors import SpectralError
from spectral.settings import Settings
from tests.domains.workflows.execution.conftest import Runs, _nothing
from tests.domains.workflows.execution.crashing import die
from tests.domains.workflows.execution.machine_model import DEFINITION, ENDED, JUMP_S, TASKS, Call, Model
from tests.platform.engine.conftest import new_place

S, A = RunStatus, RunAction
ALLOWED = {(before, after) for taken in TRANSITIONS.values() for before, after in taken.items()}
BY_TURNS = (A.WAIT, A.INTERRUPT, A.AWAIT_INPUT, A.SUCCEED, A.FAIL, A.REACH_BOUNDARY)
# The first turn of an execution takes the run and stores how it left it, as one.
ALLOWED |= {
    (before, TRANSITIONS[action][taken])
    for before, taken in TRANSITIONS[A.START].items()
    for action in BY_TURNS
    if taken in TRANSITIONS[action]
}


class Clock:
    """What the workflows take for the present: the real one, and all that was jumped over."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Held:
    """A call of a node's work, which ends when the test says so."""

    def __init__(self, call: NodeCall) -> None:
        run_id, generation, key, iteration = call.idempotency_key.split(":")
        self.run_id = UUID(run_id)
        self.name: Call = (int(generation), key, int(iteration), call.attempt)
        self.has_data = call.resume_data is not None
        self.result: asyncio.Future[Any] = asyncio.get_running_loop().create_future()


class World:
    """An installation whose process dies and comes back, a second one that executes nothing, and one run at a time."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.calls: list[Held] = []
        self.truth: dict[tuple[UUID, int], str] = {}
        self.runs: Runs
        self.api: Launcher
        self.is_up = False

    async def open(self) -> None:
        self.access = (await new_place(self.database)).access
        self.other = Engine(self.database, executes=False)
        self.other.register(KIND, _nothing, max_per_workspace=16)
        self.other.register("workflow.trace", _nothing)
        await self.come_up()

    async def come_up(self) -> None:
        self.runs = Runs(self.database, self.access)
        self.runs.functions = dict.fromkeys(TASKS, self._work)
        self.api = Launcher(self.other, self.runs.live)
        await self.runs.live.start()
        await self.runs.engine.start()
        self.is_up = True

    async def crash(self) -> None:
        self.is_up = False
        await die(self.runs)

    async def close(self) -> None:
        if self.is_up:
            await self.crash()
        await self.other.stop()

    async def _work(self, call: NodeCall) -> Any:
        held = Held(call)
        self.calls.append(held)
        return await held.result

    async def new_run(self) -> UUID:
        """A run in a workspace of its own."""
        self.access = self.runs.access = (await new_place(self.database)).access
        self.calls.clear()
        self.truth.clear()
        version = await self.runs.define(DEFINITION)
        return await self.start(version)

    async def start(self, version: WorkflowVersion) -> UUID:
        self.run_id = await self.runs.start(version)
        return self.run_id

    async def act(self, do: Callable[[Any, Launcher, ScopedAuthority], Awaitable[Any]], *, here: bool) -> str | None:
        """The class of the error that the action ended with; here: in the process that executes."""
        launcher = self.runs.launcher if here and self.is_up else self.api
        try:
            async with self.database.transaction(self.access) as session:
                await do(session, launcher, ScopedAuthority(self.access))
        except SpectralError as error:
            return type(error).__name__
        return None

    async def jump(self) -> None:
        """Time passes: whatever is due by now wakes up as it would have by itself."""
        self.clock.ahead += timedelta(seconds=JUMP_S)
        async with self.database.transaction(self.access) as session:
            due = (
                EngineWork.workspace_id == self.access.workspace_id,
                EngineWork.id == self.run_id,
                EngineWork.state == WorkState.QUEUED,
                EngineWork.wake_at < NEVER,
                EngineWork.wake_at <= self.clock.now(),
            )
            moved = sa.update(EngineWork).where(*due).values(wake_at=datetime.now(UTC))
            await session.execute(moved.execution_options(synchronize_session=False))
            # An execution with nodes in flight sleeps until the moment of its next timer by the real clock.
            await self.runs.live.publish(session, topic_of(self.run_id), 0)
        if self.is_up:
            work = DueWork(self.access.workspace_id, self.access.account_id, KIND)
            self.runs.engine._execution.want(work)

    async def interrupts(self) -> list[WorkflowInterrupt]:
        async with self.database.transaction(self.access, read_only=True) as session:
            return await self.rows(session, WorkflowInterrupt)

    async def rows(self, session: AsyncSession, model: Any, *order: Any) -> list[Any]:
        mine = sa.select(model).where(model.workspace_id == self.access.workspace_id, model.run_id == self.run_id)
        return list(await session.scalars(mine.order_by(*order)))


# ------------------------------------------------------------------------------------------------------ what is true


async def difference(world: World, model: Model) -> str | None:
    """What is not yet, or not, as the model says; None when everything is."""
    async with world.database.transaction(world.access, read_only=True) as session:
        runs = RunRepository(session, world.access)
        run = await runs.get(world.run_id)
        if (run.status, run.generation) != (model.status, model.generation):
            return f"it is {run.status} in generation {run.generation}"
        state = State.load(await runs.checkpoints(run))
        work = await session.get_one(EngineWork, (world.access.workspace_id, world.run_id))
        sent = await world.rows(session, WorkflowSignal)
        events = await world.rows(session, WorkflowRunEvent)
    for key, step in model.steps.items():
        entry = state.entry(key)
        there = (state.status(key).value, entry.get("iteration", 1), entry.get("attempt", 0))
        if there != (step.status, step.iteration, step.attempt):
            return f"{key} is {there}"
    begun = [held.name for held in world.calls if held.run_id == world.run_id]
    if missing := set(model.in_flight) - set(begun):
        return f"not called: {missing}"
    if len(set(begun)) != len(begun) or not set(begun) <= set(model.begun):
        return f"called too often: {Counter(begun) - Counter(model.begun)}"
    executes = work.state == WorkState.RUNNING
    if not model.down and executes != bool(model.in_flight):
        return f"its work is {work.state}"
    signals = {one.key: one.taken for one in model.signals}
    taken = {one.signal_key: one.consumed_by for one in sent if one.generation == model.generation}
    if signals != taken:
        return f"signals are {taken}"
    # A generation before this one says it only here.
    if (told := started_in(events)) != Counter(model.begun):
        return f"begun are {told}"
    return None


def started_in(events: list[WorkflowRunEvent]) -> Counter[Call]:
    """Attempts of tasks that the history tells of."""
    return Counter(
        (event.generation, str(event.node), event.data["iteration"], event.data["attempt"])
        for event in events
        if event.type == "step.started" and event.node in TASKS
    )


async def check_rows(world: World, model: Model) -> None:
    """What is true of every run at any moment, whatever happened."""
    async with world.database.transaction(world.access, read_only=True) as session:
        run = await RunRepository(session, world.access).get(world.run_id)
        events = await world.rows(session, WorkflowRunEvent, WorkflowRunEvent.seq)
        kept = await world.rows(session, WorkflowCheckpoint, WorkflowCheckpoint.index)
        steps = await world.rows(session, WorkflowStep)
        asked = await world.rows(session, WorkflowInterrupt, WorkflowInterrupt.created_at)
        changes = await status_changes(session, world.run_id)
    check_events(run, events, model)
    check_steps(steps, check_checkpoints(world, run, kept), run)
    pending = {one.key for one in asked if one.status == "pending"}
    assert pending == {key for key, step in model.steps.items() if step.answer == "pending"}
    assert all(one.generation == run.generation for one in asked if one.status == "pending")
    for held in world.calls:
        if held.name in model.in_flight and held.name[1] == "b":
            assert held.has_data == model.steps["b"].has_data
    assert set(changes) <= ALLOWED
    # Only a restart leaves the end.
    assert sum(before in FINAL for before, _ in changes) <= run.generation - 1


def check_events(run: WorkflowRun, events: list[WorkflowRunEvent], model: Model) -> None:
    assert [event.seq for event in events] == list(range(1, run.last_seq + 1))
    # Numbers are given in order of commit, and generations follow each other.
    assert [event.generation for event in events] == sorted(event.generation for event in events)
    moments = [event.created_at for event in events]
    assert moments == sorted(moments)
    ends = Counter(event.generation for event in events if event.type.removeprefix("run.") in ENDED)
    assert ends == model.ends
    for generation in ends:
        last = [event.type for event in events if event.generation == generation]
        assert last[-1].removeprefix("run.") in ENDED
    completed: set[tuple[int, str | None, int]] = set()
    consumed: list[str] = []
    for event in events:
        step = (event.generation, event.node, event.data.get("iteration", 1))
        if event.type == "step.started":
            assert step not in completed, f"{step} again after its end"
        elif event.type in {"step.completed", "step.failed"}:
            assert step not in completed, f"{step} ended twice"
            completed.add(step)
        elif event.type == "signal.consumed":
            consumed.append(f"{event.generation}:{event.data['signal']}")
    assert len(set(consumed)) == len(consumed)
    sent = [f"{event.generation}:{event.data['signal_id']}" for event in events if event.type == "signal.received"]
    assert consumed == [one for one in sent if one in consumed], "not the oldest first"


def check_checkpoints(world: World, run: WorkflowRun, kept: list[WorkflowCheckpoint]) -> State:
    """Whole ones and changes make the state as it was at every index; the last of them."""
    assert [one.index for one in kept] == list(range(run.next_index))
    document: dict[str, Any] = {}
    whole_at = 0
    for one in kept:
        whole_at = one.index if one.full else whole_at
        state = State.load(kept[whole_at : one.index + 1]).to_document()
        known = world.truth.get((run.id, one.index))
        assert state == (State.new({}).to_document() if known is None else json.loads(known)), one.index
        if not one.full:
            # What one says that changed is what changed.
            assert changes_between(document, state) == one.state
        document = state
    return State(document)


def check_steps(steps: list[WorkflowStep], state: State, run: WorkflowRun) -> None:
    assert len({(step.generation, step.key, step.iteration) for step in steps}) == len(steps)
    mine = [step for step in steps if step.generation == run.generation]
    rows = {(step.key, step.iteration): step for step in mine}
    assert sorted(step.ordinal for step in mine) == list(range(len(mine)))
    for step in steps:
        entry = state.entry(step.key)
        if step.generation != run.generation or step.iteration != entry.get("iteration", 1):
            assert step.status in ENDED
    for key, entry in state.nodes.items():
        row = rows.get((key, entry.get("iteration", 1)))
        if row is None:
            assert entry["status"] == "pending"
            continue
        if run.status == "cancelled" and entry["status"] not in ENDED:
            assert (row.status, row.wait_type, row.wake_at) == ("cancelled", None, None)
            continue
        wait = entry.get("wait", {})
        assert (row.attempts, row.wait_type) == (entry["attempt"], wait.get("type")), key
        # A node that begins once more in this very turn is pending for nobody to see.
        assert row.status == entry["status"], key
        if entry["status"] == "succeeded":
            assert row.outputs == entry["outputs"]
        assert (row.finished_at is not None) == (entry["status"] in ENDED)


LOG = "CREATE TABLE status_log (place {place}, run_id {id}, before VARCHAR(16), after VARCHAR(16))"
LOGGED = """
INSERT INTO status_log (run_id, before, after) VALUES (new.id, old.status, new.status);
"""
SQLITE_LOG = (
    LOG.format(place="INTEGER PRIMARY KEY", id="CHAR(32)"),
    f"CREATE TRIGGER status_logged AFTER UPDATE ON workflow_run WHEN old.status <> new.status BEGIN {LOGGED} END",
)
POSTGRES_LOG = (
    LOG.format(place="SERIAL PRIMARY KEY", id="UUID"),
    (
        f"CREATE FUNCTION log_status() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN {LOGGED} "
        "RETURN new; END $$"
    ),
    (
        "CREATE TRIGGER status_logged AFTER UPDATE ON workflow_run FOR EACH ROW WHEN (old.status <> new.status) "
        "EXECUTE FUNCTION log_status()"
    ),
    "GRANT SELECT ON status_log TO PUBLIC",
)


async def log_status_changes(settings: Settings) -> None:
    """The database itself notes each change of a run's status."""
    owner = create_async_engine(settings.owner_url)
    async with owner.begin() as connection:
        for statement in SQLITE_LOG if settings.uses_sqlite else POSTGRES_LOG:
            await connection.exec_driver_sql(statement)
    await owner.dispose()


async def status_changes(session: AsyncSession, run_id: UUID) -> list[tuple[str, str]]:
    statement = sa.text("SELECT before, after FROM status_log WHERE run_id = :run ORDER BY place")
    typed = statement.bindparams(sa.bindparam("run", type_=sa.Uuid(as_uuid=True)))
    return [(row.before, row.after) for row in await session.execute(typed, {"run": run_id})]
