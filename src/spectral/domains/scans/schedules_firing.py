"""Schedules come due: each of their times is answered once, by whoever notices it, and what came of it is kept.

The row of the schedule is held while its time is answered, and the time is moved on in the same transaction that starts
the scan; so a crash either has started the scan and moved the time, or neither.
"""

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.scans.errors import NightBudgetSpentError
from spectral.domains.scans.launch import PreparedScan, ScanLauncher
from spectral.domains.scans.models import Scan, ScanFiring, ScanSchedule
from spectral.domains.scans.repository import ScanFiringRepository, ScanRepository, ScanScheduleRepository
from spectral.domains.scans.schedules import next_run_of, request_of
from spectral.domains.scans.service import ScanService
from spectral.domains.scans.states import FINAL
from spectral.domains.workspaces.autonomy import AutonomyMode, AutonomyService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.discovery import look_across_workspaces
from spectral.platform.engine.passing import is_passing
from spectral.platform.events import EventType, emit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.ids import new_id

SCHEDULE = "scans.schedules"
INTERVAL_S = 15.0
DUE_A_RUN = 500
FIRINGS_KEPT = 200
NIGHT = timedelta(hours=24)
"""A night's budget covers what schedules have started in the last 24 hours; no time zone cuts such a night in two."""

log = structlog.get_logger(__name__)

Launching = Callable[[AsyncSession, WorkspaceAccess], ScanLauncher]


class ScheduleFiring:
    """Starts what is due. Runs in one process of the installation at a time; two would do no harm."""

    def __init__(self, database: Database, launching: Launching, now: Callable[[], datetime] = utc_now) -> None:
        """launching: makes the launcher of one transaction.  now: what time it is."""
        self._database = database
        self._launching = launching
        self._now = now

    async def run(self) -> None:
        """Every schedule whose time has come has an answer for it; the longest waiting first."""
        due = (
            sa.select(ScanSchedule.workspace_id, ScanSchedule.account_id, ScanSchedule.id)
            .where(ScanSchedule.enabled, ScanSchedule.next_run_at <= self._now())
            .order_by(ScanSchedule.next_run_at)
            .limit(DUE_A_RUN)
        )
        for workspace_id, account_id, schedule_id in await look_across_workspaces(self._database, due):
            access = WorkspaceAccess.for_system(workspace_id, account_id, f"schedule {schedule_id}")
            try:
                await self.fire(access, schedule_id)
            except Exception as error:
                if is_passing(error):
                    raise  # the database is away: the next interval finds the same times
                # One workspace's schedule must not keep the others from theirs.
                log.exception("scan_schedule_failed", schedule_id=str(schedule_id))

    async def fire(self, access: WorkspaceAccess, schedule_id: UUID) -> ScanFiring | None:
        """What came of the schedule's time; None where it is not due (any more).

        Times that passed while nobody looked are answered together, once.
        """
        async with self._database.transaction(access) as session:
            schedules = ScanScheduleRepository(session, access)
            schedule = await schedules.find_locked(schedule_id)
            now = self._now()
            if schedule is None or schedule.next_run_at is None or schedule.next_run_at > now:
                return None
            due_at = schedule.next_run_at
            schedule.next_run_at = next_run_of(schedule, now)
            firings = ScanFiringRepository(session, access)
            firing = ScanFiring(id=new_id(), schedule_id=schedule_id, due_at=due_at, scan_id=None, problem=None)
            running = await self._running(session, access, schedule_id)
            if running is not None:
                firing.outcome, firing.scan_id = "skipped", running.id
            else:
                await self._start(session, access, schedule, firing)
            firings.add(firing)
            await firings.flush()
            await firings.forget_old(schedule_id, FIRINGS_KEPT)
            return firing

    async def _start(
        self, session: AsyncSession, access: WorkspaceAccess, schedule: ScanSchedule, firing: ScanFiring
    ) -> None:
        """Whatever could refuse the scan is asked before anything of it is written."""
        launcher = self._launching(session, access)
        try:
            prepared = await launcher.prepare_scan(request_of(schedule.request, seed_of(schedule.id, firing.due_at)))
            limit = await _night_limit(session, access, prepared, self._now())
        except SpectralError as error:
            await _refuse(session, access, schedule, firing, error.slug, error.title, error.detail)
        except ValidationError as error:
            # It was valid once: a later release reads it otherwise.
            await _refuse(
                session,
                access,
                schedule,
                firing,
                "validation-failed",
                "Validation Failed",
                str(error.errors()[0]["msg"]),
            )
        else:
            scan = await launcher.start_prepared(prepared, max_cost_nano_usd=limit)
            firing.outcome, firing.scan_id = "started", scan.id

    @staticmethod
    async def _running(session: AsyncSession, access: WorkspaceAccess, schedule_id: UUID) -> Scan | None:
        started = await ScanFiringRepository(session, access).last_started(schedule_id)
        if started is None or started.scan_id is None:
            return None
        scan = await ScanRepository(session, access).get(started.scan_id)
        return None if scan.status in FINAL else scan


def seed_of(schedule_id: UUID, due_at: datetime) -> int:
    """The seed of one time of one schedule: another search every night, the same whoever starts it."""
    digest = hashlib.sha256(f"{schedule_id}\n{due_at.timestamp():.0f}".encode()).digest()
    return int.from_bytes(digest[:6], "big")


async def _night_limit(
    session: AsyncSession, access: WorkspaceAccess, prepared: PreparedScan, now: datetime
) -> int | None:
    """What of the night's budget the scan may spend; None where it is not limited beyond its own request.

    Raises NightBudgetSpentError (400), and UnpricedModelError (400) where its cost cannot be known.
    """
    view = await AutonomyService(session, access).read_autonomy()
    if view.mode is not AutonomyMode.BOUNDED_AUTO or view.bounds is None or prepared.cost.is_free:
        return None
    budget = view.bounds.budget_per_night_usd
    left = budget - await ScanService(session, access).committed_since(now - NIGHT)
    if left <= 0:
        raise NightBudgetSpentError(budget)
    if prepared.cost.estimated_nano_usd is None:
        raise NightBudgetSpentError(budget, unpriced=True)
    asked = prepared.request.budget.max_cost_usd
    return left if asked is None else min(asked, left)


async def _refuse(
    session: AsyncSession,
    access: WorkspaceAccess,
    schedule: ScanSchedule,
    firing: ScanFiring,
    slug: str,
    title: str,
    detail: str,
) -> None:
    firing.outcome, firing.problem = "refused", {"type": slug, "title": title, "detail": detail}
    data: dict[str, Any] = {"name": schedule.name, "problem": slug, "detail": detail[:500]}
    await emit(session, access, EventType.SCAN_SCHEDULE_REFUSED, subject=f"scan_schedule:{schedule.id}", data=data)
