"""Day partitions of the span tables on PostgreSQL: from the start of retention to a week ahead."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

FURTHEST_BEHIND = 390
FURTHEST_AHEAD = 31


@dataclass(frozen=True, slots=True)
class PartitionWindow:
    """Which days have partitions of their own, counted from today; other days share the default one."""

    days_behind: int = 30
    days_ahead: int = 7


async def make_partitions(database: Database, window: PartitionWindow) -> int:
    """Every day of the window has its partition; answers how many were made.

    A day whose rows are in the default partition already keeps them there. Nothing on SQLite.
    """
    if database.is_sqlite:
        return 0
    today = utc_now().date()
    async with database.transaction() as session:
        first, last = today - timedelta(days=window.days_behind), today + timedelta(days=window.days_ahead)
        made = await session.execute(sa.select(sa.func.spectral_make_span_partitions(first, last)))
        return int(made.scalar_one())


def make_partitions_of_days(connection: sa.Connection, days: Iterable[date]) -> None:
    """These days have partitions of their own, except those too long ago or ahead for that. Nothing on SQLite."""
    if connection.dialect.name != "postgresql":
        return
    today = utc_now().date()
    first, last = today - timedelta(days=FURTHEST_BEHIND), today + timedelta(days=FURTHEST_AHEAD)
    for day in days:
        if first <= day <= last:
            connection.execute(sa.select(sa.func.spectral_make_span_partitions(day, day)))
