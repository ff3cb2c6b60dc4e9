import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.models import WorkflowRun, WorkflowVersion
from spectral.platform.db.session import Database
from tests.domains.workflows.runs.acting import Stage, chain, launcher_of
from tests.fixtures.tenants import Tenant

SOURCE = """
name: hello
inputs:
  type: object
  properties: {count: {type: integer, default: 3}}
steps:
  - {id: say, kind: task, function: spectral.uuid}
"""
DOCUMENT = {
    "name": "hello",
    "inputs": {"type": "object", "properties": {"count": {"type": "integer", "default": 3}}},
    "steps": [{"id": "say", "kind": "task", "function": "spectral.uuid"}],
}


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    return stage


async def total(stage: Stage) -> int:
    listed = await stage.get("/runs")
    assert isinstance(listed["pagination"]["total"], int)
    return int(listed["pagination"]["total"])


async def test_a_run_is_started_with_all_that_belongs_to_it(stage: Stage) -> None:
    await stage.define(chain("flow", "a", "b"), version=2)
    body = {
        "inputs": {"count": 2, "note": "n"},
        "run_id": "order:17",
        "user_id": "jane",
        "conversation_id": "c-1",
        "context": {"tier": "gold"},
        "metadata": {"team": "red"},
        "tags": ["a", "b"],
        "options": {"id_reuse": "never"},
    }
    answer = await stage.send("POST", "/workflows/flow/runs", body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{stage.tenant.url}/runs/order:17"
    started = answer.json()
    for name in ("inputs", "user_id", "conversation_id", "context", "metadata", "tags", "options"):
        assert started[name] == body[name]
    assert (started["name"], started["status"], started["workflow"]) == ("order:17", "queued", "flow")
    assert (started["workflow_version"], started["adapter"], started["generation"]) == (2, "spectral", 1)
    assert started["created_by"] == f"user:{stage.tenant.user_id}"
    read = await stage.client.get(answer.headers["location"], headers=stage.tenant.client_headers)
    assert read.json() == started
    assert await stage.get(f"/runs/{started['id']}") == started
    # Another one, of the version before, under its own id.
    other = await stage.post("/runs", {"workflow": "flow", "version": 1, "inputs": {"count": 1}}, expect=202)
    assert (other["workflow_version"], other["name"]) == (1, other["id"])
    assert (await stage.work(other["id"])).kind == "workflow"


async def test_what_cannot_be_started_says_why_and_leaves_nothing(stage: Stage) -> None:
    taken = await stage.start("flow", run_id="taken")
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("/workflows/flow/runs", {"inputs": {}}, 422, "/inputs"),
        ("/workflows/flow/runs", {"inputs": {"count": 0, "note": 1}}, 422, "/inputs/count"),
        ("/workflows/flow/runs", {"inputs": [1]}, 422, "/inputs"),
        ("/workflows/flow/runs", {"inputs": {"count": 1, "note": "x" * 262_144}}, 422, "/inputs"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "run_id": "a/b"}, 422, "/run_id"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "run_id": "summary"}, 422, "/run_id"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "run_id": ".."}, 422, "/run_id"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "run_id": "x" * 129}, 422, "/run_id"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "context": {"x": "y" * 65_536}}, 422, "/context"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "metadata": {"x": "y" * 16_384}}, 422, "/metadata"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "tags": ["x"] * 33}, 422, "/tags"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "options": {"id_reuse": "always"}}, 422, "/options/id_reuse"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "wait": 60.5}, 422, "/wait"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "priority": 1}, 422, "/priority"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "run_id": "taken"}, 409, "There is a run taken already"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "version": 9}, 404, "Workflow flow in version 9 not found"),
        ("/workflows/flow/runs", {"inputs": {"count": 1}, "version": 0}, 422, "/version"),
        ("/workflows/none/runs", {"inputs": {"count": 1}}, 404, "Workflow none not found"),
        ("/workflows/%00/runs", {"inputs": {"count": 1}}, 400, ""),
        ("/runs", {"inputs": {}}, 422, ""),
        ("/runs", {"workflow": "flow", "source": SOURCE}, 422, ""),
        ("/runs", {"source": SOURCE, "version": 1}, 422, ""),
        ("/runs", {"source": "name: x\nsteps:\n  - {id: a, kind: nothing}\n"}, 422, "/steps/0/kind"),
        ("/runs", {"source": "name: [x"}, 422, ""),
    ]
    for path, body, status, told in cases:
        refused = await stage.send("POST", path, body)
        assert refused.status_code == status, (path, body, refused.text[:500])
        problem = refused.json()
        assert told in (problem["detail"], "", *(one["pointer"] for one in problem.get("errors", []))), refused.text[
            :500
        ]
    assert [one["id"] for one in (await stage.get("/runs"))["results"]] == [taken["id"]]
    async with stage.database.transaction(stage.tenant.access, read_only=True) as session:
        counted = sa.select(sa.func.count()).where(WorkflowVersion.workspace_id == stage.tenant.workspace_id)
        assert (await session.execute(counted)).scalar_one() == 1


async def test_a_document_in_the_request_is_kept_once(stage: Stage) -> None:
    first = await stage.post("/runs", {"source": SOURCE}, expect=202)
    second = await stage.post("/runs", {"definition": DOCUMENT, "inputs": {"count": 5}}, expect=202)
    assert (first["workflow"], first["workflow_version"], first["inputs"]) == (None, None, {"count": 3})
    assert first["version_id"] == second["version_id"]
    assert second["inputs"] == {"count": 5}


async def test_a_finished_run_gives_its_name_up_where_it_may(stage: Stage) -> None:
    first = await stage.start("flow", run_id="daily")
    reuse = {"inputs": {"count": 1}, "run_id": "daily", "options": {"id_reuse": "if_finished"}}
    assert (await stage.send("POST", "/workflows/flow/runs", reuse)).status_code == 409
    await stage.set(first["id"], RunStatus.FAILED)
    never = await stage.send("POST", "/workflows/flow/runs", reuse | {"options": {}})
    assert never.status_code == 409
    answers = await asyncio.gather(*(stage.send("POST", "/workflows/flow/runs", reuse) for _ in range(3)))
    assert sorted(answer.status_code for answer in answers) == [202, 409, 409]
    (second,) = (answer.json() for answer in answers if answer.status_code == 202)
    assert (await stage.get("/runs/daily"))["id"] == second["id"] != first["id"]
    former = await stage.get(f"/runs/{first['id']}")
    assert (former["name"], former["status"]) == (first["id"], "failed")
    assert await stage.audited(f"run:{first['id']}") == ["run.renamed"]


# ------------------------------------------------------------------------------------------------------------- batch


async def test_a_batch_starts_all_or_nothing(stage: Stage) -> None:
    await stage.start("flow", run_id="taken")
    runs = [{"inputs": {"count": n}, "run_id": name} for n, name in enumerate(["b1", "taken", "b2", "b1"], start=1)]
    refused = await stage.send("POST", "/workflows/flow/runs/batch", {"runs": runs})
    assert refused.status_code == 409
    assert refused.json()["run_id"] == "taken"
    assert await total(stage) == 1
    skipped = await stage.post("/workflows/flow/runs/batch", {"runs": runs, "on_conflict": "skip"}, expect=202)
    assert (skipped["created"], skipped["skipped"]) == (2, 2)
    assert [(one["index"], one["run_id"], one["status"]) for one in skipped["results"]] == [
        (0, "b1", "created"),
        (1, "taken", "skipped"),
        (2, "b2", "created"),
        (3, "b1", "skipped"),
    ]
    assert [one["run"] and one["run"]["inputs"]["count"] for one in skipped["results"]] == [1, None, 3, None]
    assert await stage.get("/runs/b2") == skipped["results"][2]["run"]
    anonymous = await stage.post("/workflows/flow/runs/batch", {"runs": [{"inputs": {"count": 1}}] * 3}, expect=202)
    assert anonymous["created"] == 3
    assert await total(stage) == 6


async def test_a_batch_names_every_wrong_place(stage: Stage) -> None:
    runs = [{"inputs": {"count": 1}}, {"inputs": {"count": "x"}}, {"inputs": {"count": 0, "note": 5}}]
    for on_conflict in ("fail", "skip"):
        body = {"runs": runs, "on_conflict": on_conflict}
        refused = await stage.send("POST", "/workflows/flow/runs/batch", body)
        assert refused.status_code == 422
        pointers = [one["pointer"] for one in refused.json()["errors"]]
        assert pointers == ["/runs/1/inputs/count", "/runs/2/inputs/count", "/runs/2/inputs/note"]
    for wrong in ([], [{"inputs": {"count": 1}}] * 101):
        assert (await stage.send("POST", "/workflows/flow/runs/batch", {"runs": wrong})).status_code == 422
    assert await total(stage) == 0


# -------------------------------------------------------------------------------------------------------------- wait


async def finish(app: Litestar, stage: Stage, run_id: str, status: RunStatus) -> None:
    """What an execution does at a run's end, as far as whoever waits for it can see."""
    async with stage.database.transaction(stage.tenant.access) as session:
        runs = RunRepository(session, stage.tenant.access, launcher_of(app).live)
        run = await runs.lock(UUID(run_id))
        run.status = status
        run.outputs = {"ok": True}
        await runs.append(run, [NewEvent(f"run.{status}", status=status)])


async def run_named(stage: Stage, name: str) -> WorkflowRun:
    """The run, as soon as it can be seen."""
    async with asyncio.timeout(10):
        while True:
            async with stage.database.transaction(stage.tenant.access, read_only=True) as session:
                found = sa.select(WorkflowRun).where(
                    WorkflowRun.workspace_id == stage.tenant.workspace_id, WorkflowRun.name == name
                )
                run = (await session.scalars(found)).one_or_none()
            if run is not None:
                return run
            await asyncio.sleep(0.01)


async def test_a_start_that_waits_answers_the_end_and_holds_nothing_meanwhile(app: Litestar, stage: Stage) -> None:
    body = {"inputs": {"count": 1}, "run_id": "waited", "wait": 30}
    waiting = asyncio.create_task(stage.send("POST", "/workflows/flow/runs", body, **{"Idempotency-Key": "once"}))
    run = await run_named(stage, "waited")
    # The same request meanwhile starts nothing: it is told of the run that there is.
    async with asyncio.timeout(20):
        again = await stage.send("POST", "/workflows/flow/runs", body, **{"Idempotency-Key": "once"})
    assert (again.status_code, again.json()["id"], again.json()["status"]) == (202, str(run.id), "queued")
    assert again.headers["location"] == f"{stage.tenant.url}/runs/waited"
    assert not waiting.done()
    await finish(app, stage, str(run.id), RunStatus.SUCCEEDED)
    answer = await waiting
    assert (answer.status_code, answer.json()["status"]) == (200, "succeeded")
    assert answer.json()["outputs"] == {"ok": True}
    assert answer.headers["location"] == f"{stage.tenant.url}/runs/waited"
    later = await stage.send("POST", "/workflows/flow/runs", body, **{"Idempotency-Key": "once"})
    assert (later.status_code, later.json()) == (200, answer.json())
    assert await total(stage) == 1


async def test_a_wait_ends_in_time_and_at_a_suspension(app: Litestar, stage: Stage) -> None:
    late = await stage.send("POST", "/workflows/flow/runs", {"inputs": {"count": 1}, "wait": 0.05})
    assert (late.status_code, late.json()["status"]) == (202, "queued")
    for path, status in (("restart", RunStatus.INTERRUPTED), ("resume", RunStatus.SUCCEEDED)):
        name = f"of-{path}"
        run_id = (await stage.start("flow", run_id=name))["id"]
        await stage.set(run_id, RunStatus.PAUSED)
        waiting = asyncio.create_task(stage.send("POST", f"/runs/{name}/{path}", {"wait": 30}))
        await stage.until(run_id, "queued")
        await finish(app, stage, run_id, status)
        answer = await waiting
        assert (answer.status_code, answer.json()["status"]) == (200, status)
    # A run that waits for a time or an event has not settled; one that asks has.
    run_id = (await stage.start("flow"))["id"]
    await stage.set(run_id, RunStatus.AWAITING_INPUT)
    interrupt_id = await stage.ask(run_id)
    answered = asyncio.create_task(
        stage.send("POST", f"/interrupts/{interrupt_id}/answer", {"approved": True, "wait": 30})
    )
    await stage.until(run_id, "queued")
    await finish(app, stage, run_id, RunStatus.WAITING)
    assert not answered.done()
    await finish(app, stage, run_id, RunStatus.AWAITING_INPUT)
    told = (await answered).json()
    assert (told["interrupt"]["status"], told["run"]["status"]) == ("approved", "awaiting_input")


# ----------------------------------------------------------------------------------------------------- who, and what


async def test_nobody_starts_runs_elsewhere(
    stage: Stage, client: httpx.AsyncClient, database: Database, other_tenant: Tenant
) -> None:
    body = {"inputs": {"count": 1}}
    theirs = Stage(client, database, other_tenant)
    assert (await theirs.send("POST", "/workflows/flow/runs", body)).status_code == 404
    assert (await theirs.send("POST", "/runs", {"workflow": "flow"} | body)).status_code == 404
    for path, sent in (("/workflows/flow/runs", body), ("/runs", {"workflow": "flow"} | body)):
        keyed = await client.post(stage.tenant.url + path, json=sent, headers=stage.tenant.key_headers)
        assert keyed.status_code == 403
        assert (await client.post(stage.tenant.url + path, json=sent)).status_code == 401
    # The same name is free in every workspace.
    await theirs.define(chain("flow", "a"))
    assert (await stage.start("flow", run_id="same"))["id"] != (await theirs.start("flow", run_id="same"))["id"]


async def test_the_engines_are_listed(stage: Stage) -> None:
    listed = await stage.get("/engine/adapters")
    (adapter,) = listed["results"]
    assert adapter["name"] == "spectral"
    # No process executes here.
    assert adapter["available"] is False
    assert (await stage.get("/engine/adapters?offset=1"))["results"] == []
