"""HTTP of what runs remember: `/api/v1/workspaces/{workspace_id}/workflow-memory`."""

from typing import Annotated

from litestar import Controller, delete, get
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import NAME_MAXIMUM
from spectral.domains.workflows.settings.memory_service import MemoryService
from spectral.domains.workflows.settings.schemas import MemoryNamespaceOut, MemoryOut
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page


def provide_memory_service(session: AsyncSession, access: WorkspaceAccess) -> MemoryService:
    return MemoryService(session, access)


class WorkflowMemoryController(Controller):
    """What `memory.store` steps have stored, for later runs of the workspace."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/workflow-memory"
    tags = ("Workflow settings",)
    dependencies = {"service": Provide(provide_memory_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="listWorkflowMemoryNamespaces",
        summary="List the namespaces in which runs remember something",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_namespaces(self, service: MemoryService, page: Page) -> Collection[MemoryNamespaceOut]:
        found, total = await service.list_namespaces(page)
        return Collection.of([MemoryNamespaceOut.model_validate(row) for row in found], total, page)

    @get(
        "/{namespace:str}",
        operation_id="listWorkflowMemory",
        summary="List what runs remember in a namespace, by key",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_memory(self, service: MemoryService, namespace: str, page: Page) -> Collection[MemoryOut]:
        found, total = await service.list_memory(namespace, page)
        return Collection.of([MemoryOut.model_validate(row) for row in found], total, page)

    @delete(
        "/{namespace:str}",
        operation_id="forgetWorkflowMemory",
        summary="Forget a key, or a whole namespace",
        guards=[requires(Scope.WRITE_WORKSPACE)],
    )
    async def forget(
        self,
        service: MemoryService,
        namespace: str,
        key: Annotated[
            str | None, QueryParameter(max_length=NAME_MAXIMUM, description="only this one; else all of them")
        ] = None,
    ) -> None:
        await service.forget(namespace, key)
