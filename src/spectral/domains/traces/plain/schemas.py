"""Traces as people write them who do not use OpenTelemetry."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, Field, StringConstraints, field_validator, model_validator

from spectral.domains.traces.moments import parse_ns
from spectral.domains.traces.vocabulary import Kind
from spectral.platform.shared.money import UsdAmountIn
from spectral.platform.shared.wire import WireIn, WireOut

MAXIMUM_TRACES = 100
MAXIMUM_SPANS = 1_000
LONGEST_MS = 31 * 86_400 * 1_000.0
NANOSECONDS_A_MILLISECOND = 1_000_000

Short = Annotated[str, StringConstraints(min_length=1, max_length=256)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=100)]
TimeText = Annotated[str, StringConstraints(max_length=64)]
Tokens = Annotated[int, Field(ge=0, le=10**9, strict=True)]


class PlainError(WireIn):
    """Why it failed. type: what errors are counted by."""

    message: str = Field(default="", max_length=10_000)
    type: Short = "error"


class PlainStep(WireIn):
    """What a trace and a step of it have in common.

    input, output: text or any JSON.  started_at, ended_at: RFC 3339; of these and latency_ms two are enough, and none
    means now.  Cached and reasoning tokens are parts of input and output.
    """

    name: Name | None = None
    kind: Kind | None = Field(default=None, description="by what is given, unless said")
    input: Any = None
    output: Any = None
    model: Short | None = None
    provider: Short | None = None
    tool_name: Short | None = None
    input_tokens: Tokens | None = None
    output_tokens: Tokens | None = None
    cache_read_tokens: Tokens | None = None
    cache_write_tokens: Tokens | None = None
    reasoning_tokens: Tokens | None = None
    cost_usd: UsdAmountIn | None = Field(default=None, description="where it is known; else it is computed")
    error: Annotated[str, StringConstraints(min_length=1, max_length=10_000)] | PlainError | None = None
    status: Literal["ok", "error"] | None = None
    started_at: TimeText | None = None
    ended_at: TimeText | None = None
    latency_ms: float | None = Field(default=None, ge=0, le=LONGEST_MS, allow_inf_nan=False)
    metadata: dict[Label, Any] = Field(default_factory=dict, max_length=64)

    @field_validator("started_at", "ended_at")
    @classmethod
    def a_time(cls, value: str | None) -> str | None:
        if value is not None and not parse_ns(value):
            raise ValueError("must lie between 1970 and 2262")
        return value

    @model_validator(mode="after")
    def one_outcome(self) -> Self:
        if self.error is not None and self.status == "ok":
            raise ValueError("status must not be ok where there is an error")
        return self

    @model_validator(mode="after")
    def one_duration(self) -> Self:
        start, end = self.start_ns, self.end_ns
        if start is not None and end is not None:
            if self.latency_ms is not None:
                raise ValueError("takes two of started_at, ended_at and latency_ms")
            if end < start:
                raise ValueError("ended_at must not be before started_at")
        return self

    @property
    def start_ns(self) -> int | None:
        """Its start as it was given."""
        return None if self.started_at is None else parse_ns(self.started_at)

    @property
    def end_ns(self) -> int | None:
        """Its end as it was given."""
        return None if self.ended_at is None else parse_ns(self.ended_at)

    @property
    def latency_ns(self) -> int:
        """How long it took, as it was given."""
        return round((self.latency_ms or 0.0) * NANOSECONDS_A_MILLISECOND)


class PlainSpan(PlainStep):
    """A step of a trace. id: a name by which other steps name it as their parent; none is a child of the trace."""

    id: Label | None = None
    parent: Label | None = None


class PlainTrace(PlainStep):
    """A trace. trace_id: 32 hexadecimal digits, where it must be a certain one; it must not be all zeros."""

    trace_id: Annotated[str, StringConstraints(pattern=r"^[0-9a-fA-F]{32}$")] | None = None
    session_id: Short | None = None
    user_id: Short | None = None
    tags: list[Annotated[str, StringConstraints(min_length=1, max_length=128)]] = Field(
        default_factory=list, max_length=32
    )
    agent_id: Short | None = None
    agent_version: Annotated[str, StringConstraints(min_length=1, max_length=64)] | None = None
    service: Short | None = None
    mode: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    spans: list[PlainSpan] = Field(default_factory=list, max_length=MAXIMUM_SPANS)

    @field_validator("trace_id")
    @classmethod
    def not_zero(cls, value: str | None) -> str | None:
        if value is not None and not int(value, 16):
            raise ValueError("must not be all zeros")
        return value

    @model_validator(mode="after")
    def something(self) -> Self:
        if self.input is None and self.output is None and self.error is None and self.status is None and not self.spans:
            raise ValueError("needs an input, an output, an error or spans")
        return self

    @model_validator(mode="after")
    def a_tree(self) -> Self:
        named: dict[str, PlainSpan] = {}
        for span in self.spans:
            if span.id is not None and named.setdefault(span.id, span) is not span:
                raise ValueError(f"two spans have the id {span.id}")
        for span in self.spans:
            if span.parent is not None and span.parent not in named:
                raise ValueError(f"there is no span with the id {span.parent}")
        rooted: set[str] = set()
        for span in self.spans:
            above: list[str] = []
            here = span
            while here.parent is not None and here.parent not in rooted:
                if here.parent in above:
                    raise ValueError(f"the span {here.parent} is its own ancestor")
                above.append(here.parent)
                here = named[here.parent]
            rooted.update(above)
        return self


class StoredTrace(BaseModel):
    """A trace that is stored. span_ids: of the trace itself, then of its steps in their order."""

    trace_id: str
    span_ids: list[str]


class WrongPlace(BaseModel):
    """A wrong place in one of the traces, as a JSON pointer into it."""

    pointer: str
    detail: str


class BatchItem(BaseModel):
    """What became of one trace of a list: its ids, or what was wrong with it."""

    index: int
    trace_id: str | None = None
    span_ids: list[str] | None = None
    errors: list[WrongPlace] | None = None


class StoredBatch(BaseModel):
    """What became of a list of traces, in its order."""

    accepted: int
    rejected: int
    results: list[BatchItem]


class LineErrorOut(WireOut):
    """A line of an import, counted from 1, and what was wrong with it."""

    line: int
    detail: str


class ImportedOut(WireOut):
    """What became of a file. `errors` names the first 100; empty lines are not counted."""

    lines: int
    accepted_spans: int
    rejected_spans: int
    failed_lines: int
    errors: list[LineErrorOut]
