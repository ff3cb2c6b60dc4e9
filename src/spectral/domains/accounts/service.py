"""Accounts and the people in them."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.errors import EmailTakenError, LastOwnerError
from spectral.domains.accounts.models import Account, AccountMember, User
from spectral.domains.accounts.repository import AccountRepository
from spectral.platform import audit
from spectral.platform.access.principal import Principal
from spectral.platform.access.refusals import AccountNotChosenError, SsoRequiredError
from spectral.platform.access.scopes import AccountRole
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, NotFoundError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class Membership:
    """One account of a person."""

    account: Account
    role: AccountRole


class AccountService:
    """What is true of accounts, in the caller's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._repository = AccountRepository(session)

    async def open_account(self, name: str, email: str, password_hash: str | None) -> tuple[Account, User]:
        """A new account whose owner is a new person; see `add_user`. Raises EmailTakenError."""
        user = await self.add_user(email, password_hash)
        account = Account(name=name)
        await self._repository.add_account(account, AccountMember(user_id=user.id, role=AccountRole.OWNER))
        return account, user

    async def add_user(self, email: str, password_hash: str | None) -> User:
        """A new person, in no account yet; without a hash they sign in elsewhere. Raises EmailTakenError."""
        user = User(email=normalised_email(email))
        await self._repository.add_user(user, EmailTakenError("Somebody is registered with this e-mail address"))
        if password_hash is not None:
            await self._repository.set_password_hash(user.id, password_hash)
        return user

    async def password_hash(self, user_id: UUID) -> str | None:
        """The Argon2id hash of a person's password; None when they have none."""
        return await self._repository.password_hash(user_id)

    async def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        await self._repository.set_password_hash(user_id, password_hash)

    async def read_chosen_account(self, principal: Principal) -> Account:
        """The account that the request names, else the caller's only one.

        Raises AccountNotChosenError; SsoRequiredError when this session may not enter it.
        """
        if principal.sso_provider is not None:
            raise SsoRequiredError(principal.sso_provider)
        if principal.account_id is None:
            raise AccountNotChosenError
        account = await self._repository.account(principal.account_id)
        if account is None:
            raise NotFoundError("Account", principal.account_id)
        return account

    async def find_account(self, account_id: UUID) -> Account | None:
        return await self._repository.account(account_id)

    async def rename_account(self, principal: Principal, name: str) -> Account:
        """Raises AccountNotChosenError."""
        account = await self.read_chosen_account(principal)
        before, account.name = account.name, name
        await audit.record(
            self._session,
            account_id=account.id,
            actor=principal.actor,
            action="account.renamed",
            subject=f"account:{account.id}",
            detail={"before": before, "after": name},
        )
        return account

    async def list_members(self, principal: Principal, page: Page) -> tuple[Sequence[tuple[User, AccountMember]], int]:
        """One page of the account's people, oldest first. Raises AccountNotChosenError."""
        account = await self.read_chosen_account(principal)
        return await self._repository.members(account.id, page)

    async def demand_second_factor(self, principal: Principal, *, required: bool) -> Account:
        """Raises AccountNotChosenError, and BusinessRuleViolationError when the caller would be locked out."""
        account = await self.read_chosen_account(principal)
        if required == (account.second_factor_required_at is not None):
            return account
        if required and (
            principal.user_id is None or (await self.read_user(principal.user_id)).second_factor_at is None
        ):
            raise BusinessRuleViolationError("Set up a second factor of your own before you demand it of others")
        account.second_factor_required_at = utc_now() if required else None
        await self._session.flush()
        await audit.record(
            self._session,
            account_id=account.id,
            actor=principal.actor,
            action="account.second_factor_demanded" if required else "account.second_factor_not_demanded",
            subject=f"account:{account.id}",
        )
        return account

    async def memberships(self, user_id: UUID) -> list[Membership]:
        """The accounts of a person, oldest first."""
        return [Membership(account, AccountRole(role)) for account, role in await self._repository.memberships(user_id)]

    async def read_user(self, user_id: UUID) -> User:
        """Raises NotFoundError."""
        user = await self._repository.user(user_id)
        if user is None:
            raise NotFoundError("User", user_id)
        return user

    async def find_user_by_email(self, email: str) -> User | None:
        return await self._repository.user_by_email(normalised_email(email))

    async def promote_to_operations(self, email: str) -> User:
        """Make a registered person operations staff of their own account; the command line is the only way.

        Raises NotFoundError when nobody is registered with this address, LastOwnerError (400) when others would be left
        in an account without an owner.
        """
        user = await self.find_user_by_email(email)
        if user is None:
            raise NotFoundError("User", email)
        for account, role in await self._repository.memberships(user.id):
            await self._repository.hold_members(account.id)
            if role == AccountRole.OWNER and await self._repository.count_owners(account.id) == 1:
                _, people = await self._repository.members(account.id, Page(limit=1))
                if people > 1:
                    raise LastOwnerError
            await self._repository.set_role(account.id, user.id, AccountRole.OPERATIONS)
            await audit.record(
                self._session,
                account_id=account.id,
                actor="system:command line",
                action="account_member.promoted_to_operations",
                subject=f"user:{user.id}",
                detail={"email": user.email, "before": role},
            )
        return user


def normalised_email(email: str) -> str:
    """The form in which an address is stored and compared: trimmed, lower-case."""
    return email.strip().lower()
