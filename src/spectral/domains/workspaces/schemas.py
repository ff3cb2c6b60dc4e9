"""The wire shapes of workspaces."""

from typing import Annotated
from uuid import UUID

from pydantic import StringConstraints, model_validator

from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Description = Annotated[str, StringConstraints(max_length=2000)]


class WorkspaceIn(WireIn):
    """A workspace to create."""

    name: Name
    description: Description | None = None


class WorkspacePatch(WireIn):
    """What can be changed about a workspace; members that are left out stay as they are."""

    name: Name | None = None
    description: Description | None = None

    @model_validator(mode="after")
    def name_stays(self) -> "WorkspacePatch":
        if "name" in self.model_fields_set and self.name is None:
            message = "name cannot be null"
            raise ValueError(message)
        return self


class WorkspaceOut(WireOut):
    """A workspace."""

    id: UUID
    account_id: UUID
    name: str
    description: str | None
    created_at: Timestamp
