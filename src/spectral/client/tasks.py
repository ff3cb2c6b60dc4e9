"""What a function that does the work is given, and how it says more than its output."""

import threading
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from spectral.client.errors import SpectralClientError

AgentFunction = Callable[[dict[str, Any], Any], Any | Awaitable[Any]]
"""`(config, input) -> output`; may be asynchronous."""

WorkFunction = Callable[[str, Any], Any | Awaitable[Any]]
"""`(task, inputs) -> output`; may be asynchronous."""


class TaskFailed(Exception):  # noqa: N818 - it says what happened to the task, not to this program
    """Raised by a function: the task has failed, and this is why.

    type: a word that the workflow's conditions may ask for.  retryable: whether trying again may help.
    Any other exception fails the task as well, under its class's name, as one that may be retried.
    """

    def __init__(self, message: str, *, type: str = "failed", retryable: bool = False) -> None:
        super().__init__(message)
        self.type = type
        self.retryable = retryable


@dataclass
class TaskContext:
    """The task that a function works on; `current_task()` inside of it.

    attempt: from 1; above that, somebody has had the task before and may have begun it.  idempotency_key: the same for
    every attempt, for what the function asks others to do.  traceparent: W3C Trace Context; spans that OpenTelemetry
    begins in the function join that trace by themselves, others have to be given it.  seed, max_cost_usd: of
    evaluations, None elsewhere.  mode: why an agent's task is to be done: `evaluation`, `playground` or `live`.
    config_hash: of the config that an agent's task is under.
    """

    task_id: str
    attempt: int
    idempotency_key: str
    traceparent: str | None = None
    seed: int | None = None
    max_cost_usd: str | None = None
    mode: str | None = None
    config_hash: str | None = None
    _usage: dict[str, int] = field(default_factory=dict)
    _cost_usd: str | None = None
    _trace_id: str | None = None
    _latency_ms: float | None = None
    _lost: threading.Event = field(default_factory=threading.Event)

    @property
    def cancelled(self) -> bool:
        """Whether nobody waits for the output any more; long work may look here now and then, from any thread."""
        return self._lost.is_set()

    @property
    def attributes(self) -> dict[str, str]:
        """What every span of the work should carry, so that evaluations are told from live traffic."""
        return {} if self.mode is None else {"spectral.mode": self.mode}

    def report(
        self, *, usage: Mapping[str, int] | None = None, cost_usd: str | None = None, trace_id: str | None = None
    ) -> None:
        """What the work took, sent with its result. usage: such as `input_tokens`; added to what was said before.

        cost_usd: a decimal string such as "0.0042".  trace_id: of the work's own trace, 32 hex digits.
        """
        for name, count in (usage or {}).items():
            self._usage[name] = self._usage.get(name, 0) + count
        self._cost_usd = self._cost_usd if cost_usd is None else cost_usd
        self._trace_id = self._trace_id if trace_id is None else trace_id

    def reported(self) -> dict[str, Any]:
        """The members of a result that `report` made."""
        told = {
            "usage": self._usage or None,
            "cost_usd": self._cost_usd,
            "trace_id": self._trace_id,
            "latency_ms": self._latency_ms,
        }
        return {name: value for name, value in told.items() if value is not None}

    def note_latency(self, seconds: float) -> None:
        """The function took so long."""
        self._latency_ms = round(seconds * 1000, 3)

    def note_lost(self) -> None:
        """Somebody else has the task now, or nobody wants it any more."""
        self._lost.set()


CURRENT: ContextVar[TaskContext] = ContextVar("spectral_task")


def current_task() -> TaskContext:
    """The task that the calling function works on. Raises SpectralClientError outside of one."""
    try:
        return CURRENT.get()
    except LookupError:
        raise SpectralClientError("there is no task here: this is not called by a runner") from None


@dataclass(frozen=True)
class Work:
    """Where tasks come from and who does them: the tasks of an agent, or of a named queue."""

    kind: str
    name: str
    function: Callable[..., Any]

    def arguments(self, task: Mapping[str, Any]) -> tuple[Any, Any]:
        """What the function is called with."""
        if self.kind == "agent":
            return task["config"], task["input"]
        return task["task"], task["inputs"]
