"""What every node that asks a model does: read what to ask, keep to the run's budget, count, and say what was spent.

Secrets are not for models: of them only `${secrets.NAME}` stands in a prompt, and it stays.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Final, get_args

from spectral.domains.evaluations.scorers.base import printable
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, Usage
from spectral.platform.llm.calls import ModelMessage, ModelRequest, Role
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import ModelRequestError, ModelUnavailableError, UnknownModelError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.money import nano_to_usd

CATEGORY: Final = "model"
"""Of the log lines that say what a call of a model took: they are what a run's trace knows of it."""

UNLIMITED: Final = -1
MAXIMUM_MESSAGES: Final = 1_000
MAXIMUM_CHARACTERS: Final = 1_000_000
ROLES: Final = get_args(Role)


class SpentError(NodeError):
    """A node failed after it had asked models. usage: what that took; the run has spent it all the same."""

    def __init__(self, type: str, message: str, *, retryable: bool, usage: Usage) -> None:
        super().__init__(type, message, retryable=retryable)
        self.usage = usage


@dataclass(frozen=True, slots=True)
class Spent:
    """What calls of models took. cost_nano_usd: None where it is not known of one of them."""

    input_tokens: int = 0
    output_tokens: int = 0
    cost_nano_usd: int | None = 0

    def __add__(self, other: "Spent") -> "Spent":
        known = self.cost_nano_usd is not None and other.cost_nano_usd is not None
        return Spent(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            (self.cost_nano_usd or 0) + (other.cost_nano_usd or 0) if known else None,
        )

    @property
    def usage(self) -> Usage:
        """As the run counts it."""
        return Usage(self.input_tokens + self.output_tokens, self.cost_nano_usd)

    @property
    def cost_usd(self) -> str | None:
        """The cost as decimal text of US dollars."""
        return None if self.cost_nano_usd is None else nano_to_usd(self.cost_nano_usd)

    @property
    def outputs(self) -> dict[str, Any]:
        """As outputs of nodes tell it: `{usage: {input_tokens, output_tokens}, cost_usd}`."""
        return {
            "usage": {"input_tokens": self.input_tokens, "output_tokens": self.output_tokens},
            "cost_usd": self.cost_usd,
        }


UNKNOWN: Final = Spent(cost_nano_usd=None)
"""Of a call that failed at its provider: it may have been billed."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of which model. seed: the same for every attempt at the node."""

    model: str
    messages: tuple[ModelMessage, ...]
    parameters: Mapping[str, Any]
    seed: int

    def saying(self, *messages: ModelMessage) -> "Question":
        """The same with more messages at the end."""
        return replace(self, messages=(*self.messages, *messages))

    def instructed(self, text: str) -> "Question":
        """The same with an instruction after those that it begins with."""
        at = next((place for place, one in enumerate(self.messages) if one.role != "system"), len(self.messages))
        return replace(self, messages=(*self.messages[:at], ModelMessage("system", text), *self.messages[at:]))


def read_question(call: NodeCall) -> Question:
    """What the params `model`, `messages` or `prompt` (with `system`) and `parameters` ask.

    Values that are no text are told as JSON. Raises NodeError `invalid-params`.
    """
    params = call.params
    model, parameters = params.get("model"), params.get("parameters")
    if not isinstance(model, str) or not model:
        raise invalid_params("model must be the name of a model")
    if parameters is not None and not isinstance(parameters, Mapping):
        raise invalid_params("parameters must be an object")
    messages = _listed(params["messages"]) if params.get("messages") is not None else _prompt(params)
    if sum(len(message.content) for message in messages) > MAXIMUM_CHARACTERS:
        raise invalid_params(f"the prompt has more than {MAXIMUM_CHARACTERS} characters")
    return Question(model, messages, dict(parameters or {}), seed_of(call))


def seed_of(call: NodeCall) -> int:
    """In [0, 2³¹): the same for every attempt at a node's work, another for every other work."""
    return int.from_bytes(blake2b(call.idempotency_key.encode(), digest_size=4).digest(), "big") >> 1


def invalid_params(detail: str) -> NodeError:
    """What a node was given makes no sense, and would not the next time."""
    return NodeError("invalid-params", detail, retryable=False)


class ModelCalls:
    """The calls of one attempt at a node's work, within what the run's budget leaves."""

    def __init__(self, door: ModelDoor, call: NodeCall) -> None:
        self._door = door
        self._call = call
        self.spent = Spent()

    async def ask(self, question: Question, *, stream: bool = False) -> str:
        """The model's answer. stream: the run's watchers get it while it is made, where the provider can do that.

        Raises NodeError: `unknown-model`, `model-request` (would be refused again), `model-unavailable` (retryable),
        `budget-exhausted` and `unpriced-model` before anything is asked.
        """
        self.check(question.model)
        request = ModelRequest(
            question.model,
            question.messages,
            question.parameters,
            question.seed,
            access=self._call.access,
            subject=f"run:{self._call.run_id}",
        )
        try:
            if stream:
                reply = await self._door.complete_streaming(request, self._call.journal.token)
            else:
                reply = await self._door.complete(request)
        except ModelRequestError as error:
            self.note(question.model, Spent(), fault=error.detail)
            raise self.failed("model-request", error.detail, retryable=False) from error
        except ModelUnavailableError as error:
            self.note(question.model, UNKNOWN, fault=error.detail)
            raise self.failed("model-unavailable", error.detail) from error
        spent = Spent(reply.input_tokens, reply.output_tokens, reply.cost_nano_usd)
        self.note(question.model, spent, latency_ms=reply.latency_ms)
        return printable(reply.text)

    def check(self, model: str) -> None:
        """Raises NodeError where the model must not be asked."""
        try:
            info = self._door.read_model(model)
        except UnknownModelError as error:
            raise self.failed("unknown-model", error.detail, retryable=False) from error
        left = self._call.left
        spent = self.spent.usage
        if left.tokens != UNLIMITED and left.tokens <= spent.tokens:
            raise self.failed("budget-exhausted", "the run's budget of tokens is used up", retryable=False)
        if left.cost_nano_usd is None:
            return
        if not info.priced:
            detail = f"the price of {model} is not known, so the run's budget in US dollars could not be kept"
            raise self.failed("unpriced-model", detail, retryable=False)
        if left.cost_nano_usd <= (spent.cost_nano_usd or 0):
            raise self.failed("budget-exhausted", "the run's budget in US dollars is used up", retryable=False)

    def note(
        self,
        model: str,
        spent: Spent,
        *,
        latency_ms: float = 0.0,
        fault: str | None = None,
        agent: tuple[str, str] | None = None,
    ) -> None:
        """Count a call that ended just now, and say so in the run's log. agent: the id and version that asked."""
        self.spent += spent
        ended = utc_now()
        self._call.journal.log(
            f"{model} answered" if fault is None else f"{model} did not answer",
            level="info" if fault is None else "warn",
            category=CATEGORY,
            data={
                "model": model,
                "provider": self._door.read_model(model).provider,
                "key": self._call.key,
                "iteration": self._call.iteration,
                "attempt": self._call.attempt,
                "started_at": (ended - timedelta(milliseconds=latency_ms)).isoformat(),
                "ended_at": ended.isoformat(),
                "error": fault,
                # Not named `…_tokens`: what logs mask goes by the names of members.
                "usage": {"input": spent.input_tokens, "output": spent.output_tokens},
                "cost_usd": spent.cost_usd,
                **({} if agent is None else {"agent_id": agent[0], "agent_version": agent[1]}),
            },
        )

    def failed(self, type: str, message: str, *, retryable: bool = True) -> SpentError:
        """The error with which the node ends, with what was spent until then."""
        return SpentError(type, message, retryable=retryable, usage=self.spent.usage)


def text_of(value: Any) -> str:
    """How a value reads in a prompt: null as nothing, text as it is, everything else as compact JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _prompt(params: Mapping[str, Any]) -> tuple[ModelMessage, ...]:
    if params.get("prompt") is None:
        raise invalid_params("messages or prompt is needed")
    asked = ModelMessage("user", text_of(params["prompt"]))
    system = params.get("system")
    return (asked,) if system is None else (ModelMessage("system", text_of(system)), asked)


def _listed(messages: Any) -> tuple[ModelMessage, ...]:
    if not isinstance(messages, Sequence) or isinstance(messages, str) or not 1 <= len(messages) <= MAXIMUM_MESSAGES:
        raise invalid_params(f"messages must be a list of 1 to {MAXIMUM_MESSAGES} messages")
    read = []
    for place, message in enumerate(messages):
        if not isinstance(message, Mapping) or message.get("role") not in ROLES or "content" not in message:
            raise invalid_params(f"messages/{place} must have content and a role: {', '.join(ROLES)}")
        read.append(ModelMessage(message["role"], text_of(message["content"])))
    return tuple(read)
