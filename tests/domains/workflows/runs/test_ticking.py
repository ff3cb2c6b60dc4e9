"""Runs that nothing executes but ticks: bounded, one after the other, at once, and beside a process that executes."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.workflows.nodes.tasks import TaskContext
from spectral.platform.db.session import Database
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.settings import Settings
from tests.domains.workflows.runs.acting import PATIENCE_S, Stage
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import register_tenant

FLOW = """
name: flow
steps:
  - {id: first, kind: task, function: test.note}
  - id: each
    kind: foreach
    items: [1, 2, 3]
    body:
      - {id: one, kind: task, function: test.note}
  - {id: go, kind: wait_event, event: go}
  - {id: nap, kind: sleep, seconds: 2}
  - {id: last, kind: task, function: test.note}
"""
STEPS = ["first", "each[0]/one", "each[1]/one", "each[2]/one", "last"]


@dataclass
class Host:
    """An installation of a process that only ticks drive, and of one that executes once it is started."""

    stage: Stage
    start_worker: Callable[[], Any]
    noted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often which step of which run was done."""

    async def note(self, context: TaskContext) -> Any:
        self.noted[str(context.run_id), context.key] += 1
        await asyncio.sleep(0)
        return {"key": context.key}

    async def tick(self, max_runs: int = 10, max_steps: int = 100) -> dict[str, Any]:
        asked = {"max_runs": max_runs, "max_steps": max_steps}
        ticked: dict[str, Any] = await self.stage.post("/engine/tick", asked)
        assert ticked["processed"] <= max_runs
        assert ticked["steps"] <= max_steps
        return ticked

    async def start(self) -> str:
        return str((await self.stage.post("/runs", {"source": FLOW}, expect=202))["id"])

    async def status(self, run_id: str) -> str:
        return str((await self.stage.get(f"/runs/{run_id}"))["status"])

    def done(self, run_id: str) -> list[str]:
        """What of the run was done; fails where anything was done twice."""
        mine = {key: times for (of, key), times in self.noted.items() if of == run_id}
        assert set(mine.values()) <= {1}, mine
        return [key for key in STEPS if key in mine]


@pytest.fixture
async def host(
    settings: Settings, create_app: Callable[[Settings], Litestar], database: Database
) -> AsyncIterator[Host]:
    ticked = create_app(settings.model_copy(update={"engine_executes": False, "engine_ticks": True}))
    worker = create_app(settings.model_copy(update={"engine_executes": True}))
    async with AsyncExitStack() as life:
        client = await life.enter_async_context(in_process(ticked))

        async def start_worker() -> None:
            await life.enter_async_context(in_process(worker))

        host = Host(Stage(client, database, await register_tenant(client, "ours")), start_worker)
        for app in (ticked, worker):
            app.state["task_registry"].register("test.note", host.note, public=True)
        yield host


async def test_a_tick_begins_no_more_steps_than_it_may_and_the_next_one_goes_on(host: Host) -> None:
    run_id = await host.start()
    await asyncio.sleep(0.2)
    assert host.done(run_id) == []  # nothing executes by itself

    progress = []
    while (ticked := await host.tick(max_steps=1))["steps"]:
        progress.append((ticked["processed"], host.done(run_id), await host.status(run_id)))

    # The second one begins the foreach itself, the last one the wait.
    assert progress == [
        (1, STEPS[:1], "queued"),
        (1, STEPS[:1], "queued"),
        (1, STEPS[:2], "queued"),
        (1, STEPS[:3], "queued"),
        (1, STEPS[:4], "queued"),
        (1, STEPS[:4], "waiting"),
    ]
    assert (await host.tick()) == {"processed": 0, "steps": 0, "next_at": None}
    await host.stage.post(f"/runs/{run_id}/signals", {"type": "go"}, expect=202)
    ticked = await host.tick()
    assert (ticked["processed"], ticked["steps"], await host.status(run_id)) == (1, 1, "waiting")  # it sleeps
    assert ticked["next_at"] == (await host.stage.get(f"/runs/{run_id}"))["wake_at"]
    for _ in range(400):
        if (ticked := await host.tick())["steps"]:
            break
        await asyncio.sleep(0.05)
    assert ticked["steps"] == 1

    run = await host.stage.get(f"/runs/{run_id}")
    assert (run["status"], run["outputs"], host.done(run_id)) == ("succeeded", {"key": "last"}, STEPS)
    events = await host.stage.get(f"/runs/{run_id}/events?limit=100")
    assert [event["seq"] for event in events["results"]] == list(range(1, len(events["results"]) + 1))
    trace = await host.stage.get(f"/traces/{run['trace_id']}")  # a tick has stored it too
    assert trace["name"] == run_id


async def test_ticks_at_once_and_a_process_that_executes_do_nothing_twice(host: Host) -> None:
    run_ids = [await host.start() for _ in range(12)]

    async def drive(max_runs: int, max_steps: int) -> None:
        while True:
            states = Counter([await host.status(run_id) for run_id in run_ids])
            if states["waiting"] == len(run_ids):
                return
            await host.tick(max_runs, max_steps)

    async def work() -> None:
        while sum(host.noted.values()) < len(run_ids):  # noqa: ASYNC110 - ticks tell nobody
            await asyncio.sleep(0.01)
        await host.start_worker()

    async with asyncio.timeout(PATIENCE_S):
        await asyncio.gather(drive(1, 1), drive(3, 2), drive(100, 5), work())
    for run_id in run_ids:
        await host.stage.post(f"/runs/{run_id}/signals", {"type": "go"}, expect=202)
    for run_id in run_ids:
        await host.stage.until(run_id, "succeeded")

    assert [host.done(run_id) for run_id in run_ids] == [STEPS] * len(run_ids)


async def test_what_a_tick_had_that_died_goes_on_at_a_later_one(host: Host, database: Database) -> None:
    run_id = await host.start()
    await host.tick(max_steps=3)
    access = host.stage.tenant.access
    async with database.transaction(access) as session:
        mine = (EngineWork.workspace_id == access.workspace_id, EngineWork.kind == "workflow")
        died = {"state": WorkState.RUNNING.value, "lease": EngineWork.lease + 1, "executor_id": "gone"}
        await session.execute(sa.update(EngineWork).where(*mine).values(died))

    async with asyncio.timeout(PATIENCE_S):
        while not (await host.tick())["processed"]:  # noqa: ASYNC110 - a later tick is the test
            await asyncio.sleep(0.1)

    assert (await host.status(run_id), host.done(run_id)) == ("waiting", STEPS[:4])


async def test_a_tick_is_refused_where_it_is_not_wanted_and_touches_no_other_workspace(
    host: Host, client: httpx.AsyncClient, database: Database
) -> None:
    run_id = await host.start()
    other = Stage(host.stage.client, database, await register_tenant(host.stage.client, "theirs"))
    assert (await other.post("/engine/tick"))["processed"] == 0
    assert await host.status(run_id) == "queued"
    wrong = await host.stage.send("POST", "/engine/tick", {"max_runs": 0, "max_steps": 1001})
    assert wrong.status_code == 422
    refused = await client.post(f"{host.stage.tenant.url}/engine/tick", headers=host.stage.tenant.client_headers)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (400, "ticks-disabled")
