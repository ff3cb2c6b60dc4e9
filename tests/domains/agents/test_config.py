"""A config document: what is sound, what a strategy may change, how two differ, what a model gets to read."""

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from spectral.domains.agents.config import (
    ConfigDocument,
    KnobKind,
    MissingVariableError,
    apply_changes,
    canonical_hash,
    check_derived,
    diff_documents,
    render,
)
from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.agents.json_values import MAXIMUM_NUMBER, pointer_of
from spectral.domains.agents.pointers import exists_at, value_at

SMALL, LARGE = "spectral-local/small", "spectral-local/large"
SYSTEM = "/prompts/main/messages/0/content"


def raw_document(**members: Any) -> dict[str, Any]:
    """A document with every kind of knob."""
    return {
        "prompts": {
            "main": {
                "messages": [
                    {"role": "system", "content": "Sort the ticket into one of: billing, login."},
                    {"role": "user", "content": "Ticket: {{text}}\nIntent:"},
                ],
                "variables": ["text"],
            }
        },
        "model": SMALL,
        "parameters": {"temperature": 0.5},
        "few_shot": [{"input": {"text": "I was charged twice"}, "output": "billing"}],
        "tools": [],
        "custom": {"top_k": 3},
        "search_space": [
            {"pointer": SYSTEM, "kind": "text", "bounds": {"min_length": 1, "max_length": 500}},
            {"pointer": "/model", "kind": "enum", "bounds": {"values": [SMALL, LARGE]}},
            {"pointer": "/parameters/temperature", "kind": "number", "bounds": {"min": 0, "max": 1, "step": 0.25}},
            {"pointer": "/parameters/top_p", "kind": "number", "bounds": {"min": 0, "max": 1}, "creatable": True},
            {"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 1, "max": 10}},
            {"pointer": "/few_shot", "kind": "examples", "bounds": {"max_items": 4}},
        ],
        **members,
    }


def document(**members: Any) -> ConfigDocument:
    return ConfigDocument.model_validate(raw_document(**members))


def prompt(*messages: tuple[str, str], variables: list[str] | None = None) -> dict[str, Any]:
    template: dict[str, Any] = {"messages": [{"role": role, "content": content} for role, content in messages]}
    return {"main": template if variables is None else {**template, "variables": variables}}


def problems_of(raw: Any) -> dict[str, str]:
    with pytest.raises(ValidationError) as caught:
        ConfigDocument.model_validate(raw)
    return {pointer_of(error["loc"]): error["msg"] for error in caught.value.errors()}


# ------------------------------------------------------------------------------------------------------- soundness


def test_a_sound_document_comes_back_as_it_went_in() -> None:
    raw = raw_document()
    stored = document().as_json()
    assert {**stored, "search_space": None} == {**raw, "search_space": None}
    assert [knob["pointer"] for knob in stored["search_space"]] == [knob["pointer"] for knob in raw["search_space"]]
    assert stored["search_space"][2]["bounds"] == {"min": 0, "max": 1, "step": 0.25}
    assert ConfigDocument.model_validate(json.loads(json.dumps(stored))) == document()


def test_variables_that_are_left_out_are_read_off_the_placeholders() -> None:
    messages = prompt(("system", "{{ a }} {{b}}"), ("user", "{{text}} {{a}}"))
    read = document(prompts=messages, few_shot=[], search_space=[])
    assert read.entry.variables == ["a", "b", "text"]


def test_everything_wrong_with_variables_is_named_at_once_at_its_place() -> None:
    messages = prompt(
        ("system", "{{unknown}} and {{not a name}} and \\{{literal}}"), ("user", "{{text}}"),
        variables=["text", "unused", "text", "9bad"],
    )  # fmt: skip
    problems = problems_of(raw_document(prompts=messages, search_space=[]))
    assert problems == {
        "/prompts/main/messages/0/content": "the placeholder '{{unknown}}' is not declared in variables",
        "/prompts/main/variables/1": "'unused' is declared and used by no message",
        "/prompts/main/variables/2": "'text' is declared twice",
        "/prompts/main/variables/3": "is not a name: a letter or '_', then letters, digits or '_', 64 at most",
    }


def test_a_placeholder_that_names_no_variable_is_refused() -> None:
    problems = problems_of(raw_document(prompts=prompt(("user", "{{text}} {{#each}}")), search_space=[]))
    assert problems == {
        "/prompts/main/messages/0/content": "'{{#each}}' names no variable; write '\\{{' where two braces are meant"
    }


def test_an_example_without_a_value_for_the_question_is_refused() -> None:
    problems = problems_of(raw_document(few_shot=[{"input": {"body": "hi"}, "output": "billing"}]))
    assert problems == {"/few_shot/0/input": "gives no value for 'text'"}


def test_one_of_several_prompts_is_the_one_that_runs() -> None:
    one = {"messages": [{"role": "user", "content": "{{text}}"}]}
    assert problems_of(raw_document(prompts={"a": one, "b": one}, search_space=[])) == {
        "/prompts": "one of several prompts must be named 'main': it is executed"
    }
    assert document(prompts={"only": one}, search_space=[]).entry.variables == ["text"]
    assert document(prompts={"other": one, "main": one}, search_space=[]).entry.messages[0].content == "{{text}}"


@pytest.mark.parametrize(
    ("members", "pointer"),
    [
        ({"prompts": {}}, "/prompts"),
        ({"prompts": {"bad name": {"messages": [{"role": "user", "content": "x"}]}}}, "/prompts/bad name"),
        ({"prompts": {"main": {"messages": []}}}, "/prompts/main/messages"),
        ({"prompts": {"main": {"messages": [{"role": "tool", "content": ""}]}}}, "/prompts/main/messages/0/role"),
        ({"model": ""}, "/model"),
        ({"model": 5}, "/model"),
        ({"few_shot": [{"input": "x"}]}, "/few_shot/0/output"),
        ({"tools": ["x"]}, "/tools/0"),
        ({"custom": {"a": float("nan")}}, "/custom/a"),
        ({"custom": {"a": float("inf")}}, "/custom/a"),
        ({"custom": {"a": MAXIMUM_NUMBER * 2}}, "/custom/a"),
        ({"custom": {"a": "nul \x00"}}, "/custom/a"),
        ({"custom": {"a": "half \ud800"}}, "/custom/a"),
        ({"custom": {"nul \x00": 1}}, "/custom"),
        ({"custom": {"top_k": 3, "a": "x" * 1_100_000}}, ""),
        ({"surprise": 1}, "/surprise"),
    ],
)
def test_what_no_document_may_hold_is_named_at_its_place(members: dict[str, Any], pointer: str) -> None:
    assert list(problems_of(raw_document(**members))) == [pointer]


def test_nesting_has_a_limit() -> None:
    deep: Any = 1
    for _ in range(200):
        deep = [deep]
    assert any("nested deeper" in message for message in problems_of(raw_document(custom={"a": deep})).values())


@pytest.mark.parametrize("raw", [None, 5, "text", [], {}])
def test_what_is_no_document_at_all_is_refused(raw: Any) -> None:
    with pytest.raises(ValidationError):
        ConfigDocument.model_validate(raw)


# ---------------------------------------------------------------------------------------------------- search space


@pytest.mark.parametrize(
    ("knob", "pointer", "words"),
    [
        ({"pointer": "model", "kind": "text"}, "pointer", "not a JSON pointer"),
        ({"pointer": "/nothing", "kind": "text"}, "pointer", "names nothing in the document"),
        ({"pointer": "/nothing", "kind": "text", "creatable": True}, "pointer", "cannot be created"),
        ({"pointer": "/custom/a/b", "kind": "text", "creatable": True}, "pointer", "cannot be created"),
        ({"pointer": "/few_shot/7", "kind": "text", "creatable": True}, "pointer", "cannot be created"),
        ({"pointer": "/search_space", "kind": "examples"}, "pointer", "cannot list itself"),
        ({"pointer": "/custom/top_k", "kind": "int"}, "bounds/max", "is needed by a knob of kind 'int'"),
        (
            {"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 9, "max": 1}},
            "bounds/min",
            "is larger than max",
        ),
        (
            {"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 5, "max": 9}},
            "pointer",
            "own value is outside of the knob: 3 is not within 5 and 9",
        ),
        (
            {"pointer": "/model", "kind": "enum", "bounds": {"values": ["other"]}},
            "pointer",
            '"spectral-local/small" is not one of "other"',
        ),
        ({"pointer": "/model", "kind": "text", "bounds": {"values": ["x"]}}, "bounds/values", "means nothing"),
        ({"pointer": "/model", "kind": "colour"}, "kind", "Input should be"),
    ],
)
def test_a_knob_that_cannot_be_turned_is_refused(knob: dict[str, Any], pointer: str, words: str) -> None:
    problems = problems_of(raw_document(search_space=[knob]))
    assert words in problems[f"/search_space/0/{pointer}"]


@pytest.mark.parametrize("second", ["/few_shot", "/few_shot/0/output", "/few_shot/0"])
def test_knobs_must_not_reach_into_each_other(second: str) -> None:
    knobs = [{"pointer": "/few_shot", "kind": "examples"}, {"pointer": second, "kind": "text"}]
    with pytest.raises(ValidationError, match="names the same place as an earlier knob"):
        document(search_space=knobs)


def test_an_enum_tells_true_from_one() -> None:
    knob = {"pointer": "/custom/top_k", "kind": "enum", "bounds": {"values": [3, True, 1.0]}}
    base = document(search_space=[knob])
    candidate = apply_changes(base, {"/custom/top_k": True})
    assert candidate.custom == {"top_k": True}
    check_derived(apply_changes(base, {"/custom/top_k": 1}), candidate)
    narrow = document(search_space=[{**knob, "bounds": {"values": [3, 1]}}])
    with pytest.raises(SearchSpaceViolationError, match="true is not one of 3, 1"):
        apply_changes(narrow, {"/custom/top_k": True})


def test_listed_places_change_and_nothing_else_does() -> None:
    base = document()
    changes: dict[str, JsonValue] = {
        SYSTEM: "Choose billing or login.",
        "/model": LARGE,
        "/parameters/temperature": 0.75,
        "/parameters/top_p": 0.3,
        "/custom/top_k": 7,
        "/few_shot": [{"input": {"text": "no password"}, "output": "login"}],
    }
    before = base.as_json()
    candidate = apply_changes(base, changes)
    assert base.as_json() == before
    after = candidate.as_json()
    assert {pointer: value_at(after, pointer) for pointer in changes} == changes
    assert candidate.search_space == base.search_space
    assert candidate.entry.messages[1] == base.entry.messages[1]
    assert canonical_hash(candidate) != canonical_hash(base)


@pytest.mark.parametrize(
    ("pointer", "value", "words"),
    [
        ("/prompts/main/messages/1/content", "{{text}}", "the search space does not list it"),
        ("/custom", {}, "the search space does not list it"),
        ("/search_space", [], "the search space does not list it"),
        ("", {}, "the search space does not list it"),
        ("/model", "gpt", "is not one of"),
        ("/model", None, "null is not one of"),
        ("/custom/top_k", 11, "11 is not within 1 and 10"),
        ("/custom/top_k", 2.5, "2.5 is not a whole number"),
        ("/custom/top_k", True, "is not a number"),
        ("/custom/top_k", "3", "is not a number"),
        ("/parameters/temperature", 0.3, "0.3 is not a whole number of steps of 0.25 from 0"),
        ("/parameters/temperature", float("nan"), "is not within"),
        (SYSTEM, 5, "is not a text"),
        (SYSTEM, "", "has 0 characters, fewer than 1"),
        (SYSTEM, "x" * 501, "has 501 characters, more than 500"),
        (SYSTEM, "now with {{surprise}}", "is not declared in variables"),
        ("/few_shot", "x", "is not a list of examples"),
        ("/few_shot", [{"input": 1}], "example 0 is not an object"),
        ("/few_shot", [{"input": {"text": "a"}, "output": "b"}] * 5, "has 5 examples, more than 4"),
        ("/few_shot", [{"input": {"other": "a"}, "output": "b"}], "gives no value for 'text'"),
    ],
)
def test_a_change_outside_of_the_search_space_is_refused(pointer: str, value: JsonValue, words: str) -> None:
    with pytest.raises(SearchSpaceViolationError) as caught:
        apply_changes(document(), {pointer: value})
    assert words in caught.value.detail
    assert caught.value.status == 400
    assert caught.value.extensions["pointer"].startswith(pointer)


def test_a_prompt_may_not_lose_its_variable() -> None:
    space = [{"pointer": "/prompts/main/messages/1/content", "kind": "text"}]
    with pytest.raises(SearchSpaceViolationError, match="'text' is declared and used by no message"):
        apply_changes(document(search_space=space), {"/prompts/main/messages/1/content": "no variable"})


def test_a_candidate_is_derived_exactly_when_the_search_space_reaches_it() -> None:
    base = document()
    check_derived(base, base)
    check_derived(base, apply_changes(base, {"/custom/top_k": 9, "/parameters/top_p": 0.5, "/few_shot": []}))
    for stray, pointer in (
        (document(custom={"top_k": 3, "other": 1}), "/custom/other"),
        (document(tools=[{"name": "browse"}]), "/tools/0"),
        (document(search_space=[]), "/search_space/0"),
        (document(few_shot=[], custom={"top_k": 11}, search_space=[]), "/custom/top_k"),
    ):
        with pytest.raises(SearchSpaceViolationError) as caught:
            check_derived(base, stray)
        assert caught.value.pointer == pointer


# ------------------------------------------------------------------------------------------------------------ hash


def test_the_hash_is_known_and_does_not_depend_on_order_or_on_how_a_number_is_written() -> None:
    raw = raw_document()
    turned = dict(reversed(list(raw.items())))
    turned["parameters"] = {"temperature": 0.50}
    turned["custom"] = {"top_k": 3.0}
    turned["prompts"] = {"main": dict(reversed(list(raw["prompts"]["main"].items())))}
    assert canonical_hash(ConfigDocument.model_validate(turned)) == canonical_hash(document())
    smallest = ConfigDocument.model_validate(
        {"prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}, "model": "m"}
    )
    # Journals and promotions refer to documents by this hash: a change of the canonical form would orphan them all.
    canonical = (
        '{"model":"m","prompts":{"main":{"messages":[{"content":"{{text}}","role":"user"}],"variables":["text"]}}}'
    )
    assert canonical_hash(smallest) == hashlib.sha256(canonical.encode()).hexdigest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-10, 10) | st.floats(-1e6, 1e6) | st.text("ab~/é", max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab~/", max_size=3), inner, max_size=3),
    max_leaves=8,
)
CUSTOM = st.dictionaries(st.text("abc~/", max_size=3), JSON, max_size=4)


def with_custom(custom: dict[str, Any]) -> ConfigDocument:
    return document(custom=custom, search_space=[])


@given(CUSTOM)
def test_a_document_survives_being_stored(custom: dict[str, Any]) -> None:
    made = with_custom(custom)
    again = ConfigDocument.model_validate(json.loads(json.dumps(made.as_json(), sort_keys=True)))
    assert canonical_hash(again) == canonical_hash(made)
    assert diff_documents(made, again) == []


@given(CUSTOM, CUSTOM)
def test_documents_differ_exactly_when_their_hashes_do_and_the_diff_leads_from_one_to_the_other(
    left: dict[str, Any], right: dict[str, Any]
) -> None:
    before, after = with_custom(left), with_custom(right)
    changes = diff_documents(before, after)
    assert (changes == []) == (canonical_hash(before) == canonical_hash(after))
    for change in changes:
        old, new = before.as_json(), after.as_json()
        assert exists_at(old, change.pointer) == (change.operation != "add")
        assert exists_at(new, change.pointer) == (change.operation != "remove")
        if change.operation != "add":
            assert value_at(old, change.pointer) == change.before
        if change.operation != "remove":
            assert value_at(new, change.pointer) == change.after


@given(st.integers(1, 10), st.sampled_from([0, 0.25, 0.5, 0.75, 1]), st.text(min_size=1, max_size=40))
def test_whatever_a_strategy_may_do_shows_in_the_diff_under_the_listed_pointers(
    top_k: int, temperature: float, text: str
) -> None:
    base = document()
    changes: dict[str, JsonValue] = {"/custom/top_k": top_k, "/parameters/temperature": temperature, SYSTEM: text}
    try:
        candidate = apply_changes(base, changes)
    except SearchSpaceViolationError as error:
        assert error.pointer == SYSTEM  # noqa: PT017 - only the drawn text can be unsound (a NUL, a placeholder)
        return
    check_derived(base, candidate)
    assert {change.pointer for change in diff_documents(base, candidate)} <= set(changes)


# ------------------------------------------------------------------------------------------------------------ diff


def test_a_diff_names_places_operations_and_shows_long_texts_line_by_line() -> None:
    long = "Sort the ticket into one of: billing, login.\nBe brief.\nThink first."
    before = document(custom={"top_k": 3, "gone": 1, "same": [1, 2]}, search_space=[])
    after = document(
        prompts=prompt(("system", long), ("user", "Ticket: {{text}}\nIntent:")),
        custom={"top_k": True, "same": [1, 5, 6]},
        few_shot=[],
        search_space=[],
    )
    changes = {change.pointer: change for change in diff_documents(before, after)}
    assert {pointer: change.operation for pointer, change in changes.items()} == {
        SYSTEM: "replace",
        "/few_shot/0": "remove",
        "/custom/top_k": "replace",
        "/custom/gone": "remove",
        "/custom/same/1": "replace",
        "/custom/same/2": "add",
    }
    text_diff = changes[SYSTEM].text_diff
    assert text_diff is not None
    assert text_diff.splitlines()[2:] == [
        "@@ -1 +1,3 @@",
        " Sort the ticket into one of: billing, login.",
        "+Be brief.",
        "+Think first.",
    ]
    assert changes["/custom/same/2"].before is None
    assert changes["/custom/top_k"].text_diff is None


def test_true_and_one_are_different() -> None:
    assert len(diff_documents(with_custom({"a": 1}), with_custom({"a": True}))) == 1
    assert canonical_hash(with_custom({"a": 1})) != canonical_hash(with_custom({"a": True}))


# ---------------------------------------------------------------------------------------------------------- render


def test_examples_stand_before_the_question_in_the_form_of_the_question() -> None:
    messages = [tuple(message) for message in render(document(), {"text": "Cannot sign in", "ignored": 1})]
    assert messages == [
        ("system", "Sort the ticket into one of: billing, login."),
        ("user", "Ticket: I was charged twice\nIntent:"),
        ("assistant", "billing"),
        ("user", "Ticket: Cannot sign in\nIntent:"),
    ]


def test_a_message_after_the_question_stays_after_it() -> None:
    made = document(
        prompts=prompt(("user", "{{text}}"), ("assistant", "Intent:")),
        few_shot=[{"input": "a", "output": "b"}],
        search_space=[],
    )
    assert [tuple(message) for message in render(made, "c")] == [
        ("user", "a"), ("assistant", "b"), ("user", "c"), ("assistant", "Intent:"),
    ]  # fmt: skip


def test_values_are_never_read_as_templates() -> None:
    made = document(prompts=prompt(("user", "{{a}} {{b}} \\{{a}}")), few_shot=[], search_space=[])
    assert render(made, {"a": "{{b}} \\1 \\{{", "b": [1, {"z": None, "y": "é"}]})[0].content == (
        '{{b}} \\1 \\{{ [1,{"y":"é","z":null}] {{a}}'
    )


def test_an_input_that_is_no_object_is_the_only_variable() -> None:
    assert render(document(), "hello")[-1].content == "Ticket: hello\nIntent:"
    assert render(document(), 5)[-1].content == "Ticket: 5\nIntent:"


def test_input_stands_for_the_whole_input() -> None:
    made = document(prompts=prompt(("system", "{{mood}}"), ("user", "{{input}}")), few_shot=[], search_space=[])
    assert render(made, {"mood": "calm", "text": "x"})[1].content == '{"mood":"calm","text":"x"}'
    assert render(made, {"mood": "calm", "input": "x"})[1].content == "x"


def test_a_prompt_that_cannot_carry_the_input_is_followed_by_it() -> None:
    made = document(prompts=prompt(("system", "Sort.")), few_shot=[{"input": {"a": 1}, "output": "b"}], search_space=[])
    assert [tuple(message) for message in render(made, "the input")] == [
        ("system", "Sort."), ("user", '{"a":1}'), ("assistant", "b"), ("user", "the input"),
    ]  # fmt: skip


def test_a_missing_variable_is_an_error() -> None:
    with pytest.raises(MissingVariableError, match="gives no value for 'text'"):
        render(document(), {"body": "x"})


def test_kinds_are_the_ones_of_the_wire() -> None:
    assert [kind.value for kind in KnobKind] == ["int", "number", "enum", "text", "examples"]


def test_the_raw_document_is_never_changed() -> None:
    raw = raw_document()
    kept = copy.deepcopy(raw)
    apply_changes(ConfigDocument.model_validate(raw), {"/few_shot": []})
    assert raw == kept
