"""Whatever happens to a run, in whatever order: what it becomes is what the model says, and its rows agree.

`SPECTRAL_TEST_ROUNDS` makes more and longer histories of it than the few of every run.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import hypothesis
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine

from spectral.domains.workflows.execution import rows as written_rows
from spectral.domains.workflows.execution.launching import KIND, Launcher
from spectral.domains.workflows.execution.rows import RunRows
from spectral.domains.workflows.execution.scheduler import Scheduler
from spectral.domains.workflows.execution.state import State, changes_between
from spectral.domains.workflows.execution.states import FINAL, TRANSITIONS, RunAction, RunStatus, next_status
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
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, Suspend
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.domains.workflows.runs.interrupts import Answer, InterruptService
from spectral.domains.workflows.runs.signals import SignalService
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.timers import DueWork
from spectral.platform.engine.work import NEVER, EngineWork, WorkState
from spectral.platform.shared.errors import InvalidTransitionError, SpectralError
from spectral.settings import Settings
from tests.domains.workflows.execution.conftest import Runs, _nothing
from tests.domains.workflows.execution.crashing import die
from tests.domains.workflows.execution.machine_model import DEFINITION, ENDED, JUMP_S, TASKS, Call, Model, RefusedError
from tests.platform.engine.conftest import new_place

ROUNDS = int(os.environ.get("SPECTRAL_TEST_ROUNDS", "1"))
SETTLES_WITHIN_S = 15.0

S, A = RunStatus, RunAction
# Every status and what each action makes of it, written out by hand: `·` is refused.
COLUMNS = (
    "queued", "running", "waiting", "pausing", "paused", "interrupted", "awaiting_input", "succeeded", "failed",
    "cancelled",
)  # fmt: skip
TABLE = """
pause          paused    pausing     paused    ·         ·         paused      paused      ·         ·         ·
pause_now      paused    paused      paused    paused    ·         paused      paused      ·         ·         ·
resume         ·         ·           ·         running   queued    ·           ·           ·         ·         ·
restart        queued    queued      queued    queued    queued    queued      queued      queued    queued    queued
terminate      cancelled cancelled   cancelled cancelled cancelled cancelled   cancelled   ·         ·         ·
signal         queued    running     queued    pausing   paused    queued      queued      ·         ·         ·
answer         queued    running     queued    pausing   paused    queued      queued      ·         ·         ·
start          running   running     running   pausing   ·         running     running     ·         ·         ·
wait           ·         waiting     ·         paused    ·         ·           ·           ·         ·         ·
interrupt      ·         interrupted ·         paused    ·         ·           ·           ·         ·         ·
await_input    ·         awaiting_input ·      paused    ·         ·           ·           ·         ·         ·
succeed        ·         succeeded   ·         succeeded ·         ·           ·           ·         ·         ·
fail           ·         failed      ·         failed    ·         ·           ·           ·         ·         ·
reach_boundary ·         running     ·         paused    ·         ·           ·           ·         ·         ·
"""


def test_every_action_takes_every_status_where_the_table_says() -> None:
    assert set(COLUMNS) == set(RunStatus)
    written = [line.split() for line in TABLE.strip().splitlines()]
    assert [line[0] for line in written] == [action.value for action in RunAction]
    for action, *expected in written:
        for status, after in zip(COLUMNS, expected, strict=True):
            if after == "·":
                with pytest.raises(InvalidTransitionError) as caught:
                    next_status(status, RunAction(action))
                assert caught.value.extensions["current"] == status
            else:
                assert next_status(status, RunAction(action)) == after, (action, status)


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


# ---------------------------------------------------------------------------------------------------- what happens


OUTCOMES = ("ok", "ok", "fail", "fail for good", "again", "suspend")
RESULTS: dict[str, Any] = {
    "ok": {"again": False},
    "again": {"again": True},
    "suspend": Suspend("Which?", data={"sizes": [1]}),
    "fail": NodeError("broken", "it broke"),
    "fail for good": NodeError("broken", "it broke", retryable=False),
}


def fits(call: Call, outcome: str) -> str:
    """What this node can give."""
    key = call[1]
    return "ok" if (outcome == "again" and key != "d") or (outcome == "suspend" and key != "b") else outcome


class Machine(RuleBasedStateMachine):
    """Histories of runs on one installation, and the model of each; `run` is the loop's."""

    def __init__(self, world: World, run: Callable[[Any], Any]) -> None:
        super().__init__()
        self.world = world
        self.run = run
        self.model = Model()
        self.sent = 0

    @initialize()
    def start(self) -> None:
        self.model = Model(down=not self.world.is_up)
        if not self.world.is_up:
            self.run(self.world.come_up())
            self.model.recover()
        self.run(self.world.new_run())
        self.sent = 0
        self.settle(self.model)

    # Results ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.model.in_flight)
    @rule(place=st.integers(0, 3), outcome=st.sampled_from(OUTCOMES))
    def a_node_ends(self, place: int, outcome: str) -> None:
        call = self.model.in_flight[place % len(self.model.in_flight)]
        outcome = fits(call, outcome)
        self.give(call, outcome)
        self.model.result(call, outcome)
        self.settle(self.model)

    @rule()
    def results_come_late(self) -> None:
        """Nothing that was not in flight any more changes anything."""
        self.give_late()
        self.settle(self.model)

    # People ---------------------------------------------------------------------------------------------------

    @rule(action=st.sampled_from(("pause", "pause", "pause_now", "resume", "resume")), here=st.booleans())
    def pause_or_resume(self, action: str, here: bool) -> None:  # noqa: FBT001
        self.do(lambda model: getattr(model, action)(), self.action(action), here=here)

    @rule(action=st.sampled_from(("terminate", "restart", "restart")), here=st.booleans(), unlikely=st.integers(0, 2))
    def end_or_begin_again(self, action: str, here: bool, unlikely: int) -> None:  # noqa: FBT001
        if unlikely == 0 or self.model.is_final:
            self.do(lambda model: getattr(model, action)(), self.action(action), here=here)

    @rule(type=st.sampled_from(("go", "go", "go", "other")), here=st.booleans(), again=st.sampled_from((0, 0, 1, 2)))
    def send(self, type: str, here: bool, again: int) -> None:  # noqa: FBT001
        if not again or not self.sent:
            self.sent += 1
        key, payload = f"s{self.sent}", self.sent + (1000 if again == 2 else 0)

        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = SignalService(session, self.world.access, launcher, authority)
            await service.send(str(self.world.run_id), type, payload, key)

        self.do(lambda model: model.signal(key, type, payload), do, here=here)

    @precondition(lambda self: self.model.steps["q"].answer is not None)
    @rule(status=st.sampled_from(("approved", "rejected")), here=st.booleans())
    def answer(self, status: str, here: bool) -> None:  # noqa: FBT001
        asked = [one for one in self.run(self.world.interrupts()) if one.key == "q"]
        (question,) = [one for one in asked if one.generation == self.model.generation]

        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = InterruptService(session, self.world.access, launcher, authority)
            await service.answer(question.id, Answer(status))

        self.do(lambda model: model.answer(status), do, here=here)

    @rule(here=st.booleans())
    def give_data(self, here: bool) -> None:  # noqa: FBT001
        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> None:
            service = InterruptService(session, self.world.access, launcher, authority)
            # Named, so that it cannot be anything else that waits.
            await service.resume_step(str(self.world.run_id), "b", 1)

        self.do(lambda model: model.give_data(), do, here=here)

    # The self.world ------------------------------------------------------------------------------------------------

    @rule()
    def time_passes(self) -> None:
        self.run(self.world.jump())
        self.model.jump()
        self.settle(self.model)

    @precondition(lambda self: not self.model.down)
    @rule(place=st.integers(0, 3), with_result=st.booleans(), unlikely=st.integers(0, 2))
    def the_process_dies(self, place: int, with_result: bool, unlikely: int) -> None:  # noqa: FBT001
        if unlikely:
            return
        self.race(lambda model: model.crash(), self.world.crash, place, with_result=with_result)

    @precondition(lambda self: self.model.down)
    @rule()
    def a_process_comes(self) -> None:
        self.run(self.world.come_up())
        self.model.recover()
        self.settle(self.model)

    @precondition(lambda self: self.model.in_flight)
    @rule(
        action=st.sampled_from(("pause", "pause_now", "terminate", "restart")),
        place=st.integers(0, 3),
        here=st.booleans(),
    )
    def an_action_meets_a_result(self, action: str, place: int, here: bool) -> None:  # noqa: FBT001
        async def do() -> None:
            assert await self.world.act(self.action(action), here=here) in {None, "InvalidTransitionError"}

        self.race(lambda model: getattr(model, action)(), do, place, with_result=True)

    # So that histories get somewhere.
    @rule()
    def go_on(self) -> None:
        model = self.model
        if model.down:
            self.a_process_comes()
        elif model.status in {"paused", "pausing"}:
            self.pause_or_resume("resume", here=True)
        elif model.in_flight:
            self.a_node_ends(0, "ok")
        elif model.status == "awaiting_input":
            self.give_data(here=True)
        elif model.status == "interrupted":
            self.answer("approved", here=True)
        elif any(step.wait == "event" for step in model.steps.values()):
            self.send("go", here=True, again=0)
        else:
            self.time_passes()

    @rule()
    def go_on_once_more(self) -> None:
        self.go_on()

    @rule()
    def go_on_further(self) -> None:
        self.go_on()
        self.go_on()

    # How ------------------------------------------------------------------------------------------------------

    def action(self, name: str) -> Callable[..., Awaitable[Any]]:
        async def do(session: Any, launcher: Launcher, authority: ScopedAuthority) -> Any:
            actions, run_name = RunActions(session, self.world.access, launcher, authority), str(self.world.run_id)
            if name.startswith("pause"):
                return await actions.pause_run(run_name, reason="why", at_once=name == "pause_now")
            if name == "terminate":
                return await actions.terminate_run(run_name, "enough")
            return await (actions.resume_run(run_name) if name == "resume" else actions.restart_run(run_name))

        return do

    def do(self, change: Callable[[Model], None], act: Callable[..., Awaitable[Any]], *, here: bool) -> None:
        """The action, in reality and in the model: with the same answer, and the same in the end."""
        expected = None
        try:
            change(self.model)
        except RefusedError as refused:
            expected = str(refused)
        assert self.run(self.world.act(act, here=here)) == expected
        # What was in flight under another generation, or before a pause, may answer at this very moment.
        if not here:
            self.give_late()
        self.settle(self.model)

    def race(
        self,
        change: Callable[[Model], None],
        do: Callable[[], Awaitable[None]],
        place: int,
        *,
        with_result: bool,
    ) -> None:
        """The two happen at once: the model may take either for the first."""
        call = self.model.in_flight[place % len(self.model.in_flight)] if self.model.in_flight else None
        first, second = self.model.copy(), self.model.copy()
        if call is None or not with_result:
            change(first)
            self.run(do())
            self.settle(first)
            return
        first.result(call, "ok")
        first.go_on()
        try:
            change(first)
        except RefusedError:
            first = second.copy()
            first.result(call, "ok")
        change(second)
        second.result(call, "ok")
        self.give(call, "ok")
        self.run(do())
        self.settle(first, second)

    def give(self, call: Call, outcome: str) -> None:
        async def give() -> None:
            (held,) = [one for one in self.world.calls if one.name == call and not one.result.done()]
            self.set(held, outcome)

        self.run(give())

    def give_late(self) -> None:
        async def give() -> None:
            for held in self.world.calls:
                if held.name not in self.model.in_flight and not held.result.done():
                    self.set(held, "ok")
            for _ in range(3):
                await asyncio.sleep(0)

        self.run(give())

    def set(self, held: Held, outcome: str) -> None:
        result = RESULTS[outcome]
        if isinstance(result, Exception):
            held.result.set_exception(result)
            held.result.exception()
        else:
            held.result.set_result(result)

    def settle(self, *candidates: Model) -> None:
        for model in candidates:
            model.go_on()
        self.model = self.run(self.settled(candidates))

    async def settled(self, candidates: tuple[Model, ...]) -> Model:
        wrong: list[str | None] = []
        try:
            async with asyncio.timeout(SETTLES_WITHIN_S):
                while True:
                    wrong = [await difference(self.world, model) for model in candidates]
                    if None in wrong:
                        break
                    await asyncio.sleep(0.01)
        except TimeoutError:
            raise AssertionError(f"{wrong} instead of {candidates}") from None
        model = candidates[wrong.index(None)]
        await check_rows(self.world, model)
        return model


@contextmanager
def patched(world_clock: Clock, truth: dict[tuple[UUID, int], str], patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Workflows ask our clock, keep whole states often, and tell us what they are about to keep."""
    for name, module in list(sys.modules.items()):
        if name.startswith("spectral.domains.workflows") and hasattr(module, "utc_now"):
            patch.setattr(module, "utc_now", world_clock.now)
    patch.setattr(written_rows, "FULL_EVERY", 4)
    write = RunRows._write_checkpoint

    async def write_and_tell(self: RunRows, session: Any, run: WorkflowRun, scheduler: Scheduler) -> None:
        index, document = run.next_index, json.dumps(scheduler.state.to_document())
        await write(self, session, run, scheduler)
        if run.next_index > index:
            truth[run.id, index] = document

    patch.setattr(RunRows, "_write_checkpoint", write_and_tell)
    yield


@pytest.mark.slow
def test_a_run_is_what_the_model_says_whatever_happens_to_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    with asyncio.Runner() as runner:
        runner.run(log_status_changes(settings))
        database = Database(settings.url, pool_size=settings.database_pool_size)
        clock = Clock()
        world = World(database, clock)
        with patched(clock, world.truth, monkeypatch):
            runner.run(world.open())
            try:
                run_state_machine_as_test(
                    cast("Any", lambda: Machine(world, runner.run)),
                    settings=hypothesis.settings(
                        max_examples=6 * ROUNDS,
                        stateful_step_count=25 if ROUNDS == 1 else 50,
                        derandomize=ROUNDS == 1,
                        database=None,
                        deadline=None,
                        # A history that fails is told as it was: making it shorter takes longer than reading it.
                        phases=(hypothesis.Phase.generate,),
                        suppress_health_check=list(hypothesis.HealthCheck),
                        print_blob=False,
                    ),
                )
            finally:
                runner.run(world.close())
        runner.run(database.close())
