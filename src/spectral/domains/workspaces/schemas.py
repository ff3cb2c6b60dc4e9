"""The wire shapes of workspaces."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from spectral.domains.workspaces.autonomy import AutonomyMode, ChangeKind
from spectral.platform.access.scopes import WorkspaceRole
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
from spectral.platform.shared.wire import Exactly, Timestamp, WireIn, WireOut

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


class DeletionOut(WireOut):
    """A workspace or account that is being deleted, or was. An account's figures are those of its workspaces added up.

    `parent_id` is the account's deletion that a workspace's belongs to.
    """

    id: UUID
    parent_id: UUID | None
    account_id: UUID
    kind: Literal["workspace", "account"]
    subject_id: UUID
    name: str
    state: Literal["pending", "running", "done"]
    requested_by: str
    tables_done: int
    tables_total: int
    rows_deleted: int
    created_at: Timestamp
    finished_at: Timestamp | None


class AccountDeletionIn(WireIn):
    """The confirmation that an account is to be deleted: its exact name."""

    confirm: str | None = Field(default=None, max_length=200)


class AutonomyBounds(WireIn):
    """What the mode bounded_auto may do by itself."""

    max_cost_increase_percent: float = Field(ge=0, le=1000, allow_inf_nan=False)
    allowed_change_kinds: list[ChangeKind] = Field(min_length=1, max_length=len(ChangeKind))
    budget_per_night_usd: UsdAmountIn
    allow_production: Annotated[Exactly, Field(description="Also in the environment `production`.")] = False


class AutonomyIn(WireIn):
    """How far the workspace may change its agents by itself; `bounds` belongs to bounded_auto and to no other mode."""

    mode: AutonomyMode
    bounds: AutonomyBounds | None = None

    @model_validator(mode="after")
    def bounds_fit_the_mode(self) -> "AutonomyIn":
        if self.mode is AutonomyMode.BOUNDED_AUTO and self.bounds is None:
            message = "bounded_auto takes bounds"
            raise ValueError(message)
        if self.mode is not AutonomyMode.BOUNDED_AUTO and self.bounds is not None:
            message = "bounds belong to bounded_auto only"
            raise ValueError(message)
        return self


class AutonomyBoundsOut(WireOut):
    """What the mode bounded_auto may do by itself."""

    max_cost_increase_percent: float
    allowed_change_kinds: list[ChangeKind]
    budget_per_night_usd: UsdAmount
    allow_production: bool


class AutonomyOut(WireOut):
    """How far the workspace may change its agents by itself; `updated_at` is null while nobody has chosen."""

    mode: AutonomyMode
    bounds: AutonomyBoundsOut | None
    updated_at: Timestamp | None


class SupportGrantOut(WireOut):
    """Operations staff let into a workspace: who, why and until when."""

    id: UUID
    account_id: UUID
    workspace_id: UUID
    user_id: UUID
    email: str
    role: WorkspaceRole
    reason: str
    status: Literal["open", "expired", "ended"]
    created_at: Timestamp
    expires_at: Timestamp
    ended_at: Timestamp | None
