"""HTTP of API keys and service accounts, below `/api/v1/workspaces/{workspace_id}`."""

from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.credentials import status_at
from spectral.domains.keys.environment import environment_of
from spectral.domains.keys.models import ApiKey, ServiceAccount, WorkspaceCredential
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.schemas import (
    ApiKeyCreated,
    ApiKeyIn,
    ApiKeyOut,
    ApiKeyPatch,
    CredentialOut,
    RotationIn,
    ServiceAccountCreated,
    ServiceAccountIn,
    ServiceAccountOut,
)
from spectral.domains.keys.service import ApiKeyService
from spectral.domains.keys.service_accounts import ServiceAccountService
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import after_commit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Collection, Page
from spectral.settings import Settings

KEYS = "/api/v1/workspaces/{workspace_id:uuid}/keys"
SERVICE_ACCOUNTS = "/api/v1/workspaces/{workspace_id:uuid}/service-accounts"

Created = TypeVar("Created", bound=CredentialOut)


def provide_key_service(
    session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, settings: Settings
) -> ApiKeyService:
    return ApiKeyService(session, access, peppers, settings.api_key_lifetime_days)


def provide_service_account_service(
    session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, settings: Settings
) -> ServiceAccountService:
    return ServiceAccountService(session, access, peppers, settings.api_key_lifetime_days)


class ApiKeyController(Controller):
    """The API keys of a workspace."""

    path = KEYS
    tags = ("Keys",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {"service": Provide(provide_key_service, sync_to_thread=False)}  # noqa: RUF012

    @post(operation_id="createApiKey", summary="Create an API key", opt={"secret_answer": True})
    async def create_key(
        self,
        service: ApiKeyService,
        request: Request[Principal, None, State],
        data: ApiKeyIn,
        workspace_id: UUID,
        settings: Settings,
    ) -> Response[ApiKeyCreated]:
        expires_at = chosen_expiry(data, service.default_expiry)
        key, plaintext = await service.create_key(
            data.name, data.scopes, expires_at, request.user.user_id, trusted=data.trusted
        )
        return shown_once(
            key_created(key, plaintext, settings.address), f"/api/v1/workspaces/{workspace_id}/keys/{key.id}"
        )

    @get(operation_id="listApiKeys", summary="List the API keys")
    async def list_keys(self, service: ApiKeyService, page: Page) -> Collection[ApiKeyOut]:
        keys, total = await service.list_keys(page)
        return Collection.of([key_out(key) for key in keys], total, page)

    @get("/{key_id:uuid}", operation_id="readApiKey", summary="Read an API key")
    async def read_key(self, service: ApiKeyService, key_id: UUID) -> ApiKeyOut:
        return key_out(await service.read_key(key_id))

    @patch("/{key_id:uuid}", operation_id="updateApiKey", summary="Mark an API key as trusted, or not any more")
    async def update_key(self, service: ApiKeyService, key_id: UUID, data: ApiKeyPatch) -> ApiKeyOut:
        return key_out(await service.mark_key(key_id, trusted=data.trusted))

    @post(
        "/{key_id:uuid}/rotate",
        operation_id="rotateApiKey",
        summary="Replace an API key by a new one",
        description="Both are valid until the overlap ends; then only the new one is.",
        opt={"secret_answer": True},
    )
    async def rotate_key(
        self,
        service: ApiKeyService,
        session: AsyncSession,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        workspace_id: UUID,
        key_id: UUID,
        settings: Settings,
        data: RotationIn | None = None,
    ) -> Response[ApiKeyCreated]:
        wanted = data or RotationIn()
        key, plaintext = await service.rotate_key(
            key_id,
            timedelta(seconds=wanted.overlap_s),
            chosen_expiry(wanted, service.default_expiry),
            request.user.user_id,
        )
        forget_after_commit(session, authenticator)
        return shown_once(
            key_created(key, plaintext, settings.address), f"/api/v1/workspaces/{workspace_id}/keys/{key.id}"
        )

    @delete("/{key_id:uuid}", operation_id="revokeApiKey", summary="Revoke an API key")
    async def revoke_key(
        self, service: ApiKeyService, session: AsyncSession, authenticator: Authenticator, key_id: UUID
    ) -> None:
        await service.revoke_key(key_id)
        forget_after_commit(session, authenticator)


class ServiceAccountController(Controller):
    """The service accounts of a workspace."""

    path = SERVICE_ACCOUNTS
    tags = ("Keys",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {"service": Provide(provide_service_account_service, sync_to_thread=False)}  # noqa: RUF012

    @post(operation_id="createServiceAccount", summary="Create a service account", opt={"secret_answer": True})
    async def create_service_account(
        self,
        service: ServiceAccountService,
        request: Request[Principal, None, State],
        data: ServiceAccountIn,
        workspace_id: UUID,
    ) -> Response[ServiceAccountCreated]:
        made, plaintext = await service.create_service_account(
            data.name,
            data.role,
            chosen_expiry(data, service.default_expiry),
            request.user.user_id,
            approve=data.approve,
        )
        return shown_once(service_account_created(made, plaintext), service_account_url(workspace_id, made))

    @get(operation_id="listServiceAccounts", summary="List the service accounts")
    async def list_service_accounts(self, service: ServiceAccountService, page: Page) -> Collection[ServiceAccountOut]:
        found, total = await service.list_service_accounts(page)
        return Collection.of([service_account_out(one) for one in found], total, page)

    @get("/{service_account_id:uuid}", operation_id="readServiceAccount", summary="Read a service account")
    async def read_service_account(self, service: ServiceAccountService, service_account_id: UUID) -> ServiceAccountOut:
        return service_account_out(await service.read_service_account(service_account_id))

    @post(
        "/{service_account_id:uuid}/rotate",
        operation_id="rotateServiceAccount",
        summary="Replace a service account's key by a new one",
        description="Its successor has an id of its own; both are valid until the overlap ends.",
        opt={"secret_answer": True},
    )
    async def rotate_service_account(
        self,
        service: ServiceAccountService,
        session: AsyncSession,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        workspace_id: UUID,
        service_account_id: UUID,
        data: RotationIn | None = None,
    ) -> Response[ServiceAccountCreated]:
        wanted = data or RotationIn()
        made, plaintext = await service.rotate_service_account(
            service_account_id,
            timedelta(seconds=wanted.overlap_s),
            chosen_expiry(wanted, service.default_expiry),
            request.user.user_id,
        )
        forget_after_commit(session, authenticator)
        return shown_once(service_account_created(made, plaintext), service_account_url(workspace_id, made))

    @delete("/{service_account_id:uuid}", operation_id="revokeServiceAccount", summary="Revoke a service account")
    async def revoke_service_account(
        self,
        service: ServiceAccountService,
        session: AsyncSession,
        authenticator: Authenticator,
        service_account_id: UUID,
    ) -> None:
        await service.revoke_service_account(service_account_id)
        forget_after_commit(session, authenticator)


def chosen_expiry(data: ApiKeyIn | ServiceAccountIn | RotationIn, default: datetime) -> datetime | None:
    """What the body says, null included; the default where it says nothing."""
    return data.expires_at if "expires_at" in data.model_fields_set else default


def forget_after_commit(session: AsyncSession, authenticator: Authenticator) -> None:
    """What has ended is out of this process at once."""

    async def forget() -> None:
        authenticator.forget()

    after_commit(session, forget)


def shown_once(created: Created, location: str) -> Response[Created]:
    """The one answer that holds the secret."""
    return Response(created, status_code=201, headers={"Location": location, "Cache-Control": "no-store"})


def key_out(key: ApiKey) -> ApiKeyOut:
    return ApiKeyOut.model_validate(members(key) | {"key_id": key.id, "scopes": key.scopes, "trusted": key.trusted})


def key_created(key: ApiKey, plaintext: str, address: str) -> ApiKeyCreated:
    sends = Scope.WRITE_TRACES in key.scopes
    environment = environment_of(address, plaintext) if sends else None
    return ApiKeyCreated.model_validate(key_out(key).model_dump() | {"key": plaintext, "environment": environment})


def service_account_url(workspace_id: UUID, made: ServiceAccount) -> str:
    return f"/api/v1/workspaces/{workspace_id}/service-accounts/{made.id}"


def service_account_out(found: ServiceAccount) -> ServiceAccountOut:
    own = {"service_account_id": found.id, "role": found.role, "approve": found.approve}
    return ServiceAccountOut.model_validate(members(found) | own)


def service_account_created(made: ServiceAccount, plaintext: str) -> ServiceAccountCreated:
    return ServiceAccountCreated.model_validate(service_account_out(made).model_dump() | {"key": plaintext})


def members(credential: WorkspaceCredential) -> dict[str, Any]:
    """The members of `CredentialOut`."""
    status = status_at(utc_now(), expires_at=credential.expires_at, revoked_at=credential.revoked_at)
    kept = {name: getattr(credential, name) for name in CredentialOut.model_fields if name != "status"}
    return kept | {"status": status}
