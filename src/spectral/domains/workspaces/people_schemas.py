"""The wire shapes of the people of a workspace and of invites."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, field_validator, model_validator

from spectral.domains.accounts.schemas import Email
from spectral.platform.access.scopes import AccountRole, Scope, WorkspaceRole
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

MAXIMUM_WORKSPACES = 100


class WorkspaceMemberIn(WireIn):
    """Somebody of the account who is to be in the workspace: named by id, or by e-mail address."""

    user_id: UUID | None = None
    email: Email | None = None
    role: WorkspaceRole

    @model_validator(mode="after")
    def one_name(self) -> "WorkspaceMemberIn":
        if (self.user_id is None) == (self.email is None):
            message = "give either user_id or email"
            raise ValueError(message)
        return self


class WorkspaceMemberPatch(WireIn):
    """What can be changed about a person of a workspace."""

    role: WorkspaceRole


class WorkspaceMemberOut(WireOut):
    """A person of a workspace. `role` is the one that counts; `via` says what it comes from."""

    user_id: UUID
    email: str
    name: str | None
    role: WorkspaceRole
    scopes: list[Scope]
    via: Literal["account", "workspace"] = Field(
        description="`account`: the person owns the account, and so is an admin in each of its workspaces."
    )
    joined_at: Timestamp


class InvitedWorkspace(WireIn):
    """A workspace of the account that the invited person is to be in."""

    workspace_id: UUID
    role: WorkspaceRole


class InviteIn(WireIn):
    """Somebody to invite into the account. Operations staff are made with the command line only."""

    email: Email
    role: Literal[AccountRole.OWNER, AccountRole.MEMBER] = AccountRole.MEMBER
    workspaces: list[InvitedWorkspace] = Field(default=[], max_length=MAXIMUM_WORKSPACES)

    @field_validator("workspaces")
    @classmethod
    def each_once(cls, value: list[InvitedWorkspace]) -> list[InvitedWorkspace]:
        if len({entry.workspace_id for entry in value}) < len(value):
            message = "names a workspace twice"
            raise ValueError(message)
        return value


class EnteredWorkspace(WireOut):
    """A workspace and what the person is in it."""

    workspace_id: UUID
    role: WorkspaceRole


class InviteOut(WireOut):
    """An invite, without its token."""

    id: UUID
    email: str
    role: AccountRole
    workspaces: list[EnteredWorkspace]
    status: Literal["pending", "accepted", "expired", "revoked"]
    invited_by: UUID | None
    created_at: Timestamp
    expires_at: Timestamp
    closed_at: Timestamp | None


class InviteCreated(InviteOut):
    """A new invite; `token` is shown this once, and mailed."""

    token: str


class AcceptInviteIn(WireIn):
    """The token of an invite, out of the link in the mail."""

    token: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class JoinedOut(WireOut):
    """What the person belongs to now."""

    account_id: UUID
    name: str
    role: AccountRole
    workspaces: list[EnteredWorkspace]
