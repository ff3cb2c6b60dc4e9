"""Operations staff see models and engine; nobody else does, and they see no workspace."""

from collections.abc import Callable

import httpx
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.accounts.service import AccountService
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import PASSWORD, Tenant

ROUTES = ("model-health", "model-config", "engine")


async def sign_in_as_staff(client: httpx.AsyncClient, identity: Database) -> dict[str, str]:
    body = {"email": "staff@example.com", "password": PASSWORD, "tenant_name": "Staff"}
    registered = await client.post("/api/v1/auth/register", json=body)
    async with identity.transaction() as session:
        await AccountService(session).promote_to_operations(body["email"])
    return {"Authorization": f"Bearer {registered.json()['access_token']}"}


async def test_only_operations_staff_may_look(client: httpx.AsyncClient, tenant: Tenant, identity: Database) -> None:
    staff = await sign_in_as_staff(client, identity)
    for route in ROUTES:
        url = f"/api/v1/operations/{route}"
        assert (await client.get(url)).status_code == 401, route
        assert (await client.get(url, headers=tenant.client_headers)).status_code == 403, route
        assert (await client.get(url, headers=tenant.key_headers)).status_code == 403, route
        assert (await client.get(url, headers=staff)).status_code == 200, route
        assert (await client.post(url, headers=staff)).status_code == 405, route
    for method, path in (("PUT", "model-config/openai/gpt-4o"), ("POST", "model-health/check")):
        refused = await client.request(method, f"/api/v1/operations/{path}", json={}, headers=tenant.client_headers)
        assert refused.status_code == 403, path
    for query in ("limit=0", "limit=101", "offset=-1"):
        response = await client.get(f"/api/v1/operations/model-config?{query}", headers=staff)
        assert response.status_code == 422, query
    assert (await client.get(f"{tenant.url}/agents", headers=staff)).status_code == 404


async def test_the_catalogue_says_what_each_model_is(client: httpx.AsyncClient, identity: Database) -> None:
    staff = await sign_in_as_staff(client, identity)
    listed = (await client.get("/api/v1/operations/model-config", headers=staff)).json()
    local = {model["name"]: model for model in listed["results"] if model["provider"] == "spectral-local"}
    assert sorted(local) == ["spectral-local-embedding", "spectral-local/large", "spectral-local/small"]
    for model in local.values():
        assert model["priced"] is True
        assert model["deterministic"] is True
        assert model["enabled"] is True
        assert "not a language model" in model["label"]
    second = (await client.get("/api/v1/operations/model-config?limit=1&offset=1", headers=staff)).json()
    assert second["results"] == listed["results"][1:2]
    assert second["pagination"] == {"total": len(listed["results"]), "limit": 1, "offset": 1}


async def test_model_health_counts_what_was_called(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    staff = await sign_in_as_staff(client, identity)

    async def health() -> dict[str, dict[str, object]]:
        listed = (await client.get("/api/v1/operations/model-health", headers=staff)).json()
        return {each["model"]: each for each in listed["results"]}

    fresh = (await health())["spectral-local/small"]
    assert (fresh["calls"], fresh["success_rate"], fresh["latency_p50_ms"], fresh["last_error"]) == (
        0,
        None,
        None,
        None,
    )
    config = {
        "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}},
        "model": "spectral-local/small",
        "few_shot": [{"input": "charged twice", "output": "billing"}, {"input": "password", "output": "login"}],
    }
    agent = await client.post(
        f"{tenant.url}/agents", json={"name": "a", "config": config}, headers=tenant.client_headers
    )
    url = f"{agent.headers['Location']}/invoke"
    for body in ({"input": "x"}, {"input": "x", "config": {**config, "parameters": {"temperature": "hot"}}}):
        assert (await client.post(url, json=body, headers=tenant.client_headers)).status_code == 200
    seen = await health()
    small = seen["spectral-local/small"]
    assert (small["calls"], small["failures"], small["success_rate"]) == (2, 1, 0.5)
    assert isinstance(small["latency_p95_ms"], float)
    assert small["last_error"] is not None
    assert seen["spectral-local/large"]["calls"] == 0


async def test_the_engine_says_that_nobody_executes(client: httpx.AsyncClient, identity: Database) -> None:
    staff = await sign_in_as_staff(client, identity)
    engine = (await client.get("/api/v1/operations/engine", headers=staff)).json()
    assert (engine["status"], engine["executing"], engine["executors"]) == ("degraded", False, 0)
    assert (engine["queued"], engine["running"], engine["oldest_queued_s"]) == (0, 0, None)


async def test_the_engine_says_that_this_process_executes(engine_client: httpx.AsyncClient, identity: Database) -> None:
    staff = await sign_in_as_staff(engine_client, identity)
    engine = (await engine_client.get("/api/v1/operations/engine", headers=staff)).json()
    assert (engine["status"], engine["executing"], engine["executors"]) == ("ok", True, 1)


async def test_staff_sets_tier_and_price_and_switches_models_off(
    client: httpx.AsyncClient,
    tenant: Tenant,
    identity: Database,
    create_app: Callable[[Settings], Litestar],
    settings: Settings,
) -> None:
    staff = await sign_in_as_staff(client, identity)
    url = "/api/v1/operations/model-config"
    wanted = {"tier": "premium", "input_price_usd": "2.5", "output_price_usd": 10, "enabled": True}
    untouched = (await client.get(f"{url}/openai/gpt-4o", headers=staff)).json()
    assert (untouched["priced"], untouched["input_price_usd"], untouched["updated_by"]) == (True, None, None)
    own = await client.put(f"{url}/mine/llama-3", json=wanted, headers=staff)
    assert own.status_code == 200, own.text
    assert (own.json()["tier"], own.json()["output_price_usd"], own.json()["name"]) == ("premium", "10", "mine/llama-3")
    off = await client.put(f"{url}/spectral-local/small", json={"enabled": False}, headers=staff)
    assert (off.status_code, off.json()["enabled"]) == (200, False)
    assert (await client.put(f"{url}/mine/llama-3", json=wanted, headers=staff)).is_success
    listed = (await client.get(url, headers=staff)).json()
    names = [(model["name"], model["enabled"]) for model in listed["results"]]
    assert names[0] == ("mine/llama-3", True)
    assert ("spectral-local/small", False) in names
    for name, body, status, pointer in (
        ("spectral-local/huge", {}, 404, None),
        ("gpt-4o", {}, 404, None),
        ("openai/" + "x" * 300, {}, 404, None),
        ("openai/gpt-4o", {"input_price_usd": "1"}, 422, "/output_price_usd"),
        ("openai/gpt-4o", {"tier": "gold"}, 422, "/tier"),
        ("openai/gpt-4o", {"input_price_usd": "-1", "output_price_usd": "1"}, 422, "/input_price_usd"),
    ):
        refused = await client.put(f"{url}/{name}", json=body, headers=staff)
        assert refused.status_code == status, refused.text
        assert pointer is None or refused.json()["errors"][0]["pointer"] == pointer, refused.text
    async with identity.transaction(read_only=True) as session:
        noted = sa.select(AuditEntry.detail).where(AuditEntry.action == "model_config.set")
        details = (await session.scalars(noted.order_by(AuditEntry.created_at, AuditEntry.id))).all()
    assert [detail["model"] for detail in details] == ["mine/llama-3", "spectral-local/small", "mine/llama-3"]
    assert details[-1]["before"] == details[0]["after"]
    # Another process reads the same; here it has never asked before.
    config = {
        "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}},
        "model": "spectral-local/small",
    }
    agent = await client.post(
        f"{tenant.url}/agents", json={"name": "a", "config": config}, headers=tenant.client_headers
    )
    async with in_process(create_app(settings)) as other:
        for process in (client, other):
            invoked = await process.post(
                f"{agent.headers['Location']}/invoke", json={"input": "x"}, headers=tenant.client_headers
            )
            assert (invoked.status_code, invoked.json()["type"].rsplit("/", 1)[-1]) == (400, "model-disabled")
            shown = await process.get(f"{tenant.url}/models?limit=100", headers=tenant.client_headers)
            assert "spectral-local/small" not in [model["name"] for model in shown.json()["results"]]
            assert "mine/llama-3" not in shown.text, "whose endpoint is not the workspace's is not shown"


async def test_a_check_calls_each_built_in_model_once(client: httpx.AsyncClient, identity: Database) -> None:
    staff = await sign_in_as_staff(client, identity)

    checked = await client.post("/api/v1/operations/model-health/check", headers=staff)

    assert checked.status_code == 200, checked.text
    assert [(one["model"], one["calls"], one["failures"], one["circuit"]) for one in checked.json()["results"]] == [
        ("spectral-local/large", 1, 0, "closed"),
        ("spectral-local/small", 1, 0, "closed"),
    ]
