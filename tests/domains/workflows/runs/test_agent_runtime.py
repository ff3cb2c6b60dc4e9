"""A workflow as an agent: one run for each execution, under the config of the evaluation, marked as one."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from litestar import Litestar

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.errors import NotExecutableError
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import AgentRuntime, ExecutionMode, Runtimes
from spectral.domains.agents.settings import checked_settings
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant

ROUTER = {
    "name": "router",
    "inputs": {"type": "object", "properties": {"ticket": {"type": "string"}}},
    "steps": [
        {
            "id": "refuse",
            "kind": "task",
            "function": "spectral.fail",
            "inputs": {"message": "no ticket"},
            "when": "inputs.ticket == null",
        },
        {
            "id": "say",
            "kind": "map",
            "needs": ["refuse"],
            "mapping": {"text": "${run.context.config.custom.prefix} ${inputs.ticket} ${run.context.seed}"},
        },
    ],
    "outputs": {"output": "${steps.say.outputs.text}"},
}


def config(prefix: str = "to") -> ConfigDocument:
    return ConfigDocument.model_validate(
        {
            "model": "own",
            "prompts": {"main": {"messages": [{"role": "user", "content": "{{ticket}}"}]}},
            "custom": {"prefix": prefix},
        }
    )


class Stage:
    """A workspace with the workflow, on an application that executes runs."""

    def __init__(self, app: Litestar, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.runtimes: Runtimes = app.state["runtimes"]
        self.client = client
        self.tenant = tenant

    async def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.client.request(
            method, self.tenant.url + path, json=body, headers=self.tenant.client_headers
        )
        assert answer.is_success, answer.text
        return answer.json()

    def agent(self, **settings: Any) -> Agent:
        given = checked_settings("workflow", {"workflow": "router", **settings})
        return Agent(id=new_id(), name="Router", runtime="workflow", runtime_settings=given)

    def runtime(self, agent: Agent, subject: str | None = "scan:1") -> AgentRuntime:
        self.runtimes.check(agent)
        return self.runtimes.of(self.tenant.access, agent, subject=subject)


@pytest.fixture
async def stage(settings: Settings, create_app: Callable[[Settings], Litestar]) -> AsyncIterator[Stage]:
    app = create_app(settings.model_copy(update={"engine_executes": True}))
    async with in_process(app) as client:
        stage = Stage(app, client, await register_tenant(client, "router"))
        await stage.send("POST", "/workflows", {"definition": ROUTER})
        yield stage


async def test_each_execution_is_a_marked_run_under_its_config(stage: Stage) -> None:
    agent = stage.agent()
    runtime = stage.runtime(agent)
    done = await runtime.execute_many(config(), [{"ticket": "a"}, {}, "plain"], [7, 8, 9])
    assert [each.output for each in done] == ["to a 7", None, None]
    assert [each.error and (each.error.type, each.error.missing) for each in done] == [
        None,
        ("agent_error", False),
        ("agent_error", False),
    ]
    assert "no ticket" in str(done[1].error)
    assert (done[0].model, done[0].cost_nano_usd, done[0].attributes) == (
        "workflow",
        0,
        {"spectral.mode": "evaluation"},
    )
    assert done[0].trace_id is not None
    listed = (await stage.send("GET", "/runs"))["results"]
    assert len(listed) == 3
    runs = [await stage.send("GET", f"/runs/{each['id']}") for each in listed]
    (run,) = [each for each in runs if each["inputs"] == {"ticket": "a"}]
    assert run["metadata"] == {"mode": "evaluation", "subject": "scan:1"}
    assert (run["context"]["config_hash"], run["context"]["seed"]) == (canonical_hash(config()), 7)
    # The same evaluation asks again: the run that there is says what it said.
    assert [each.output for each in await stage.runtime(agent).execute_many(config(), [{"ticket": "a"}], [7])] == [
        "to a 7"
    ]
    assert (await stage.send("GET", "/runs"))["pagination"]["total"] == 3
    assert [each.output for each in await runtime.execute_many(config("for"), [{"ticket": "a"}], [7])] == ["for a 7"]


async def test_what_cannot_be_run_is_said(stage: Stage) -> None:
    with pytest.raises(NotFoundError, match="elsewhere"):
        await stage.runtime(stage.agent(workflow="elsewhere")).execute_many(config(), [{"ticket": "a"}], [7])
    with pytest.raises(NotFoundError, match="version 9"):
        await stage.runtime(stage.agent(version=9)).execute_many(config(), [{"ticket": "a"}], [7])
    with pytest.raises(NotExecutableError, match="subflow"):
        stage.runtimes.of(stage.tenant.access, stage.agent(), ExecutionMode.LIVE)
    waiting = {"name": "waiting", "steps": [{"id": "wait", "kind": "sleep", "seconds": 3600}]}
    await stage.send("POST", "/workflows", {"definition": waiting})
    runtime = stage.runtime(stage.agent(workflow="waiting", timeout_s=1))
    (done,) = await runtime.execute_many(config(), [{"ticket": "a"}], [7])
    assert done.error is not None
    assert (done.error.type, done.error.missing, done.error.retryable) == ("runtime_error", True, False)
    (run,) = (await stage.send("GET", "/runs"))["results"]
    assert run["status"] == "cancelled"
