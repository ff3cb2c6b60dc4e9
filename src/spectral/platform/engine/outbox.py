"""Work left for the engine by code that does not know it: a row of the caller's transaction, found by the sweep."""

from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.work import EngineWork
from spectral.platform.shared.clock import utc_now


async def leave_work(session: AsyncSession, item: WorkItem) -> None:
    """The work will be done if, and only if, the caller's transaction commits; it starts a second or two later.

    As `Engine.enqueue`, for callers that have no engine. The session must be bound to the item's workspace, and the
    item's key must be new: a known one fails the transaction.
    """
    now = utc_now()
    session.add(
        EngineWork(
            workspace_id=item.workspace_id,
            id=item.key,
            account_id=item.account_id,
            kind=item.kind,
            payload=dict(item.payload),
            created_at=now,
            wake_at=now + timedelta(seconds=item.delay_s or 0.0),
        )
    )
    await session.flush()
