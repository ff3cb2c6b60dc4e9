"""What runtimes share whose agents run outside of this process: what they are given, and how their answers are read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.json_values import json_text
from spectral.domains.agents.runtime import Execution, ExecutionFault, ExecutionMode

SHOWN_ERROR = 2_000
MOST_TOKENS = 2**53


@dataclass(frozen=True, slots=True)
class Call:
    """One execution that somebody else is asked for.

    key: the same whenever the same subject asks for the same thing, None where it stands alone.
    """

    config: ConfigDocument
    config_hash: str
    value: JsonValue
    seed: int
    key: str | None
    traceparent: str

    def document(self) -> dict[str, Any]:
        """What every runtime hands over. Nothing in it tells which arm of a comparison it is, or what is expected."""
        return {
            "config": self.config.as_json(),
            "config_hash": self.config_hash,
            "input": self.value,
            "seed": self.seed,
            "traceparent": self.traceparent,
        }


def call_of(
    agent_id: UUID,
    subject: str | None,
    mode: ExecutionMode,
    config: ConfigDocument,
    config_hash: str,
    value: JsonValue,
    seed: int,
) -> Call:
    """The call, with a trace of its own.  Source: W3C Trace Context, "traceparent Header"."""
    what = [str(agent_id), subject or "", mode.value, config_hash, json_text(value), str(seed)]
    digest = hashlib.sha256("\n".join(what).encode()).hexdigest()
    # Only an evaluation means the same execution when it asks again: what is live may be asked twice and mean it.
    key = digest if subject is not None and mode is ExecutionMode.EVALUATION else None
    return Call(config, config_hash, value, seed, key, f"00-{digest[:32]}-{digest[32:48]}-01")


def executed(
    label: str,
    mode: ExecutionMode,
    said: Mapping[str, Any],
    *,
    cost_nano_usd: int | None,
    latency_ms: float,
    trace_id: str | None = None,
) -> Execution:
    """What an agent's answer `{output | error {type, message}, usage?}` comes to.

    label: what executed it, where a model's name would stand.  Text is the output as it is, other JSON as JSON text.
    """
    error = said.get("error")
    usage = said.get("usage") or {}
    output = None
    fault = None
    if error is not None:
        fault = ExecutionFault("agent_error", _told(error))
    else:
        value = said.get("output")
        output = value if isinstance(value, str) else json_text(value)
    return Execution(
        output=output,
        error=fault,
        input_tokens=_count(usage.get("input_tokens")),
        output_tokens=_count(usage.get("output_tokens")),
        cost_nano_usd=cost_nano_usd,
        latency_ms=latency_ms,
        model=label,
        mode=mode,
        trace_id=trace_id,
    )


def missing(
    label: str,
    mode: ExecutionMode,
    message: str,
    *,
    retryable: bool,
    cost_nano_usd: int | None,
    latency_ms: float = 0.0,
) -> Execution:
    """Nothing was learned about the agent.

    cost_nano_usd: None where it may have been executed all the same, 0 where it surely was not.
    """
    fault = ExecutionFault("runtime_error", message[:SHOWN_ERROR], retryable)
    return Execution(None, fault, 0, 0, cost_nano_usd, latency_ms, label, mode)


def _told(error: Any) -> str:
    if isinstance(error, Mapping):
        kind, message = error.get("type"), error.get("message")
        told = ": ".join(str(part) for part in (kind, message) if part not in {None, ""})
        return (told or "the agent failed")[:SHOWN_ERROR]
    return str(error)[:SHOWN_ERROR]


def _count(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS else 0
