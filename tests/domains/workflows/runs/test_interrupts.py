import asyncio
from datetime import timedelta
from typing import Any

import httpx
import pytest

from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowInterrupt
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.workflows.runs.acting import Stage, chain
from tests.fixtures.tenants import Tenant

ADDRESS = {
    "type": "object",
    "properties": {"street": {"type": "string"}, "lines": {"type": "array", "items": {"type": "integer"}}},
    "required": ["street"],
}


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    return stage


async def asking(stage: Stage, run_status: RunStatus = RunStatus.INTERRUPTED, **question: Any) -> tuple[str, str]:
    """A run that asks, and its question."""
    run_id = (await stage.start("flow"))["id"]
    await stage.set(run_id, run_status)
    interrupt_id = await stage.ask(run_id, **question)
    await stage.step(run_id, question.get("key", "approve"))
    return run_id, interrupt_id


ANSWERS: list[tuple[str, dict[str, Any], str]] = [
    ("decision", {"approved": True}, "approved"),
    ("decision", {"approved": False, "comment": "too dear"}, "rejected"),
    ("decision", {"status": "rejected"}, "rejected"),
    ("input", {"data": {"street": "Elm"}}, "answered"),
    ("input", {"approved": True, "data": {"street": "Elm"}, "responded_by": "jane@example.com"}, "answered"),
    ("input", {"approved": False}, "rejected"),
]


async def test_a_question_is_answered_once_and_its_run_goes_on(stage: Stage) -> None:
    for kind, body, status in ANSWERS:
        schema = ADDRESS if kind == "input" else None
        run_id, interrupt_id = await asking(stage, kind=kind, answer_schema=schema, title="Where to?")
        asked = await stage.get("/interrupts?status=pending")
        assert [(one["id"], one["run_id"], one["title"]) for one in asked["results"]] == [
            (interrupt_id, run_id, "Where to?")
        ]
        answered = await stage.post(f"/interrupts/{interrupt_id}/answer", body)
        told = answered["interrupt"]
        assert (told["status"], told["comment"], told["answer"]) == (status, body.get("comment"), body.get("data"))
        assert told["answered_by"] == f"user:{stage.tenant.user_id}"
        assert told["claimed_by"] == body.get("responded_by")
        assert answered["run"]["status"] == "queued"
        assert (await stage.work(run_id)).wake_at <= utc_now()
        again = await stage.post(f"/interrupts/{interrupt_id}/answer", body)
        assert again["interrupt"] == told
        other = await stage.send("POST", f"/interrupts/{interrupt_id}/answer", body | {"comment": "changed my mind"})
        assert other.status_code == 409
        assert other.json()["interrupt_status"] == status
        assert (await stage.run(run_id)).inbox == 1
        assert (await stage.event_types(run_id)).count("interrupt.answered") == 1
        assert await stage.audited(f"interrupt:{interrupt_id}") == ["interrupt.answered"]
    assert (await stage.get("/interrupts?status=pending"))["results"] == []
    assert (await stage.get(f"/runs/{run_id}/interrupts"))["results"] == [told]
    assert await stage.get(f"/interrupts/{interrupt_id}") == told
    assert (await stage.get("/interrupts?limit=2"))["pagination"]["total"] == len(ANSWERS)


UNFIT: list[tuple[str, dict[str, Any], list[str]]] = [
    ("input", {}, ["/data"]),
    ("input", {"data": {"street": 5, "lines": [1, "x"]}}, ["/data/lines/1", "/data/street"]),
    ("decision", {}, ["/approved"]),
    ("decision", {"status": "answered"}, ["/approved"]),
    ("decision", {"approved": True, "status": "rejected"}, ["/status"]),
    ("decision", {"approved": "sure"}, ["/approved"]),
    ("decision", {"approved": True, "wait": 61}, ["/wait"]),
    ("decision", {"approved": True, "note": "x"}, ["/note"]),
]


async def test_an_answer_that_does_not_fit_changes_nothing(stage: Stage) -> None:
    asked = {kind: await asking(stage, kind=kind, answer_schema=ADDRESS) for kind in ("input", "decision")}
    for kind, body, pointers in UNFIT:
        _, interrupt_id = asked[kind]
        refused = await stage.send("POST", f"/interrupts/{interrupt_id}/answer", body)
        assert refused.status_code == 422, refused.text
        assert [one["pointer"] for one in refused.json()["errors"]] == pointers
    for run_id, interrupt_id in asked.values():
        assert (await stage.row(WorkflowInterrupt, interrupt_id)).status == "pending"
        assert (await stage.run(run_id)).status == "interrupted"


async def test_what_is_not_asked_any_more_is_not_answered(stage: Stage) -> None:
    late = {"expires_at": utc_now() - timedelta(seconds=1)}
    unasked: list[tuple[dict[str, Any], str]] = [
        (late, "expired"),
        ({"status": "expired"}, "expired"),
        ({"status": "cancelled"}, "cancelled"),
    ]
    for question, told in unasked:
        run_id, interrupt_id = await asking(stage, **question)
        refused = await stage.send("POST", f"/interrupts/{interrupt_id}/answer", {"approved": True})
        assert refused.status_code == 409
        assert refused.json()["type"].endswith("/interrupt-settled")
        assert refused.json()["interrupt_status"] == told
        assert (await stage.run(run_id)).inbox == 0


async def test_a_paused_run_keeps_the_answer_for_its_resume(stage: Stage) -> None:
    run_id, interrupt_id = await asking(stage, RunStatus.PAUSED)
    answered = await stage.post(f"/interrupts/{interrupt_id}/answer", {"approved": True})
    assert answered["run"]["status"] == "paused"
    assert (await stage.post(f"/runs/{run_id}/resume"))["status"] == "queued"


async def test_of_two_answers_at_once_one_counts(stage: Stage) -> None:
    _, interrupt_id = await asking(stage)
    bodies = [{"approved": True}, {"approved": False}, {"approved": True, "comment": "mine"}]
    answers = await asyncio.gather(*(stage.send("POST", f"/interrupts/{interrupt_id}/answer", body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409]
    (first,) = (answer.json()["interrupt"] for answer in answers if answer.status_code == 200)
    assert await stage.get(f"/interrupts/{interrupt_id}") == first


async def test_an_answer_and_a_termination_at_once_leave_one_story(stage: Stage) -> None:
    for _ in range(3):
        run_id, interrupt_id = await asking(stage)
        answer, ended = await asyncio.gather(
            stage.send("POST", f"/interrupts/{interrupt_id}/answer", {"approved": True}),
            stage.send("POST", f"/runs/{run_id}/terminate"),
        )
        assert ended.status_code == 200
        assert (await stage.run(run_id)).status == "cancelled"
        status = (await stage.row(WorkflowInterrupt, interrupt_id)).status
        assert (answer.status_code, status) in {(200, "approved"), (409, "cancelled")}
        assert (await stage.event_types(run_id))[-1] == "run.cancelled"


async def test_only_who_may_approve_answers_and_only_in_the_own_workspace(
    stage: Stage, client: httpx.AsyncClient, database: Database, other_tenant: Tenant
) -> None:
    run_id, interrupt_id = await asking(stage)
    await stage.step(run_id, "ask")
    suspended = await stage.ask(run_id, key="ask", kind="input")
    machine = await stage.post("/service-accounts", {"name": "writer", "role": "contributor"}, expect=201)
    writes = {"Authorization": f"Bearer {machine['key']}"}
    bodies: list[tuple[str, dict[str, Any]]] = [
        (f"/interrupts/{interrupt_id}/answer", {"approved": True}),
        (f"/runs/{run_id}/resume", {"step": "approve", "data": {"approved": True}}),
    ]
    for path, body in bodies:
        refused = await client.post(stage.tenant.url + path, json=body, headers=writes)
        assert refused.status_code == 403, refused.text
    theirs = Stage(client, database, other_tenant)
    assert (await theirs.send("POST", f"/interrupts/{interrupt_id}/answer", {"approved": True})).status_code == 404
    assert (await theirs.send("GET", f"/interrupts/{interrupt_id}")).status_code == 404
    assert (await theirs.get("/interrupts"))["results"] == []
    assert {(await stage.row(WorkflowInterrupt, one)).status for one in (interrupt_id, suspended)} == {"pending"}


# ------------------------------------------------------------------------------------------------- resume with data


async def test_a_suspended_step_gets_its_data(stage: Stage) -> None:
    run_id = (await stage.start("flow"))["id"]
    await stage.set(run_id, RunStatus.AWAITING_INPUT)
    await stage.step(run_id, "each[2]/ship", kind="task")
    interrupt_id = await stage.ask(run_id, key="each[2]/ship", kind="input", answer_schema=ADDRESS)
    wrong = await stage.send("POST", f"/runs/{run_id}/resume", {"data": {"street": None}})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/data/street"
    elsewhere = await stage.send("POST", f"/runs/{run_id}/resume", {"step": "pack", "data": 1})
    assert elsewhere.status_code == 400
    assert elsewhere.json()["suspended_steps"] == ["each[2]/ship"]
    resumed = await stage.post(f"/runs/{run_id}/resume", {"step": "ship", "data": {"street": "Elm"}})
    assert resumed["status"] == "queued"
    answered = await stage.get(f"/interrupts/{interrupt_id}")
    assert (answered["status"], answered["answer"]) == ("answered", {"street": "Elm"})
    nothing = await stage.send("POST", f"/runs/{run_id}/resume", {"data": {"street": "Elm"}})
    assert nothing.status_code == 400
    assert nothing.json()["type"].endswith("/nothing-suspended")
    await stage.set(run_id, RunStatus.FAILED)
    ended = await stage.send("POST", f"/runs/{run_id}/resume", {"data": {"street": "Elm"}})
    assert ended.json()["type"].endswith("/invalid-transition")


async def test_a_paused_run_that_asks_is_answered_and_goes_on(stage: Stage) -> None:
    run_id, interrupt_id = await asking(stage, RunStatus.PAUSED)
    resumed = await stage.post(f"/runs/{run_id}/resume", {"data": {"approved": False, "why": "no"}})
    assert (resumed["status"], resumed["pause"]) == ("queued", None)
    assert (await stage.get(f"/interrupts/{interrupt_id}"))["status"] == "rejected"
    assert (await stage.event_types(run_id))[-2:] == ["interrupt.answered", "run.resumed"]


async def test_where_several_steps_ask_one_is_named(stage: Stage) -> None:
    run_id, _ = await asking(stage, key="first")
    await stage.ask(run_id, key="second")
    unclear = await stage.send("POST", f"/runs/{run_id}/resume", {"data": None})
    assert unclear.status_code == 400
    assert unclear.json()["suspended_steps"] == ["first", "second"]
    await stage.post(f"/runs/{run_id}/resume", {"step": "second"})
    assert [one["step"] for one in (await stage.get("/interrupts?status=pending"))["results"]] == ["first"]


async def test_a_step_that_waits_for_an_event_is_sent_it(stage: Stage) -> None:
    node = Node("paid", NodeKind.WAIT_EVENT, params={"event": "paid", "schema": {"type": "integer"}})
    await stage.define(Definition(name="waits", graph=Graph((node,), ())))
    run_id = (await stage.start("waits", inputs={}))["id"]
    state = State.new({})
    state.put("paid", status="waiting", wait={"type": "event", "event": "paid:17"})
    await stage.checkpoint(run_id, state, index=1)
    await stage.set(run_id, RunStatus.WAITING)
    wrong = await stage.send("POST", f"/runs/{run_id}/resume", {"data": "much"})
    assert wrong.status_code == 422
    assert wrong.json()["errors"][0]["pointer"] == "/data"
    assert (await stage.post(f"/runs/{run_id}/resume", {"data": 5}))["status"] == "queued"
    assert [(one.type, one.payload) for one in await stage.signals(run_id)] == [("paid:17", 5)]
