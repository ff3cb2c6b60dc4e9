"""What runners say of the tasks that they were given."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from spectral.domains.agents.json_values import json_text
from spectral.platform.shared.errors import PayloadTooLargeError

MAX_RESULT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What a runner made of a task: an output, or an error `{type, message, retryable}`; and what it took.

    usage: counts by name (`input_tokens`, …).  cost_nano_usd, latency_ms: None where it is not known.
    """

    output: Any = None
    error: Mapping[str, Any] | None = None
    usage: Mapping[str, int] | None = None
    cost_nano_usd: int | None = None
    trace_id: str | None = None
    latency_ms: float | None = None

    def outcome(self) -> dict[str, Any]:
        """As `RemoteTask.outcome` keeps it."""
        result = {"output": self.output} if self.error is None else {"error": dict(self.error)}
        told = {"usage": self.usage, "trace_id": self.trace_id, "latency_ms": self.latency_ms}
        return result | {name: value for name, value in told.items() if value is not None}

    def digest(self) -> str:
        """Tells whether two answers are the same, SHA-256. Raises PayloadTooLargeError (413)."""
        outcome = json_text(self.outcome()).encode()
        if len(outcome) > MAX_RESULT_BYTES:
            raise PayloadTooLargeError(f"The result has {len(outcome)} bytes of JSON, more than {MAX_RESULT_BYTES}")
        cost = "" if self.cost_nano_usd is None else str(self.cost_nano_usd)
        return hashlib.sha256(outcome + b"\n" + cost.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Result:
    """An answer with the task that it is for, and the token of who gives it."""

    task_id: UUID
    token: str
    answer: Answer


def answers_topic(workspace_id: UUID, queue: str) -> str:
    """Where those who wait for the answers of a queue's tasks listen."""
    return f"answers:{workspace_id}:{queue}"
