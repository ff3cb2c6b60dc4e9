"""The wire shapes of signing up, signing in and the own profile."""

from typing import Annotated, Literal
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, StringConstraints

from spectral.platform.access.scopes import AccountRole, Scope, WorkspaceRole
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


def _well_formed(email: str) -> str:
    """The address as it was sent. Its domain may be one of a private network (`.test`, `.internal`)."""
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return email


Email = Annotated[str, StringConstraints(min_length=3, max_length=320), AfterValidator(_well_formed)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class RegisterIn(WireIn):
    """A new account with its first person and workspace."""

    email: Email
    password: Password
    tenant_name: Name


class LoginIn(WireIn):
    """Sign in."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    password: Password


class RefreshIn(WireIn):
    """A refresh token, used once."""

    refresh_token: Annotated[str, StringConstraints(min_length=1, max_length=500)]


class ChangePasswordIn(WireIn):
    """The present password and the new one."""

    current_password: Password
    new_password: Password


class ProfilePatch(WireIn):
    """What people can change about themselves."""

    name: Name | None


class TokensOut(WireOut):
    """Who is signed in now, and with what. `expires_in` is seconds of the access token."""

    access_token: str
    refresh_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind of token
    expires_in: int
    user_id: UUID
    account_id: UUID | None
    workspace_id: UUID | None


class MembershipOut(WireOut):
    """An account of the person."""

    account_id: UUID
    name: str
    role: AccountRole


class WorkspaceStandingOut(WireOut):
    """A workspace that the person may enter."""

    workspace_id: UUID
    account_id: UUID
    name: str
    role: WorkspaceRole
    scopes: list[Scope]


class ProfileOut(WireOut):
    """The signed-in person."""

    user_id: UUID
    email: str
    name: str | None
    created_at: Timestamp
    accounts: list[MembershipOut]
    workspaces: list[WorkspaceStandingOut]


class SignedOutOut(WireOut):
    """How many sessions ended."""

    ended_sessions: int
