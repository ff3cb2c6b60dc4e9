"""What is enqueued, and what a handler is given when its work runs."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.work import EngineWork, WorkState


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


class WorkContext:
    """One execution of one piece of work. It may be the second of its kind: another process may have died in the first.

    A handler therefore finds its place from its own rows, and calls `fence` in every transaction that writes results.
    attempt: 1 for the first execution.
    """

    def __init__(
        self, item: WorkItem, *, database: Database, access: WorkspaceAccess, lease: int, attempt: int
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
        self._cancelled = threading.Event()
        self._lost = threading.Event()

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
        # FOR SHARE: parallel batches of one execution may all hold it, a change of owner must wait (SQLite's one
        # write transaction says the same).
        owned = sa.select(EngineWork.id).where(
            EngineWork.workspace_id == self.workspace_id,
            EngineWork.id == self.key,
            EngineWork.lease == self.lease,
            EngineWork.state == WorkState.RUNNING,
        )
        if (await session.execute(owned.with_for_update(read=True))).first() is None:
            self._lost.set()
            raise LeaseLostError(str(self.key))

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
