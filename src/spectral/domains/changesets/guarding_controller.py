"""HTTP of live guards: `/api/v1/workspaces/{workspace_id}/changesets/{changeset_id}/guard`."""

from uuid import UUID

from litestar import Controller, get, post
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.guarding_answers import guard_out
from spectral.domains.changesets.guarding_schemas import PromotionGuardOut
from spectral.domains.changesets.guarding_service import GuardService
from spectral.domains.changesets.schemas import CloseIn
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope

PATH = "/api/v1/workspaces/{workspace_id:uuid}/changesets/{changeset_id:uuid}/guard"


def provide_guard_service(session: AsyncSession, access: WorkspaceAccess) -> GuardService:
    return GuardService(session, access)


class PromotionGuardController(Controller):
    """What is watched after a change set has gone live."""

    path = PATH
    tags = ("Changesets",)
    dependencies = {"service": Provide(provide_guard_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readGuard",
        summary="Read the guard of an accepted change set",
        description="404 where the change set never went live, or nothing was live in its environment before.",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_guard(self, service: GuardService, changeset_id: UUID) -> PromotionGuardOut:
        return guard_out(await service.read_guard(changeset_id))

    @post(
        "/release",
        operation_id="releaseGuard",
        summary="End the guard: the new version is live for everybody",
        description="Also answers an alert by keeping the new version; the other answer is the change set's rollback.",
        status_code=200,
        guards=[requires(Scope.APPROVE_AGENTS)],
    )
    async def release_guard(
        self, service: GuardService, changeset_id: UUID, data: CloseIn | None = None
    ) -> PromotionGuardOut:
        return guard_out(await service.release_guard(changeset_id, None if data is None else data.reason))
