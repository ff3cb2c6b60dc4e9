"""Runs that are really executed, in this process: what people do to them while and after they run."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from litestar import Litestar

from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.models import WorkflowStep
from spectral.domains.workflows.nodes.tasks import TaskContext, TaskRegistry
from spectral.platform.db.session import Database
from spectral.platform.engine.work import WorkState
from spectral.settings import Settings
from tests.domains.workflows.runs.acting import PATIENCE_S, Stage
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import register_tenant


@dataclass
class Machine:
    """Tasks that count how often they ran, and one that works until it is let go."""

    ran: list[str] = field(default_factory=list)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    def register(self, registry: TaskRegistry) -> None:
        registry.register("test.count", self.count, public=True)
        registry.register("test.work", self.work, public=True)

    async def count(self, context: TaskContext) -> Any:
        self.ran.append(context.key)
        return {"n": len(self.ran)}

    async def work(self, context: TaskContext) -> Any:
        self.ran.append(context.key)
        self.begun.set()
        await self.go_on.wait()
        return {"by": context.attempt}


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
async def stage(
    settings: Settings, create_app: Callable[[Settings], Litestar], database: Database, machine: Machine
) -> AsyncIterator[Stage]:
    app = create_app(settings.model_copy(update={"engine_executes": True}))
    machine.register(app.state["task_registry"])
    async with in_process(app) as client:
        yield Stage(client, database, await register_tenant(client, "ours"))


async def begin(stage: Stage, source: str, *, expect: int = 200, **body: Any) -> dict[str, Any]:
    """A run of the document, when it has settled."""
    sent = {"source": source, "wait": PATIENCE_S, **body}
    started = await stage.post("/runs", sent, expect=expect)
    assert isinstance(started, dict)
    return started


FLOW = """
name: order
steps:
  - {id: count, kind: task, function: test.count}
  - {id: approve, kind: interrupt, title: "Is ${steps.count.outputs.n} right?"}
  - {id: paid, kind: wait_event, event: paid}
  - id: address
    kind: task
    function: spectral.suspend
    inputs: {reason: where to, schema: {type: object, required: [street]}}
  - {id: last, kind: task, function: test.count}
outputs:
  first: ${steps.count.outputs.n}
  paid: ${steps.paid.outputs.payload}
  last: ${steps.last.outputs.n}
"""


async def test_a_run_is_answered_signalled_and_resumed_to_its_end_then_forked_and_replayed(
    stage: Stage, machine: Machine
) -> None:
    run = await begin(stage, FLOW)
    run_id = run["id"]
    assert (run["status"], run["suspension"]["step"]) == ("interrupted", "approve")
    (asked,) = (await stage.get("/interrupts?status=pending"))["results"]
    assert asked["title"] == "Is 1 right?"
    # Sent before anything waits for it: kept.
    await stage.post(f"/runs/{run_id}/signals", {"type": "paid", "payload": 5, "id": "p1"}, expect=202)
    answered = await stage.post(f"/interrupts/{asked['id']}/answer", {"approved": True, "wait": PATIENCE_S})
    assert (answered["run"]["status"], answered["run"]["suspension"]["step"]) == ("awaiting_input", "address")
    refused = await stage.send("POST", f"/runs/{run_id}/resume", {"data": {}})
    assert refused.json()["errors"][0]["pointer"] == "/data"
    ended = await stage.post(f"/runs/{run_id}/resume", {"data": {"street": "Elm"}, "wait": PATIENCE_S})
    assert (ended["status"], ended["error"]) == ("succeeded", None)
    assert ended["outputs"].items() >= {"first": 1, "paid": 5, "last": 2}.items()
    assert machine.ran == ["count", "last"]

    replayed = await stage.post(f"/runs/{run_id}/replay", {"step": "last", "wait": PATIENCE_S})
    assert replayed["status"] == "succeeded"
    assert replayed["outputs"].items() >= {"first": 1, "paid": 5, "last": 3}.items()
    assert [step.key for step in await stage.rows(WorkflowStep, replayed["id"])] == ["last"]
    # From every checkpoint a run goes on with what had not ended there, and does nothing else.
    for checkpoint in (await stage.get(f"/runs/{run_id}/checkpoints"))["results"]:
        index = checkpoint["index"]
        state = (await stage.get(f"/runs/{run_id}/checkpoints/{index}"))["state"]["nodes"]
        done = {key for key, entry in state.items() if entry["status"] == "succeeded"}
        machine.ran.clear()
        forked = await stage.post(f"/runs/{run_id}/fork", {"checkpoint_index": index}, expect=202)
        await stage.send("POST", f"/runs/{forked['id']}/signals", {"type": "paid", "payload": 5})
        rests = await stage.until(forked["id"], "interrupted", "awaiting_input", "succeeded")
        asks = next((step for step in ("approve", "address") if step not in done), None)
        assert (rests.suspension or {}).get("step") == asks
        assert not {step.key for step in await stage.rows(WorkflowStep, forked["id"])} & done
        assert not set(machine.ran) & done
    assert (await stage.get(f"/runs/{run_id}"))["outputs"] == ended["outputs"]


async def test_a_pause_at_once_stops_the_step_and_its_late_result_counts_for_nothing(
    stage: Stage, machine: Machine
) -> None:
    source = "name: long\nsteps:\n  - {id: work, kind: task, function: test.work}\n"
    run_id = (await stage.post("/runs", {"source": source}, expect=202))["id"]
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    paused = await stage.post(f"/runs/{run_id}/pause", {"mode": "now", "reason": "stop"})
    assert paused["status"] == "paused"
    machine.go_on.set()
    resumed = await stage.post(f"/runs/{run_id}/resume", {"wait": PATIENCE_S})
    assert resumed["status"] == "succeeded"
    assert machine.ran == ["work", "work"]
    events = await stage.event_types(run_id)
    assert events.count("step.completed") == 1


async def test_a_pause_at_the_boundary_lets_the_step_end(stage: Stage, machine: Machine) -> None:
    source = (
        "name: two\nsteps:\n  - {id: work, kind: task, function: test.work}\n"
        "  - {id: after, kind: task, function: test.count}\n"
    )
    run_id = (await stage.post("/runs", {"source": source}, expect=202))["id"]
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    assert (await stage.post(f"/runs/{run_id}/pause"))["status"] == "pausing"
    machine.go_on.set()
    await stage.until(run_id, "paused")
    assert machine.ran == ["work"]
    resumed = await stage.post(f"/runs/{run_id}/resume", {"wait": PATIENCE_S})
    assert (resumed["status"], machine.ran) == ("succeeded", ["work", "after"])


async def test_terminate_and_restart_fence_what_is_in_flight(stage: Stage, machine: Machine) -> None:
    source = "name: long\nsteps:\n  - {id: work, kind: task, function: test.work}\n"
    run_id = (await stage.post("/runs", {"source": source}, expect=202))["id"]
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    ended = await stage.post(f"/runs/{run_id}/terminate", {"reason": "enough"})
    assert ended["status"] == "cancelled"
    assert (await stage.work(run_id)).state == WorkState.CANCELLED
    machine.begun.clear()
    again = await stage.post(f"/runs/{run_id}/restart")
    assert again["generation"] == 2
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    # Once more, while the second generation is at work.
    machine.begun.clear()
    await stage.post(f"/runs/{run_id}/restart")
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    machine.go_on.set()
    run = await stage.until(run_id, "succeeded")
    assert (run.generation, machine.ran) == (3, ["work"] * 3)
    steps = await stage.rows(WorkflowStep, run_id, WorkflowStep.generation)
    assert [(step.generation, step.status) for step in steps] == [
        (1, "cancelled"),
        (2, "cancelled"),
        (3, "succeeded"),
    ]
    types = await stage.event_types(run_id)
    assert types.count("step.completed") == 1
    assert types.count("run.restarted") == 2


async def test_a_run_under_another_ends_with_it_and_the_other_hears_of_its_end(stage: Stage, machine: Machine) -> None:
    work = Node("work", NodeKind.TASK, params={"function": "test.work"})
    await stage.define(Definition(name="child", graph=Graph((work,), ())))
    source = "name: parent\nsteps:\n  - {id: sub, kind: subflow, workflow: child}\n"
    first = (await stage.post("/runs", {"source": source}, expect=202))["id"]
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    (below,) = (await stage.get(f"/runs?parent={first}"))["results"]
    await stage.post(f"/runs/{first}/terminate")
    assert (await stage.run(below["id"])).status == "cancelled"
    machine.begun.clear()
    second = (await stage.post("/runs", {"source": source}, expect=202))["id"]
    await asyncio.wait_for(machine.begun.wait(), PATIENCE_S)
    (below,) = (await stage.get(f"/runs?parent={second}"))["results"]
    await stage.post(f"/runs/{below['id']}/terminate", {"reason": "not this one"})
    parent = await stage.until(second, "failed", "succeeded")
    assert (parent.status, (parent.error or {}).get("message")) == ("failed", "not this one")
