"""What goes into a model call and what comes out of it, the same for every provider."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from spectral.platform.access.principal import WorkspaceAccess

Role = Literal["system", "user", "assistant"]


class ModelMessage(NamedTuple):
    """One message of a rendered prompt; a tuple, because prompts are compared and cached thousands of times."""

    role: Role
    content: str


@dataclass(frozen=True, slots=True)
class ModelRequest:
    """One completion to make; the messages are all that a provider may read.

    parameters: the provider's sampling parameters (`temperature`, `max_tokens`, …).
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
    """

    text: str
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    latency_ms: float


@dataclass(frozen=True, slots=True)
class ModelFault:
    """A completion that was not made, and why; never a wrong answer.

    type: `invalid_request` (the request can never succeed) or `provider_error`.
    retryable: the same request may succeed later.
    """

    type: Literal["invalid_request", "provider_error"]
    message: str
    retryable: bool = False


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """One model of the catalogue.

    label: how the model must be described wherever it is shown.
    priced: the cost of a call is known, so a budget in USD can be kept.
    deterministic: the same request with the same seed always gives the same text.
    """

    name: str
    provider: str
    label: str
    priced: bool
    deterministic: bool
