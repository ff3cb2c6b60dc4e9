"""Keyset pagination: a cursor says after which row the next page starts, whatever was added in the meantime."""

import base64
import binascii
import json
from dataclasses import dataclass

from pydantic import BaseModel

from spectral.platform.shared.errors import FieldError, ValidationFailedError

COUNTED = 10_000
"""Collections are counted up to here; beyond, the total is reported as an estimate."""


class CursorPagination(BaseModel):
    """Where in a collection that may be long these results stand; `next_cursor` is null at its end.

    `total` is counted up to 10,000; beyond, `total_is_estimate` is true.
    """

    total: int
    total_is_estimate: bool
    limit: int
    offset: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Cursor:
    """The sort, the value that it sorts by, and the id of the last row of a page."""

    sort: str
    value: int
    identifier: bytes

    def encode(self) -> str:
        """URL-safe text."""
        document = json.dumps([self.sort, self.value, self.identifier.hex()], separators=(",", ":"))
        return base64.urlsafe_b64encode(document.encode()).rstrip(b"=").decode()


def decode_cursor(text: str, sort: str) -> Cursor:
    """The cursor of a query. Raises ValidationFailedError (422) for one that was not made for this sort."""
    try:
        document = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))
        made_for, value, identifier = document
        cursor = Cursor(str(made_for), value, bytes.fromhex(identifier))
    except (binascii.Error, ValueError, TypeError) as error:
        raise _refused("is not a cursor of this route") from error
    if not isinstance(value, int) or isinstance(value, bool) or abs(value) >= 2**63:
        raise _refused("is not a cursor of this route")
    if cursor.sort != sort:
        raise _refused("was made for another sort")
    return cursor


def refuse_offset(cursor: str | None, offset: int) -> None:
    """Raises ValidationFailedError (422) when both are given."""
    if cursor is not None and offset:
        raise ValidationFailedError(
            "The query failed validation", [FieldError("offset", "cannot be combined with cursor")]
        )


def _refused(detail: str) -> ValidationFailedError:
    return ValidationFailedError("The query failed validation", [FieldError("cursor", detail)])
