"""HTTP of inference: `/api/v1/workspaces/{workspace_id}/models`."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.inference.credentials import StoredCredentials
from spectral.domains.inference.models import ProviderCredential
from spectral.domains.inference.repository import CallFilter
from spectral.domains.inference.schemas import (
    CredentialCheckIn,
    CredentialCheckOut,
    CredentialIn,
    CredentialOut,
    CredentialPatch,
    ModelCallList,
    ModelCallOut,
    ModelOut,
    ModelUsageOut,
)
from spectral.domains.inference.service import CallableModel, CredentialChecker, CredentialService, ModelService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.llm.catalogue import ModelCatalogue
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.moments import query_moment
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.secret_box import SecretBox

PATH = "/api/v1/workspaces/{workspace_id:uuid}/models"

Text = Annotated[str | None, QueryParameter(max_length=300)]
CursorText = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before; not with offset")
]
Since = Annotated[str | None, QueryParameter(max_length=64, description="RFC 3339; then or later")]
Until = Annotated[str | None, QueryParameter(max_length=64, description="RFC 3339; before")]


def provide_model_service(
    session: AsyncSession,
    access: WorkspaceAccess,
    door: ModelDoor,
    model_catalogue: ModelCatalogue,
    provider_credentials: StoredCredentials,
) -> ModelService:
    return ModelService(session, access, door, model_catalogue, provider_credentials)


def provide_credential_service(
    session: AsyncSession,
    access: WorkspaceAccess,
    provider_credential_box: SecretBox,
    provider_credentials: StoredCredentials,
) -> CredentialService:
    return CredentialService(session, access, provider_credential_box, provider_credentials)


def provide_credential_checker(
    database: Database, access: WorkspaceAccess, door: ModelDoor, provider_credentials: StoredCredentials
) -> CredentialChecker:
    return CredentialChecker(database, access, door, provider_credentials)


def model_out(model: CallableModel) -> ModelOut:
    return ModelOut.model_validate(
        {
            "name": model.info.name,
            "provider": model.info.provider,
            "label": model.info.label,
            "tier": model.info.tier,
            "priced": model.price is not None,
            "input_price_usd": None if model.price is None else model.price.input,
            "output_price_usd": None if model.price is None else model.price.output,
            "deterministic": model.info.deterministic,
            "embeddings_only": model.embeddings_only,
            "callable": model.callable,
        }
    )


def credential_out(credential: ProviderCredential) -> CredentialOut:
    return CredentialOut.model_validate(credential)


class ModelController(Controller):
    """The models that a workspace can name, and its calls of them."""

    path = PATH
    tags = ("Models",)
    guards = (requires(Scope.READ_WORKSPACE),)
    dependencies = {"service": Provide(provide_model_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="listModels",
        summary="List models, by name",
        description="The built-in ones, those of OpenAI and Anthropic whose price is known, those that operations "
        "staff has set up, and those that answered in the last 30 days. Any other name `provider/model` can be used "
        "too: whether it exists is for its provider to say.",
    )
    async def list_models(
        self, service: ModelService, page: Page, provider: Text = None, *, callable_only: bool = False
    ) -> Collection[ModelOut]:
        found = await service.list_models(provider=provider, only_callable=callable_only)
        shown = [model_out(model) for model in found[page.offset : page.offset + page.limit]]
        return Collection.of(shown, len(found), page)

    @get("/calls", operation_id="listModelCalls", summary="List calls of models over the network, latest first")
    async def list_calls(
        self,
        service: ModelService,
        page: Page,
        cursor: CursorText = None,
        model: Text = None,
        purpose: Text = None,
        subject: Text = None,
        failed: bool | None = None,  # noqa: FBT001 - a parameter of the query
        since: Since = None,
        until: Until = None,
    ) -> ModelCallList:
        wanted = CallFilter(model, purpose, subject, failed, query_moment("since", since), query_moment("until", until))
        listing = await service.list_calls(wanted, page, cursor)
        results = [ModelCallOut.model_validate(row[0]) for row in listing.rows]
        return ModelCallList(results=results, pagination=listing.pagination)

    @get("/usage", operation_id="readModelUsage", summary="Sum calls by model and purpose, the dearest first")
    async def read_usage(
        self,
        service: ModelService,
        page: Page,
        model: Text = None,
        purpose: Text = None,
        subject: Text = None,
        since: Since = None,
        until: Until = None,
    ) -> Collection[ModelUsageOut]:
        wanted = CallFilter(model, purpose, subject, None, query_moment("since", since), query_moment("until", until))
        found = await service.usage(wanted)
        shown = [ModelUsageOut.model_validate(usage) for usage in found[page.offset : page.offset + page.limit]]
        return Collection.of(shown, len(found), page)


class CredentialController(Controller):
    """The keys with which a workspace calls models. They are stored encrypted and never shown."""

    path = f"{PATH}/credentials"
    tags = ("Models",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_credential_service, sync_to_thread=False),
        "checker": Provide(provide_credential_checker, sync_to_thread=False),
    }

    @get(operation_id="listProviderCredentials", summary="List the credentials for models, by name")
    async def list_credentials(self, service: CredentialService, page: Page) -> Collection[CredentialOut]:
        found, total = await service.list_credentials(page)
        return Collection.of([credential_out(credential) for credential in found], total, page)

    @post(
        operation_id="createProviderCredential",
        summary="Add a credential for models",
        opt={"idempotent": True},
    )
    async def create_credential(
        self, service: CredentialService, workspace_id: UUID, data: CredentialIn
    ) -> Response[CredentialOut]:
        credential = await service.create_credential(
            data.name, data.provider, data.base_url, data.api_key.get_secret_value()
        )
        location = f"/api/v1/workspaces/{workspace_id}/models/credentials/{credential.id}"
        return Response(credential_out(credential), status_code=201, headers={"Location": location})

    @get("/{credential_id:uuid}", operation_id="readProviderCredential", summary="Read a credential for models")
    async def read_credential(self, service: CredentialService, credential_id: UUID) -> CredentialOut:
        return credential_out(await service.read_credential(credential_id))

    @patch(
        "/{credential_id:uuid}",
        operation_id="updateProviderCredential",
        summary="Change a credential for models",
        description="Another base URL needs the key again.",
    )
    async def update_credential(
        self, service: CredentialService, credential_id: UUID, data: CredentialPatch
    ) -> CredentialOut:
        api_key = None if data.api_key is None else data.api_key.get_secret_value()
        credential = await service.update_credential(
            credential_id, name=data.name, base_url=data.base_url, api_key=api_key
        )
        return credential_out(credential)

    @delete(
        "/{credential_id:uuid}",
        operation_id="deleteProviderCredential",
        summary="Delete a credential; calls that need it fail",
    )
    async def delete_credential(self, service: CredentialService, credential_id: UUID) -> None:
        await service.delete_credential(credential_id)

    @post(
        "/{credential_id:uuid}/check",
        operation_id="checkProviderCredential",
        summary="Try a credential out",
        description="Lists the provider's models, which is free; where a model is named, completes a few tokens.",
        status_code=200,
    )
    async def check_credential(
        self, checker: CredentialChecker, credential_id: UUID, data: CredentialCheckIn | None = None
    ) -> CredentialCheckOut:
        checked = await checker.check(credential_id, None if data is None else data.model)
        return CredentialCheckOut(
            ok=checked.ok,
            error=checked.error,
            latency_ms=checked.latency_ms,
            models=list(checked.models),
            cost_usd=checked.cost_nano_usd,
        )
