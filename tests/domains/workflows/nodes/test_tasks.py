"""Registered functions: who may name them, what they are given, what they may use."""

from functools import partial
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes.calls import NodeError, NodeResult, Suspend, Usage
from spectral.domains.workflows.nodes.standard_tasks import STANDARD, standard_registry
from spectral.domains.workflows.nodes.tasks import (
    GROUP,
    Task,
    TaskContext,
    TaskRegistrationError,
    TaskRegistry,
    TaskWork,
    load_tasks,
)
from tests.domains.workflows.nodes.calling import NOBODY, Lines, node_call

HERE = "tests.domains.workflows.nodes.test_tasks"


async def charge(context: TaskContext) -> Any:
    """What a package of an installation might bring."""
    context.log("charged", category="billing")
    return {
        "cents": context.inputs["cents"],
        "reference": f"{context.workflow}/{context.run_name}/{context.idempotency_key}/{context.attempt}",
        "params": dict(context.params),
        "shell": context.tools.admits("shell"),
    }


CHARGE = Task(
    charge,
    public=True,
    description="Charges a card.",
    inputs={
        "type": "object",
        "properties": {"cents": {"type": "integer", "minimum": 1, "default": 5}, "card": {"type": "string"}},
        "required": ["card"],
    },
)


async def ask(context: TaskContext) -> Any:
    if context.resume_data is None:
        return Suspend("how much?", {"so far": 1}, {"type": "object"}, 60)
    return NodeResult(context.resume_data, Usage(tokens=3))


async def hidden(context: TaskContext) -> Any:
    return context.run_name


async def run_shell(context: TaskContext) -> Any:
    return context.access.workspace_id is not None


def plain(context: TaskContext) -> Any:
    return context


@pytest.fixture
def work() -> TaskWork:
    registry = standard_registry()
    registry.add("acme.charge", CHARGE)
    registry.register("acme.ask", ask, public=True)
    registry.register("acme.hidden", hidden, public=False)
    registry.register("acme.shell", run_shell, public=True, requires=("shell", "acme.read"))
    assert "acme.hidden" in registry.names()
    assert set(registry.public()) == set(STANDARD) | {"acme.charge", "acme.ask", "acme.shell"}
    return TaskWork(registry)


async def test_a_task_is_called_with_what_it_needs(work: TaskWork) -> None:
    lines = Lines()
    params = {"function": "acme.charge", "card_type": "${inputs.card_type}"}
    call = node_call(
        None,
        NOBODY,
        NodeKind.TASK,
        params,
        inputs={"card": "4242"},
        run_inputs={"card_type": "visa"},
        attempt=2,
        journal=lines,
    )
    result = await work(call)
    assert isinstance(result, NodeResult)
    assert result.outputs == {
        "cents": 5,
        "reference": "orders/run/7/1/each[0]/step/1/2",
        "params": {"card_type": "visa"},
        "shell": False,
    }
    assert lines.said == [{"message": "charged", "level": "info", "category": "billing", "data": None}]
    call = node_call(None, NOBODY, NodeKind.TASK, {"function": "acme.charge"}, inputs={"cents": 0})
    with pytest.raises(NodeError) as failure:
        await work(call)
    assert (failure.value.type, failure.value.retryable) == ("invalid-inputs", False)
    assert "/cents: " in failure.value.message
    assert "card" in failure.value.message


async def test_a_task_may_ask_and_is_called_again_with_the_answer(work: TaskWork) -> None:
    asked = await work(node_call(None, NOBODY, NodeKind.TASK, {"function": "acme.ask"}))
    assert asked == Suspend("how much?", {"so far": 1}, {"type": "object"}, 60)
    answered = await work(node_call(None, NOBODY, NodeKind.TASK, {"function": "acme.ask"}, resume_data={"amount": 2}))
    assert answered == NodeResult({"amount": 2}, Usage(tokens=3))


async def test_only_what_the_step_lists_may_be_used(work: TaskWork) -> None:
    params = {"function": "acme.shell"}
    for tools in ((), ("*",), ("shell",), ("acme.*",)):
        with pytest.raises(NodeError) as failure:
            await work(node_call(None, NOBODY, NodeKind.TASK, params, tools=tools))
        assert failure.value.type == "tool-denied"
    result = await work(node_call(None, NOBODY, NodeKind.TASK, params, tools=("shell", "acme.*")))
    assert result == NodeResult(True)


async def test_an_expression_reaches_no_task_that_is_not_public(work: TaskWork) -> None:
    assert await work(node_call(None, NOBODY, NodeKind.TASK, {"function": "acme.hidden"})) == NodeResult("run")
    for params, given in (
        ({"function": "${inputs.name}"}, "acme.hidden"),
        ({"function": "${inputs.name}"}, "os.system"),
        ({"function": "acme.nothing"}, ""),
        ({"function": "${inputs.name}"}, 7),
    ):
        call = node_call(None, NOBODY, NodeKind.TASK, params, run_inputs={"name": given})
        with pytest.raises(NodeError) as failure:
            await work(call)
        assert (failure.value.type, failure.value.retryable) == ("unknown-task", False)
    named = node_call(None, NOBODY, NodeKind.TASK, {"function": "${inputs.n}"}, run_inputs={"n": "spectral.pass"})
    assert await work(named) == NodeResult(None)


@pytest.mark.parametrize(
    ("name", "task", "problem"),
    [
        ("charge", CHARGE, "words in lower case"),
        ("acme.Charge", CHARGE, "words in lower case"),
        ("acme.taken", CHARGE, "registered twice"),
        ("acme.plain", Task(plain, public=True, description=""), "not an async function"),
        ("acme.schema", Task(hidden, public=True, description="", inputs={"type": "thing"}), "no JSON Schema"),
        ("acme.tool", Task(hidden, public=True, description="", requires=("a shell",)), "name of a tool"),
    ],
    ids=["one_word", "capital", "taken", "plain", "schema", "tool"],
)
def test_what_cannot_be_registered_says_why(name: str, task: Task, problem: str) -> None:
    registry = TaskRegistry({"acme.taken": Task(partial(hidden), public=True, description="")})
    with pytest.raises(TaskRegistrationError, match=problem):
        registry.add(name, task)
    assert registry.find(name) is (None if name != "acme.taken" else registry.find("acme.taken"))


def test_a_package_brings_tasks_by_entry_points() -> None:
    point = EntryPoint("acme.charge", f"{HERE}:CHARGE", GROUP)
    assert load_tasks([point, point]) == {"acme.charge": CHARGE}


@pytest.mark.parametrize(
    ("points", "problem"),
    [
        ([("spectral.charge", "CHARGE")], "are ours"),
        ([("acme.charge", "charge")], "is not a spectral Task"),
        ([("acme.charge", "missing")], "cannot be loaded"),
        ([("acme.charge", "CHARGE"), ("acme.charge", "charge")], "registered twice"),
    ],
    ids=["ours", "function", "missing", "twice"],
)
def test_an_installed_task_that_cannot_be_used_stops_the_start(points: list[tuple[str, str]], problem: str) -> None:
    found = [EntryPoint(name, f"{HERE}:{value}", GROUP) for name, value in points]
    with pytest.raises(TaskRegistrationError, match=problem):
        load_tasks(found)
