"""The engine as the rest of the project sees it: register, enqueue, cancel, repeat, start, stop, health."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from uuid import UUID, uuid4

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.db.session import Database, after_commit
from spectral.platform.engine.claims import Placed, halt, has_free_slot, place, try_to_count_alone
from spectral.platform.engine.connections import (
    across_workspaces,
    database_now,
    install_on_connect,
    synchronous_engine,
)
from spectral.platform.engine.context import Allowance, Handler, WorkItem
from spectral.platform.engine.dbos_adapter import JobQueue, JobRef
from spectral.platform.engine.errors import EngineStateError, UnknownKindError
from spectral.platform.engine.execution import Execution, Registration
from spectral.platform.engine.recovery import forget_old
from spectral.platform.engine.schedules import Schedule, Schedules
from spectral.platform.engine.timers import DueWork
from spectral.platform.engine.upkeep import DEAD_AFTER, Upkeep
from spectral.platform.engine.work import NEVER, EngineExecutor, EngineWork, WorkState, open_rows
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now

# How much of one kind a process runs at once, unless its registration says otherwise.
MAX_PER_PROCESS = 24
RETENTION_INTERVAL_S = 3600.0
LATE_AFTER_S = 60.0
LISTEN_S = 60.0
HANDED_OVER = "engine:handed-over"

log = structlog.get_logger(__name__)


class EngineStatus(StrEnum):
    """Whether work gets done: by this installation, not only by this process."""

    OK = "ok"
    DEGRADED = "degraded"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True)
class EngineHealth:
    """What the engine is doing, across every process and workspace.

    status: degraded when no process executes or due work has waited for more than a minute; unavailable when the
    database does not answer.  executing: whether this process executes.  queued: due work that has not begun; what
    waits for its time is none.  oldest_queued_s: how long the oldest of it has waited, None when nothing waits.
    """

    status: EngineStatus
    executing: bool
    queued: int
    running: int
    executors: int
    oldest_queued_s: float | None


class Engine:
    """Durable work of one installation. Lives as long as the process; at most one executing engine in a process.

    Kinds and schedules are registered before `start`. With `executes=False` it only enqueues, and other processes run.
    ticked: without `executes`, whether this process still executes what `run_due` asks for, one call at a time, and
    does its share of the upkeep.
    live: how they hear of it at once; without it they look in their queue ten times a second.
    """

    def __init__(
        self, database: Database, *, executes: bool = True, ticked: bool = False, live: LiveChannel | None = None
    ) -> None:
        self._database = database
        self._executes = executes
        self._ticked = ticked and not executes
        self.executor_id = f"{socket.gethostname()}-{uuid4()}"
        url = database.writer.url.render_as_string(hide_password=False)
        self._threads = synchronous_engine(url)
        if database.is_sqlite:
            install_on_connect(database.writer.sync_engine)
        self._queue = JobQueue(self._threads)
        self._registrations: dict[str, Registration] = {}
        self._execution = Execution(database, self.executor_id, self._registrations, takes=executes)
        self._schedules = Schedules(database, self.executor_id)
        self._starting: asyncio.Task[None] | None = None
        self._upkeep: Upkeep | None = None
        self._closed = False
        self._live = live
        self._listening: asyncio.Task[None] | None = None
        self.every("engine.retention", RETENTION_INTERVAL_S, self._forget_old)

    def register(
        self, kind: str, handler: Handler, *, max_per_workspace: int = 2, max_per_process: int = MAX_PER_PROCESS
    ) -> None:
        """Work of this kind is done by `handler`, at most `max_per_workspace` of it at once in one workspace.

        max_per_process: how much of it one process runs at once, of all workspaces; it serves them in turns.
        Raises EngineStateError after `start`, ValueError for a kind that has a handler.
        """
        if self._starting is not None:
            raise EngineStateError("kinds are registered before the engine starts")
        if kind in self._registrations:
            raise ValueError(f"{kind} has a handler already")
        self._registrations[kind] = Registration(handler, max_per_workspace, max_per_process)

    def every(self, name: str, interval_s: float, function: Callable[[], Awaitable[None]]) -> None:
        """`function` runs once in every interval of that many seconds (≥ 1), in one process of the installation.

        Not durable: a run that dies with its process is not repeated, the next interval's is. Raises ValueError.
        """
        self._schedules.add(Schedule(name, interval_s, function))

    async def start(self) -> None:
        """This process executes from now on (or, with `executes=False`, is ready to enqueue).

        Must be called on the loop that handlers shall run on. Raises EngineStateError when started before or when
        another engine of this process executes, and the database's error when its tables are not current.
        """
        if self._closed or self._starting is not None:
            raise EngineStateError("an engine is started once")
        if not self._executes and not self._ticked:
            return
        self._starting = asyncio.create_task(asyncio.to_thread(self._begin, asyncio.get_running_loop()))
        # A caller that gives up waiting does not stop the thread; `stop` waits for it.
        await asyncio.shield(self._starting)
        if self._executes and self._live is not None and not self._closed:
            self._listening = asyncio.create_task(self._listen(self._live), name="engine-live")

    async def stop(self) -> None:
        """Running work is handed back and this process is no longer counted as alive; safe to call twice."""
        if self._closed:
            return
        self._closed = True
        if self._starting is not None:
            await asyncio.wait({self._starting})
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.wait({self._listening})
        await self._execution.stop()
        await self._schedules.stop()
        await asyncio.to_thread(self._shut_down)

    async def enqueue(self, session: AsyncSession, item: WorkItem) -> bool:
        """The work will be done if, and only if, the caller's transaction commits; False when its key is known already.

        The session must be bound to the item's workspace. When this process executes and the workspace has a free
        slot, the work is claimed in the same transaction and starts right after the commit; else it waits for a slot,
        here or in another process. Raises UnknownKindError.
        """
        return await self._place(session, item, again=False)

    async def wake(self, session: AsyncSession, item: WorkItem) -> None:
        """As `enqueue`, for work that is parked or has ended as well: it runs once more. What runs is left alone.

        Two transactions that wake and park the same work must exclude each other, by a lock of the caller's on a row
        of its own which is taken first. Raises UnknownKindError.
        """
        await self._place(session, item, again=True)

    async def halt(self, session: AsyncSession, workspace_id: UUID, key: UUID) -> None:
        """Open work is parked until `wake` once the caller's transaction commits, whoever runs it; else nothing is.

        A running execution has lost its lease with the commit: what it still writes is refused by `fence`. It is
        interrupted at once in this process, and within about a second in another.
        """
        lease = await halt(session, workspace_id, key)
        if lease is not None:

            async def interrupt() -> None:
                self._execution.interrupt(key, lease)

            after_commit(session, interrupt)

    async def run_due(
        self, workspace_id: UUID, account_id: UUID, kind: str, *, at_most: int, allowance: Allowance | None = None
    ) -> int:
        """A workspace's oldest due work of a kind is executed now, no more than so much of it; answers how much.

        Returns when these executions are over.  allowance: what they may begin, together.
        Raises UnknownKindError, and EngineStateError in a process that has not started or executes nothing.
        """
        if kind not in self._registrations:
            raise UnknownKindError(kind)
        if self._upkeep is None or self._closed:
            raise EngineStateError("this process executes nothing")
        return await self._execution.run_due(DueWork(workspace_id, account_id, kind), at_most, allowance)

    async def next_due(self, session: AsyncSession, workspace_id: UUID, kinds: Collection[str]) -> datetime | None:
        """When work of these kinds that waits in the workspace is due next; None where all of it waits for `wake`."""
        waiting = (EngineWork.workspace_id == workspace_id, EngineWork.kind.in_(list(kinds)))
        earliest = sa.select(sa.func.min(EngineWork.wake_at, type_=EngineWork.wake_at.type)).where(
            *waiting, EngineWork.state == WorkState.QUEUED, EngineWork.wake_at < NEVER
        )
        due: datetime | None = await session.scalar(earliest)
        return due

    async def cancel(self, session: AsyncSession, workspace_id: UUID, key: UUID) -> bool:
        """Waiting work never runs, running work is told to end, once the caller's transaction commits.

        False when there is no such open work. A running handler sees it within about a second.
        """
        waiting = EngineWork.state == WorkState.QUEUED
        row = (
            await session.execute(
                sa.update(EngineWork)
                .where(
                    EngineWork.workspace_id == workspace_id,
                    EngineWork.id == key,
                    EngineWork.state.in_([WorkState.QUEUED, WorkState.RUNNING]),
                )
                .values(
                    cancel_requested=True,
                    state=sa.case((waiting, WorkState.CANCELLED.value), else_=EngineWork.state),
                    finished_at=sa.case((waiting, utc_now()), else_=EngineWork.finished_at),
                )
                .returning(EngineWork.id)
                .execution_options(synchronize_session=False)
            )
        ).first()
        if row is not None:
            after_commit(session, lambda: self._tell_running(key))
        return row is not None

    async def cancel_all(self, session: AsyncSession, workspace_id: UUID) -> int:
        """As `cancel`, for everything that is open in a workspace; answers how much it was."""
        mine = (EngineWork.workspace_id == workspace_id, EngineWork.state.in_([WorkState.QUEUED, WorkState.RUNNING]))
        keys = (await session.scalars(sa.select(EngineWork.id).where(*mine))).all()
        for key in keys:
            await self.cancel(session, workspace_id, key)
        return len(keys)

    async def retry(self, session: AsyncSession, workspace_id: UUID, key: UUID, failed_before: datetime) -> bool:
        """Work that failed before that moment waits again, once the caller's transaction commits; False for other work.

        For what must be done in the end: its handler finds its place from its own rows.
        """
        retried = await session.execute(
            sa.update(EngineWork)
            .where(
                EngineWork.workspace_id == workspace_id,
                EngineWork.id == key,
                EngineWork.state == WorkState.FAILED,
                EngineWork.finished_at < failed_before,
            )
            .values(state=WorkState.QUEUED, attempts=1, wake_at=utc_now(), finished_at=None, error=None)
            .returning(EngineWork.id)
            .execution_options(synchronize_session=False)
        )
        return retried.first() is not None

    async def health(self) -> EngineHealth:
        """What the engine is doing now. Never raises: a database that does not answer is `unavailable`."""
        executing = self._takes_work
        try:
            return await asyncio.to_thread(self._read_health, executing)
        except sa.exc.SQLAlchemyError:
            log.warning("engine_health_unreadable", exc_info=True)
            return EngineHealth(EngineStatus.UNAVAILABLE, executing, 0, 0, 0, None)

    @property
    def _takes_work(self) -> bool:
        """Whether this process begins work by itself."""
        return self._executes and self._upkeep is not None and not self._closed

    async def _listen(self, live: LiveChannel) -> None:
        """Another process handed work over: its job would be found by the queue's next look as well."""
        async with live.subscribe(HANDED_OVER) as subscription:
            while True:
                if await subscription.wait(LISTEN_S) is not None and self._upkeep is not None:
                    self._upkeep.look_now()

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        limits = {kind: registration.max_per_workspace for kind, registration in self._registrations.items()}
        upkeep = Upkeep(
            engine=self._threads,
            queue=self._queue,
            executor_id=self.executor_id,
            execution=self._execution,
            schedules=self._schedules,
            limits=limits,
            loop=loop,
        )
        # The heartbeat comes first: a job whose owner has no heartbeat row is taken for a dead one's.
        upkeep.beat()
        if self._executes:
            try:
                run_job = partial(self._run_job, loop)
                self._queue.launch(self.executor_id, run_job, jobs_per_partition=max(limits.values(), default=1))
            except BaseException:
                upkeep.expire()
                raise
        upkeep.start()
        self._upkeep = upkeep

    def _run_job(self, loop: asyncio.AbstractEventLoop, ref: JobRef) -> None:
        """In one of the queue's threads: the loop hears of the work, and takes it if it has room."""
        if self._closed:
            return
        work = DueWork(ref.workspace_id, ref.account_id, ref.kind)
        # The loop may be closed already; then nothing runs here any more.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(self._execution.want, work)

    def _shut_down(self) -> None:
        if self._upkeep is not None:
            self._upkeep.end()
            self._upkeep.join()
            self._upkeep.expire()
            if self._executes:
                self._queue.destroy()
        self._queue.close()
        self._threads.dispose()

    async def _place(self, session: AsyncSession, item: WorkItem, *, again: bool) -> bool:
        registration = self._registrations.get(item.kind)
        if registration is None:
            raise UnknownKindError(item.kind)
        now = utc_now()
        executes = self._takes_work
        claims = hands_over = False
        if item.delay_s is None:
            if executes and self._execution.has_capacity(item.kind):
                claims = await try_to_count_alone(session, item.workspace_id, item.kind)
            else:
                hands_over = await has_free_slot(session, item, registration.max_per_workspace, now)
        # Where ticks do the work there may be nobody who ever takes a job; the others' next look finds the work.
        with_job = hands_over and not self._ticked
        placed = await place(
            session,
            item,
            now,
            executor_id=self.executor_id if claims else None,
            limit=registration.max_per_workspace,
            with_job=with_job,
            again=again,
        )
        if placed is None:
            return False
        if with_job:
            ref = JobRef(item.workspace_id, item.account_id, item.kind, item.key)
            await self._queue.enqueue(session, ref, placed.segment_no)
        if hands_over and self._live is not None:
            await self._live.publish(session, HANDED_OVER, 1)
        if executes:
            after_commit(session, partial(self._go_on, item, placed, now))
        return True

    async def _go_on(self, item: WorkItem, placed: Placed, now: datetime) -> None:
        """The transaction that placed the work has committed."""
        work = DueWork(item.workspace_id, item.account_id, item.kind)
        if placed.claimed:
            self._execution.begin(self._execution.context(item, placed.lease, placed.attempts))
        elif item.delay_s is None:
            self._execution.want_later(work)
        else:
            self._execution.timers.arm(work, item.key, now + timedelta(seconds=item.delay_s))

    async def _tell_running(self, key: UUID) -> None:
        context = self._execution.contexts.get(key)
        if context is not None:
            context.note_cancelled()

    async def _forget_old(self) -> None:
        await asyncio.to_thread(forget_old, self._threads, self._queue, utc_now())

    def _read_health(self, executing: bool) -> EngineHealth:  # noqa: FBT001
        with across_workspaces(self._threads) as connection:
            now = database_now(connection)
            count = sa.func.count()
            running = connection.execute(
                sa.select(count).where(EngineWork.state == WorkState.RUNNING, open_rows(EngineWork))
            ).scalar_one()
            queued, oldest = connection.execute(
                sa.select(count, sa.func.min(EngineWork.wake_at, type_=EngineWork.wake_at.type)).where(
                    EngineWork.state == WorkState.QUEUED, EngineWork.wake_at <= now, open_rows(EngineWork)
                )
            ).one()
            executors = connection.execute(
                sa.select(count).select_from(EngineExecutor).where(EngineExecutor.heartbeat_at >= now - DEAD_AFTER)
            ).scalar_one()
        waited = None if oldest is None else max(0.0, (now - oldest).total_seconds())
        healthy = executors > 0 and (waited is None or waited <= LATE_AFTER_S)
        status = EngineStatus.OK if healthy else EngineStatus.DEGRADED
        return EngineHealth(status, executing, queued, running, executors, waited)
