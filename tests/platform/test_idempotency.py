"""A repeated POST does its work once."""

import asyncio
from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.idempotency import IdempotencyRecord
from spectral.platform.shared.clock import utc_now
from tests.fixtures.tenants import Tenant

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
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await client.post(WORKSPACES, json={"name": "A"}, headers=keyed(tenant))
    # What a process that died between reservation and commit leaves behind.
    async with database.transaction() as session:
        await session.execute(sa.text("DELETE FROM workspace WHERE name = 'A'"))
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
