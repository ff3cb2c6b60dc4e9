"""The wire shapes of operations."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from spectral.domains.workspaces.support import LONGEST_MINUTES
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


class ModelErrorOut(WireOut):
    """The latest fault of a model."""

    type: str
    message: str
    at: Timestamp


class ModelHealthOut(WireOut):
    """How a model has behaved in the answering process since `since`; null figures have nothing to be computed from."""

    model: str
    provider: str
    since: Timestamp
    calls: int
    failures: int
    success_rate: float | None = Field(ge=0, le=1)
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    last_call_at: Timestamp | None
    last_error: ModelErrorOut | None


class ModelConfigOut(WireOut):
    """A model of the catalogue. `label` is how it must be described wherever it is shown."""

    name: str
    provider: str
    label: str
    priced: bool = Field(description="The cost of a call is known, so a budget in USD can be kept.")
    deterministic: bool = Field(description="The same request with the same seed always gives the same text.")


class EngineOut(WireOut):
    """What durable execution is doing, across every process and workspace.

    `executing` is about the answering process; `executors` counts the processes that execute.
    """

    status: Literal["ok", "degraded", "unavailable"]
    executing: bool
    queued: int
    running: int
    executors: int
    oldest_queued_s: float | None


class StaffAccountOut(WireOut):
    """An account from outside: nothing of what is in it. `deleting_at` is null while nobody deletes it."""

    id: UUID
    name: str
    created_at: Timestamp
    deleting_at: Timestamp | None
    members: int
    workspaces: int


class SupportGrantIn(WireIn):
    """Access to a customer's workspace, for yourself; the customer reads all of this in their audit log."""

    workspace_id: UUID
    reason: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
    minutes: int = Field(ge=1, le=LONGEST_MINUTES, strict=True)
    role: Literal["observer", "contributor"] = "observer"
