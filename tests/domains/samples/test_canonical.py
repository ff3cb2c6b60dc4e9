"""Values are stored in one form, and what no database could hold is refused with its place."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.samples.canonical import (
    MAXIMUM_BYTES,
    UnstorableValueError,
    canonical,
    canonical_bytes,
    comparable,
    sha256_of,
    text_of,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63) + 1, 2**63 - 1) | st.floats(-1e15, 1e15, allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=12,
)


@given(VALUES)
def test_the_canonical_form_survives_being_written_and_read(value: Any) -> None:
    stored = canonical(value)

    assert canonical(json.loads(json.dumps(stored))) == stored
    assert sha256_of(canonical(json.loads(json.dumps(stored, sort_keys=True)))) == sha256_of(stored)


def test_whole_floats_and_the_order_of_members_make_no_difference() -> None:
    assert canonical_bytes(canonical({"b": 1.0, "a": [-0.0, 2.5]})) == b'{"a":[0,2.5],"b":1}'
    assert sha256_of(canonical({"a": 1, "b": 2.0})) == sha256_of(canonical({"b": 2, "a": 1.0}))
    assert sha256_of(canonical(True)) != sha256_of(canonical(1))


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (float("nan"), "is not a finite number"),
        ({"a": [1, float("inf")]}, "/a/1 is not a finite number"),
        ({"a": {"b/c": 1e300}}, "/a/b~1c is a number beyond"),
        ([2**63], "/0 is a number beyond"),
        ("a\0b", "holds a NUL character"),
        ({"a\0": 1}, "holds a NUL character"),
        (["\ud800"], "/0 holds half of a surrogate pair"),
        ({"\udfff": 1}, "holds half of a surrogate pair"),
        ("x" * MAXIMUM_BYTES, "is larger than 256 KiB"),
    ],
)
def test_what_cannot_be_stored_is_refused_with_its_place(value: Any, reason: str) -> None:
    with pytest.raises(UnstorableValueError) as refused:
        canonical(value)

    assert str(refused.value).startswith(reason)


@pytest.mark.parametrize("depth", [33, 100_000])
def test_endless_nesting_is_refused(depth: int) -> None:
    value: Any = 1
    for _ in range(depth):
        value = [value]

    with pytest.raises(UnstorableValueError, match="nested deeper than 32"):
        canonical(value)


def test_the_text_of_a_value_has_all_its_leaves() -> None:
    assert text_of({"b": ["two", 3], "a": "one", "c": None}) == "one two 3"
    assert text_of("alone") == "alone"


def test_comparable_text_has_no_case_punctuation_or_numbers() -> None:
    assert comparable("  Order №12, ＡＢＣ — 'Straße'\n99 ") == "order no12 abc strasse 0"
