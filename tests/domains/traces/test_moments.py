import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.traces.moments import MAXIMUM_NS, parse_ns, parse_query_ns, rfc3339_ns
from spectral.platform.shared.cursors import Cursor, decode_cursor, refuse_offset
from spectral.platform.shared.errors import ValidationFailedError


@given(st.integers(0, MAXIMUM_NS))
def test_a_moment_survives_the_wire(moment: int) -> None:
    assert parse_ns(rfc3339_ns(moment)) == moment


def test_a_moment_has_nine_decimals() -> None:
    assert rfc3339_ns(1_763_726_400_000_000_007) == "2025-11-21T12:00:00.000000007Z"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-11-21T12:00:00Z", 1_763_726_400 * 10**9),
        ("2025-11-21t12:00:00.5z", 1_763_726_400_500_000_000),
        ("2025-11-21T14:00:00+02:00", 1_763_726_400 * 10**9),
        ("2025-11-21T14:00:00 02:00", 1_763_726_400 * 10**9),
    ],
)
def test_a_query_takes_rfc3339(text: str, moment: int) -> None:
    assert parse_query_ns("from", text) == moment


@pytest.mark.parametrize("text", ["", "yesterday", "2025-11-21", "2025-13-01T00:00:00Z", "1960-01-01T00:00:00Z", "٢"])
def test_a_query_refuses_what_is_no_time(text: str) -> None:
    with pytest.raises(ValidationFailedError) as caught:
        parse_query_ns("from", text)
    assert caught.value.errors[0].pointer == "from"


@given(st.integers(-(2**63) + 1, 2**63 - 1), st.binary(max_size=16))
def test_a_cursor_survives_the_wire(value: int, identifier: bytes) -> None:
    cursor = Cursor("-started_at", value, identifier)
    assert decode_cursor(cursor.encode(), "-started_at") == cursor


@pytest.mark.parametrize("text", ["", "!", "bm8", "WyJhIl0", "W10", "é", "WyItc3RhcnRlZF9hdCIsdHJ1ZSwiIl0"])
def test_what_is_no_cursor_is_refused(text: str) -> None:
    with pytest.raises(ValidationFailedError):
        decode_cursor(text, "-started_at")


def test_a_cursor_belongs_to_its_sort_and_excludes_an_offset() -> None:
    with pytest.raises(ValidationFailedError):
        decode_cursor(Cursor("cost_usd", 1, b"").encode(), "-started_at")
    with pytest.raises(ValidationFailedError):
        refuse_offset("x", 1)
