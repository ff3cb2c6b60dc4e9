"""HTTP of operations: `/api/v1/operations`."""

from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, post, put
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.operations.model_service import ConfiguredModel, ModelConfigService, check_models
from spectral.domains.operations.schemas import (
    EngineOut,
    ModelConfigIn,
    ModelConfigOut,
    ModelHealthOut,
    StaffAccountOut,
    SupportGrantIn,
)
from spectral.domains.operations.service import CustomerService
from spectral.domains.workspaces.answers import accepted, grant_out
from spectral.domains.workspaces.schemas import AccountDeletionIn, DeletionOut, SupportGrantOut
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope, WorkspaceRole
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.llm.catalogue import ModelCatalogue, ModelSettings
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/operations"


def provide_customer_service(
    session: AsyncSession, database: Database, identity: Database, engine: Engine, authenticator: Authenticator
) -> CustomerService:
    return CustomerService(session, database, identity, engine, authenticator)


def provide_model_config_service(
    session: AsyncSession, door: ModelDoor, model_catalogue: ModelCatalogue
) -> ModelConfigService:
    return ModelConfigService(session, door, model_catalogue)


def model_config_out(model: ConfiguredModel) -> ModelConfigOut:
    return ModelConfigOut.model_validate(
        {
            **asdict(model.info),
            "tier": model.settings.tier,
            "input_price_usd": model.settings.input_price,
            "output_price_usd": model.settings.output_price,
            "enabled": model.settings.enabled,
            "updated_at": model.updated_at,
            "updated_by": model.updated_by,
        }
    )


class OperationsController(Controller):
    """For operations staff."""

    path = PATH
    tags = ("Operations",)
    guards = (requires(Scope.READ_OPERATIONS),)

    @get(
        "/model-health",
        operation_id="listModelHealth",
        summary="How the models behave, by name",
        description="Figures of the answering process since it started.",
    )
    async def list_model_health(self, door: ModelDoor, page: Page) -> Collection[ModelHealthOut]:
        found = [ModelHealthOut.model_validate(health) for health in door.health()]
        return Collection.of(found[page.offset : page.offset + page.limit], len(found), page)

    @get("/engine", operation_id="readEngine", summary="What durable execution is doing")
    async def read_engine(self, engine: Engine) -> EngineOut:
        return EngineOut.model_validate(await engine.health())


class ModelConfigController(Controller):
    """What the staff says of models, and whether they answer."""

    path = PATH
    tags = ("Operations",)
    dependencies = {"service": Provide(provide_model_config_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        "/model-config",
        operation_id="listModelConfig",
        summary="Which models there are, by name",
        description="The built-in ones and all that something was set for.",
        guards=[requires(Scope.READ_OPERATIONS)],
    )
    async def list_model_config(self, service: ModelConfigService, page: Page) -> Collection[ModelConfigOut]:
        found = await service.list_models()
        shown = [model_config_out(model) for model in found[page.offset : page.offset + page.limit]]
        return Collection.of(shown, len(found), page)

    @get(
        "/model-config/{model:path}",
        operation_id="readModelConfig",
        summary="What is set for a model",
        description="The name has a slash in it: `/model-config/openai/gpt-4o`.",
        guards=[requires(Scope.READ_OPERATIONS)],
    )
    async def read_model_config(self, service: ModelConfigService, model: str) -> ModelConfigOut:
        return model_config_out(await service.read_model(model.removeprefix("/")))

    @put(
        "/model-config/{model:path}",
        operation_id="setModelConfig",
        summary="Set tier and price of a model, or switch it off",
        description="Holds in every process within a few seconds.",
        guards=[requires(Scope.WRITE_OPERATIONS)],
    )
    async def set_model_config(
        self,
        service: ModelConfigService,
        request: Request[Principal, None, State],
        model: str,
        data: ModelConfigIn,
    ) -> ModelConfigOut:
        wanted = ModelSettings(data.tier, data.input_price_usd, data.output_price_usd, data.enabled)
        return model_config_out(await service.set_model(request.user, model.removeprefix("/"), wanted))

    @post(
        "/model-health/check",
        operation_id="checkModelHealth",
        summary="Call each built-in model once, and say how all models behave",
        description="Models over the network are called with workspaces' keys and on their behalf only: of them it is "
        "what their latest calls have shown.",
        guards=[requires(Scope.WRITE_OPERATIONS)],
        status_code=200,
    )
    async def check_model_health(self, door: ModelDoor, page: Page) -> Collection[ModelHealthOut]:
        found = [ModelHealthOut.model_validate(health) for health in await check_models(door)]
        return Collection.of(found[page.offset : page.offset + page.limit], len(found), page)


class CustomerController(Controller):
    """Customers as operations staff sees them: from outside, unless a grant lets them in for a while."""

    path = PATH
    tags = ("Operations",)
    dependencies = {"service": Provide(provide_customer_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        "/accounts",
        operation_id="listCustomerAccounts",
        summary="List the accounts of the installation",
        guards=[requires(Scope.READ_OPERATIONS)],
    )
    async def list_accounts(self, service: CustomerService, page: Page) -> Collection[StaffAccountOut]:
        accounts, total = await service.list_accounts(page)
        return Collection.of([StaffAccountOut.model_validate(account) for account in accounts], total, page)

    @delete(
        "/accounts/{customer_id:uuid}",
        operation_id="deleteCustomerAccount",
        summary="Delete a customer's account with all its workspaces",
        description="Takes the account's exact name as `confirm`, in the body or the query.",
        guards=[requires(Scope.DELETE_OPERATIONS)],
        status_code=202,
    )
    async def delete_account(
        self,
        service: CustomerService,
        request: Request[Principal, None, State],
        customer_id: UUID,
        data: AccountDeletionIn | None = None,
        confirm: Annotated[
            str | None, QueryParameter(name="confirm", max_length=200, description="the account's exact name")
        ] = None,
    ) -> Response[DeletionOut]:
        said = data.confirm if data is not None and data.confirm is not None else confirm
        progress = await service.delete_account(request.user, customer_id, said)
        return accepted(progress, f"{PATH}/deletions")

    @get(
        "/deletions",
        operation_id="listAllDeletions",
        summary="List what was deleted in all accounts",
        guards=[requires(Scope.READ_OPERATIONS)],
    )
    async def list_deletions(self, service: CustomerService, page: Page) -> Collection[DeletionOut]:
        found, total = await service.list_deletions(page)
        return Collection.of([DeletionOut.model_validate(progress) for progress in found], total, page)

    @get(
        "/deletions/{deletion_id:uuid}",
        operation_id="readAnyDeletion",
        summary="Read how far a deletion in any account is",
        guards=[requires(Scope.READ_OPERATIONS)],
    )
    async def read_deletion(self, service: CustomerService, deletion_id: UUID) -> DeletionOut:
        return DeletionOut.model_validate(await service.read_deletion(deletion_id))

    @get(
        "/grants",
        operation_id="listAllSupportGrants",
        summary="List who of the operations staff was let in where",
        guards=[requires(Scope.ADMIN_OPERATIONS)],
    )
    async def list_grants(self, service: CustomerService, page: Page) -> Collection[SupportGrantOut]:
        grants, total = await service.list_grants(page)
        return Collection.of([grant_out(grant) for grant in grants], total, page)

    @post(
        "/grants",
        operation_id="giveSupportGrant",
        summary="Enter a customer's workspace for a while",
        description="The customer sees who, why and until when in their audit log, and can end it.",
        guards=[requires(Scope.ADMIN_OPERATIONS)],
        opt={"idempotent": True},
    )
    async def give_grant(
        self, service: CustomerService, request: Request[Principal, None, State], data: SupportGrantIn
    ) -> Response[SupportGrantOut]:
        grant = await service.give_grant(
            request.user, data.workspace_id, role=WorkspaceRole(data.role), reason=data.reason, minutes=data.minutes
        )
        return Response(grant_out(grant), status_code=201, headers={"Location": f"{PATH}/grants/{grant.id}"})

    @get(
        "/grants/{grant_id:uuid}",
        operation_id="readAnySupportGrant",
        summary="Read a support grant",
        guards=[requires(Scope.ADMIN_OPERATIONS)],
    )
    async def read_grant(self, service: CustomerService, grant_id: UUID) -> SupportGrantOut:
        return grant_out(await service.read_grant(grant_id))

    @delete(
        "/grants/{grant_id:uuid}",
        operation_id="endAnySupportGrant",
        summary="End a support grant",
        guards=[requires(Scope.ADMIN_OPERATIONS)],
    )
    async def end_grant(
        self, service: CustomerService, request: Request[Principal, None, State], grant_id: UUID
    ) -> None:
        await service.end_grant(request.user, grant_id)
