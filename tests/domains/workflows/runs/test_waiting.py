import asyncio

import httpx
import pytest

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.runs import waiting
from spectral.domains.workflows.runs.waiting import RunWaiter
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from tests.domains.workflows.runs.acting import Stage, chain
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    return stage


async def test_the_table_is_the_truth_when_a_wake_up_is_lost(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "LOOK_S", 0.02)
    waiter = RunWaiter(stage.database, LiveChannel())
    run = await stage.run((await stage.start("flow"))["id"])
    found = asyncio.create_task(waiter.wait(stage.tenant.access, run.id, 30))
    await asyncio.sleep(0)
    # Nobody is told of this.
    await stage.set(run.id, RunStatus.SUCCEEDED)
    async with asyncio.timeout(20):
        assert (await found).run.status == RunStatus.SUCCEEDED
    # What has settled already is not waited for.
    assert (await waiter.wait(stage.tenant.access, run.id, 30)).run.status == RunStatus.SUCCEEDED


async def test_only_the_own_workspace_s_runs_are_waited_for(stage: Stage, other_tenant: Tenant) -> None:
    waiter = RunWaiter(stage.database, LiveChannel())
    run = await stage.run((await stage.start("flow"))["id"])
    for access, run_id in ((other_tenant.access, run.id), (stage.tenant.access, new_id())):
        with pytest.raises(NotFoundError):
            await waiter.wait(access, run_id, 30)
