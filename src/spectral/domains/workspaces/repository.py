"""Queries over workspaces and their members."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import AccountMember
from spectral.domains.workspaces.models import Workspace, WorkspaceMember
from spectral.domains.workspaces.standing import Roles, Standing
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.base import Base
from spectral.platform.db.constraints import translating
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.pagination import Page


class WorkspaceDirectory:
    """Workspaces as a person sees them. Every statement names the person, or the workspace of an access."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def standings(self, user_id: UUID, page: Page | None = None) -> tuple[Sequence[Standing], int]:
        """The workspaces that a person may enter, newest first."""
        statement = _standings(user_id).where(sa.or_(AccountMember.role == "owner", WorkspaceMember.role.is_not(None)))
        total = (await self.session.execute(sa.select(sa.func.count()).select_from(statement.subquery()))).scalar_one()
        statement = statement.order_by(Workspace.created_at.desc(), Workspace.id.desc())
        if page is not None:
            statement = statement.limit(page.limit).offset(page.offset)
        rows = (await self.session.execute(statement)).all()
        return [Standing(row[0], Roles(row[1], row[2])) for row in rows], total

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

    async def erase(self, access: WorkspaceAccess) -> None:
        """Delete the workspace and every row that belongs to it, children before parents."""
        for table in reversed(Base.metadata.sorted_tables):
            if "workspace_id" in table.c and table.name != "audit_entry":
                await self.session.execute(sa.delete(table).where(table.c.workspace_id == access.workspace_id))
        await self.session.execute(sa.delete(Workspace).where(Workspace.id == access.workspace_id))


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
