"""Wire shapes of remote work."""

from typing import Annotated, Any, Self
from uuid import UUID

from pydantic import Field, StringConstraints, model_validator

from spectral.domains.agents.json_values import STORABLE, StorableJson
from spectral.platform.shared.money import UsdAmountIn
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

LONGEST_WAIT_S = 30.0
LARGEST_CAPACITY = 64

Token = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[\x21-\x7e]+$")]
Count = Annotated[int, Field(ge=0, le=2**53)]
CountName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class LeaseIn(WireIn):
    """capacity: how many tasks at most.  wait_s: how long to wait for the first one when there is none."""

    capacity: int = Field(default=1, ge=1, le=LARGEST_CAPACITY)
    wait_s: float = Field(default=0.0, ge=0, le=LONGEST_WAIT_S, allow_inf_nan=False)


class HeartbeatIn(WireIn):
    """lease_token: as the lease gave it."""

    lease_token: Token


class TaskErrorIn(WireIn):
    """type: a word that conditions may ask for.  retryable: whether trying again may help."""

    type: Annotated[str, StringConstraints(min_length=1, max_length=100), STORABLE]
    message: Annotated[str, StringConstraints(max_length=10_000), STORABLE] = ""
    retryable: bool = True


class ResultIn(WireIn):
    """Exactly one of `output` (any JSON, null as well) and `error`.

    usage: counts, such as `input_tokens`.  cost_usd: left out where it is not known.  trace_id: of the work's trace.
    latency_ms: how long the work itself took; left out, it is the time from the lease to the result.
    """

    lease_token: Token
    output: StorableJson = None
    error: TaskErrorIn | None = None
    usage: Annotated[dict[CountName, Count], Field(max_length=20)] | None = None
    cost_usd: UsdAmountIn | None = None
    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")] | None = None
    latency_ms: float | None = Field(default=None, ge=0, le=86_400_000, allow_inf_nan=False)

    @model_validator(mode="after")
    def _says_one_thing(self) -> Self:
        if ("output" in self.model_fields_set) is (self.error is not None):
            message = "exactly one of output and error is needed"
            raise ValueError(message)
        return self


class TaskResultIn(ResultIn):
    """A result with the task that it is for."""

    task_id: UUID


class ResultsIn(WireIn):
    """results: of any tasks that the caller holds."""

    results: list[TaskResultIn] = Field(min_length=1, max_length=LARGEST_CAPACITY)


class ResultRefusalOut(WireOut):
    """Why a result was not taken, as the problem document of a result sent alone says it."""

    status: int
    type: str
    detail: str


class TaskResultOut(WireOut):
    """error: null where the result was taken."""

    task_id: UUID
    error: ResultRefusalOut | None


class ResultsOut(WireOut):
    """What became of each result, in their order."""

    results: list[TaskResultOut]


class AgentTaskOut(WireOut):
    """A task for an agent's runner. lease_s: how long the lease lasts from now, and again from each heartbeat.

    max_cost_usd: what doing it may cost, null where nothing was said.  mode: why it is to be done; the work's spans say
    it as `spectral.mode`, so that what is executed for an evaluation is kept out of live figures.
    """

    task_id: UUID
    lease_token: str
    expires_at: Timestamp
    lease_s: float
    attempt: int
    config: dict[str, Any] | None
    config_hash: str | None
    input: Any
    seed: int | None
    traceparent: str | None
    max_cost_usd: str | None
    mode: str = Field(examples=["evaluation", "live"])


class AgentLeaseOut(WireOut):
    """What was leased, the oldest first."""

    tasks: list[AgentTaskOut]


class WorkTaskOut(WireOut):
    """A task of a named queue.

    idempotency_key: the same for every attempt.  attempt: from 1, how often the task was leased.
    """

    task_id: UUID
    lease_token: str
    expires_at: Timestamp
    lease_s: float
    attempt: int
    task: str
    inputs: Any
    idempotency_key: str
    traceparent: str | None


class WorkLeaseOut(WireOut):
    """What was leased, the oldest first."""

    tasks: list[WorkTaskOut]


class RunnerOut(WireOut):
    """Where a runner's key belongs."""

    workspace_id: UUID
    scopes: list[str]
