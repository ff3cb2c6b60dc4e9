"""HTTP of API keys: `/api/v1/workspaces/{workspace_id}/keys`."""

from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.schemas import ApiKeyCreated, ApiKeyIn, ApiKeyOut
from spectral.domains.keys.service import ApiKeyService, Peppers, status_of
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import after_commit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Collection, Page
from spectral.settings import Settings


def provide_key_service(
    session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, settings: Settings
) -> ApiKeyService:
    return ApiKeyService(session, access, peppers, settings.api_key_lifetime_days)


def key_out(key: ApiKey) -> ApiKeyOut:
    return ApiKeyOut.model_validate(_members(key))


def _members(key: ApiKey) -> dict[str, object]:
    members = {name: getattr(key, name) for name in ApiKeyOut.model_fields if name not in {"key_id", "status"}}
    return members | {"key_id": key.id, "status": status_of(key, utc_now())}


class ApiKeyController(Controller):
    """The API keys of a workspace."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/keys"
    tags = ("Keys",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {"service": Provide(provide_key_service, sync_to_thread=False)}  # noqa: RUF012

    @post(operation_id="createApiKey", summary="Create an API key", opt={"secret_answer": True})
    async def create_key(
        self, service: ApiKeyService, request: Request[Principal, None, State], data: ApiKeyIn, workspace_id: UUID
    ) -> Response[ApiKeyCreated]:
        expires_at = data.expires_at if "expires_at" in data.model_fields_set else service.default_expiry
        key, plaintext = await service.create_key(data.name, data.scopes, expires_at, request.user.user_id)
        return Response(
            ApiKeyCreated.model_validate(_members(key) | {"key": plaintext}),
            status_code=201,
            headers={"Location": f"/api/v1/workspaces/{workspace_id}/keys/{key.id}", "Cache-Control": "no-store"},
        )

    @get(operation_id="listApiKeys", summary="List the API keys")
    async def list_keys(self, service: ApiKeyService, page: Page) -> Collection[ApiKeyOut]:
        keys, total = await service.list_keys(page)
        return Collection.of([key_out(key) for key in keys], total, page)

    @get("/{key_id:uuid}", operation_id="readApiKey", summary="Read an API key")
    async def read_key(self, service: ApiKeyService, key_id: UUID) -> ApiKeyOut:
        return key_out(await service.read_key(key_id))

    @delete("/{key_id:uuid}", operation_id="revokeApiKey", summary="Revoke an API key")
    async def revoke_key(
        self, service: ApiKeyService, session: AsyncSession, authenticator: Authenticator, key_id: UUID
    ) -> None:
        await service.revoke_key(key_id)

        async def forget() -> None:
            authenticator.forget()

        after_commit(session, forget)
