"""The words in which every convention's spans are stored, searched and compared."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

LIVE = "live"
"""The mode of a span that names none; `spectral.mode=evaluation` is kept out of live figures."""

OWN_SERVICE = "spectral"
"""The service that the traces of workflow runs come from."""


class Kind(StrEnum):
    """What a span does."""

    AGENT = "agent"
    LLM = "llm"
    TOOL = "tool"
    RETRIEVER = "retriever"
    EMBEDDING = "embedding"
    CHAIN = "chain"
    GUARDRAIL = "guardrail"
    EVALUATOR = "evaluator"
    OTHER = "other"


KIND_NAMES = {kind: kind.value for kind in Kind}
"""The plain text of a kind, as it is stored."""

AGGREGATING = frozenset({Kind.AGENT, Kind.CHAIN})
"""Kinds whose token usage repeats that of the model calls below them; never added to those."""

MODEL_CALLS = frozenset({Kind.LLM, Kind.EMBEDDING})
"""Kinds that a price is expected of."""


class SpanStatus:
    """`Status.code` of OTLP."""

    UNSET = 0
    OK = 1
    ERROR = 2
    NAMES = ("unset", "ok", "error")


@dataclass(slots=True)
class Reading:
    """What one span says in our words; None where it says nothing.

    Cached and reasoning tokens are parts of input and output, audio tokens too. `cost_nano_usd` is a reported cost.
    `agent_is_explicit`: the agent was named by `spectral.agent.id`, not derived from another convention.
    Content is as it came: text (often JSON) or decoded values. `instructions` go before the messages of `input`;
    `tool_calls` are those a convention reports apart from the messages of `output`.
    """

    kind: Kind | None = None
    operation: str | None = None
    provider: str | None = None
    model: str | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    input_audio_tokens: int | None = None
    output_audio_tokens: int | None = None
    cost_nano_usd: int | None = None
    session_id: str | None = None
    user_id: str | None = None
    tool_name: str | None = None
    agent_id: str | None = None
    agent_version: str | None = None
    agent_is_explicit: bool = False
    mode: str | None = None
    error_type: str | None = None
    tags: tuple[str, ...] = ()
    input: Any = None
    output: Any = None
    instructions: Any = None
    tool_calls: Any = None
    prompt_template: Any = None
    prompt_variables: Any = None

    @property
    def audio_tokens(self) -> int | None:
        """Heard and spoken."""
        if self.input_audio_tokens is None:
            return self.output_audio_tokens
        return self.input_audio_tokens + (self.output_audio_tokens or 0)


class SpanRow(NamedTuple):
    """The narrow row of a span, in the order of the table's columns after `workspace_id`.

    Times are integer nanoseconds since 1970. `digest` is BLAKE2b-128 over resource, scope and span.
    """

    trace_id: bytes
    span_id: bytes
    started_at: int
    ended_at: int
    parent_span_id: bytes | None
    name: str
    kind: str
    otel_kind: int
    status: int
    operation: str
    provider: str | None
    model: str | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    cache_write_tokens: int | None
    reasoning_tokens: int | None
    audio_tokens: int | None
    cost_nano_usd: int | None
    session_id: str | None
    user_id: str | None
    tool_name: str | None
    error_type: str | None
    agent_id: str | None
    agent_version: str | None
    mode: str
    service: str | None
    encoded_length: int
    digest: bytes

    @property
    def rank(self) -> tuple[int, int, bytes]:
        """Of copies of one span that differ, the one with the greatest rank wins, whatever the order of arrival."""
        return self.ended_at, self.encoded_length, self.digest

    @property
    def failed(self) -> bool:
        return self.status == SpanStatus.ERROR


class MappedSpan(NamedTuple):
    """A span's row and what only its trace keeps of it."""

    row: SpanRow
    input: Any
    output: Any
    tags: tuple[str, ...]
    agent_is_explicit: bool
