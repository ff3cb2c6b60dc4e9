"""HTTP of workspaces: `/api/v1/workspaces`."""

from uuid import UUID

from litestar import Controller, Request, Response, get, patch, post
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workspaces.schemas import WorkspaceIn, WorkspaceOut, WorkspacePatch
from spectral.domains.workspaces.service import WorkspaceService, list_own_workspaces
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces"


def provide_workspace_service(session: AsyncSession) -> WorkspaceService:
    return WorkspaceService(session)


class WorkspaceController(Controller):
    """Workspaces of the caller's accounts."""

    path = PATH
    tags = ("Workspaces",)
    dependencies = {"service": Provide(provide_workspace_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listWorkspaces", summary="List the workspaces you may enter", guards=[people_only])
    async def list_workspaces(
        self, identity: Database, request: Request[Principal, None, State], page: Page
    ) -> Collection[WorkspaceOut]:
        user_id = request.user.user_id or UUID(int=0)
        standings, total = await list_own_workspaces(identity, user_id, page)
        return Collection.of([WorkspaceOut.model_validate(found.workspace) for found in standings], total, page)

    @post(
        operation_id="createWorkspace",
        summary="Create a workspace",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
        opt={"idempotent": True},
    )
    async def create_workspace(
        self, service: WorkspaceService, request: Request[Principal, None, State], data: WorkspaceIn
    ) -> Response[WorkspaceOut]:
        workspace = await service.create_workspace(request.user, data.name, data.description)
        return Response(
            WorkspaceOut.model_validate(workspace), status_code=201, headers={"Location": f"{PATH}/{workspace.id}"}
        )

    @get(
        "/{workspace_id:uuid}",
        operation_id="readWorkspace",
        summary="Read a workspace",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_workspace(self, service: WorkspaceService, access: WorkspaceAccess) -> WorkspaceOut:
        return WorkspaceOut.model_validate(await service.read_workspace(access))

    @patch(
        "/{workspace_id:uuid}",
        operation_id="updateWorkspace",
        summary="Change a workspace",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def update_workspace(
        self, service: WorkspaceService, access: WorkspaceAccess, data: WorkspacePatch
    ) -> WorkspaceOut:
        changed = await service.update_workspace(access, data.model_dump(exclude_unset=True))
        return WorkspaceOut.model_validate(changed)
