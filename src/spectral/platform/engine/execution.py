"""Executing work on the application's loop: claim, run the handler, record how it ended, take the next."""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import Handler, WorkContext, WorkItem
from spectral.platform.engine.dbos_adapter import MAX_RUNNING, JobRef
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.shared.clock import utc_now

MAX_ATTEMPTS = 100
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 60.0
STOP_GRACE_S = 5.0
WRITE_RETRIES_S = (0.1, 0.5, 2.0)
CLAIM_LIMIT_MS = 5_000
# A driver raises its own errors while it connects, and those of the operating system.
DATABASE_ERRORS = (sa.exc.SQLAlchemyError, OSError, asyncpg.PostgresError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registration:
    """A kind of work: who does it, and how much of it one workspace may have running at once."""

    handler: Handler
    max_per_workspace: int


class Execution:
    """What this process is executing. Methods run on the loop that started the engine, unless they say otherwise."""

    def __init__(self, database: Database, executor_id: str, registrations: Mapping[str, Registration]) -> None:
        self._database = database
        self._executor_id = executor_id
        self._registrations = registrations
        self._contexts: dict[UUID, WorkContext] = {}
        # Every task of ours; with a key while its handler runs, which is when it may be interrupted.
        self._tasks: dict[asyncio.Task[Any], UUID | None] = {}
        self.stopping = False

    @property
    def has_capacity(self) -> bool:
        """Whether this process should take more work directly."""
        return not self.stopping and len(self._tasks) < MAX_RUNNING

    @property
    def contexts(self) -> dict[UUID, WorkContext]:
        """A copy of what is running, by key; for any thread."""
        return self._contexts.copy()

    def start(self, ref: JobRef) -> None:
        """Run this work soon, if it can still be claimed."""
        self._spawn(self.run(ref))

    async def run(self, ref: JobRef) -> None:
        """Run this work now if it is due, unowned and its workspace has a free slot; else leave it to the sweep."""
        if self.stopping or ref.kind not in self._registrations:
            return
        self._track(asyncio.current_task())
        try:
            context = await self._claim(ref.workspace_id, ref.account_id, ref.kind, ref.key)
        except DATABASE_ERRORS:
            # The sweep finds it again.
            log.warning("engine_claim_failed", kind=ref.kind, key=str(ref.key), exc_info=True)
            return
        if context is not None:
            await self._execute(context)

    def interrupt(self, key: UUID) -> None:
        """The execution of this work ends at its next await: it has lost its lease."""
        for task, running in self._tasks.items():
            if running == key:
                task.cancel()

    async def stop(self) -> None:
        """Hand everything back: handlers are cancelled and their work is waiting again when this returns.

        A handler that does not end within five seconds keeps its work until the executor's heartbeat is removed.
        """
        self.stopping = True
        for task, key in list(self._tasks.items()):
            if key is not None:
                task.cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks), timeout=STOP_GRACE_S)

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._track(asyncio.get_running_loop().create_task(work))

    def _track(self, task: asyncio.Task[Any] | None) -> None:
        if task is not None and task not in self._tasks:
            self._tasks[task] = None
            task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("engine_execution_broke", exc_info=error)

    async def _claim(self, workspace_id: UUID, account_id: UUID, kind: str, key: UUID | None) -> WorkContext | None:
        """The work with this key, or the workspace's oldest of this kind, now leased to this process; or None."""
        access = WorkspaceAccess.for_system(workspace_id, account_id, kind)
        limit = self._registrations[kind].max_per_workspace
        mine = (EngineWork.workspace_id == workspace_id, EngineWork.kind == kind)
        due = (EngineWork.state == WorkState.QUEUED, EngineWork.wake_at <= utc_now())
        running = _running(workspace_id, kind).scalar_subquery()
        oldest = _oldest_due(workspace_id, kind).scalar_subquery()
        claim = (
            sa.update(EngineWork)
            .where(*mine, *due, EngineWork.id == (oldest if key is None else key), running < limit)
            .values(
                state=WorkState.RUNNING,
                lease=EngineWork.lease + 1,
                attempts=EngineWork.attempts + 1,
                executor_id=self._executor_id,
                started_at=sa.func.coalesce(EngineWork.started_at, utc_now()),
            )
            .returning(EngineWork.id, EngineWork.payload, EngineWork.lease, EngineWork.attempts)
            .execution_options(synchronize_session=False)
        )
        async with self._database.transaction(access) as session:
            await _one_claim_at_a_time(session, workspace_id, kind)
            row = (await session.execute(claim)).one_or_none()
        if row is None:
            return None
        item = WorkItem(kind, workspace_id, account_id, row.id, row.payload)
        access = WorkspaceAccess.for_system(workspace_id, account_id, f"{kind} {row.id}")
        return WorkContext(item, database=self._database, access=access, lease=row.lease, attempt=row.attempts)

    async def _execute(self, context: WorkContext) -> None:
        self._contexts[context.key] = context
        try:
            change = _handed_back(utc_now()) if self.stopping else await self._outcome(context)
            if change is not None and not context.lost:
                await self._record(context, change)
        finally:
            del self._contexts[context.key]
        if not self.stopping:
            self._spawn(self._run_next(context))

    async def _run_next(self, ended: WorkContext) -> None:
        """The slot that just became free is used at once by the workspace's next work of the kind; so are others."""
        try:
            context = await self._claim(ended.workspace_id, ended.account_id, ended.kind, None)
        except DATABASE_ERRORS:
            log.warning("engine_claim_failed", kind=ended.kind, exc_info=True)
            return
        if context is not None:
            if self.has_capacity:
                self._spawn(self._run_next(ended))
            await self._execute(context)

    async def _outcome(self, context: WorkContext) -> dict[str, Any] | None:
        """What the handler's end changes in the work's row; None when the row is no longer ours."""
        try:
            await self._handle(context)
        except WorkCancelledError:
            return _ended(WorkState.CANCELLED)
        except LeaseLostError:
            log.warning("engine_lease_lost", kind=context.kind, key=str(context.key))
            return None
        except asyncio.CancelledError:
            return None if context.lost else _handed_back(utc_now())
        except Exception as error:
            if self.stopping:
                # Our own interruption may have come back as this error; a real one will come again.
                return _handed_back(utc_now())
            if is_passing(error) and context.attempt < MAX_ATTEMPTS:
                log.warning("engine_work_postponed", kind=context.kind, key=str(context.key), exc_info=True)
                backoff_s = min(FIRST_BACKOFF_S * 2.0 ** (context.attempt - 1), MAX_BACKOFF_S)
                return _handed_back(utc_now() + timedelta(seconds=backoff_s))
            log.exception("engine_work_failed", kind=context.kind, key=str(context.key))
            return _ended(WorkState.FAILED, error)
        return _ended(WorkState.SUCCEEDED)

    async def _handle(self, context: WorkContext) -> None:
        """The handler, interruptible by `stop` and `interrupt` for exactly as long as it runs."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # A coroutine runs in a task.
        self._tasks[task] = context.key
        try:
            await self._registrations[context.kind].handler(context)
        finally:
            self._tasks[task] = None
            while task.cancelling():
                task.uncancel()

    async def _record(self, context: WorkContext, change: dict[str, Any]) -> None:
        """Under our lease the row says how it ended. A database that stays away leaves it to the upkeep."""
        statement = (
            sa.update(EngineWork)
            .where(
                EngineWork.workspace_id == context.workspace_id,
                EngineWork.id == context.key,
                EngineWork.lease == context.lease,
                EngineWork.state == WorkState.RUNNING,
            )
            .values(executor_id=None, **change)
            .execution_options(synchronize_session=False)
        )
        for pause_s in (*WRITE_RETRIES_S, None):
            try:
                async with self._database.transaction(context.access) as session:
                    await session.execute(statement)
            except DATABASE_ERRORS:
                log.warning("engine_outcome_not_written", kind=context.kind, key=str(context.key), exc_info=True)
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                return


def _ended(state: WorkState, error: Exception | None = None) -> dict[str, Any]:
    return {"state": state, "finished_at": utc_now(), "error": type(error).__name__ if error else None}


def _handed_back(wake_at: datetime) -> dict[str, Any]:
    return {"state": WorkState.QUEUED, "lease": EngineWork.lease + 1, "wake_at": wake_at}


def _running(workspace_id: UUID, kind: str) -> sa.Select[tuple[int]]:
    other = aliased(EngineWork)
    mine = (other.workspace_id == workspace_id, other.kind == kind, other.state == WorkState.RUNNING)
    return sa.select(sa.func.count()).select_from(other).where(*mine)


def _oldest_due(workspace_id: UUID, kind: str) -> sa.Select[tuple[UUID]]:
    other = aliased(EngineWork)
    mine = (other.workspace_id == workspace_id, other.kind == kind)
    due = (other.state == WorkState.QUEUED, other.wake_at <= utc_now())
    return sa.select(other.id).where(*mine, *due).order_by(other.wake_at).limit(1)


async def _one_claim_at_a_time(session: AsyncSession, workspace_id: UUID, kind: str) -> None:
    """Two claims in one workspace cannot both count the same free slot. SQLite has one write transaction anyway."""
    if session.get_bind().dialect.name != "postgresql":
        return
    # A process that freezes in here loses its session, and with it the lock; nobody waits for it longer than that.
    await session.execute(
        sa.text(
            "SELECT set_config('idle_in_transaction_session_timeout', :limit, true), "
            "set_config('lock_timeout', :limit, true)"
        ),
        {"limit": f"{CLAIM_LIMIT_MS}ms"},
    )
    await session.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))"),
        {"slot": f"spectral.engine:{workspace_id}:{kind}"},
    )
