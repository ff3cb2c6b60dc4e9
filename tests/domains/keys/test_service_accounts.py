"""Service accounts through the API."""

from dataclasses import replace
from typing import Any
from uuid import UUID

import httpx
import pytest
from sqlalchemy import text

from spectral.domains.keys.credentials import is_well_formed
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.service_accounts import ServiceAccountService
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import ForbiddenError
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant


def machines(tenant: Tenant) -> str:
    return f"{tenant.url}/service-accounts"


async def create(client: httpx.AsyncClient, tenant: Tenant, **body: Any) -> dict[str, Any]:
    made = await client.post(machines(tenant), json={"name": "CI", **body}, headers=tenant.client_headers)
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    assert made.headers["location"] == f"{machines(tenant)}/{answer['service_account_id']}"
    assert made.headers["cache-control"] == "no-store"
    return answer


def with_key(made: dict[str, Any]) -> dict[str, str]:
    return {"Authorization": f"Bearer {made['key']}"}


async def audited(database: Database, tenant: Tenant) -> list[tuple[str, str]]:
    async with database.transaction(tenant.access, read_only=True) as session:
        said = text(
            "SELECT actor, action FROM audit_entry WHERE subject LIKE 'service_account:%' ORDER BY created_at, id"
        )
        return [(actor, action) for actor, action in (await session.execute(said)).all()]


async def test_a_key_is_shown_once_and_never_stored(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await create(client, tenant, role="observer")
    assert made["key"].startswith("st_live_")
    assert is_well_formed(made["key"])
    assert (made["role"], made["approve"], made["status"]) == ("observer", False, "active")
    assert made["expires_at"] is not None
    assert (await create(client, tenant, role="observer", expires_at=None))["expires_at"] is None
    for later in ("", f"/{made['service_account_id']}"):
        assert made["key"] not in (await client.get(machines(tenant) + later, headers=tenant.client_headers)).text
    async with database.transaction(tenant.access, read_only=True) as session:
        for row in (await session.execute(text("SELECT * FROM service_account"))).all():
            assert made["key"] not in str(row)


async def test_it_does_in_its_workspace_what_its_role_says(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    observer = with_key(await create(client, tenant, role="observer"))
    contributor = with_key(await create(client, tenant, role="contributor"))
    agent = {"name": "made by a machine"}
    assert (await client.get(tenant.url, headers=observer)).status_code == 200
    assert (await client.post(f"{tenant.url}/agents", json=agent, headers=observer)).status_code == 403
    assert (await client.post(f"{tenant.url}/agents", json=agent, headers=contributor)).status_code == 201
    for headers in (observer, contributor):
        assert (await client.get(other_tenant.url, headers=headers)).status_code == 404
        assert (await client.get(machines(tenant), headers=headers)).status_code == 403
        assert (await client.post(machines(tenant), json={}, headers=headers)).status_code == 403
        assert (await client.get(f"{tenant.url}/keys", headers=headers)).status_code == 403
        for people in ("/api/v1/auth/me", "/api/v1/workspaces", "/api/v1/account"):
            assert (await client.get(people, headers=headers)).status_code == 403, people
        assert (await client.patch("/api/v1/account", json={"name": "x"}, headers=headers)).status_code == 403
        assert (await client.post("/api/v1/workspaces", json={"name": "x"}, headers=headers)).status_code == 403
        assert (await client.delete(tenant.url, headers=headers)).status_code == 403


async def test_approving_needs_a_grant_of_its_own(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    config = {"prompts": {"main": {"messages": [{"role": "user", "content": "hi"}]}}, "model": "spectral-local/small"}
    agent = {"name": "sorter", "config": config}
    agent_id = (await client.post(f"{tenant.url}/agents", json=agent, headers=tenant.client_headers)).json()["id"]
    promotion = {"version": 1, "environment": "staging"}
    url = f"{tenant.url}/agents/{agent_id}/promote"
    plain = await create(client, tenant, role="contributor")
    refused = await client.post(url, json=promotion, headers=with_key(plain))
    assert (refused.status_code, refused.json()["required_scopes"]) == (403, ["approve:agents"])
    granted = await create(client, tenant, role="contributor", approve=True)
    assert (await client.post(url, json=promotion, headers=with_key(granted))).is_success
    owner = f"user:{tenant.user_id}"
    assert await audited(database, tenant) == [
        (owner, "service_account.created"),
        (owner, "service_account.created"),
        (owner, "service_account.approval_granted"),
    ]
    async with database.transaction(tenant.access, read_only=True) as session:
        promoted = text("SELECT actor FROM audit_entry WHERE action LIKE 'agent.promoted%' ORDER BY created_at, id")
        actors = (await session.execute(promoted)).scalars().all()
        assert actors[-1] == f"service_account:{granted['service_account_id']}"


async def test_nobody_grants_what_they_do_not_hold(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, settings: Settings
) -> None:
    granted = await create(client, tenant, role="observer", approve=True)
    without = replace(tenant.access, scopes=tenant.access.scopes - {Scope.APPROVE_AGENTS})
    async with database.transaction(without) as session:
        service = ServiceAccountService(session, without, Peppers.from_secrets(settings.secrets), 90)
        with pytest.raises(ForbiddenError):
            await service.create_service_account("x", "observer", None, None, approve=True)
        with pytest.raises(ForbiddenError):
            await service.rotate_service_account(
                UUID(granted["service_account_id"]), service.default_expiry - service.default_expiry, None, None
            )


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 422),
        ({"name": "x"}, 422),
        ({"name": " ", "role": "observer"}, 422),
        ({"name": "x", "role": "admin"}, 422),
        ({"name": "x", "role": "owner"}, 422),
        ({"name": "x", "role": "operations"}, 422),
        ({"name": "x", "role": ["observer"]}, 422),
        ({"name": "x", "role": "observer", "approve": "yes"}, 422),
        ({"name": "x", "role": "observer", "approve": 1}, 422),
        ({"name": "x", "role": "observer", "scopes": ["admin:workspace"]}, 422),
        ({"name": "x", "role": "observer", "workspace_id": "00000000-0000-0000-0000-000000000000"}, 422),
        ({"name": "x", "role": "observer", "account_id": "00000000-0000-0000-0000-000000000000"}, 422),
        ({"name": "x", "role": "observer", "key_hash": "0" * 64}, 422),
        ({"name": "x", "role": "observer", "expires_at": "2027-01-01T00:00:00"}, 422),
        ({"name": "x", "role": "observer", "expires_at": "2020-01-01T00:00:00Z"}, 400),
    ],
)
async def test_a_wrong_one_is_not_made(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], status: int
) -> None:
    assert (await client.post(machines(tenant), json=body, headers=tenant.client_headers)).status_code == status
    assert (await client.get(machines(tenant), headers=tenant.client_headers)).json()["pagination"]["total"] == 0


async def test_rotated_and_revoked(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    old = await create(client, tenant, role="contributor", approve=True)
    url = f"{machines(tenant)}/{old['service_account_id']}"
    rotated = await client.post(f"{url}/rotate", json={"overlap_s": 60}, headers=tenant.client_headers)
    assert rotated.status_code == 201
    new = rotated.json()
    assert rotated.headers["location"] == f"{machines(tenant)}/{new['service_account_id']}"
    same = ("name", "role", "approve")
    assert [new[name] for name in same] == [old[name] for name in same]
    assert new["rotated_from"] == old["service_account_id"]
    read = (await client.get(url, headers=tenant.client_headers)).json()
    assert read["rotated_to"] == new["service_account_id"]
    for made in (old, new):
        assert (await client.get(tenant.url, headers=with_key(made))).status_code == 200
    assert (await client.post(f"{url}/rotate", headers=tenant.client_headers)).status_code == 400
    for _ in range(2):
        assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    assert (await client.get(tenant.url, headers=with_key(old))).status_code == 401
    assert (await client.get(tenant.url, headers=with_key(new))).status_code == 200
    assert (await client.get(url, headers=tenant.client_headers)).json()["status"] == "revoked"
    assert [action for _, action in await audited(database, tenant)] == [
        "service_account.created",
        "service_account.approval_granted",
        "service_account.rotated",
        "service_account.revoked",
    ]


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    made = await create(client, tenant, role="observer")
    url = f"{machines(tenant)}/{made['service_account_id']}"
    elsewhere = f"{machines(other_tenant)}/{made['service_account_id']}"
    foreign = other_tenant.client_headers
    body = {"name": "x", "role": "observer"}
    assert (await client.get(machines(tenant))).status_code == 401
    assert (await client.get(machines(tenant), headers=tenant.key_headers)).status_code == 403
    for path in (url, elsewhere):
        for method, below in (("GET", ""), ("DELETE", ""), ("POST", "/rotate")):
            assert (await client.request(method, path + below, headers=foreign)).status_code == 404
    assert (await client.post(machines(tenant), json=body, headers=foreign)).status_code == 404
    for path in (machines(tenant), f"{url}/rotate"):
        kept = tenant.client_headers | {"Idempotency-Key": "once"}
        assert (await client.post(path, json=body, headers=kept)).status_code == 400
