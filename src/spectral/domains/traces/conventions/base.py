"""What a convention is, and how values of unknown type become ours."""

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Protocol, runtime_checkable

from spectral.domains.traces.vocabulary import Reading

MAXIMUM_TOKENS = 10**9
MAXIMUM_COST_NANO_USD = 10**14
"""A single span beyond these is a mistake of its instrumentation; stored sums stay far from 64 bits."""


@runtime_checkable
class Convention(Protocol):
    """One convention for span attributes.

    `keys` and `prefixes` name every attribute that `read` looks at; others are not decoded for it. `read` fills in
    what is still None, so an earlier convention goes before a later one. It must be pure: a span is read again when
    copies of it that differ arrive.
    """

    name: str
    keys: frozenset[str]
    prefixes: tuple[str, ...]

    def read(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Fill `reading` from the attributes of a span and its resource."""
        ...


def text(value: Any, limit: int = 256) -> str | None:
    """A non-empty string of at most `limit` characters; numbers count as their text."""
    if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    cleaned = str(value).replace("\x00", "\ufffd").strip()
    return cleaned[:limit] or None


def first_text(attributes: Mapping[str, Any], *keys: str) -> str | None:
    """The first of the attributes that is a non-empty string."""
    for key in keys:
        found = attributes.get(key)
        if found is not None and (cleaned := text(found)) is not None:
            return cleaned
    return None


def tokens(attributes: Mapping[str, Any], *keys: str) -> int | None:
    """The first of the attributes that is a plausible number of tokens."""
    for key in keys:
        found = attributes.get(key)
        if found is None or isinstance(found, bool):
            continue
        try:
            count = int(found)
        except (TypeError, ValueError, OverflowError):
            continue
        if 0 <= count <= MAXIMUM_TOKENS:
            return count
    return None


def nano_usd(attributes: Mapping[str, Any], *keys: str) -> int | None:
    """The first of the attributes that is a plausible cost in US dollars, as integer nano-USD, rounded half-even."""
    for key in keys:
        found = attributes.get(key)
        if found is None or isinstance(found, bool):
            continue
        try:
            amount = Decimal(str(found)).scaleb(9)
        except (InvalidOperation, ValueError):
            continue
        if amount.is_finite() and 0 <= amount <= MAXIMUM_COST_NANO_USD:
            return int(amount.to_integral_value())
    return None


def texts(value: Any, limit: int = 32) -> tuple[str, ...]:
    """A list of strings, given as such or as JSON or as one string."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.startswith("[") else [value]
        except ValueError:
            value = [value]
    if not isinstance(value, list):
        return ()
    found = (text(item, 128) for item in value[:limit])
    return tuple(sorted({item for item in found if item}))


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """`prefix.0.a.b = x` as `[{"a.b": x}]`, in the order of the indices."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            index, _, rest = key[len(prefix) :].partition(".")
            if index.isascii() and index.isdigit() and rest:
                found.setdefault(int(index[:9]), {})[rest] = value
    return [found[index] for index in sorted(found)]
