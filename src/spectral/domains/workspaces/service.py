"""Workspaces: who may enter them, and their life."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.service import AccountService
from spectral.domains.workspaces.errors import WorkspaceNameTakenError
from spectral.domains.workspaces.models import Workspace
from spectral.domains.workspaces.repository import WorkspaceDirectory
from spectral.domains.workspaces.standing import Standing
from spectral.platform import audit
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

FIRST_WORKSPACE_NAME = "Default"


class WorkspaceService:
    """What is true of workspaces, in the caller's transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._directory = WorkspaceDirectory(session)

    async def create_first_workspace(self, account_id: UUID, actor: str) -> Workspace:
        """The workspace that every new account starts with."""
        return await self._create(account_id, FIRST_WORKSPACE_NAME, None, actor)

    async def create_workspace(self, principal: Principal, name: str, description: str | None) -> Workspace:
        """A workspace in the caller's account. Raises WorkspaceNameTakenError, AccountNotChosenError."""
        account = await AccountService(self._session).read_chosen_account(principal)
        return await self._create(account.id, name, description, principal.actor)

    async def list_workspaces(self, user_id: UUID, page: Page | None = None) -> tuple[Sequence[Standing], int]:
        """The workspaces that a person may enter, newest first."""
        return await self._directory.standings(user_id, page)

    async def list_of_account(self, account_id: UUID, page: Page) -> tuple[Sequence[Workspace], int]:
        """One page of an account's workspaces that are not being deleted, newest first."""
        return await self._directory.of_account(account_id, page)

    async def count_members(self, access: WorkspaceAccess) -> int:
        """How many people have a role in the workspace itself."""
        return await self._directory.count_members(access)

    async def read_workspace(self, access: WorkspaceAccess) -> Workspace:
        workspace = await self._directory.read(access)
        if workspace is None:
            raise NotFoundError("Workspace", access.workspace_id)
        return workspace

    async def update_workspace(self, access: WorkspaceAccess, changes: dict[str, Any]) -> Workspace:
        """Raises WorkspaceNameTakenError; `changes` holds `name` or `description`."""
        workspace = await self.read_workspace(access)
        before = {member: getattr(workspace, member) for member in changes}
        for member, value in changes.items():
            setattr(workspace, member, value)
        await self._directory.flush(_name_taken(str(changes.get("name"))))
        await self._audit(workspace, access.actor, "workspace.updated", {"before": before, "after": changes})
        return workspace

    async def account_of(self, workspace_id: UUID) -> UUID:
        """The account that owns a workspace. Raises NotFoundError."""
        account_id = await self._directory.account_of(workspace_id)
        if account_id is None:
            raise NotFoundError("Workspace", workspace_id)
        return account_id

    async def _create(self, account_id: UUID, name: str, description: str | None, actor: str) -> Workspace:
        workspace = Workspace(account_id=account_id, name=name, description=description)
        await self._directory.add(workspace, _name_taken(name))
        await self._audit(workspace, actor, "workspace.created", {"name": name})
        return workspace

    async def _audit(self, workspace: Workspace, actor: str, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=workspace.account_id,
            workspace_id=workspace.id,
            actor=actor,
            action=action,
            subject=f"workspace:{workspace.id}",
            detail=detail,
        )


async def list_own_workspaces(identity: Database, user_id: UUID, page: Page) -> tuple[Sequence[Standing], int]:
    """One page of the workspaces that a person may enter, newest first, in all their accounts.

    identity: the database as the authentication role; a request's own transaction is bound to one account.
    """
    async with identity.transaction(read_only=True) as session:
        return await WorkspaceService(session).list_workspaces(user_id, page)


def _name_taken(name: str) -> WorkspaceNameTakenError:
    return WorkspaceNameTakenError(f"The account has a workspace called {name}")
