"""HTTP of the people of an account: `/api/v1/account/members`. Removing one is in workspaces: it ends access there."""

from uuid import UUID

from litestar import Controller, Request, get, patch
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.members import MemberService
from spectral.domains.accounts.models import AccountMember, User
from spectral.domains.accounts.schemas import MemberOut, MemberPatch
from spectral.domains.accounts.service import AccountService
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import AccountRole, Scope
from spectral.platform.db.session import after_commit
from spectral.platform.shared.pagination import Collection, Page


def provide_account_service(session: AsyncSession) -> AccountService:
    return AccountService(session)


def provide_member_service(session: AsyncSession) -> MemberService:
    return MemberService(session)


def member_out(user: User, member: AccountMember) -> MemberOut:
    return MemberOut(
        user_id=user.id,
        email=user.email,
        name=user.name,
        role=AccountRole(member.role),
        joined_at=member.created_at,
    )


class AccountMemberController(Controller):
    """The people of the caller's account."""

    path = "/api/v1/account/members"
    tags = ("Accounts",)
    guards = (requires(Scope.ADMIN_ACCOUNT),)
    dependencies = {  # noqa: RUF012
        "accounts": Provide(provide_account_service, sync_to_thread=False),
        "service": Provide(provide_member_service, sync_to_thread=False),
    }

    @get(operation_id="listAccountMembers", summary="List the people of the account")
    async def list_members(
        self, accounts: AccountService, request: Request[Principal, None, State], page: Page
    ) -> Collection[MemberOut]:
        members, total = await accounts.list_members(request.user, page)
        return Collection.of([member_out(user, member) for user, member in members], total, page)

    @patch(
        "/{user_id:uuid}",
        operation_id="updateAccountMember",
        summary="Give a person of the account another role",
        description="The account's last owner stays one.",
    )
    async def change_role(
        self,
        service: MemberService,
        session: AsyncSession,
        authenticator: Authenticator,
        request: Request[Principal, None, State],
        user_id: UUID,
        data: MemberPatch,
    ) -> MemberOut:
        user, member = await service.change_role(request.user, user_id, data.role)

        async def forget() -> None:
            authenticator.forget()

        after_commit(session, forget)
        return member_out(user, member)
