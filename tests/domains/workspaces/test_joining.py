"""Accepting invites."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.accounts.service import AccountService
from spectral.domains.workspaces.errors import InviteForSomebodyElseError, InviteNotValidError
from spectral.domains.workspaces.joining import JoinService
from spectral.domains.workspaces.models import Invite, Workspace
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.fixtures.people import INVITES, accept, invite, register
from tests.fixtures.tenants import Tenant

ME = "/api/v1/auth/me"


async def newcomer(client: httpx.AsyncClient, email: str = "grace@example.com") -> dict[str, str]:
    """The headers of somebody who has just registered."""
    return {"Authorization": f"Bearer {(await register(client, email))['access_token']}"}


async def test_accepting_gives_the_account_and_its_workspaces(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = await newcomer(client)
    assert (await client.get(tenant.url, headers=headers)).status_code == 404
    invited = await invite(client, tenant.client_headers, "Grace@example.com", **{tenant.workspace_id.hex: "observer"})
    accepted = await accept(client, headers, invited["token"])
    assert accepted.status_code == 200
    assert accepted.json() == {
        "account_id": str(tenant.account_id),
        "name": "Ours",
        "role": "member",
        "workspaces": [{"workspace_id": str(tenant.workspace_id), "role": "observer"}],
    }
    # At once, although this process has just looked up that there was no way in.
    assert (await client.get(tenant.url, headers=headers)).status_code == 200
    standing = {found["workspace_id"]: found for found in (await client.get(ME, headers=headers)).json()["workspaces"]}
    assert standing[str(tenant.workspace_id)]["scopes"] == ["read:workspace"]
    again = await accept(client, headers, invited["token"])
    assert (again.status_code, again.json()["type"].rpartition("/")[2]) == (400, "invite-not-valid")


async def test_an_invite_is_used_once_whoever_is_faster(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    headers = await newcomer(client)
    token = (await invite(client, tenant.client_headers, "grace@example.com"))["token"]
    answers = await asyncio.gather(*(accept(client, headers, token) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 5
    assert {a.json()["type"].rpartition("/")[2] for a in answers if a.status_code == 400} == {"invite-not-valid"}
    async with identity.transaction(read_only=True) as session:
        joined = sa.text("SELECT count(*) FROM audit_entry WHERE action = 'invite.accepted'")
        assert (await session.execute(joined)).scalar() == 1


@pytest.mark.parametrize("why", ["unknown", "expired", "revoked", "somebody-else", "deleted"])
async def test_what_is_not_good_is_refused_changes_nothing_and_is_noted(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, why: str
) -> None:
    headers = await newcomer(client)
    email = "somebody-else@example.com" if why == "somebody-else" else "grace@example.com"
    invited = await invite(client, tenant.client_headers, email)
    if why == "revoked":
        await client.delete(f"{INVITES}/{invited['id']}", headers=tenant.client_headers)
    if why == "expired":
        async with identity.transaction() as session:
            await session.execute(sa.update(Invite).values(expires_at=utc_now() - timedelta(seconds=1)))
    if why == "deleted":
        async with identity.transaction() as session:
            account = await AccountService(session).find_account(tenant.account_id)
            assert account is not None
            account.deleting_at = utc_now()
            await session.flush()
    refused = await accept(client, headers, "no-such-token" if why == "unknown" else invited["token"])
    wanted = (403, "invite-for-somebody-else") if why == "somebody-else" else (400, "invite-not-valid")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == wanted
    assert len((await client.get(ME, headers=headers)).json()["accounts"]) == 1
    async with identity.transaction(read_only=True) as session:
        statement = sa.text("SELECT subject FROM audit_entry WHERE action = 'invite.refused'")
        noted = (await session.scalars(statement)).all()
    assert noted == ([f"invite:{invited['id']}"] if why in {"expired", "revoked", "somebody-else"} else [])


async def test_a_wrong_body_is_422(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for wrong in ({}, {"token": ""}, {"token": 5}, {"token": "x" * 501}, {"token": "x", "role": "owner"}):
        answer = await client.post(f"{INVITES}/accept", json=wrong, headers=tenant.client_headers)
        assert answer.status_code == 422, wrong


async def test_only_people_accept(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await accept(client, {}, "token")).status_code == 401
    assert (await accept(client, tenant.key_headers, "token")).status_code == 403


async def test_a_workspace_that_is_gone_is_left_out(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    headers = await newcomer(client)
    second = await client.post("/api/v1/workspaces", json={"name": "Second"}, headers=tenant.client_headers)
    named = {tenant.workspace_id.hex: "observer", UUID(second.json()["id"]).hex: "admin"}
    invited = await invite(client, tenant.client_headers, "grace@example.com", **named)
    async with identity.transaction() as session:
        gone = sa.update(Workspace).where(Workspace.id == UUID(second.json()["id"]))
        await session.execute(gone.values(deleting_at=utc_now()))
    entered = (await accept(client, headers, invited["token"])).json()["workspaces"]
    assert entered == [{"workspace_id": str(tenant.workspace_id), "role": "observer"}]


async def test_the_service_says_what_was_refused(client: httpx.AsyncClient, tenant: Tenant, identity: Database) -> None:
    """What registering with an invite, and signing in elsewhere with one, build on."""
    invited = await invite(client, tenant.client_headers, "grace@example.com")
    with pytest.raises(InviteNotValidError) as unknown:
        async with identity.transaction() as session:
            await JoinService(session).accept("no-such-token", tenant.user_id, tenant.email)
    assert unknown.value.account_id is None
    with pytest.raises(InviteForSomebodyElseError) as foreign:
        async with identity.transaction() as session:
            await JoinService(session).accept(invited["token"], tenant.user_id, tenant.email)
    assert (foreign.value.account_id, str(foreign.value.invite_id)) == (tenant.account_id, invited["id"])
    async with identity.transaction() as session:
        person = await AccountService(session).add_user(f"{uuid4().hex}@example.com", None)
        account = await JoinService(session).accept(invited["token"], person.id, " GRACE@example.com ")
        assert account.id == tenant.account_id
