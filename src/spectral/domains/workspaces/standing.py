"""What a person is in a workspace, and what that lets them do. Pure."""

from dataclasses import dataclass

from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.scopes import WORKSPACE_SCOPES, AccountRole, Scope, WorkspaceRole


@dataclass(frozen=True, slots=True)
class Roles:
    """What a person is in the account of a workspace, in the workspace itself, and by a timed grant of support.

    account: None for somebody of another account, who can have the grant only.
    """

    account: str | None
    workspace: str | None
    support: str | None = None

    @property
    def effective(self) -> WorkspaceRole | None:
        """The workspace role that counts: an account's owner is an admin everywhere, support what the grant says."""
        if self.account == AccountRole.OWNER:
            return WorkspaceRole.ADMIN
        if self.account == AccountRole.MEMBER and self.workspace is not None:
            return WorkspaceRole(self.workspace)
        return WorkspaceRole(self.support) if self.support else None

    @property
    def scopes(self) -> frozenset[Scope]:
        """The scopes that the roles add up to in the workspace."""
        return WORKSPACE_SCOPES[self.effective] if self.effective else frozenset()


@dataclass(frozen=True, slots=True)
class Standing:
    """A workspace that a person may enter, and as what."""

    workspace: Workspace
    roles: Roles
