"""API keys through the API."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from spectral.domains.keys.service import is_well_formed, new_key
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant


def keys(tenant: Tenant) -> str:
    return f"{tenant.url}/keys"


async def test_a_key_is_shown_once_and_never_stored(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    created = await client.post(keys(tenant), json={"name": "CI Pipeline"}, headers=tenant.client_headers)
    assert created.status_code == 201
    assert created.headers["cache-control"] == "no-store"
    key = created.json()
    assert key["key"].startswith("sk_live_")
    assert is_well_formed(key["key"])
    assert key["scopes"] == ["read:agents", "write:traces"]
    lifetime = datetime.fromisoformat(key["expires_at"]) - datetime.now(UTC)
    assert timedelta(days=89) < lifetime < timedelta(days=91)
    for later in (keys(tenant), created.headers["location"]):
        assert key["key"] not in (await client.get(later, headers=tenant.client_headers)).text
    async with database.transaction(tenant.access, read_only=True) as session:
        for row in (await session.execute(text("SELECT * FROM api_key"))).all():
            assert key["key"] not in str(row)


async def test_a_key_opens_what_its_scopes_say_and_only_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    agents = f"{tenant.url}/agents"
    assert (await client.get(agents, headers=tenant.key_headers)).status_code == 200
    assert (await client.get(agents, headers={"X-API-Key": tenant.api_key})).status_code == 200
    assert (await client.get(agents, headers=other_tenant.key_headers)).status_code == 404
    assert (await client.get(keys(tenant), headers=tenant.key_headers)).status_code == 403
    narrowed = await client.post(
        keys(tenant), json={"name": "traces only", "scopes": ["write:traces"]}, headers=tenant.client_headers
    )
    assert (await client.get(agents, headers={"X-API-Key": narrowed.json()["key"]})).status_code == 403


async def test_use_is_noted(client: httpx.AsyncClient, tenant: Tenant) -> None:
    await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)
    read = (await client.get(f"{keys(tenant)}/{tenant.key_id}", headers=tenant.client_headers)).json()
    assert read["last_used_at"] is not None
    assert read["status"] == "active"


async def test_a_revoked_key_opens_nothing_at_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agents = f"{tenant.url}/agents"
    assert (await client.get(agents, headers=tenant.key_headers)).status_code == 200
    url = f"{keys(tenant)}/{tenant.key_id}"
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    assert (await client.get(agents, headers=tenant.key_headers)).status_code == 401
    assert (await client.get(url, headers=tenant.client_headers)).json()["status"] == "revoked"
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204


async def test_an_expired_key_opens_nothing(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    async with database.transaction(tenant.access) as session:
        await session.execute(text("UPDATE api_key SET expires_at = created_at"))
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 401


async def test_a_key_with_a_wrong_checksum_needs_no_database(client: httpx.AsyncClient, tenant: Tenant) -> None:
    wrong = tenant.api_key[:-1] + ("a" if tenant.api_key[-1] != "a" else "b")
    for key in (wrong, new_key(), tenant.api_key + "0", "sk_live_", "sk_live_" + "é" * 36):
        answer = await client.get(f"{tenant.url}/agents", headers={b"X-API-Key": key.encode("utf-8")})
        assert answer.status_code == 401


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": ""}, 422),
        ({"name": "x", "scopes": []}, 422),
        ({"name": "x", "scopes": ["admin:workspace"]}, 422),
        ({"name": "x", "expires_at": "tomorrow"}, 422),
        ({"name": "x", "expires_at": "2027-01-01T00:00:00"}, 422),
        ({"name": "x", "expires_at": "2020-01-01T00:00:00Z"}, 400),
        ({"name": "x", "workspace_id": "00000000-0000-0000-0000-000000000000"}, 422),
    ],
)
async def test_a_wrong_key_is_not_made(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], status: int
) -> None:
    assert (await client.post(keys(tenant), json=body, headers=tenant.client_headers)).status_code == status
    assert (await client.get(keys(tenant), headers=tenant.client_headers)).json()["pagination"]["total"] == 1


async def test_a_key_may_be_made_without_an_end(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {"name": "x", "expires_at": None}
    assert (await client.post(keys(tenant), json=body, headers=tenant.client_headers)).json()["expires_at"] is None


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    url = f"{keys(tenant)}/{tenant.key_id}"
    foreign = other_tenant.client_headers
    assert (await client.get(keys(tenant))).status_code == 401
    assert (await client.get(keys(tenant), headers=foreign)).status_code == 404
    assert (await client.delete(url, headers=foreign)).status_code == 404
    elsewhere = f"{keys(other_tenant)}/{tenant.key_id}"
    assert (await client.delete(elsewhere, headers=foreign)).status_code == 404
    refused = await client.post(
        keys(tenant), json={"name": "x"}, headers=tenant.client_headers | {"Idempotency-Key": "once"}
    )
    assert refused.status_code == 400
