"""The people of a workspace: let in, given roles, let out; and out of everything when they leave the account."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.errors import AlreadyMemberError, StaffRoleError
from spectral.domains.accounts.members import MemberService
from spectral.domains.workspaces.errors import OwnerOfAccountError
from spectral.domains.workspaces.people_repository import Insider, InviteRepository, WorkspaceMemberRepository
from spectral.platform import audit
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import AccountRole, WorkspaceRole
from spectral.platform.events import EventType, emit
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


class WorkspaceMemberService:
    """Who is in one workspace, in the caller's transaction. The account's owners always are, as admins."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._repository = WorkspaceMemberRepository(session, access)

    async def list_members(self, page: Page) -> tuple[Sequence[Insider], int]:
        """One page of the people, owners of the account included, in the order in which they joined the account."""
        return await self._repository.page(page)

    async def read_member(self, user_id: UUID) -> Insider:
        """Raises NotFoundError."""
        found = await self._repository.find(user_id)
        if found is None:
            raise NotFoundError("Member", user_id)
        return found

    async def add_member(self, user_id: UUID | None, email: str | None, role: WorkspaceRole) -> Insider:
        """Somebody of the account is in the workspace too, found by id or address.

        Raises NotFoundError for whoever is not of the account, AlreadyMemberError, StaffRoleError.
        """
        user, account_role = await MemberService(self._session).find_member(
            self._access.account_id, user_id=user_id, email=email
        )
        if account_role == AccountRole.OPERATIONS:
            raise StaffRoleError("Operations staff enter a workspace by a timed grant only")
        already = AlreadyMemberError("This person is in the workspace already")
        if await self._repository.find(user.id) is not None:
            raise already
        await self._repository.add(user.id, role, already)
        await self._audit(user.id, "workspace_member.added", {"email": user.email, "role": role})
        return await self.read_member(user.id)

    async def change_role(self, user_id: UUID, role: WorkspaceRole) -> Insider:
        """Raises NotFoundError, OwnerOfAccountError."""
        member = await self._below_owner(user_id)
        if member.roles.workspace != role:
            await self._repository.set_role(user_id, role)
            before = member.roles.workspace
            await self._audit(user_id, "workspace_member.role_changed", {"before": before, "after": role})
        return await self.read_member(user_id)

    async def remove_member(self, user_id: UUID) -> None:
        """The person is in the workspace no more, and still of the account.

        Raises NotFoundError, OwnerOfAccountError.
        """
        member = await self._below_owner(user_id)
        await self._repository.remove(user_id)
        left = self._access.actor == f"user:{user_id}"
        action = "workspace_member.left" if left else "workspace_member.removed"
        await self._audit(user_id, action, {"email": member.user.email, "role": member.roles.workspace})

    async def _below_owner(self, user_id: UUID) -> Insider:
        member = await self.read_member(user_id)
        if member.roles.account == AccountRole.OWNER:
            raise OwnerOfAccountError
        return member

    async def _audit(self, user_id: UUID, action: str, detail: dict[str, object]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"user:{user_id}",
            detail=detail,
        )
        told = {"change": action.removeprefix("workspace_member."), "user_id": str(user_id)}
        kind = EventType.WORKSPACE_MEMBER_CHANGED
        await emit(self._session, self._access, kind, subject=f"user:{user_id}", data=told)


async def leave_account(session: AsyncSession, principal: Principal, user_id: UUID) -> None:
    """The person belongs to the caller's account and to its workspaces no more; nothing else of theirs ends.

    Whether the caller may remove somebody else is the guard's question.
    Raises NotFoundError, LastOwnerError, AccountNotChosenError.
    """
    account_id = await MemberService(session).remove_member(principal, user_id)
    await InviteRepository(session).leave_all(account_id, user_id)
