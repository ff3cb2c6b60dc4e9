"""HTTP of the people of a workspace, `…/members`, and of leaving an account, `/api/v1/account/members/{user_id}`."""

from uuid import UUID

from litestar import Controller, Request, Response, delete, get, patch, post
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workspaces.members import WorkspaceMemberService, leave_account
from spectral.domains.workspaces.people_repository import Insider
from spectral.domains.workspaces.people_schemas import WorkspaceMemberIn, WorkspaceMemberOut, WorkspaceMemberPatch
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires, requires_unless_oneself
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import AccountRole, Scope
from spectral.platform.db.session import after_commit
from spectral.platform.shared.pagination import Collection, Page


def provide_member_service(session: AsyncSession, access: WorkspaceAccess) -> WorkspaceMemberService:
    return WorkspaceMemberService(session, access)


def forget_after_commit(session: AsyncSession, authenticator: Authenticator) -> None:
    """Rights that this process remembers are read again as soon as the change is there."""

    async def forget() -> None:
        authenticator.forget()

    after_commit(session, forget)


def member_out(member: Insider) -> WorkspaceMemberOut:
    return WorkspaceMemberOut.model_validate(
        {
            "user_id": member.user.id,
            "email": member.user.email,
            "name": member.user.name,
            "role": member.roles.effective,
            "scopes": sorted(member.roles.scopes),
            "via": "account" if member.roles.account == AccountRole.OWNER else "workspace",
            "joined_at": member.joined_at,
        }
    )


class WorkspaceMemberController(Controller):
    """The people of a workspace."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/members"
    tags = ("Workspaces",)
    dependencies = {"service": Provide(provide_member_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="listWorkspaceMembers",
        summary="List the people of the workspace",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def list_members(self, service: WorkspaceMemberService, page: Page) -> Collection[WorkspaceMemberOut]:
        members, total = await service.list_members(page)
        return Collection.of([member_out(member) for member in members], total, page)

    @post(
        operation_id="addWorkspaceMember",
        summary="Let somebody of the account into the workspace",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
        opt={"idempotent": True},
    )
    async def add_member(
        self,
        service: WorkspaceMemberService,
        session: AsyncSession,
        authenticator: Authenticator,
        workspace_id: UUID,
        data: WorkspaceMemberIn,
    ) -> Response[WorkspaceMemberOut]:
        member = await service.add_member(data.user_id, data.email, data.role)
        forget_after_commit(session, authenticator)
        return Response(
            member_out(member),
            status_code=201,
            headers={"Location": f"/api/v1/workspaces/{workspace_id}/members/{member.user.id}"},
        )

    @get(
        "/{user_id:uuid}",
        operation_id="readWorkspaceMember",
        summary="Read a person of the workspace",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def read_member(self, service: WorkspaceMemberService, user_id: UUID) -> WorkspaceMemberOut:
        return member_out(await service.read_member(user_id))

    @patch(
        "/{user_id:uuid}",
        operation_id="updateWorkspaceMember",
        summary="Give a person of the workspace another role",
        guards=[requires(Scope.ADMIN_WORKSPACE)],
    )
    async def change_role(
        self,
        service: WorkspaceMemberService,
        session: AsyncSession,
        authenticator: Authenticator,
        user_id: UUID,
        data: WorkspaceMemberPatch,
    ) -> WorkspaceMemberOut:
        member = await service.change_role(user_id, data.role)
        forget_after_commit(session, authenticator)
        return member_out(member)

    @delete(
        "/{user_id:uuid}",
        operation_id="removeWorkspaceMember",
        summary="Take somebody out of the workspace, or leave it",
        description="With one's own id it is leaving, which needs no scope.",
        guards=[requires_unless_oneself(Scope.ADMIN_WORKSPACE)],
    )
    async def remove_member(
        self, service: WorkspaceMemberService, session: AsyncSession, authenticator: Authenticator, user_id: UUID
    ) -> None:
        await service.remove_member(user_id)
        forget_after_commit(session, authenticator)


@delete(
    "/api/v1/account/members/{user_id:uuid}",
    operation_id="removeAccountMember",
    summary="Take somebody out of the account and its workspaces, or leave it",
    description="With one's own id it is leaving, which needs no scope. The account's last owner stays.",
    tags=["Accounts"],
    guards=[requires_unless_oneself(Scope.ADMIN_ACCOUNT)],
)
async def remove_account_member(
    session: AsyncSession,
    authenticator: Authenticator,
    request: Request[Principal, None, State],
    user_id: UUID,
) -> None:
    await leave_account(session, request.user, user_id)
    forget_after_commit(session, authenticator)
