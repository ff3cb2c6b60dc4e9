"""Deleting what a workspace holds, table by table and in batches, as engine work that a killed process leaves off.

Nothing is remembered of where it stood: what is deleted is gone, and an empty table costs one query.
"""

import asyncio
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import Deletion
from spectral.domains.workspaces.closing import close_account
from spectral.domains.workspaces.models import Workspace
from spectral.platform import audit
from spectral.platform.access.authentication import CACHE_LIFETIME_S
from spectral.platform.db.base import Base
from spectral.platform.db.roles import APPEND_ONLY, CREDENTIALS
from spectral.platform.db.session import Database
from spectral.platform.engine.context import Handler, WorkContext
from spectral.platform.engine.work import EngineWork
from spectral.platform.shared.clock import utc_now

KIND = "workspace.erase"
BATCH_ROWS = 2_000
LATECOMERS = 5

# The engine's own row of this work goes last; credentials belong to people, and nobody edits the past.
KEPT = frozenset({*APPEND_ONLY, *CREDENTIALS, EngineWork.__tablename__})


def erased_tables() -> list[sa.Table]:
    """The tables that hold rows of a workspace, children before parents.

    What no foreign key holds comes first: a parent's trigger would delete it row by row, in batches without a bound.
    """
    owned = [
        table for table in reversed(Base.metadata.sorted_tables) if "workspace_id" in table.c and table.name not in KEPT
    ]
    return sorted(owned, key=lambda table: bool(table.foreign_keys))


def erasure_handler(identity: Database) -> Handler:
    """Does the work of this kind. identity: the database as the authentication role, which closes accounts."""

    async def erase(context: WorkContext) -> None:
        await _stop_other_work(context)
        tables = erased_tables()
        for latecomers in range(LATECOMERS + 1):
            try:
                await _delete_all(context, tables)
                break
            except IntegrityError:
                # Somebody has just written, on rights read a moment before, what refers to a row of ours.
                if latecomers == LATECOMERS:
                    raise
                await asyncio.sleep(CACHE_LIFETIME_S)
        await _finish(context, tables)
        # Where this process dies before it, the schedule does it.
        await close_account(identity, context.account_id)

    return erase


async def _delete_all(context: WorkContext, tables: list[sa.Table]) -> None:
    """Empty the tables in their order, a batch to a transaction."""
    place = 0
    while place < len(tables):
        async with context.database.transaction(context.access) as session:
            await context.fence(session)
            place, rows = await _delete_batch(session, context.workspace_id, tables, place)
            await _note(session, context.key, place, rows)


async def _stop_other_work(context: WorkContext) -> None:
    """Without its row no other work of the workspace commits anything any more."""
    async with context.database.transaction(context.access) as session:
        await context.fence(session)
        await session.execute(
            sa.delete(EngineWork)
            .where(EngineWork.workspace_id == context.workspace_id, EngineWork.id != context.key)
            .execution_options(synchronize_session=False)
        )
        await _note(session, context.key, 0, 0)


async def _delete_batch(
    session: AsyncSession, workspace_id: UUID, tables: list[sa.Table], place: int
) -> tuple[int, int]:
    """Delete up to a batch of rows, from the table at `place` on; answers where to go on, and how many it was."""
    deleted = 0
    while place < len(tables):
        room = BATCH_ROWS - deleted
        found = await _delete_some(session, workspace_id, tables[place], room)
        deleted += found
        if found >= room:
            break
        place += 1
    return place, deleted


async def _delete_some(session: AsyncSession, workspace_id: UUID, table: sa.Table, limit: int) -> int:
    """Delete the first `limit` rows of the table in the order of its primary key; answers how many they were.

    By a range of the key, which both databases read off its index; a list of keys would scan what is left each time.
    """
    mine = table.c.workspace_id == workspace_id
    statement = sa.delete(table).where(mine)
    keys = [column for column in table.primary_key.columns if column.name != "workspace_id"]
    if keys:
        ordered = sa.select(*keys).where(mine).order_by(*keys)
        last = (await session.execute(ordered.limit(1).offset(limit - 1))).one_or_none()
        if last is not None:
            bounds = [sa.literal(value, key.type) for key, value in zip(keys, last, strict=True)]
            statement = statement.where(sa.tuple_(*keys) <= sa.tuple_(*bounds))
    result = cast("CursorResult[Any]", await session.execute(statement))
    return result.rowcount


async def _note(session: AsyncSession, deletion_id: UUID, tables_done: int, rows: int) -> None:
    await session.execute(
        sa.update(Deletion)
        .where(Deletion.id == deletion_id)
        .values(state="running", tables_done=tables_done, rows_deleted=Deletion.rows_deleted + rows)
        .execution_options(synchronize_session=False)
    )


async def _finish(context: WorkContext, tables: list[sa.Table]) -> None:
    """The rest, the workspace itself and this work's own row go in one transaction."""
    async with context.database.transaction(context.access) as session:
        await context.fence(session)
        # Whoever still writes on the strength of rights read a second ago holds a share of this row by a foreign key;
        # after this lock they have committed, or their foreign key fails.
        locked = sa.select(Workspace.id).where(Workspace.id == context.workspace_id).with_for_update()
        await session.execute(locked)
        rows = 0
        for table in tables:
            left = await session.execute(sa.delete(table).where(table.c.workspace_id == context.workspace_id))
            rows += cast("CursorResult[Any]", left).rowcount
        await _note(session, context.key, len(tables), rows)
        deletion = await session.get_one(Deletion, context.key)
        deletion.state, deletion.finished_at = "done", utc_now()
        await audit.record(
            session,
            account_id=context.account_id,
            workspace_id=context.workspace_id,
            actor=context.access.actor,
            action="workspace.deleted",
            subject=f"workspace:{context.workspace_id}",
            detail={
                "name": deletion.name,
                "deletion_id": str(deletion.id),
                "requested_by": deletion.requested_by,
                "rows_deleted": deletion.rows_deleted,
            },
        )
        await session.execute(sa.delete(EngineWork).where(EngineWork.workspace_id == context.workspace_id))
        await session.execute(sa.delete(Workspace).where(Workspace.id == context.workspace_id))
