"""Deleting workspaces and accounts through the API: who may, what is gone at once, what is left when it is done."""

import asyncio
import time
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.accounts.models import Account, AccountMember, Deletion, User, UserCredential
from spectral.domains.auth.models import UserSession
from spectral.domains.workspaces import deletions, erasure
from spectral.domains.workspaces.deletions import go_on_deleting
from spectral.domains.workspaces.models import Workspace
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.work import EngineWork
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant, register_tenant

ACCOUNT = "/api/v1/account"
WORKSPACES = "/api/v1/workspaces"
LIMIT_S = 60.0


async def until_gone(identity: Database, account_id: UUID) -> None:
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        async with identity.transaction(read_only=True) as session:
            if await session.get(Account, account_id) is None:
                return
        await asyncio.sleep(0.05)
    message = "the account is still there"
    raise AssertionError(message)


async def actions_of(identity: Database, account_id: UUID) -> list[str]:
    """What the account's audit log says was done, oldest first."""
    async with identity.transaction(read_only=True) as session:
        found = sa.select(AuditEntry.action).where(AuditEntry.account_id == account_id)
        return list((await session.scalars(found.order_by(AuditEntry.created_at, AuditEntry.id))).all())


async def delete_account(client: httpx.AsyncClient, tenant: Tenant, body: Any = None) -> httpx.Response:
    said = {"confirm": tenant.name.title()} if body is None else body
    return await client.request("DELETE", ACCOUNT, json=said, headers=tenant.client_headers)


async def test_a_workspace_under_deletion_is_gone_at_once_and_its_name_is_free(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    answer = await client.delete(tenant.url, headers=tenant.client_headers)
    assert answer.status_code == 202
    shown = answer.json()
    assert answer.headers["location"] == f"{ACCOUNT}/deletions/{shown['id']}"
    assert (shown["kind"], shown["name"], shown["state"]) == ("workspace", "Default", "pending")
    assert shown["subject_id"] == str(tenant.workspace_id)
    assert shown["requested_by"] == f"user:{tenant.user_id}"
    for method in ("GET", "PATCH", "DELETE"):
        body = {"name": "Back"} if method == "PATCH" else None
        again = await client.request(method, tenant.url, json=body, headers=tenant.client_headers)
        assert again.status_code == 404, method
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 401
    listed = (await client.get(WORKSPACES, headers=tenant.client_headers)).json()
    assert listed["pagination"]["total"] == 0
    named = await client.post(WORKSPACES, json={"name": "Default"}, headers=tenant.client_headers)
    assert named.status_code == 201
    deletions = (await client.get(f"{ACCOUNT}/deletions", headers=tenant.client_headers)).json()
    assert deletions["results"] == [shown]


async def test_only_who_administrates_the_account_deletes_and_sees_deletions(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    admin = await join(client, tenant, "admin", inside="admin")
    for headers, status in ((admin.headers, 403), (tenant.key_headers, 403), ({}, 401)):
        assert (await client.delete(tenant.url, headers=headers)).status_code == status
        assert (await client.request("DELETE", ACCOUNT, json={}, headers=headers)).status_code == status
        assert (await client.get(f"{ACCOUNT}/deletions", headers=headers)).status_code == status
    assert (await client.delete(tenant.url, headers=other_tenant.client_headers)).status_code == 404
    deleted = await client.delete(tenant.url, headers=tenant.client_headers)
    foreign = await client.get(deleted.headers["location"], headers=other_tenant.client_headers)
    assert foreign.status_code == 404
    missing = await client.get(f"{ACCOUNT}/deletions/{uuid4()}", headers=tenant.client_headers)
    assert missing.status_code == 404


@pytest.mark.parametrize("body", [{}, {"confirm": None}, {"confirm": "theirs"}, {"confirm": "ours"}, {"confirm": ""}])
async def test_an_account_is_deleted_by_who_writes_its_name(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, object]
) -> None:
    refused = await delete_account(client, tenant, body)
    assert refused.status_code == 400
    assert refused.json()["type"].endswith("/deletion-not-confirmed")
    without = await client.delete(ACCOUNT, headers=tenant.client_headers)
    assert without.status_code == 400
    wrong = await delete_account(client, tenant, {"confirm": "Ours", "account_id": str(uuid4())})
    assert wrong.status_code == 422
    assert (await client.get(tenant.url, headers=tenant.client_headers)).status_code == 200


async def test_an_account_under_deletion_can_be_looked_at_and_not_changed(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    second = await client.post(WORKSPACES, json={"name": "Second"}, headers=tenant.client_headers)
    assert second.status_code == 201
    answer = await client.delete(f"{ACCOUNT}?confirm=Ours", headers=tenant.client_headers)
    assert answer.status_code == 202
    shown = (await client.get(answer.headers["location"], headers=tenant.client_headers)).json()
    assert (shown["kind"], shown["state"], shown["tables_done"]) == ("account", "running", 0)
    assert shown["tables_total"] == 2 * len(erasure.erased_tables())
    listed = (await client.get(f"{ACCOUNT}/deletions", headers=tenant.client_headers)).json()["results"]
    assert [found["kind"] for found in listed].count("workspace") == 2
    assert {found["parent_id"] for found in listed} == {None, shown["id"]}
    for url in (tenant.url, second.headers["location"]):
        assert (await client.get(url, headers=tenant.client_headers)).status_code == 404
    for method, path, body in (
        ("POST", WORKSPACES, {"name": "Third"}),
        ("PATCH", ACCOUNT, {"name": "Saved"}),
        ("DELETE", ACCOUNT, {"confirm": "Ours"}),
    ):
        refused = await client.request(method, path, json=body, headers=tenant.client_headers)
        assert refused.status_code == 403, path
        assert refused.json()["type"].endswith("/account-being-deleted")
    assert (await client.get(f"{ACCOUNT}/members", headers=tenant.client_headers)).status_code == 200
    assert (await client.get(other_tenant.url, headers=other_tenant.client_headers)).status_code == 200


async def test_a_deleted_account_takes_its_people_along_and_leaves_its_log(
    engine_client: httpx.AsyncClient, identity: Database
) -> None:
    ours, theirs = await register_tenant(engine_client, "ours"), await register_tenant(engine_client, "theirs")
    # Has an account of their own, and so stays.
    guest = await join(engine_client, ours, "guest", inside="observer")
    await engine_client.post(WORKSPACES, json={"name": "Second"}, headers=ours.client_headers)
    answer = await delete_account(engine_client, ours)
    assert answer.status_code == 202
    await until_gone(identity, ours.account_id)
    async with identity.transaction(read_only=True) as session:
        assert await session.get(User, ours.user_id) is None
        assert await session.get(UserCredential, ours.user_id) is None
        sessions = sa.select(UserSession).where(UserSession.user_id == ours.user_id)
        assert (await session.execute(sessions)).first() is None
        members = sa.select(AccountMember.user_id).where(AccountMember.account_id == ours.account_id)
        assert (await session.execute(members)).all() == []
        left = sa.select(Workspace.id).where(Workspace.account_id == ours.account_id)
        assert (await session.execute(left)).all() == []
        assert await session.get(User, guest.user_id) is not None
        mine = sa.select(Deletion).where(Deletion.account_id == ours.account_id)
        deletions = (await session.scalars(mine)).all()
    assert [deletion.state for deletion in deletions] == ["done"] * 3
    actions = await actions_of(identity, ours.account_id)
    assert actions.count("workspace.deleted") == 2
    assert actions[-1] == "account.deleted"
    assert "account.deletion_requested" in actions
    assert "workspace.created" in actions, "what was logged before is kept"
    # A token of somebody who is gone opens nothing; an answer about it is remembered for a second at most.
    await asyncio.sleep(1.1)
    assert (await engine_client.get(ACCOUNT, headers=ours.client_headers)).status_code == 401
    assert (await engine_client.get(theirs.url, headers=theirs.client_headers)).status_code == 200
    assert (await engine_client.get(ACCOUNT, headers=guest.token_headers)).status_code == 200
    again = await register_tenant(engine_client, "ours")
    assert again.account_id != ours.account_id


async def test_an_account_without_workspaces_is_gone_with_the_request(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database
) -> None:
    async with database.transaction(tenant.access) as session:
        await session.execute(sa.delete(Workspace).where(Workspace.id == tenant.workspace_id))
    assert (await delete_account(client, tenant)).status_code == 202
    async with identity.transaction(read_only=True) as session:
        assert await session.get(Account, tenant.account_id) is None
    assert (await actions_of(identity, tenant.account_id))[-1] == "account.deleted"


async def test_a_deletion_that_failed_is_tried_again(
    engine_client: httpx.AsyncClient,
    database: Database,
    identity: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tenant = await register_tenant(engine_client, "unlucky")

    async def fail(*_: object) -> None:
        raise RuntimeError("for a reason that nobody has foreseen")

    finish = erasure._finish
    monkeypatch.setattr(erasure, "_finish", fail)
    answer = await engine_client.delete(tenant.url, headers=tenant.client_headers)
    mine = sa.select(EngineWork.state).where(EngineWork.workspace_id == tenant.workspace_id)
    for _ in range(400):
        async with database.transaction(tenant.access, read_only=True) as session:
            if (await session.scalars(mine)).all() == ["failed"]:
                break
        await asyncio.sleep(0.05)
    monkeypatch.setattr(erasure, "_finish", finish)
    other = Engine(database, executes=False)
    await go_on_deleting(database, identity, other)
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await session.scalars(mine)).all() == ["failed"], "not at once"
    monkeypatch.setattr(deletions, "RETRY_AFTER", timedelta(0))
    await go_on_deleting(database, identity, other)
    await other.stop()
    for _ in range(400):
        progress = (await engine_client.get(answer.headers["location"], headers=tenant.client_headers)).json()
        if progress["state"] == "done":
            break
        await asyncio.sleep(0.05)
    assert progress["state"] == "done"


async def test_what_a_dying_process_leaves_of_an_account_is_finished(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database
) -> None:
    """Between a workspace's end and its account's, and a workspace that was made at the last moment."""
    assert (await delete_account(client, tenant)).status_code == 202
    async with database.transaction(tenant.access) as session:
        await session.execute(sa.delete(Workspace).where(Workspace.id == tenant.workspace_id))
        late = Workspace(account_id=tenant.account_id, name="Late")
        session.add(late)
    engine = Engine(database, executes=False)
    engine.register(erasure.KIND, erasure.erasure_handler(identity))
    await go_on_deleting(database, identity, engine)
    async with identity.transaction(read_only=True) as session:
        assert (await session.get_one(Workspace, late.id)).deleting_at is not None
    access = type(tenant.access)(late.id, tenant.account_id, tenant.access.scopes, "test")
    async with database.transaction(access) as session:
        mine = EngineWork.workspace_id == late.id
        assert (await session.scalars(sa.select(EngineWork.kind).where(mine))).all() == [erasure.KIND]
        await session.execute(sa.delete(Workspace).where(Workspace.id == late.id))
    await go_on_deleting(database, identity, engine)
    await engine.stop()
    async with identity.transaction(read_only=True) as session:
        assert await session.get(Account, tenant.account_id) is None
