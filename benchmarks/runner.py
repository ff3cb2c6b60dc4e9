"""Work for runners: how many tasks a second go out and come back, and what the platform adds to each."""

import asyncio
import importlib
import time
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from benchmarks.client import percentile
from benchmarks.figures import Figure
from benchmarks.server import BenchServer
from spectral.client import SpectralClient
from spectral.domains.workflows.models import RemoteTask, WorkflowRun
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel

CAPACITY = 64
EMPTY_TASKS = 2_000
WORK_S = 0.25
WORKING_TASKS = 1_500
PUT_AT_ONCE = 500
RUNNERS = 4


class NoRuns:
    """The tasks belong to no run."""

    async def wake(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        raise AssertionError((session, access, run))


async def measure_runner(server: BenchServer, database_url: str) -> list[Figure]:
    """Over HTTP, with `spectral.client`; the tasks are written before, as the engine writes them."""
    database = Database(database_url, pool_size=2)
    try:
        return [
            await _throughput(server, database, runners=1),
            await _throughput(server, database, runners=RUNNERS),
            await _overhead(server, database, 8),
            await _overhead(server, database, CAPACITY),
        ]
    finally:
        await database.close()


async def _throughput(server: BenchServer, database: Database, *, runners: int) -> Figure:
    """Functions that do nothing: what is left is leasing and answering."""

    async def nothing(task: str, inputs: Any) -> Any:
        del task
        return inputs

    took = await _run(server, database, f"empty-{runners}", nothing, EMPTY_TASKS, runners)
    sessions = "one runner" if runners == 1 else f"{runners} runners"
    detail = (
        f"{EMPTY_TASKS:,} empty tasks, {sessions} of capacity {CAPACITY}, {took / EMPTY_TASKS * 1000:.1f} ms a task"
    )
    return Figure(f"remote tasks, leased and answered, {sessions}", EMPTY_TASKS / took, "tasks/s", detail)


async def _overhead(server: BenchServer, database: Database, capacity: int) -> Figure:
    """How much longer a runner's place is taken than its function works."""
    worked: list[float] = []

    async def work(task: str, inputs: Any) -> Any:
        del task
        started = time.perf_counter()
        await asyncio.sleep(WORK_S)
        worked.append((time.perf_counter() - started) * 1000)
        return inputs

    count = WORKING_TASKS * capacity // CAPACITY
    took = await _run(server, database, f"working-{capacity}", work, count, 1, capacity)
    place_ms = took * capacity / count * 1000
    mean = sum(worked) / len(worked)
    detail = (
        f"{count:,} tasks of {WORK_S * 1000:.0f} ms (measured {mean:.0f}, p95 {percentile(worked, 95):.0f}), "
        f"{count / took:,.0f} tasks/s of {capacity / WORK_S:.0f} possible"
    )
    return Figure(f"overhead of a remote task, {capacity} at once, mean", place_ms - mean, "ms", detail)


async def _run(
    server: BenchServer,
    database: Database,
    queue: str,
    function: Any,
    count: int,
    runners: int,
    capacity: int = CAPACITY,
) -> float:
    """Seconds from the first lease until the last result is stored; every task must be done, and begun once."""
    access = WorkspaceAccess.for_system(UUID(server.workspace_id), UUID(server.workspace_id), "benchmark")
    await _put(database, access, queue, count)
    clients = [SpectralClient(server.url, server.api_key, workspace_id=server.workspace_id) for _ in range(runners)]
    for client in clients:
        client.work(queue)(function)
    sessions = [client.runner(capacity=capacity) for client in clients]
    started = time.perf_counter()
    running = [asyncio.ensure_future(session.run()) for session in sessions]
    while sum(session.progress.done for session in sessions) < count:
        await asyncio.sleep(0.01)
        assert not any(each.done() for each in running)
    took = time.perf_counter() - started
    for session in sessions:
        session.stop()
    await asyncio.gather(*running)
    for client in clients:
        client.close()
    async with database.transaction(access, read_only=True) as transaction:
        mine = (RemoteTask.workspace_id == access.workspace_id, RemoteTask.queue == queue)
        done = sa.select(sa.func.count(), sa.func.sum(RemoteTask.attempts)).where(*mine, RemoteTask.status == "done")
        row = (await transaction.execute(done)).one()
    assert tuple(row) == (count, count), row
    return took


async def _put(database: Database, access: WorkspaceAccess, queue: str, count: int) -> None:
    # The table refers to others, which are all known once the application is.
    importlib.import_module("spectral.app")
    tasks = RemoteQueue(LiveChannel(), NoRuns())
    for start in range(0, count, PUT_AT_ONCE):
        async with database.transaction(access) as transaction:
            for number in range(start, min(start + PUT_AT_ONCE, count)):
                await tasks.put(
                    transaction, access, queue=queue, task={"task": "measure", "inputs": {"number": number}}
                )
