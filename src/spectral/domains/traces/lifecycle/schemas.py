"""The wire shapes of what is decided about traces: masking, retention, deletion."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, StringConstraints, model_validator

from spectral.domains.traces.masking.rules import MaskingRules
from spectral.domains.traces.moments import MAXIMUM_NS, parse_ns
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

MAXIMUM_RETENTION_DAYS = 3_650
MAXIMUM_TRACE_IDS = 1_000
MAXIMUM_PREVIEW_CHARACTERS = 100_000

TraceIdText = Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$")]
NameText = Annotated[str, StringConstraints(min_length=1, max_length=256)]
MomentText = Annotated[str, StringConstraints(max_length=64)]


class TraceSettingsIn(WireIn):
    """What the workspace decides about its traces; replaces what was decided before.

    retention_days: null keeps them, as far as the installation does.  version: of the settings that are replaced, where
    nobody else's change may be lost; another one is a 409.
    """

    retention_days: int | None = Field(default=None, ge=1, le=MAXIMUM_RETENTION_DAYS)
    masking: MaskingRules = Field(default_factory=MaskingRules)
    version: int | None = Field(default=None, ge=0)


class TraceSettingsOut(WireOut):
    """What the workspace decided about its traces.

    effective_retention_days: the shorter one of its own and the installation's retention.  version: 0 and updated_at
    null before anybody has decided.
    """

    retention_days: int | None
    effective_retention_days: int | None
    masking: MaskingRules
    version: int
    updated_at: Timestamp | None
    updated_by: str | None


class MaskingPreviewIn(WireIn):
    """What would be masked: a text, attributes, or both. masking: rules to try; else those that hold."""

    text: str | None = Field(default=None, max_length=MAXIMUM_PREVIEW_CHARACTERS)
    attributes: dict[str, Any] | None = None
    masking: MaskingRules | None = None

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.text is None and self.attributes is None:
            raise ValueError("needs a text or attributes")
        return self


class MaskingPreviewOut(BaseModel):
    """What would be stored."""

    text: str | None
    attributes: dict[str, Any] | None


class DeletionWindow(WireIn):
    """Traces that started from `from` on and before `to`; only those of the agent, where one is named."""

    start_from: MomentText | None = Field(default=None, alias="from", description="RFC 3339")
    start_to: MomentText = Field(alias="to", description="RFC 3339")
    agent_id: NameText | None = None

    @model_validator(mode="after")
    def in_order(self) -> Self:
        first, last = self.nanoseconds
        if first >= last:
            raise ValueError("`from` must be before `to`")
        return self

    @property
    def nanoseconds(self) -> tuple[int, int]:
        """First and, exclusive, last start. Raises ValueError."""
        return (0 if self.start_from is None else parse_ns(self.start_from)), min(parse_ns(self.start_to), MAXIMUM_NS)


class TraceDeletionIn(WireIn):
    """Which traces shall be gone; exactly one way to say it.

    A trace goes as a whole where any of its spans names the session or the user.
    """

    session_id: NameText | None = None
    user_id: NameText | None = None
    trace_ids: list[TraceIdText] | None = Field(default=None, min_length=1, max_length=MAXIMUM_TRACE_IDS)
    window: DeletionWindow | None = None

    @model_validator(mode="after")
    def one_way(self) -> Self:
        if len(self.model_fields_set) != 1 or any(getattr(self, name) is None for name in self.model_fields_set):
            raise ValueError("needs exactly one of session_id, user_id, trace_ids and window")
        return self


class TraceDeletionOut(WireOut):
    """A deletion and how far it is. selection_digest: SHA-256 of what was asked for, which itself is not kept."""

    id: UUID
    by: Literal["session_id", "user_id", "trace_ids", "window"]
    selection_digest: str
    state: Literal["pending", "running", "done"]
    traces_deleted: int
    spans_deleted: int
    requested_by: str
    created_at: Timestamp
    finished_at: Timestamp | None
