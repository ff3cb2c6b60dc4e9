"""What an account uses, and how a workspace is."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from spectral.domains.agents.models import Agent, AgentInvocation
from spectral.domains.changesets.models import HoldoutLedger
from spectral.domains.keys.environment import GEN_AI_CONTENT, environment_of
from spectral.domains.samples.service import SampleService
from spectral.domains.scans.models import Scan, ScanFiring
from spectral.domains.traces.models import TraceIngestion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant, register_tenant
from tests.fixtures.world import World, WorldBuilder, otlp_document

USAGE = "/api/v1/account/usage"

JSON = {"Content-Type": "application/json"}


async def send(client: httpx.AsyncClient, tenant: Tenant, number: int) -> None:
    """One trace of one span."""
    body = otlp_document(f"{number:032x}", f"{number:016x}", "said")
    answer = await client.post("/otel/v1/traces", json=body, headers=tenant.key_headers)
    assert answer.is_success, answer.text


async def health_of(client: httpx.AsyncClient, tenant: Tenant) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}/health", headers=tenant.client_headers)
    assert answer.status_code == 200
    return dict(answer.json())


async def test_usage_is_told_by_workspace_and_added_up(client: httpx.AsyncClient, database: Database) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    other = await register_tenant(client, "theirs")
    await send(client, other, 7)
    before = (await client.get(USAGE, headers=world.headers)).json()
    (first,) = before["results"]
    assert (first["workspace_id"], first["name"]) == (world.ids["workspace_id"], "Default")
    assert (first["traces"], first["spans"], first["scans"], first["agents"]) == (1, 1, 1, 3)
    assert first["api_keys_active"] == 3
    assert first["received_spans"] == 1
    assert first["received_bytes"] > 0
    assert (first["own_model_cost_usd"], first["own_unpriced_calls"]) == ("0", 1)
    second = await client.post("/api/v1/workspaces", json={"name": "Second"}, headers=world.headers)
    url = second.headers["location"]
    await client.post(f"{url}/agents", json={"name": "only"}, headers=world.headers)
    after = (await client.get(USAGE, headers=world.headers)).json()
    assert [found["name"] for found in after["results"]] == ["Second", "Default"]
    assert (after["results"][0]["agents"], after["total"]["agents"]) == (1, 4)
    assert after["total"]["traces"] == 1
    assert (after["members"], after["pagination"]["total"]) == (2, 2)
    page = (await client.get(f"{USAGE}?limit=1&offset=1", headers=world.headers)).json()
    assert [found["name"] for found in page["results"]] == ["Default"]
    assert page["total"]["agents"] == 3


async def test_costs_are_what_is_known_and_unknown_ones_are_counted(
    client: httpx.AsyncClient, database: Database
) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    (before,) = (await client.get(USAGE, headers=world.headers)).json()["results"]
    async with database.transaction(world.tenant.access) as session:
        mine = AgentInvocation.workspace_id == world.tenant.workspace_id
        row = (await session.scalars(sa.select(AgentInvocation).where(mine))).one()
        row.cost_nano_usd = 1_500_000_000
        copy = {column.name: getattr(row, column.key) for column in AgentInvocation.__table__.columns}
        unknown = copy | {"id": UUID(int=1), "cost_nano_usd": None}
        old = copy | {"id": UUID(int=2), "created_at": utc_now() - timedelta(days=31)}
        await session.execute(sa.insert(AgentInvocation), [unknown, old])
    (figures,) = (await client.get(USAGE, headers=world.headers)).json()["results"]
    assert figures["own_model_cost_usd"] == "1.5"
    assert figures["own_unpriced_calls"] == before["own_unpriced_calls"] + 1


async def test_usage_is_for_who_administrates_the_account(client: httpx.AsyncClient, tenant: Tenant) -> None:
    admin = await join(client, tenant, "admin", inside="admin")
    for headers, status in ((admin.headers, 403), (tenant.key_headers, 403), ({}, 401)):
        assert (await client.get(USAGE, headers=headers)).status_code == status
    assert (await client.get(f"{USAGE}?limit=101", headers=tenant.client_headers)).status_code == 422


async def test_who_exports_all_logs_makes_no_mistake(client: httpx.AsyncClient, tenant: Tenant) -> None:
    records = [{"timeUnixNano": "1", "body": {"stringValue": "started"}}]
    logs = {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}
    answer = await client.post("/otel/v1/logs", json=logs, headers=tenant.key_headers)
    assert answer.json()["partialSuccess"]["rejectedLogRecords"] == "1"
    assert (await client.post("/otel/v1/traces", content=b"{", headers=tenant.key_headers | JSON)).status_code == 400
    health = await health_of(client, tenant)
    assert (health["ingestion_errors"], health["reasons"]) == ({"malformed_otlp": 1}, ["ingestion_errors"])


async def test_a_new_workspace_is_well(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, settings: Settings
) -> None:
    shown = f"{tenant.api_key[:12]}…{tenant.api_key[-4:]}"
    assert await health_of(client, tenant) == {
        "status": "ok",
        "reasons": [],
        "connection": {
            "endpoint": f"{settings.address}/otel",
            "environment": environment_of(settings.address, shown),
            "status": "waiting",
            "first_seen_at": None,
            "last_seen_at": None,
        },
        "missing_content": [],
        "observed_agents": {"count": 0, "limit": 1000},
        "last_trace_seen_at": None,
        "ingestion_errors": {},
        "failing_scans": [],
        "refused_schedules": [],
        "stale_holdouts": [],
        "guard_alerts": [],
        "open_support_grants": 0,
    }
    url = f"{tenant.url}/health"
    for headers, status in ((other_tenant.client_headers, 404), (tenant.key_headers, 403), ({}, 401)):
        assert (await client.get(url, headers=headers)).status_code == status


async def test_what_comes_in_and_what_is_refused_is_seen(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await send(client, tenant, 1)
    assert (await health_of(client, tenant))["last_trace_seen_at"] is not None
    kind = {"Content-Type": "application/json"}
    refused = await client.post("/otel/v1/traces", content=b"{", headers=tenant.key_headers | kind)
    assert refused.status_code == 400
    health = await health_of(client, tenant)
    assert (health["status"], health["reasons"]) == ("attention", ["ingestion_errors"])
    assert sum(health["ingestion_errors"].values()) == 1
    async with database.transaction(tenant.access) as session:
        mine = TraceIngestion.workspace_id == tenant.workspace_id
        days_ago = utc_now() - timedelta(days=2)
        aged = sa.update(TraceIngestion).where(mine).values(minute=days_ago, last_seen_at=days_ago)
        await session.execute(aged)
    silent = await health_of(client, tenant)
    assert (silent["reasons"], silent["ingestion_errors"]) == (["no_recent_traces"], {})


async def test_the_connection_says_whether_traces_come_and_with_which_key(
    client: httpx.AsyncClient, tenant: Tenant, settings: Settings
) -> None:
    await send(client, tenant, 1)
    connection = (await health_of(client, tenant))["connection"]
    assert connection["status"] == "receiving"
    assert connection["first_seen_at"] <= connection["last_seen_at"]
    await client.delete(f"{tenant.url}/keys/{tenant.key_id}", headers=tenant.client_headers)
    await client.post(
        f"{tenant.url}/keys", json={"name": "reads", "scopes": ["read:agents"]}, headers=tenant.client_headers
    )
    # No key may send: nothing that opens anything is shown in its place.
    assert (await health_of(client, tenant))["connection"]["environment"] == environment_of(settings.address)


async def test_model_calls_without_content_name_the_switch(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    await send(client, tenant, 1)
    content = {
        "opentelemetry.instrumentation.openai_v2": [9, 9],
        "openinference.instrumentation.openai": [100, 3],
        "pydantic-ai": [4, -2],
        "our.own": [2, 1],
    }
    async with database.transaction(tenant.access) as session:
        mine = TraceIngestion.workspace_id == tenant.workspace_id
        await session.execute(sa.update(TraceIngestion).where(mine).values(content=content))
    health = await health_of(client, tenant)
    assert (health["status"], health["reasons"]) == ("attention", ["missing_content"])
    known, other = health["missing_content"]
    assert (known["scope"], known["instrumentation"]) == (
        "opentelemetry.instrumentation.openai_v2",
        "OpenTelemetry GenAI",
    )
    assert (known["model_calls"], known["without_content"]) == (9, 9)
    assert known["environment"] == GEN_AI_CONTENT
    assert (other["scope"], other["instrumentation"], other["environment"]) == ("our.own", "unknown", {})
    assert other["hint"]
    async with database.transaction(tenant.access) as session:
        days_ago = utc_now() - timedelta(days=2)
        await session.execute(sa.update(TraceIngestion).where(mine).values(minute=days_ago))
    assert (await health_of(client, tenant))["missing_content"] == []


async def test_a_workspace_full_of_observed_agents_says_so(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    access = WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, "test")
    async with database.transaction(access) as session:
        for number in range(1_000):
            row = Agent(name=f"agent {number}", runtime="observed", origin="observed", created_by="test")
            row.workspace_id = tenant.workspace_id
            session.add(row)
    health = await health_of(client, tenant)
    assert (health["reasons"], health["observed_agents"]) == (
        ["observed_agents_limit"],
        {"count": 1000, "limit": 1000},
    )


async def test_failed_scans_stale_holdouts_and_staff_are_told(client: httpx.AsyncClient, database: Database) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    calm = await health_of(client, world.tenant)
    assert (calm["failing_scans"], calm["stale_holdouts"], calm["open_support_grants"]) == ([], [], 1)
    await fail_scan(database, world)
    failing = await health_of(client, world.tenant)
    assert [(scan["scan_id"], scan["type"]) for scan in failing["failing_scans"]] == [
        (world.ids["scan_id"], "provider-failed")
    ]
    await client.delete(f"{world.tenant.url}/support-grants/{world.ids['grant_id']}", headers=world.headers)
    async with database.transaction(world.tenant.access) as session:
        mine = HoldoutLedger.workspace_id == world.tenant.workspace_id
        await session.execute(sa.update(HoldoutLedger).where(mine).values(looks_taken=3))
    exhausted = await health_of(client, world.tenant)
    (stale,) = exhausted["stale_holdouts"]
    assert (stale["holdout_id"], stale["reason"]) == (world.ids["holdout_id"], "exhausted")
    assert exhausted["open_support_grants"] == 0
    async with database.transaction(world.tenant.access) as session:
        service = SampleService(session, world.tenant.access)
        await service.retire_holdout(UUID(world.ids["holdout_id"]), "spent")
    retired = await health_of(client, world.tenant)
    assert [found["reason"] for found in retired["stale_holdouts"]] == ["retired"]
    assert {"failing_scans", "stale_holdouts"} <= set(retired["reasons"])


async def test_a_schedule_whose_last_scan_was_refused_is_told_until_one_starts(
    client: httpx.AsyncClient, database: Database
) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    schedule_id, due = UUID(world.ids["schedule_id"]), utc_now()
    problem = {"type": "not-ready", "title": "Not Ready", "detail": "there is no holdout"}

    async def fire(outcome: str, hours: int) -> None:
        async with database.transaction(world.tenant.access) as session:
            scan_id = UUID(world.ids["scan_id"]) if outcome == "started" else None
            told = problem if outcome == "refused" else None
            at = due + timedelta(hours=hours)
            owned = {"workspace_id": world.tenant.workspace_id, "schedule_id": schedule_id}
            session.add(ScanFiring(**owned, due_at=at, outcome=outcome, scan_id=scan_id, problem=told))

    async def refused() -> list[dict[str, Any]]:
        health = await health_of(client, world.tenant)
        assert ("refused_schedules" in health["reasons"]) is bool(health["refused_schedules"])
        found: list[dict[str, Any]] = health["refused_schedules"]
        return found

    await fire("refused", 0)
    await fire("refused", 1)
    (told,) = await refused()
    assert (told["schedule_id"], told["name"]) == (world.ids["schedule_id"], world.marker)
    assert {name: told[name] for name in problem} == problem
    await fire("started", 2)
    assert await refused() == []
    await fire("refused", 3)
    assert len(await refused()) == 1
    path = f"{world.tenant.url}/scans/schedules/{schedule_id}"
    assert (await client.patch(path, json={"enabled": False}, headers=world.headers)).status_code == 200
    assert await refused() == []


async def fail_scan(database: Database, world: World) -> None:
    async with database.transaction(world.tenant.access) as session:
        mine = (Scan.workspace_id == world.tenant.workspace_id, Scan.id == UUID(world.ids["scan_id"]))
        failure = {"type": "provider-failed", "detail": "it was away"}
        await session.execute(
            sa.update(Scan).where(*mine).values(status="failed", finished_at=utc_now(), failure=failure)
        )
