"""How each model has behaved in this process since it started."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from spectral.platform.llm.calls import EmbeddingReply, ModelFault, ModelReply
from spectral.platform.llm.provider import CircuitState
from spectral.platform.shared.clock import utc_now

NEVER_CALLED = frozenset({"circuit_open", "no_credential", "no_embeddings", "embeddings_only", "not_sent"})
"""Codes of faults that say nothing about a model, because it was not called."""
LATENCIES_KEPT = 2048
"""Percentiles are over this many of the latest answered calls."""


@dataclass(frozen=True, slots=True)
class LastError:
    """The latest fault of a model.

    message: of a call over the network only the fault's code: providers quote requests, which are not ours to show.
    """

    type: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ModelHealth:
    """The behaviour of one model since `since`, in this process.

    calls: answered and failed ones together. success_rate: 0–1, None before the first call.
    latency_*_ms: percentiles over the latest answered calls, None before the first answer.
    circuit: open while calls are refused because the latest ones failed, half_open while one of them is a probe; the
    worst of the circuits that the model has (one for each workspace that calls it).
    """

    model: str
    provider: str
    since: datetime
    calls: int
    failures: int
    success_rate: float | None
    latency_p50_ms: float | None
    latency_p95_ms: float | None
    latency_p99_ms: float | None
    last_call_at: datetime | None
    last_error: LastError | None
    circuit: CircuitState = "closed"


class HealthRecord:
    """Counts the calls of one model; used from the event loop only."""

    def __init__(self, model: str, provider: str) -> None:
        """Start counting now."""
        self._model = model
        self._provider = provider
        self._since = utc_now()
        self._calls = 0
        self._failures = 0
        self._latencies: deque[float] = deque(maxlen=LATENCIES_KEPT)
        self._last_call_at: datetime | None = None
        self._last_error: LastError | None = None

    def add(self, outcomes: Sequence[ModelReply | EmbeddingReply | ModelFault]) -> None:
        """Count finished calls."""
        now = utc_now()
        for outcome in outcomes:
            if isinstance(outcome, ModelFault) and outcome.code in NEVER_CALLED:
                continue
            self._calls += 1
            if isinstance(outcome, ModelFault):
                self._failures += 1
                self._last_error = LastError(outcome.type, outcome.code or outcome.message, now)
            else:
                self._latencies.append(outcome.latency_ms)
        if outcomes:
            self._last_call_at = now

    def read(self, circuit: CircuitState = "closed") -> ModelHealth:
        """The figures as they are now."""
        ordered = sorted(self._latencies)
        return ModelHealth(
            model=self._model,
            provider=self._provider,
            since=self._since,
            calls=self._calls,
            failures=self._failures,
            success_rate=(self._calls - self._failures) / self._calls if self._calls else None,
            latency_p50_ms=nearest_rank(ordered, 0.50),
            latency_p95_ms=nearest_rank(ordered, 0.95),
            latency_p99_ms=nearest_rank(ordered, 0.99),
            last_call_at=self._last_call_at,
            last_error=self._last_error,
            circuit=circuit,
        )


def nearest_rank(ordered: Sequence[float], quantile: float) -> float | None:
    """The smallest value with at least `quantile` of the ordered values at or below it; None of nothing."""
    if not ordered:
        return None
    rank = -int(-quantile * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]
