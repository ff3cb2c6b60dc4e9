"""A runner's session against a real server: what its functions say, its leases, and outages."""

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.client import RefusedError, RunnerSession, SpectralClient, TaskFailed, current_task
from spectral.client.tasks import Work
from spectral.platform.db.session import Database
from tests.client.platform_at import all_ended, client_of, how_many_done, put_tasks, tasks_of, tenant_of, until
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def tenant(server: ServerProcess) -> Tenant:
    return await tenant_of(server)


@pytest.fixture
async def client(server: ServerProcess, tenant: Tenant, tmp_path: Path) -> AsyncIterator[SpectralClient]:
    with client_of(server, tenant, tmp_path) as made:
        yield made


async def finished(session: RunnerSession, database: Database, tenant: Tenant) -> list[Any]:
    """The tasks, once the session has done all of them and was stopped."""
    running = asyncio.ensure_future(session.run())
    try:
        return await until(database, tenant, all_ended, lambda: running.done() and running.result())
    finally:
        session.stop()
        await running


@pytest.mark.databases("sqlite")
async def test_what_functions_say_is_what_is_recorded(
    client: SpectralClient, tenant: Tenant, database: Database
) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    await put_tasks(database, tenant, 9, "many", task={"task": "look", "inputs": 1, "traceparent": traceparent})
    kinds = iter(range(9))
    taking = threading.Lock()
    seen: list[Any] = []

    @client.work("many")
    def each_in_its_way(task: str, inputs: int) -> Any:
        with taking:
            kind = next(kinds)
        context = current_task()
        seen.append((task, inputs, context.attempt, context.traceparent, context.cancelled))
        assert kind != 0, "not today"
        if kind == 1:
            raise TaskFailed("no such picture", type="not-found")
        if kind == 2:
            return {1, 2}
        if kind == 3:
            return "x" * (2 * 1024 * 1024)
        if kind == 4:
            return float("nan")
        if kind == 5:
            context.report(usage={"input_tokens": 2}, cost_usd="0.001")
            context.report(usage={"input_tokens": 3}, trace_id="ab" * 16)
        if kind == 6:
            context.report(cost_usd="a fortune")
        if kind == 7:
            raise SystemExit(3)
        return {"kind": kind}

    tasks = await finished(client.runner(capacity=1), database, tenant)
    outcomes = [task.outcome for task in tasks]
    errors = [outcome.get("error", {}).get("type") for outcome in outcomes]
    assert errors == [
        "AssertionError",
        "not-found",
        "output-not-json",
        "output-too-large",
        "output-not-json",
        None,
        "result-not-taken",
        "failed",
        None,
    ]
    assert [outcome["error"]["retryable"] for outcome in outcomes[:2]] == [True, False]
    assert "more than 1048576" in outcomes[3]["error"]["message"]
    assert outcomes[5] == {"output": {"kind": 5}, "usage": {"input_tokens": 5}, "trace_id": "ab" * 16}
    assert tasks[5].cost_nano_usd == 1_000_000
    assert "cost_usd" in outcomes[6]["error"]["message"]
    assert outcomes[8] == {"output": {"kind": 8}}
    assert seen == [("look", 1, 1, traceparent, False)] * 9
    with pytest.raises(Exception, match="no task here"):
        current_task()


async def test_agents_and_queues_side_by_side_in_threads_and_coroutines(
    server: ServerProcess, client: SpectralClient, tenant: Tenant, database: Database
) -> None:
    async with httpx.AsyncClient(base_url=server.url + tenant.url, headers=tenant.client_headers) as http:
        made = (await http.post("/agents", json={"name": "Doubler"})).json()
    await put_tasks(database, tenant, 20)
    await put_tasks(database, tenant, 20, f"agent:{made['id']}")
    meeting = threading.Barrier(2, timeout=20)

    @client.agent("Doubler").run
    def double(config: dict[str, Any], input: int) -> int:
        assert config == {}
        if input < 2:
            # Both have to be here at the same time.
            meeting.wait()
        return 2 * input

    @client.work("work")
    async def triple(task: str, inputs: int) -> int:
        assert task == "double"
        await asyncio.sleep(0)
        return 3 * inputs

    tasks = await finished(client.runner(capacity=6), database, tenant)
    outcomes = [task.outcome or {} for task in tasks]
    # Of an agent's work it is told how long it took; of a workflow's step the run knows that itself.
    assert ["latency_ms" in outcome for outcome in outcomes] == [False] * 20 + [True] * 20
    assert [outcome["output"] for outcome in outcomes] == [factor * n for factor in (3, 2) for n in range(20)]
    assert {task.attempts for task in tasks} == {1}
    # A registered function stays what it was.
    assert double({}, 4) == 8


async def test_a_long_task_keeps_its_lease_and_a_cancelled_one_hears_of_it(
    client: SpectralClient, tenant: Tenant, database: Database
) -> None:
    await put_tasks(database, tenant, 2, lease_s=1.0, max_attempts=1)
    ended: list[str] = []
    told = threading.Semaphore(0)

    @client.work("work")
    def long(task: str, inputs: int) -> str:
        del task
        context = current_task()
        until_s = time.monotonic() + (2.5 if inputs == 0 else 30)
        while not context.cancelled and time.monotonic() < until_s:
            time.sleep(0.02)
        ended.append("cancelled" if context.cancelled else "through")
        if context.cancelled:
            told.release()
        return "through"

    session = client.runner(capacity=2)
    running = asyncio.ensure_future(session.run())
    try:
        await until(database, tenant, lambda tasks: all(task.status == "leased" for task in tasks))
        async with database.transaction(tenant.access) as transaction:
            task = (await tasks_of(database, tenant))[1]
            transaction.add(task)
            task.status = "cancelled"
        tasks = await until(database, tenant, all_ended)
        await asyncio.to_thread(told.acquire)
    finally:
        session.stop()
        await running
    assert (tasks[0].status, tasks[0].outcome, tasks[0].attempts) == ("done", {"output": "through"}, 1)
    assert (tasks[1].status, tasks[1].outcome) == ("cancelled", None)
    assert sorted(ended) == ["cancelled", "through"]
    assert (session.progress.done, session.progress.lost, session.progress.running) == (1, 1, 0)


async def test_a_server_that_is_away_for_seconds_costs_nothing(
    server: ServerProcess, client: SpectralClient, tenant: Tenant, database: Database
) -> None:
    await put_tasks(database, tenant, 60)
    at_work = threading.Event()

    @client.work("work")
    def double(task: str, inputs: int) -> int:
        del task
        at_work.set()
        time.sleep(0.05)
        return 2 * inputs

    session = client.runner(capacity=4)
    running = asyncio.ensure_future(session.run())
    try:
        await until(database, tenant, how_many_done(8), lambda: running.done() and running.result())
        # In the midst of it, without a word.
        await asyncio.to_thread(server.kill)
        assert not all_ended(await tasks_of(database, tenant))
        await asyncio.sleep(1.5)
        assert not running.done()
        await asyncio.to_thread(server.start)
        tasks = await until(database, tenant, all_ended, lambda: running.done() and running.result())
    finally:
        session.stop()
        await running
    assert [task.outcome for task in tasks] == [{"output": 2 * number} for number in range(60)]
    assert session.progress.done >= 60 - 4


@pytest.mark.databases("sqlite")
async def test_stopping_lets_tasks_end_and_lets_go_of_those_that_take_too_long(
    client: SpectralClient, tenant: Tenant, database: Database
) -> None:
    await put_tasks(database, tenant, 3)
    began = threading.Semaphore(0)
    stopped = threading.Event()

    @client.work("work")
    def work(task: str, inputs: int) -> int:
        del task
        began.release()
        stopped.wait(20)
        if inputs == 1:
            time.sleep(30)
        return inputs

    session = client.runner(capacity=2, grace_s=3)
    running = asyncio.ensure_future(session.run())
    for _ in range(2):
        await asyncio.to_thread(began.acquire)
    session.stop()
    stopped.set()
    await asyncio.wait_for(running, 20)
    ended, given_up, untouched = await tasks_of(database, tenant)
    assert (ended.status, ended.outcome) == ("done", {"output": 0})
    assert (given_up.status, given_up.outcome) == ("leased", None)
    assert (untouched.status, untouched.attempts) == ("queued", 0)


@pytest.mark.databases("sqlite")
async def test_a_refusal_ends_the_session_and_says_why(
    server: ServerProcess, client: SpectralClient, tenant: Tenant
) -> None:
    def never(*_: Any) -> None:
        raise AssertionError

    client.agent("nobody").run(never)
    with pytest.raises(RefusedError, match="Agent nobody not found"):
        await asyncio.wait_for(client.runner().run(), 20)
    stranger = SpectralClient(server.url, "sk_live_" + "0" * 36)
    with pytest.raises(RefusedError, match="401"):
        await asyncio.wait_for(RunnerSession(stranger.endpoint, [Work("queue", "work", never)]).run(), 20)
    with pytest.raises(ValueError, match="nothing that this runner could do"):
        stranger.runner()
    with pytest.raises(ValueError, match="capacity"):
        RunnerSession(stranger.endpoint, [Work("queue", "work", never)], capacity=0)
    stranger.close()
    del tenant
