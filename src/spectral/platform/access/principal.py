"""Who is calling, and the proof that a workspace may be touched."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Self
from uuid import UUID

from spectral.platform.access.scopes import WORKSPACE_SCOPES, Scope, WorkspaceRole
from spectral.platform.shared.errors import ForbiddenError, NotFoundError


class PrincipalKind(StrEnum):
    """What kind of credential was shown."""

    USER = "user"
    API_KEY = "api_key"
    SERVICE_ACCOUNT = "service_account"


ACTOR_KINDS = {PrincipalKind.API_KEY: "key", PrincipalKind.SERVICE_ACCOUNT: "service_account"}


@dataclass(frozen=True, slots=True)
class WorkspaceAccess:
    """The proof that this caller may touch one workspace; without it no tenant repository can be built.

    Minted in two places only: by a `CredentialVerifier` that has just read the caller's rights from the database, and
    by `for_system` for what such a caller started: engine work, and a look across an account's workspaces.
    """

    workspace_id: UUID
    account_id: UUID
    scopes: frozenset[Scope]
    actor: str

    @classmethod
    def for_system(cls, workspace_id: UUID, account_id: UUID, what: str) -> Self:
        """Access of what a caller started; `what` names it in the audit log ("scan 0191…")."""
        return cls(workspace_id, account_id, WORKSPACE_SCOPES[WorkspaceRole.ADMIN], f"system:{what}")

    def require(self, scope: Scope) -> None:
        """Raises ForbiddenError unless the caller holds the scope here."""
        if scope not in self.scopes:
            message = f"This needs the scope {scope}"
            raise ForbiddenError(message, required_scopes=[scope])


@dataclass(frozen=True, slots=True)
class Principal:
    """A caller whose credential has been verified and whose rights were read from the database for this request.

    `workspace` is the access to the workspace that the request names, or None when it names none or not one of theirs.
    sso_provider: the account admits only sessions that this identity provider opened, and this one is not; it has no
    rights there.  second_factor_missing: the account admits only people with a second factor, and this one has none.
    needs_step_up: the person has a second factor and has not shown it lately.  account_deleting: the account is being
    deleted; what it still is may be read.
    """

    kind: PrincipalKind
    credential_id: UUID
    account_id: UUID | None = None
    user_id: UUID | None = None
    account_scopes: frozenset[Scope] = field(default_factory=frozenset)
    workspace: WorkspaceAccess | None = None
    sso_provider: str | None = None
    second_factor_missing: bool = False
    needs_step_up: bool = False
    account_deleting: bool = False

    @property
    def scopes(self) -> frozenset[Scope]:
        return self.account_scopes | self.workspace.scopes if self.workspace else self.account_scopes

    @property
    def actor(self) -> str:
        """How the audit log names this caller."""
        if self.kind is PrincipalKind.USER:
            return f"user:{self.user_id}"
        return f"{ACTOR_KINDS[self.kind]}:{self.credential_id}"

    def access_to(self, workspace_id: UUID | None) -> WorkspaceAccess:
        """The access to this workspace. Raises NotFoundError when it is not one of the caller's."""
        if self.workspace is None or (workspace_id is not None and self.workspace.workspace_id != workspace_id):
            raise NotFoundError("Workspace", workspace_id)
        return self.workspace
