"""Queries over workspaces and their members."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import AccountMember
from spectral.domains.workspaces.models import Autonomy, Workspace, WorkspaceMember
from spectral.domains.workspaces.standing import Roles, Standing
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import AccountRole
from spectral.platform.db.constraints import translating
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page

INSIDE = sa.or_(
    AccountMember.role == AccountRole.OWNER,
    sa.and_(AccountMember.role == AccountRole.MEMBER, WorkspaceMember.role.is_not(None)),
)
"""Who is in a workspace: the account's owners, and its members who were let in. Says what `Roles.effective` says."""


class WorkspaceDirectory:
    """Workspaces as a person sees them. Every statement names the person, or the workspace of an access."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def standings(self, user_id: UUID, page: Page | None = None) -> tuple[Sequence[Standing], int]:
        """The workspaces that a person may enter, newest first."""
        statement = _standings(user_id).where(INSIDE)
        total = (await self.session.execute(sa.select(sa.func.count()).select_from(statement.subquery()))).scalar_one()
        statement = statement.order_by(Workspace.created_at.desc(), Workspace.id.desc())
        if page is not None:
            statement = statement.limit(page.limit).offset(page.offset)
        rows = (await self.session.execute(statement)).all()
        return [Standing(row[0], Roles(row[1], row[2])) for row in rows], total

    async def of_account(self, account_id: UUID, page: Page) -> tuple[Sequence[Workspace], int]:
        """One page of the workspaces that are not being deleted, newest first, and how many there are."""
        mine = (Workspace.account_id == account_id, Workspace.deleting_at.is_(None))
        total = (
            await self.session.execute(sa.select(sa.func.count()).select_from(Workspace).where(*mine))
        ).scalar_one()
        newest = sa.select(Workspace).where(*mine).order_by(Workspace.created_at.desc(), Workspace.id.desc())
        return (await self.session.scalars(newest.limit(page.limit).offset(page.offset))).all(), total

    async def count_members(self, access: WorkspaceAccess) -> int:
        mine = WorkspaceMember.workspace_id == access.workspace_id
        counted = sa.select(sa.func.count()).select_from(WorkspaceMember).where(mine)
        return int((await self.session.execute(counted)).scalar_one())

    async def account_of(self, workspace_id: UUID) -> UUID | None:
        """The account that owns a workspace."""
        return (
            await self.session.execute(sa.select(Workspace.account_id).where(Workspace.id == workspace_id))
        ).scalar_one_or_none()

    async def read(self, access: WorkspaceAccess) -> Workspace | None:
        return await self.session.get(Workspace, access.workspace_id)

    async def add(self, workspace: Workspace, name_taken: SpectralError) -> None:
        self.session.add(workspace)
        await self.flush(name_taken)

    async def flush(self, name_taken: SpectralError) -> None:
        async with translating({"uq_workspace_account_id_name": name_taken}):
            await self.session.flush()


class AutonomyRepository(WorkspaceRepository[Autonomy]):
    """How far a workspace may act by itself."""

    model = Autonomy
    kind = "Autonomy"


def _standings(user_id: UUID) -> sa.Select[tuple[Workspace, str, str]]:
    return (
        sa.select(Workspace, AccountMember.role, WorkspaceMember.role)
        .join(
            AccountMember,
            sa.and_(AccountMember.account_id == Workspace.account_id, AccountMember.user_id == user_id),
        )
        .outerjoin(
            WorkspaceMember,
            sa.and_(WorkspaceMember.workspace_id == Workspace.id, WorkspaceMember.user_id == user_id),
        )
        .where(Workspace.deleting_at.is_(None))
    )
