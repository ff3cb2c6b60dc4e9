"""The wire shapes of operations."""

from typing import Literal

from pydantic import Field

from spectral.platform.shared.wire import Timestamp, WireOut


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
