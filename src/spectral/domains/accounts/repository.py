"""Queries over accounts, people and their membership."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import Account, AccountMember, User, UserCredential
from spectral.platform.access.scopes import AccountRole
from spectral.platform.db.constraints import translating
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page


class AccountRepository:
    """Accounts and people are not workspace-owned: every statement here names the account or the person."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def account(self, account_id: UUID) -> Account | None:
        return await self.session.get(Account, account_id)

    async def user(self, user_id: UUID) -> User | None:
        return await self.session.get(User, user_id)

    async def user_by_email(self, email: str) -> User | None:
        return (await self.session.scalars(sa.select(User).where(User.email == email))).one_or_none()

    async def password_hash(self, user_id: UUID) -> str | None:
        """The Argon2id hash of a person's password; None when they have none."""
        credential = await self.session.get(UserCredential, user_id)
        return None if credential is None else credential.password_hash

    async def set_password_hash(self, user_id: UUID, password_hash: str) -> None:
        credential = await self.session.get(UserCredential, user_id)
        if credential is None:
            self.session.add(UserCredential(user_id=user_id, password_hash=password_hash))
        else:
            credential.password_hash = password_hash
            credential.changed_at = utc_now()
        await self.session.flush()

    async def add_user(self, user: User, email_taken: SpectralError) -> None:
        self.session.add(user)
        async with translating({"uq_app_user_email": email_taken}):
            await self.session.flush()

    async def add_account(self, account: Account, owner: AccountMember) -> None:
        self.session.add(account)
        await self.session.flush()
        owner.account_id = account.id
        self.session.add(owner)
        await self.session.flush()

    async def set_role(self, account_id: UUID, user_id: UUID, role: str) -> bool:
        """Give a person a role in an account they belong to; False when they do not."""
        member = await self.session.get(AccountMember, (account_id, user_id))
        if member is None:
            return False
        member.role = role
        await self.session.flush()
        return True

    async def member(self, account_id: UUID, user_id: UUID) -> tuple[User, AccountMember] | None:
        """A person of this account."""
        return await self._member(account_id, User.id == user_id)

    async def member_by_email(self, account_id: UUID, email: str) -> tuple[User, AccountMember] | None:
        """The person of this account who has this address."""
        return await self._member(account_id, User.email == email)

    async def _member(self, account_id: UUID, who: sa.ColumnElement[bool]) -> tuple[User, AccountMember] | None:
        statement = (
            sa.select(User, AccountMember)
            .join(AccountMember, AccountMember.user_id == User.id)
            .where(AccountMember.account_id == account_id, who)
        )
        row = (await self.session.execute(statement)).one_or_none()
        return None if row is None else (row[0], row[1])

    async def add_member(self, member: AccountMember, already: SpectralError) -> None:
        self.session.add(member)
        async with translating({"pk_account_member": already}):
            await self.session.flush()

    async def remove_member(self, member: AccountMember) -> None:
        await self.session.delete(member)
        await self.session.flush()

    async def hold_members(self, account_id: UUID) -> None:
        """Until this transaction ends nobody else changes who the account's owners are.

        On SQLite the one writer does that already. The lock admits the references of new rows to the account.
        """
        await self.session.execute(
            sa.select(Account.id).where(Account.id == account_id).with_for_update(key_share=True)
        )

    async def count_owners(self, account_id: UUID) -> int:
        statement = (
            sa.select(sa.func.count())
            .select_from(AccountMember)
            .where(AccountMember.account_id == account_id, AccountMember.role == AccountRole.OWNER)
        )
        return (await self.session.execute(statement)).scalar_one()

    async def memberships(self, user_id: UUID) -> Sequence[tuple[Account, str]]:
        """The accounts of a person with their role, oldest first."""
        statement = (
            sa.select(Account, AccountMember.role)
            .join(AccountMember, AccountMember.account_id == Account.id)
            .where(AccountMember.user_id == user_id)
            .order_by(AccountMember.created_at, Account.id)
        )
        return [(row[0], row[1]) for row in (await self.session.execute(statement)).all()]

    async def members(self, account_id: UUID, page: Page) -> tuple[Sequence[tuple[User, AccountMember]], int]:
        """One page of an account's people, oldest first, and how many there are."""
        total = (
            await self.session.execute(
                sa.select(sa.func.count()).select_from(AccountMember).where(AccountMember.account_id == account_id)
            )
        ).scalar_one()
        statement = (
            sa.select(User, AccountMember)
            .join(AccountMember, AccountMember.user_id == User.id)
            .where(AccountMember.account_id == account_id)
            .order_by(AccountMember.created_at, User.id)
            .limit(page.limit)
            .offset(page.offset)
        )
        return [(row[0], row[1]) for row in (await self.session.execute(statement)).all()], total
