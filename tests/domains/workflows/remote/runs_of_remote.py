"""Tasks of a tenant, put as the engine puts them, and runs that wait for them."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import RemoteTask, WorkflowRun, WorkflowVersion
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from tests.fixtures.tenants import Tenant


class Woken:
    """A waker that only remembers."""

    def __init__(self) -> None:
        self.runs: list[UUID] = []

    async def wake(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        assert run.workspace_id == access.workspace_id
        run.inbox += 1
        await session.flush()
        self.runs.append(run.id)


def queue_of_tests() -> tuple[RemoteQueue, Woken]:
    """A queue whose wakes can be looked at."""
    woken = Woken()
    return RemoteQueue(LiveChannel(), woken), woken


async def put(
    database: Database, tenant: Tenant, queue: RemoteQueue, name: str = "resize", count: int = 1, **more: Any
) -> list[UUID]:
    """The ids of so many tasks, in order."""
    task = more.pop("task", None)
    async with database.transaction(tenant.access) as session:
        return [
            (
                await queue.put(
                    session, tenant.access, queue=name, task=task or {"task": "work", "inputs": {"number": n}}, **more
                )
            ).id
            for n in range(count)
        ]


async def waiting_run(database: Database, tenant: Tenant, status: RunStatus = RunStatus.WAITING) -> WorkflowRun:
    """A run that waits."""
    now = utc_now()
    version = WorkflowVersion(
        workspace_id=tenant.workspace_id,
        id=new_id(),
        digest=new_id().hex * 2,
        source="",
        source_format="yaml",
        document={},
        created_by="test",
    )
    run = WorkflowRun(
        workspace_id=tenant.workspace_id,
        id=new_id(),
        account_id=tenant.account_id,
        name=str(new_id()),
        version_id=version.id,
        adapter="spectral",
        status=status.value,
        generation=1,
        lease=1,
        inbox=0,
        last_seq=0,
        next_index=0,
        segment_no=1,
        inputs={},
        current_nodes=[],
        spent={},
        context={},
        labels={},
        tags=[],
        options={},
        trace_id="0af7651916cd43dd8448eb211c80319c",
        created_by="test",
        updated_at=now,
    )
    async with database.transaction(tenant.access) as session:
        session.add(version)
        await session.flush()
        session.add(run)
    return run


async def change_run(database: Database, run: WorkflowRun, tenant: Tenant, **values: Any) -> None:
    """As the engine would change it."""
    async with database.transaction(tenant.access) as session:
        mine = (WorkflowRun.workspace_id == tenant.workspace_id, WorkflowRun.id == run.id)
        await session.execute(sa.update(WorkflowRun).where(*mine).values(**values))


async def let_leases_end(database: Database, tenant: Tenant) -> None:
    """As if every lease of the tenant's had ended just now."""
    async with database.transaction(tenant.access) as session:
        mine = (RemoteTask.workspace_id == tenant.workspace_id, RemoteTask.status == "leased")
        await session.execute(sa.update(RemoteTask).where(*mine).values(available_at=utc_now(), expires_at=utc_now()))


async def rows(database: Database, tenant: Tenant) -> list[RemoteTask]:
    """Every task of the tenant, in the order in which they were put."""
    async with database.transaction(tenant.access, read_only=True) as session:
        mine = sa.select(RemoteTask).where(RemoteTask.workspace_id == tenant.workspace_id)
        return list(await session.scalars(mine.order_by(RemoteTask.created_at, RemoteTask.id)))
