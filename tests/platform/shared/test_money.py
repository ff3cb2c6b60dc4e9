"""Money: exact, and unknown is not nothing."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from spectral.platform.shared.money import MAXIMUM_NANO, UsdAmount, UsdAmountIn, nano_to_usd, usd_to_nano


@given(st.integers(0, MAXIMUM_NANO))
def test_every_amount_survives_the_way_to_json_and_back(nano: int) -> None:
    assert usd_to_nano(nano_to_usd(nano)) == nano


@pytest.mark.parametrize(
    ("given_amount", "nano"),
    [("0.0042", 4_200_000), (5, 5_000_000_000), (0.1, 100_000_000), (Decimal("1e-9"), 1), ("0", 0)],
)
def test_amounts_are_exact(given_amount: object, nano: int) -> None:
    assert usd_to_nano(given_amount) == nano


@pytest.mark.parametrize("wrong", ["", "five", "-1", "NaN", "Infinity", "1e-10", "1e30", True, None, [1]])
def test_what_is_no_amount_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match=r"must|more than|too large"):
        usd_to_nano(wrong)
    with pytest.raises(ValidationError):
        TypeAdapter(UsdAmountIn).validate_python(wrong)


def test_json_carries_a_decimal_string() -> None:
    assert TypeAdapter(UsdAmount).dump_json(4_200_000) == b'"0.0042"'
    assert TypeAdapter(UsdAmount | None).dump_json(None) == b"null"
