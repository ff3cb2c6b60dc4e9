"""Work that waits holds nothing, is woken in the transaction that has a reason to, and is halted wherever it runs."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.errors import LeaseLostError
from spectral.platform.engine.recovery import find_due, find_due_soon
from spectral.platform.engine.work import NEVER, EngineWork
from spectral.platform.shared.clock import utc_now
from tests.fixtures.statements import statements
from tests.platform.engine.test_engine import job_states

MakeEngine = Callable[..., Engine]
Eventually = Callable[..., Awaitable[None]]


async def park(context: WorkContext, after_s: float | None = None) -> None:
    async with context.database.transaction(context.access) as session:
        await context.park(session, None if after_s is None else utc_now() + timedelta(seconds=after_s))


async def finish(context: WorkContext) -> None:
    async with context.database.transaction(context.access) as session:
        await context.finish(session)


async def wake(place: Any, engine: Engine, item: WorkItem) -> None:
    async with place.database.transaction(place.access) as session:
        await engine.wake(session, item)


async def halt(place: Any, engine: Engine, key: UUID) -> None:
    async with place.database.transaction(place.access) as session:
        await engine.halt(session, place.access.workspace_id, key)


async def until_parked(place: Any, key: UUID) -> EngineWork:
    async with asyncio.timeout(10):
        while True:
            row: EngineWork | None = await place.find(key)
            if row is not None and row.state == "queued" and row.wake_at == NEVER:
                return row
            await asyncio.sleep(0.01)


async def change(place: Any, key: UUID, **values: Any) -> None:
    async with place.database.transaction(place.access) as session:
        mine = (EngineWork.workspace_id == place.access.workspace_id, EngineWork.id == key)
        await session.execute(sa.update(EngineWork).where(*mine).values(**values))


class Recorder:
    """A handler that notes its executions and does with each what it is told to."""

    def __init__(self, *acts: Callable[[WorkContext], Awaitable[None]]) -> None:
        self.acts = list(acts)
        self.seen: list[WorkContext] = []

    async def __call__(self, context: WorkContext) -> None:
        self.seen.append(context)
        await (self.acts.pop(0) if len(self.acts) > 1 else self.acts[0])(context)


async def test_parked_work_holds_nothing_and_runs_again_when_it_is_woken(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine, handler = make_engine(), Recorder(park, park, finish)
    engine.register("work", handler, max_per_workspace=1)
    await engine.start()
    item = await place.enqueue(engine, place.item(number=1))
    row = await until_parked(place, item.key)
    assert (row.lease, row.attempts, row.executor_id, row.finished_at, row.error) == (2, 0, None, None, None)
    health = await engine.health()
    assert (health.queued, health.running, health.oldest_queued_s) == (0, 0, None)
    # Neither the sweep nor retention touch it, and the queue does not know of it.
    await asyncio.to_thread(engine._upkeep.tick)  # type: ignore[union-attr]
    await engine._forget_old()
    assert (await place.read(item.key)).lease == 2
    assert job_states(database) == {}
    # The one slot is free.
    other = await place.enqueue(engine, place.item())
    await until_parked(place, other.key)
    await wake(place, engine, item)
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts, row.executor_id) == (3, 1, None)
    assert [(context.key, context.attempt, context.lease) for context in handler.seen] == [
        (item.key, 1, 1),
        (other.key, 1, 1),
        (item.key, 1, 3),
    ]


async def test_what_has_ended_or_was_never_there_runs_when_it_is_woken_and_what_runs_is_left_alone(
    place: Any, make_engine: MakeEngine, eventually: Eventually
) -> None:
    engine, release = make_engine(), asyncio.Event()

    async def hold(context: WorkContext) -> None:
        await release.wait()
        await finish(context)

    async def fail(_: WorkContext) -> None:
        raise LookupError

    handler = Recorder(fail, hold)
    engine.register("work", handler)
    await engine.start()
    item = place.item(first=True)
    await wake(place, engine, item)
    await place.until(item.key, "failed")
    await wake(place, engine, WorkItem("work", item.workspace_id, item.account_id, item.key, {"second": True}))
    await eventually(lambda: len(handler.seen) == 2)
    for _ in range(2):
        await wake(place, engine, item)
    release.set()
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts, row.error, row.payload) == (2, 1, None, {"second": True})
    assert [context.payload for context in handler.seen] == [{"first": True}, {"second": True}]


async def test_a_transaction_that_rolls_back_neither_wakes_nor_halts_nor_parks_nor_starts(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine = make_engine()

    async def half_parked(context: WorkContext) -> None:
        async with database.transaction(context.access) as session:
            await context.park(session, None)
            raise ConnectionResetError

    handler = Recorder(half_parked, park, finish)
    engine.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    # The database was away when it was to be parked, so it was tried again.
    row = await until_parked(place, item.key)
    assert [context.attempt for context in handler.seen] == [1, 2]
    unborn = place.item()

    async def caller() -> None:
        async with database.transaction(place.access) as session:
            await engine.halt(session, place.access.workspace_id, item.key)
            await engine.wake(session, item)
            await engine.enqueue(session, unborn)
            raise RuntimeError("the caller fails")

    with pytest.raises(RuntimeError, match="the caller fails"):
        await caller()
    assert (await place.read(item.key)).lease == row.lease
    assert await place.find(unborn.key) is None
    await wake(place, engine, item)
    await place.until(item.key, "succeeded")
    assert len(handler.seen) == 3


async def test_with_its_commit_finished_work_is_over_whatever_its_handler_still_does(
    place: Any, make_engine: MakeEngine, eventually: Eventually
) -> None:
    engine, release, ends = make_engine(), asyncio.Event(), []

    async def linger(context: WorkContext) -> None:
        await finish(context)
        try:
            await release.wait()
        finally:
            ends.append(context.key)
        raise LookupError("too late to fail")

    handler = Recorder(linger, linger, finish)
    engine.register("work", handler, max_per_workspace=1)
    await engine.start()
    first = await place.enqueue(engine, place.item())
    await place.until(first.key, "succeeded")
    # The slot is free, and even the same work may run again, beside what is left of its former execution.
    await wake(place, engine, first)
    await eventually(lambda: len(handler.seen) == 2)
    second = await place.enqueue(engine, place.item())
    await place.until(second.key, "succeeded")
    release.set()
    await eventually(lambda: len(ends) == 2)
    await asyncio.to_thread(engine._upkeep.tick)  # type: ignore[union-attr]
    row = await place.read(first.key)
    assert (row.state, row.error, row.lease) == ("succeeded", None, 2)
    assert engine._execution.contexts == {}


async def test_parked_work_runs_when_its_time_has_come_whoever_wrote_it(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine, started = make_engine(), {}

    async def handler(context: WorkContext) -> None:
        started[context.key] = utc_now()
        if context.lease == 1:
            await park(context, context.payload["after_s"])

    engine.register("work", handler, max_per_workspace=3)
    await engine.start()
    near, past, far = [await place.enqueue(engine, place.item(after_s=after_s)) for after_s in (0.2, -1.0, 3_600.0)]
    for item in (near, past):
        row = await place.until(item.key, "succeeded")
        assert (row.lease, row.attempts) == (3, 1)
        assert started[item.key] >= row.wake_at
    # Brought forward by a process that runs nothing: the upkeep comes to know of it.
    soon = utc_now() + timedelta(seconds=1.5)
    await change(place, far.key, wake_at=soon)
    await place.until(far.key, "succeeded")
    assert started[far.key] >= soon
    assert job_states(database) == {}


async def test_a_timer_outlives_the_engine_that_set_it(place: Any, make_engine: MakeEngine) -> None:
    first, second = make_engine(), make_engine()
    leases: list[int] = []

    async def handler(context: WorkContext) -> None:
        leases.append(context.lease)
        if context.lease == 1:
            await park(context, 0.5)

    for engine in (first, second):
        engine.register("work", handler)
    await first.start()
    item = await place.enqueue(first, place.item())
    await place.until(item.key, "queued")
    await first.stop()
    await asyncio.sleep(0.6)
    await second.start()
    await place.until(item.key, "succeeded")
    assert leases == [1, 3]


async def hang(_: WorkContext) -> None:
    await asyncio.sleep(3_600)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["here", "elsewhere"])
async def test_halted_work_is_interrupted_and_waits_for_a_wake(
    place: Any,
    other_place: Any,
    make_engine: MakeEngine,
    database: Database,
    eventually: Eventually,
    elsewhere: bool,  # noqa: FBT001
) -> None:
    api, engine, interrupted = make_engine(executes=False), make_engine(), []

    async def stubborn(context: WorkContext) -> None:
        try:
            await hang(context)
        finally:
            assert context.cancelled
            interrupted.append(context.key)
            with pytest.raises(LeaseLostError):
                await finish(context)

    handler = Recorder(stubborn, finish)
    for each in (api, engine):
        each.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    await eventually(lambda: len(handler.seen) == 1)
    via = api if elsewhere else engine
    # Not another workspace's to halt.
    async with database.transaction(other_place.access) as session:
        await via.halt(session, other_place.access.workspace_id, item.key)
    await halt(place, via, item.key)
    row = await until_parked(place, item.key)
    assert (row.lease, row.attempts, row.executor_id) == (2, 0, None)
    await eventually(lambda: interrupted == [item.key])
    await halt(place, via, item.key)
    await wake(place, via, item)
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts) == (4, 1)
    # It has ended, and stays so.
    await halt(place, via, item.key)
    assert (await place.read(item.key)).lease == 4


async def test_halt_and_wake_in_one_transaction_start_it_anew(
    place: Any, make_engine: MakeEngine, database: Database, eventually: Eventually
) -> None:
    engine, handler = make_engine(), Recorder(hang, hang, finish)
    engine.register("work", handler, max_per_workspace=1)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    for count in (1, 2):
        await eventually(lambda count=count: len(handler.seen) == count)
        async with database.transaction(place.access) as session:
            await engine.halt(session, place.access.workspace_id, item.key)
            await engine.wake(session, item)
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts) == (5, 1)
    assert [context.lease for context in handler.seen] == [1, 3, 5]
    assert [context.lost for context in handler.seen] == [True, True, False]


async def test_parked_work_that_is_to_be_cancelled_ends(place: Any, make_engine: MakeEngine) -> None:
    engine, asked = make_engine(), asyncio.Event()

    async def handler(context: WorkContext) -> None:
        await asked.wait()
        await park(context)

    engine.register("work", handler)
    await engine.start()
    running = await place.enqueue(engine, place.item())
    assert await place.cancel(engine, running.key)
    asked.set()
    row = await place.until(running.key, "cancelled")
    assert row.finished_at is not None
    parked = await place.enqueue(engine, place.item())
    await until_parked(place, parked.key)
    assert await place.cancel(engine, parked.key)
    assert (await place.read(parked.key)).state == "cancelled"


async def test_a_claim_whose_caller_vanished_after_the_commit_is_run_all_the_same(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine, handler = make_engine(), Recorder(finish)
    engine.register("work", handler)
    await engine.start()
    item = place.item()
    async with database.session(place.access) as session:
        await engine.enqueue(session, item)
        await session.commit()
    row = await place.read(item.key)
    assert (row.state, row.executor_id, row.lease, row.attempts) == ("running", engine.executor_id, 1, 1)
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts) == (3, 2)


async def test_a_start_and_an_end_cost_no_transaction_of_the_engines_own(
    place: Any, make_engine: MakeEngine, database: Database, eventually: Eventually
) -> None:
    engine = make_engine()
    engine.register("work", finish)
    await engine.start()
    with statements(database) as seen:
        async with database.transaction(place.access) as session:
            items = [place.item() for _ in range(2)]
            for item in items:
                await engine.enqueue(session, item)
        await eventually(lambda: len([each for each in seen if each.startswith("UPDATE engine_work")]) == 2)
    for item in items:
        await place.until(item.key, "succeeded")
    # Nothing but the two rows and their two ends; on PostgreSQL each transaction is bound, and the slots counted alone.
    own = [each for each in seen if "set_config('spectral.workspace'" not in each]
    assert len([each for each in own if "engine_schedule" not in each]) == (4 if database.is_sqlite else 5)
    assert job_states(database) == {}


async def test_slots_are_counted_exactly_while_work_starts_parks_and_wakes_at_once(
    place: Any, make_engine: MakeEngine
) -> None:
    engine, running, most = make_engine(), 0, 0
    parked: asyncio.Queue[WorkItem] = asyncio.Queue()

    async def handler(context: WorkContext) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        if context.lease == 1:
            await park(context)
            parked.put_nowait(WorkItem("work", context.workspace_id, context.account_id, context.key))
        else:
            await finish(context)

    engine.register("work", handler, max_per_workspace=3)
    await engine.start()
    items = [place.item() for _ in range(30)]

    async def wake_all() -> None:
        for _ in items:
            await wake(place, engine, await parked.get())

    async with asyncio.timeout(30):
        await asyncio.gather(wake_all(), *(place.enqueue(engine, item) for item in items))
    for item in items:
        await place.until(item.key, "succeeded", within_s=30)
    assert most == 3


async def test_a_full_process_serves_the_workspaces_in_turns(
    place: Any, other_place: Any, make_engine: MakeEngine
) -> None:
    engine, order = make_engine(), []
    waiting = asyncio.Event()

    async def handler(context: WorkContext) -> None:
        await waiting.wait()
        order.append(context.workspace_id)
        await finish(context)

    engine.register("work", handler, max_per_workspace=2, max_per_process=2)
    await engine.start()
    async with place.database.transaction(place.access) as session:
        many = [place.item() for _ in range(40)]
        for item in many:
            await engine.enqueue(session, item)
    one = await other_place.enqueue(engine, other_place.item())
    waiting.set()
    await other_place.until(one.key, "succeeded")
    for item in many:
        await place.until(item.key, "succeeded", within_s=20)
    # Those that had begun go first, and no more than another turn's worth.
    assert order.index(other_place.access.workspace_id) < 6
    assert len(order) == 41


@pytest.mark.databases("sqlite")
async def test_finding_due_work_does_not_read_what_is_parked_or_has_ended(
    make_engine: MakeEngine, database: Database
) -> None:
    engine, seen = make_engine(executes=False), []

    def see(_connection: object, _cursor: object, statement: str, parameters: Any, *_: object) -> None:
        seen.append((statement, parameters))

    sa.event.listen(engine._threads, "before_cursor_execute", see)
    now = utc_now()
    find_due(engine._threads, {"work": 2}, now)
    find_due_soon(engine._threads, {"work": 2}, now, now + timedelta(seconds=2))
    await engine.health()
    asked = [(statement, parameters) for statement, parameters in seen if "engine_work" in statement]
    assert len(asked) == 4
    for statement, parameters in asked:
        async with database.transaction(read_only=True) as session:
            connection = await session.connection()
            plan = (await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters)).all()
        steps = [row[3] for row in plan if "engine_work" in row[3]]
        assert steps
        assert all("INDEX ix_engine_work_open (state=?" in step for step in steps), steps
