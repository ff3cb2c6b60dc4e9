from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind
from spectral.domains.workflows.execution.state import State, changes_between
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun
from spectral.platform.db.session import Database
from tests.domains.workflows.runs.acting import INPUTS, Stage
from tests.fixtures.tenants import Tenant

TASK = {"function": "echo"}
STARTED = "2026-01-02T03:04:05+00:00"


def loop_back() -> Definition:
    """Of c an edge leads back to b: a → b → c; `each` stands beside."""
    body = Graph((Node("fetch", NodeKind.TASK, params=TASK),), ())
    nodes = (
        *(Node(each, NodeKind.TASK, params=TASK) for each in ("a", "b", "c", "never")),
        Node("each", NodeKind.FOREACH, params={"items": "${inputs.items}"}, bodies={"body": body}),
    )
    edges = (Edge("a", "b"), Edge("b", "c"), Edge("c", "b", "${output.again}", is_loopback=True), Edge("a", "each"))
    return Definition(name="looping", graph=Graph(nodes, (*edges, Edge("c", "never", "${false}"))), inputs=INPUTS)


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(loop_back())
    return stage


class History:
    """Checkpoints of a run, each written as what changed since the one before."""

    def __init__(self, stage: Stage, run_id: str) -> None:
        self.stage = stage
        self.run_id = run_id
        self.state = State.new({"count": 1})
        self.index = 0
        self.written = self.state.to_document()

    async def write(
        self, *, full: bool = False, next_nodes: tuple[str, ...] = (), **entries: dict[str, Any] | None
    ) -> int:
        """The next checkpoint; entries by key, `__` for what a keyword cannot hold; None takes one out."""
        for name, values in entries.items():
            key = name.replace("__", "[0]/")
            if values is None:
                self.state.forget([key])
            else:
                self.state.put(key, **({"iteration": 1, "started_at": STARTED} | values))
        self.index += 1
        document = self.state.to_document()
        changed = document if full else changes_between(self.written, document)
        row = WorkflowCheckpoint(
            workspace_id=self.stage.tenant.workspace_id,
            run_id=(await self.stage.run(self.run_id)).id,
            index=self.index,
            generation=1,
            full=full,
            state=changed,
            last_node=None,
            next_nodes=list(next_nodes),
            steps_completed=0,
        )
        await self.stage.add(row)
        async with self.stage.database.transaction(self.stage.tenant.access) as session:
            mine = (WorkflowRun.workspace_id == row.workspace_id, WorkflowRun.id == row.run_id)
            await session.execute(sa.update(WorkflowRun).where(*mine).values(next_index=self.index + 1))
        self.written = document
        return self.index


async def history(stage: Stage) -> History:
    """A run that ran a, then b and c twice, and a foreach beside; of which everything has ended."""
    started = await stage.start("looping", run_id="source", user_id="jane", metadata={"team": "red"}, tags=["x"])
    told = History(stage, started["id"])
    state = told.state
    await told.write(a={"status": "running"})
    state.document["context"] = {"total": 1, "kept": True}
    # As an execution writes it: what ends and what begins after it are one commit.
    await told.write(
        next_nodes=("b", "each[0]/fetch"),
        a={"status": "succeeded", "outputs": {"n": 1}, "edges": {"b": True, "each": True}},
        b={"status": "running"},
        each={"status": "running", "container": True, "items": [7], "results": {}, "next": 1, "active": [0]},
        each__fetch={"status": "running"},
    )
    await told.write(
        b={"status": "succeeded", "outputs": 1, "edges": {"c": True}},
        c={"status": "running"},
        each__fetch={"status": "succeeded", "outputs": "f", "edges": {}},
    )
    state.document["context"] = {"total": 2, "kept": True}
    # The loopback fires: both are pending again, and b begins at once.
    state.nodes["c"] = {"status": "pending", "iteration": 2, "outputs": {"again": True}}
    await told.write(full=True, b={"status": "running", "iteration": 2, "outputs": 1}, each__fetch=None)
    await told.write(
        b={"status": "succeeded", "iteration": 2, "outputs": 2, "edges": {"c": True}},
        c={"status": "waiting", "iteration": 2, "wait": {"type": "retry"}},
        each={"status": "succeeded", "outputs": {"results": ["f"]}, "edges": {}},
    )
    await told.write(
        c={"status": "succeeded", "iteration": 2, "outputs": {"again": False}, "wait": None, "edges": {"never": False}},
        never={"status": "unreached", "started_at": None},
    )
    for ordinal, key in enumerate(("a", "b", "each", "each[0]/fetch", "c")):
        await stage.step(told.run_id, key, kind="task", status="succeeded", ordinal=ordinal)
    await stage.set(told.run_id, RunStatus.SUCCEEDED, outputs={"done": True})
    return told


async def beginning(stage: Stage, run_id: str) -> dict[str, Any]:
    """The state that a run begins with."""
    (first,) = await stage.rows(WorkflowCheckpoint, run_id)
    state: dict[str, Any] = first.state
    return state


def statuses(state: dict[str, Any]) -> dict[str, str]:
    return {key: entry["status"] for key, entry in state["nodes"].items()}


async def test_a_fork_begins_with_the_state_of_its_checkpoint(stage: Stage) -> None:
    source = await history(stage)
    before = await stage.get("/runs/source"), await stage.get("/runs/source/checkpoints")
    patch = {
        "context": {"total": 5, "kept": None},
        "artifacts": {"new": {"a": 1}},
        "nodes": {"a": {"outputs": "other"}},
    }
    answer = await stage.send(
        "POST", "/runs/source/fork", {"checkpoint_index": 2, "run_id": "forked", "state": patch, "inputs": {"count": 9}}
    )
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"{stage.tenant.url}/runs/forked"
    forked = answer.json()
    assert forked["parent"] == {"run_id": source.run_id, "kind": "fork", "step": None, "index": 2}
    assert (forked["status"], forked["inputs"], forked["user_id"]) == ("queued", {"count": 9}, "jane")
    assert (forked["metadata"], forked["tags"]) == ({"team": "red"}, ["x"])
    state = await beginning(stage, forked["id"])
    assert statuses(state) == {"a": "succeeded", "b": "pending", "each": "running", "each[0]/fetch": "pending"}
    assert state["nodes"]["a"]["outputs"] == "other"
    assert (state["inputs"], state["context"], state["artifacts"]) == ({"count": 9}, {"total": 5}, {"new": {"a": 1}})
    assert (await stage.get("/runs/source"), await stage.get("/runs/source/checkpoints")) == (
        before[0] | {"children": 1},
        before[1],
    )
    assert await stage.audited(f"run:{forked['id']}") == ["run.forked"]
    # A restart of it begins where it began, not where its source did.
    await stage.post("/runs/forked/restart")
    assert (await stage.get("/runs/forked/checkpoints/1"))["state"] == state


async def test_a_replay_begins_where_the_step_began_for_the_last_time(stage: Stage) -> None:
    await history(stage)

    async def replayed(step: str, **body: Any) -> dict[str, Any]:
        run = await stage.post("/runs/source/replay", {"step": step, **body}, expect=202)
        assert run["parent"]["kind"] == "replay"
        return {**run, "begins": await beginning(stage, run["id"])}

    second = await replayed("b")
    assert (second["parent"]["step"], second["parent"]["index"]) == ("b", 4)
    assert second["current_nodes"] == ["b"]
    assert statuses(second["begins"]) == {"a": "succeeded", "b": "pending", "c": "pending", "each": "running"}
    assert second["begins"]["nodes"]["b"] == {"status": "pending", "iteration": 2}
    assert second["begins"]["context"] == {"total": 2, "kept": True}
    last = await replayed("c", input={"given": 1})
    assert last["parent"]["index"] == 5
    assert last["begins"]["nodes"]["c"] == {
        "status": "pending",
        "iteration": 2,
        "inputs": {"given": 1},
        "given": True,
    }
    assert statuses(last["begins"]) == {"a": "succeeded", "b": "succeeded", "c": "pending", "each": "succeeded"}
    null = await replayed("a", input=None)
    assert null["parent"]["index"] == 1
    assert null["begins"]["nodes"] == {"a": {"status": "pending", "iteration": 1, "inputs": None, "given": True}}
    inner = await replayed("fetch", state={"context": {"total": 0}})
    assert inner["parent"]["step"] == "each[0]/fetch"
    assert inner["begins"]["nodes"]["each[0]/fetch"] == {"status": "pending", "iteration": 1}
    assert inner["begins"]["context"]["total"] == 0
    # A container begins anew, with nothing of what its bodies did.
    whole = await replayed("each")
    assert whole["begins"]["nodes"]["each"] == {"status": "pending", "iteration": 1}
    assert "each[0]/fetch" not in whole["begins"]["nodes"]


async def test_what_does_not_exist_is_named_with_what_does(stage: Stage) -> None:
    await history(stage)
    cases: list[tuple[str, dict[str, Any], int, str]] = [
        ("fork", {"checkpoint_index": 7}, 404, "Checkpoint 7 of this run, which has 0 to 6, not found"),
        ("replay", {"step": "d"}, 404, "Step d of this run, which has a, b, each, each[0]/fetch, c, not found"),
        ("replay", {"step": "never"}, 400, "The run never came to the step never"),
        ("fork", {"checkpoint_index": 1, "inputs": {"count": 0}}, 422, "/inputs/count"),
        ("fork", {"checkpoint_index": 1, "state": {"nodes": {"a": {"outputs": 1}}}}, 422, "/state/nodes/a"),
        ("fork", {"checkpoint_index": -1}, 422, "/checkpoint_index"),
        ("fork", {"checkpoint_index": 0, "run_id": "source"}, 409, "There is a run source already"),
        ("fork", {"checkpoint_index": 0, "state": {"errors": []}}, 422, "/state/errors"),
        ("fork", {"checkpoint_index": 0, "state": {"context": {"x": "y" * (4 * 1024 * 1024)}}}, 422, "/state"),
        ("replay", {"input": 1}, 422, "/step"),
    ]
    for path, body, status, told in cases:
        refused = await stage.send("POST", f"/runs/source/{path}", body)
        assert refused.status_code == status, refused.text
        problem = refused.json()
        assert told in (problem["detail"], *(one["pointer"] for one in problem.get("errors", [])))
    assert (await stage.get("/runs"))["pagination"]["total"] == 1


async def test_nobody_forks_runs_of_others(
    stage: Stage, client: httpx.AsyncClient, database: Database, other_tenant: Tenant
) -> None:
    run_id = (await stage.start("looping", run_id="mine"))["id"]
    theirs = Stage(client, database, other_tenant)
    for name in ("mine", run_id):
        assert (await theirs.send("POST", f"/runs/{name}/fork", {"checkpoint_index": 0})).status_code == 404
        assert (await theirs.send("POST", f"/runs/{name}/replay", {"step": "a"})).status_code == 404
    assert (await theirs.get("/runs"))["results"] == []
