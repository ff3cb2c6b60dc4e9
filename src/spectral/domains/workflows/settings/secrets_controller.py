"""HTTP of secrets: `/api/v1/workspaces/{workspace_id}/workflow-secrets`."""

from litestar import Controller, delete, get, put
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.settings.schemas import SecretIn, SecretOut
from spectral.domains.workflows.settings.secrets_service import SecretService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.secret_box import SecretBox


def provide_secret_service(
    session: AsyncSession, access: WorkspaceAccess, workflow_secret_box: SecretBox
) -> SecretService:
    return SecretService(session, access, workflow_secret_box)


class WorkflowSecretController(Controller):
    """Secrets that definitions name as `${secrets.NAME}` and never hold."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/workflow-secrets"
    tags = ("Workflow settings",)
    dependencies = {"service": Provide(provide_secret_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="listWorkflowSecrets",
        summary="List the names of the secrets",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_secrets(self, service: SecretService, page: Page) -> Collection[SecretOut]:
        found, total = await service.list_secrets(page)
        return Collection.of([SecretOut.model_validate(secret) for secret in found], total, page)

    @put(
        "/{secret_name:str}",
        operation_id="setWorkflowSecret",
        summary="Set a secret",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def set_secret(self, service: SecretService, secret_name: str, data: SecretIn) -> SecretOut:
        """Stored encrypted, filled in when a step calls out, masked in what is stored of the call; never shown."""
        return SecretOut.model_validate(await service.set_secret(secret_name, data.value))

    @delete(
        "/{secret_name:str}",
        operation_id="deleteWorkflowSecret",
        summary="Delete a secret; steps that still name it fail",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def delete_secret(self, service: SecretService, secret_name: str) -> None:
        await service.delete_secret(secret_name)
