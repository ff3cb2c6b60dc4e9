"""A scan killed with SIGKILL again and again ends with the rows and the result of one that nobody disturbed.

Two workspaces hold the same agent, samples, rubric and objective, and the same scan is started in both. A worker
process runs the first one; the second one's workers are killed at random points of its progress. Then everything that
both workspaces hold is compared, row by row.
"""

import asyncio
import json
import multiprocessing
import random
import re
import time
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.scans.models import Scan
from spectral.domains.scans.states import FINAL
from spectral.platform.db.base import Base
from spectral.platform.db.session import Database
from spectral.platform.engine.work import EngineExecutor
from spectral.settings import Settings
from tests.domains.scans.lab import Lab
from tests.domains.scans.scanning_process import work
from tests.fixtures.tenants import Tenant, register_tenant

KILLS = 12
MODEL = "spectral-local/large"
LIMIT_S = 120.0
UUID_TEXT = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# What a clock or a stopwatch wrote, and what is counted by it: the frontier weighs measured latency.
MEASURED = re.compile(r"latency|_at$|frontier")
# The bookkeeping of engine and runs counts attempts; keys and requests are the API's, not the scan's.
OTHERS = {
    "workflow_run",
    "workflow_run_event",
    "workflow_checkpoint",
    "workflow_step",
    "engine_work",
    "engine_executor",
    "engine_schedule",
    "api_key",
    "workspace_member",
    "workspace_invite",
    # Where near-duplicates of samples are looked for; its numbers are each workspace's own.
    "sample_band",
}


class Worker:
    """A process that executes scans; forked from one that has imported everything, so that it starts at once."""

    def __init__(self, context: ForkServerContext, url: str) -> None:
        self.process: ForkServerProcess = context.Process(target=work, args=(url,), daemon=True)
        self.process.start()

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


class Progress:
    """What one tenant's scan has written so far."""

    def __init__(self, database: Database, tenant: Tenant, scan_id: str) -> None:
        self.database = database
        self.tenant = tenant
        self.scan_id = UUID(scan_id)

    async def read(self) -> tuple[str, int, int]:
        """Status, results in the journals, events."""
        results = Base.metadata.tables["evaluation_result"]
        mine = results.c.workspace_id == self.tenant.workspace_id
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            scan = (
                await session.execute(
                    sa.select(Scan.status, Scan.last_seq).where(
                        Scan.workspace_id == self.tenant.workspace_id, Scan.id == self.scan_id
                    )
                )
            ).one()
            count = (await session.execute(sa.select(sa.func.count()).select_from(results).where(mine))).scalar_one()
        return scan.status, count, scan.last_seq

    async def until(self, results: int, events: int) -> str:
        """The status, once the scan has ended or has written as many results, or events, as that."""
        deadline = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline:
            status, have_results, have_events = await self.read()
            if status in FINAL or have_results >= results or have_events >= events:
                return status
            await asyncio.sleep(0.005)
        message = f"the scan did not get on: {await self.read()}"
        raise AssertionError(message)


async def bury(database: Database) -> None:
    """The dead are dead at once; that a silent process counts as dead is the engine's own test."""
    async with database.transaction() as session:
        await session.execute(sa.delete(EngineExecutor))


async def everything(database: Database, tenant: Tenant) -> dict[str, list[str]]:
    """Every row that the workspace holds, by table, with nothing in it that differs between two equal workspaces."""
    held: dict[str, list[str]] = {}
    items: dict[str, str] = {}
    async with database.transaction(tenant.access, read_only=True) as session:
        samples = Base.metadata.tables["sample_item"]
        mine = samples.c.workspace_id == tenant.workspace_id
        for row in (await session.execute(sa.select(samples.c.id, samples.c.fingerprint).where(mine))).all():
            items[str(row.id)] = f"item {row.fingerprint}"
        for name, table in Base.metadata.tables.items():
            if "workspace_id" not in table.c or name in OTHERS:
                continue
            rows = await session.execute(sa.select(table).where(table.c.workspace_id == tenant.workspace_id))
            held[name] = sorted(canonical(dict(row._mapping), items, tenant) for row in rows)
    return held


def canonical(row: dict[str, Any], items: dict[str, str], tenant: Tenant) -> str:
    """The row as text: measured times left out, sample ids as what the samples say, other ids all alike."""
    text = json.dumps(cleaned(row), default=str, sort_keys=True)
    text = UUID_TEXT.sub(lambda match: items.get(match[0], "an id"), text)
    return text.replace(tenant.email, "an address").replace(tenant.name, "a name")


def cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: cleaned(part) for key, part in value.items() if not MEASURED.search(key) and key != "seed"}
    if isinstance(value, list):
        return [cleaned(part) for part in value]
    return value


@pytest.fixture(scope="module")
def context() -> ForkServerContext:
    made = multiprocessing.get_context("forkserver")
    made.set_forkserver_preload([work.__module__])
    return made


@pytest.fixture
async def labs(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> tuple[Lab, Lab]:
    twins = (Lab(client, database, tenant), Lab(client, database, await register_tenant(client, "twin")))
    for lab in twins:
        await lab.prepare()
    return twins


class KnobsLab(Lab):
    """A workspace whose agent also has a model and a number to turn.

    No temperature: its chance is drawn by the scan's own id, so the twins would rightly differ.
    """

    async def make(self, below: str, body: Any) -> Any:
        if below == "/agents":
            space = [
                {"pointer": "/model", "kind": "enum", "bounds": {"values": ["spectral-local/small", MODEL]}},
                {"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 1, "max": 3}},
                *body["config"]["search_space"],
            ]
            body = {**body, "config": {**body["config"], "custom": {"top_k": 2}, "search_space": space}}
        return await super().make(below, body)


@pytest.fixture
async def knobs_labs(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> tuple[Lab, Lab]:
    twins = (KnobsLab(client, database, tenant), KnobsLab(client, database, await register_tenant(client, "twin")))
    for lab in twins:
        await lab.prepare()
    return twins


@pytest.mark.slow
async def test_a_killed_scan_ends_like_an_undisturbed_one(
    context: ForkServerContext, labs: tuple[Lab, Lab], database: Database, settings: Settings
) -> None:
    await compare_with_undisturbed(context, labs, database, settings, kills_wanted=KILLS)


@pytest.mark.slow
@pytest.mark.databases("sqlite")
async def test_a_killed_race_over_knobs_and_its_prune_end_like_undisturbed_ones(
    context: ForkServerContext, knobs_labs: tuple[Lab, Lab], database: Database, settings: Settings
) -> None:
    names = {"strategies": ["knobs", "reflective"], "budget": {"max_evaluations": 1600}}
    wanted = await compare_with_undisturbed(context, knobs_labs, database, settings, kills_wanted=4, **names)
    strategies = {json.loads(row)["strategy"] for row in wanted["scan_candidate"]}
    assert {"knobs", "reflective"} <= strategies
    generated = next(json.loads(row) for row in wanted["scan_phase"] if json.loads(row)["name"] == "generate")
    spent = {one["name"]: one["evaluations"] for one in generated["result"]["strategies"]}
    assert spent["knobs"] > 0
    assert spent["prune"] > 0


async def compare_with_undisturbed(
    context: ForkServerContext,
    labs: tuple[Lab, Lab],
    database: Database,
    settings: Settings,
    *,
    kills_wanted: int,
    **changes: Any,
) -> dict[str, list[str]]:
    """What the undisturbed twin holds at its end, once the killed one holds the same."""
    undisturbed, killed = labs
    reference = Progress(database, undisturbed.tenant, await undisturbed.start(**changes))
    worker = Worker(context, settings.url)
    assert await reference.until(10**9, 10**9) == "completed"
    worker.kill()
    await bury(database)
    _, results, events = await reference.read()

    seed = time.time_ns() % 10**6
    rng = random.Random(seed)  # noqa: S311 - where to kill
    progress = Progress(database, killed.tenant, await killed.start(**changes))
    # Half of the points lie in what is executed, half in the phases that execute nothing.
    points = [(rng.randrange(1, results), 10**9) for _ in range(kills_wanted // 2)]
    points += [(10**9, rng.randrange(3, events)) for _ in range(kills_wanted - kills_wanted // 2)]
    share = {point: min(point[0] / results, point[1] / events) for point in points}
    kills = 0
    for point in sorted(points, key=lambda each: share[each]):
        worker = Worker(context, settings.url)
        status = await progress.until(*point)
        await asyncio.sleep(rng.uniform(0.0, 0.03))
        worker.kill()
        await bury(database)
        kills += status not in FINAL
    worker = Worker(context, settings.url)
    assert await progress.until(10**9, 10**9) == "completed"
    worker.kill()
    await bury(database)

    print(f"{kills} kills, seed {seed}, {results} results, {events} events")
    assert kills >= kills_wanted - 2, f"seed {seed}"
    wanted, ended = await everything(database, undisturbed.tenant), await everything(database, killed.tenant)
    for table, rows in wanted.items():
        assert ended[table] == rows, f"{table}, seed {seed}"
    assert len(wanted["evaluation_result"]) == results
    assert len(wanted["validation"]) == 1
    return wanted
