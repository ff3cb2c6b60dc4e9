"""The wire shapes of signing up, signing in and the own profile."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import StringConstraints

from spectral.domains.accounts.schemas import Email
from spectral.platform.access.scopes import AccountRole, Scope, WorkspaceRole
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Code = Annotated[str, StringConstraints(min_length=6, max_length=40)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=500)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class RegisterIn(WireIn):
    """A new account with its first person and workspace; with an `invite_token` the person joins another's account.

    `tenant_name` is the new account's name and is needed without an invite.
    """

    email: Email
    password: Password
    tenant_name: Name | None = None
    invite_token: Token | None = None


class LoginIn(WireIn):
    """Sign in. `code` is of the authenticator app or a recovery code, for people who have a second factor."""

    email: Annotated[str, StringConstraints(min_length=1, max_length=320)]
    password: Password
    code: Code | None = None


class RefreshIn(WireIn):
    """A refresh token, used once. Left out where the browser holds it as a cookie."""

    refresh_token: Token | None = None


class ResetIn(WireIn):
    """Whose password is to be new."""

    email: Email


class ResetConfirmIn(WireIn):
    """The token of the mail's link, and the new password."""

    token: Token
    password: Password


class SecondFactorIn(WireIn):
    """`current_password` is needed by everybody who has one."""

    current_password: Password | None = None


class CodeIn(WireIn):
    """A code of the authenticator app; where one counts already, a recovery code does as well."""

    code: Code


class ChangePasswordIn(WireIn):
    """The present password and the new one."""

    current_password: Password
    new_password: Password


class ProfilePatch(WireIn):
    """What people can change about themselves."""

    name: Name | None


class TokensOut(WireOut):
    """Who is signed in now, and with what. `expires_in` is seconds of the access token.

    `refresh_token` is null for clients that say `X-Spectral-Client: web`: they get it as a cookie.
    """

    access_token: str
    refresh_token: str | None
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
    email_verified: bool
    second_factor: bool
    created_at: Timestamp
    accounts: list[MembershipOut]
    workspaces: list[WorkspaceStandingOut]


class SignedOutOut(WireOut):
    """How many sessions ended."""

    ended_sessions: int


class SessionOut(WireOut):
    """A sign-in that goes on. `method` is `password` or `sso:<provider>`; `current` is the one that asks.

    `expires_at`: when it ends, however often it is refreshed.
    """

    id: UUID
    current: bool
    method: str
    user_agent: str | None
    address: str | None
    created_at: Timestamp
    last_seen_at: Timestamp
    expires_at: Timestamp


class ResetAskedOut(WireOut):
    """The same for every address."""

    detail: Literal["If somebody is registered with this address, a link is on its way"] = (
        "If somebody is registered with this address, a link is on its way"
    )


class SecondFactorOut(WireOut):
    """Whether signing in takes a second factor, since when, and how many recovery codes are left."""

    enabled: bool
    enabled_at: Timestamp | None
    recovery_codes_left: int


class EnrolmentOut(WireOut):
    """For the authenticator app, shown this once: the secret in base32, and as the link that a QR code holds."""

    secret: str
    uri: str


class RecoveryCodesOut(WireOut):
    """Shown this once; each works once, in the place of a code of the authenticator app."""

    recovery_codes: list[str]


class SteppedUpOut(WireOut):
    """Until when sensitive changes need no further code."""

    stepped_up_until: Timestamp
