"""Day partitions of the span tables on PostgreSQL: from the start of retention to a week ahead."""

from datetime import timedelta

import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

RETENTION = timedelta(days=30)
AHEAD = timedelta(days=7)


async def make_partitions(database: Database) -> int:
    """Every day from the start of retention to a week ahead has its partition; answers how many were made.

    A day whose rows are in the default partition already keeps them there. Nothing on SQLite.
    """
    if database.is_sqlite:
        return 0
    today = utc_now().date()
    async with database.transaction() as session:
        made = await session.execute(sa.select(sa.func.spectral_make_span_partitions(today - RETENTION, today + AHEAD)))
        return int(made.scalar_one())
