"""Queries over the accounts of the installation, for the authentication role."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import Account, AccountMember
from spectral.domains.workspaces.models import Workspace
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class CustomerAccount:
    """An account from outside."""

    id: UUID
    name: str
    created_at: datetime
    deleting_at: datetime | None
    members: int
    workspaces: int


class CustomerRepository:
    """Accounts as staff sees them: names and numbers, nothing of what is in them."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def accounts(self, page: Page) -> tuple[Sequence[CustomerAccount], int]:
        """One page of all accounts, newest first, and how many there are."""
        total = (await self.session.execute(sa.select(sa.func.count()).select_from(Account))).scalar_one()
        members = sa.select(sa.func.count()).where(AccountMember.account_id == Account.id).scalar_subquery()
        workspaces = sa.select(sa.func.count()).where(Workspace.account_id == Account.id).scalar_subquery()
        statement = (
            sa.select(Account.id, Account.name, Account.created_at, Account.deleting_at, members, workspaces)
            .order_by(Account.created_at.desc(), Account.id.desc())
            .limit(page.limit)
            .offset(page.offset)
        )
        return [CustomerAccount(*row) for row in (await self.session.execute(statement)).all()], total

    async def is_member(self, account_id: UUID, user_id: UUID | None) -> bool:
        return await self.session.get(AccountMember, (account_id, user_id)) is not None
