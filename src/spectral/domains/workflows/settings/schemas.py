"""The wire shapes of what a workspace decides for its workflows, and of what its runs remember."""

from typing import Annotated, Any

from pydantic import Field, StringConstraints, field_validator

from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

MINIMUM_SECRET_CHARACTERS = 4
MAXIMUM_SECRET_CHARACTERS = 16_384
MAXIMUM_NETWORKS = 50
MAXIMUM_RETENTION_DAYS = 3_650

SecretText = Annotated[
    str, StringConstraints(min_length=MINIMUM_SECRET_CHARACTERS, max_length=MAXIMUM_SECRET_CHARACTERS)
]
NetworkText = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class SecretIn(WireIn):
    """A secret's new value. At least four characters: shorter ones could not be masked in what is stored."""

    value: SecretText = Field(description="Never shown again.")

    @field_validator("value")
    @classmethod
    def storable(cls, value: str) -> str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError("holds half a surrogate pair") from error
        return value


class SecretOut(WireOut):
    """That a secret is there. Its value is never shown."""

    name: str
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp


class WorkflowSettingsIn(WireIn):
    """What the workspace decides for its workflows; replaces what was decided before.

    retention_days: how long finished runs are kept; null as the installation does.
    """

    allowed_networks: list[NetworkText] = Field(
        default_factory=list,
        max_length=MAXIMUM_NETWORKS,
        description="Private networks that `http` steps may call: CIDR blocks or addresses.",
    )
    retention_days: int | None = Field(default=None, ge=1, le=MAXIMUM_RETENTION_DAYS)


class WorkflowSettingsOut(WireOut):
    """What the workspace decided for its workflows. updated_at: null before anybody has decided."""

    allowed_networks: list[str]
    retention_days: int | None
    updated_at: Timestamp | None


class MemoryNamespaceOut(WireOut):
    """One namespace of what runs remember: a workflow's name, unless its definition says another."""

    namespace: str
    keys: int
    updated_at: Timestamp


class MemoryOut(WireOut):
    """What runs remember under one key."""

    key: str
    value: Any
    created_at: Timestamp
    updated_at: Timestamp
