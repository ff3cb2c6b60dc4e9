"""What runs remember, for people."""

import httpx

from spectral.domains.workflows.settings.repository import MemoryRepository
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant


async def test_people_look_at_what_is_remembered_and_have_it_forgotten(
    client: httpx.AsyncClient, database: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    for owner in (tenant, other_tenant):
        async with database.transaction(owner.access) as session:
            memory = MemoryRepository(session, owner.access)
            for namespace, key, value in (
                ("orders", "b", [2]),
                ("orders", "a", None),
                ("orders", "c", {"x": 1}),
                ("code review", "a", owner.name),
            ):
                await memory.store(namespace, key, value)
    url, headers = f"{tenant.url}/workflow-memory", tenant.client_headers
    namespaces = (await client.get(url, headers=headers)).json()
    assert [(one["namespace"], one["keys"]) for one in namespaces["results"]] == [("code review", 1), ("orders", 3)]
    assert namespaces["pagination"]["total"] == 2
    listed = (await client.get(f"{url}/orders", params={"limit": 2}, headers=headers)).json()
    assert [(one["key"], one["value"]) for one in listed["results"]] == [("a", None), ("b", [2])]
    assert listed["pagination"]["total"] == 3
    assert (await client.get(f"{url}/code%20review", headers=headers)).json()["results"][0]["value"] == tenant.name
    assert (await client.get(f"{url}/nothing", headers=headers)).json()["results"] == []
    assert (await client.delete(f"{url}/orders?key=a", headers=headers)).status_code == 204
    assert (await client.delete(f"{url}/orders?key=a", headers=headers)).status_code == 404
    assert (await client.delete(f"{url}/orders", headers=headers)).status_code == 204
    assert (await client.delete(f"{url}/orders", headers=headers)).status_code == 404
    assert [one["namespace"] for one in (await client.get(url, headers=headers)).json()["results"]] == ["code review"]
    theirs = await client.get(f"{other_tenant.url}/workflow-memory", headers=other_tenant.client_headers)
    assert [one["keys"] for one in theirs.json()["results"]] == [1, 3]
    log = await client.get("/api/v1/account/audit-log", params={"action": "workflow_memory."}, headers=headers)
    assert [entry["detail"] for entry in log.json()["results"]] == [{"key": None, "keys": 2}, {"key": "a", "keys": 1}]
