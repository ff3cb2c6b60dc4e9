"""Pages of lists that grow without bound: newest first, from a cursor on, counted up to 10,000."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.base import UtcTime
from spectral.platform.shared.cursors import COUNTED, Cursor, CursorPagination, decode_cursor, refuse_offset
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

NEWEST_FIRST = "-created_at"
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Listing:
    """One page of rows, and where in the list it stands."""

    rows: Sequence[sa.Row[Any]]
    pagination: CursorPagination


async def list_newest_first(
    session: AsyncSession, statement: sa.Select[Any], model: type[Any], page: Page, cursor: str | None
) -> Listing:
    """One page of `statement`, whose rows begin with a `model` that has `created_at` and a UUID `id`.

    cursor: `next_cursor` of the page before. Raises ValidationFailedError (422) for a bad one, or one with an offset.
    """
    refuse_offset(cursor, page.offset)
    counted = statement.with_only_columns(sa.literal(1)).limit(COUNTED + 1).subquery()
    total = int((await session.execute(sa.select(sa.func.count()).select_from(counted))).scalar_one())
    if cursor is not None:
        moment, identifier = _place(cursor)
        before = sa.tuple_(sa.literal(moment, UtcTime(timezone=True)), sa.literal(identifier, sa.Uuid()))
        statement = statement.where(sa.tuple_(model.created_at, model.id) < before)
    statement = statement.order_by(model.created_at.desc(), model.id.desc()).limit(page.limit + 1)
    if cursor is None:
        statement = statement.offset(page.offset)
    rows = (await session.execute(statement)).all()
    next_cursor = None
    if len(rows) > page.limit:
        last = rows[page.limit - 1][0]
        next_cursor = Cursor(NEWEST_FIRST, (last.created_at - EPOCH) // MICROSECOND, last.id.bytes).encode()
    return Listing(
        rows[: page.limit],
        CursorPagination(
            total=min(total, COUNTED),
            total_is_estimate=total > COUNTED,
            limit=page.limit,
            offset=page.offset,
            next_cursor=next_cursor,
        ),
    )


def _place(text: str) -> tuple[datetime, UUID]:
    cursor = decode_cursor(text, NEWEST_FIRST)
    try:
        return EPOCH + cursor.value * MICROSECOND, UUID(bytes=cursor.identifier)
    except (ValueError, OverflowError) as error:
        wrong = [FieldError("cursor", "is not a cursor of this route")]
        raise ValidationFailedError("The query failed validation", wrong) from error
