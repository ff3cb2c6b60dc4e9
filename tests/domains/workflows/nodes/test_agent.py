"""`agent` nodes: which version of which agent does the work, and what becomes of its errors."""

from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes.agent import AgentWork
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult, Usage
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault
from tests.domains.agents.executing import runtimes_of
from tests.domains.workflows.nodes.asking import BROKEN, REFUSED, Scripted, Streaming, left, make_call, said_in
from tests.fixtures.tenants import Tenant

Invoke = Callable[..., Awaitable[tuple[NodeCall, NodeResult]]]


def document(text: str = "Answer {{question}}", model: str = "scripted/one") -> dict[str, Any]:
    return {"prompts": {"main": {"messages": [{"role": "user", "content": text}]}}, "model": model}


async def make_agent(client: httpx.AsyncClient, tenant: Tenant, name: str, *texts: str) -> str:
    config = {"config": document(texts[0])} if texts else {}
    made = await client.post(f"{tenant.url}/agents", json={"name": name, **config}, headers=tenant.client_headers)
    assert made.status_code == 201, made.text
    agent_id: str = made.json()["id"]
    for text in texts[1:]:
        body = {"config": document(text)}
        added = await client.post(f"{tenant.url}/agents/{agent_id}/configs", json=body, headers=tenant.client_headers)
        assert added.status_code == 201, added.text
    return agent_id


async def promote(client: httpx.AsyncClient, tenant: Tenant, agent_id: str, version: int, environment: str) -> None:
    body = {"version": version, "environment": environment}
    done = await client.post(f"{tenant.url}/agents/{agent_id}/promote", json=body, headers=tenant.client_headers)
    assert done.status_code in {200, 201}, done.text


@pytest.fixture
def invoke(database: Database, tenant: Tenant) -> Invoke:
    async def run(scripted: Scripted, params: dict[str, Any], **changes: Any) -> tuple[NodeCall, NodeResult]:
        changes = {"database": database, "access": tenant.access, "inputs": {"question": "why"}, **changes}
        call = make_call(NodeKind.AGENT, params, **changes)
        return call, await AgentWork(scripted.door, runtimes_of(scripted.door))(call)

    return run


async def test_the_version_is_chosen_by_number_environment_or_what_is_live(
    client: httpx.AsyncClient, tenant: Tenant, invoke: Invoke
) -> None:
    agent_id = await make_agent(client, tenant, "support", "One {{question}}", "Two {{question}}", "Three {{question}}")
    await promote(client, tenant, agent_id, 2, "staging")
    scripted = Scripted("a", "b", "c", "d")
    chosen = []
    for params in ({}, {"environment": "staging"}, {"version": 3}, {"input": {"question": "how"}}):
        _call, done = await invoke(scripted, {"agent": "support", **params})
        chosen.append((done.outputs["version"], scripted.asked[-1][0][1], done.outputs["output"]))
    assert chosen == [(1, "One why", "a"), (2, "Two why", "b"), (3, "Three why", "c"), (1, "One how", "d")]
    call, done = await invoke(Scripted("e"), {"agent": agent_id})
    assert done.outputs == {
        "output": "e",
        "agent_id": agent_id,
        "version": 1,
        "model": "scripted/one",
        "usage": {"input_tokens": 1, "output_tokens": 2},
        "cost_usd": "0.0000015",
    }
    assert done.usage == Usage(3, 1500)
    (line,) = said_in(call).logs
    assert (line["data"]["agent_id"], line["data"]["agent_version"]) == (agent_id, "1")


async def test_an_agent_that_cannot_be_run_is_an_error_that_no_retry_changes(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, invoke: Invoke
) -> None:
    await make_agent(client, tenant, "support", "Answer {{question}}")
    await make_agent(client, tenant, "empty")
    theirs = await make_agent(client, other_tenant, "theirs", "Answer {{question}}")
    archived = await make_agent(client, tenant, "old", "Answer {{question}}")
    body = {"archived": True}
    patched = await client.patch(f"{tenant.url}/agents/{archived}", json=body, headers=tenant.client_headers)
    assert patched.status_code == 200, patched.text
    cases: list[tuple[dict[str, Any], str, str]] = [
        ({"agent": "nobody"}, "unknown-agent", "Agent nobody not found"),
        ({"agent": theirs}, "unknown-agent", "not found"),
        ({"agent": {"a": 1}}, "unknown-agent", "not found"),
        ({"agent": "support", "version": 9}, "unknown-agent", "Config version 9"),
        ({"agent": "support", "version": 2**40}, "unknown-agent", "Config version"),
        ({"agent": "support", "environment": "staging"}, "unknown-agent", "environment 'staging'"),
        ({"agent": "support", "version": "1"}, "invalid-params", "version must be"),
        ({"agent": "support", "environment": 1}, "invalid-params", "environment must be"),
        ({"agent": "empty"}, "agent-not-executable", "has no config yet"),
        ({"agent": "old"}, "agent-archived", "old is archived"),
        ({"agent": "support", "input": {"body": "x"}}, "agent-input", "'question'"),
    ]
    scripted = Scripted()
    for params, type, because in cases:
        with pytest.raises(NodeError, match=because) as caught:
            await invoke(scripted, params)
        assert (caught.value.type, caught.value.retryable) == (type, False), params
    assert scripted.requests == []


@pytest.mark.parametrize(
    ("answer", "type", "retryable"),
    [(REFUSED, "model-request", False), (BROKEN, "model-unavailable", True)],
    ids=["refused", "broken"],
)
async def test_faults_of_its_model_say_whether_to_try_again(
    client: httpx.AsyncClient,
    tenant: Tenant,
    invoke: Invoke,
    answer: ModelFault,
    type: str,
    retryable: bool,  # noqa: FBT001
) -> None:
    await make_agent(client, tenant, "support", "Answer {{question}}")
    with pytest.raises(NodeError, match=answer.message) as caught:
        await invoke(Scripted(answer), {"agent": "support"})
    assert (caught.value.type, caught.value.retryable) == (type, retryable)
    with pytest.raises(NodeError, match="used up"):
        await invoke(Scripted(), {"agent": "support"}, left=left(0))


async def test_an_agent_of_the_definition_itself_needs_no_database() -> None:
    params = {"model": "scripted/one", "prompt": "hello", "stream": True}
    call = make_call(NodeKind.AGENT, params)
    door = Streaming("one two").door
    done = await AgentWork(door, runtimes_of(door))(call)
    assert (done.outputs["output"], done.outputs["version"], done.usage) == ("one two", None, Usage(3, 1500))
    assert said_in(call).tokens == ["one ", "two "]
