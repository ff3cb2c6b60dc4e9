"""A workspace that is deleted while its runs run, wait and ask: they end with it."""

import asyncio
from collections.abc import Callable

import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.workflows.nodes.tasks import TaskContext
from spectral.domains.workspaces.erasure import erased_tables
from spectral.platform.db.session import Database
from spectral.platform.engine.work import EngineWork
from spectral.settings import Settings
from tests.domains.workflows.runs.acting import Stage
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import register_tenant

PATIENCE_S = 30.0
WORKING = "name: work\nsteps:\n  - {id: work, kind: task, function: test.work}\n"
WAITING = "name: wait\nsteps:\n  - {id: rest, kind: sleep, seconds: 1h}\n"
ASKING = "name: ask\nsteps:\n  - {id: ask, kind: interrupt, title: Well?}\n"


async def test_the_runs_of_a_deleted_workspace_end_and_leave_nothing(
    settings: Settings, create_app: Callable[[Settings], Litestar], database: Database
) -> None:
    begun, interrupted = asyncio.Event(), asyncio.Event()

    async def work(context: TaskContext) -> None:
        del context
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            interrupted.set()

    app = create_app(settings.model_copy(update={"engine_executes": True}))
    app.state["task_registry"].register("test.work", work, public=True)
    async with in_process(app) as client, asyncio.timeout(PATIENCE_S * 2):
        stage = Stage(client, database, await register_tenant(client, "ours"))
        started = [await stage.post("/runs", {"source": source}, expect=202) for source in (WORKING, WAITING, ASKING)]
        await begun.wait()
        for run, status in zip(started[1:], ("waiting", "interrupted"), strict=True):
            await stage.until(run["id"], status)
        deleted = await stage.send("DELETE", "")
        assert deleted.status_code == 202, deleted.text
        await interrupted.wait()
        while await left(stage):  # noqa: ASYNC110 - a table that becomes empty tells nobody
            await asyncio.sleep(0.05)


async def left(stage: Stage) -> list[str]:
    """Tables that still hold rows of the workspace."""
    found = []
    workspace_id = stage.tenant.workspace_id
    async with stage.database.transaction(stage.tenant.access, read_only=True) as session:
        for table in [*erased_tables(), EngineWork.metadata.tables[EngineWork.__tablename__]]:
            if not table.name.startswith(("workflow", "engine", "remote")):
                continue
            some = sa.select(sa.literal(1)).select_from(table).where(table.c.workspace_id == workspace_id).limit(1)
            if (await session.execute(some)).first() is not None:
                found.append(str(table.name))
    return found
