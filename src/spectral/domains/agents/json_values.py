"""JSON values that both databases give back exactly as they were stored."""

import json
import math
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, JsonValue, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from spectral.domains.agents.pointers import child_pointer

MAXIMUM_DEPTH = 32
MAXIMUM_NUMBER = 2**53
"""Numbers beyond are not the same in every reader of JSON. Source: RFC 7493 (I-JSON), section 2.2."""

Location = tuple[str | int, ...]


class Problems:
    """Collects what is wrong in a model, so that a caller hears of everything at once, each at its place."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._found: list[InitErrorDetails] = []

    def report(self, location: Location, detail: str) -> None:
        """Notes one problem; `location` is relative to the model that is being validated."""
        # The detail is passed as context because Pydantic expands braces in the message itself.
        error = PydanticCustomError("agent_config", "{detail}", {"detail": detail})
        self._found.append(InitErrorDetails(type=error, loc=location, input=None))

    def raise_any(self) -> None:
        """Raises one ValidationError with all of them; Pydantic prefixes the places on the way up."""
        if self._found:
            raise ValidationError.from_exception_data(self._title, self._found)


def pointer_of(location: Location) -> str:
    """The JSON pointer of a Pydantic error location."""
    pointer = ""
    for part in location:
        if part != "[key]":  # Pydantic's word for "the member's name, not its value"
            pointer = child_pointer(pointer, part)
    return pointer


def plain_number(value: Any) -> Any:
    """A whole float as an int, because JSON has one kind of number; everything else as it is."""
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) <= MAXIMUM_NUMBER:
        return int(value)
    return value


def json_text(value: Any) -> str:
    """Compact JSON with sorted members: equal texts exactly for equal JSON values, told apart by type."""
    return json.dumps(plain_number(value), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def storable_json(value: Any) -> Any:
    """The value with whole floats as ints.

    Raises pydantic.ValidationError that names every place which a database or JSON itself could not hold: NUL
    characters, halves of surrogate pairs, numbers that are not finite or beyond 2^53, more than 32 levels.
    """
    problems = Problems("JSON value")
    checked = _checked(value, (), problems)
    problems.raise_any()
    return checked


def storable_text(text: str) -> str:
    """The text itself. Raises ValueError where a database could not hold it."""
    if not _is_storable(text):
        message = "holds a NUL character or half of a surrogate pair"
        raise ValueError(message)
    return text


StorableJson = Annotated[JsonValue, AfterValidator(storable_json)]
"""Any JSON value of a request body."""

STORABLE = AfterValidator(storable_text)
"""For text of a request body, after its other constraints."""


def _checked(value: Any, location: Location, problems: Problems) -> Any:
    if len(location) > MAXIMUM_DEPTH:
        problems.report(location, f"is nested deeper than {MAXIMUM_DEPTH} levels")
        return None
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str) or not _is_storable(key):
                problems.report(location, "has a member whose name is not storable text")
        return {key: _checked(member, (*location, str(key)), problems) for key, member in value.items()}
    if isinstance(value, list | tuple):
        return [_checked(member, (*location, index), problems) for index, member in enumerate(value)]
    if isinstance(value, str) and not _is_storable(value):
        problems.report(location, "holds a NUL character or half of a surrogate pair")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if not abs(value) <= MAXIMUM_NUMBER:  # NaN compares as False
            problems.report(location, "is not a number between -2^53 and 2^53")
        return plain_number(value)
    return value


def _is_storable(text: str) -> bool:
    if "\x00" in text:
        return False
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
