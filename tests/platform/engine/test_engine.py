"""Enqueue, direct start, delay, cancel, concurrency, failure, health: one process, both databases."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.engine import upkeep
from spectral.platform.engine.connections import synchronous_engine
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.dbos_adapter import JobQueue, JsonSerializer, migrate_jobs
from spectral.platform.engine.engine import Engine, EngineStatus
from spectral.platform.engine.errors import EngineStateError, LeaseLostError, UnknownKindError
from spectral.platform.engine.work import EngineExecutor, EngineSchedule, EngineWork
from spectral.platform.live import LiveChannel
from spectral.settings import Settings

MakeEngine = Callable[..., Engine]
Eventually = Callable[..., Awaitable[None]]


async def nothing(context: WorkContext) -> None:
    """A handler that has nothing to do."""


def job_states(database: Database) -> dict[str, str]:
    """The queue's own view, by job id."""
    engine = synchronous_engine(database.writer.url.render_as_string(hide_password=False))
    jobs = sa.table("workflow_status", sa.column("workflow_uuid"), sa.column("status"))
    jobs.schema = None if database.is_sqlite else "dbos"
    with engine.connect() as connection:
        rows = connection.execute(sa.select(jobs)).all()
    engine.dispose()
    return {row.workflow_uuid: row.status for row in rows}


async def test_what_a_rolled_back_transaction_enqueued_does_not_exist(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine = make_engine(executes=False)
    engine.register("work", nothing)
    item = place.item()

    async def caller() -> None:
        async with database.transaction(place.access) as session:
            assert await engine.enqueue(session, item)
            raise RuntimeError("the caller fails")

    with pytest.raises(RuntimeError, match="the caller fails"):
        await caller()
    assert await place.find(item.key) is None
    assert job_states(database) == {}


async def test_an_enqueued_job_commits_with_its_caller_and_another_engine_runs_it(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    api, worker = make_engine(executes=False), make_engine()
    seen: list[WorkContext] = []

    async def handler(context: WorkContext) -> None:
        assert asyncio.get_running_loop() is loop
        assert threading.current_thread() is threading.main_thread()
        seen.append(context)

    loop = asyncio.get_running_loop()
    for engine in (api, worker):
        engine.register("work", handler)
    await api.start()
    item = await place.enqueue(api, place.item(scan="one"))
    waiting = await place.read(item.key)
    assert (waiting.state, waiting.segment_no, waiting.attempts) == ("queued", 1, 0)
    assert job_states(database) == {f"{item.key}:1": "ENQUEUED"}
    await worker.start()
    row = await place.until(item.key, "succeeded")
    assert (row.lease, row.attempts, row.error, row.executor_id) == (1, 1, None, None)
    assert row.finished_at >= row.started_at >= row.created_at
    [context] = seen
    assert (context.key, context.payload, context.lease, context.attempt) == (item.key, {"scan": "one"}, 1, 1)
    assert context.access.workspace_id == place.access.workspace_id
    assert context.access.actor == f"system:work {item.key}"


async def test_with_a_free_slot_work_starts_right_after_the_commit_without_a_job(
    place: Any, make_engine: MakeEngine, database: Database, eventually: Eventually
) -> None:
    engine = make_engine()
    started: list[float] = []

    async def handler(_: WorkContext) -> None:
        started.append(time.perf_counter())

    engine.register("work", handler)
    await engine.start()
    took = []
    for count in range(1, 6):
        before = time.perf_counter()
        item = await place.enqueue(engine, place.item())
        await eventually(lambda count=count: len(started) == count)
        took.append(started[-1] - before)
        await place.until(item.key, "succeeded")
    # Without a job only the sweep would have found it, more than a second later.
    assert min(took) < 0.9
    assert job_states(database) == {}


async def test_enqueueing_a_key_again_changes_nothing(place: Any, make_engine: MakeEngine, database: Database) -> None:
    engine = make_engine()
    runs: list[object] = []

    async def handler(context: WorkContext) -> None:
        runs.append(context.payload)

    engine.register("work", handler)
    await engine.start()
    item = place.item(first=True)
    async with database.transaction(place.access) as session:
        assert await engine.enqueue(session, item) is True
        assert await engine.enqueue(session, item) is False
    await place.until(item.key, "succeeded")
    async with database.transaction(place.access) as session:
        assert await engine.enqueue(session, item) is False
    await asyncio.sleep(0.3)
    assert runs == [{"first": True}]


async def test_delayed_work_waits_and_holds_no_slot(place: Any, make_engine: MakeEngine) -> None:
    engine = make_engine()
    engine.register("work", nothing, max_per_workspace=1)
    await engine.start()
    later = await place.enqueue(engine, place.item(delay_s=0.7))
    now = await place.enqueue(engine, place.item())
    first = await place.until(now.key, "succeeded")
    second = await place.until(later.key, "succeeded")
    assert second.wake_at > second.created_at
    assert second.started_at >= second.wake_at
    assert first.finished_at < second.started_at


async def test_a_workspace_runs_no_more_at_once_than_the_kind_allows(
    place: Any, other_place: Any, make_engine: MakeEngine
) -> None:
    api, engine = make_engine(executes=False), make_engine()
    running: dict[object, int] = {}
    most: dict[object, int] = {}
    met: dict[object, asyncio.Event] = {}

    async def handler(context: WorkContext) -> None:
        slot = (context.workspace_id, context.kind)
        running[slot] = running.get(slot, 0) + 1
        most[slot] = max(most.get(slot, 0), running[slot])
        if context.kind == "work":
            # The second slot is used too, however busy the machine: the first waits until it was, once.
            both = met.setdefault(context.workspace_id, asyncio.Event())
            if running[slot] == 2:
                both.set()
            await asyncio.wait_for(both.wait(), timeout=20)
        await asyncio.sleep(0.05)
        running[slot] -= 1

    for each in (api, engine):
        each.register("work", handler, max_per_workspace=2)
        each.register("alone", handler, max_per_workspace=1)
    await engine.start()
    items = []
    for number in range(6):
        via = engine if number % 2 else api
        items.append((place, await place.enqueue(via, place.item())))
        items.append((other_place, await other_place.enqueue(via, other_place.item())))
        items.append((place, await place.enqueue(via, place.item("alone"))))
    for where, item in items:
        await where.until(item.key, "succeeded", within_s=30)
    assert most == {
        (place.access.workspace_id, "work"): 2,
        (other_place.access.workspace_id, "work"): 2,
        (place.access.workspace_id, "alone"): 1,
    }


async def test_a_handler_that_raises_leaves_the_class_of_its_error(
    place: Any, make_engine: MakeEngine, caplog: pytest.LogCaptureFixture
) -> None:
    engine = make_engine()

    class BrokenError(Exception):
        pass

    async def handler(_: WorkContext) -> None:
        raise BrokenError("a tenant's secret")

    engine.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    row = await place.until(item.key, "failed")
    assert (row.error, row.attempts, row.executor_id) == ("BrokenError", 1, None)
    assert row.finished_at is not None


async def test_a_database_that_was_away_is_not_the_works_failure(place: Any, make_engine: MakeEngine) -> None:
    engine = make_engine()
    attempts: list[int] = []

    async def handler(context: WorkContext) -> None:
        attempts.append(context.attempt)
        if context.attempt == 1:
            raise sa.exc.DBAPIError("SELECT 1", {}, Exception("server closed"), connection_invalidated=True)

    engine.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    row = await place.until(item.key, "succeeded")
    assert (attempts, row.attempts, row.error) == ([1, 2], 2, None)


async def test_cancelling_waiting_work_keeps_it_from_running(place: Any, make_engine: MakeEngine) -> None:
    api, engine = make_engine(executes=False), make_engine()
    runs: list[object] = []

    async def handler(context: WorkContext) -> None:
        runs.append(context.key)

    for each in (api, engine):
        each.register("work", handler)
    unwanted = await place.enqueue(api, place.item())
    wanted = await place.enqueue(api, place.item())
    assert await place.cancel(api, unwanted.key) is True
    row = await place.read(unwanted.key)
    assert (row.state, row.cancel_requested) == ("cancelled", True)
    assert row.finished_at is not None
    assert await place.cancel(api, unwanted.key) is False
    await engine.start()
    await place.until(wanted.key, "succeeded")
    await asyncio.sleep(0.3)
    assert runs == [wanted.key]
    assert (await place.read(unwanted.key)).state == "cancelled"


async def test_cancelling_running_work_is_seen_by_its_handler_and_its_threads(
    place: Any, other_place: Any, make_engine: MakeEngine, eventually: Eventually
) -> None:
    api, engine = make_engine(executes=False), make_engine()
    contexts: list[WorkContext] = []

    def compute(context: WorkContext) -> None:
        while not context.cancelled:
            time.sleep(0.01)

    async def handler(context: WorkContext) -> None:
        contexts.append(context)
        await asyncio.to_thread(compute, context)
        await context.raise_if_cancelled()

    for each in (api, engine):
        each.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    await eventually(lambda: len(contexts) == 1)
    assert not contexts[0].cancelled
    await contexts[0].raise_if_cancelled()
    # Not another workspace's to cancel, and asked through another process's engine: seen at the next heartbeat.
    assert await other_place.cancel(api, item.key) is False
    assert await place.cancel(api, item.key) is True
    row = await place.until(item.key, "cancelled", within_s=3)
    assert row.error is None


async def test_a_stopped_engine_hands_its_work_back_and_is_no_longer_counted(
    place: Any, make_engine: MakeEngine, eventually: Eventually, database: Database
) -> None:
    first, second = make_engine(), make_engine()
    entered: list[int] = []

    async def handler(context: WorkContext) -> None:
        entered.append(context.attempt)
        if context.attempt == 1:
            await asyncio.sleep(60)

    for engine in (first, second):
        engine.register("work", handler)
    await first.start()
    item = await place.enqueue(first, place.item())
    await eventually(lambda: entered == [1])
    await first.stop()
    row = await place.read(item.key)
    assert (row.state, row.executor_id, row.lease) == ("queued", None, 2)
    async with database.transaction(read_only=True) as session:
        assert (await session.scalars(sa.select(EngineExecutor.id))).all() == []
    begun = time.monotonic()
    await second.start()
    row = await place.until(item.key, "succeeded")
    assert time.monotonic() - begun < 5
    assert (entered, row.attempts, row.lease) == ([1, 2], 2, 3)


async def test_a_zombies_write_is_refused(
    place: Any, make_engine: MakeEngine, database: Database, eventually: Eventually
) -> None:
    engine = make_engine()
    contexts: list[WorkContext] = []
    zombies: list[asyncio.Task[None]] = []

    async def go_on(context: WorkContext) -> None:
        async with database.transaction(context.access) as session:
            await context.fence(session)
        # Another executor takes the work over while this one does not notice.
        async with database.transaction(context.access) as session:
            await session.execute(
                sa.update(EngineWork)
                .where(EngineWork.workspace_id == context.workspace_id, EngineWork.id == context.key)
                .values(lease=EngineWork.lease + 1, state="queued", executor_id=None)
            )
        async with database.transaction(context.access) as session:
            await context.fence(session)

    async def handler(context: WorkContext) -> None:
        contexts.append(context)
        if context.attempt > 1:
            return
        # The upkeep may interrupt the handler as soon as the work has a new owner; a zombie would not notice that.
        zombies.append(asyncio.create_task(go_on(context)))
        await asyncio.shield(zombies[0])

    engine.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    row = await place.until(item.key, "succeeded")
    with pytest.raises(LeaseLostError):
        await zombies[0]
    assert contexts[0].cancelled
    with pytest.raises(LeaseLostError):
        await contexts[0].raise_if_cancelled()
    assert (row.attempts, row.lease) == (2, 3)


async def test_two_processes_run_what_is_due_once_an_interval(
    make_engine: MakeEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = make_engine(), make_engine(executes=False)
    runs: list[str] = []

    async def beat(name: str) -> None:
        runs.append(name)

    first.every("beat", 1.0, lambda: beat("first"))
    second.every("beat", 1.0, lambda: beat("second"))
    with pytest.raises(ValueError, match="already"):
        first.every("beat", 5.0, lambda: beat("first"))
    with pytest.raises(ValueError, match="at most every"):
        first.every("often", 0.5, lambda: beat("first"))
    moments = [SimpleNamespace(timestamp=lambda second=second: 1_000_000.0 + second) for second in range(5)]
    for now in moments:
        # Both processes' upkeep finds the same interval due at the same moment.
        for engine in (first, second):
            for schedule in engine._schedules.due(now):  # type: ignore[arg-type]
                if schedule.name == "beat":
                    engine._schedules.start(schedule, now)  # type: ignore[arg-type]
        await asyncio.gather(*first._schedules._tasks.values(), *second._schedules._tasks.values())
    assert len(runs) == len(moments)


async def test_a_schedule_runs_while_the_engine_does_and_its_failure_is_kept(
    make_engine: MakeEngine, database: Database, eventually: Eventually
) -> None:
    engine = make_engine()
    runs: list[float] = []

    async def fails() -> None:
        runs.append(time.time())
        raise LookupError("nothing there")

    engine.every("fails", 1.0, fails)
    await engine.start()
    await eventually(lambda: len(runs) >= 2, within_s=5)
    assert runs[1] - runs[0] > 0.5
    await engine.stop()
    async with database.transaction(read_only=True) as session:
        row = (await session.scalars(sa.select(EngineSchedule).where(EngineSchedule.name == "fails"))).one()
    assert (row.error, row.executor_id) == ("LookupError", engine.executor_id)
    assert row.finished_at is not None


async def test_health_tells_who_executes_and_what_waits(
    place: Any, make_engine: MakeEngine, eventually: Eventually
) -> None:
    api, worker = make_engine(executes=False), make_engine()
    release = asyncio.Event()

    async def handler(_: WorkContext) -> None:
        await release.wait()

    for engine in (api, worker):
        engine.register("work", handler, max_per_workspace=1)
    await api.start()
    health = await api.health()
    assert (health.status, health.executing, health.executors) == (EngineStatus.DEGRADED, False, 0)
    assert health.oldest_queued_s is None
    await worker.start()
    one = await place.enqueue(worker, place.item())
    two = await place.enqueue(worker, place.item())
    await place.until(one.key, "running")
    health = await worker.health()
    assert (health.status, health.executing, health.executors) == (EngineStatus.OK, True, 1)
    assert (health.running, health.queued) == (1, 1)
    assert health.oldest_queued_s is not None
    assert 0 <= health.oldest_queued_s < 5
    assert (await api.health()).executing is False
    release.set()
    await place.until(two.key, "succeeded")


async def test_what_makes_no_sense_is_refused(place: Any, make_engine: MakeEngine, database: Database) -> None:
    engine, second = make_engine(), make_engine()
    engine.register("work", nothing)
    with pytest.raises(ValueError, match="already"):
        engine.register("work", nothing)
    with pytest.raises(UnknownKindError):
        await place.enqueue(engine, place.item("unheard-of"))
    await engine.start()
    with pytest.raises(EngineStateError):
        await engine.start()
    with pytest.raises(EngineStateError):
        engine.register("late", nothing)
    with pytest.raises(EngineStateError):
        await second.start()
    assert (await engine.health()).executors == 1


async def test_a_start_that_nobody_waits_for_is_ended_by_stop(make_engine: MakeEngine) -> None:
    engine = make_engine()
    starting = asyncio.create_task(engine.start())
    await asyncio.sleep(0)
    starting.cancel()
    await asyncio.wait({starting})
    await engine.stop()
    another = make_engine()
    await another.start()
    assert (await another.health()).executors == 1


@pytest.mark.databases("postgresql")
async def test_the_policy_shows_work_to_its_workspace_and_to_the_engine_only(
    place: Any, other_place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine = make_engine(executes=False)
    engine.register("work", nothing)
    item = await place.enqueue(engine, place.item())
    assert await other_place.find(item.key) is None
    async with database.transaction(read_only=True) as session:
        assert (await session.scalars(sa.select(EngineWork.id))).all() == []
    with pytest.raises(sa.exc.ProgrammingError, match="row-level security"):
        async with database.transaction(other_place.access) as session:
            await engine.enqueue(session, place.item())
    assert (await engine.health()).queued == 1


def test_the_jobs_tables_can_be_migrated_again(settings: Settings) -> None:
    migrate_jobs(settings.owner_url, settings.application_role)


def test_job_arguments_are_json_and_nothing_is_written_to_the_console(
    settings: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    serializer = JsonSerializer()
    assert json.loads(serializer.serialize({"args": ("a", 1), "kwargs": {}})) == {"args": ["a", 1], "kwargs": {}}
    engine = synchronous_engine(settings.url)
    queue = JobQueue(engine)
    queue.launch("host-test", lambda _: None, jobs_per_partition=1)
    queue.destroy()
    queue.close()
    engine.dispose()
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("dbos").propagate


async def test_work_that_another_process_hands_over_is_taken_as_soon_as_it_says_so(
    place: Any, make_engine: MakeEngine, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Neither the queue's next look nor the upkeep's finds it.
    monkeypatch.setattr(Engine, "_run_job", lambda *_: None)
    monkeypatch.setattr(upkeep, "TICK_S", 60.0)
    here = LiveChannel(database)
    there = here if database.is_sqlite else LiveChannel(database)
    api = make_engine(executes=False, live=here)
    engine = make_engine(live=there)
    for each in (api, engine):
        each.register("work", nothing)
    for channel in (here, there):
        await channel.start()
    await engine.start()
    async with asyncio.timeout(20):
        while not database.is_sqlite and not here._peers:  # noqa: ASYNC110 - nobody could tell us
            await asyncio.sleep(0.01)
    try:
        for _ in range(2):
            item = await place.enqueue(api, place.item())
            await place.until(item.key, "succeeded", within_s=30)
    finally:
        await engine.stop()
        for channel in (here, there):
            await channel.stop()
