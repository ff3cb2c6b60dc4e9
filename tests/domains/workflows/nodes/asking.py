"""Calls of nodes that ask models, and a provider that answers as its script says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, cast
from uuid import UUID

from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.nodes.calls import NodeCall, Usage
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor

RUN_ID = UUID(int=7)
REFUSED = ModelFault("invalid_request", "no such parameter")
BROKEN = ModelFault("provider_error", "overloaded", retryable=True)


@dataclass
class Said:
    """A journal that keeps what was said."""

    logs: list[dict[str, Any]] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)

    def log(self, message: str, *, level: str = "info", category: str | None = None, data: Any = None) -> None:
        self.logs.append({"message": message, "level": level, "category": category, "data": data})

    def token(self, text: str) -> None:
        self.tokens.append(text)


class Scripted:
    """Gives its answers in turn: a text (1 token of input, 2 of output, 1,500 nano-USD), or a fault."""

    name = "scripted"

    def __init__(self, *answers: str | ModelFault, priced: bool = True) -> None:
        self.answers = list(answers)
        self.priced = priced
        self.requests: list[ModelRequest] = []

    def models(self) -> Sequence[ModelInfo]:
        return [ModelInfo("scripted/one", self.name, "as its script says", priced=self.priced, deterministic=False)]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> Sequence[ModelReply | ModelFault]:
        return [self.answer(request) for request in requests]

    def answer(self, request: ModelRequest) -> ModelReply | ModelFault:
        self.requests.append(request)
        answer = self.answers.pop(0)
        return (
            answer if isinstance(answer, ModelFault) else ModelReply(answer, 1, 2, 1500 if self.priced else None, 3.0)
        )

    @property
    def door(self) -> ModelDoor:
        return ModelDoor([self])

    @property
    def asked(self) -> list[list[tuple[str, str]]]:
        """The messages of every request, as `(role, content)`."""
        return [[tuple(message) for message in request.messages] for request in self.requests]  # type: ignore[misc]


class Streaming(Scripted):
    """As `Scripted`, word by word."""

    async def complete_streaming(
        self, request: ModelRequest, on_text: Callable[[str], None]
    ) -> ModelReply | ModelFault:
        reply = self.answer(request)
        if isinstance(reply, ModelReply):
            for word in reply.text.split(" "):
                on_text(f"{word} ")
        return reply


async def unfenced(_: Any) -> None:
    """Nobody else has the run."""


def make_call(kind: NodeKind, params: dict[str, Any], **changes: Any) -> NodeCall:
    """A first attempt at a node's work. Without a database where none is given."""
    node = Node("ask", kind, params=params)
    values: dict[str, Any] = {
        "run_id": RUN_ID,
        "run_name": "test",
        "account_id": UUID(int=1),
        "trace_id": None,
        "definition": Definition("test", Graph((node,), ())),
        "node": node,
        "key": "ask",
        "iteration": 1,
        "attempt": 1,
        "params": params,
        "inputs": None,
        "idempotency_key": "7:1:ask:1",
        "database": cast("Database", None),
        "access": cast("WorkspaceAccess", None),
        "journal": Said(),
        "fence": unfenced,
    }
    return NodeCall(**{**values, **changes})


def said_in(call: NodeCall) -> Said:
    """What the node said."""
    return cast("Said", call.journal)


def left(tokens: int = -1, cost_nano_usd: int | None = None) -> Usage:
    """What a run's budget still allows."""
    return Usage(tokens, cost_nano_usd)
