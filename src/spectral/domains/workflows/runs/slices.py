"""Slices of long lists by keyset, in both orders: a cursor says after which row the next slice begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.base import UtcTime
from spectral.platform.shared.cursors import COUNTED, Cursor, CursorPagination, decode_cursor, refuse_offset
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)

M = TypeVar("M")


@dataclass(frozen=True, slots=True)
class Order:
    """What a list is sorted by: a column of integers or moments and, where that one repeats, the row's id."""

    name: str
    column: Any
    identifier: Any = None
    is_moment: bool = False


@dataclass(frozen=True, slots=True)
class Slice(Generic[M]):
    """Some rows of a list; `next_cursor` is None at its end."""

    rows: Sequence[M]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Listed(Generic[M]):
    """A slice, and where in the whole list it stands."""

    rows: Sequence[M]
    pagination: CursorPagination


async def read_slice(
    session: AsyncSession,
    statement: sa.Select[tuple[M]],
    order: Order,
    *,
    newest_first: bool,
    limit: int,
    cursor: str | None = None,
    offset: int = 0,
    parameter: str = "cursor",
) -> Slice[M]:
    """The rows of `statement` after the cursor, at most `limit`.

    parameter: what the query calls the cursor.
    Raises ValidationFailedError (422) for a cursor of another list or order.
    """
    sort = f"-{order.name}" if newest_first else order.name
    columns = [order.column] if order.identifier is None else [order.column, order.identifier]
    if cursor is not None:
        place = _place(cursor, sort, order, parameter)
        here, there = (sa.tuple_(*columns), sa.tuple_(*place)) if len(columns) > 1 else (columns[0], place[0])
        statement = statement.where(here < there if newest_first else here > there)
    statement = statement.order_by(*(column.desc() if newest_first else column.asc() for column in columns))
    if cursor is None and offset:
        statement = statement.offset(offset)
    rows = list((await session.scalars(statement.limit(limit + 1))).all())
    if len(rows) <= limit:
        return Slice(rows, None)
    last: Any = rows[limit - 1]
    value = getattr(last, order.column.key)
    number = (value - EPOCH) // MICROSECOND if order.is_moment else int(value)
    identifier = b"" if order.identifier is None else last.id.bytes
    return Slice(rows[:limit], Cursor(sort, number, identifier).encode())


async def read_listed(
    session: AsyncSession,
    statement: sa.Select[tuple[M]],
    order: Order,
    *,
    newest_first: bool,
    page: Page,
    cursor: str | None,
    total: int | None = None,
) -> Listed[M]:
    """As `read_slice`, with the number of rows of the whole list, counted up to 10,000 unless `total` is known."""
    refuse_offset(cursor, page.offset)
    found = await read_slice(
        session, statement, order, newest_first=newest_first, limit=page.limit, cursor=cursor, offset=page.offset
    )
    if total is None:
        total = await count_some(session, statement)
    return Listed(
        found.rows,
        CursorPagination(
            total=min(total, COUNTED),
            total_is_estimate=total > COUNTED,
            limit=page.limit,
            offset=page.offset,
            next_cursor=found.next_cursor,
        ),
    )


async def count_some(session: AsyncSession, statement: sa.Select[Any]) -> int:
    """How many rows it has, counted no further than one beyond 10,000."""
    counted = statement.with_only_columns(sa.literal(1)).order_by(None).limit(COUNTED + 1).subquery()
    return int((await session.execute(sa.select(sa.func.count()).select_from(counted))).scalar_one())


def _place(text: str, sort: str, order: Order, parameter: str) -> list[Any]:
    try:
        cursor = decode_cursor(text, sort)
        value: Any = cursor.value
        if order.is_moment:
            value = sa.literal(EPOCH + cursor.value * MICROSECOND, UtcTime(timezone=True))
        if order.identifier is None:
            return [value]
        return [value, sa.literal(UUID(bytes=cursor.identifier), sa.Uuid())]
    except ValidationFailedError as error:
        raise ValidationFailedError(
            error.detail, [FieldError(parameter, wrong.detail) for wrong in error.errors]
        ) from error
    except (ValueError, OverflowError) as error:
        wrong = [FieldError(parameter, "is not a cursor of this route")]
        raise ValidationFailedError("The query failed validation", wrong) from error
