"""What is due every so often runs once in the whole installation, whichever process is first to claim the interval."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects import postgresql, sqlite

from spectral.platform.db.session import Database
from spectral.platform.engine.work import EngineExecutor, EngineSchedule
from spectral.platform.shared.clock import utc_now

SMALLEST_INTERVAL_S = 1.0
STOP_GRACE_S = 5.0

log = structlog.get_logger(__name__)

Scheduled = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A function and how often it is due, in seconds; intervals are counted from the epoch."""

    name: str
    interval_s: float
    function: Scheduled

    def slot(self, now: datetime) -> int:
        """The interval that `now` lies in."""
        return int(now.timestamp() // self.interval_s)


class Schedules:
    """The schedules of this process. `due` is for the upkeep's thread, the rest for the loop."""

    def __init__(self, database: Database, executor_id: str) -> None:
        self._database = database
        self._executor_id = executor_id
        self._schedules: dict[str, Schedule] = {}
        self._tried: dict[str, int] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._functions: set[str] = set()
        self._stopping = False

    def add(self, schedule: Schedule) -> None:
        """Raises ValueError for a second one of the same name, or one that is due more than once a second."""
        if schedule.name in self._schedules:
            raise ValueError(f"there is a schedule {schedule.name} already")
        if schedule.interval_s < SMALLEST_INTERVAL_S:
            raise ValueError(f"a schedule is due at most every {SMALLEST_INTERVAL_S:g} second")
        self._schedules[schedule.name] = schedule

    def due(self, now: datetime) -> list[Schedule]:
        """Those whose interval this process has not tried for yet."""
        found = []
        for schedule in self._schedules.values():
            slot = schedule.slot(now)
            if self._tried.get(schedule.name, -1) < slot:
                self._tried[schedule.name] = slot
                found.append(schedule)
        return found

    def start(self, schedule: Schedule, now: datetime) -> None:
        """Claim the interval and run the function, unless another process does or the last run still goes on."""
        if not self._stopping and schedule.name not in self._tasks:
            task = asyncio.get_running_loop().create_task(self._run(schedule, schedule.slot(now)))
            self._tasks[schedule.name] = task
            task.add_done_callback(lambda _: self._tasks.pop(schedule.name, None))

    async def stop(self) -> None:
        """Cancel the functions that run and wait for their ends to be written."""
        self._stopping = True
        for name in self._functions:
            self._tasks[name].cancel()
        if self._tasks:
            await asyncio.wait(list(self._tasks.values()), timeout=STOP_GRACE_S)

    async def _run(self, schedule: Schedule, slot: int) -> None:
        failure: str | None = None
        try:
            if not await self._claim(schedule.name, slot):
                return
        except Exception:
            log.exception("engine_schedule_not_claimed", name=schedule.name)
            return
        self._functions.add(schedule.name)
        try:
            await schedule.function()
        except asyncio.CancelledError:
            failure = "CancelledError"
        except Exception as error:
            failure = type(error).__name__
            log.exception("engine_schedule_failed", name=schedule.name)
        finally:
            self._functions.discard(schedule.name)
        await self._finish(schedule.name, failure)

    async def _claim(self, name: str, slot: int) -> bool:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        alive = sa.select(EngineExecutor.id).scalar_subquery()
        free = sa.or_(
            EngineSchedule.finished_at.is_not(None),
            EngineSchedule.executor_id.is_(None),
            # One process does not run a schedule twice at a time, so what it claimed before has come to an end.
            EngineSchedule.executor_id == self._executor_id,
            EngineSchedule.executor_id.not_in(alive),
        )
        async with self._database.transaction() as session:
            await session.execute(insert(EngineSchedule).values(name=name, slot=-1).on_conflict_do_nothing())
            claimed = await session.execute(
                sa.update(EngineSchedule)
                .where(EngineSchedule.name == name, EngineSchedule.slot < slot, free)
                .values(slot=slot, executor_id=self._executor_id, started_at=utc_now(), finished_at=None, error=None)
                .returning(EngineSchedule.name)
                .execution_options(synchronize_session=False)
            )
            return claimed.first() is not None

    async def _finish(self, name: str, failure: str | None) -> None:
        try:
            async with self._database.transaction() as session:
                await session.execute(
                    sa.update(EngineSchedule)
                    .where(EngineSchedule.name == name, EngineSchedule.executor_id == self._executor_id)
                    .values(finished_at=utc_now(), error=failure)
                    .execution_options(synchronize_session=False)
                )
        except Exception:
            log.exception("engine_schedule_end_not_written", name=name)
