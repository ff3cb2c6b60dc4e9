"""What a convention is, and how values of unknown type become ours."""

import json
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, NamedTuple

from spectral.domains.traces.vocabulary import Reading

MAXIMUM_TOKENS = 10**9
MAXIMUM_COST_NANO_USD = 10**14
"""A single span beyond these is a mistake of its instrumentation; stored sums stay far from 64 bits."""

Parser = Callable[[Any], Any]
"""A decoded attribute value → the value of a field of `Reading`, or None where it makes no sense. Must not raise."""


class Field(NamedTuple):
    """One attribute of a convention: the field of `Reading` that it fills, and how its value is read.

    A key may stand more than once, for several fields.
    """

    key: str
    field: str
    parse: Parser


class Convention:
    """One convention for span attributes, as data.

    `fields`: its attributes. Of several that fill one field the earlier counts, if the span has it and it parses; what
    an earlier convention found is never replaced by a later one.
    `keys` and `prefixes`: attributes (by name, by the start of their name) that `derive` looks at.
    """

    name: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]] = ()
    keys: ClassVar[frozenset[str]] = frozenset()
    prefixes: ClassVar[tuple[str, ...]] = ()

    def derive(self, attributes: Mapping[str, Any], reading: Reading) -> None:
        """Fill what needs more than one attribute; called after the fields of all conventions are filled.

        Only for a span that has at least one of `keys`, or an attribute that starts with one of `prefixes`. Sees these
        (and perhaps others), and as `otel.span.name` and `otel.scope.name` the names of the span and its scope. Must
        be pure and must not raise: a span is read again when copies of it that differ arrive.
        """


def content(value: Any) -> Any:
    """The value as it is; empty text and empty lists are nothing."""
    return value if value or value not in ("", [], {}) else None


def text(value: Any, limit: int = 256) -> str | None:
    """A non-empty string of at most `limit` characters; numbers count as their text."""
    if type(value) is not str:
        if value is None or isinstance(value, bool) or not isinstance(value, str | int | float):
            return None
        value = str(value)
    if "\x00" in value:
        value = value.replace("\x00", "\ufffd")
    value = value.strip()
    if len(value) > limit:
        value = value[:limit]
    if not value.isascii():
        # JSON inside an attribute can spell half a surrogate pair, which no database takes.
        value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return value or None


def word(value: Any) -> str | None:
    """As `text`, at most 64 characters."""
    return text(value, 64)


def count(value: Any) -> int | None:
    """A plausible number of tokens."""
    if type(value) is not int:
        if value is None or isinstance(value, bool):
            return None
        try:
            value = int(value)
        except (TypeError, ValueError, OverflowError):
            return None
    return value if 0 <= value <= MAXIMUM_TOKENS else None


def usd(value: Any) -> int | None:
    """A plausible cost in US dollars as integer nano-USD, rounded half-even."""
    if value is None or isinstance(value, bool):
        return None
    try:
        amount = Decimal(str(value)).scaleb(9)
    except (InvalidOperation, ValueError):
        return None
    if amount.is_finite() and 0 <= amount <= MAXIMUM_COST_NANO_USD:
        return int(amount.to_integral_value())
    return None


def one_of(table: Mapping[str, Any]) -> Parser:
    """What the table has for the value, in lower case."""

    def parse(value: Any) -> Any:
        if not isinstance(value, str):
            return None
        return table.get(value) or table.get(value.lower())

    return parse


def always(found: Any) -> Parser:
    """That the attribute is there is all that it says."""

    def parse(value: Any) -> Any:
        return None if value is None else found

    return parse


def texts(value: Any, limit: int = 32) -> tuple[str, ...] | None:
    """A list of strings, given as such or as JSON or as one string, sorted and without copies."""
    if isinstance(value, str):
        try:
            value = json.loads(value) if value.startswith("[") else [value]
        except (ValueError, RecursionError):
            value = [value]
    if not isinstance(value, list):
        return None
    found = (text(item, 128) for item in value[:limit])
    return tuple(sorted({item for item in found if item})) or None


def document(value: Any) -> dict[str, Any]:
    """A JSON object, given as such or as its text; anything else is empty."""
    if isinstance(value, str) and value.startswith("{"):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return {}
    return value if isinstance(value, dict) else {}


def first_count(values: Mapping[str, Any], *keys: str) -> int | None:
    """The first of the values that is a plausible number of tokens."""
    for key in keys:
        if (found := count(values.get(key))) is not None:
            return found
    return None


def total(*counts: int | None) -> int | None:
    """The sum of what is known, None when nothing is."""
    known = [number for number in counts if number is not None]
    return sum(known) if known else None


def indexed(attributes: Mapping[str, Any], prefix: str) -> list[dict[str, Any]]:
    """`prefix.0.a.b = x` as `[{"a.b": x}]`, in the order of the indices."""
    found: dict[int, dict[str, Any]] = {}
    for key, value in attributes.items():
        if key.startswith(prefix):
            index, _, rest = key[len(prefix) :].partition(".")
            if index.isascii() and index.isdigit() and rest:
                found.setdefault(int(index[:9]), {})[rest] = value
    return [found[index] for index in sorted(found)]
