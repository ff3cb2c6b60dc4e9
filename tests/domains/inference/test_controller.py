"""A workspace's own keys, the calls that they pay for, and what those cost, through the API."""

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.inference import service
from spectral.domains.inference.models import CREDENTIAL_PURPOSE, ProviderCredential
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import EmbeddingRequest, ModelMessage, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from tests.fixtures.model_stub import ModelStub, model_stub
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant

KEY = "sk-abcdefghijklmnop-1234"
GPT = "openai/gpt-4o-mini"


@pytest.fixture
def stub() -> Iterator[ModelStub]:
    with model_stub() as running:
        yield running


async def add(client: httpx.AsyncClient, tenant: Tenant, **body: Any) -> httpx.Response:
    given = {"name": "Ours", "provider": "openai", "api_key": KEY, **body}
    return await client.post(f"{tenant.url}/models/credentials", json=given, headers=tenant.client_headers)


async def stored(app: Litestar) -> None:
    """What was called is in the table."""
    await app.state["door"]._remote._calls.flush()


async def test_a_workspace_brings_its_keys_calls_models_and_sees_what_it_cost(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, stub: ModelStub
) -> None:
    url, headers = f"{tenant.url}/models", tenant.client_headers
    config = {"prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}, "model": GPT}
    agent = await client.post(f"{tenant.url}/agents", json={"name": "a", "config": config}, headers=headers)
    invoke = f"{agent.headers['Location']}/invoke"
    without = (await client.post(invoke, json={"input": "hello"}, headers=headers)).json()
    assert "no credential for openai" in str(without["error"])

    made = await add(client, tenant, base_url=stub.openai_url)
    await add(client, tenant, name="mine", provider="openai_compatible", base_url=stub.openai_url)
    assert (made.status_code, made.json()["last_four"], made.json()["prefix"]) == (201, "1234", "openai")
    said = (await client.post(invoke, json={"input": "hello"}, headers=headers)).json()
    assert (said["output"], said["cost_usd"]) == ("HELLO", "0.0000036")

    door: ModelDoor = app.state["door"]
    stub.fail(500)
    asked = [
        ModelRequest(model, [ModelMessage("user", "x")], access=tenant.access, purpose="judge", subject="scan:7")
        for model in (GPT, "mine/llama")
    ]
    await door.complete_many(asked)
    await door.embed([EmbeddingRequest("openai/text-embedding-3-small", ["a"], tenant.access, "scan:7")])
    await stored(app)

    calls = (await client.get(f"{url}/calls", params={"limit": 3}, headers=headers)).json()
    assert calls["pagination"]["total"] == 4
    (first,) = (await client.get(f"{url}/calls", params={"purpose": "agent"}, headers=headers)).json()["results"]
    assert (first["model"], first["input_tokens"], first["cost_usd"]) == (GPT, 12, "0.0000036")
    rest = await client.get(f"{url}/calls", params={"cursor": calls["pagination"]["next_cursor"]}, headers=headers)
    assert [call["id"] for call in rest.json()["results"]] == [first["id"]]
    failed = (await client.get(f"{url}/calls", params={"failed": "true"}, headers=headers)).json()["results"]
    assert [(call["model"], call["error_type"], call["cost_usd"]) for call in failed] == [(GPT, "http_500", "0")]
    usage = (await client.get(f"{url}/usage", params={"subject": "scan:7"}, headers=headers)).json()["results"]
    assert {
        (one["model"], one["purpose"]): (one["calls"], one["cost_usd"], one["unpriced_calls"]) for one in usage
    } == {
        ("openai/text-embedding-3-small", "embedding"): (1, "0.00000014", 0),
        (GPT, "judge"): (1, "0", 0),
        ("mine/llama", "judge"): (1, "0", 1),
    }
    listed: dict[str, dict[str, Any]] = {}
    for offset in (0, 100, 200):
        page = await client.get(url, params={"limit": 100, "offset": offset}, headers=headers)
        listed |= {model["name"]: model for model in page.json()["results"]}
    assert (listed[GPT]["input_price_usd"], listed[GPT]["output_price_usd"], listed[GPT]["callable"]) == (
        "0.15",
        "0.6",
        True,
    )
    assert (listed["mine/llama"]["priced"], listed["mine/llama"]["callable"]) == (False, True)
    assert not listed["anthropic/claude-haiku-4-5"]["callable"]
    assert listed["spectral-local/small"]["input_price_usd"] == "0"
    assert listed["spectral-local-embedding"]["embeddings_only"]

    # Nobody else sees or uses any of it.
    theirs = f"{other_tenant.url}/models"
    for path in ("/credentials", "/calls", "/usage"):
        empty = await client.get(f"{theirs}{path}", headers=other_tenant.client_headers)
        assert empty.json()["results"] == []
    mine = await client.get(theirs, params={"provider": "mine"}, headers=other_tenant.client_headers)
    assert mine.json()["results"] == []
    assert await door.missing_credentials(other_tenant.access, [GPT]) == ["openai"]


async def test_a_credential_is_sealed_changed_checked_audited_and_deleted(
    app: Litestar,
    client: httpx.AsyncClient,
    database: Database,
    settings: Settings,
    tenant: Tenant,
    other_tenant: Tenant,
    stub: ModelStub,
) -> None:
    url, headers = f"{tenant.url}/models/credentials", tenant.client_headers
    answers = [await add(client, tenant, name="mine", provider="openai_compatible", base_url=f"{stub.openai_url}/")]
    place = answers[0].headers["Location"]
    async with database.transaction(tenant.access, read_only=True) as session:
        (sealed,) = (await session.scalars(sa.select(ProviderCredential.api_key))).all()
    assert KEY not in sealed
    assert SecretBox(settings.secrets, CREDENTIAL_PURPOSE).open(sealed) == KEY

    ok = await client.post(f"{place}/check", headers=headers)
    assert (ok.status_code, ok.json()["ok"], ok.json()["models"]) == (200, True, ["llama", "mistral"])
    called = await client.post(f"{place}/check", json={"model": "llama"}, headers=headers)
    assert (called.json()["ok"], called.json()["cost_usd"]) == (True, None)
    stub.fail(401, f"wrong key {KEY}")
    answers.append(await client.post(f"{place}/check", json={"model": "llama"}, headers=headers))
    assert (answers[-1].json()["ok"], answers[-1].json()["error"]) == (False, "the provider answered 401: wrong key …")
    answers.append(await client.get(place, headers=headers))
    assert answers[-1].json()["check_error"] == "the provider answered 401: wrong key …"

    moved = {"base_url": "http://127.0.0.1:9/v1"}
    refused = await client.patch(place, json=moved, headers=headers)
    assert (refused.status_code, refused.json()["errors"][0]["pointer"]) == (422, "/api_key")
    answers.append(await client.patch(place, json={**moved, "api_key": "sk-another-key-5678"}, headers=headers))
    assert (answers[-1].json()["last_four"], answers[-1].json()["checked_at"]) == ("5678", None)
    away = (await client.post(f"{place}/check", headers=headers)).json()
    assert (away["ok"], away["error"]) == (False, "the provider cannot be reached")
    answers.append(await client.get(url, headers=headers))
    assert [one["name"] for one in answers[-1].json()["results"]] == ["mine"]

    theirs = place.replace(str(tenant.workspace_id), str(other_tenant.workspace_id))
    for method, path in (("GET", theirs), ("PATCH", theirs), ("DELETE", theirs), ("POST", f"{theirs}/check")):
        stranger = await client.request(method, path, json={}, headers=other_tenant.client_headers)
        assert stranger.status_code == 404, (method, stranger.text)
    assert (await client.delete(place, headers=headers)).status_code == 204
    assert (await client.delete(place, headers=headers)).status_code == 404
    assert await app.state["door"].missing_credentials(tenant.access, ["mine/llama"]) == ["mine"]
    log = await client.get("/api/v1/account/audit-log", params={"action": "provider_credential."}, headers=headers)
    assert [entry["action"] for entry in log.json()["results"]] == [
        "provider_credential.deleted",
        "provider_credential.changed",
        "provider_credential.created",
    ]
    assert not [answer.text for answer in (*answers, log) if KEY in answer.text or "sk-another" in answer.text]


@pytest.mark.databases("sqlite")
async def test_what_cannot_be_a_credential_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    own: dict[str, Any] = {"provider": "openai_compatible", "base_url": "https://models.example.com/v1"}
    for body, pointer in (
        ({"name": "Not A Prefix", **own}, "/name"),
        ({"name": "openai", **own}, "/name"),
        ({"name": "spectral-local", **own}, "/name"),
        ({"name": "", **own}, "/name"),
        ({"name": "x" * 65}, "/name"),
        ({"provider": "azure"}, "/provider"),
        ({"name": "mine", "provider": "openai_compatible"}, ""),
        ({"base_url": "ftp://models.example.com"}, "/base_url"),
        ({"base_url": "https://user:pass@models.example.com"}, "/base_url"),
        ({"base_url": "https://models.example.com/?a=b"}, "/base_url"),
        ({"base_url": "https://"}, "/base_url"),
        ({"api_key": ""}, "/api_key"),
        ({"api_key": "two\nlines"}, "/api_key"),
    ):
        refused = await add(client, tenant, **body)
        assert refused.status_code == 422, body
        assert refused.json()["errors"][0]["pointer"] == pointer, refused.text
        assert KEY not in refused.text
    assert (await add(client, tenant)).status_code == 201
    for again in ({"name": "Another"}, {"provider": "anthropic"}):
        taken = await add(client, tenant, **again)
        assert (taken.status_code, taken.json()["type"].rsplit("/", 1)[-1]) == (409, "credential-exists")
    monkeypatch.setattr(service, "MAXIMUM_CREDENTIALS", 1)
    assert (await add(client, tenant, name="b", provider="anthropic")).status_code == 400
    colleague = await join(client, tenant, "colleague", "member", "contributor")
    url = f"{tenant.url}/models/credentials"
    assert (await client.get(url, headers=colleague.headers)).status_code == 403
    assert (await client.get(f"{tenant.url}/models/calls", headers=colleague.headers)).status_code == 200
    assert (await client.get(f"{url}/{uuid4()}", headers=tenant.client_headers)).status_code == 404
    bad = await client.get(f"{tenant.url}/models/calls", params={"since": "soon"}, headers=tenant.client_headers)
    assert bad.status_code == 422
