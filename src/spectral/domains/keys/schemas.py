"""The wire shapes of API keys."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
KeyScope = Literal["read:agents", "write:traces"]


class ApiKeyIn(WireIn):
    """A key to create. `scopes` narrows it; `expires_at` null means that it does not expire."""

    name: Name
    scopes: list[KeyScope] = Field(default=["read:agents", "write:traces"], min_length=1, max_length=2)
    expires_at: AwareDatetime | None = Field(
        default=None, description="Left out: 90 days from now. Null: the key does not expire."
    )


class ApiKeyOut(WireOut):
    """A key, without its secret."""

    key_id: UUID
    name: str
    prefix: str
    last_four: str
    scopes: list[KeyScope]
    status: Literal["active", "expired", "revoked"]
    created_by: UUID | None
    created_at: Timestamp
    expires_at: Timestamp | None
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None


class ApiKeyCreated(ApiKeyOut):
    """A new key; `key` is shown this once."""

    key: str = Field(examples=["sk_live_7dKq…"])
