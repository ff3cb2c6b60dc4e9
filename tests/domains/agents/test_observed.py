"""Agents that appear because spans name them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest

from spectral.domains.agents import observed
from spectral.domains.agents.observed import Observation, ObservedAgentService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.fixtures.tenants import Tenant

CONFIG = {"prompts": {"main": {"messages": [{"role": "user", "content": "hi"}]}}, "model": "spectral-local/small"}


async def observe(database: Database, tenant: Tenant, *keys: str, at: datetime | None = None) -> Observation:
    access = WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, "observed agents")
    async with database.transaction(access) as session:
        return await ObservedAgentService(session, access).observe(keys, at or utc_now())


async def agents(client: httpx.AsyncClient, tenant: Tenant, query: str = "") -> dict[str, dict[str, Any]]:
    answer = await client.get(f"{tenant.url}/agents?limit=100{query}", headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    return {agent["name"]: agent for agent in answer.json()["results"]}


async def create(client: httpx.AsyncClient, tenant: Tenant, **body: Any) -> httpx.Response:
    return await client.post(f"{tenant.url}/agents", json=body, headers=tenant.client_headers)


async def test_an_agent_appears_once_however_often_and_by_whomever_it_is_seen(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    at_once = await asyncio.gather(*(observe(database, tenant, "support", "sales") for _ in range(4)))
    assert sum(one.appeared for one in at_once) == 2
    later = utc_now() + timedelta(hours=1)
    assert await observe(database, tenant, "support", at=later) == Observation(0, full=False)
    found = await agents(client, tenant)
    assert set(found) == {"support", "sales"}
    support = found["support"]
    assert (support["status"], support["origin"], support["runtime"]) == ("observed", "observed", "observed")
    assert (support["external_key"], support["latest_version"], support["archived"]) == ("support", None, False)
    assert support["first_seen_at"] < support["last_seen_at"]
    assert await agents(client, other_tenant) == {}


async def test_what_the_workspace_has_by_id_or_name_does_not_appear_again(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = (await create(client, tenant, name="support")).json()
    assert (made["status"], made["origin"], made["last_seen_at"]) == ("managed", "created", None)
    assert (await observe(database, tenant, "support", made["id"], made["id"].replace("-", ""))).appeared == 0
    found = await agents(client, tenant)
    assert list(found) == ["support"]
    assert found["support"]["last_seen_at"] is not None


async def test_an_observed_agent_is_adopted_by_a_config_by_a_patch_or_by_creating_it(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await observe(database, tenant, "one", "two", "three", "four")
    assert set(await agents(client, tenant, "&status=observed")) == {"one", "two", "three", "four"}
    found = await agents(client, tenant)
    url = f"{tenant.url}/agents"
    added = await client.post(
        f"{url}/{found['one']['id']}/configs", json={"config": CONFIG}, headers=tenant.client_headers
    )
    assert added.status_code == 201, added.text
    patched = await client.patch(
        f"{url}/{found['two']['id']}", json={"status": "managed", "name": "renamed"}, headers=tenant.client_headers
    )
    assert (patched.json()["status"], patched.json()["external_key"]) == ("managed", "two")
    created = await create(client, tenant, name="three", description="ours now")
    assert (created.status_code, created.json()["id"]) == (201, found["three"]["id"])
    assert set(await agents(client, tenant, "&status=observed")) == {"four"}
    managed = await agents(client, tenant, "&status=managed")
    assert {name: agent["runtime"] for name, agent in managed.items()} == dict.fromkeys(
        ("one", "renamed", "three"), "prompt"
    )
    # Its spans go on naming it as before.
    assert (await observe(database, tenant, "one", "two", "three")).appeared == 0
    assert (await create(client, tenant, name="three")).status_code == 409
    back = await client.patch(f"{url}/{found['one']['id']}", json={"status": "observed"}, headers=tenant.client_headers)
    assert (back.status_code, back.json()["errors"][0]["pointer"]) == (422, "/status")
    invoked = await client.post(
        f"{url}/{found['four']['id']}/invoke", json={"input": {}, "config": CONFIG}, headers=tenant.client_headers
    )
    assert invoked.status_code == 400


async def test_a_deleted_agent_stays_away_for_a_day_and_an_archived_one_for_good(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    now = utc_now()
    await observe(database, tenant, "gone", "hidden")
    found = await agents(client, tenant)
    url = f"{tenant.url}/agents"
    deleted = await client.delete(f"{url}/{found['gone']['id']}", headers=tenant.client_headers)
    assert deleted.status_code == 204
    await client.patch(f"{url}/{found['hidden']['id']}", json={"archived": True}, headers=tenant.client_headers)
    assert (await observe(database, tenant, "gone", "hidden", at=now + timedelta(hours=23))).appeared == 0
    assert await agents(client, tenant) == {}
    assert (await observe(database, tenant, "gone", "hidden", at=now + timedelta(hours=25))).appeared == 1
    assert set(await agents(client, tenant)) == {"gone"}


async def test_hostile_names_do_not_flood(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(observed, "LIMIT", 20)
    names = [f"agent-{number:03}" for number in range(300)]
    wrong = ["x" * 201, "", " padded", "line\nbreak", "nul\x00"]
    seen = await asyncio.gather(*(observe(database, tenant, *names[part::3], *wrong) for part in range(3)))
    assert sum(one.appeared for one in seen) == 20
    assert any(one.full for one in seen)
    found = await agents(client, tenant)
    assert len(found) == 20
    # Adopting one makes no room: names could still be anything.
    adopted = next(iter(found.values()))
    await client.patch(
        f"{tenant.url}/agents/{adopted['id']}", json={"status": "managed"}, headers=tenant.client_headers
    )
    assert (await observe(database, tenant, "one more")) == Observation(0, full=True)
    await client.delete(f"{tenant.url}/agents/{adopted['id']}", headers=tenant.client_headers)
    assert (await observe(database, tenant, "one more")).appeared == 1
