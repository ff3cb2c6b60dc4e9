"""HTTP of what is decided about a workspace as a whole: its end and its account's, autonomy, staff in it."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Request, Response, delete, get, put
from litestar.datastructures import State
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workspaces.answers import accepted, grant_out
from spectral.domains.workspaces.autonomy import AutonomyService, Bounds
from spectral.domains.workspaces.deletions import DeletionLog, DeletionService
from spectral.domains.workspaces.schemas import (
    AccountDeletionIn,
    AutonomyIn,
    AutonomyOut,
    DeletionOut,
    SupportGrantOut,
)
from spectral.domains.workspaces.support import SupportService
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.refusals import AccountNotChosenError
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database, after_commit
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.pagination import Collection, Page

DELETIONS = "/api/v1/account/deletions"


def provide_deletion_service(session: AsyncSession, identity: Database, engine: Engine) -> DeletionService:
    return DeletionService(session, identity, engine)


def provide_deletion_log(session: AsyncSession, request: Request[Principal, None, State]) -> DeletionLog:
    return DeletionLog(session, account_of(request.user))


def provide_autonomy_service(session: AsyncSession, access: WorkspaceAccess) -> AutonomyService:
    return AutonomyService(session, access)


def provide_support_service(session: AsyncSession) -> SupportService:
    return SupportService(session)


def account_of(principal: Principal) -> UUID:
    """The account that the request is about. Raises AccountNotChosenError."""
    if principal.account_id is None:
        raise AccountNotChosenError
    return principal.account_id


def forget_after_commit(session: AsyncSession, authenticator: Authenticator) -> None:
    """Rights that this process remembers are read again once the transaction has committed."""

    async def forget() -> None:
        authenticator.forget()

    after_commit(session, forget)


def bounds_of(data: AutonomyIn) -> Bounds | None:
    if data.bounds is None:
        return None
    kinds = tuple(data.bounds.allowed_change_kinds)
    return Bounds(
        data.bounds.max_cost_increase_percent, kinds, data.bounds.budget_per_night_usd, data.bounds.allow_production
    )


PARTS = {"service": Provide(provide_deletion_service, sync_to_thread=False)}


# Not in controllers: their paths belong to other controllers.
@delete(
    "/api/v1/workspaces/{workspace_id:uuid}",
    operation_id="deleteWorkspace",
    summary="Delete a workspace and everything in it",
    description="Nobody can enter it any more and its name is free; its data is deleted in the background.",
    guards=[requires(Scope.ADMIN_ACCOUNT)],
    dependencies=PARTS,
    status_code=202,
    tags=["Workspaces"],
)
async def delete_workspace(
    service: DeletionService, session: AsyncSession, authenticator: Authenticator, access: WorkspaceAccess
) -> Response[DeletionOut]:
    progress = await service.delete_workspace(access)
    forget_after_commit(session, authenticator)
    return accepted(progress, DELETIONS)


@delete(
    "/api/v1/account",
    operation_id="deleteAccount",
    summary="Delete the account with all its workspaces",
    description=(
        "Takes the account's exact name as `confirm`, in the body or the query. People who belong to no other "
        "account are deleted with it; the audit log stays."
    ),
    guards=[requires(Scope.ADMIN_ACCOUNT)],
    dependencies=PARTS,
    status_code=202,
    tags=["Accounts"],
)
async def delete_account(
    service: DeletionService,
    session: AsyncSession,
    authenticator: Authenticator,
    request: Request[Principal, None, State],
    data: AccountDeletionIn | None = None,
    confirm: Annotated[
        str | None, QueryParameter(name="confirm", max_length=200, description="the account's exact name")
    ] = None,
) -> Response[DeletionOut]:
    said = data.confirm if data is not None and data.confirm is not None else confirm
    progress = await service.delete_account(account_of(request.user), said, request.user.actor)
    forget_after_commit(session, authenticator)
    return accepted(progress, DELETIONS)


class DeletionController(Controller):
    """What was deleted in an account, and how far it is."""

    path = DELETIONS
    tags = ("Accounts",)
    guards = (requires(Scope.ADMIN_ACCOUNT),)
    dependencies = {"log": Provide(provide_deletion_log, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listDeletions", summary="List what was deleted and how far it is")
    async def list_deletions(self, log: DeletionLog, page: Page) -> Collection[DeletionOut]:
        found, total = await log.list_deletions(page)
        return Collection.of([DeletionOut.model_validate(progress) for progress in found], total, page)

    @get("/{deletion_id:uuid}", operation_id="readDeletion", summary="Read how far a deletion is")
    async def read_deletion(self, log: DeletionLog, deletion_id: UUID) -> DeletionOut:
        return DeletionOut.model_validate(await log.read_deletion(deletion_id))


class AutonomyController(Controller):
    """How far a workspace may change its agents by itself."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/autonomy"
    tags = ("Workspaces",)
    dependencies = {"service": Provide(provide_autonomy_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readAutonomy",
        summary="Read how far the workspace may act by itself",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_autonomy(self, service: AutonomyService) -> AutonomyOut:
        return AutonomyOut.model_validate(await service.read_autonomy())

    @put(
        operation_id="chooseAutonomy",
        summary="Choose how far the workspace may act by itself",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def choose_autonomy(self, service: AutonomyService, data: AutonomyIn) -> AutonomyOut:
        return AutonomyOut.model_validate(await service.choose_autonomy(data.mode, bounds_of(data)))


class SupportGrantController(Controller):
    """Operations staff whom a workspace's administrators find let in."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/support-grants"
    tags = ("Workspaces",)
    guards = (requires(Scope.ADMIN_WORKSPACE),)
    dependencies = {"service": Provide(provide_support_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listSupportGrants", summary="List who of the operations staff was let in")
    async def list_grants(
        self, service: SupportService, access: WorkspaceAccess, page: Page
    ) -> Collection[SupportGrantOut]:
        grants, total = await service.list_in(access, page)
        return Collection.of([grant_out(grant) for grant in grants], total, page)

    @get("/{grant_id:uuid}", operation_id="readSupportGrant", summary="Read a support grant")
    async def read_grant(self, service: SupportService, access: WorkspaceAccess, grant_id: UUID) -> SupportGrantOut:
        return grant_out(await service.read_in(access, grant_id))

    @delete("/{grant_id:uuid}", operation_id="endSupportGrant", summary="End a support grant")
    async def end_grant(
        self,
        service: SupportService,
        session: AsyncSession,
        authenticator: Authenticator,
        access: WorkspaceAccess,
        grant_id: UUID,
    ) -> None:
        await service.end_in(access, grant_id)
        forget_after_commit(session, authenticator)
