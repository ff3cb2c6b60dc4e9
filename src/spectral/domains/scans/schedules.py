"""When scans are started by themselves: the schedules of a workspace, as people keep them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.scans.errors import DuplicateScheduleError, TooManySchedulesError
from spectral.domains.scans.launch import ScanLauncher
from spectral.domains.scans.models import ScanFiring, ScanSchedule
from spectral.domains.scans.repository import ScanFiringRepository, ScanScheduleRepository
from spectral.domains.scans.schedules_schemas import ScheduleIn, SchedulePatch
from spectral.domains.scans.schemas import ScanIn
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.cron import Cron
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.money import nano_to_usd
from spectral.platform.shared.pagination import Page

MAXIMUM_SCHEDULES = 100
UNIQUE_NAME = "uq_scan_schedule_workspace_id_name"


@dataclass(frozen=True, slots=True)
class ScheduleView:
    """A schedule and what came of it last."""

    schedule: ScanSchedule
    last_firing: ScanFiring | None


class ScheduleService:
    """The schedules of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, launcher: ScanLauncher) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._schedules = ScanScheduleRepository(session, access)
        self._firings = ScanFiringRepository(session, access)

    async def create_schedule(self, wanted: ScheduleIn) -> ScheduleView:
        """What it will ask for is there; whether it may start is decided each time.

        Raises as `ScanLauncher.check_request`, DuplicateScheduleError (409), TooManySchedulesError (400).
        """
        if await self._schedules.count() >= MAXIMUM_SCHEDULES:
            raise TooManySchedulesError(MAXIMUM_SCHEDULES)
        await self._launcher.check_request(wanted.request)
        now = utc_now()
        schedule = self._schedules.add(
            ScanSchedule(
                id=new_id(),
                account_id=self._access.account_id,
                name=wanted.name,
                cron=wanted.cron,
                time_zone=wanted.time_zone,
                request=stored_request(wanted.request),
                enabled=wanted.enabled,
                created_by=self._access.actor,
                updated_at=now,
            )
        )
        schedule.next_run_at = next_run_of(schedule, now)
        await self._schedules.flush({UNIQUE_NAME: DuplicateScheduleError(wanted.name)})
        await self._note(schedule, "scan_schedule.created", _said(schedule))
        return ScheduleView(schedule, None)

    async def list_schedules(self, page: Page) -> tuple[list[ScheduleView], int]:
        """One page of the schedules, newest first."""
        schedules, total = await self._schedules.page(self._schedules.select(), page)
        latest = await self._firings.latest([schedule.id for schedule in schedules])
        return [ScheduleView(schedule, latest.get(schedule.id)) for schedule in schedules], total

    async def read_schedule(self, schedule_id: UUID) -> ScheduleView:
        """Raises NotFoundError."""
        schedule = await self._schedules.get(schedule_id)
        return ScheduleView(schedule, (await self._firings.latest([schedule_id])).get(schedule_id))

    async def list_firings(self, schedule_id: UUID, page: Page) -> tuple[Sequence[ScanFiring], int]:
        """One page of what came of a schedule, the last first. Raises NotFoundError."""
        await self._schedules.get(schedule_id)
        return await self._firings.page(self._firings.select(ScanFiring.schedule_id == schedule_id), page)

    async def change_schedule(self, schedule_id: UUID, patch: SchedulePatch) -> ScheduleView:
        """Its next time is counted from now, where the times or `enabled` changed.

        Raises NotFoundError, DuplicateScheduleError (409), and as `ScanLauncher.check_request`.
        """
        schedule = await self._schedules.lock(schedule_id)
        before = _said(schedule)
        if patch.request is not None:
            await self._launcher.check_request(patch.request)
            schedule.request = stored_request(patch.request)
        for name in ("name", "cron", "time_zone", "enabled"):
            value = getattr(patch, name)
            if value is not None:
                setattr(schedule, name, value)
        schedule.updated_at = now = utc_now()
        if {name: _said(schedule)[name] for name in TIMES} != {name: before[name] for name in TIMES}:
            schedule.next_run_at = next_run_of(schedule, now)
        await self._schedules.flush({UNIQUE_NAME: DuplicateScheduleError(schedule.name)})
        await self._note(schedule, "scan_schedule.changed", {"before": before, "after": _said(schedule)})
        return await self.read_schedule(schedule_id)

    async def delete_schedule(self, schedule_id: UUID) -> None:
        """The schedule is gone, with what came of it; scans that it started stay. Raises NotFoundError."""
        schedule = await self._schedules.lock(schedule_id)
        await self._note(schedule, "scan_schedule.deleted", _said(schedule))
        await self._schedules.remove(schedule)

    async def _note(self, schedule: ScanSchedule, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"scan_schedule:{schedule.id}",
            detail=detail,
        )


TIMES = ("cron", "time_zone", "enabled")


def next_run_of(schedule: ScanSchedule, now: datetime) -> datetime | None:
    """When it is due after now; None while it is not enabled."""
    if not schedule.enabled:
        return None
    return Cron.parse(schedule.cron).next_after(now, ZoneInfo(schedule.time_zone))


def stored_request(request: ScanIn) -> dict[str, Any]:
    """The request as its sender wrote it, without what was left out: later defaults apply to later scans."""
    document = request.model_dump(mode="json", exclude_unset=True)
    cost = request.budget.max_cost_usd
    if cost is not None:
        document["budget"]["max_cost_usd"] = nano_to_usd(cost)
    if request.candidates:
        document["candidates"] = [candidate.as_json() for candidate in request.candidates]
    return document


def request_of(document: Mapping[str, Any], seed: int) -> ScanIn:
    """The request of one firing; `seed` where it names none. Raises pydantic.ValidationError."""
    return ScanIn.model_validate({"seed": seed, **document})


def _said(schedule: ScanSchedule) -> dict[str, Any]:
    names = ("name", "cron", "time_zone", "enabled", "request")
    return {name: getattr(schedule, name) for name in names}
