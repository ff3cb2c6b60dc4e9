"""The wire shapes of accounts and their people."""

from typing import Annotated, Literal
from uuid import UUID

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field, StringConstraints

from spectral.platform.access.scopes import AccountRole
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


def _well_formed(email: str) -> str:
    """The address as it was sent. Its domain may be one of a private network (`.test`, `.internal`)."""
    try:
        validate_email(email, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError(str(error)) from error
    return email


Email = Annotated[str, StringConstraints(min_length=3, max_length=320), AfterValidator(_well_formed)]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class AccountOut(WireOut):
    """An account."""

    id: UUID
    name: str
    created_at: Timestamp
    sso_provider: str | None = Field(description="People sign in with this identity provider only; null: any way.")


class AccountPatch(WireIn):
    """What can be changed about an account."""

    name: Name


class MemberOut(WireOut):
    """A person of an account."""

    user_id: UUID
    email: str
    name: str | None
    role: AccountRole
    joined_at: Timestamp


class MemberPatch(WireIn):
    """What can be changed about a person of an account. Operations staff are made with the command line only."""

    role: Literal[AccountRole.OWNER, AccountRole.MEMBER]


class SecondFactorPolicy(WireIn):
    """Whether people who sign in with a password need a second factor to have rights in the account."""

    required: bool
