"""Deleting a workspace really deletes what is in it, as engine work that survives its process, and nothing else."""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import Objective
from spectral.domains.traces.models import TraceIngestion
from spectral.domains.workspaces import erasure
from spectral.domains.workspaces.erasure import erased_tables, erasure_handler
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.audit import AuditEntry
from spectral.platform.db.base import Base
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.work import EngineExecutor, EngineWork
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant
from tests.fixtures.world import WorldBuilder

KEPT = frozenset({"audit_entry"})
LIMIT_S = 60.0
MANY = 40_000
OBJECTIVES = cast("sa.Table", Objective.__table__)
STATISTICS = cast("sa.Table", TraceIngestion.__table__)


async def rows_of(database: Database, access: WorkspaceAccess) -> dict[str, int]:
    """How many rows each table has of this workspace; tables without any are left out."""
    found = {}
    async with database.transaction(access, read_only=True) as session:
        for table in Base.metadata.sorted_tables:
            if "workspace_id" in table.c and table.name not in KEPT:
                mine = table.c.workspace_id == access.workspace_id
                count = (await session.execute(sa.select(sa.func.count()).select_from(table).where(mine))).scalar_one()
                if count:
                    found[table.name] = count
    return found


async def actions_of(database: Database, tenant: Tenant) -> list[str]:
    """What the account's audit log says was done, oldest first."""
    async with database.transaction(tenant.access, read_only=True) as session:
        found = sa.select(AuditEntry.action).where(AuditEntry.account_id == tenant.account_id)
        return list((await session.scalars(found.order_by(AuditEntry.created_at, AuditEntry.id))).all())


async def done(client: httpx.AsyncClient, url: str, headers: dict[str, str]) -> dict[str, Any]:
    """The deletion, once it has ended."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        answer = (await client.get(url, headers=headers)).json()
        if answer["state"] == "done":
            return dict(answer)
        await asyncio.sleep(0.05)
    message = f"the deletion did not end: {answer}"
    raise AssertionError(message)


async def erase_now(database: Database, identity: Database, tenant: Tenant, deletion_id: str) -> None:
    """Do the deletion's work here, as the engine would: nothing else of the two workspaces is executed."""
    item = WorkItem(erasure.KIND, tenant.workspace_id, tenant.account_id, UUID(deletion_id))
    async with database.transaction(tenant.access) as session:
        mine = (EngineWork.workspace_id == tenant.workspace_id, EngineWork.id == item.key)
        await session.execute(sa.update(EngineWork).where(*mine).values(state="running", lease=1))
    access = WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, erasure.KIND)
    await erasure_handler(identity)(WorkContext(item, database=database, access=access, lease=1, attempt=1))


async def test_everything_of_a_full_workspace_goes_and_the_neighbours_stay(
    client: httpx.AsyncClient, database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "BATCH_ROWS", 25)
    ours = await WorldBuilder(client, database, "ours").build()
    theirs = await WorldBuilder(client, database, "theirs").build()
    before = await rows_of(database, theirs.tenant.access)
    assert {"agent", "sample_item", "span", "rubric", "scan", "changeset", "api_key"} <= set(before)
    assert set(await rows_of(database, ours.tenant.access)) == set(before)
    answer = await client.delete(ours.tenant.url, headers=ours.headers)
    assert answer.status_code == 202
    assert (await client.get(ours.tenant.url, headers=ours.headers)).status_code == 404
    await erase_now(database, identity, ours.tenant, answer.json()["id"])
    deletion = (await client.get(answer.headers["location"], headers=ours.headers)).json()
    assert deletion["state"] == "done"
    assert deletion["tables_done"] == deletion["tables_total"] == len(erased_tables())
    assert deletion["rows_deleted"] > 4 * 25
    assert (deletion["kind"], deletion["name"]) == ("workspace", "Default")
    assert await rows_of(database, ours.tenant.access) == {}
    assert await rows_of(database, theirs.tenant.access) == before
    assert (await actions_of(database, ours.tenant))[-2:] == ["workspace.deletion_requested", "workspace.deleted"]


async def test_work_of_the_workspace_ends_with_it(
    client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    ours = await WorldBuilder(client, database, "busy").build()
    answer = await client.delete(ours.tenant.url, headers=ours.headers)
    async with database.transaction(ours.tenant.access, read_only=True) as session:
        work = {
            row.kind: row.state
            for row in await session.execute(
                sa.select(EngineWork.kind, EngineWork.state).where(EngineWork.workspace_id == ours.tenant.workspace_id)
            )
        }
    assert work.pop(erasure.KIND) == "queued"
    assert set(work.values()) == {"cancelled"}
    progress = (await client.get(answer.headers["location"], headers=ours.headers)).json()
    assert (progress["state"], progress["tables_done"], progress["finished_at"]) == ("pending", 0, None)
    foreign = await client.get(answer.headers["location"], headers=tenant.client_headers)
    assert foreign.status_code == 404


@pytest.mark.slow
async def test_a_killed_process_s_deletion_is_finished_by_another(
    start_server: Callable[..., ServerProcess], client: httpx.AsyncClient, database: Database
) -> None:
    """SIGKILL of a real server in the middle of tens of thousands of rows; then another one is started."""
    ours = await register_tenant(client, "ours")
    theirs = await register_tenant(client, "theirs")
    await fill(database, ours)
    await fill(database, theirs, rows=10)
    before = await rows_of(database, theirs.access)
    answer = await client.delete(ours.url, headers=ours.client_headers)
    assert answer.status_code == 202
    server = start_server()
    while await left_of(database, ours) == MANY:
        pass
    server.kill()
    await bury(database)
    left = await left_of(database, ours)
    assert 0 < left < MANY, "killed too early or too late to prove anything"
    halfway = (await client.get(answer.headers["location"], headers=ours.client_headers)).json()
    assert (halfway["state"], halfway["finished_at"]) == ("running", None)
    assert halfway["rows_deleted"] >= MANY - left
    start_server()
    deletion = await done(client, answer.headers["location"], ours.client_headers)
    assert deletion["rows_deleted"] >= MANY
    assert await rows_of(database, ours.access) == {}
    assert await rows_of(database, theirs.access) == before
    assert (await actions_of(database, ours)).count("workspace.deleted") == 1


async def fill(database: Database, tenant: Tenant, rows: int = MANY) -> None:
    """So many rows of statistics, a minute each."""
    counters = dict.fromkeys(("requests", "accepted_spans", "duplicate_spans", "received_bytes"), 1)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    batch = [
        counters
        | {"workspace_id": tenant.workspace_id, "minute": start + timedelta(minutes=number)}
        | {"rejected": {}, "last_seen_at": start}
        for number in range(rows)
    ]
    async with database.transaction(tenant.access) as session:
        await session.execute(sa.insert(STATISTICS), batch)


async def left_of(database: Database, tenant: Tenant) -> int:
    async with database.transaction(tenant.access, read_only=True) as session:
        mine = STATISTICS.c.workspace_id == tenant.workspace_id
        return (await session.execute(sa.select(sa.func.count()).select_from(STATISTICS).where(mine))).scalar_one()


async def bury(database: Database) -> None:
    """The dead are dead at once; that a silent process counts as dead is the engine's own test."""
    async with database.transaction() as session:
        await session.execute(sa.delete(EngineExecutor))


async def test_what_arrives_at_the_last_moment_goes_too(
    engine_client: httpx.AsyncClient, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans that were accepted on rights read a moment before, and stored after their table had been emptied."""
    ours = await register_tenant(engine_client, "ours")
    finish = erasure._finish

    async def late(context: Any, tables: list[sa.Table]) -> None:
        await fill(database, ours, rows=3)
        await finish(context, tables)

    monkeypatch.setattr(erasure, "_finish", late)
    answer = await engine_client.delete(ours.url, headers=ours.client_headers)
    await done(engine_client, answer.headers["location"], ours.client_headers)
    assert await rows_of(database, ours.access) == {}


async def test_a_late_reference_to_what_is_to_go_does_not_stop_it(
    client: httpx.AsyncClient, database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An objective that is written after the objectives went, and before the rubric that it restricts."""
    ours = await WorldBuilder(client, database, "ours").build()
    async with database.transaction(ours.tenant.access, read_only=True) as session:
        mine = (OBJECTIVES.c.workspace_id == ours.tenant.workspace_id, OBJECTIVES.c.rubric_id.is_not(None))
        late = dict((await session.execute(sa.select(OBJECTIVES).where(*mine))).mappings().first() or {})
    deleted = erasure._delete_some
    refused: list[str] = []

    async def interrupted(session: AsyncSession, workspace_id: UUID, table: sa.Table, limit: int) -> int:
        if table.name == "rubric" and not refused:
            refused.append(table.name)
            await session.execute(sa.insert(OBJECTIVES), late)
        return await deleted(session, workspace_id, table, limit)

    monkeypatch.setattr(erasure, "_delete_some", interrupted)
    monkeypatch.setattr(erasure, "CACHE_LIFETIME_S", 0)
    answer = await client.delete(ours.tenant.url, headers=ours.headers)
    await erase_now(database, identity, ours.tenant, answer.json()["id"])
    assert refused == ["rubric"]
    assert await rows_of(database, ours.tenant.access) == {}


def test_what_no_foreign_key_holds_goes_before_the_parents_of_others() -> None:
    names = [table.name for table in erased_tables()]
    assert names.index("span") < names.index("trace")
    assert names.index("sample_item") < names.index("sample_set")
    assert not {"audit_entry", "engine_work", "user_session"} & set(names)


async def test_two_requests_at_once_delete_it_once(
    client: httpx.AsyncClient, database: Database, tenant: Tenant
) -> None:
    answers = await asyncio.gather(*(client.delete(tenant.url, headers=tenant.client_headers) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [202, 404, 404, 404]
    assert (await actions_of(database, tenant)).count("workspace.deletion_requested") == 1
