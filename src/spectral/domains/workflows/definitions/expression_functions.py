"""The functions of expressions. All are pure; what they are given may be null, and null mostly gives null."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from pydantic import ValidationError

from spectral.domains.agents.json_values import storable_json
from spectral.domains.evaluations.scorers.patterns import PatternError, linear_pattern
from spectral.domains.workflows.definitions.expression_values import (
    MAXIMUM_RESULT_CHARACTERS,
    ExpressionError,
    Work,
    bounded,
    holds,
    is_number,
    json_of,
    kind_of,
    less,
    number,
    short_text,
    text_of,
)

MAXIMUM_DIGITS = 400
MAXIMUM_DECIMALS = 12


@dataclass(frozen=True, slots=True)
class Function:
    """most: None takes any number of arguments."""

    name: str
    least: int
    most: int | None
    apply: Callable[[Sequence[Any], Work], Any]


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise ExpressionError(f"{name}() needs a text, not {kind_of(value)}")
    return value


def _list(value: Any, name: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        raise ExpressionError(f"{name}() needs a list, not {kind_of(value)}")
    return value


def _changed(name: str, change: Callable[[str], str]) -> Function:
    def apply(given: Sequence[Any], work: Work) -> Any:
        if given[0] is None:
            return None
        text = _text(given[0], name)
        work.spend(len(text))
        return short_text(change(text))

    return Function(name, 1, 1, apply)


def _coalesce(given: Sequence[Any], work: Work) -> Any:
    del work
    return next((value for value in given if value is not None), None)


def _len(given: Sequence[Any], work: Work) -> Any:
    del work
    if given[0] is None:
        return 0
    if isinstance(given[0], str | list | tuple | Mapping):
        return len(given[0])
    raise ExpressionError(f"{kind_of(given[0])} has no length")


def _contains(given: Sequence[Any], work: Work) -> Any:
    return holds(given[0], given[1], work)


def _edge(name: str, test: Callable[[str, str], bool]) -> Function:
    def apply(given: Sequence[Any], work: Work) -> Any:
        del work
        if given[0] is None or given[1] is None:
            return False
        return test(_text(given[0], name), _text(given[1], name))

    return Function(name, 2, 2, apply)


def _split(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return []
    text, separator = _text(given[0], "split"), _text(given[1], "split")
    if not separator:
        raise ExpressionError("split() needs a separator")
    work.spend(len(text))
    return text.split(separator)


def _join(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return ""
    separator = _text(given[1], "join") if len(given) > 1 else ""
    parts, size = [], 0
    for one in _list(given[0], "join"):
        part = text_of(one, work)
        size += len(part) + len(separator)
        if size > MAXIMUM_RESULT_CHARACTERS + len(separator):
            raise ExpressionError(f"the text is longer than {MAXIMUM_RESULT_CHARACTERS} characters")
        parts.append(part)
    work.spend(size)
    return short_text(separator.join(parts))


def _keys(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return []
    if not isinstance(given[0], Mapping):
        raise ExpressionError(f"keys() needs an object, not {kind_of(given[0])}")
    work.spend(len(given[0]))
    return list(given[0])


def _values(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return []
    if not isinstance(given[0], Mapping):
        raise ExpressionError(f"values() needs an object, not {kind_of(given[0])}")
    work.spend(len(given[0]))
    return list(given[0].values())


def _extreme(name: str, better: Callable[[Any, Any], bool]) -> Function:
    def apply(given: Sequence[Any], work: Work) -> Any:
        ones = given
        if len(given) == 1:
            if given[0] is None:
                return None
            ones = _list(given[0], name)
        work.spend(len(ones))
        found = None
        for one in ones:
            if one is not None and (found is None or better(one, found)):
                found = one
        return found

    return Function(name, 1, None, apply)


def _sum(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return 0
    ones = _list(given[0], "sum")
    work.spend(len(ones))
    total: Any = 0
    for one in ones:
        if one is not None:
            total = number(total + _number(one, "sum"))
    return total


def _number(value: Any, name: str) -> Any:
    if not is_number(value):
        raise ExpressionError(f"{name}() needs numbers, not {kind_of(value)}")
    return value


def _round(given: Sequence[Any], work: Work) -> Any:
    """Halves go away from zero, as people round."""
    del work
    if given[0] is None:
        return None
    digits = given[1] if len(given) > 1 else 0
    if not isinstance(digits, int) or isinstance(digits, bool) or not 0 <= digits <= MAXIMUM_DECIMALS:
        raise ExpressionError(f"round() takes 0 to {MAXIMUM_DECIMALS} decimals")
    value = number(_number(given[0], "round"))
    if isinstance(value, int) or abs(value) >= 1e15:
        return number(int(value)) if digits == 0 else value
    rounded = Decimal(repr(value)).quantize(Decimal(1).scaleb(-digits), rounding=ROUND_HALF_UP)
    return int(rounded) if digits == 0 else float(rounded)


def _abs(given: Sequence[Any], work: Work) -> Any:
    del work
    return None if given[0] is None else number(abs(_number(given[0], "abs")))


def _int(given: Sequence[Any], work: Work) -> Any:
    del work
    value = given[0]
    if value is None:
        return None
    if isinstance(value, str):
        value = _parsed(value, "int")
    if not isinstance(value, bool | int | float):
        raise ExpressionError(f"int() cannot read {kind_of(value)}")
    return number(int(number(value)))


def _float(given: Sequence[Any], work: Work) -> Any:
    del work
    value = given[0]
    if value is None:
        return None
    if isinstance(value, str):
        value = _parsed(value, "float")
    if not isinstance(value, bool | int | float):
        raise ExpressionError(f"float() cannot read {kind_of(value)}")
    return number(float(number(value)))


def _parsed(text: str, name: str) -> int | float:
    stripped = text.strip()
    if len(stripped) <= MAXIMUM_DIGITS and stripped.isascii() and "_" not in stripped:
        for read in (int, float):
            try:
                value: float = read(stripped)
            except ValueError:
                continue
            if math.isfinite(value):
                return value
    raise ExpressionError(f"{name}() cannot read {stripped[:40]!r} as a number")


def _str(given: Sequence[Any], work: Work) -> Any:
    return text_of(given[0], work)


def _json(given: Sequence[Any], work: Work) -> Any:
    return json_of(given[0], work)


def _parse_json(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None:
        return None
    text = short_text(_text(given[0], "parse_json"))
    work.spend(len(text))
    try:
        return bounded(storable_json(json.loads(text, parse_constant=_no_constant)), work)
    except ValidationError as error:
        raise ExpressionError(f"parse_json() read JSON that {error.errors()[0]['msg']}") from error
    except ValueError as error:
        raise ExpressionError(f"parse_json() was given no JSON: {error}"[:300]) from error


def _no_constant(name: str) -> Any:
    message = f"{name} is no JSON"
    raise ValueError(message)


def _matches(given: Sequence[Any], work: Work) -> Any:
    if given[0] is None or given[1] is None:
        return False
    text, pattern = _text(given[0], "matches"), _text(given[1], "matches")
    work.spend(len(text) + 1000)
    try:
        return linear_pattern(pattern).search(text) is not None
    except PatternError as error:
        raise ExpressionError(f"the pattern of matches() {error}"[:300]) from error


FUNCTIONS: Mapping[str, Function] = {
    function.name: function
    for function in (
        Function("coalesce", 1, None, _coalesce),
        Function("len", 1, 1, _len),
        _changed("lower", str.lower),
        _changed("upper", str.upper),
        _changed("trim", str.strip),
        Function("contains", 2, 2, _contains),
        _edge("starts_with", str.startswith),
        _edge("ends_with", str.endswith),
        Function("split", 2, 2, _split),
        Function("join", 1, 2, _join),
        Function("keys", 1, 1, _keys),
        Function("values", 1, 1, _values),
        _extreme("min", less),
        _extreme("max", lambda one, found: less(found, one)),
        Function("sum", 1, 1, _sum),
        Function("round", 1, 2, _round),
        Function("abs", 1, 1, _abs),
        Function("int", 1, 1, _int),
        Function("float", 1, 1, _float),
        Function("str", 1, 1, _str),
        Function("json", 1, 1, _json),
        Function("parse_json", 1, 1, _parse_json),
        Function("matches", 2, 2, _matches),
    )
}
