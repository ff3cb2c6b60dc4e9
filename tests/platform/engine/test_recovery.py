"""No process's death loses work: killed, frozen, or stopped in the middle of it."""

import asyncio
import json
import os
import signal
import sqlite3
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.engine import connections
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.work import EngineExecutor, EngineWork
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.settings import Settings

WORKER = Path(__file__).with_name("worker.py")
MakeEngine = Callable[..., Engine]


class Worker:
    """A worker process and what it says."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    def tell_to_start(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"start\n")

    async def hears(self, word: str, within_s: float = 40.0) -> dict[str, Any]:
        """What the worker says about this, skipping everything else."""
        assert self.process.stdout is not None
        async with asyncio.timeout(within_s):
            while True:
                line = await self.process.stdout.readline()
                assert line, f"the worker ended before it said {word}"
                said: dict[str, Any] = json.loads(line)
                if word in said:
                    return said


@asynccontextmanager
async def worker(settings: Settings, place: Any, *keys: UUID) -> AsyncIterator[Worker]:
    own = [str(key) for key in keys]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(WORKER),
        settings.url,
        str(place.access.workspace_id),
        str(place.access.account_id),
        *own,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield Worker(process)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        await process.communicate()


def freeze(process: asyncio.subprocess.Process, settings: Settings) -> None:
    """Stop the process between two of its own transactions: on SQLite it would take the one write lock with it."""
    if not settings.uses_sqlite:
        process.send_signal(signal.SIGSTOP)
        return
    with closing(sqlite3.connect(settings.url.partition("///")[2], timeout=10, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        connection.execute("ROLLBACK")


async def written(database: Database, place: Any) -> list[tuple[str, str]]:
    """What handlers wrote, in order: who and what."""
    async with database.transaction(place.access, read_only=True) as session:
        rows = await session.execute(sa.select(AuditEntry.actor, AuditEntry.action).order_by(AuditEntry.id))
        return [(row.actor, row.action) for row in rows]


@pytest.mark.slow
async def test_work_of_a_killed_and_of_a_frozen_process_is_finished_by_another(
    settings: Settings, database: Database, place: Any, make_engine: MakeEngine
) -> None:
    api, survivor = make_engine(executes=False), make_engine()
    finished: list[tuple[UUID, int]] = []

    async def handler(context: WorkContext) -> None:
        async with database.transaction(context.access) as session:
            await context.fence(session)
        finished.append((context.key, context.attempt))

    for engine in (api, survivor):
        engine.register("work", handler)
    direct = new_id()
    async with worker(settings, place) as frozen, worker(settings, place, direct) as killed:
        # One takes its work from the queue, the other started it directly, without a job.
        await asyncio.gather(frozen.hears("ready"), killed.hears("ready"))
        queued = (await place.enqueue(api, place.item())).key
        frozen.tell_to_start()
        assert (await frozen.hears("entered"))["entered"] == str(queued)
        killed.tell_to_start()
        assert (await killed.hears("entered"))["entered"] == str(direct)
        killed.process.kill()
        freeze(frozen.process, settings)
        begun = time.monotonic()
        await survivor.start()
        for key in (queued, direct):
            row = await place.until(key, "succeeded", within_s=30)
            assert (row.attempts, row.lease) == (2, 3)
        # About seven seconds; more only on a machine that is busy with something else.
        assert time.monotonic() - begun < 15
        assert sorted(finished) == sorted([(queued, 2), (direct, 2)])
        before = await written(database, place)
        # The frozen process wakes up, believes that it still owns its work, and writes.
        frozen.process.send_signal(signal.SIGCONT)
        assert (await frozen.hears("refused")) == {"refused": str(queued), "lease": 1}
        assert await written(database, place) == before
        assert sorted(before) == sorted((f"system:work {key}", "test.began") for key in (queued, direct))
        assert (await place.read(queued)).state == "succeeded"


@pytest.mark.slow
async def test_what_a_process_claimed_or_parked_just_before_it_was_killed_is_run_by_another(
    settings: Settings, database: Database, place: Any, make_engine: MakeEngine
) -> None:
    survivor = make_engine()
    finished: list[tuple[UUID, int]] = []

    async def handler(context: WorkContext) -> None:
        async with database.transaction(context.access) as session:
            await context.finish(session)
        finished.append((context.key, context.lease))

    survivor.register("work", handler)
    parked, claimed = new_id(), new_id()
    async with worker(settings, place, parked, claimed) as killed:
        await killed.hears("ready")
        killed.tell_to_start()
        assert (await killed.hears("parked"))["parked"] == str(parked)
        # It has the timer, and now claims in a transaction after which it does nothing more.
        killed.tell_to_start()
        assert await killed.process.wait() == -signal.SIGKILL
        row = await place.read(claimed)
        assert (row.state, row.lease, row.attempts) == ("running", 1, 1)
        await survivor.start()
        for key in (parked, claimed):
            await place.until(key, "succeeded", within_s=30)
        assert sorted(finished) == sorted([(parked, 3), (claimed, 3)])


async def test_work_whose_owner_is_unknown_is_run_again_or_ended_as_it_was_asked(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    api, engine = make_engine(executes=False), make_engine()
    attempts: dict[UUID, int] = {}

    async def handler(context: WorkContext) -> None:
        attempts[context.key] = context.attempt

    for each in (api, engine):
        each.register("work", handler, max_per_workspace=3)
    plain, unwanted, deadly = [(await place.enqueue(api, place.item())).key for _ in range(3)]
    async with database.transaction(place.access) as session:
        for key, values in (
            (plain, {"attempts": 1}),
            (unwanted, {"attempts": 1, "cancel_requested": True}),
            (deadly, {"attempts": 100}),
        ):
            lost = sa.update(EngineWork).where(
                EngineWork.workspace_id == place.access.workspace_id, EngineWork.id == key
            )
            await session.execute(lost.values(state="running", lease=1, executor_id="host-nobody-knows", **values))
    await engine.start()
    row = await place.until(plain, "succeeded")
    assert (row.attempts, row.lease) == (2, 3)
    assert (await place.read(unwanted)).state == "cancelled"
    row = await place.read(deadly)
    assert (row.state, row.error) == ("failed", "AttemptsExhausted")
    assert attempts == {plain: 2}


async def test_work_that_its_process_forgot_is_run_again(
    place: Any, make_engine: MakeEngine, database: Database
) -> None:
    engine = make_engine()
    attempts: list[int] = []

    async def handler(context: WorkContext) -> None:
        attempts.append(context.attempt)

    engine.register("work", handler)
    await engine.start()
    item = await place.enqueue(engine, place.item())
    await place.until(item.key, "succeeded")
    # As if the database had been away when the end was to be written.
    async with database.transaction(place.access) as session:
        await session.execute(
            sa.update(EngineWork)
            .where(EngineWork.workspace_id == place.access.workspace_id, EngineWork.id == item.key)
            .values(state="running", executor_id=engine.executor_id, finished_at=None)
        )
    await place.until(item.key, "succeeded")
    assert attempts == [1, 2]


async def test_what_ended_long_ago_is_forgotten(place: Any, make_engine: MakeEngine, database: Database) -> None:
    engine = make_engine()

    async def handler(_: WorkContext) -> None:
        pass

    engine.register("work", handler)
    await engine.start()
    old, new, waiting = [await place.enqueue(engine, place.item(delay_s=delay)) for delay in (0.0, None, 1000.0)]
    for item in (old, new):
        await place.until(item.key, "succeeded")
    long_ago = utc_now().replace(year=2020)
    async with database.transaction(place.access) as session:
        await session.execute(
            sa.update(EngineWork)
            .where(EngineWork.workspace_id == place.access.workspace_id, EngineWork.id == old.key)
            .values(finished_at=long_ago)
        )
    await engine._forget_old()
    assert await place.find(old.key) is None
    assert (await place.read(new.key)).state == "succeeded"
    assert (await place.read(waiting.key)).state == "queued"


async def test_an_executor_is_dead_only_when_its_heartbeat_stands_still(
    make_engine: MakeEngine, database: Database
) -> None:
    engine = make_engine()
    await engine.start()
    upkeep = engine._upkeep
    assert upkeep is not None
    upkeep.end()
    upkeep.join()
    long_ago = utc_now().replace(year=2020)
    async with database.transaction() as session:
        session.add(EngineExecutor(id="host-late", started_at=long_ago, heartbeat_at=long_ago))
    now = utc_now()
    assert upkeep._dead_executors(now) == set()
    async with database.transaction() as session:
        await session.execute(
            sa.update(EngineExecutor)
            .where(EngineExecutor.id == "host-late")
            .values(heartbeat_at=utc_now().replace(year=2021))
        )
    assert upkeep._dead_executors(now) == set()
    assert upkeep._dead_executors(now) == {"host-late"}
    await asyncio.to_thread(upkeep.tick)
    async with database.transaction(read_only=True) as session:
        assert (await session.scalars(sa.select(EngineExecutor.id))).all() == [engine.executor_id]


@pytest.mark.databases("postgresql")
def test_a_leader_that_freezes_loses_its_place(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "IDLE_TRANSACTION_TIMEOUT_MS", 300)
    engine = connections.synchronous_engine(settings.url)
    with connections.leadership(engine, 7) as first:
        assert first
        with connections.leadership(engine, 7) as second:
            assert not second
        deadline = time.monotonic() + 10
        second = False
        while not second and time.monotonic() < deadline:
            # The first says nothing meanwhile, as a stopped process would.
            time.sleep(0.1)
            with connections.leadership(engine, 7) as second:
                pass
        assert second
    engine.dispose()
