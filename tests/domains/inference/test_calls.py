"""Calls become rows together, wait for a database that is away, and go after their time."""

import asyncio
from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from spectral.domains.inference import calls as module
from spectral.domains.inference import retention
from spectral.domains.inference.calls import CallJournal
from spectral.domains.inference.models import ModelCall
from spectral.domains.inference.retention import ModelCallRetention
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.records import CallRecord
from spectral.platform.shared.clock import utc_now
from tests.fixtures.tenants import Tenant


def call(access: WorkspaceAccess, number: int = 0) -> CallRecord:
    names = ("completion", "agent", f"scan:{number}", "openai", "openai/gpt-4o")
    return CallRecord(access, *names, 10, 2, 0, 0, 100, 5.0, None, utc_now())  # type: ignore[arg-type]


async def subjects(database: Database, access: WorkspaceAccess) -> list[str | None]:
    async with database.transaction(access, read_only=True) as session:
        mine = sa.select(ModelCall.subject).where(ModelCall.workspace_id == access.workspace_id)
        return list((await session.scalars(mine.order_by(ModelCall.created_at, ModelCall.id))).all())


class Counted:
    """A database that counts its transactions, and is away for the first ones."""

    def __init__(self, database: Database, away: int = 0) -> None:
        self.database = database
        self.away = away
        self.transactions = 0

    @asynccontextmanager
    async def transaction(self, access: WorkspaceAccess) -> Any:
        self.transactions += 1
        if self.away:
            self.away -= 1
            raise OperationalError("INSERT", {}, Exception("away"))
        async with self.database.transaction(access) as session:
            yield session


async def test_many_calls_are_one_commit_and_none_waits_for_it(
    database: Database, tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.01)
    counted = Counted(database, away=2)
    journal = CallJournal(counted, delay_s=0.01)  # type: ignore[arg-type]
    for number in range(100):
        await journal.record(call(tenant.access, number))
    await journal.record(call(other_tenant.access, 7))
    nobody = WorkspaceAccess.for_system(UUID(int=5), UUID(int=6), "test")
    await journal.record(call(nobody))
    assert counted.transactions == 0
    await journal.flush()

    assert await subjects(database, tenant.access) == [f"scan:{number}" for number in range(100)]
    assert await subjects(database, other_tenant.access) == ["scan:7"]
    # Three workspaces, of which two were tried again; one of them does not exist and is given up.
    assert counted.transactions == 5


async def test_closing_stores_what_is_left_and_does_not_wait_for_ever(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0)
    journal = CallJournal(database, delay_s=0.01)
    await journal.record(call(tenant.access, 1))
    await journal.close()
    assert await subjects(database, tenant.access) == ["scan:1"]

    away = CallJournal(Counted(database, away=10**9), delay_s=0.01)  # type: ignore[arg-type]
    monkeypatch.setattr(module, "PENDING_MAXIMUM", 3)
    for number in range(3):
        await away.record(call(tenant.access, number))
    waiting = asyncio.create_task(away.record(call(tenant.access, 3)))
    await asyncio.sleep(0.03)
    assert not waiting.done(), "memory is bounded: whoever calls waits"
    await away.close()
    await waiting
    await away.close()
    assert await subjects(database, tenant.access) == ["scan:1"]


async def test_old_calls_are_forgotten(
    database: Database, tenant: Tenant, other_tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH", 2)
    journal = CallJournal(database, delay_s=0)
    for access in (tenant.access, other_tenant.access):
        for number, days in enumerate((91, 91, 91, 89)):
            old = utc_now() - timedelta(days=days)
            await journal.record(replace(call(access, number), ended_at=old))
    await journal.close()

    async def workspaces() -> Sequence[WorkspaceAccess]:
        return [tenant.access]

    await ModelCallRetention(database, workspaces, 90).run()

    assert await subjects(database, tenant.access) == ["scan:3"]
    assert len(await subjects(database, other_tenant.access)) == 4
