"""Operations staff see models and engine; nobody else does, and they see no workspace."""

import httpx

from spectral.domains.accounts.service import AccountService
from spectral.platform.db.session import Database
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
    for query in ("limit=0", "limit=101", "offset=-1"):
        response = await client.get(f"/api/v1/operations/model-config?{query}", headers=staff)
        assert response.status_code == 422, query
    assert (await client.get(f"{tenant.url}/agents", headers=staff)).status_code == 404


async def test_the_catalogue_says_what_each_model_is(client: httpx.AsyncClient, identity: Database) -> None:
    staff = await sign_in_as_staff(client, identity)
    listed = (await client.get("/api/v1/operations/model-config", headers=staff)).json()
    local = {model["name"]: model for model in listed["results"] if model["provider"] == "spectral-local"}
    assert sorted(local) == ["spectral-local/large", "spectral-local/small"]
    for model in local.values():
        assert model["priced"] is True
        assert model["deterministic"] is True
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
