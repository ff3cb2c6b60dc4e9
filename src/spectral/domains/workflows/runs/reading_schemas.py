"""The wire shapes of runs and of everything that a run leaves behind."""

from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, Field

from spectral.domains.workflows.execution.states import RunStatus
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.money import UsdAmount
from spectral.platform.shared.wire import Timestamp, WireOut

T = TypeVar("T")


class SpentOut(WireOut):
    """What a run has spent on language models so far."""

    tokens: int
    cost_usd: UsdAmount = Field(description="The known part.")
    unknown_cost_calls: int = Field(description="Calls whose cost nobody knows.")


class RunParentOut(WireOut):
    """The run that this one came from: `subflow`, `fork` or `replay`."""

    run_id: UUID
    kind: str
    step: str | None = None
    index: int | None = Field(default=None, description="The checkpoint that a fork began from.")


class CurrentStepOut(WireOut):
    """The step that a run is at: of several at once, the one that began last."""

    key: str
    node: str
    kind: str
    iteration: int
    status: str
    attempts: int
    wait_type: str | None
    wake_at: Timestamp | None
    started_at: Timestamp | None


class RunSummary(WireOut):
    """A run as lists show it. Paths take its `name`, which is the id unless a caller chose one, or its `id`."""

    id: UUID
    name: str
    workflow: str | None = Field(description="Null for an inline document.")
    workflow_version: int | None
    version_id: UUID
    adapter: str
    status: RunStatus
    generation: int = Field(description="1, and one more with every restart.")
    error: dict[str, Any] | None
    suspension: dict[str, Any] | None = Field(description="`{at, reason, step, index, data}` while it waits.")
    user_id: str | None
    conversation_id: str | None
    metadata: dict[str, Any]
    tags: list[Any]
    parent: RunParentOut | None
    step_count: int = Field(description="Steps begun in the present generation.")
    spent: SpentOut
    trace_id: str | None
    created_by: str
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    updated_at: Timestamp
    duration_ms: int | None = Field(description="From start to end; null until it has ended.")


class RunOut(RunSummary):
    """A run with what it was started with, what it gave, and where it stands."""

    inputs: dict[str, Any]
    outputs: Any | None
    context: dict[str, Any]
    options: dict[str, Any]
    current_nodes: list[Any]
    current_step: CurrentStepOut | None = Field(description="Null when no step is in flight.")
    pause: dict[str, Any] | None = Field(description="`{reason, mode, at, by}` from the request to the resume.")
    wake_at: Timestamp | None = Field(description="When its wait ends by itself.")
    pending_interrupts: int = Field(description="Questions that nobody has answered yet.")
    children: int = Field(description="Runs whose parent it is.")
    last_seq: int = Field(description="`seq` of its last event.")
    checkpoints: int = Field(description="How many it has.")


class StepOut(WireOut):
    """One step in one generation. `inputs` are masked where they held secrets."""

    id: UUID
    key: str = Field(description="The node's path: `fetch`, `each[3]/fetch`.")
    node: str
    kind: str
    generation: int
    iteration: int
    ordinal: int = Field(description="From 0, in the order of first start.")
    status: str
    attempts: int
    max_attempts: int
    inputs: Any | None
    outputs: Any | None
    error: dict[str, Any] | None
    wait_type: str | None
    wake_at: Timestamp | None
    next_retry_at: Timestamp | None
    created_at: Timestamp
    started_at: Timestamp | None
    finished_at: Timestamp | None
    duration_ms: int | None


class EventOut(WireOut):
    """Something that happened; `seq` counts from 1 without gaps over all generations of a run.

    `data` is what the type says beyond status, input, output and error.
    """

    id: UUID
    seq: int
    generation: int
    type: str
    node: str | None
    level: str | None
    category: str | None
    started_at: Timestamp
    ended_at: Timestamp | None
    status: str | None
    input: Any | None
    output: Any | None
    error: dict[str, Any] | None
    data: dict[str, Any]


class LogOut(WireOut):
    """A line of a run's log."""

    seq: int
    generation: int
    node: str | None
    level: str
    category: str | None
    message: str
    data: Any | None
    at: Timestamp


class CheckpointOut(WireOut):
    """A moment that a run can be forked from; `index` counts from 0 over all generations."""

    index: int
    generation: int
    last_node: str | None
    next_nodes: list[Any]
    steps_completed: int
    created_at: Timestamp


class CheckpointDetail(CheckpointOut):
    """A checkpoint with the whole state as it was then."""

    state: dict[str, Any]


class RunStateOut(WireOut):
    """Where a run stands: a summary of its status, and the state of its last checkpoint."""

    run_id: UUID
    name: str
    workflow: str | None
    status: RunStatus
    generation: int
    index: int = Field(description="Of the last checkpoint.")
    steps_completed: int
    last_completed_node: str | None
    next_nodes: list[Any]
    suspension: dict[str, Any] | None
    updated_at: Timestamp
    state: dict[str, Any]


class InterruptOut(WireOut):
    """A question that a run asks a person."""

    id: UUID
    run_id: UUID
    run_name: str
    workflow: str | None
    generation: int
    step: str = Field(description="The key of the step that asks.")
    iteration: int
    position: str
    kind: str = Field(description="`decision`: approve or reject; `input`: data by `answer_schema`.")
    reason: str | None
    title: str
    description: str | None
    payload: Any | None
    answer_schema: dict[str, Any] | None
    status: str
    comment: str | None
    answer: Any | None
    answered_by: str | None
    claimed_by: str | None
    answered_at: Timestamp | None
    expires_at: Timestamp | None
    on_timeout: str
    created_at: Timestamp


class SignalOut(WireOut):
    """An event that was sent to a run; kept until a wait takes it."""

    id: str = Field(description="What the caller chose, else one of ours; the same one again is the same signal.")
    type: str
    payload: Any | None
    generation: int
    sent_by: str
    received_at: Timestamp
    consumed_by: str | None = Field(description="`key#iteration` of the wait that took it.")
    consumed_at: Timestamp | None


class CursorPage(BaseModel, Generic[T]):
    """One page of a list that may be long."""

    results: list[T]
    pagination: CursorPagination


class HistoryPart(BaseModel, Generic[T]):
    """One page of one part of a history; `next_cursor` is null at its end."""

    results: list[T]
    next_cursor: str | None


class HistoryOut(BaseModel):
    """What one generation of a run did. `logs` is null unless asked for; tokens are in the run's events only."""

    run_id: UUID
    name: str
    status: RunStatus
    generation: int = Field(description="The one that is shown.")
    generations: int = Field(description="How many there are.")
    steps: HistoryPart[StepOut]
    events: HistoryPart[EventOut]
    logs: HistoryPart[LogOut] | None


class RunsOfWorkflow(WireOut):
    """How the runs of one workflow ended; `workflow` is null for inline documents."""

    workflow: str | None
    total: int
    succeeded: int
    failed: int


class RunsSummary(WireOut):
    """Counts and durations of runs. Durations are of the last 10,000 that have ended, from start to end."""

    total: int
    by_status: dict[RunStatus, int]
    success_rate: float | None = Field(description="Of those that succeeded or failed; null while there are none.")
    avg_duration_ms: float | None
    p50_duration_ms: int | None = Field(description="Nearest rank.")
    p95_duration_ms: int | None = Field(description="Nearest rank.")
    workflows: list[RunsOfWorkflow]


class TicketOut(WireOut):
    """Opens one WebSocket, once, until it expires. `url` has the ticket in it."""

    ticket: str
    expires_at: Timestamp
    url: str
