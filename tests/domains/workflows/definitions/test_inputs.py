"""What a run is started with fits the workflow's schema, or every wrong place is named."""

from typing import Any

import pytest

from spectral.domains.workflows.definitions.inputs import check_inputs
from spectral.domains.workflows.definitions.json_schemas import schema_failures, schema_problem
from spectral.domains.workflows.definitions.model import Definition, Graph
from spectral.domains.workflows.errors import InvalidInputsError

DEFINITION = Definition(
    "x",
    Graph((), ()),
    inputs={
        "type": "object",
        "properties": {
            "count": {"type": "integer", "default": 3},
            "who": {"type": "string", "pattern": "^[a-z]+$"},
            "options": {"type": "object", "properties": {"tags": {"type": "array", "default": ["a"]}}},
        },
        "required": ["who"],
        "additionalProperties": False,
    },
)


def test_defaults_are_filled_in_and_are_never_shared() -> None:
    first = check_inputs(DEFINITION, {"who": "jane", "options": {}})
    assert first == {"who": "jane", "count": 3, "options": {"tags": ["a"]}}
    first["options"]["tags"].append("b")
    assert check_inputs(DEFINITION, {"who": "jane", "options": {}})["options"] == {"tags": ["a"]}
    assert check_inputs(Definition("y", Graph((), ())), {"anything": 1.0}) == {"anything": 1}


@pytest.mark.parametrize(
    ("inputs", "pointers"),
    [
        ([], ["/inputs"]),
        ({}, ["/inputs"]),
        ({"who": "Jane", "count": "x", "more": 1}, ["/inputs", "/inputs/count", "/inputs/who"]),
        ({"who": "a", "options": {"tags": {"a/b": 1}}}, ["/inputs/options/tags"]),
        ({"who": "\x00"}, ["/inputs/who"]),
        ({"who": "\ud800"}, ["/inputs/who"]),
        ({"who": "a", "count": 2**60}, ["/inputs/count"]),
        ({"who": "a" * 300_000}, ["/inputs"]),
    ],
    ids=["list", "missing", "several", "inside", "nul", "surrogate", "number", "size"],
)
def test_wrong_inputs(inputs: Any, pointers: list[str]) -> None:
    with pytest.raises(InvalidInputsError) as wrong:
        check_inputs(DEFINITION, inputs)
    assert [error.pointer for error in wrong.value.errors] == pointers
    assert wrong.value.status == 422


def test_depth_is_bounded() -> None:
    deep: Any = 1
    for _ in range(5_000):
        deep = [deep]
    with pytest.raises(InvalidInputsError):
        check_inputs(Definition("y", Graph((), ())), {"deep": deep})


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "nope"}, "not a JSON Schema"),
        ({"$ref": "https://schemas.test/x"}, "outside itself"),
        ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "outside itself"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "leads nowhere"),
        ({"$ref": "#"}, "without end"),
        ({"pattern": "(a)\\1"}, "RE2"),
        ("string", "is an object"),
    ],
    ids=["type", "remote", "remote-below", "nowhere", "endless", "pattern", "text"],
)
def test_schemas_that_cannot_be_used(schema: Any, problem: str) -> None:
    assert problem in str(schema_problem(schema))


def test_a_check_that_takes_too_long_is_a_failure() -> None:
    schema = {"items": {"anyOf": [{"enum": [number]} for number in range(1_000)]}}
    assert schema_problem(schema) is None
    (failure,) = schema_failures(schema, [999] * 2_000, "/data")
    assert failure.pointer == "/data"
    assert "steps" in failure.detail
