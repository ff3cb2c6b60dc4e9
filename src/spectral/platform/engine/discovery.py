"""Where there is something to do, across workspaces: for schedules, which belong to no workspace."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from spectral.platform.db.policies import ENGINE_SETTING
from spectral.platform.db.session import Database


async def look_across_workspaces(database: Database, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
    """The rows of one SELECT over every workspace's rows, of tables that admit the engine (`enable_engine_reading`).

    For finding work only: what is done is done in a transaction bound to its workspace.
    """
    async with database.transaction(read_only=True) as session:
        if not database.is_sqlite:
            await session.execute(sa.text("SELECT set_config(:name, 'on', true)"), {"name": ENGINE_SETTING})
        return (await session.execute(statement)).all()
