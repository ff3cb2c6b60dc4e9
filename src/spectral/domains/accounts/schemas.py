"""The wire shapes of accounts and their people."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints

from spectral.platform.access.scopes import AccountRole
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class AccountOut(WireOut):
    """An account."""

    id: UUID
    name: str
    created_at: Timestamp


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
