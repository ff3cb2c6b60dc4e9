"""The tasks that every installation has."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.nodes.calls import NodeError, NodeResult, Suspend
from spectral.domains.workflows.nodes.standard_tasks import STANDARD, standard_registry
from spectral.domains.workflows.nodes.tasks import TaskWork
from tests.domains.workflows.nodes.calling import NOBODY, Lines, node_call

Run = Callable[..., Awaitable[Any]]


@pytest.fixture
def run() -> Run:
    """Calls a task by the second part of its name: what comes back are its outputs, or what it asks."""
    work = TaskWork(standard_registry())

    async def run(name: str, inputs: Any = None, **changes: Any) -> Any:
        call = node_call(None, NOBODY, NodeKind.TASK, {"function": f"spectral.{name}"}, inputs=inputs, **changes)
        outcome = await work(call)
        return outcome.outputs if isinstance(outcome, NodeResult) else outcome

    return run


def test_all_of_them_are_for_everybody_and_need_no_tools() -> None:
    for name, task in STANDARD.items():
        assert name.startswith("spectral.")
        assert task.public
        assert task.description
        assert not task.requires


async def test_they_do_what_they_say(run: Run) -> None:
    assert await run("pass", {"a": [1]}) == {"a": [1]}
    assert await run("pass") is None
    lines = Lines()
    await run("log", {"message": "so", "level": "warn", "category": "c", "data": {"n": 1}}, journal=lines)
    assert lines.said == [{"message": "so", "level": "warn", "category": "c", "data": {"n": 1}}]
    objects = [{"a": {"x": 1}, "b": 1}, None, {"a": {"y": 2}}]
    assert await run("merge", {"objects": objects}) == {"a": {"y": 2}, "b": 1}
    assert await run("merge", {"objects": objects, "deep": True}) == {"a": {"x": 1, "y": 2}, "b": 1}
    assert (await run("now"))["at"].endswith("Z")
    first, second = await run("uuid"), await run("uuid", attempt=2)
    assert first == second
    assert first != await run("uuid", idempotency_key="another")


async def test_failing_is_as_the_step_says(run: Run) -> None:
    with pytest.raises(NodeError, match="out of stock") as failure:
        await run("fail", {"message": "out of stock", "type": "stock", "retryable": False})
    assert (failure.value.type, failure.value.retryable) == ("stock", False)
    with pytest.raises(NodeError) as failure:
        await run("fail", {"message": "not yet", "until_attempt": 3}, attempt=2)
    assert (failure.value.type, failure.value.retryable) == ("failed", True)
    assert (await run("fail", {"message": "not yet", "until_attempt": 3}, attempt=3))["message"] == "not yet"


async def test_a_value_is_checked_against_a_schema(run: Run) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["m"]}
    found = await run("validate", {"value": {"n": "x"}, "schema": schema})
    assert not found["valid"]
    assert {error["pointer"] for error in found["errors"]} == {"", "/n"}
    assert await run("validate", {"value": {"n": 1, "m": 2}, "schema": schema}) == {"valid": True, "errors": []}


async def test_asking_gives_back_the_answer(run: Run) -> None:
    asked = await run("suspend", {"reason": "why?", "data": 1, "schema": {"type": "object"}, "timeout_s": 5})
    assert asked == Suspend("why?", 1, {"type": "object"}, 5)
    assert await run("suspend", {"reason": "why?"}, resume_data={"so": True}) == {"data": {"so": True}}


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("fail", {}),
        ("fail", {"message": "x", "type": "Not A Slug"}),
        ("log", {"message": "x", "level": "loud"}),
        ("log", None),
        ("suspend", {"reason": "x", "timeout_s": 0}),
        ("suspend", {"reason": "x", "schema": {"type": "thing"}}),
        ("validate", {"value": 1, "schema": {"$ref": "https://elsewhere.example/schema"}}),
        ("validate", {"value": 1, "schema": {"type": 7}}),
        ("merge", {"objects": [1]}),
        ("merge", {"objects": [], "more": 1}),
    ],
    ids=str,
)
async def test_inputs_that_do_not_fit_fail_for_good(run: Run, name: str, inputs: Any) -> None:
    with pytest.raises(NodeError) as failure:
        await run(name, inputs)
    assert (failure.value.type, failure.value.retryable) == ("invalid-inputs", False)
