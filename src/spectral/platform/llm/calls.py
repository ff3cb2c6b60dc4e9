"""What goes into a model call and what comes out of it, the same for every provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from spectral.platform.access.principal import WorkspaceAccess

Role = Literal["system", "user", "assistant"]

MESSAGE_OVERHEAD = 16
"""Tokens that a provider may count for a message besides its text: its role and its borders."""


class ModelMessage(NamedTuple):
    """One message of a rendered prompt; a tuple, because prompts are compared and cached thousands of times."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One completion to make; the messages are all that a provider may read.

    parameters: the provider's sampling parameters (`temperature`, `max_tokens`, …); those that are null are left out.
    `response_format` (`{"type": "json_object"}`, or `{"type": "json_schema", "json_schema": {"name", "schema"}}`) asks
    for JSON in the way of each provider; models in this process ignore it.
    seed: decides every random choice of a deterministic model; other providers pass it on where they can.
    access: whose credentials pay for the call; None reaches only models that need none.
    purpose: what the call is for in the cost reports: agent, judge, reflection, embedding.
    subject: what it belongs to (`scan:<id>`), None where it stands alone.
    """

    model: str
    messages: Sequence[ModelMessage]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    access: WorkspaceAccess | None = None
    purpose: str = "agent"
    subject: str | None = None


@dataclass(frozen=True, slots=True)
class ModelReply:
    """A completion as it was made.

    cost_nano_usd: integer nano-USD; None where the price is unknown, 0 only where it is known to be nothing.
    latency_ms: measured milliseconds; in a batch, this completion's share of the batch.
    cached_tokens: of the input, what the provider read from its cache.  reasoning_tokens: of the output, what was
    thought and not said.  finish_reason: as the provider says why the text ends ("stop", "length", "end_turn", …).
    """

    text: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    latency_ms: float
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    finish_reason: str | None = None


@dataclass(frozen=True, slots=True)
class ModelFault:
    """A call that was not answered, and why; never a wrong answer.

    type: `invalid_request` (the request can never succeed; it is the fault of whoever described it),
    `credential_error` (the workspace has no key for the provider, or the provider refuses it) or `provider_error`.
    retryable: the same request may succeed later; retry_after_s: not before that, where the provider said so.
    cost_nano_usd: 0 where nothing was billed, None where that is not known.
    code: what it is for machines, with nothing of the request in it: `timeout`, `connection`, `http_500`, …
    """

    type: Literal["invalid_request", "credential_error", "provider_error"]
    message: str
    retryable: bool = False
    retry_after_s: float | None = None
    cost_nano_usd: int | None = None
    code: str = ""


@dataclass(frozen=True, slots=True)
class EmbeddingRequest:
    """Texts to turn into vectors by one call; access and subject as of a `ModelRequest`."""

    model: str
    texts: Sequence[str]
    access: WorkspaceAccess | None = None
    subject: str | None = None
    purpose: str = "embedding"


@dataclass(frozen=True, slots=True)
class EmbeddingReply:
    """One vector for each text, in their order, all of the same length.

    cost_nano_usd: None where the price is unknown. latency_ms: measured milliseconds of the call.
    """

    vectors: Sequence[Sequence[float]]
    input_tokens: int
    cost_nano_usd: int | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model that can be called.

    name: `provider/model`; the provider is everything before the first slash.
    label: how the model must be described wherever it is shown.
    priced: the cost of a call is known, so a budget in USD can be kept.
    deterministic: the same request with the same seed always gives the same text.
    tier: how the operations staff ranks it (economy, standard, premium); None where they have not.
    """

    name: str
    provider: str
    label: str
    priced: bool
    deterministic: bool
    tier: str | None = None


def prompt_size(messages: Sequence[ModelMessage]) -> int:
    """At most so many tokens are the input of a call with these messages.

    Tokens are made of bytes (byte-level BPE), so a text has no more tokens than bytes of UTF-8.
    """
    return sum(len(message.content.encode()) + MESSAGE_OVERHEAD for message in messages)
