"""JSON values as expressions see them: truth, equality, order and text; all work is counted."""

import json
import math
from collections.abc import Mapping
from typing import Any

MAXIMUM_RESULT_CHARACTERS = 1024 * 1024
MAXIMUM_WORK = 16 * 1024 * 1024
"""Characters and elements that evaluating one value may look at."""
MAXIMUM_NUMBER = 2**63
MAXIMUM_DEPTH = 64
"""Levels of a result."""


class ExpressionError(Exception):
    """An expression cannot be read, or has no value here. position: where in its text, from 0; None for values."""

    def __init__(self, message: str, position: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


class Work:
    """What is left of the work that one evaluation may do."""

    __slots__ = ("left",)

    def __init__(self, left: int = MAXIMUM_WORK) -> None:
        self.left = left

    def spend(self, units: int) -> None:
        """Raises ExpressionError when it becomes too much."""
        self.left -= units
        if self.left < 0:
            raise ExpressionError("the expression takes too long on values of this size")


def kind_of(value: Any) -> str:
    """What people call the value's type."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int | float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, Mapping):
        return "an object"
    return "a list" if isinstance(value, list | tuple) else type(value).__name__


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def number(value: Any) -> Any:
    """The number itself. Raises ExpressionError for one that JSON or a database would not give back."""
    if isinstance(value, complex):
        raise ExpressionError("the result is not a real number")
    if isinstance(value, float) and not math.isfinite(value):
        raise ExpressionError("the result is not a finite number")
    if isinstance(value, int) and not isinstance(value, bool) and not -MAXIMUM_NUMBER <= value < MAXIMUM_NUMBER:
        raise ExpressionError("the number is too large")
    return value


def short_text(text: str) -> str:
    """The text. Raises ExpressionError when it is longer than a result may be."""
    if len(text) > MAXIMUM_RESULT_CHARACTERS:
        raise ExpressionError(f"the text is longer than {MAXIMUM_RESULT_CHARACTERS} characters")
    return text


def truth(value: Any) -> bool:
    """null, false, 0, "", [] and {} are false; the rest is true."""
    return bool(value)


def equal(left: Any, right: Any, work: Work) -> bool:
    """As JSON: 1 equals 1.0, true does not equal 1, objects do not depend on order."""
    pending = [(left, right)]
    while pending:
        one, other = pending.pop()
        work.spend(1)
        if kind_of(one) != kind_of(other):
            return False
        if isinstance(one, Mapping):
            if len(one) != len(other) or any(name not in other for name in one):
                return False
            pending.extend((value, other[name]) for name, value in one.items())
        elif isinstance(one, list | tuple):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif one != other:
            return False
    return True


def less(left: Any, right: Any) -> bool:
    """Whether one number or text comes before another. Raises ExpressionError for what has no order."""
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return bool(left < right)
    raise ExpressionError(f"{kind_of(left)} and {kind_of(right)} have no order")


def holds(container: Any, wanted: Any, work: Work) -> bool:
    """Whether a list has the element, an object the member, a text the part; nothing is in null."""
    if container is None:
        return False
    if isinstance(container, str):
        if wanted is None:
            return False
        if not isinstance(wanted, str):
            raise ExpressionError(f"{kind_of(wanted)} cannot be looked for in a text")
        work.spend(len(container))
        return wanted in container
    if isinstance(container, Mapping):
        return isinstance(wanted, str) and wanted in container
    if isinstance(container, list | tuple):
        return any(equal(one, wanted, work) for one in container)
    raise ExpressionError(f"{kind_of(container)} holds nothing")


def text_of(value: Any, work: Work) -> str:
    """The value in running text: null is empty, lists and objects are compact JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        work.spend(len(value))
        return short_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    return json_of(value, work)


def json_of(value: Any, work: Work) -> str:
    """Compact JSON of at most 1 MiB. Raises ExpressionError."""
    measured = bounded(value, work)
    try:
        return short_text(json.dumps(measured, ensure_ascii=False, separators=(",", ":"), allow_nan=False))
    except ValueError as error:
        raise ExpressionError("the value is not JSON") from error


def bounded(value: Any, work: Work) -> Any:
    """The value with plain objects and lists. Raises ExpressionError when it is over 1 MiB or too deep."""
    if value is None or isinstance(value, bool | int | float):
        return number(value)
    if isinstance(value, str):
        return short_text(value)
    size, plain = 0, True
    pending: list[tuple[Any, int]] = [(value, 0)]
    while pending:
        one, depth = pending.pop()
        size += 3 + (len(one) if isinstance(one, str) else 0)
        if isinstance(one, Mapping):
            plain = plain and isinstance(one, dict)
            size += sum(len(key) + 4 for key in one)
            pending.extend((member, depth + 1) for member in one.values())
        elif isinstance(one, list | tuple):
            plain = plain and isinstance(one, list)
            pending.extend((element, depth + 1) for element in one)
        if size + 3 * len(pending) > MAXIMUM_RESULT_CHARACTERS:
            raise ExpressionError(f"the value is larger than {MAXIMUM_RESULT_CHARACTERS} characters of JSON")
        if depth > MAXIMUM_DEPTH:
            raise ExpressionError(f"the value is nested deeper than {MAXIMUM_DEPTH} levels")
    work.spend(size // 4)
    return value if plain else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(element) for element in value]
    return value
