"""States as documents: what changed is enough to make them again, whatever JSON they hold."""

import json
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from spectral.domains.workflows.definitions.expressions import ExpressionError
from spectral.domains.workflows.execution.reducers import REDUCERS, write_into
from spectral.domains.workflows.execution.state import (
    ENDED,
    GONE,
    NodeStatus,
    State,
    changes_between,
    enclosing_of,
    node_id_of,
)

# Few names, so that documents have members in common; our own mark and words are among them.
NAMES = st.sampled_from(("a", "b", "nodes", GONE, "value", "$", "", "outputs", "each[0]/x"))
SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats(-9, 9, width=16) | st.sampled_from(("", "x", GONE))
JSON = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4), max_leaves=12
)
OBJECTS = st.dictionaries(NAMES, JSON, max_size=5)
MARKED = {GONE: {GONE: True}, "a": {GONE: False, "value": 1}}


@dataclass
class Kept:
    """A checkpoint, as it comes back from a database."""

    full: bool
    state: dict[str, Any]


def stored(full: bool, document: Mapping[str, Any]) -> Kept:  # noqa: FBT001
    return Kept(full, json.loads(json.dumps(document)))


def document_of(members: Mapping[str, Any]) -> dict[str, Any]:
    """A state that holds these, in every section."""
    return {"inputs": members, "context": members, "artifacts": {}, "errors": [members], "nodes": members}


def same(one: Any, other: Any) -> bool:
    """Equal as JSON: 1, 1.0 and true are three values."""
    return json.dumps(one, sort_keys=True).replace("-0.0", "0.0") == json.dumps(other, sort_keys=True).replace(
        "-0.0", "0.0"
    )


@given(st.lists(OBJECTS, min_size=1, max_size=6))
@example([{"a": MARKED}, {"a": {**MARKED, "b": 1}}, {"a": {}}, {}, {"a": MARKED}])
@example([{GONE: True}, {GONE: False, "value": {}}, {GONE: {}}])
@example([{"a": {"b": {GONE: True}}}, {"a": {"b": {"a": 1}}}])
@example([{"a": {}}, {"a": {"b": 1}}, {"a": {}}])
@example([{"a": 1}, {"a": True}, {"a": 1.0}])
@example([{"a": [1]}, {"a": [True]}])
def test_states_are_made_again_from_what_changed(documents: list[dict[str, Any]]) -> None:
    states = [document_of(members) for members in documents]
    before = deepcopy(states)
    kept = [stored(True, states[0])]
    for old, new in pairwise(states):
        kept.append(stored(False, changes_between(old, new)))

    for count, expected in enumerate(before, start=1):
        assert same(State.load(kept[:count]).to_document(), expected)
    # Nothing is changed in place.
    assert states == before


@given(OBJECTS)
def test_what_is_equal_has_no_changes(members: dict[str, Any]) -> None:
    assert changes_between(document_of(members), document_of(deepcopy(members))) == {}


def test_a_document_may_be_as_deep_as_documents_can_be() -> None:
    shallow: Any = {"x": 1}
    deep: Any = {"x": 2}
    for _ in range(200):
        shallow, deep = {"in": shallow}, {"in": deep}
    changes = changes_between(shallow, deep)

    assert (
        State.load([stored(True, document_of(shallow)), Kept(False, {"context": changes})]).document["context"] == deep
    )
    # One leaf differs, and no more is kept of it.
    assert json.dumps(changes).count("2") == 1


def test_entries_that_are_gone_and_come_back_are_not_mixed() -> None:
    first = document_of({"a": {"status": "failed", "error": {"type": "x"}}})
    second = document_of({})
    third = document_of({"a": {"status": "pending"}})
    kept = [
        stored(True, first),
        stored(False, changes_between(first, second)),
        stored(False, changes_between(second, third)),
    ]

    assert State.load(kept).entry("a") == {"status": "pending"}


# ------------------------------------------------------------------------------------------------------- beginning anew

ENTRIES = st.fixed_dictionaries(
    {"status": st.sampled_from([status.value for status in NodeStatus])},
    optional={
        "iteration": st.integers(1, 3),
        "attempt": st.integers(1, 3),
        "inputs": JSON,
        "outputs": JSON,
        "given": st.just(True),
        "container": st.just(True),
        "wait": st.fixed_dictionaries({"type": st.sampled_from(("timer", "event"))}),
        "resume": st.just({"data": 1}),
        "asked": st.just(True),
        "ordinal": st.integers(0, 5),
        "edges": st.dictionaries(NAMES, st.booleans(), max_size=2),
    },
)
KEYS = st.sampled_from(("a", "b", "each", "each[0]/a", "each[10]/a", "loop[2]/both[left]/x"))


@given(st.dictionaries(KEYS, ENTRIES, max_size=5), OBJECTS)
def test_a_run_that_begins_here_does_again_what_was_in_flight_and_nothing_else(
    nodes: dict[str, Any], context: dict[str, Any]
) -> None:
    document = {**State.new({"x": 1}).to_document(), "context": context, "nodes": nodes}
    before = deepcopy(document)
    rewound = State(document).rewound()

    assert document == before
    assert set(rewound.nodes) == set(nodes)
    assert {**rewound.to_document(), "nodes": {}} == {**before, "nodes": {}}
    for key, entry in nodes.items():
        status, after = entry["status"], rewound.entry(key)
        if status in ENDED or status == "pending" or "container" in entry:
            assert after == entry
            continue
        assert after["status"] == "pending"
        assert after.get("iteration") == entry.get("iteration")
        # What somebody gave is given again; everything else is computed again.
        assert set(after) - {"status", "iteration"} <= ({"inputs", "given"} if entry.get("given") else set())
        assert ("inputs" in after) == bool("inputs" in entry and entry.get("given"))
    assert rewound.rewound().to_document() == rewound.to_document()


def test_paths_are_read_from_the_outside_in() -> None:
    assert enclosing_of("loop[2]/both[left]/x") == ["", "loop[2]/", "loop[2]/both[left]/"]
    assert [node_id_of(key) for key in ("a", "each[3]/a", "loop[2]/both[left]/x")] == ["a", "a", "x"]


# ------------------------------------------------------------------------------------------------------------ reducers


class Values:
    """A scope whose only root is `output`."""

    def __init__(self, output: Any) -> None:
        self.output = output

    def lookup(self, name: str) -> Any:
        return self.output if name == "output" else None


def written(reducer: str, values: list[Any], path: str = "context.deep.er") -> Any:
    """What is there after nodes have written these values one after another."""
    state = State.new({})
    for value in values:
        write_into(state, {path: reducer}, {path: "${output}"}, Values(value))
    return state.document["context"]["deep"]["er"] if values else None


LISTS = st.lists(JSON, max_size=4)
INTEGERS = st.lists(st.integers(-1000, 1000), min_size=1, max_size=6)


@given(st.lists(JSON, min_size=1, max_size=5))
def test_the_last_replaces_and_each_is_appended(values: list[Any]) -> None:
    assert same(written("replace", values), values[-1])
    assert same(written("append", values), values)


@given(st.lists(LISTS, min_size=1, max_size=4))
def test_lists_are_extended_and_united(values: list[list[Any]]) -> None:
    flat = [one for value in values for one in value]
    assert same(written("extend", values), flat)
    united = written("union", values)
    assert all(one in united for one in flat)
    assert all(one not in united[:place] for place, one in enumerate(united))
    # Whoever unites the same again, after a crash, changes nothing.
    assert written("union", [*values, *values]) == united


@given(INTEGERS)
def test_numbers_are_joined(values: list[int]) -> None:
    assert (written("sum", values), written("max", values), written("min", values)) == (
        sum(values),
        max(values),
        min(values),
    )


@given(st.lists(OBJECTS, min_size=1, max_size=4))
def test_objects_are_merged(values: list[dict[str, Any]]) -> None:
    expected: dict[str, Any] = {}
    for value in values:
        expected = {**expected, **value}
    assert same(written("merge", values), expected)


@given(st.sampled_from(sorted(REDUCERS)), JSON, JSON)
def test_a_reducer_gives_json_or_says_why_not_and_changes_nothing_in_place(reducer: str, old: Any, new: Any) -> None:
    state = State({**State.new({}).to_document(), "context": {"x": old}})
    before = deepcopy(state.to_document())
    kept = state.to_document()
    try:
        write_into(state, {"context.x": reducer}, {"context.x": "${output}"}, Values(new))
    except ExpressionError:
        assert same(state.to_document(), before)
    else:
        json.dumps(state.to_document(), allow_nan=False)
    assert same(kept, before)


def test_all_of_a_nodes_writes_happen_or_none() -> None:
    state = State.new({})
    state.document["context"] = {"n": 1, "text": "x"}
    writes = {"context.n": "${output}", "context.text.deeper": "${output}"}
    with pytest.raises(ExpressionError, match=r"context\.text\.deeper leads through"):
        write_into(state, {"context.n": "sum"}, writes, Values(2))

    assert state.document["context"] == {"n": 1, "text": "x"}
