"""Processes that execute runs are killed, frozen and restarted: nothing is lost, nothing is done again needlessly.

With `-s` it is said how long after a kill the last run ended.
"""

import asyncio
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import KIND, Launcher, NewRun
from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.models import WorkflowRun, WorkflowRunEvent, WorkflowSignal
from spectral.domains.workflows.nodes.calls import NodeCall
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.domains.workflows.runs.signals import SignalService
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.work import NEVER, EngineWork, WorkState
from spectral.settings import Settings
from tests.domains.workflows.execution.conftest import Runs, _nothing
from tests.domains.workflows.execution.crashing import CHILD, PARENT, TASKS, Effects, die
from tests.domains.workflows.execution.test_scheduler import chain, task
from tests.platform.engine.conftest import new_place
from tests.platform.engine.test_recovery import Worker, freeze

ROOT = Path(__file__).parents[4]
RUNS = 10
WAITING = 1_000
WITHIN_S = 60.0


@asynccontextmanager
async def worker(settings: Settings, runs: Runs, effects: Effects) -> AsyncIterator[Worker]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.domains.workflows.execution.worker",
        settings.url,
        str(runs.access.workspace_id),
        str(runs.access.account_id),
        str(effects.path),
        str(effects.work_s),
        cwd=ROOT,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.communicate()


async def eventually(condition: Any, within_s: float = WITHIN_S) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


@pytest.fixture
async def api(runs: Runs) -> AsyncIterator[Launcher]:
    """What a process that executes nothing acts with."""
    engine = Engine(runs.database, executes=False)
    engine.register(KIND, _nothing, max_per_workspace=16)
    engine.register("workflow.trace", _nothing)
    yield Launcher(engine, runs.live)
    await engine.stop()


async def act(runs: Runs, launcher: Launcher, run_id: UUID, action: str, *arguments: Any, **named: Any) -> None:
    async with runs.database.transaction(runs.access) as session:
        actions = RunActions(session, runs.access, launcher, ScopedAuthority(runs.access))
        await getattr(actions, action)(str(run_id), *arguments, **named)


async def send(runs: Runs, run_id: UUID, payload: Any, key: str | None = None) -> bool:
    async with runs.database.transaction(runs.access) as session:
        service = SignalService(session, runs.access, runs.launcher, ScopedAuthority(runs.access))
        return (await service.send(str(run_id), "go", payload, key)).is_new


async def count_of(runs: Runs, model: Any, *where: Any) -> int:
    async with runs.database.transaction(runs.access, read_only=True) as session:
        counted = (
            sa.select(sa.func.count()).select_from(model).where(model.workspace_id == runs.access.workspace_id, *where)
        )
        return int((await session.execute(counted)).scalar_one())


# ------------------------------------------------------------------------------------------------ real processes


@pytest.mark.slow
async def test_runs_of_a_killed_and_of_a_frozen_process_end_as_if_nothing_had_happened(
    settings: Settings, database: Database, tmp_path: Path
) -> None:
    place = await new_place(database)
    api = Engine(database, executes=False)
    survivor = Runs(database, place.access)
    effects = Effects(tmp_path / "effects", 0.15)
    survivor.functions = dict.fromkeys(TASKS, effects.work)
    api.register(KIND, _nothing, max_per_workspace=16)
    api.register("workflow.trace", _nothing)
    starter = Launcher(api)
    await survivor.define(CHILD)
    version = await survivor.define(PARENT)
    run_ids = []

    async def start() -> None:
        async with database.transaction(place.access) as session:
            for _ in range(RUNS // 2):
                run = await starter.launch(session, place.access, NewRun(version, "parent", {}), "tests")
                run_ids.append(run.id)

    await survivor.live.start()
    try:
        async with worker(settings, survivor, effects) as killed, worker(settings, survivor, effects) as frozen:
            await asyncio.gather(killed.hears("ready", WITHIN_S), frozen.hears("ready", WITHIN_S))
            await start()
            killed.tell_to_start()
            await eventually(lambda: len(effects.begins(killed.process.pid)) >= RUNS)
            frozen.tell_to_start()
            await start()
            # In the middle of it: everybody has steps in flight.
            await eventually(lambda: effects.begins(frozen.process.pid).total() >= 4)
            killed.process.kill()
            lost_at = time.monotonic()
            freeze(frozen.process, settings)
            await survivor.engine.start()
            for run_id in run_ids:
                await survivor.signal(run_id, "go", 1)
            runs = [await survivor.until(run_id, within_s=WITHIN_S) for run_id in run_ids]
            assert {run.status for run in runs} == {"succeeded"}, [run.error for run in runs]
            ended_after_s = time.monotonic() - lost_at
            print(f"the last run ended {ended_after_s:.1f} s after the kill")
            # Ten, and what they do themselves; more only on a machine that is busy with something else.
            assert ended_after_s < 30
            before = await count_of(survivor, WorkflowRunEvent)
            seen = len(effects.lines())
            # It wakes up, believes that its runs are its own, ends the steps that it has, and writes.
            frozen.process.send_signal(signal.SIGCONT)
            await frozen.hears("lost", WITHIN_S)
            await eventually(lambda: len(effects.lines()) >= seen)
            frozen.process.stdin.close()  # type: ignore[union-attr]
            await frozen.process.wait()
            assert await count_of(survivor, WorkflowRunEvent) == before
            await check_effects(survivor, effects, lost_by=(killed.process.pid, frozen.process.pid))
    finally:
        await survivor.engine.stop()
        await survivor.live.stop()
        await api.stop()


async def check_effects(runs: Runs, effects: Effects, *, lost_by: tuple[int, int]) -> None:
    """What was recorded was not done again; what was in flight with a lost process, at most once more."""
    async with runs.database.transaction(runs.access, read_only=True) as session:
        mine = sa.select(WorkflowRunEvent).where(WorkflowRunEvent.workspace_id == runs.access.workspace_id)
        events = list(await session.scalars(mine.order_by(WorkflowRunEvent.run_id, WorkflowRunEvent.seq)))
        stored = list(
            await session.scalars(sa.select(WorkflowRun).where(WorkflowRun.workspace_id == runs.access.workspace_id))
        )
    assert {run.status for run in stored} == {"succeeded"}
    # Each parent has one child, however often it was begun.
    assert Counter(run.workflow_name for run in stored) == {"parent": RUNS, "child": RUNS}
    numbers: dict[UUID, list[int]] = {}
    completed: set[tuple[UUID, str | None]] = set()
    retried: Counter[str] = Counter()
    started: Counter[str] = Counter()
    for event in events:
        numbers.setdefault(event.run_id, []).append(event.seq)
        key = f"{event.run_id}:1:{event.node}:1"
        if event.type == "step.started":
            assert (event.run_id, event.node) not in completed
            started[key] += 1
        elif event.type == "step.completed":
            assert (event.run_id, event.node) not in completed
            completed.add((event.run_id, event.node))
        elif event.type == "step.retrying":
            retried[key] += 1
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    ends = Counter(event.run_id for event in events if event.type.removeprefix("run.") in FINAL)
    assert ends == Counter([run.id for run in stored])
    again = {key for key, times in effects.begins().items() if times > 1 + retried[key]}
    by_lost = {pid: effects.begins(pid) for pid in lost_by}
    for key, times in effects.begins().items():
        assert times <= started[key]
        # Each of the two processes may have had it in flight.
        assert times <= 1 + retried[key] + sum(key in begun for begun in by_lost.values()), key
    assert again <= set().union(*by_lost.values())
    assert again, "nothing was in flight"


# ------------------------------------------------------------------------------------------- one process, step by step


async def test_a_timer_that_ends_while_nobody_is_there_is_found(database: Database) -> None:
    first = Runs(database, (await new_place(database)).access)
    await first.live.start()
    await first.engine.start()
    nap = Node("nap", NodeKind.SLEEP, params={"seconds": 0.3})
    late = Node("late", NodeKind.WAIT_EVENT, params={"event": "go", "timeout_s": 0.3, "on_timeout": "continue"})
    waiting = await first.start(Definition("x", chain(nap, late, task("end"))))
    await first.until(waiting, RunStatus.WAITING)
    (asleep,) = await first.steps(waiting)
    await die(first)
    second = Runs(database, first.access)
    await second.live.start()
    await asyncio.sleep(0.35)
    await second.engine.start()
    try:
        run = await second.until(waiting)
        assert run.status == "succeeded"
        assert second.calls == ["end"]
        slept = (await second.steps(waiting))[0]
        assert slept.outputs == {"slept_until": asleep.wake_at.isoformat() if asleep.wake_at else None}
        assert run.outputs is not None
        assert run.outputs["timed_out"] is True
    finally:
        await second.engine.stop()
        await second.live.stop()


async def test_signals_before_during_and_after_a_wait_in_a_pause_and_twice(runs: Runs) -> None:
    hold = asyncio.Event()

    async def held(_: NodeCall) -> Any:
        await hold.wait()

    runs.functions["first"] = held
    nodes = [Node(name, NodeKind.WAIT_EVENT, params={"event": "go"}) for name in ("one", "two", "three", "four")]
    run_id = await runs.start(Definition("x", chain(task("first"), *nodes)))
    await runs.until(run_id, RunStatus.RUNNING)
    # Before the wait, twice under one id.
    assert [await send(runs, run_id, 1, "a"), await send(runs, run_id, 1, "a")] == [True, False]
    hold.set()
    await runs.until(run_id, RunStatus.WAITING)
    # During it.
    await send(runs, run_id, 2)
    await until_step(runs, run_id, "three", "waiting")
    # In a pause: kept, and taken after it.
    await act(runs, runs.launcher, run_id, "pause_run", reason=None, at_once=False)
    await send(runs, run_id, 3, "c")
    assert not await send(runs, run_id, 3, "c")
    assert (await runs.read(run_id)).status == "paused"
    await act(runs, runs.launcher, run_id, "resume_run")
    await until_step(runs, run_id, "four", "waiting")
    await send(runs, run_id, 4)
    run = await runs.until(run_id)
    # After the end the same one is known, and nothing changes.
    assert not await send(runs, run_id, 3, "c")
    assert run.status == "succeeded"
    taken = [(step.outputs or {}).get("payload") for step in await runs.steps(run_id) if step.key != "first"]
    assert taken == [1, 2, 3, 4]
    assert await count_of(runs, WorkflowSignal, WorkflowSignal.run_id == run_id) == 4


async def test_waits_for_the_same_event_are_served_in_the_order_in_which_they_began(runs: Runs) -> None:
    # Not the order of their names, in which a database may give back what it kept.
    waits = tuple(Node(name, NodeKind.WAIT_EVENT, params={"event": "go"}) for name in ("zz", "b"))
    run_id = await runs.start(Definition("x", Graph(waits, ())))
    await runs.until(run_id, RunStatus.WAITING)
    await send(runs, run_id, 1)
    await send(runs, run_id, 2)
    outputs = (await runs.until(run_id)).outputs or {}
    assert {key: one["payload"] for key, one in outputs.items()} == {"zz": 1, "b": 2}


async def until_step(runs: Runs, run_id: UUID, key: str, status: str) -> None:
    async with asyncio.timeout(15):
        while True:
            run, steps = await runs.read(run_id), await runs.steps(run_id)
            if run.status == RunStatus.WAITING and {step.key: step.status for step in steps}.get(key) == status:
                return
            await asyncio.sleep(0.01)


GIVEN: dict[str, dict[str, Any]] = {
    "terminate_run": {"reason": "enough"},
    "restart_run": {},
    "pause_run": {"reason": None, "at_once": True},
}


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
@pytest.mark.parametrize("action", list(GIVEN))
async def test_a_result_that_comes_too_late_changes_nothing(
    runs: Runs, api: Launcher, action: str, *, elsewhere: bool
) -> None:
    """The run is ended, begun again or paused while its node works: its result is nobody's any more."""
    results: list[asyncio.Future[str]] = []

    async def held(_: NodeCall) -> Any:
        results.append(asyncio.get_running_loop().create_future())
        try:
            return await asyncio.shield(results[-1])
        except asyncio.CancelledError:
            # A node that will not be told: it ends in its own time, as if nothing were.
            return "stubborn"

    runs.functions["slow"] = held
    run_id = await runs.start(Definition("x", chain(task("slow"), task("after"))))
    await eventually(lambda: len(results) == 1)
    await act(runs, api if elsewhere else runs.launcher, run_id, action, **GIVEN[action])
    results[0].set_result("late")
    if action == "terminate_run":
        await eventually(lambda: not runs.engine._execution.contexts)
        assert (await runs.read(run_id)).status == "cancelled"
        assert runs.calls == ["slow"]
        return
    if action == "pause_run":
        await eventually(lambda: not runs.engine._execution.contexts)
        assert (await runs.read(run_id)).status == "paused"
        assert runs.calls == ["slow"]
        await act(runs, runs.launcher, run_id, "resume_run")
    await eventually(lambda: len(results) == 2)
    results[1].set_result("in time")
    run = await runs.until(run_id)
    assert (run.status, run.outputs) == ("succeeded", "in time")
    assert runs.calls == ["slow", "slow", "after"]
    ended = [event for event in await runs.events(run_id) if event.type == "step.completed"]
    assert [(event.node, event.data["output"]) for event in ended] == [("slow", "in time"), ("after", "in time")]


@pytest.mark.slow
async def test_runs_that_wait_hold_no_task_no_thread_and_no_slot(runs: Runs) -> None:
    wait = chain(Node("go", NodeKind.WAIT_EVENT, params={"event": "go"}))
    version = await runs.define(Definition("waits", wait))
    first = await runs.start(version)
    await runs.until(first, RunStatus.WAITING)
    tasks, threads = len(asyncio.all_tasks()), threading.active_count()
    for _ in range(0, WAITING - 1, 100):
        async with runs.database.transaction(runs.access) as session:
            for _ in range(100):
                last = await runs.launcher.launch(session, runs.access, NewRun(version, "waits", {}), "tests")
    started = await count_of(runs, WorkflowRun)
    async with asyncio.timeout(WITHIN_S):
        while await count_of(runs, WorkflowRun, WorkflowRun.status == RunStatus.WAITING) < started:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
    execution = runs.engine._execution
    await eventually(lambda: not execution.contexts and not execution._tasks)
    assert started > WAITING
    assert len(asyncio.all_tasks()) <= tasks
    assert threading.active_count() <= threads + 1  # one may have been in the middle of its work
    parked = (EngineWork.state == WorkState.QUEUED, EngineWork.wake_at == NEVER, EngineWork.executor_id.is_(None))
    assert await count_of(runs, EngineWork, EngineWork.kind == KIND, *parked) == started
    await send(runs, last.id, 1)
    assert (await runs.until(last.id)).status == "succeeded"
