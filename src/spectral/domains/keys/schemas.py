"""The wire shapes of API keys and service accounts."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, Field, StringConstraints

from spectral.platform.shared.wire import Exactly, Timestamp, WireIn, WireOut

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
KeyScope = Literal["read:agents", "write:traces"]
Status = Literal["active", "expired", "revoked"]
Expiry = Annotated[
    AwareDatetime | None, Field(description="Left out: 90 days from now. Null: it does not expire by itself.")
]


DAY_S = 24 * 3600
LONGEST_OVERLAP_S = 30 * DAY_S


TRUSTED = (
    "Feedback that is sent with a trusted key counts where something follows from it by itself, as in the guard after "
    "a promotion."
)


class ApiKeyIn(WireIn):
    """A key to create. `scopes` narrows it; `expires_at` null means that it does not expire."""

    name: Name
    scopes: list[KeyScope] = Field(default=["read:agents", "write:traces"], min_length=1, max_length=2)
    expires_at: Expiry = None
    trusted: Annotated[Exactly, Field(description=TRUSTED)] = False


class ApiKeyPatch(WireIn):
    """What can be changed about a key."""

    trusted: Annotated[Exactly, Field(description=TRUSTED)]


class RotationIn(WireIn):
    """How long the old credential stays valid beside its successor, and how long the successor does."""

    overlap_s: int = Field(
        default=DAY_S, ge=0, le=LONGEST_OVERLAP_S, description="Seconds; never longer than the old one's own expiry."
    )
    expires_at: Expiry = None


class CredentialOut(WireOut):
    """What is told about a credential after it was shown."""

    name: str
    prefix: str
    last_four: str
    status: Status
    created_by: UUID | None
    created_at: Timestamp
    expires_at: Timestamp | None
    revoked_at: Timestamp | None
    last_used_at: Timestamp | None
    rotated_from: UUID | None
    rotated_to: UUID | None


class ApiKeyOut(CredentialOut):
    """A key, without its secret."""

    key_id: UUID
    scopes: list[KeyScope]
    trusted: bool


class ApiKeyCreated(ApiKeyOut):
    """A new key; `key` is shown this once.

    `environment` is what a process that sends traces needs in its environment, with this key; null for a key that may
    not send any. The service's name, which is its agent's too, is an example.
    """

    key: str = Field(examples=["sk_live_7dKq…"])
    environment: dict[str, str] | None = Field(
        examples=[{"OTEL_EXPORTER_OTLP_ENDPOINT": "https://spectral.example.com/otel"}]
    )


class ServiceAccountIn(WireIn):
    """A service account to create. `approve` adds the scope `approve:agents`, which its creator must hold."""

    name: Name
    role: Literal["observer", "contributor"]
    approve: Exactly = False
    expires_at: Expiry = None


class ServiceAccountOut(CredentialOut):
    """A service account, without its key."""

    service_account_id: UUID
    role: Literal["observer", "contributor"]
    approve: bool


class ServiceAccountCreated(ServiceAccountOut):
    """A new service account; `key` is shown this once."""

    key: str = Field(examples=["st_live_7dKq…"])
