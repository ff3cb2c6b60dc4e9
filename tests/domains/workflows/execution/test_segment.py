"""Runs as the engine executes them: what is stored, what waits, what comes back, what is left after a crash."""

import asyncio
from typing import Any, cast

import pytest
import sqlalchemy as sa

from spectral.domains.workflows.definitions.model import (
    Budget,
    Definition,
    Evaluation,
    Graph,
    Node,
    NodeKind,
    Question,
    Retries,
)
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import RemoteTask, WorkflowRun
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult, Suspend, Usage
from tests.domains.workflows.execution.conftest import Runs
from tests.domains.workflows.execution.test_scheduler import chain, task


def outputs_of(run: WorkflowRun) -> Any:
    return run.outputs


async def test_a_run_ends_with_its_outputs_and_leaves_its_history(runs: Runs) -> None:
    async def double(call: NodeCall) -> Any:
        return call.inputs["n"] * 2

    runs.functions["b"] = double
    run_id = await runs.start(Definition("x", chain(task("a"), task("b"))), {"n": 21})

    run = await runs.until(run_id)

    assert (run.status, run.outputs, run.error) == ("succeeded", 42, None)
    events = await runs.events(run_id)
    assert [event.type for event in events] == [
        "run.queued",
        "run.started",
        "step.started",
        "step.completed",
        "step.started",
        "step.completed",
        "run.succeeded",
    ]
    assert [event.seq for event in events] == list(range(1, 8))
    assert run.last_seq == 7
    steps = await runs.steps(run_id)
    assert [(step.key, step.status, step.attempts, step.outputs) for step in steps] == [
        ("a", "succeeded", 1, {"n": 21}),
        ("b", "succeeded", 1, 42),
    ]
    assert steps[1].inputs == {"n": 21}


async def test_a_waiting_run_is_woken_by_its_event_and_one_that_came_before_is_kept(runs: Runs) -> None:
    wait = Node("wait", NodeKind.WAIT_EVENT, params={"event": "go"})
    after = Node("again", NodeKind.WAIT_EVENT, params={"event": "go"})
    run_id = await runs.start(Definition("x", chain(wait, after)))
    await runs.until(run_id, RunStatus.WAITING)

    await runs.signal(run_id, "other", 0)
    await runs.signal(run_id, "go", 1)
    await runs.signal(run_id, "go", 2)
    run = await runs.until(run_id)

    assert outputs_of(run)["payload"] == 2
    assert [(step.key, cast("Any", step.outputs)["payload"]) for step in await runs.steps(run_id)] == [
        ("wait", 1),
        ("again", 2),
    ]


async def test_an_event_that_does_not_come_ends_its_wait(runs: Runs) -> None:
    definition = Definition(
        "x",
        Graph(
            (
                Node("a", NodeKind.WAIT_EVENT, params={"event": "go", "timeout_s": 0.1, "on_timeout": "continue"}),
                Node("b", NodeKind.SLEEP, params={"seconds": 0.05}),
            ),
            (),
        ),
    )
    run = await runs.until(await runs.start(definition))

    assert run.status == "succeeded"
    assert outputs_of(run)["a"]["timed_out"]


async def test_a_question_is_asked_and_its_answer_is_the_output(runs: Runs) -> None:
    ask = Node("ask", NodeKind.INTERRUPT, params={"title": "May ${inputs.who}?"})
    run_id = await runs.start(Definition("x", chain(ask)), {"who": "she"})
    run = await runs.until(run_id, RunStatus.INTERRUPTED)
    (asked,) = await runs.interrupts(run_id)

    assert asked.title == "May she?"
    assert run.suspension is not None
    assert run.suspension["step"] == "ask"
    await runs.answer(run_id)
    run = await runs.until(run_id)

    assert outputs_of(run)["approved"] is True
    assert outputs_of(run)["answered_by"] == "user:x"


async def test_a_node_that_asks_first_runs_after_its_approval_and_not_after_a_refusal(runs: Runs) -> None:
    definition = Definition("x", chain(task("a", interrupt_before=Question("Run?")), task("b")))
    version = await runs.define(definition)
    approved, refused = await runs.start(version), await runs.start(version)
    for run_id in (approved, refused):
        await runs.until(run_id, RunStatus.INTERRUPTED)

    assert runs.calls == []
    await runs.answer(approved)
    await runs.answer(refused, "rejected")

    assert (await runs.until(approved)).status == "succeeded"
    run = await runs.until(refused)
    assert run.error is not None
    assert (run.status, run.error["type"]) == ("failed", "rejected")
    assert runs.calls == ["a", "b"]


async def test_a_node_that_suspends_runs_again_with_what_it_was_given(runs: Runs) -> None:
    async def order(call: NodeCall) -> Any:
        if call.resume_data is None:
            return Suspend("Which size?", data={"sizes": [1, 2]})
        return {"size": call.resume_data["data"]}

    runs.functions["order"] = order
    run_id = await runs.start(Definition("x", chain(task("order"))))
    run = await runs.until(run_id, RunStatus.AWAITING_INPUT)
    assert run.suspension is not None
    assert run.suspension["data"] == {"sizes": [1, 2]}

    await runs.answer(run_id, "answered", 2)

    assert (await runs.until(run_id)).outputs == {"size": 2}


async def test_what_fails_is_tried_again_after_its_delay(runs: Runs) -> None:
    attempts: list[int] = []

    async def flaky(call: NodeCall) -> Any:
        attempts.append(call.attempt)
        if len(attempts) < 3:
            raise NodeError("flaky", "not yet")
        return "done"

    runs.functions["flaky"] = flaky
    run = await runs.until(await runs.start(Definition("x", chain(task("flaky", retries=Retries(3, 0.02))))))

    assert (run.outputs, attempts) == ("done", [1, 2, 3])


async def test_a_node_that_takes_too_long_has_failed(runs: Runs) -> None:
    async def slow(_: NodeCall) -> Any:
        await asyncio.sleep(30)

    runs.functions["slow"] = slow
    run = await runs.until(await runs.start(Definition("x", chain(task("slow", timeout_s=0.05)))))

    assert run.error is not None
    assert run.error["type"] == "timeout"


async def test_a_race_ends_with_its_first_branch_and_stops_the_others(runs: Runs) -> None:
    stopped = asyncio.Event()

    async def slow(_: NodeCall) -> Any:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            stopped.set()
            raise

    runs.functions["slow"] = slow
    race = Node("race", NodeKind.RACE, bodies={"slow": chain(task("slow")), "fast": chain(task("fast"))})

    run = await runs.until(await runs.start(Definition("x", chain(race)), {"n": 1}))

    assert run.outputs == {"winner": "fast", "result": {"n": 1}}
    await asyncio.wait_for(stopped.wait(), 5)


async def test_an_event_ends_a_wait_beside_a_node_that_works_on(runs: Runs) -> None:
    hold = asyncio.Event()

    async def long(_: NodeCall) -> Any:
        await hold.wait()
        return "long"

    runs.functions["long"] = long
    waiting = chain(Node("go", NodeKind.WAIT_EVENT, params={"event": "go"}), task("after"))
    both = Node("both", NodeKind.ALL, bodies={"long": chain(task("long")), "wait": waiting})
    run_id = await runs.start(Definition("x", chain(both)))
    async with asyncio.timeout(10):
        while "both[long]/long" not in runs.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        await runs.signal(run_id, "go", 1)
        while "both[wait]/after" not in runs.calls:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    hold.set()

    run = await runs.until(run_id)

    assert outputs_of(run)["long"] == "long"


async def test_a_child_runs_and_its_parent_goes_on_with_its_outputs(runs: Runs) -> None:
    await runs.define(Definition("child", chain(Node("nap", NodeKind.SLEEP, params={"seconds": 0.05}), task("c"))))
    sub = Node("sub", NodeKind.SUBFLOW, params={"workflow": "child", "inputs": {"x": "${inputs.x}"}})
    parent_id = await runs.start(Definition("parent", chain(sub, task("end"))), {"x": 5})

    run = await runs.until(parent_id)

    assert run.status == "succeeded", run.error
    assert "slept_until" in outputs_of(run)


async def test_a_child_that_fails_fails_the_node_that_started_it(runs: Runs) -> None:
    async def broken(_: NodeCall) -> Any:
        raise NodeError("broken", "it broke", retryable=False)

    runs.functions["broken"] = broken
    await runs.define(Definition("child", chain(task("broken"))))
    run = await runs.until(
        await runs.start(Definition("p", chain(Node("sub", NodeKind.SUBFLOW, params={"workflow": "child"}))))
    )

    assert run.error == {"node": "sub", "type": "broken", "message": "it broke"}


async def test_a_run_that_spends_more_than_its_budget_ends(runs: Runs) -> None:
    async def spend(call: NodeCall) -> Any:
        return NodeResult({"left": call.left.tokens}, Usage(tokens=60, cost_nano_usd=10))

    runs.functions["a"] = runs.functions["b"] = runs.functions["c"] = spend
    definition = Definition("x", chain(task("a"), task("b"), task("c")), budget=Budget(max_tokens=100))

    run = await runs.until(await runs.start(definition))

    assert run.error is not None
    assert run.error["type"] == "budget-exhausted"
    assert run.spent == {"tokens": 120, "cost_nano_usd": 20}
    assert runs.calls == ["a", "b"]


@pytest.mark.parametrize(
    "outputs", [float("nan"), "x" * (1024 * 1024), {"x": object()}, "\x00"], ids=["nan", "large", "no-json", "nul"]
)
async def test_outputs_that_cannot_be_kept_fail_their_node(runs: Runs, outputs: Any) -> None:
    async def odd(_: NodeCall) -> Any:
        return outputs

    runs.functions["odd"] = odd
    run = await runs.until(await runs.start(Definition("x", chain(task("odd")))))

    assert run.error is not None
    assert run.error["type"] in {"invalid-output", "output-too-large"}


async def test_what_a_node_says_is_told_in_order_before_its_end(runs: Runs) -> None:
    async def talk(call: NodeCall) -> Any:
        for word in ("to", "ken", "s"):
            call.journal.token(word)
        call.journal.log("half way", level="warn", category="progress", data={"password": "hidden"})
        await asyncio.sleep(0.15)
        call.journal.token("end")
        return 1

    runs.functions["talk"] = talk
    run_id = await runs.start(Definition("x", chain(task("talk"))))
    await runs.until(run_id)

    told = [(event.type, event.data.get("text") or event.data.get("message")) for event in await runs.events(run_id)]

    assert told[3:7] == [("token", "tokens"), ("log", "half way"), ("token", "end"), ("step.completed", None)]
    (line,) = [event for event in await runs.events(run_id) if event.type == "log"]
    assert (line.level, line.category) == ("warn", "progress")
    assert "hidden" not in str(line.data)


async def test_a_run_of_many_steps_is_made_again_from_its_checkpoints(runs: Runs) -> None:
    names = [f"s{number}" for number in range(80)]
    run_id = await runs.start(Definition("x", chain(*(task(name) for name in names))), {"n": 1})
    await runs.until(run_id)

    state = await runs.state(run_id)

    assert list(state.nodes) == names
    assert {entry["status"] for entry in state.nodes.values()} == {"succeeded"}


async def test_the_outputs_are_judged_before_the_last_event(runs: Runs) -> None:
    runs.scores = {"scores": {"quality": 0.5}, "summary": "fair"}
    run_id = await runs.start(Definition("x", chain(task("a")), evaluation=Evaluation("r")))
    await runs.until(run_id)

    types = [event.type for event in await runs.events(run_id)]

    assert types[-3:] == ["evaluation.started", "evaluation.completed", "run.succeeded"]


async def test_what_the_losers_of_a_race_waited_for_is_not_wanted_any_more(runs: Runs) -> None:
    nap = Node("nap", NodeKind.SLEEP, params={"seconds": 60})
    await runs.define(Definition("child", chain(nap)))
    ask = Node("ask", NodeKind.INTERRUPT, params={"title": "Well?"})
    sub = Node("sub", NodeKind.SUBFLOW, params={"workflow": "child"})
    work = Node("work", NodeKind.REMOTE, params={"queue": "press"})
    brief = Node("brief", NodeKind.SLEEP, params={"seconds": 0.3})
    branches = {"ask": chain(ask), "sub": chain(sub), "work": chain(work), "brief": chain(brief)}
    run_id = await runs.start(Definition("x", chain(Node("race", NodeKind.RACE, bodies=branches))))

    run = await runs.until(run_id)

    assert outputs_of(run)["winner"] == "brief"
    assert [asked.status for asked in await runs.interrupts(run_id)] == ["cancelled"]
    async with runs.database.transaction(runs.access, read_only=True) as session:
        mine = WorkflowRun.workspace_id == runs.access.workspace_id, WorkflowRun.parent_run_id == run_id
        children = (await session.scalars(sa.select(WorkflowRun.status).where(*mine))).all()
        asked = RemoteTask.workspace_id == runs.access.workspace_id
        tasks = (await session.scalars(sa.select(RemoteTask.status).where(asked))).all()
    assert (list(children), list(tasks)) == (["cancelled"], ["cancelled"])
