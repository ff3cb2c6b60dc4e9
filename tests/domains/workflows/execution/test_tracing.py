"""A finished run is a trace: the same however often it is exported, and never another tenant's."""

import asyncio
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
from litestar import Litestar

from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution import tracing
from spectral.domains.workflows.execution.tracing import RunTracer, TraceNotTakenError, trace_id_of, trace_work_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.passing import is_passing
from spectral.platform.shared.errors import UnavailableError
from tests.domains.workflows.execution.finished import (
    at,
    event_row,
    run_row,
    step_row,
    store_triage,
    utc,
    version_row,
)
from tests.fixtures.tenants import Tenant


@dataclass
class Context:
    """What of the engine's context a tracer reads."""

    database: Database
    access: WorkspaceAccess
    payload: dict[str, Any]


class Full:
    """A store that takes nothing."""

    async def take(self, *_: Any) -> Any:
        raise UnavailableError("Too much is waiting to be stored", retry_after_s=1)


def system(tenant: Tenant) -> WorkspaceAccess:
    return WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, "test")


async def export(ingestor: Any, database: Database, tenant: Tenant, run_id: UUID, generation: int = 1) -> None:
    payload = {"run_id": str(run_id), "generation": generation}
    await RunTracer(ingestor).export(cast("WorkContext", Context(database, system(tenant), payload)))


async def read(client: httpx.AsyncClient, tenant: Tenant, path: str, status: int = 200) -> dict[str, Any]:
    answer = await client.get(f"{tenant.url}/traces{path}", headers=tenant.client_headers)
    assert answer.status_code == status, answer.text
    return dict(answer.json())


async def add_agent(client: httpx.AsyncClient, tenant: Tenant) -> UUID:
    made = await client.post(f"{tenant.url}/agents", json={"name": "support"}, headers=tenant.client_headers)
    return UUID(made.json()["id"])


@pytest.fixture
def ingestor(app: Litestar) -> TraceIngestor:
    return cast("TraceIngestor", app.state["trace_ingestor"])


def test_a_trace_and_the_work_that_makes_it_are_the_runs_and_the_generations_own(tenant: Tenant) -> None:
    run_id = uuid4()
    ids = {trace_id_of(run_id, generation) for generation in (1, 2, 1)} | {trace_id_of(uuid4(), 1)}
    assert {len(bytes.fromhex(one)) for one in ids} == {16}
    assert len(ids) == 3
    run = run_row(tenant.access, version_row(tenant.access))
    first, again = trace_work_of(run), trace_work_of(run)
    run.generation = 2
    assert (first, first.payload["generation"]) == (again, 1)
    assert trace_work_of(run).key != first.key


async def test_a_run_is_a_trace_of_its_steps(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, ingestor: TraceIngestor
) -> None:
    agent_id = await add_agent(client, tenant)
    async with database.transaction(tenant.access) as session:
        run = await store_triage(session, tenant.access, agent_id)
    await export(ingestor, database, tenant, run.id)
    trace_id = trace_id_of(run.id, 1)
    trace = await read(client, tenant, f"/{trace_id}")
    told = ("name", "status", "session_id", "user_id", "tags", "mode", "models", "agent_id", "agent_version", "service")
    assert {name: trace[name] for name in told} == {
        "name": "triage",
        "status": "ok",
        "session_id": "chat-1",
        "user_id": "ann",
        "tags": ["nightly"],
        "mode": "live",
        "models": ["scripted/one"],
        "agent_id": str(agent_id),
        "agent_version": "2",
        "service": "spectral",
    }
    assert (utc(trace["started_at"]), utc(trace["ended_at"])) == (at(0), at(10))
    # The agent's failed call has a price that nobody knows.
    assert (trace["input_tokens"], trace["output_tokens"], trace["cost_usd"], trace["unpriced_spans"]) == (
        20,
        10,
        "0.004",
        1,
    )
    spans = (await read(client, tenant, f"/{trace_id}/spans?include=body&limit=50"))["results"]
    by_name = {(span["body"]["attributes"].get("spectral.workflow.step.key"), span["name"]): span for span in spans}
    assert len(spans) == len(by_name) + 1 == 9  # both agents' calls have one name
    root, each = by_name[None, "triage"], by_name["each", "each"]
    assert (root["kind"], root["parent_span_id"]) == ("chain", None)
    said = root["body"]["attributes"]
    assert said["spectral.workflow.run_id"] == str(run.id)
    assert (said["spectral.workflow.version"], said["metadata.team"]) == (3, "billing")
    assert root["body"]["input"] == {"id": 17, "password": "[masked]"}
    assert root["body"]["output"] == {"sorted": True}
    prompt = by_name["sort", "Sort it"]
    figures = ("kind", "model", "provider", "input_tokens", "output_tokens", "cost_usd", "status", "parent_span_id")
    assert [prompt[name] for name in figures] == [
        "llm", "scripted/one", "scripted", 10, 5, "0.002", "ok", root["span_id"],
    ]  # fmt: skip
    assert prompt["body"]["input"] == {"text": "ä?"}
    fetch = by_name["fetch", "fetch"]["body"]
    http = {name: value for name, value in fetch["attributes"].items() if name.startswith(("http.", "url."))}
    assert http == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.template": "https://api.example/${inputs.id}",
    }
    assert fetch["attributes"]["spectral.workflow.step.attempts"] == 2
    assert (len(fetch["output"]), fetch["output"][-1]) == (tracing.LARGEST_CONTENT + 1, "…")
    first, second = by_name["each[0]/reply", "reply"], by_name["each[1]/reply", "reply"]
    assert [first["parent_span_id"], second["parent_span_id"]] == [each["span_id"]] * 2
    assert (first["kind"], first["agent_id"], first["input_tokens"]) == ("agent", str(agent_id), None)
    calls = {span["parent_span_id"]: span for span in spans if span["name"] == "chat scripted/one"}
    assert (calls[first["span_id"]]["kind"], calls[first["span_id"]]["input_tokens"]) == ("llm", 10)
    assert (utc(calls[first["span_id"]]["started_at"]), calls[second["span_id"]]["status"]) == (at(1.25), "error")
    assert (second["status"], second["error_type"]) == ("error", "model-unavailable")
    ((event,),) = (second["body"]["events"],)
    assert (event["name"], event["attributes"]["exception.message"]) == ("exception", "overloaded")
    store = by_name["store", "store"]
    assert (store["kind"], store["tool_name"], store["status"]) == ("tool", "store_all", "unset")


async def test_exporting_a_run_again_changes_nothing_and_nobody_else_sees_it(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, ingestor: TraceIngestor
) -> None:
    async with database.transaction(tenant.access) as session:
        run = await store_triage(session, tenant.access, uuid4())
    # Of another workspace's run nothing is read, whatever the payload says.
    await export(ingestor, database, other_tenant, run.id)
    trace_id = trace_id_of(run.id, 1)
    for path in ("", "/spans"):
        await read(client, other_tenant, f"/{trace_id}{path}", 404)
    await export(ingestor, database, tenant, run.id)
    first = [await read(client, tenant, f"/{trace_id}{path}") for path in ("", "/spans?include=body&limit=50")]
    await asyncio.gather(*(export(ingestor, database, tenant, run.id) for _ in range(3)))
    assert [await read(client, tenant, f"/{trace_id}{path}") for path in ("", "/spans?include=body&limit=50")] == first
    await read(client, other_tenant, f"/{trace_id}", 404)
    # A store that is full or away is asked again later.
    with pytest.raises(TraceNotTakenError) as caught:
        await export(Full(), database, tenant, run.id)
    assert is_passing(caught.value)


async def test_a_generation_before_a_restart_is_told_by_its_events(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, ingestor: TraceIngestor
) -> None:
    error = {"type": "http-status", "message": "GET https://api.example was answered 500", "node": "fetch"}
    async with database.transaction(tenant.access) as session:
        version = version_row(tenant.access)
        session.add(version)
        await session.flush()
        run = run_row(tenant.access, version, labels={"mode": "evaluation"})
        session.add(run)
        await session.flush()
        session.add_all(
            [
                step_row(run, "fetch", NodeKind.HTTP, 1, status="failed", error=error),
                event_row(run, 1, "run.queued", {"status": "queued"}),
                event_row(run, 2, "run.started", {"status": "running"}),
                event_row(run, 3, "run.failed", {"status": "failed", "error": error}),
                event_row(run, 4, "run.restarted", {"status": "queued"}, generation=2),
            ]
        )
        await session.flush()
        # Restarted: the run's own row says nothing of how it ended before.
        run.generation, run.status, run.outputs, run.started_at, run.finished_at = 2, "running", None, at(4), None
    await export(ingestor, database, tenant, run.id, 2)
    await export(ingestor, database, tenant, run.id, 3)
    await export(ingestor, database, tenant, uuid4())
    await export(ingestor, database, tenant, run.id)
    (trace,) = (await read(client, tenant, ""))["results"]
    assert (trace["trace_id"], trace["status"], trace["error_type"]) == (trace_id_of(run.id, 1), "error", "http-status")
    assert (trace["mode"], trace["span_count"]) == ("evaluation", 2)
    assert (utc(trace["started_at"]), utc(trace["ended_at"])) == (at(1), at(3))


async def test_of_a_run_with_very_many_steps_the_first_are_told(
    client: httpx.AsyncClient,
    tenant: Tenant,
    database: Database,
    ingestor: TraceIngestor,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(tracing, "MAXIMUM_STEPS", 5)
    monkeypatch.setattr(tracing, "CONTENT_CHARACTERS", 100)
    async with database.transaction(tenant.access) as session:
        version = version_row(tenant.access)
        session.add(version)
        await session.flush()
        run = run_row(tenant.access, version, name="inline", workflow_name=None, status="cancelled", started_at=None)
        session.add(run)
        await session.flush()
        session.add_all(
            step_row(
                run, f"each[{number}]/reply", NodeKind.AGENT, number, outputs={"output": "y" * 2000}, status="cancelled"
            )
            for number in range(9)
        )
    await export(ingestor, database, tenant, run.id)
    trace_id = trace_id_of(run.id, 1)
    spans = (await read(client, tenant, f"/{trace_id}/spans?include=body&limit=50"))["results"]
    root = next(span for span in spans if span["parent_span_id"] is None)
    assert (len(spans), root["name"], root["status"]) == (6, "inline", "unset")
    assert root["body"]["attributes"]["spectral.workflow.steps_left_out"] == 4
    # Without a row of its container a step belongs to the run.
    assert {span["parent_span_id"] for span in spans} == {None, root["span_id"]}
    assert {len(span["body"]["output"]) for span in spans if span is not root} == {tracing.SMALLEST_CONTENT + 1}
