"""Nanosecond times on the wire: RFC 3339 in UTC with nine decimals."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import PlainSerializer, WithJsonSchema

from spectral.platform.shared.errors import FieldError, ValidationFailedError

NANOSECONDS = 10**9
MAXIMUM_NS = 2**63 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORM = re.compile(r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?([Zz]|[+-]\d{2}:\d{2})", flags=re.ASCII)


def rfc3339_ns(nanoseconds: int) -> str:
    """`2026-11-21T12:00:00.123456789Z`."""
    seconds, rest = divmod(nanoseconds, NANOSECONDS)
    return f"{_EPOCH + timedelta(seconds=seconds):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def parse_ns(text: str) -> int:
    """Nanoseconds of an RFC 3339 time with up to nine decimals. Raises ValueError."""
    match = _FORM.fullmatch(text)
    if match is None:
        raise ValueError("must be an RFC 3339 time")
    day, time, fraction, zone = match.groups()
    moment = datetime.fromisoformat(f"{day}T{time}{'+00:00' if zone in 'Zz' else zone}")
    nanoseconds = (moment - _EPOCH) // timedelta(seconds=1) * NANOSECONDS + int((fraction or "0").ljust(9, "0"))
    if not 0 <= nanoseconds <= MAXIMUM_NS:
        raise ValueError("must lie between 1970 and 2262")
    return nanoseconds


def parse_query_ns(name: str, text: str | None) -> int | None:
    """A time in a query parameter. Raises ValidationFailedError (422) that names the parameter."""
    if text is None:
        return None
    try:
        # A `+` in a query that was not encoded arrives as a space.
        return parse_ns(text.replace(" ", "+") if text.count(" ") == 1 and "T" in text.upper() else text)
    except ValueError as error:
        detail = "must be an RFC 3339 time"
        raise ValidationFailedError("The query failed validation", [FieldError(name, detail)]) from error


Moment = Annotated[
    int,
    PlainSerializer(rfc3339_ns, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-21T12:00:00.123456789Z"]}),
]
"""Nanoseconds since 1970 in Python, RFC 3339 with nine decimals in an answer."""
