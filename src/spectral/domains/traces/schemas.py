"""The wire shapes of traces."""

from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, Field, PlainSerializer, model_validator

from spectral.domains.traces.moments import Moment
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.money import UsdAmount
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut

Hex = Annotated[
    str,
    BeforeValidator(lambda value: value.hex() if isinstance(value, bytes) else value),
    Field(examples=["5b8aa5a2d2c872e8"]),
]
"""An OTLP id: bytes in the store, lower-case hexadecimal in JSON."""

StatusName = Annotated[
    str,
    BeforeValidator(lambda value: SpanStatus.NAMES[value] if isinstance(value, int) else value),
    Field(description="unset, ok or error"),
]

Milliseconds = Annotated[float, PlainSerializer(lambda value: round(value, 6), return_type=float)]


class TraceOut(WireOut):
    """A trace. `status` is the root span's; `cost_usd` the sum of the known costs, null when none is known.

    `unpriced_spans` counts model calls of unknown cost. Cached and reasoning tokens are parts of input and output.
    """

    trace_id: Hex
    name: str
    status: StatusName
    started_at: Moment
    ended_at: Moment
    duration_ms: Milliseconds
    root_span_id: Hex
    span_count: int
    error_count: int
    error_type: str | None
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_tokens: int
    cost_usd: UsdAmount | None
    unpriced_spans: int
    models: list[str]
    tags: list[str]
    session_id: str | None
    user_id: str | None
    agent_id: str | None
    agent_version: str | None
    mode: str
    service: str | None
    input_preview: str | None
    output_preview: str | None
    feedback_count: int
    scores: dict[str, float]


class SpanEventOut(WireOut):
    """Something that happened during a span."""

    time: Moment
    name: str
    attributes: dict[str, Any]


class SpanLinkOut(WireOut):
    """A reference to another span, possibly of another trace."""

    trace_id: Hex
    span_id: Hex
    attributes: dict[str, Any]


class ToolCallOut(WireOut):
    """A call that the model asked for. `arguments`: as an object where they are one."""

    id: Any
    name: Any
    arguments: Any


class SpanBodyOut(WireOut):
    """What was sent for a span; `input` and `output` are its content as read from whichever convention it follows.

    Messages are `[{role, content, tool_calls, tool_call_id}]`, the latter two where there are any; content that is no
    messages stands as it came, JSON text parsed. `cost_source`: `reported` by the instrumentation or `computed` from
    the tokens, null where the cost is unknown.
    """

    attributes: dict[str, Any]
    events: list[SpanEventOut]
    links: list[SpanLinkOut]
    status_message: str
    resource: dict[str, Any]
    scope_name: str
    scope_version: str
    scope_attributes: dict[str, Any]
    input: Any
    output: Any
    tool_calls: list[ToolCallOut]
    prompt_template: Any
    prompt_variables: Any
    cost_source: Literal["reported", "computed"] | None


class SpanOut(WireOut):
    """A span. `kind` and the fields after it are in one vocabulary, whatever convention the span follows.

    `body` is null unless asked for.
    """

    span_id: Hex
    trace_id: Hex
    parent_span_id: Hex | None
    name: str
    kind: str
    operation: str
    status: StatusName
    started_at: Moment
    ended_at: Moment
    duration_ms: Milliseconds
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    audio_tokens: int | None
    cost_usd: UsdAmount | None
    session_id: str | None
    user_id: str | None
    tool_name: str | None
    error_type: str | None
    agent_id: str | None
    agent_version: str | None
    mode: str
    service: str | None
    body: SpanBodyOut | None = None


class FoundTraceOut(TraceOut):
    """A trace in a list. `matched_span_ids`: spans whose content fits, 100 at most; null where none was asked for."""

    matched_span_ids: list[Hex] | None = None


class SearchedOut(WireOut):
    """How far what was sent has been searched: `searched_from` (or `reached`, while there is a next cursor) until `to`.

    A page may be empty and have a `next_cursor`: go on until it is null.
    """

    searched_from: Moment
    searched_to: Moment
    reached: Moment


class TraceList(BaseModel):
    """One page of traces. `search` is there when what was sent was searched; `total` then counts this page."""

    results: list[FoundTraceOut]
    pagination: CursorPagination
    search: SearchedOut | None = None


class SpanList(BaseModel):
    """One page of a trace's spans, in the order of their start."""

    results: list[SpanOut]
    pagination: CursorPagination


class FeedbackIn(WireIn):
    """Feedback on a trace or, with `span_id`, on one of its spans: a score, a label or a comment at least."""

    name: str = Field(default="feedback", min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_.:\-]+$")
    span_id: str | None = Field(default=None, pattern=r"^[0-9a-fA-F]{16}$")
    score: float | None = Field(default=None, allow_inf_nan=False, ge=-1e9, le=1e9)
    label: str | None = Field(default=None, min_length=1, max_length=200)
    comment: str | None = Field(default=None, min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def says_something(self) -> Self:
        if self.score is None and self.label is None and self.comment is None:
            raise ValueError("needs a score, a label or a comment")
        if any("\x00" in text for text in (self.label, self.comment) if text):
            raise ValueError("text must not hold a null character")
        return self


class FeedbackOut(WireOut):
    """Feedback on a trace or, with `span_id`, on one of its spans."""

    id: UUID
    trace_id: Hex
    span_id: Hex | None
    name: str
    score: float | None
    label: str | None
    comment: str | None
    created_by: str
    created_at: Timestamp


class IngestionStats(WireOut):
    """What a workspace sent in the last 24 hours.

    `rejected` counts spans, log records, and requests that were refused as a whole, by reason. `accepted_log_records`
    are those that bring content. `spans_per_second` is the mean of the last five minutes. `queue_depth` is of the
    process that answers.
    """

    window_start: Timestamp
    requests: int
    accepted_spans: int
    duplicate_spans: int
    accepted_log_records: int
    rejected: dict[str, int]
    received_bytes: int
    spans_per_second: float
    last_seen_at: Timestamp | None
    queue_depth: int
