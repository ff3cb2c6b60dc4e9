"""The people of an account: joining, changing roles, leaving. An account always keeps an owner."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.errors import AlreadyMemberError, LastOwnerError, StaffRoleError
from spectral.domains.accounts.models import AccountMember, User
from spectral.domains.accounts.repository import AccountRepository
from spectral.domains.accounts.service import AccountService, normalised_email
from spectral.platform import audit
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import AccountRole
from spectral.platform.shared.errors import NotFoundError


class MemberService:
    """Who belongs to an account, in the caller's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._repository = AccountRepository(session)

    async def find_member(self, account_id: UUID, *, user_id: UUID | None, email: str | None) -> tuple[User, str]:
        """The person of the account with this id or this address, and their role there. Raises NotFoundError."""
        if user_id is not None:
            found = await self._repository.member(account_id, user_id)
        else:
            found = await self._repository.member_by_email(account_id, normalised_email(email or ""))
        if found is None:
            raise NotFoundError("Member of the account", user_id or email)
        return found[0], found[1].role

    async def is_member(self, account_id: UUID, email: str) -> bool:
        """Whether somebody of the account has this address."""
        return await self._repository.member_by_email(account_id, normalised_email(email)) is not None

    async def add_member(self, account_id: UUID, user_id: UUID, role: AccountRole) -> None:
        """Raises AlreadyMemberError."""
        await self._repository.add_member(
            AccountMember(account_id=account_id, user_id=user_id, role=role),
            AlreadyMemberError("You belong to this account already"),
        )

    async def change_role(self, principal: Principal, user_id: UUID, role: AccountRole) -> tuple[User, AccountMember]:
        """Raises NotFoundError, LastOwnerError, StaffRoleError, AccountNotChosenError."""
        user, member = await self._hold(principal, user_id)
        if member.role == role:
            return user, member
        if AccountRole.OPERATIONS in {member.role, role}:
            raise StaffRoleError("Operations staff are made and unmade with the command line only")
        await self._keep_an_owner(member)
        before, member.role = member.role, role
        await self._session.flush()
        await self._audit(principal, member, "account_member.role_changed", {"before": before, "after": role})
        return user, member

    async def remove_member(self, principal: Principal, user_id: UUID) -> UUID:
        """The person belongs to the account no more; answers its id. Their sign-ins and other accounts stay.

        Raises NotFoundError, LastOwnerError, AccountNotChosenError.
        """
        user, member = await self._hold(principal, user_id)
        await self._keep_an_owner(member)
        await self._repository.remove_member(member)
        action = "account_member.left" if principal.user_id == user_id else "account_member.removed"
        await self._audit(principal, member, action, {"email": user.email, "role": member.role})
        return member.account_id

    async def _hold(self, principal: Principal, user_id: UUID) -> tuple[User, AccountMember]:
        account = await AccountService(self._session).read_chosen_account(principal)
        # Read after the lock: of two owners who demote each other at once, the second sees what the first has done.
        await self._repository.hold_members(account.id)
        found = await self._repository.member(account.id, user_id)
        if found is None:
            raise NotFoundError("Member", user_id)
        return found

    async def _keep_an_owner(self, member: AccountMember) -> None:
        if member.role == AccountRole.OWNER and await self._repository.count_owners(member.account_id) == 1:
            raise LastOwnerError

    async def _audit(self, principal: Principal, member: AccountMember, action: str, detail: dict[str, object]) -> None:
        await audit.record(
            self._session,
            account_id=member.account_id,
            actor=principal.actor,
            action=action,
            subject=f"user:{member.user_id}",
            detail=detail,
        )
