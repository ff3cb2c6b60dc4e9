"""Templates recovered over HTTP: from traces to a stored config version, and what is refused."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.models import Agent
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

CITIES = ["Aachen", "Bern", "Cork", "Dover", "Essen", "Faro"]
WISHES = ["sun", "much snow", "lakes", "old towns", "good food", "quiet"]
SYSTEM = "You plan trips to {}. Answer briefly."


def span(number: int, system: str, user: str, **more: str) -> dict[str, Any]:
    messages = [
        {"role": "system", "parts": [{"type": "text", "content": system}]},
        {"role": "user", "parts": [{"type": "text", "content": user}]},
    ]
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.input.messages": json.dumps(messages),
        "spectral.agent.id": "planner",
        **more,
    }
    return {
        "traceId": f"{number + 1:032x}",
        "spanId": f"{number + 1:016x}",
        "name": "chat",
        "kind": 3,
        "startTimeUnixNano": str(1795000000000000000 + number),
        "endTimeUnixNano": str(1795000000250000000 + number),
        "attributes": [{"key": key, "value": {"stringValue": value}} for key, value in attributes.items()],
    }


class Planner:
    """An agent that is only known by its traces."""

    def __init__(self, client: httpx.AsyncClient, database: Database, tenant: Tenant) -> None:
        self.client = client
        self.database = database
        self.tenant = tenant
        self.agent_id = ""

    async def send(self, spans: list[dict[str, Any]]) -> None:
        document = {"resourceSpans": [{"scopeSpans": [{"scope": {"name": "tests"}, "spans": spans}]}]}
        headers = {**self.tenant.client_headers, "X-Workspace-Id": str(self.tenant.workspace_id)}
        answer = await self.client.post("/otel/v1/traces", json=document, headers=headers)
        assert answer.is_success, answer.text

    async def observe(self) -> None:
        """Six trips, each with a question of its own."""
        await self.send(
            [
                span(number, SYSTEM.format(city), f"Days: {number + 2}\nFrom: {city}\nWish: {WISHES[number]} and rest")
                for number, city in enumerate(CITIES)
            ]
        )
        answer = await self.client.get(f"{self.tenant.url}/agents?name=planner", headers=self.tenant.client_headers)
        found = answer.json()["results"]
        if not found:
            made = await self.client.post(
                f"{self.tenant.url}/agents", json={"name": "planner"}, headers=self.tenant.client_headers
            )
            assert made.is_success, made.text
            found = [made.json()]
            async with self.database.transaction(self.tenant.access) as session:
                mine = (Agent.workspace_id == self.tenant.workspace_id, Agent.id == UUID(found[0]["id"]))
                await session.execute(sa.update(Agent).where(*mine).values(runtime="observed"))
        self.agent_id = found[0]["id"]

    async def infer(self, body: Mapping[str, Any], agent_id: str | None = None) -> httpx.Response:
        address = f"{self.tenant.url}/agents/{agent_id or self.agent_id}/infer-template"
        return await self.client.post(address, json=dict(body), headers=self.tenant.client_headers)


@pytest.fixture
async def planner(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Planner:
    made = Planner(client, database, tenant)
    await made.observe()
    return made


async def test_a_template_is_recovered_and_stored_for_a_replica(planner: Planner) -> None:
    answer = await planner.infer({})
    assert answer.status_code == 200, answer.text
    found = answer.json()
    assert found["messages"] == [
        {"role": "system", "content": "You plan trips to {{from}}. Answer briefly."},
        {"role": "user", "content": "Days: {{days}}\nFrom: {{from}}\nWish: {{wish}} and rest"},
    ]
    assert found["variables"] == ["from", "days", "wish"]
    assert (found["coverage"], found["prompts"], found["unreadable"]) == (1.0, 6, 0)
    assert (found["model"], found["stored_version"]) == ("openai/gpt-4o-mini", None)

    await planner.send([span(50, "Something else.", "x"), span(51, SYSTEM.format("Graz"), "no such shape")])
    ids = [f"{number + 1:032x}" for number in (*range(6), 50, 51)]
    stored = await planner.infer({"trace_ids": ids, "store": True, "model": "spectral-local/small"})
    assert stored.status_code == 200, stored.text
    assert stored.json()["stored_version"] == 1
    assert stored.json()["coverage"] == 0.75
    url = f"{planner.tenant.url}/agents/{planner.agent_id}"
    headers = planner.tenant.client_headers
    config = (await planner.client.get(f"{url}/configs/1", headers=headers)).json()
    assert config["origin"] == "inferred"
    assert config["config"]["prompts"]["main"]["variables"] == ["from", "days", "wish"]
    assert [knob["kind"] for knob in config["config"]["search_space"]] == ["text", "text"]
    agent = (await planner.client.get(url, headers=headers)).json()
    assert (agent["runtime"], agent["runtime_settings"]["replica"]) == ("prompt", True)
    again = await planner.infer({"trace_ids": ids, "store": True, "model": "spectral-local/small"})
    assert again.json()["stored_version"] == 1, "the same template is the same version"


async def test_what_cannot_be_recovered_is_a_clear_problem(
    planner: Planner, client: httpx.AsyncClient, other_tenant: Tenant
) -> None:
    few = await planner.infer({"trace_ids": ["0" * 31 + "1"] * 3})
    assert (few.status_code, few.json()["found"], few.json()["needed"]) == (400, 1, 3)
    unknown = await planner.infer({"trace_ids": ["f" * 32, "e" * 32, "d" * 32]})
    assert unknown.status_code == 404
    assert (await planner.infer({"scan_id": str(uuid4())})).status_code == 404
    assert (await planner.infer({}, agent_id=str(uuid4()))).status_code == 404
    both = await planner.infer({"scan_id": str(uuid4()), "trace_ids": ["0" * 31 + "1"] * 3})
    assert both.status_code == 422
    assert (await planner.infer({"trace_ids": ["xyz"] * 3})).status_code == 422
    stranger = await client.post(
        f"{planner.tenant.url}/agents/{planner.agent_id}/infer-template", json={}, headers=other_tenant.client_headers
    )
    assert stranger.status_code in {403, 404}
