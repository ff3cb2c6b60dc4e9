"""Queries over who is in a workspace and who is invited into an account."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import AccountMember, User
from spectral.domains.workspaces.models import Invite, Workspace, WorkspaceMember
from spectral.domains.workspaces.repository import INSIDE
from spectral.domains.workspaces.standing import Roles
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import AccountRole
from spectral.platform.db.constraints import translating
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class Insider:
    """A person in a workspace, since when, and by which roles."""

    user: User
    roles: Roles
    joined_at: datetime


class WorkspaceMemberRepository:
    """The people of one workspace; every statement names it."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self.session = session
        self.access = access

    async def page(self, page: Page) -> tuple[Sequence[Insider], int]:
        """One page of the people, in the order in which they joined the account, and how many there are."""
        statement = self._people()
        total = (await self.session.execute(sa.select(sa.func.count()).select_from(statement.subquery()))).scalar_one()
        statement = statement.order_by(AccountMember.created_at, User.id).limit(page.limit).offset(page.offset)
        return [_insider(row) for row in (await self.session.execute(statement)).all()], total

    async def find(self, user_id: UUID) -> Insider | None:
        row = (await self.session.execute(self._people().where(User.id == user_id))).one_or_none()
        return None if row is None else _insider(row)

    async def add(self, user_id: UUID, role: str, already: SpectralError) -> None:
        self.session.add(WorkspaceMember(workspace_id=self.access.workspace_id, user_id=user_id, role=role))
        async with translating({"pk_workspace_member": already}):
            await self.session.flush()

    async def set_role(self, user_id: UUID, role: str) -> None:
        await self.session.execute(sa.update(WorkspaceMember).where(*self._row(user_id)).values(role=role))

    async def remove(self, user_id: UUID) -> None:
        await self.session.execute(sa.delete(WorkspaceMember).where(*self._row(user_id)))

    def _row(self, user_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
        return WorkspaceMember.workspace_id == self.access.workspace_id, WorkspaceMember.user_id == user_id

    def _people(self) -> sa.Select[Any]:
        entered = sa.and_(WorkspaceMember.workspace_id == Workspace.id, WorkspaceMember.user_id == User.id)
        return (
            sa.select(
                User,
                AccountMember.role.label("account_role"),
                WorkspaceMember.role.label("workspace_role"),
                AccountMember.created_at.label("joined_account_at"),
                WorkspaceMember.created_at.label("joined_workspace_at"),
            )
            .select_from(Workspace)
            .join(AccountMember, AccountMember.account_id == Workspace.account_id)
            .join(User, User.id == AccountMember.user_id)
            .outerjoin(WorkspaceMember, entered)
            .where(Workspace.id == self.access.workspace_id, INSIDE)
        )


class InviteRepository:
    """Invites; every statement names the account, or the token whose bearer is looking for one."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def add(self, invite: Invite, pending: SpectralError) -> None:
        self.session.add(invite)
        async with translating({"uq_invite_open": pending}):
            await self.session.flush()

    async def page(self, account_id: UUID, page: Page) -> tuple[Sequence[Invite], int]:
        """One page of an account's invites, newest first, and how many there are."""
        mine = sa.select(Invite).where(Invite.account_id == account_id)
        total = (await self.session.execute(sa.select(sa.func.count()).select_from(mine.subquery()))).scalar_one()
        statement = mine.order_by(Invite.created_at.desc(), Invite.id.desc()).limit(page.limit).offset(page.offset)
        return (await self.session.scalars(statement)).all(), total

    async def find(self, account_id: UUID, invite_id: UUID) -> Invite | None:
        statement = sa.select(Invite).where(Invite.account_id == account_id, Invite.id == invite_id)
        return (await self.session.scalars(statement)).one_or_none()

    async def by_token(self, token_hash: str) -> Invite | None:
        return (await self.session.scalars(sa.select(Invite).where(Invite.token_hash == token_hash))).one_or_none()

    async def made_since(self, account_id: UUID, moment: datetime) -> tuple[int, datetime | None]:
        """How many invites of an account were made after this moment, and when the first of them was."""
        statement = sa.select(sa.func.count(), sa.func.min(Invite.created_at)).where(
            Invite.account_id == account_id, Invite.created_at > moment
        )
        row = (await self.session.execute(statement)).one()
        return row[0], row[1]

    async def close(self, account_id: UUID, invite_id: UUID, outcome: str, moment: datetime) -> bool:
        """Give an open invite its outcome; False when somebody else has closed it, so that only one of them wins."""
        statement = (
            sa.update(Invite)
            .where(Invite.account_id == account_id, Invite.id == invite_id, Invite.outcome.is_(None))
            .values(outcome=outcome, closed_at=moment)
            .execution_options(synchronize_session=False)
        )
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount == 1

    async def close_expired(self, account_id: UUID, email: str, moment: datetime) -> None:
        """Expired invites of an address make room for a new one."""
        await self.session.execute(
            sa.update(Invite)
            .where(
                Invite.account_id == account_id,
                Invite.email == email,
                Invite.outcome.is_(None),
                Invite.expires_at <= moment,
            )
            .values(outcome="expired", closed_at=Invite.expires_at)
            .execution_options(synchronize_session=False)
        )

    async def workspaces_of(self, account_id: UUID, wanted: Sequence[UUID]) -> set[UUID]:
        """Which of these workspaces are the account's and can be entered."""
        statement = sa.select(Workspace.id).where(
            Workspace.account_id == account_id, Workspace.id.in_(wanted), Workspace.deleting_at.is_(None)
        )
        return set((await self.session.scalars(statement)).all())

    async def enter(self, workspace_id: UUID, user_id: UUID, role: str) -> None:
        """Somebody who has just joined the account is in this workspace of it too."""
        self.session.add(WorkspaceMember(workspace_id=workspace_id, user_id=user_id, role=role))
        await self.session.flush()

    async def leave_all(self, account_id: UUID, user_id: UUID) -> int:
        """A person is in none of the account's workspaces any more; answers in how many they were."""
        inside = sa.select(Workspace.id).where(Workspace.account_id == account_id)
        statement = sa.delete(WorkspaceMember).where(
            WorkspaceMember.user_id == user_id, WorkspaceMember.workspace_id.in_(inside)
        )
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount


def _insider(row: sa.Row[Any]) -> Insider:
    roles = Roles(row.account_role, row.workspace_role)
    owns = roles.account == AccountRole.OWNER
    return Insider(row[0], roles, row.joined_account_at if owns else row.joined_workspace_at)
