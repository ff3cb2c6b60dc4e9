"""What a node's work is given, and what it gives back: the one interface between the engine and the kinds of nodes."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.model import Definition, Node
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database


class NodeError(Exception):
    """A node's work failed. type: a slug that conditions may ask for; message: shown to people, never holds a secret.

    retryable: whether the node's retries apply.
    """

    def __init__(self, type: str, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.type = type
        self.message = message
        self.retryable = retryable


@dataclass(frozen=True, slots=True)
class Usage:
    """What the work spent on language models. cost_nano_usd: None where it is not known."""

    tokens: int = 0
    cost_nano_usd: int | None = 0


@dataclass(frozen=True, slots=True)
class NodeResult:
    """How the work ended well. outputs: JSON."""

    outputs: Any
    usage: Usage = Usage()


@dataclass(frozen=True, slots=True)
class Suspend:
    """The work cannot go on without data from outside. The same node runs again with `resume_data` once it is there.

    data: shown to whoever answers.  resume_schema: JSON Schema of the answer.  timeout_s: then the node fails.
    """

    reason: str
    data: Any = None
    resume_schema: Mapping[str, Any] | None = None
    timeout_s: float | None = None


class Journal(Protocol):
    """What a node may say while it works; all of it becomes events of the run, fenced like everything else."""

    def log(self, message: str, *, level: str = "info", category: str | None = None, data: Any = None) -> None:
        """A line of the run's log; level: debug, info, warn or error."""

    def token(self, text: str) -> None:
        """A piece of text as a model gives it; pieces of up to 50 ms are written as one event."""


Fence = Callable[[AsyncSession], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class NodeCall:
    """One attempt at one node's work.

    key: the step's key.  params, inputs: expressions are resolved; of secrets only `${secrets.NAME}` remains, which
    `Secrets.fill` replaces at the last moment.  idempotency_key: the same for every attempt (run, generation, key,
    iteration).  attempt: from 1.  resume_data: what a suspended node was answered, else None.
    left: what the run's budget still allows.  fence: call it in a transaction that writes something of the work: it
    commits only while this execution has the run, and raises LeaseLostError otherwise.
    kept: what nodes leave for later nodes of the same execution of the run, who can read it again where it is missing.
    """

    run_id: UUID
    run_name: str
    account_id: UUID
    trace_id: str | None
    definition: Definition
    node: Node
    key: str
    iteration: int
    attempt: int
    params: Mapping[str, Any]
    inputs: Any
    idempotency_key: str
    database: Database
    access: WorkspaceAccess
    journal: Journal
    fence: Fence
    resume_data: Any = None
    left: Usage = field(default_factory=lambda: Usage(tokens=-1, cost_nano_usd=None))
    kept: dict[str, Any] = field(default_factory=dict)


class NodeWork(Protocol):
    """The work of one kind of node. Called outside of any transaction; may be called again after a crash."""

    async def __call__(self, call: NodeCall) -> NodeResult | Suspend:
        """Raises NodeError; any other error is a failure of type `internal-error` whose text stays in the log."""
