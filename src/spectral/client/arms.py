"""Which arm of a holdback a session belongs to: one definition, for every client and for the platform.

`unit(salt, session)` is the first 13 hexadecimal digits of SHA-256 over the UTF-8 text `salt + session`, divided by
16^13: a number in [0, 1) that every language computes exactly in double precision. The arms are walked in the order in
which they are listed; a session belongs to the first one at which the sum of the weights exceeds its number.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

DIGITS = 13
SCALE = 2**52


@dataclass(frozen=True)
class Arm:
    """A config version that a share of the sessions gets. weight: above 0; the arms of one answer add up to 1.

    document: None where the answer has it elsewhere: the first arm's is the answer's own `config`.
    """

    version: int
    weight: float
    config_hash: str
    document: dict[str, Any] | None = None


def unit(salt: str, session: str) -> float:
    """The session's number in [0, 1)."""
    digest = hashlib.sha256((salt + session).encode("utf-8", "surrogatepass")).hexdigest()
    return int(digest[:DIGITS], 16) / SCALE


def place_of(weights: Sequence[float], salt: str, session: str) -> int:
    """The place of the arm that the session belongs to; the last one takes what rounding leaves."""
    number, reached = unit(salt, session), 0.0
    for place, weight in enumerate(weights[:-1]):
        reached += weight
        if number < reached:
            return place
    return len(weights) - 1
