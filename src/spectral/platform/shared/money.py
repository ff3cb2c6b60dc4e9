"""Money is an integer of nano-USD (10⁻⁹ US dollars) in Python and in the store, and a decimal string in JSON.

An unknown cost is `None`, never 0.
"""

from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

NANO_PER_USD = 1_000_000_000
MAXIMUM_NANO = 2**63 - 1

type_name = "decimal string of US dollars"


def usd_to_nano(value: object) -> int:
    """Nano-USD of a decimal string or number of US dollars.

    Raises ValueError when it is not a finite, non-negative amount of at most nine decimals that the store can hold.
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float | Decimal):
        message = f"must be a {type_name}"
        raise ValueError(message)  # noqa: TRY004 - Pydantic turns ValueError into a field error
    try:
        amount = Decimal(str(value))
    except InvalidOperation as error:
        message = f"must be a {type_name}"
        raise ValueError(message) from error
    if not amount.is_finite() or amount < 0:
        message = "must be a finite amount of at least 0"
        raise ValueError(message)
    nano = amount * NANO_PER_USD
    if nano != nano.to_integral_value():
        message = "has more than nine decimals"
        raise ValueError(message)
    if nano > MAXIMUM_NANO:
        message = "is too large"
        raise ValueError(message)
    return int(nano)


def nano_to_usd(nano: int) -> str:
    """The decimal string of an amount in nano-USD, without trailing zeros: 4200000 → "0.0042"."""
    whole, rest = divmod(abs(nano), NANO_PER_USD)
    sign = "-" if nano < 0 else ""
    return f"{sign}{whole}" if rest == 0 else f"{sign}{whole}.{rest:09d}".rstrip("0")


UsdAmount = Annotated[
    int,
    PlainSerializer(nano_to_usd, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "decimal", "examples": ["0.0042"], "description": "US dollars"}),
]
"""An amount in an answer: integer nano-USD in Python, decimal string in JSON."""

UsdAmountIn = Annotated[
    int,
    BeforeValidator(usd_to_nano),
    WithJsonSchema({"type": ["string", "number"], "examples": ["5.00"], "description": "US dollars"}),
]
"""An amount in a request body: decimal string or number of US dollars in JSON, integer nano-USD in Python."""


@dataclass(frozen=True, slots=True)
class Spending:
    """What calls of models cost: the known part in nano-USD, and how many calls have an unknown cost."""

    known_nano_usd: int = 0
    unpriced_calls: int = 0

    def __add__(self, other: "Spending") -> "Spending":
        return Spending(self.known_nano_usd + other.known_nano_usd, self.unpriced_calls + other.unpriced_calls)
