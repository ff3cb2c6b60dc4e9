"""The playground: one run, kept, marked, outside of any transaction."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import httpx
import pytest

from spectral.domains.agents.invocation import Choice, InvocationService
from spectral.domains.agents.service import AgentService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import NotFoundError
from tests.domains.agents.executing import runtimes_of
from tests.fixtures.tenants import Tenant

CONFIG: dict[str, Any] = {
    "prompts": {
        "main": {
            "messages": [
                {"role": "system", "content": "Sort the ticket into one of: billing, login."},
                {"role": "user", "content": "Ticket: {{text}}\nIntent:"},
            ]
        }
    },
    "model": "spectral-local/small",
    "few_shot": [
        {"input": {"text": "I was charged twice on my invoice"}, "output": "billing"},
        {"input": {"text": "My password is not accepted at sign in"}, "output": "login"},
    ],
}


@pytest.fixture
async def url(client: httpx.AsyncClient, tenant: Tenant) -> str:
    """An agent with two versions, the first live in production, the second in staging."""
    headers = tenant.client_headers
    created = await client.post(f"{tenant.url}/agents", json={"name": "Sorter", "config": CONFIG}, headers=headers)
    url = created.headers["Location"]
    swapped = [{**each, "output": "other"} for each in CONFIG["few_shot"]]
    await client.post(f"{url}/configs", json={"config": {**CONFIG, "few_shot": swapped}}, headers=headers)
    await client.post(f"{url}/promote", json={"version": 2, "environment": "staging"}, headers=headers)
    return url


async def invoke(client: httpx.AsyncClient, tenant: Tenant, url: str, **body: Any) -> dict[str, Any]:
    response = await client.post(f"{url}/invoke", json=body, headers=tenant.client_headers)
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


async def test_a_run_says_what_it_answered_and_what_it_took(
    client: httpx.AsyncClient, tenant: Tenant, url: str
) -> None:
    run = await invoke(client, tenant, url, input={"text": "why was my card charged on this invoice"}, seed=5)
    assert run["output"] == "billing"
    assert run["error"] is None
    assert (run["version"], run["model"], run["mode"], run["seed"]) == (1, "spectral-local/small", "playground", 5)
    assert run["input_tokens"] > 0
    assert run["output_tokens"] > 0
    assert run["cost_usd"] == "0"
    assert run["latency_ms"] >= 0
    assert run["actor"] == f"user:{tenant.user_id}"
    listed = await client.get(f"{url}/invocations", headers=tenant.client_headers)
    assert listed.json()["results"] == [run]


async def test_the_caller_chooses_what_runs(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    text = {"text": "my password is not accepted"}
    assert (await invoke(client, tenant, url, input=text))["output"] == "login"
    assert (await invoke(client, tenant, url, input=text, version=2))["output"] == "other"
    assert (await invoke(client, tenant, url, input=text, environment="staging"))["version"] == 2
    draft = await invoke(
        client, tenant, url, input=text, config={**CONFIG, "model": "spectral-local/large", "custom": {"draft": 1}}
    )
    assert (draft["version"], draft["model"]) == (None, "spectral-local/large")
    listed = await client.get(f"{url}/configs", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 2
    runs = (await client.get(f"{url}/invocations?limit=2", headers=tenant.client_headers)).json()
    assert [run["version"] for run in runs["results"]] == [None, 2]
    assert runs["pagination"]["total"] == 4


async def test_the_same_run_answers_the_same(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    hot = {**CONFIG, "parameters": {"temperature": 1.0}}
    runs = [await invoke(client, tenant, url, input="charged password", config=hot, seed=3) for _ in range(2)]
    assert runs[0]["output"] == runs[1]["output"]
    assert runs[0]["id"] != runs[1]["id"]


async def test_any_json_is_an_input_and_comes_back(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    values: list[Any] = [None, 5, "text", True, [1, 2], {"text": None}, {"text": ["a"], "more": {"x": 1}}]
    runs = [await invoke(client, tenant, url, input=value) for value in values]
    assert [run["input"] for run in runs] == values
    listed = await client.get(f"{url}/invocations", headers=tenant.client_headers)
    assert listed.json()["results"] == runs[::-1]


REFUSED: list[tuple[dict[str, Any], int, str | None]] = [
    ({}, 422, "/input"),
    ({"input": {"body": "no text"}}, 422, "/input/text"),
    ({"input": "x", "version": 1, "environment": "staging"}, 422, ""),
    ({"input": "x", "seed": -1}, 422, "/seed"),
    ({"input": "x", "config": {"model": "m"}}, 422, "/config/prompts"),
    ({"input": "x", "version": 3}, 404, None),
    ({"input": "x", "environment": "nowhere"}, 404, None),
    ({"input": "x", "config": {**CONFIG, "model": "gpt-unknown"}}, 400, None),
]


async def test_what_cannot_run_is_refused_and_not_kept(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    for body, status, pointer in REFUSED:
        response = await client.post(f"{url}/invoke", json=body, headers=tenant.client_headers)
        assert response.status_code == status, (body, response.text)
        if pointer is not None:
            assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    listed = await client.get(f"{url}/invocations", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 0


async def test_a_run_that_the_model_refuses_is_kept_with_its_error(
    client: httpx.AsyncClient, tenant: Tenant, url: str
) -> None:
    run = await invoke(client, tenant, url, input="x", config={**CONFIG, "parameters": {"temperature": "hot"}})
    assert run["output"] is None
    assert run["error"]["type"] == "invalid_request"
    listed = await client.get(f"{url}/invocations", headers=tenant.client_headers)
    assert listed.json()["results"] == [run]


class DeletesTheAgent:
    """A model during whose answer the agent is deleted, in a write transaction of somebody else."""

    name = "spectral-local"

    def __init__(self, database: Database, access: WorkspaceAccess, agent_id: UUID) -> None:
        self.database, self.access, self.agent_id = database, access, agent_id

    def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("spectral-local/small", self.name, "deletes", priced=True, deterministic=True)]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        async with self.database.transaction(self.access) as session:
            await AgentService(session, self.access).delete_agent(self.agent_id)
        return [ModelReply("done", 1, 1, 0, 0.1) for _ in requests]


async def test_no_transaction_is_open_while_the_model_thinks(
    database: Database, client: httpx.AsyncClient, tenant: Tenant, url: str
) -> None:
    agent_id = UUID(url.rpartition("/")[2])
    door = ModelDoor([DeletesTheAgent(database, tenant.access, agent_id)])
    with pytest.raises(NotFoundError):
        await InvocationService(database, tenant.access, runtimes_of(door)).invoke(agent_id, "x", Choice())
    assert (await client.get(f"{url}/invocations", headers=tenant.client_headers)).status_code == 404
