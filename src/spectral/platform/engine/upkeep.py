"""The thread that says once a second that this process lives, and looks after the work of those that do not."""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID

import sqlalchemy as sa
import structlog

from spectral.platform.engine.connections import across_workspaces, database_now, leadership
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.dbos_adapter import JobQueue
from spectral.platform.engine.execution import Execution
from spectral.platform.engine.recovery import (
    find_due,
    find_due_soon,
    forget_executors,
    give_job,
    hand_back,
    living_executors,
    requeue_work_of_dead,
)
from spectral.platform.engine.schedules import Schedules
from spectral.platform.engine.timers import LOOK_AHEAD, DueWork
from spectral.platform.engine.work import EngineExecutor, EngineWork, WorkState, open_rows
from spectral.platform.shared.clock import utc_now

TICK_S = 1.0
DEAD_AFTER = timedelta(seconds=5)
POKE_PAUSE_S = 0.02
LEADER_KEY = 0x5350_4543_0001

log = structlog.get_logger(__name__)


class Upkeep(threading.Thread):
    """A thread of its own, so that a loop busy with a handler's computation does not look like a dead process.

    Ends by `end`, or when the loop is gone: a process that cannot run its work must not hold on to it.
    """

    def __init__(
        self,
        *,
        engine: sa.Engine,
        queue: JobQueue,
        executor_id: str,
        execution: Execution,
        schedules: Schedules,
        limits: Mapping[str, int],
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        super().__init__(name="spectral-engine-upkeep", daemon=True)
        self._engine = engine
        self._queue = queue
        self._executor_id = executor_id
        self._execution = execution
        self._schedules = schedules
        self._limits = dict(limits)
        self._loop = loop
        self._ended = threading.Event()
        self._poked = threading.Event()
        self._suspects: dict[str, datetime] = {}
        # Keys with leases, as the last look saw them.
        self._unaccounted: set[tuple[UUID, int]] = set()
        self._settling: set[tuple[UUID, int]] = set()

    def run(self) -> None:
        while not self._loop.is_closed():
            started = time.monotonic()
            try:
                self.tick()
            except Exception:
                # The database is away, or busy beyond its timeout; the next second is another try.
                if not self._ended.is_set():
                    log.warning("engine_upkeep_failed", exc_info=True)
            if self._rest(started + TICK_S):
                return

    def end(self) -> None:
        """No further tick begins; `join` waits for the present one."""
        self._ended.set()
        self._poked.set()

    def look_now(self) -> None:
        """Another process left due work: it is looked for before the second is over. For any thread."""
        self._poked.set()

    def _rest(self, until: float) -> bool:
        """Waits for that moment, and looks for due work whenever somebody says that there is some; True at the end."""
        while not self._ended.is_set() and (left_s := until - time.monotonic()) > 0:
            if self._poked.wait(left_s) and not self._ended.is_set():
                self._poked.clear()
                try:
                    self._look_for_due_work()
                except Exception:
                    log.warning("engine_look_failed", exc_info=True)
                # However often it is said, the database is asked now and then.
                self._ended.wait(POKE_PAUSE_S)
        return self._ended.is_set()

    def tick(self) -> None:
        """One second's upkeep; every step may be repeated, by any process."""
        now = self.beat()
        self._look_at_own_work(now)
        if not self._execution.stopping:
            for schedule in self._schedules.due(now):
                self._tell_loop(partial(self._schedules.start, schedule, now))
        if not self._execution.takes:
            # Whoever takes work looks for it; the lock would keep them from that.
            self._release_what_the_dead_had(now)
            return
        with leadership(self._engine, LEADER_KEY) as leads:
            if leads:
                self._look_after_others(now)

    def beat(self) -> datetime:
        """This process is alive as of now, by the database's clock."""
        with across_workspaces(self._engine) as connection:
            now = database_now(connection)
            mine = EngineExecutor.id == self._executor_id
            beaten = connection.execute(sa.update(EngineExecutor).where(mine).values(heartbeat_at=now))
            if not beaten.rowcount:
                values = {"id": self._executor_id, "started_at": now, "heartbeat_at": now}
                connection.execute(sa.insert(EngineExecutor).values(**values))
        return now

    def expire(self) -> None:
        """This process no longer counts as alive; what it still owned is others' from now on."""
        with across_workspaces(self._engine) as connection:
            connection.execute(sa.delete(EngineExecutor).where(EngineExecutor.id == self._executor_id))

    def _look_at_own_work(self, now: datetime) -> None:
        """Flags of running contexts follow their rows; rows that nothing here runs are handed back."""
        running = self._execution.contexts
        with across_workspaces(self._engine) as connection:
            rows = connection.execute(
                sa.select(EngineWork.id, EngineWork.lease, EngineWork.cancel_requested).where(
                    EngineWork.executor_id == self._executor_id,
                    EngineWork.state == WorkState.RUNNING,
                    open_rows(EngineWork),
                )
            ).all()
        owned = {(row.id, row.lease): row for row in rows}
        settling = set()
        for key, context in running.items():
            row = owned.get((key, context.lease))
            if row is not None:
                if row.cancel_requested:
                    context.note_cancelled()
            elif context.settling and (key, context.lease) not in self._settling:
                # Most likely its handler has just parked or finished it, and the loop is about to hear of that.
                settling.add((key, context.lease))
            else:
                self._look_at_lost(context)
        self._settling = settling
        # Twice in a row: a claim commits a moment before its context is known here.
        unaccounted = owned.keys() - {(key, context.lease) for key, context in running.items()}
        abandoned = self._unaccounted & unaccounted
        if abandoned and not self._execution.stopping:
            hand_back(self._engine, self._executor_id, abandoned, now)
        self._unaccounted = unaccounted - abandoned

    def _look_at_lost(self, context: WorkContext) -> None:
        # It may also have ended since the copy was taken; then nobody is left to be told.
        if self._execution.contexts.get(context.key) is context:
            lease = self._lease_now(context)
            if lease is not None and lease > context.lease:
                context.note_lost()
                self._tell_loop(partial(self._execution.interrupt, context.key, lease))

    def _lease_now(self, context: WorkContext) -> int | None:
        mine = (EngineWork.workspace_id == context.workspace_id, EngineWork.id == context.key)
        with across_workspaces(self._engine) as connection:
            lease: int | None = connection.execute(sa.select(EngineWork.lease).where(*mine)).scalar()
        return lease

    def _look_after_others(self, now: datetime) -> None:
        self._release_what_the_dead_had(now)
        for work, key, segment_no in self._look_for_due_work():
            give_job(self._engine, self._queue, work, key, segment_no)
        for work, key, wake_at in find_due_soon(self._engine, self._limits, now, now + LOOK_AHEAD):
            self._tell_loop(partial(self._execution.timers.arm, work, key, wake_at))

    def _release_what_the_dead_had(self, now: datetime) -> None:
        dead = self._dead_executors(now)
        with across_workspaces(self._engine) as connection:
            alive = {executor_id for executor_id, _ in living_executors(connection)} - dead
        requeue_work_of_dead(self._engine, alive, now)
        self._queue.resume_jobs_of_dead(alive)
        if dead:
            forget_executors(self._engine, dead, now - DEAD_AFTER)

    def _look_for_due_work(self) -> list[tuple[DueWork, UUID, int]]:
        """Due work with a free slot is taken here; answers that for which this process has no room."""
        if self._execution.stopping:
            return []
        left = []
        for work, key, segment_no in find_due(self._engine, self._limits, utc_now()):
            if self._execution.has_capacity(work.kind):
                self._tell_loop(partial(self._execution.want, work))
            else:
                left.append((work, key, segment_no))
        return left

    def _dead_executors(self, now: datetime) -> set[str]:
        """Processes whose heartbeat is older than five seconds and did not move between two ticks of ours.

        The second look is for the moment after a machine's sleep or a long lock, when everyone's heartbeat is old.
        """
        with across_workspaces(self._engine) as connection:
            stale = {
                executor_id: beat
                for executor_id, beat in living_executors(connection)
                if beat < now - DEAD_AFTER and executor_id != self._executor_id
            }
        dead = {executor_id for executor_id, beat in stale.items() if self._suspects.get(executor_id) == beat}
        self._suspects = stale
        return dead

    def _tell_loop(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            # The loop was closed between the check and the call; the thread ends at its next turn.
            log.debug("engine_loop_closed")
