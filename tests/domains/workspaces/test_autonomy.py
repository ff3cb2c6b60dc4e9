"""How far a workspace may act by itself: chosen, audited, and observe_only starts nothing."""

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant
from tests.fixtures.world import WorldBuilder

BOUNDS = {
    "max_cost_increase_percent": 10,
    "allowed_change_kinds": ["few_shot", "instructions", "few_shot"],
    "budget_per_night_usd": "2.50",
}


async def test_it_is_manual_until_somebody_chooses(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    url = f"{tenant.url}/autonomy"
    fresh = await client.get(url, headers=tenant.client_headers)
    assert fresh.json() == {"mode": "manual", "bounds": None, "updated_at": None}
    chosen = await client.put(url, json={"mode": "bounded_auto", "bounds": BOUNDS}, headers=tenant.client_headers)
    assert chosen.status_code == 200
    read = (await client.get(url, headers=tenant.client_headers)).json()
    assert read == chosen.json()
    assert read["bounds"] == {
        "max_cost_increase_percent": 10.0,
        "allowed_change_kinds": ["instructions", "few_shot"],
        "budget_per_night_usd": "2.5",
        "allow_production": False,
    }
    back = await client.put(url, json={"mode": "recommend"}, headers=tenant.client_headers)
    assert (back.json()["mode"], back.json()["bounds"]) == ("recommend", None)
    async with database.transaction(tenant.access, read_only=True) as session:
        found = sa.select(AuditEntry.detail).where(AuditEntry.action == "autonomy.chosen")
        details = list((await session.scalars(found.order_by(AuditEntry.created_at, AuditEntry.id))).all())
    assert [detail["after"]["mode"] for detail in details] == ["bounded_auto", "recommend"]
    assert details[1]["before"]["budget_per_night_usd"] == "2.5"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"mode": "bounded_auto"},
        {"mode": "manual", "bounds": BOUNDS},
        {"mode": "everything"},
        {"mode": "bounded_auto", "bounds": BOUNDS | {"allowed_change_kinds": []}},
        {"mode": "bounded_auto", "bounds": BOUNDS | {"allowed_change_kinds": ["tools"]}},
        {"mode": "bounded_auto", "bounds": BOUNDS | {"max_cost_increase_percent": -1}},
        {"mode": "bounded_auto", "bounds": BOUNDS | {"budget_per_night_usd": "-1"}},
        {"mode": "bounded_auto", "bounds": BOUNDS | {"allow_production": "yes"}},
        {"mode": "bounded_auto", "bounds": {key: BOUNDS[key] for key in list(BOUNDS)[:2]}},
        {"mode": "manual", "workspace_id": "0"},
    ],
)
async def test_a_wrong_choice_is_422_and_changes_nothing(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, object]
) -> None:
    answer = await client.put(f"{tenant.url}/autonomy", json=body, headers=tenant.client_headers)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    read = await client.get(f"{tenant.url}/autonomy", headers=tenant.client_headers)
    assert read.json()["updated_at"] is None


async def test_reading_takes_a_role_and_choosing_an_administrator(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    contributor = await join(client, tenant, "contributor", inside="contributor")
    url = f"{tenant.url}/autonomy"
    assert (await client.get(url, headers=contributor.headers)).status_code == 200
    for headers, status in (
        (contributor.headers, 403),
        (tenant.key_headers, 403),
        (other_tenant.client_headers, 404),
        ({}, 401),
    ):
        assert (await client.put(url, json={"mode": "observe_only"}, headers=headers)).status_code == status


async def test_observe_only_starts_no_scan(client: httpx.AsyncClient, database: Database) -> None:
    world = await WorldBuilder(client, database, "watching").build()
    url = f"{world.tenant.url}/autonomy"
    scan = {name: world.ids[name] for name in ("agent_id", "sample_set_id", "rubric_id")}
    scan["objective_id"] = world.ids["any_rubric_objective_id"]
    for mode, status in (("observe_only", 400), ("recommend", 202), ("manual", 202)):
        await client.put(url, json={"mode": mode}, headers=world.headers)
        started = await client.post(f"{world.tenant.url}/scans", json=scan, headers=world.headers)
        assert started.status_code == status, started.text
        if status == 400:
            assert started.json()["type"].endswith("/observe-only")
            assert "observe_only" in started.json()["detail"]
