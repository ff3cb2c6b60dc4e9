"""The two bases of every wire shape, and types that more than one has."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer


class WireIn(BaseModel):
    """A request body. Unknown members are refused, so nothing can be set that a schema does not name."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=False, hide_input_in_errors=True)


class WireOut(BaseModel):
    """An answer; may be read off a table row."""

    model_config = ConfigDict(from_attributes=True, frozen=True)


def rfc3339(moment: datetime) -> str:
    """RFC 3339 in UTC with `Z`; microseconds only where there are any."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


Timestamp = Annotated[datetime, PlainSerializer(rfc3339, return_type=str, when_used="json")]
"""A moment in an answer, as RFC 3339 UTC with `Z`."""


def exactly(value: object) -> object:
    """`true` or `false` itself: a right is not granted by a number or a word that reads like one."""
    if not isinstance(value, bool):
        message = "must be true or false"
        raise ValueError(message)  # noqa: TRY004 - pydantic turns this one into a 422
    return value


Exactly = Annotated[bool, BeforeValidator(exactly)]
"""A right, or a mark, that somebody gives: nothing but `true` and `false`."""
