"""HTTP of accounts: `/api/v1/account`."""

from litestar import Controller, Request, get, patch, put
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.schemas import AccountOut, AccountPatch, SecondFactorPolicy
from spectral.domains.accounts.service import AccountService
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import people_only, requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import after_commit


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
        "/second-factor",
        operation_id="readSecondFactorPolicy",
        summary="Whether the account demands a second factor",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def read_second_factor_policy(
        self, service: AccountService, request: Request[Principal, None, State]
    ) -> SecondFactorPolicy:
        account = await service.read_chosen_account(request.user)
        return SecondFactorPolicy(required=account.second_factor_required_at is not None)

    @put(
        "/second-factor",
        operation_id="updateSecondFactorPolicy",
        summary="Demand a second factor of everybody, or stop demanding it",
        description="People who sign in with a password and have no second factor lose their rights in this account "
        "until they have set one up. You need one yourself to demand it.",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def update_second_factor_policy(
        self,
        service: AccountService,
        session: AsyncSession,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        data: SecondFactorPolicy,
    ) -> SecondFactorPolicy:
        account = await service.demand_second_factor(request.user, required=data.required)

        async def forget() -> None:
            authenticator.forget()

        after_commit(session, forget)
        return SecondFactorPolicy(required=account.second_factor_required_at is not None)
