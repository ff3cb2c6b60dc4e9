"""RFC 6901's own examples, and what is refused."""

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue

from spectral.domains.agents.pointers import (
    PointerError,
    child_pointer,
    exists_at,
    parse_pointer,
    put_at,
    value_at,
)

RFC: dict[str, JsonValue] = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "expected"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_the_examples_of_the_rfc_hold(pointer: str, expected: JsonValue) -> None:
    assert value_at(RFC, pointer) == expected


@pytest.mark.parametrize("pointer", ["foo", "/a~2b", "/foo~", "~0"])
def test_a_malformed_pointer_is_refused(pointer: str) -> None:
    with pytest.raises(PointerError, match="not a JSON pointer"):
        parse_pointer(pointer)


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/01", "/foo/-", "/foo/-1", "/nothing", "/foo/0/x"])
def test_a_pointer_to_nothing_is_refused(pointer: str) -> None:
    assert not exists_at(RFC, pointer)
    with pytest.raises(PointerError, match="names nothing"):
        value_at(RFC, pointer)


def test_a_missing_member_is_created_and_a_missing_parent_is_not() -> None:
    document: JsonValue = {"a": {"b": [1, 2]}}
    put_at(document, "/a/c", 3)
    put_at(document, "/a/b/1", 9)
    assert document == {"a": {"b": [1, 9], "c": 3}}
    for pointer in ("", "/x/y", "/a/b/2", "/a/b/-"):
        before = copy.deepcopy(document)
        with pytest.raises(PointerError):
            put_at(document, pointer, 0)
        assert document == before


@given(st.lists(st.text(), max_size=6))
def test_building_and_parsing_are_inverse(tokens: list[str]) -> None:
    pointer = ""
    for token in tokens:
        pointer = child_pointer(pointer, token)
    assert parse_pointer(pointer) == tokens
