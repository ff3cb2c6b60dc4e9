"""HTTP of accounts: `/api/v1/account`."""

from litestar import Controller, Request, get, patch
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.schemas import AccountOut, AccountPatch, MemberOut
from spectral.domains.accounts.service import AccountService
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import AccountRole, Scope
from spectral.platform.shared.pagination import Collection, Page


def provide_account_service(session: AsyncSession) -> AccountService:
    return AccountService(session)


class AccountController(Controller):
    """The account of the caller: `X-Account-Id` chooses when there are several."""

    path = "/api/v1/account"
    tags = ("Accounts",)
    dependencies = {"service": Provide(provide_account_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="readAccount", summary="Read the account", guards=[people_only])
    async def read_account(self, service: AccountService, request: Request[Principal, None, State]) -> AccountOut:
        return AccountOut.model_validate(await service.read_chosen_account(request.user))

    @patch(operation_id="updateAccount", summary="Rename the account", guards=[requires(Scope.ADMIN_ACCOUNT)])
    async def update_account(
        self, service: AccountService, request: Request[Principal, None, State], data: AccountPatch
    ) -> AccountOut:
        return AccountOut.model_validate(await service.rename_account(request.user, data.name))

    @get(
        "/members",
        operation_id="listAccountMembers",
        summary="List the people of the account",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def list_members(
        self, service: AccountService, request: Request[Principal, None, State], page: Page
    ) -> Collection[MemberOut]:
        members, total = await service.list_members(request.user, page)
        results = [
            MemberOut(
                user_id=user.id,
                email=user.email,
                name=user.name,
                role=AccountRole(member.role),
                joined_at=member.created_at,
            )
            for user, member in members
        ]
        return Collection.of(results, total, page)
