"""Scorers that read JSON and numbers."""

import json
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, ScorerError, canonical_json
from spectral.domains.evaluations.scorers.structured import JsonSchemaMatch, NumericTolerance

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(-5, 5) | st.text(max_size=5),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(max_size=3), children, max_size=4),
    max_leaves=12,
)

PERSON = {
    "type": "object",
    "required": ["name", "age"],
    "properties": {"name": {"type": "string", "pattern": "^[A-Z]"}, "age": {"type": "integer", "minimum": 0}},
    "additionalProperties": False,
}


def schema_of(schema: Any) -> JsonSchemaMatch:
    return JsonSchemaMatch.model_validate({"schema": schema})


def score(scorer: Scorer, output: str, expected: Any = None) -> float:
    return scorer.score(ScoredCase(expected=expected), Answer(output, 1.0)).score


@pytest.mark.parametrize(
    ("options", "expected", "output", "wanted"),
    [
        ({}, 3, "3", 1.0),
        ({}, "3.5", "The answer is 3.5.", 1.0),
        ({}, 3, "4", 0.0),
        ({"absolute": 0.5}, 3, "3.5", 1.0),
        ({"relative": 0.1}, -100, "-91", 1.0),
        ({"relative": 0.1}, 100, "89", 0.0),
        ({"number": "first"}, 1, "1 or 2", 1.0),
        ({"number": "last"}, 2, "1 or 2", 1.0),
        ({"number": "whole"}, 2, "it is 2", 0.0),
        ({}, 1234567.5, "1,234,567.5", 1.0),
        ({}, 1500, "1.5e3", 1.0),
        ({}, 20, "10-20", 1.0),
        ({}, -20, "from -20", 1.0),
        ({}, 0.5, ".5", 1.0),
        ({}, 1, "nan", 0.0),
        ({}, 1, "1e999", 0.0),
        ({}, 1, "none", 0.0),
    ],
)
def test_numeric_tolerance(options: dict[str, Any], expected: Any, output: str, wanted: float) -> None:
    assert score(NumericTolerance(**options), output, expected) == wanted


@pytest.mark.parametrize("expected", [None, "many", "1e999", {"a": 1}])
def test_an_expected_answer_that_is_no_number_is_an_error(expected: Any) -> None:
    with pytest.raises(ScorerError):
        score(NumericTolerance(), "1", expected)


@given(st.floats(-1e9, 1e9), st.floats(0, 1e6))
def test_a_number_within_the_tolerance_scores_1(expected: float, tolerance: float) -> None:
    assert score(NumericTolerance(absolute=tolerance, number="whole"), repr(expected), expected) == 1.0


@given(st.text(alphabet="0123456789,.eE+-", max_size=2000))
def test_number_reading_never_fails(text: str) -> None:
    assert score(NumericTolerance(), text, 1) in {0.0, 1.0}


@pytest.mark.parametrize(
    ("document", "wanted"),
    [
        ('{"name": "Ada", "age": 36}', 1.0),
        ('```json\n{"name": "Ada", "age": 36}\n```', 1.0),
        ('{"name": "ada", "age": 36}', 0.0),
        ('{"name": "Ada"}', 0.0),
        ('{"name": "Ada", "age": 36, "x": 1}', 0.0),
        ("Ada, 36", 0.0),
        ("", 0.0),
    ],
)
def test_json_schema(document: str, wanted: float) -> None:
    assert score(schema_of(PERSON), document) == wanted


def test_keywords_with_patterns_agree_with_the_specification() -> None:
    schema = schema_of({"patternProperties": {"^n_": {"type": "integer"}}, "additionalProperties": {"type": "string"}})
    assert score(schema, '{"n_1": 1, "other": "x"}') == 1.0
    assert score(schema, '{"n_1": "x"}') == 0.0
    assert score(schema, '{"other": 1}') == 0.0


@given(st.lists(JSON_VALUES, max_size=6))
def test_unique_items_compares_json_values(values: list[Any]) -> None:
    unique = len({canonical_json(value) for value in values}) == len(values)
    assert score(schema_of({"uniqueItems": True}), json.dumps(values)) == float(unique)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "strin"},
        {"pattern": r"(a)\1"},
        {"properties": {"a": {"patternProperties": {"(?=x)": {}}}}},
        {"unevaluatedProperties": False},
        "object",
        {"allOf": [{"description": "x" * 100_000}]},
    ],
)
def test_a_schema_that_cannot_be_run_is_refused(schema: Any) -> None:
    with pytest.raises(ValidationError):
        schema_of(schema)


def test_a_reference_to_the_outside_is_an_error_and_fetches_nothing() -> None:
    with pytest.raises(ScorerError):
        score(schema_of({"$ref": "http://127.0.0.1:1/schema.json"}), "{}")


def doubling(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]} for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**definitions, f"d{levels}": {}}}


@pytest.mark.parametrize(
    ("schema", "document"),
    [
        (doubling(40), "1"),
        ({"$ref": "#"}, "1"),
        ({"items": {"allOf": [{"minLength": n} for n in range(1000)]}}, json.dumps([0] * 30_000)),
        ({"items": {"properties": {f"p{n}": {} for n in range(2000)}}}, json.dumps([{}] * 30_000)),
    ],
)
def test_a_schema_that_would_run_for_ever_is_given_up(schema: Any, document: str) -> None:
    started = time.perf_counter()
    with pytest.raises((ScorerError, RecursionError)):
        score(schema_of(schema), document)
    assert time.perf_counter() - started < 10


def test_an_ordinary_large_answer_is_within_the_bounds() -> None:
    people = {"type": "array", "items": PERSON, "uniqueItems": True}
    answer = json.dumps([{"name": f"A{n}", "age": n} for n in range(2500)])
    assert score(schema_of(people), answer) == 1.0
