"""A repeated POST does its work once."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.platform.access.principal import Principal, PrincipalKind
from spectral.platform.db.session import Database
from spectral.platform.idempotency import IdempotencyRecord, caller_of, forget_expired
from spectral.platform.shared.clock import utc_now
from tests.fixtures.tenants import PASSWORD, Tenant
from tests.platform.test_request_context import scope

WORKSPACES = "/api/v1/workspaces"


def keyed(tenant: Tenant, key: str = "once") -> dict[str, str]:
    return tenant.client_headers | {"Idempotency-Key": key}


async def total(client: httpx.AsyncClient, tenant: Tenant) -> int:
    listed = await client.get(WORKSPACES, headers=tenant.client_headers)
    return int(listed.json()["pagination"]["total"])


async def test_the_second_gets_the_firsts_answer(client: httpx.AsyncClient, tenant: Tenant) -> None:
    first = await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    second = await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.content == second.content
    assert first.headers["location"] == second.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert await total(client, tenant) == 2


async def test_another_body_under_the_key_is_refused(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    other = await client.post(WORKSPACES, json={"name": "B"}, headers=keyed(tenant))
    assert other.status_code == 422
    assert other.json()["errors"][0]["pointer"] == "Idempotency-Key"
    assert await total(client, tenant) == 2


async def test_an_error_keeps_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    assert (await client.post(WORKSPACES, json={"name": "Default"}, headers=keyed(tenant))).status_code == 409
    renamed = await client.patch(tenant.url, json={"name": "Renamed"}, headers=tenant.client_headers)
    assert renamed.status_code == 200
    assert (await client.post(WORKSPACES, json={"name": "Default"}, headers=keyed(tenant))).status_code == 201


async def test_callers_do_not_share_keys(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    ours = await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    theirs = await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(other_tenant))
    assert theirs.status_code == 201
    assert theirs.json()["id"] != ours.json()["id"]


async def test_many_at_once_do_it_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answers = await asyncio.gather(
        *(client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant)) for _ in range(8))
    )
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert 201 in {answer.status_code for answer in answers}
    assert len({answer.json().get("id") for answer in answers if answer.status_code == 201}) == 1
    assert await total(client, tenant) == 2


async def test_a_crashed_request_frees_its_key_when_the_lease_ends(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, identity: Database
) -> None:
    await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    # What a process that died between reservation and commit leaves behind.
    async with identity.transaction() as session:
        await session.execute(sa.text("DELETE FROM workspace WHERE name = 'A'"))
    async with database.transaction() as session:
        await session.execute(sa.update(IdempotencyRecord).values(status=None, body=None, headers=None))
    running = await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    assert running.status_code == 409
    assert running.headers["retry-after"] == "1"
    async with database.transaction() as session:
        await session.execute(sa.update(IdempotencyRecord).values(lease_until=utc_now() - timedelta(seconds=1)))
    assert (await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))).status_code == 201


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("key", ["", "x" * 256, "tab\tin it"])
async def test_a_malformed_key_is_400(client: httpx.AsyncClient, tenant: Tenant, key: str) -> None:
    assert (await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant, key))).status_code == 400


async def test_a_secret_is_not_kept_for_a_second_answer(client: httpx.AsyncClient, tenant: Tenant) -> None:
    refused = await client.post(f"{tenant.url}/keys", json={"name": "second"}, headers=keyed(tenant))
    assert refused.status_code == 400
    register = {"email": "third@example.com", "password": PASSWORD, "tenant_name": "Third"}
    public = await client.post("/api/v1/auth/register", json=register, headers={"Idempotency-Key": "once"})
    assert public.status_code == 400
    listed = await client.get(f"{tenant.url}/keys", headers=tenant.client_headers)
    assert [key["name"] for key in listed.json()["results"]] == ["ours key"]


async def test_a_route_and_its_ids_have_keys_of_their_own(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {"name": "same"}
    created = [
        await client.post(f"{tenant.url}/{path}", json=body, headers=keyed(tenant)) for path in ("agents", "samples")
    ]
    assert [answer.status_code for answer in created] == [201, 201]
    second = await client.post(WORKSPACES, json=body, headers=keyed(tenant))
    elsewhere = await client.post(f"{WORKSPACES}/{second.json()['id']}/agents", json=body, headers=keyed(tenant))
    assert elsewhere.status_code == 201
    assert len({answer.json()["id"] for answer in (*created, second, elsewhere)}) == 4


async def test_work_with_transactions_of_its_own_is_done_once_too(client: httpx.AsyncClient, tenant: Tenant) -> None:
    prompts = {"main": {"messages": [{"role": "system", "content": "answer"}], "variables": []}}
    config = {"prompts": prompts, "model": "spectral-local/small"}
    made = await client.post(
        f"{tenant.url}/agents", json={"name": "one", "config": config}, headers=tenant.client_headers
    )
    url = f"{tenant.url}/agents/{made.json()['id']}/invoke"
    body = {"input": {"text": "hello"}, "config": config}
    first, second = [await client.post(url, json=body, headers=keyed(tenant)) for _ in range(2)]
    assert (first.status_code, second.status_code) == (200, 200), first.text
    assert second.headers["idempotent-replayed"] == "true"
    assert first.content == second.content


async def test_who_has_lost_the_right_is_refused_what_was_answered_before(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    url = f"{tenant.url}/agents"
    assert (await client.post(url, json={"name": "A"}, headers=keyed(tenant))).status_code == 201
    async with identity.transaction() as session:
        await session.execute(sa.text("UPDATE account_member SET role = 'member'"))
        await session.execute(sa.text("DELETE FROM workspace_member"))
    app.state["authenticator"].forget()
    again = await client.post(url, json={"name": "A"}, headers=keyed(tenant))
    assert again.status_code == 404
    assert "idempotent-replayed" not in again.headers


async def test_nobody_may_reserve_keys_of_routes_that_are_not_theirs(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    for headers, status in (({"Idempotency-Key": "once"}, 401), (keyed(other_tenant), 404)):
        answer = await client.post(f"{tenant.url}/agents", json={"name": "A"}, headers=headers)
        assert answer.status_code == status
    async with database.transaction(read_only=True) as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(IdempotencyRecord)) == 0


async def test_keys_are_forgotten_when_their_time_is_over(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    for key in ("old", "new"):
        await client.post(WORKSPACES, json={"name": key}, headers=keyed(tenant, key))
    old = sa.update(IdempotencyRecord).where(IdempotencyRecord.key == "old")
    async with database.transaction() as session:
        await session.execute(old.values(expires_at=utc_now() - timedelta(seconds=1)))
    await forget_expired(database)
    async with database.transaction(read_only=True) as session:
        assert list(await session.scalars(sa.select(IdempotencyRecord.key))) == ["new"]


def test_a_caller_is_a_person_in_an_account_or_else_an_address() -> None:
    account = uuid4()
    person = Principal(PrincipalKind.USER, uuid4(), account_id=account, user_id=uuid4())
    known, anonymous = scope("192.0.2.1"), scope("192.0.2.1")
    known["user"] = person
    assert caller_of(known) == f"user:{person.user_id}@{account}"
    assert caller_of(anonymous) == "address:192.0.2.1"
