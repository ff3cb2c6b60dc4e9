"""The people of a workspace through the API."""

from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.accounts.service import AccountService
from spectral.platform.db.session import Database
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant


def slug(answer: httpx.Response) -> str:
    return str(answer.json()["type"]).rpartition("/")[2]


async def listed(client: httpx.AsyncClient, tenant: Tenant) -> list[tuple[str, str, str]]:
    answer = await client.get(f"{tenant.url}/members", headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    assert answer.json()["pagination"]["total"] == len(answer.json()["results"])
    return [(found["email"], found["role"], found["via"]) for found in answer.json()["results"]]


async def test_a_member_is_let_in_given_a_role_and_let_out(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    members = f"{tenant.url}/members"
    person = await join(client, tenant, "grace")
    owner = (tenant.email, "admin", "account")
    assert await listed(client, tenant) == [owner]
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 404
    body = {"email": "GRACE@example.com", "role": "observer"}
    added = await client.post(members, json=body, headers=tenant.client_headers)
    assert added.status_code == 201
    assert added.headers["location"] == f"{members}/{person.user_id}"
    assert added.json() | {"joined_at": ""} == {
        "user_id": str(person.user_id),
        "email": person.email,
        "name": None,
        "role": "observer",
        "scopes": ["read:workspace"],
        "via": "workspace",
        "joined_at": "",
    }
    assert await listed(client, tenant) == [owner, (person.email, "observer", "workspace")]
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 200
    assert (await client.get(members, headers=person.token_headers)).status_code == 403
    url = added.headers["location"]
    changed = await client.patch(url, json={"role": "admin"}, headers=tenant.client_headers)
    assert (changed.status_code, changed.json()["role"]) == (200, "admin")
    assert (await client.get(url, headers=person.token_headers)).json() == changed.json()
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    assert (await client.get(tenant.url, headers=person.token_headers)).status_code == 404
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 404
    # Still of the account.
    assert (await client.get("/api/v1/account", headers=person.headers)).json()["id"] == str(tenant.account_id)
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.text("SELECT action FROM audit_entry WHERE action LIKE 'workspace_member.%' ORDER BY created_at")
        noted = (await session.scalars(statement)).all()
    assert noted == ["workspace_member.added", "workspace_member.role_changed", "workspace_member.removed"]


async def test_a_workspace_s_admin_manages_it_and_not_the_account(client: httpx.AsyncClient, tenant: Tenant) -> None:
    admin = await join(client, tenant, "admin", inside="admin")
    person = await join(client, tenant, "grace")
    members = f"{tenant.url}/members"
    body = {"user_id": str(person.user_id), "role": "contributor"}
    assert (await client.post(members, json=body, headers=admin.token_headers)).status_code == 201
    assert (await client.get("/api/v1/account/members", headers=admin.headers)).status_code == 403
    invited = await client.post("/api/v1/account/invites", json={"email": "a@example.com"}, headers=admin.headers)
    assert invited.status_code == 403


async def test_anyone_inside_leaves_and_takes_nobody_along(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    leaver = await join(client, tenant, "grace", inside="observer")
    other = await join(client, tenant, "heidi", inside="observer")
    members = f"{tenant.url}/members"
    assert (await client.delete(f"{members}/{other.user_id}", headers=leaver.token_headers)).status_code == 403
    stranger = await client.delete(f"{members}/{other_tenant.user_id}", headers=other_tenant.client_headers)
    assert stranger.status_code == 404
    assert (await client.delete(f"{members}/{leaver.user_id}", headers=tenant.key_headers)).status_code == 403
    assert (await client.delete(f"{members}/{leaver.user_id}", headers=leaver.token_headers)).status_code == 204
    assert (await client.get(tenant.url, headers=leaver.token_headers)).status_code == 404
    assert [email for email, _, _ in await listed(client, tenant)] == [tenant.email, other.email]


async def test_an_owner_of_the_account_is_an_admin_whatever_the_workspace_says(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    person = await join(client, tenant, "grace", role="owner", inside="observer")
    url = f"{tenant.url}/members/{person.user_id}"
    assert (await client.get(url, headers=tenant.client_headers)).json()["via"] == "account"
    body = {"user_id": str(person.user_id), "role": "observer"}
    twice = await client.post(f"{tenant.url}/members", json=body, headers=tenant.client_headers)
    assert (twice.status_code, slug(twice)) == (409, "already-a-member")
    for method, headers in (
        ("PATCH", tenant.client_headers),
        ("DELETE", tenant.client_headers),
        ("DELETE", person.headers),
    ):
        sent = {"role": "observer"} if method == "PATCH" else None
        refused = await client.request(method, url, json=sent, headers=headers)
        assert (refused.status_code, slug(refused)) == (400, "owner-of-account")
    demoted = f"/api/v1/account/members/{person.user_id}"
    assert (await client.patch(demoted, json={"role": "member"}, headers=tenant.client_headers)).status_code == 200
    seen = (await client.get(url, headers=tenant.client_headers)).json()
    assert (seen["role"], seen["via"]) == ("observer", "workspace")


async def test_only_people_of_the_account_are_let_in(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, identity: Database
) -> None:
    members = f"{tenant.url}/members"
    for who in ({"user_id": str(other_tenant.user_id)}, {"email": other_tenant.email}, {"user_id": str(uuid4())}):
        refused = await client.post(members, json={**who, "role": "admin"}, headers=tenant.client_headers)
        assert refused.status_code == 404
    staff = await join(client, tenant, "staff", inside="admin")
    async with identity.transaction() as session:
        await AccountService(session).promote_to_operations(staff.email)
    assert await listed(client, tenant) == [(tenant.email, "admin", "account")]
    body = {"email": staff.email, "role": "admin"}
    refused = await client.post(members, json=body, headers=tenant.client_headers)
    assert (refused.status_code, slug(refused)) == (400, "operations-role")
    seen = (await client.get("/api/v1/workspaces", headers=staff.token_headers)).json()
    assert {found["account_id"] for found in seen["results"]} <= {str(staff.own_account_id)}
    assert seen["pagination"]["total"] == len(seen["results"])


@pytest.mark.databases("sqlite")
async def test_a_wrong_body_is_422_and_lets_nobody_in(client: httpx.AsyncClient, tenant: Tenant) -> None:
    person = await join(client, tenant, "grace")
    mine = str(person.user_id)
    for wrong in (
        {},
        {"role": "admin"},
        {"user_id": mine},
        {"user_id": mine, "email": person.email, "role": "admin"},
        {"user_id": mine, "role": "owner"},
        {"user_id": mine, "role": "operations"},
        {"user_id": mine, "role": "admin", "account_role": "owner"},
        {"user_id": mine, "role": "admin", "workspace_id": str(uuid4())},
        {"user_id": "me", "role": "admin"},
        {"email": "nobody", "role": "admin"},
    ):
        answer = await client.post(f"{tenant.url}/members", json=wrong, headers=tenant.client_headers)
        assert answer.status_code == 422, wrong
        assert answer.json()["errors"], wrong
    assert len(await listed(client, tenant)) == 1


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    person = await join(client, tenant, "grace", inside="contributor")
    for headers, status in (
        ({}, 401),
        (tenant.key_headers, 403),
        (person.token_headers, 403),
        (other_tenant.client_headers, 404),
        (other_tenant.key_headers, 404),
    ):
        for method, path, body in (
            ("GET", "", None),
            ("POST", "", {"user_id": str(tenant.user_id), "role": "admin"}),
            ("GET", f"/{tenant.user_id}", None),
            ("PATCH", f"/{tenant.user_id}", {"role": "observer"}),
            ("DELETE", f"/{tenant.user_id}", None),
        ):
            answer = await client.request(method, f"{tenant.url}/members{path}", json=body, headers=headers)
            assert answer.status_code == status, (method, path, status, answer.text)
    members = await listed(client, tenant)
    assert members == [(tenant.email, "admin", "account"), (person.email, "contributor", "workspace")]


async def test_a_repeated_post_with_its_key_lets_in_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    person = await join(client, tenant, "grace")
    headers = tenant.client_headers | {"Idempotency-Key": "once"}
    body = {"user_id": str(person.user_id), "role": "observer"}
    answers = [await client.post(f"{tenant.url}/members", json=body, headers=headers) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
