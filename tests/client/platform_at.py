"""A platform in a process of its own, a tenant of it, and tasks for runners."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from spectral.client import SpectralClient
from spectral.domains.workflows.models import RemoteTask, WorkflowRun
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from tests.fixtures.project import import_everything
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant

PATIENCE_S = 60.0


class NoRuns:
    """The tasks of these tests belong to no run."""

    async def wake(self, session: Any, access: Any, run: WorkflowRun) -> None:
        raise AssertionError(run.id)


async def tenant_of(server: ServerProcess) -> Tenant:
    """A new tenant of a running server."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        return await register_tenant(client, "runners")


def client_of(server: ServerProcess, tenant: Tenant, folder: Path) -> SpectralClient:
    """A client with a cache of its own."""
    return SpectralClient(server.url, tenant.api_key, cache_dir=folder / "cache", timeout_s=5)


async def put_tasks(database: Database, tenant: Tenant, count: int, queue: str = "work", **more: Any) -> list[UUID]:
    """So many tasks whose inputs are their numbers, written as the engine writes them."""
    # The table refers to others, which nothing here has imported.
    import_everything()
    tasks = RemoteQueue(LiveChannel(), NoRuns())
    async with database.transaction(tenant.access) as session:
        return [
            (
                await tasks.put(
                    session,
                    tenant.access,
                    queue=queue,
                    **({"task": {"task": "double", "inputs": number, "input": number, "config": {}}} | more),
                )
            ).id
            for number in range(count)
        ]


async def tasks_of(database: Database, tenant: Tenant) -> list[RemoteTask]:
    """Every task, in the order in which they were put."""
    async with database.transaction(tenant.access, read_only=True) as session:
        mine = sa.select(RemoteTask).where(RemoteTask.workspace_id == tenant.workspace_id)
        return list(await session.scalars(mine.order_by(RemoteTask.created_at, RemoteTask.id)))


async def until(
    database: Database, tenant: Tenant, what: Callable[[list[RemoteTask]], bool], also: Callable[[], object] = bool
) -> list[RemoteTask]:
    """The tasks, once they are so. `also` is called while waiting, and may raise."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            tasks = await tasks_of(database, tenant)
            if what(tasks):
                return tasks
            also()
            await asyncio.sleep(0.05)


def all_ended(tasks: list[RemoteTask]) -> bool:
    """Whether nothing is left to be done."""
    return all(task.status in {"done", "failed", "cancelled"} for task in tasks)


def how_many_done(count: int) -> Callable[[list[RemoteTask]], bool]:
    """Whether at least so many are done."""
    return lambda tasks: sum(task.status == "done" for task in tasks) >= count
