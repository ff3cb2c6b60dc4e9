"""HTTP of schedules: `/api/v1/workspaces/{workspace_id}/scans/schedules`."""

from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.scans.launch import ScanLauncher
from spectral.domains.scans.schedules import ScheduleService, ScheduleView
from spectral.domains.scans.schedules_schemas import FiringOut, ScheduleIn, ScheduleOut, SchedulePatch
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.pagination import Collection, Page


def provide_schedule_service(
    session: AsyncSession, access: WorkspaceAccess, door: ModelDoor, runtimes: Runtimes, launcher: Launcher
) -> ScheduleService:
    return ScheduleService(session, access, ScanLauncher(session, access, door, runtimes, launcher))


class ScheduleController(Controller):
    """Scans that start by themselves."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/scans/schedules"
    tags = ("Scans",)
    guards = (requires(Scope.READ_WORKSPACE),)
    dependencies = {"service": Provide(provide_schedule_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="createScanSchedule",
        summary="Create a schedule",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=201,
        opt={"idempotent": True},
    )
    async def create_schedule(
        self, service: ScheduleService, data: ScheduleIn, workspace_id: UUID
    ) -> Response[ScheduleOut]:
        view = await service.create_schedule(data)
        location = f"/api/v1/workspaces/{workspace_id}/scans/schedules/{view.schedule.id}"
        return Response(schedule_out(view), status_code=201, headers={"Location": location})

    @get(operation_id="listScanSchedules", summary="List the schedules")
    async def list_schedules(self, service: ScheduleService, page: Page) -> Collection[ScheduleOut]:
        views, total = await service.list_schedules(page)
        return Collection.of([schedule_out(view) for view in views], total, page)

    @get("/{schedule_id:uuid}", operation_id="readScanSchedule", summary="Read a schedule")
    async def read_schedule(self, service: ScheduleService, schedule_id: UUID) -> ScheduleOut:
        return schedule_out(await service.read_schedule(schedule_id))

    @get(
        "/{schedule_id:uuid}/firings",
        operation_id="listScanFirings",
        summary="List what came of a schedule",
        description="The last first; the last 200 are kept.",
    )
    async def list_firings(self, service: ScheduleService, schedule_id: UUID, page: Page) -> Collection[FiringOut]:
        firings, total = await service.list_firings(schedule_id, page)
        return Collection.of([FiringOut.model_validate(firing) for firing in firings], total, page)

    @patch(
        "/{schedule_id:uuid}",
        operation_id="changeScanSchedule",
        summary="Change a schedule",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def change_schedule(self, service: ScheduleService, schedule_id: UUID, data: SchedulePatch) -> ScheduleOut:
        return schedule_out(await service.change_schedule(schedule_id, data))

    @delete(
        "/{schedule_id:uuid}",
        operation_id="deleteScanSchedule",
        summary="Delete a schedule",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def delete_schedule(self, service: ScheduleService, schedule_id: UUID) -> None:
        await service.delete_schedule(schedule_id)


def schedule_out(view: ScheduleView) -> ScheduleOut:
    names = [name for name in ScheduleOut.model_fields if name != "last_firing"]
    shown = {name: getattr(view.schedule, name) for name in names}
    last = None if view.last_firing is None else FiringOut.model_validate(view.last_firing)
    return ScheduleOut.model_validate({**shown, "last_firing": last})
