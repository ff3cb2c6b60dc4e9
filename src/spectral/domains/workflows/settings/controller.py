"""HTTP of what a workspace decides for its workflows: `/api/v1/workspaces/{workspace_id}/workflow-settings`."""

from litestar import Controller, get, put
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.settings.schemas import WorkflowSettingsIn, WorkflowSettingsOut
from spectral.domains.workflows.settings.service import WorkflowSettingsService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.settings import Settings


def provide_settings_service(
    session: AsyncSession, access: WorkspaceAccess, settings: Settings
) -> WorkflowSettingsService:
    return WorkflowSettingsService(session, access, settings.networks_for_workspaces)


class WorkflowSettingsController(Controller):
    """What a workspace decides for its workflows."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/workflow-settings"
    tags = ("Workflow settings",)
    dependencies = {"service": Provide(provide_settings_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readWorkflowSettings",
        summary="Read the networks that steps may call, and how long runs are kept",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_settings(self, service: WorkflowSettingsService) -> WorkflowSettingsOut:
        return WorkflowSettingsOut.model_validate(await service.read_settings())

    @put(
        operation_id="chooseWorkflowSettings",
        summary="Choose the networks that steps may call, and how long runs are kept",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def choose_settings(self, service: WorkflowSettingsService, data: WorkflowSettingsIn) -> WorkflowSettingsOut:
        """For steps that begin from now on. Public addresses need not be listed, metadata services cannot be."""
        chosen = await service.choose_settings(data.allowed_networks, data.retention_days)
        return WorkflowSettingsOut.model_validate(chosen)
