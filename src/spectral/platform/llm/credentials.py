"""Whose key pays for a call: what the door needs to know of a workspace's credentials, wherever they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol
from uuid import UUID

from spectral.platform.access.principal import WorkspaceAccess


class ProviderKind(StrEnum):
    """The protocols that we speak."""

    OPENAI = "openai"
    ANTHROPIC = "anthropic"
    OPENAI_COMPATIBLE = "openai_compatible"


@dataclass(frozen=True, slots=True)
class Credential:
    """One key of a workspace, opened. prefix: what stands before the slash in the names of its models.

    base_url: None for the provider's own.  version: another one after every change.
    """

    id: UUID
    kind: ProviderKind
    prefix: str
    base_url: str | None
    api_key: str = field(repr=False)
    version: str = ""


class CredentialSource(Protocol):
    """Finds the credentials of a workspace; answers from memory most of the time."""

    async def credentials(self, access: WorkspaceAccess) -> Mapping[str, Credential]:
        """Every readable credential of the workspace by its prefix."""
        ...
