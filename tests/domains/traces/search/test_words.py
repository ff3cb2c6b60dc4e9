"""What `?q=` is read as."""

import re
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.search.words import Term, parse_words
from spectral.platform.shared.errors import ValidationFailedError

WORKSPACE = UUID("0191abcd-0000-7000-8000-000000000001")


def test_words_phrases_beginnings_and_what_is_excluded() -> None:
    words = parse_words('Refund "late delivery" -test -"not this" invo* gpt-4o "the be"*')
    assert words is not None
    assert words.terms == (
        Term(("Refund",)),
        Term(("late", "delivery")),
        Term(("test",), is_excluded=True),
        Term(("not", "this"), is_excluded=True),
        Term(("invo",), is_prefix=True),
        Term(("gpt", "4o")),
        Term(("the", "be"), is_prefix=True),
    )
    assert words.tsquery(WORKSPACE) == (
        "w0191abcd000070008000000000000001 & ('Refund') & ('late' <-> 'delivery') & !('test') & !('not' <-> 'this') "
        "& ('invo':*) & ('gpt' <-> '4o') & ('the' <-> 'be':*)"
    )
    assert words.fts5(WORKSPACE) == (
        '(workspace_id : "0191abcd000070008000000000000001" AND {name input_preview output_preview} : ("Refund" AND '
        '"late delivery" AND "invo" * AND "gpt 4o" AND "the be" *)) NOT {name input_preview output_preview} : '
        '("test" OR "not this")'
    )


@pytest.mark.parametrize("text", ["", "   ", "!!!", '""', "-", "*", "a*", "___", " ".join(f"w{n}" for n in range(21))])
def test_what_cannot_be_searched_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        parse_words(text)
    assert [error.pointer for error in caught.value.errors] == ["q"]


@given(st.text(max_size=60))
def test_whatever_is_typed_only_words_reach_the_database(text: str) -> None:
    try:
        words = parse_words(text)
    except ValidationFailedError:
        return
    assert words is not None
    assert all(re.fullmatch(r"[^\W_]+", word) for term in words.terms for word in term.words)
