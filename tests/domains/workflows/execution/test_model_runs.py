"""Runs whose steps ask models, by the real engine: what they give and spend, when they stop, how they are traced."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any, cast

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.workflows.definitions.compiling import compile_document
from spectral.domains.workflows.execution.launching import Launcher, NewRun
from spectral.domains.workflows.execution.states import FINAL
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.execution.tracing import trace_id_of
from spectral.domains.workflows.models import WorkflowRun, WorkflowRunEvent
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.domains.workflows.execution.finished import version_row
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant, register_tenant

SORTING = """
  - id: sort
    kind: prompt
    name: Which team
    model: spectral-local/small
    system: |
      Which team?
      - billing: invoice, money, refund
      - shipping: parcel, delivery, late
    prompt: ${inputs.text}
    stream: true
    outputs: {team: "${output.text}"}
"""
TRIAGE = f"""
name: triage
inputs:
  type: object
  properties: {{text: {{type: string}}, team: {{type: string}}}}
steps:{SORTING}
  - id: shape
    kind: structured_output
    model: spectral-local/large
    messages:
      - {{role: user, content: the invoice is wrong}}
      - {{role: assistant, content: '{{"team":"billing","urgent":false}}'}}
      - {{role: user, content: where is my parcel}}
      - {{role: assistant, content: '{{"team":"shipping","urgent":true}}'}}
      - {{role: user, content: "${{inputs.text}}"}}
    schema:
      type: object
      properties: {{team: {{type: string}}, urgent: {{type: boolean}}}}
      required: [team, urgent]
  - id: reply
    kind: agent
    agent: support
    input: {{question: "${{inputs.text}}"}}
outputs:
  team: ${{steps.sort.outputs.team}}
evaluation:
  rubric: RUBRIC
  expected: ${{inputs.team}}
"""


@dataclass(frozen=True)
class House:
    """An installation that executes, with a tenant that has an agent and a rubric."""

    client: httpx.AsyncClient
    tenant: Tenant
    database: Database
    launcher: Launcher
    agent_id: str
    rubric_id: str

    async def run(self, source: str, inputs: dict[str, Any], **changes: Any) -> WorkflowRun:
        """A run of the document, once it has ended."""
        compiled = compile_document(source.replace("RUBRIC", self.rubric_id), "yaml")
        assert compiled.definition is not None, compiled.errors
        access = self.tenant.access
        async with self.database.transaction(access) as session:
            version = version_row(access, compiled.definition)
            session.add(version)
            await session.flush()
            new = replace(NewRun(version, compiled.definition.name, inputs), **changes)
            run = await self.launcher.launch(session, access, new, access.actor)
        async with asyncio.timeout(30):
            while run.status not in FINAL:
                await asyncio.sleep(0.02)
                async with self.database.transaction(access, read_only=True) as session:
                    run = await RunRepository(session, access).get(run.id)
        return run

    async def events(self, run: WorkflowRun, *types: str) -> list[WorkflowRunEvent]:
        """The run's events of these types, in order."""
        of_run = (WorkflowRunEvent.workspace_id == run.workspace_id, WorkflowRunEvent.run_id == run.id)
        statement = sa.select(WorkflowRunEvent).where(*of_run, WorkflowRunEvent.type.in_(types))
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            return list(await session.scalars(statement.order_by(WorkflowRunEvent.seq)))

    async def read(self, path: str) -> dict[str, Any]:
        """An answer of the API, as soon as there is one."""
        async with asyncio.timeout(30):
            while True:
                answer = await self.client.get(f"{self.tenant.url}{path}", headers=self.tenant.client_headers)
                if answer.status_code == 200:
                    return dict(answer.json())
                await asyncio.sleep(0.02)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """What was created."""
        made = await self.client.post(f"{self.tenant.url}{path}", json=body, headers=self.tenant.client_headers)
        assert made.status_code == 201, made.text
        return dict(made.json())


@pytest.fixture
async def house(settings: Settings, create_app: Callable[[Settings], Litestar]) -> AsyncIterator[House]:
    app = create_app(settings.model_copy(update={"engine_executes": True}))
    async with in_process(app) as client:
        tenant = await register_tenant(client, "ours")
        launcher, database = cast("Launcher", app.state["launcher"]), cast("Database", app.state["database"])
        house = House(client, tenant, database, launcher, "", "")
        messages = [
            {"role": "system", "content": "- sorry: late, broken\n- thanks: great, good"},
            {"role": "user", "content": "{{question}}"},
        ]
        config = {"prompts": {"main": {"messages": messages}}, "model": "spectral-local/small"}
        agent = await house.post("/agents", {"name": "support", "config": config})
        dimensions = [{"name": "right", "scorer": "exact_match"}]
        rubric = await house.post("/evaluations/rubrics", {"name": "good", "dimensions": dimensions})
        yield replace(house, agent_id=agent["id"], rubric_id=rubric["id"])


async def test_a_run_asks_models_is_scored_and_traced(house: House) -> None:
    inputs = {"text": "my parcel is late", "team": "shipping"}
    run = await house.run(TRIAGE, inputs, conversation_id="chat-1", user_id="ann")
    assert (run.status, run.outputs, run.error) == ("succeeded", {"team": "shipping"}, None)
    tokens = [event.data["text"] for event in await house.events(run, "token")]
    assert tokens == ["shipping"]
    (scored,) = await house.events(run, "evaluation.completed")
    assert (scored.data["summary"]["total"], scored.data["error"]) == (1.0, None)
    trace = await house.read(f"/traces/{trace_id_of(run.id, 1)}")
    assert (trace["name"], trace["status"], trace["session_id"], trace["user_id"]) == ("triage", "ok", "chat-1", "ann")
    # Of the agent's tokens those of its call are counted, once.
    assert trace["input_tokens"] + trace["output_tokens"] == run.spent["tokens"] > 0
    assert (trace["cost_usd"], trace["unpriced_spans"], trace["agent_id"]) == ("0", 0, house.agent_id)
    assert trace["models"] == ["spectral-local/large", "spectral-local/small"]
    spans = (await house.read(f"/traces/{trace_id_of(run.id, 1)}/spans?include=body"))["results"]
    told = {span["name"]: (span["kind"], span["body"]["output"]) for span in spans}
    assert told == {
        "triage": ("chain", {"team": "shipping"}),
        "Which team": ("llm", {"team": "shipping"}),
        "shape": ("llm", told["shape"][1]),
        "reply": ("agent", told["reply"][1]),
        "chat spectral-local/small": ("llm", None),
    }
    assert told["shape"][1]["data"] == {"team": "shipping", "urgent": True}
    assert told["reply"][1]["output"] == "sorry"
    # A scorer that fails fails no run, and is no score of 0.
    unscored = await house.run(TRIAGE, {"text": "my parcel is late"})
    (scored,) = await house.events(unscored, "evaluation.completed")
    assert (unscored.status, scored.data["summary"]["total"]) == ("succeeded", None)
    assert scored.data["error"]["message"] == "right: the item has no expected answer"


BODIES = """
name: bodies
steps:
  - id: each
    kind: foreach
    items: ["my parcel is late", "the invoice"]
    body:
      - id: both
        kind: all
        branches:
          left: [{id: sort, kind: prompt, model: spectral-local/small, prompt: "- late\n- invoice\nInput: ${item}"}]
          right: [{id: keep, kind: memory.store, key: last, value: "${item}"}]
  - id: around
    kind: loop
    max_iterations: 2
    do_while: "true"
    body: [{id: recall, kind: memory.recall, key: last}]
"""


async def test_steps_in_bodies_lie_in_their_containers(house: House) -> None:
    run = await house.run(BODIES, {})
    assert run.status == "succeeded", run.error
    spans = (await house.read(f"/traces/{trace_id_of(run.id, 1)}/spans?include=body&limit=50"))["results"]
    keys = {span["span_id"]: span["body"]["attributes"].get("spectral.workflow.step.key", "run") for span in spans}
    assert {keys[span["span_id"]]: keys.get(span["parent_span_id"]) for span in spans} == {
        "run": None,
        "each": "run",
        "each[0]/both": "each",
        "each[0]/both[left]/sort": "each[0]/both",
        "each[0]/both[right]/keep": "each[0]/both",
        "each[1]/both": "each",
        "each[1]/both[left]/sort": "each[1]/both",
        "each[1]/both[right]/keep": "each[1]/both",
        "around": "run",
        "around[1]/recall": "around",
        "around[2]/recall": "around",
    }
    assert {span["status"] for span in spans} == {"ok"}


async def test_a_budget_of_tokens_stops_the_run_before_the_next_call(house: House) -> None:
    free = await house.run(f"name: sorting\nsteps:{SORTING}", {"text": "my parcel is late"})
    tokens = free.spent["tokens"]
    twice = (
        f"name: sorting\nbudget: {{max_tokens: {tokens}}}\nsteps:{SORTING}{SORTING.replace('id: sort', 'id: again')}"
    )
    run = await house.run(twice, {"text": "my parcel is late"})
    assert (run.status, run.spent["tokens"]) == ("failed", tokens)
    assert (run.error or {})["type"] == "budget-exhausted"
    trace = await house.read(f"/traces/{trace_id_of(run.id, 1)}")
    assert (trace["status"], trace["error_type"]) == ("error", "budget-exhausted")


async def test_what_no_model_can_do_fails_with_its_own_words(house: House) -> None:
    source = (
        "name: wrong\nsteps:\n  - {id: ask, kind: prompt, model: gpt, prompt: hello, retries: {limit: 3, delay: 0.01}}"
    )
    run = await house.run(source, {})
    assert (run.status, (run.error or {})["type"]) == ("failed", "unknown-model")
    assert await house.events(run, "step.retrying") == []
    asking = "{id: ask, kind: structured_output, model: spectral-local/small, prompt: hello, max_repairs: 0"
    source = f"name: wrong\nsteps:\n  - {asking}, schema: {{type: object}}, retries: {{limit: 2, delay: 0.01}}}}"
    run = await house.run(source, {})
    assert (run.status, (run.error or {})["type"]) == ("failed", "invalid-structured-output")
    assert len(await house.events(run, "step.retrying")) == 2
    # Every attempt was paid for, also those that failed.
    calls = [event.data["data"]["usage"] for event in await house.events(run, "log") if event.category == "model"]
    assert (len(calls), sum(call["input"] + call["output"] for call in calls)) == (3, run.spent["tokens"])
