"""An installation with two workspaces, and engines on it that are stopped after the test."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest
import sqlalchemy as sa

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import UtcTime
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.work import EngineWork
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

UUID_TYPE = sa.Uuid(as_uuid=True)
ACCOUNT = sa.table(
    "account", sa.column("id", UUID_TYPE), sa.column("name"), sa.column("created_at", UtcTime(timezone=True))
)
WORKSPACE = sa.table(
    "workspace",
    sa.column("id", UUID_TYPE),
    sa.column("account_id", UUID_TYPE),
    sa.column("name"),
    sa.column("created_at", UtcTime(timezone=True)),
)


class Place:
    """A workspace to put work into."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self.database = database
        self.access = access

    def item(self, kind: str = "work", *, delay_s: float | None = None, **payload: object) -> WorkItem:
        return WorkItem(kind, self.access.workspace_id, self.access.account_id, new_id(), payload, delay_s)

    async def enqueue(self, engine: Engine, item: WorkItem) -> WorkItem:
        async with self.database.transaction(self.access) as session:
            await engine.enqueue(session, item)
        return item

    async def cancel(self, engine: Engine, key: UUID) -> bool:
        async with self.database.transaction(self.access) as session:
            return await engine.cancel(session, self.access.workspace_id, key)

    async def find(self, key: UUID) -> EngineWork | None:
        async with self.database.transaction(self.access, read_only=True) as session:
            return await session.get(EngineWork, {"workspace_id": self.access.workspace_id, "id": key})

    async def read(self, key: UUID) -> EngineWork:
        row = await self.find(key)
        assert row is not None
        return row

    async def until(self, key: UUID, *states: str, within_s: float = 10.0) -> EngineWork:
        """The work's row, once it is in one of these states."""
        async with asyncio.timeout(within_s):
            while True:
                row = await self.find(key)
                if row is not None and row.state in states:
                    return row
                await asyncio.sleep(0.02)


async def new_place(database: Database) -> Place:
    access = WorkspaceAccess.for_system(new_id(), new_id(), "tests")
    async with database.transaction(access) as session:
        account = {"id": access.account_id, "name": "account", "created_at": utc_now()}
        await session.execute(sa.insert(ACCOUNT).values(**account))
        workspace = {"id": access.workspace_id, "account_id": access.account_id, "name": "w", "created_at": utc_now()}
        await session.execute(sa.insert(WORKSPACE).values(**workspace))
    return Place(database, access)


@pytest.fixture
async def place(database: Database) -> Place:
    return await new_place(database)


@pytest.fixture
async def other_place(database: Database) -> Place:
    return await new_place(database)


@pytest.fixture
async def make_engine(database: Database) -> AsyncIterator[Callable[..., Engine]]:
    """Engines on the test's database; stopped at the end, in reverse order."""
    made: list[Engine] = []

    def make(*, executes: bool = True, live: LiveChannel | None = None) -> Engine:
        engine = Engine(database, executes=executes, live=live)
        made.append(engine)
        return engine

    yield make
    for engine in reversed(made):
        await engine.stop()


@pytest.fixture
def eventually() -> Callable[..., Awaitable[None]]:
    """Waits until a condition holds."""

    async def wait(condition: Callable[[], bool], within_s: float = 10.0) -> None:
        async with asyncio.timeout(within_s):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.01)

    return wait
