"""What is kept of every call over the network."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

from spectral.platform.access.principal import WorkspaceAccess


@dataclass(frozen=True, slots=True)
class CallRecord:
    """One attempt at a call, as it ended.

    cost_nano_usd: None where it is not known.  error_type: the fault's code, None where the call was answered.
    """

    access: WorkspaceAccess
    kind: Literal["completion", "embedding"]
    purpose: str
    subject: str | None
    provider: str
    model: str
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    reasoning_tokens: int
    cost_nano_usd: int | None
    latency_ms: float
    error_type: str | None
    ended_at: datetime


class CallLog(Protocol):
    """Keeps the records of calls; never in the transaction of whoever calls, and without making them wait."""

    async def record(self, call: CallRecord) -> None:
        """Waits only while more records than memory should hold are not stored yet."""
        ...

    async def close(self) -> None:
        """Everything that was recorded is stored, or said to be lost in the log."""
        ...
