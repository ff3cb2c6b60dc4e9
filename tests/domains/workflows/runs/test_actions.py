import httpx
import pytest

from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import TRANSITIONS, RunAction, RunStatus
from spectral.domains.workflows.models import (
    RemoteTask,
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRunEvent,
    WorkflowStep,
)
from spectral.platform.db.session import Database
from spectral.platform.engine.work import WorkState
from tests.domains.workflows.runs.acting import Stage, chain
from tests.fixtures.tenants import Tenant

ACTIONS = {
    RunAction.PAUSE: ("pause", {"reason": "lunch"}),
    RunAction.PAUSE_NOW: ("pause", {"mode": "now"}),
    RunAction.RESUME: ("resume", None),
    RunAction.RESTART: ("restart", {}),
    RunAction.TERMINATE: ("terminate", {"reason": "enough"}),
}


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a", "b"))
    return stage


@pytest.mark.parametrize("action", list(ACTIONS), ids=str)
async def test_an_action_takes_a_run_where_the_table_says_and_else_changes_nothing(
    stage: Stage, action: RunAction
) -> None:
    path, body = ACTIONS[action]
    for status in RunStatus:
        run_id = (await stage.start("flow"))["id"]
        await stage.set(run_id, status)
        before = await stage.run(run_id)
        answer = await stage.send("POST", f"/runs/{run_id}/{path}", body)
        after, expected = await stage.run(run_id), TRANSITIONS[action].get(status)
        events = await stage.event_types(run_id)
        if expected is None:
            assert answer.status_code == 400, (status, answer.text)
            assert answer.json()["type"].endswith("/invalid-transition")
            assert answer.json()["current"] == status
            assert (after.status, after.lease, after.last_seq) == (status, before.lease, before.last_seq)
            assert await stage.audited(f"run:{run_id}") == []
            continue
        assert answer.status_code == 200, (status, answer.text)
        assert answer.json()["status"] == after.status == expected, status
        assert events[0] == "run.queued"
        assert len(events) > 1
        assert len(await stage.audited(f"run:{run_id}")) == 1
        if action in {RunAction.RESTART, RunAction.TERMINATE}:
            assert after.lease == before.lease + 1


async def test_a_pause_is_said_and_ends_with_the_resume(stage: Stage) -> None:
    run_id = (await stage.start("flow", run_id="one"))["id"]
    await stage.set(run_id, RunStatus.RUNNING)
    pausing = await stage.post("/runs/one/pause", {"reason": "look at it"})
    assert pausing["status"] == "pausing"
    assert pausing["pause"].items() >= {"reason": "look at it", "mode": "boundary"}.items()
    going_on = await stage.post("/runs/one/resume")
    assert (going_on["status"], going_on["pause"]) == ("running", None)
    # Whatever executes it still does: nobody took it away.
    assert (await stage.work(run_id)).state == WorkState.RUNNING
    lease = (await stage.run(run_id)).lease
    paused = await stage.post("/runs/one/pause", {"mode": "now"})
    assert paused["status"] == "paused"
    assert (await stage.run(run_id)).lease == lease + 1
    halted = await stage.work(run_id)
    assert (halted.state, halted.executor_id) == (WorkState.QUEUED, None)
    assert halted.wake_at.year == 9999
    resumed = await stage.post("/runs/one/resume")
    assert (resumed["status"], resumed["pause"]) == ("queued", None)
    assert (await stage.work(run_id)).wake_at.year < 9999
    assert await stage.event_types(run_id) == [
        "run.queued",
        "run.pausing",
        "run.resumed",
        "run.paused",
        "run.resumed",
    ]
    assert await stage.audited(f"run:{run_id}") == ["run.paused", "run.resumed"] * 2


async def test_a_restart_begins_the_next_generation_where_the_first_one_began(stage: Stage) -> None:
    run_id = (await stage.start("flow", run_id="again", inputs={"count": 7}))["id"]
    state = State.new({"count": 7})
    state.put("a", status="succeeded", outputs=1)
    state.put("b", status="waiting", wait={"type": "interrupt", "position": "node"})
    await stage.checkpoint(run_id, state, index=1)
    await stage.set(run_id, RunStatus.INTERRUPTED, spent={"tokens": 5}, suspension={"step": "b"})
    asked = await stage.ask(run_id, key="b")
    await stage.step(run_id, "b")
    task_id = await stage.remote_task(run_id, "leased")
    await stage.post(f"/runs/{run_id}/signals", {"type": "hello", "id": "s1"}, expect=202)
    child_id = await stage.child(run_id, "flow")
    fork_id = await stage.child(run_id, "flow", kind="fork")

    restarted = await stage.post("/runs/again/restart")

    assert (restarted["id"], restarted["generation"], restarted["status"]) == (run_id, 2, "queued")
    assert restarted["inputs"] == {"count": 7}
    assert (restarted["suspension"], restarted["spent"]["tokens"], restarted["pending_interrupts"]) == (None, 0, 0)
    assert (await stage.row(WorkflowInterrupt, asked)).status == "cancelled"
    assert (await stage.row(RemoteTask, task_id)).status == "cancelled"
    assert [step.status for step in await stage.rows(WorkflowStep, run_id)] == ["cancelled"]
    assert (await stage.run(child_id)).status == "cancelled"
    assert (await stage.run(fork_id)).status == "running"
    checkpoints = await stage.rows(WorkflowCheckpoint, run_id, WorkflowCheckpoint.index)
    assert [(one.index, one.generation) for one in checkpoints] == [(0, 1), (1, 1), (2, 2)]
    assert checkpoints[2].state == checkpoints[0].state == State.new({"count": 7}).to_document()
    events = await stage.rows(WorkflowRunEvent, run_id, WorkflowRunEvent.seq)
    assert [(event.type, event.generation) for event in events] == [
        ("run.queued", 1),
        ("signal.received", 1),
        ("step.cancelled", 1),
        ("interrupt.cancelled", 1),
        ("run.restarted", 2),
    ]
    # Signals are of their generation, and so is the id of one.
    await stage.post(f"/runs/{run_id}/signals", {"type": "hello", "id": "s1"}, expect=202)
    assert [signal.generation for signal in await stage.signals(run_id)] == [1, 2]


async def test_a_terminated_run_ends_with_everything_under_it_and_its_parent_is_told(stage: Stage) -> None:
    parent_id = (await stage.start("flow"))["id"]
    run_id = await stage.child(parent_id, "flow")
    child_id = await stage.child(run_id, "flow")
    grandchild_id = await stage.child(child_id, "flow")
    fork_id = await stage.child(run_id, "flow", kind="replay")
    await stage.set(parent_id, RunStatus.WAITING)

    ended = await stage.post(f"/runs/{run_id}/cancel", {"reason": "wrong customer"})

    assert (ended["status"], ended["error"]) == ("cancelled", {"type": "cancelled", "message": "wrong customer"})
    assert ended["finished_at"] is not None
    for below in (child_id, grandchild_id):
        run = await stage.run(below)
        assert run.status == "cancelled"
        assert run.error == {"type": "cancelled", "message": "The run that started it has ended"}
    assert (await stage.run(fork_id)).status == "running"
    for gone in (run_id, child_id, grandchild_id):
        assert (await stage.work(gone)).state == WorkState.CANCELLED
    parent = await stage.run(parent_id)
    assert (parent.status, parent.inbox) == ("queued", 1)
    told = await stage.told("workflow.run_finished")
    assert {one["run_id"] for one in told} == {run_id, child_id, grandchild_id}
    assert {one["status"] for one in told} == {"cancelled"}


async def test_only_a_run_that_has_ended_can_be_deleted(stage: Stage) -> None:
    run_id = (await stage.start("flow", run_id="gone"))["id"]
    await stage.remote_task(run_id)
    refused = await stage.send("DELETE", "/runs/gone")
    assert refused.status_code == 400
    assert refused.json()["current"] == "queued"
    await stage.post("/runs/gone/terminate")
    assert (await stage.send("DELETE", "/runs/gone")).status_code == 204
    assert (await stage.send("GET", "/runs/gone")).status_code == 404
    assert (await stage.send("DELETE", "/runs/gone")).status_code == 404
    assert await stage.rows(WorkflowRunEvent, run_id) == []
    assert await stage.rows(RemoteTask, run_id) == []
    assert await stage.audited(f"run:{run_id}") == ["run.cancelled", "run.deleted"]
    # The name is free again.
    await stage.start("flow", run_id="gone")


async def test_runs_of_others_are_not_found_and_scopes_decide(
    stage: Stage, other_tenant: Tenant, client: httpx.AsyncClient, database: Database
) -> None:
    run_id = (await stage.start("flow", run_id="mine"))["id"]
    theirs = Stage(client, database, other_tenant)
    for path in ("pause", "resume", "restart", "terminate", "cancel"):
        for name in ("mine", run_id):
            assert (await theirs.send("POST", f"/runs/{name}/{path}")).status_code == 404
        keyed = await client.post(f"{stage.tenant.url}/runs/mine/{path}", headers=stage.tenant.key_headers)
        assert keyed.status_code == 403
    assert (await theirs.send("DELETE", "/runs/mine")).status_code == 404
    assert (await stage.run(run_id)).status == "queued"
    assert await stage.event_types(run_id) == ["run.queued"]
