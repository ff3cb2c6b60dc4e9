"""What a person is in a workspace, and what that lets them do. Pure."""

from dataclasses import dataclass

from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.scopes import WORKSPACE_SCOPES, AccountRole, Scope, WorkspaceRole


@dataclass(frozen=True, slots=True)
class Standing:
    """What a person is in the account of a workspace, and in the workspace itself."""

    workspace: Workspace
    account_role: str
    workspace_role: str | None


def scopes_of(standing: Standing) -> frozenset[Scope]:
    """The scopes that a person's roles add up to in one workspace; an account's owner has them all."""
    role = effective_role(standing)
    return WORKSPACE_SCOPES[role] if role else frozenset()


def effective_role(standing: Standing) -> WorkspaceRole | None:
    """The workspace role that counts: an account's owner is an admin everywhere, operations staff nowhere."""
    if standing.account_role == AccountRole.OWNER:
        return WorkspaceRole.ADMIN
    if standing.account_role == AccountRole.OPERATIONS or standing.workspace_role is None:
        return None
    return WorkspaceRole(standing.workspace_role)
