"""The wire shapes of operations."""

from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StringConstraints

from spectral.domains.workspaces.support import LONGEST_MINUTES
from spectral.platform.shared.money import UsdAmount, UsdAmountIn
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
    circuit: Literal["closed", "half_open", "open"] = Field(
        description="Open: the latest calls failed, so none is made for a while. The worst of all who call the model."
    )


class ModelConfigIn(WireIn):
    """What holds of a model from now on; what is left out is as if nothing had been said. Prices come in pairs."""

    tier: Literal["economy", "standard", "premium"] | None = None
    input_price_usd: UsdAmountIn | None = Field(default=None, description="For a million tokens.")
    output_price_usd: UsdAmountIn | None = Field(default=None, description="For a million tokens.")
    enabled: bool = True


class ModelConfigOut(WireOut):
    """A model of the catalogue. `label` is how it must be described wherever it is shown."""

    name: str
    provider: str
    label: str
    priced: bool = Field(description="The cost of a call is known, so a budget in USD can be kept.")
    deterministic: bool = Field(description="The same request with the same seed always gives the same text.")
    tier: Literal["economy", "standard", "premium"] | None
    input_price_usd: UsdAmount | None = Field(description="Set here, for a million tokens; null: the price table's.")
    output_price_usd: UsdAmount | None
    enabled: bool = Field(description="Switched off, no workspace can call it.")
    updated_at: Timestamp | None = Field(description="Null where nothing was set.")
    updated_by: str | None


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
