from datetime import timedelta
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import (
    RemoteTask,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowSettings,
    WorkflowVersion,
)
from spectral.domains.workflows.runs import retention
from spectral.domains.workflows.runs.retention import RunRetention
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.workflows.runs.acting import Stage, chain
from tests.fixtures.tenants import Tenant

SOURCE = "name: inline\nsteps:\n  - {id: say, kind: task, function: spectral.uuid}\n"


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    return stage


async def aged(stage: Stage, name: str, status: RunStatus, days: float) -> str:
    """A run that ended so many days ago, if that is its status."""
    run_id = str((await stage.start("flow", run_id=name))["id"])
    finished = utc_now() - timedelta(days=days)
    ended = status in {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}
    await stage.set(run_id, status, finished_at=finished if ended else None, created_at=finished)
    return run_id


async def names(stage: Stage) -> set[str]:
    return {run["name"] for run in (await stage.get("/runs?limit=100"))["results"]}


async def versions(stage: Stage) -> int:
    async with stage.database.transaction(stage.tenant.access, read_only=True) as session:
        counted = sa.select(sa.func.count()).where(
            WorkflowVersion.workspace_id == stage.tenant.workspace_id, WorkflowVersion.workflow_id.is_(None)
        )
        return int((await session.execute(counted)).scalar_one())


async def test_finished_runs_go_when_their_time_is_over_and_nothing_else_does(
    stage: Stage, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "RUNS_A_BATCH", 2)
    old = [await aged(stage, f"old-{status}", status, 31) for status in (RunStatus.SUCCEEDED, RunStatus.FAILED)]
    old.append(await aged(stage, "old-cancelled", RunStatus.CANCELLED, 400))
    await aged(stage, "young", RunStatus.SUCCEEDED, 29)
    await aged(stage, "open", RunStatus.PAUSED, 400)
    await stage.remote_task(old[0], "done")
    # Its parent has not ended, and may want to know how it did.
    parent = await aged(stage, "parent", RunStatus.WAITING, 50)
    child = await aged(stage, "child", RunStatus.SUCCEEDED, 50)
    mine = (WorkflowRun.workspace_id == stage.tenant.workspace_id, WorkflowRun.id == UUID(child))
    async with stage.database.transaction(stage.tenant.access) as session:
        await session.execute(sa.update(WorkflowRun).where(*mine).values(parent_run_id=UUID(parent)))
    kept = await stage.post("/runs", {"source": SOURCE, "run_id": "inline"}, expect=202)
    await stage.set(kept["id"], RunStatus.SUCCEEDED, finished_at=utc_now() - timedelta(days=31))

    await RunRetention(stage.database, identity, 30).run()

    assert await names(stage) == {"young", "open", "parent", "child"}
    for run_id in old:
        assert await stage.rows(WorkflowRunEvent, run_id) == []
        assert await stage.rows(RemoteTask, run_id) == []
        # The engine's own row is the engine's to remove.
        assert (await stage.work(run_id)).kind == "workflow"
    # The document of the inline run is younger than its run; it goes when it is old itself.
    assert await versions(stage) == 1
    async with stage.database.transaction(stage.tenant.access) as session:
        mine = (WorkflowVersion.workspace_id == stage.tenant.workspace_id, WorkflowVersion.workflow_id.is_(None))
        aged_so = sa.update(WorkflowVersion).where(*mine).values(created_at=utc_now() - timedelta(days=31))
        await session.execute(aged_so)
    await RunRetention(stage.database, identity, 30).run()
    assert await versions(stage) == 0
    await stage.start("flow", run_id="still-there")


async def test_a_workspace_decides_for_itself(
    stage: Stage, identity: Database, client: httpx.AsyncClient, database: Database, other_tenant: Tenant
) -> None:
    theirs = Stage(client, database, other_tenant)
    await theirs.define(chain("flow", "a"))
    settings = WorkflowSettings(
        workspace_id=stage.tenant.workspace_id,
        id=stage.tenant.workspace_id,
        allowed_networks=[],
        retention_days=3,
        updated_at=utc_now(),
    )
    async with database.transaction(stage.tenant.access) as session:
        session.add(settings)
    for each in (stage, theirs):
        await aged(each, "four", RunStatus.FAILED, 4)
        await aged(each, "two", RunStatus.FAILED, 2)
    await RunRetention(database, identity, 30).run()
    assert await names(stage) == {"two"}
    assert await names(theirs) == {"two", "four"}
