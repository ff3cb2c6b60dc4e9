"""API keys through the API."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text

from spectral.domains.keys.credentials import API_KEY, is_well_formed, new_credential
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


async def test_use_is_noted(app: Litestar, client: httpx.AsyncClient, tenant: Tenant) -> None:
    await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)
    await app.state.uses.drain()
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
    for key in (wrong, new_credential(API_KEY), tenant.api_key + "0", "sk_live_", "sk_live_" + "é" * 36):
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


async def rotate(client: httpx.AsyncClient, tenant: Tenant, key_id: object, body: Any = None) -> httpx.Response:
    url = f"{keys(tenant)}/{key_id}/rotate"
    if body is None:
        return await client.post(url, headers=tenant.client_headers)
    return await client.post(url, json=body, headers=tenant.client_headers)


async def test_a_rotated_key_and_its_successor_overlap(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    agents = f"{tenant.url}/agents"
    narrow = {"name": "narrow", "scopes": ["read:agents"], "expires_at": None}
    old = (await client.post(keys(tenant), json=narrow, headers=tenant.client_headers)).json()
    rotated = await rotate(client, tenant, old["key_id"], {"overlap_s": 3600})
    assert rotated.status_code == 201, rotated.text
    assert rotated.headers["cache-control"] == "no-store"
    new = rotated.json()
    assert rotated.headers["location"] == f"{keys(tenant)}/{new['key_id']}"
    assert (new["name"], new["scopes"], new["rotated_from"]) == ("narrow", ["read:agents"], old["key_id"])
    assert timedelta(days=89) < until(new["expires_at"]) < timedelta(days=91)
    read = (await client.get(f"{keys(tenant)}/{old['key_id']}", headers=tenant.client_headers)).json()
    assert (read["status"], read["rotated_to"]) == ("active", new["key_id"])
    assert timedelta(minutes=59) < until(read["expires_at"]) <= timedelta(hours=1)
    for key in (old["key"], new["key"]):
        assert (await client.get(agents, headers={"X-API-Key": key})).status_code == 200
    for key_id in (old["key_id"], new["key_id"]):
        assert new["key"] not in (await client.get(f"{keys(tenant)}/{key_id}", headers=tenant.client_headers)).text
    async with database.transaction(tenant.access, read_only=True) as session:
        said = text("SELECT subject, detail FROM audit_entry WHERE action = 'api_key.rotated'")
        ((subject, detail),) = (await session.execute(said)).all()
    assert subject == f"api_key:{old['key_id']}"
    assert new["key_id"] in str(detail)
    assert new["key"] not in str(detail)


async def test_without_an_overlap_the_old_key_ends_at_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agents = f"{tenant.url}/agents"
    assert (await client.get(agents, headers=tenant.key_headers)).status_code == 200
    new = (await rotate(client, tenant, tenant.key_id, {"overlap_s": 0, "expires_at": None})).json()
    assert new["expires_at"] is None
    assert (await client.get(agents, headers=tenant.key_headers)).status_code == 401
    assert (await client.get(agents, headers={"X-API-Key": new["key"]})).status_code == 200


async def test_an_overlap_does_not_make_a_key_live_longer(client: httpx.AsyncClient, tenant: Tenant) -> None:
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    body = {"name": "short", "expires_at": soon}
    old = (await client.post(keys(tenant), json=body, headers=tenant.client_headers)).json()
    assert (await rotate(client, tenant, old["key_id"])).status_code == 201
    read = (await client.get(f"{keys(tenant)}/{old['key_id']}", headers=tenant.client_headers)).json()
    assert read["expires_at"] == old["expires_at"]


async def test_what_has_ended_or_a_successor_is_not_rotated(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    revoked, rotated, ended = [
        (await client.post(keys(tenant), json={"name": "x"}, headers=tenant.client_headers)).json()["key_id"]
        for _ in range(3)
    ]
    assert (await client.delete(f"{keys(tenant)}/{revoked}", headers=tenant.client_headers)).is_success
    successor = (await rotate(client, tenant, rotated)).json()
    assert (await rotate(client, tenant, ended, {"overlap_s": 0})).status_code == 201
    for key_id, member in ((revoked, None), (rotated, successor["key_id"]), (ended, None)):
        refused = await rotate(client, tenant, key_id)
        assert refused.status_code == 400, refused.text
        assert refused.json()["type"].endswith("/invalid-transition")
        assert refused.json().get("rotated_to") == member
    for body in ({"overlap_s": -1}, {"overlap_s": 30 * 86400 + 1}, {"overlap_s": 1.5}, {"scopes": ["read:agents"]}):
        assert (await rotate(client, tenant, tenant.key_id, body)).status_code == 422
    assert (await rotate(client, tenant, tenant.key_id, {"expires_at": "2020-01-01T00:00:00Z"})).status_code == 400
    url = f"{keys(tenant)}/{tenant.key_id}/rotate"
    assert (await client.post(url, headers=other_tenant.client_headers)).status_code == 404
    assert (await client.post(url, headers=tenant.key_headers)).status_code == 403
    kept = tenant.client_headers | {"Idempotency-Key": "once"}
    assert (await client.post(url, headers=kept)).status_code == 400


async def test_of_two_rotations_at_once_one_wins(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answers = await asyncio.gather(*(rotate(client, tenant, tenant.key_id) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 400, 400, 400]
    listed = (await client.get(keys(tenant), headers=tenant.client_headers)).json()
    assert listed["pagination"]["total"] == 2


async def test_a_key_s_scopes_cannot_be_widened(client: httpx.AsyncClient, tenant: Tenant) -> None:
    """Not by making it, not by rotating it, and not by what is stored."""
    for scopes in (["read:workspace"], ["read:agents", "admin:workspace"], ["approve:agents"], ["admin:operations"]):
        body = {"name": "wide", "scopes": scopes}
        assert (await client.post(keys(tenant), json=body, headers=tenant.client_headers)).status_code == 422
    assert (await rotate(client, tenant, tenant.key_id, {"scopes": ["admin:workspace"]})).status_code == 422
    url = f"{keys(tenant)}/{tenant.key_id}"
    assert (await client.patch(url, json={"scopes": []}, headers=tenant.client_headers)).status_code == 422
    marked = {"trusted": True, "scopes": ["admin:workspace"]}
    assert (await client.patch(url, json=marked, headers=tenant.client_headers)).status_code == 422
    assert (await client.patch(url, json={"trusted": 1}, headers=tenant.client_headers)).status_code == 422
    assert (await client.get(url, headers=tenant.client_headers)).json()["trusted"] is False


async def test_stored_scopes_beyond_a_key_s_open_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    async with database.transaction(tenant.access) as session:
        await session.execute(text("""UPDATE api_key SET scopes = '["admin:workspace", "read:agents"]'"""))
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    assert (await client.get(keys(tenant), headers=tenant.key_headers)).status_code == 403


def until(moment: str) -> timedelta:
    return datetime.fromisoformat(moment) - datetime.now(UTC)


async def test_a_credential_is_taken_from_one_header_and_never_from_the_query(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    agents = f"{tenant.url}/agents"
    key = tenant.api_key
    for name in ("api_key", "key", "access_token", "token", "authorization", "X-API-Key"):
        assert (await client.get(agents, params={name: key})).status_code == 401
    assert (await client.get(agents, headers={"Cookie": f"access_token={tenant.access_token}"})).status_code == 401
    both = tenant.key_headers | {"X-API-Key": key}
    assert (await client.get(agents, headers=both)).status_code == 200
    for other in (other_tenant.api_key, "nonsense", ""):
        contradicting = await client.get(agents, headers=tenant.client_headers | {"X-API-Key": other})
        assert contradicting.status_code == 400
        assert contradicting.json()["type"].endswith("/malformed-request")
