"""How work that an execution owns stops being its: one statement each, good only under the execution's lease."""

from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.shared.clock import utc_now

TABLE = cast("sa.Table", EngineWork.__table__)
WORK = TABLE.c


def _settling(**change: Any) -> sa.Update:
    """Answers whether other work of the kind is due in the workspace: the slot that becomes free is for that."""
    other = TABLE.alias("other").c
    mine = (other.workspace_id == sa.bindparam("workspace"), other.kind == sa.bindparam("of_kind"))
    more_due = sa.exists().where(*mine, other.state == WorkState.QUEUED.value, other.wake_at <= sa.bindparam("now"))
    return (
        sa.update(TABLE)
        .where(
            WORK.workspace_id == sa.bindparam("workspace"),
            WORK.id == sa.bindparam("key"),
            WORK.lease == sa.bindparam("held"),
            WORK.state == WorkState.RUNNING.value,
        )
        .values(executor_id=None, **change)
        .returning(more_due)
    )


# Built once: making them costs as much as executing them.
_ENDED = _settling(state=sa.bindparam("outcome"), finished_at=sa.bindparam("now"), error=sa.bindparam("failure"))
_HANDED_BACK = _settling(state=WorkState.QUEUED.value, lease=WORK.lease + 1, wake_at=sa.bindparam("until"))
_PARKED = _settling(
    state=sa.case((WORK.cancel_requested, WorkState.CANCELLED.value), else_=WorkState.QUEUED.value),
    finished_at=sa.case((WORK.cancel_requested, sa.bindparam("now", type_=WORK.finished_at.type)), else_=None),
    lease=WORK.lease + 1,
    attempts=0,
    wake_at=sa.bindparam("until"),
)


class Holding:
    """The row of a piece of work, as long as this execution's lease is good.

    Every method answers whether other work of the kind is due in the workspace, None when the row is not ours.
    """

    def __init__(self, workspace_id: UUID, kind: str, key: UUID, lease: int) -> None:
        self._mine = {"workspace": workspace_id, "of_kind": kind, "key": key, "held": lease}

    async def end(self, session: AsyncSession, outcome: WorkState, error: str | None = None) -> bool | None:
        """The work has ended."""
        return await self._settle(session, _ENDED, outcome=outcome.value, failure=error)

    async def hand_back(self, session: AsyncSession, until: datetime) -> bool | None:
        """The work waits for another try, not before that moment."""
        return await self._settle(session, _HANDED_BACK, until=until)

    async def park(self, session: AsyncSession, until: datetime) -> bool | None:
        """The work waits, and counts its attempts anew; what was to be cancelled ends."""
        return await self._settle(session, _PARKED, until=until)

    async def _settle(self, session: AsyncSession, statement: sa.Update, **values: Any) -> bool | None:
        found = await session.execute(statement, {**self._mine, **values, "now": utc_now()})
        more_due: bool | None = found.scalar_one_or_none()
        return more_due
