"""Over HTTP: an agent is given a runtime, its settings and a secret, and every change can be asked about later."""

import httpx

from tests.domains.agents.test_invocation import CONFIG
from tests.fixtures.tenants import Tenant


async def test_an_agent_gets_a_runtime_its_settings_and_a_secret(client: httpx.AsyncClient, tenant: Tenant) -> None:
    url, headers = f"{tenant.url}/agents", tenant.client_headers

    async def send(method: str, path: str, body: object = None, **more: str) -> httpx.Response:
        return await client.request(method, url + path, json=body, headers=headers | more)

    for body, pointer in (
        ({"name": "A", "runtime": "lambda"}, "/runtime"),
        ({"name": "A", "runtime": "http"}, "/runtime_settings/url"),
        ({"name": "A", "runtime_settings": {"lease_s": 1}}, "/runtime_settings/lease_s"),
    ):
        refused = await send("POST", "", body)
        assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, pointer)
    settings = {"url": "https://agent.example/run", "max_cost_usd": "0.02"}
    made = await send("POST", "", {"name": "A", "runtime": "http", "runtime_settings": settings, "config": CONFIG})
    assert made.status_code == 201, made.text
    agent = made.json()
    stored = {"timeout_s": 60.0, "in_flight": 8, "side_effects": None, **settings}
    assert (agent["runtime"], agent["runtime_settings"], agent["has_secret"]) == ("http", stored, False)
    path = f"/{agent['id']}"

    # Who executes it is told what is missing, one thing after the other.
    for said, needed in (({}, "side_effects"), ({"side_effects": "sandboxed"}, "runtime-secret")):
        assert (await send("PATCH", path, {"runtime_settings": settings | said})).status_code == 200
        invoked = await send("POST", f"{path}/invoke", {"input": {"text": "x"}})
        assert (invoked.status_code, needed in invoked.json()["detail"]) == (400, True)

    secret = (await send("POST", f"{path}/runtime-secret", {})).json()["secret"]
    assert secret.startswith("whsec_")
    own = "whsec_" + "A" * 40
    assert (await send("POST", f"{path}/runtime-secret", {"secret": own})).json() == {"secret": own}
    assert (await send("POST", f"{path}/runtime-secret", {"secret": "whsec_" + "A" * 33})).status_code == 422
    with_key = await send("POST", f"{path}/runtime-secret", {}, **{"Idempotency-Key": "k"})
    assert with_key.status_code == 400
    shown = await send("GET", path)
    assert (shown.json()["has_secret"], own in shown.text) == (True, False)

    # Another runtime begins with its own defaults, and nothing is posted to it.
    moved = await send("PATCH", path, {"runtime": "runner", "runtime_settings": {"side_effects": "none"}})
    assert moved.json()["runtime_settings"] == {
        "in_flight": 64,
        "lease_s": 60.0,
        "timeout_s": 900.0,
        "max_attempts": 3,
        "max_cost_usd": None,
        "side_effects": "none",
    }
    assert (await send("POST", f"{path}/runtime-secret", {})).status_code == 400
    assert (await send("PATCH", path, {"runtime": "http"})).status_code == 422
    assert (await send("PATCH", path, {"runtime_settings": None})).status_code == 422
    assert (await send("GET", path)).json() == moved.json()

    entries = (
        await client.get(
            "/api/v1/account/audit-log", headers=headers, params={"workspace_id": str(tenant.workspace_id)}
        )
    ).json()
    actions = [entry["action"] for entry in entries["results"] if entry["subject"] == f"agent:{agent['id']}"]
    assert actions.count("agent.runtime_secret_set") == 2
    assert own not in str(entries)
    assert actions.count("agent.updated") == 2
