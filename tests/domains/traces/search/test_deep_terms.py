"""A chunk without the bytes of what is wanted is not read; one that has what is wanted always is."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.search.deep_terms import DeepTerm
from spectral.domains.traces.search.filter_expression import Term
from spectral.domains.traces.search.filter_fields import CONTENT
from tests.domains.traces.otlp_samples import make_span

TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1, max_size=12)


@given(TEXT, TEXT, TEXT, st.integers(0, 2), st.booleans())
def test_what_is_there_is_found(before: str, wanted: str, after: str, levels: int, is_ascii: bool) -> None:  # noqa: FBT001
    text = before + wanted + after
    for _ in range(levels):
        text = json.dumps({"text": text}, ensure_ascii=is_ascii)
    span = make_span(attributes={"a": text})
    deep = DeepTerm(Term(CONTENT, "~", wanted))
    assert deep.may_fit(span.SerializeToString().lower())
    assert deep.fits(span, None)


@pytest.mark.parametrize(
    ("wanted", "there", "elsewhere"),
    [
        ("Needle", "a NEEDLE in hay", "a pin in hay"),
        ("ÄRGER", "viel ärger", "viel Arger"),
        ("東京", "in 東京", "in 京都"),
        ("a/b & c", "x a/b & c", "a b"),
    ],
)
def test_what_is_not_there_is_mostly_not_read(wanted: str, there: str, elsewhere: str) -> None:
    deep = DeepTerm(Term(CONTENT, "~", wanted))
    one, other = make_span(name="n", attributes={"k": there}), make_span(name="n", attributes={"k": elsewhere})
    assert deep.fits(one, None)
    assert not deep.fits(other, None)
    assert deep.may_fit(one.SerializeToString().lower())
    assert deep.may_fit(b"") is False
