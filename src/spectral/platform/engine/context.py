"""What is enqueued, and what a handler is given when its work runs."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database, after_commit
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.settling import Holding
from spectral.platform.engine.work import NEVER, EngineWork, WorkState


@dataclass(frozen=True, slots=True)
class WorkItem:
    """Something to be done durably: at least once, whatever happens to the processes.

    key: names this piece of work for ever; enqueueing it again changes nothing.  payload: JSON, small; the handler
    reads the rest from its own tables.  delay_s: not before this many seconds from now.
    """

    kind: str
    workspace_id: UUID
    account_id: UUID
    key: UUID
    payload: Mapping[str, Any] = field(default_factory=dict)
    delay_s: float | None = None


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a handler wrote about its own work: that it ended (no `wake_at`), or until when it is parked.

    more_due: whether other work of the kind waits in the workspace for the slot that is free now.
    """

    wake_at: datetime | None
    more_due: bool


class Allowance:
    """How many steps the executions that share it may still begin, together. What a step is, their handler knows."""

    def __init__(self, steps: int) -> None:
        self.left = steps
        self.begun = 0

    def take(self) -> None:
        """One more has begun."""
        self.left -= 1
        self.begun += 1


Settled = Callable[["WorkContext", Settlement], None]


_WORK = cast("sa.Table", EngineWork.__table__)
# Built once, because it stands in every transaction of most work. FOR SHARE: parallel batches of one execution may all
# hold it, a change of owner must wait (SQLite's one write transaction says the same).
_OWNED = (
    sa.select(_WORK.c.id)
    .where(
        _WORK.c.workspace_id == sa.bindparam("of_workspace"),
        _WORK.c.id == sa.bindparam("of_key"),
        _WORK.c.lease == sa.bindparam("of_lease"),
        _WORK.c.state == WorkState.RUNNING.value,
    )
    .with_for_update(read=True)
)


class WorkContext:
    """One execution of one piece of work. It may be the second of its kind: another process may have died in the first.

    A handler therefore finds its place from its own rows, and calls `fence` in every transaction that writes results.
    attempt: 1 for the first execution, and for the first after work was parked.
    allowance: what this execution may begin before it hands the work back; None where nothing bounds it.

    How the handler ends decides what becomes of the work, unless it said so itself in a transaction of its own, by
    `park` or `finish`: then its execution was over with that commit.
    """

    def __init__(
        self,
        item: WorkItem,
        *,
        database: Database,
        access: WorkspaceAccess,
        lease: int,
        attempt: int,
        on_settled: Settled | None = None,
    ) -> None:
        self.kind = item.kind
        self.workspace_id = item.workspace_id
        self.account_id = item.account_id
        self.key = item.key
        self.payload = item.payload
        self.database = database
        self.access = access
        self.lease = lease
        self.attempt = attempt
        self.allowance: Allowance | None = None
        self._cancelled = threading.Event()
        self._lost = threading.Event()
        self._holding = Holding(item.workspace_id, item.kind, item.key, lease)
        self._on_settled = on_settled
        self._settled = False
        # For the upkeep: the row may be no longer ours because we wrote so ourselves, a moment ago.
        self.settling = False
        # For the execution: its slots were given back.
        self.ended = False

    @property
    def cancelled(self) -> bool:
        """Whether this execution should end; readable from any thread, at most about a second old."""
        return self._cancelled.is_set() or self._lost.is_set()

    async def raise_if_cancelled(self) -> None:
        """Raises WorkCancelledError when the work was cancelled, LeaseLostError when another execution owns it."""
        if self._lost.is_set():
            raise LeaseLostError(str(self.key))
        if self._cancelled.is_set():
            raise WorkCancelledError(str(self.key))

    async def fence(self, session: AsyncSession) -> None:
        """This transaction commits only while this execution owns the work: ownership cannot change before its end.

        Raises LeaseLostError otherwise; let it pass, so that the transaction rolls back.
        """
        names = {"of_workspace": self.workspace_id, "of_key": self.key, "of_lease": self.lease}
        if (await (await session.connection()).execute(_OWNED, names)).first() is None:
            self._lost.set()
            raise LeaseLostError(str(self.key))

    async def park(self, session: AsyncSession, until: datetime | None) -> None:
        """With the caller's commit this execution is over, and the work waits for that moment or for `Engine.wake`.

        until: None if only `wake` ends it.  The work keeps no slot meanwhile, and counts its attempts anew. Work that
        was to be cancelled ends instead. Raises LeaseLostError as `fence` does; return from the handler afterwards.
        """
        wake_at = until or NEVER
        self._settle_after(session, await self._holding.park(session, wake_at), wake_at)

    async def finish(self, session: AsyncSession) -> None:
        """With the caller's commit the work has succeeded and this execution is over.

        Raises LeaseLostError as `fence` does; return from the handler afterwards.
        """
        self._settle_after(session, await self._holding.end(session, WorkState.SUCCEEDED), None)

    def _settle_after(self, session: AsyncSession, more_due: bool | None, wake_at: datetime | None) -> None:  # noqa: FBT001
        if more_due is None:
            self._lost.set()
            raise LeaseLostError(str(self.key))
        self.settling = True

        async def tell() -> None:
            self._settled = True
            if self._on_settled is not None:
                self._on_settled(self, Settlement(wake_at, more_due))

        # Not before: a transaction that fails leaves the work to this execution.
        after_commit(session, tell)

    @property
    def holding(self) -> Holding:
        """The work's row, for the execution to write how the handler ended."""
        return self._holding

    @property
    def settled(self) -> bool:
        """Whether `park` or `finish` has committed."""
        return self._settled

    def note_cancelled(self) -> None:
        """The work was asked to end; the handler sees it at its next look."""
        self._cancelled.set()

    def note_lost(self) -> None:
        """Another execution owns the work; this one must not write any more."""
        self._lost.set()

    @property
    def lost(self) -> bool:
        """Whether another execution is known to own the work."""
        return self._lost.is_set()


Handler = Callable[[WorkContext], Awaitable[None]]
