"""Guards: what a gain must not cost. Each becomes paired series whose *slack* must not be negative. Pure.

    slack = ratio · S(champion) + allowance − S(challenger)        S: mean or 95th percentile; smaller values are better

A guard holds when the lower bound of the slack's interval is at least 0: non-inferiority, with the guard's own limit as
the margin. Where larger is better the values are negated, so one formula serves all. The interval itself belongs to
whoever judges (a paired bootstrap resamples items and calls `slack` on the resampled columns).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, model_validator

from spectral.domains.evaluations.unions import UNTAGGED

FloatArray = npt.NDArray[np.float64]
Statistic = Literal["mean", "p95"]

P95 = 0.95
TOLERANCE = 1e-12

DimensionName = Annotated[str, Field(min_length=1, max_length=64)]


class _Guard(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, hide_input_in_errors=True)


class LatencyGuard(_Guard):
    """Latency of the challenger at most `max_ratio` times the champion's: 1.10 is "not worse by more than 10 %"."""

    kind: Literal["latency"]
    statistic: Statistic = "p95"
    max_ratio: float = Field(default=1.10, gt=0, le=1000)

    @property
    def name(self) -> str:
        """How evidence names this guard."""
        return f"{self.statistic}_latency"


class CostGuard(_Guard):
    """Mean cost of a call at most `max_ratio` times the champion's."""

    kind: Literal["cost"]
    max_ratio: float = Field(default=1.2, gt=0, le=1000)

    @property
    def name(self) -> str:
        """How evidence names this guard."""
        return "mean_cost"


class DimensionGuard(_Guard):
    """The challenger's mean on one rubric dimension: at least `minimum`, or at most `max_drop` below the champion's."""

    kind: Literal["dimension"]
    dimension: DimensionName
    minimum: float | None = Field(default=None, ge=0, le=1)
    max_drop: float | None = Field(default=None, ge=0, le=1)

    @model_validator(mode="after")
    def says_something(self) -> Self:
        """Refuses a guard without exactly one limit."""
        if (self.minimum is None) == (self.max_drop is None):
            message = "give one of minimum and max_drop"
            raise ValueError(message)
        return self

    @property
    def name(self) -> str:
        """How evidence names this guard."""
        return f"{self.dimension}_{'minimum' if self.minimum is not None else 'max_drop'}"


class ErrorRateGuard(_Guard):
    """The challenger's share of agent errors at most `max_increase` above the champion's."""

    kind: Literal["error_rate"]
    max_increase: float = Field(default=0.01, ge=0, le=1)

    @property
    def name(self) -> str:
        """How evidence names this guard."""
        return "error_rate"


Guard = Annotated[LatencyGuard | CostGuard | DimensionGuard | ErrorRateGuard, Field(discriminator="kind"), UNTAGGED]


class ScoredDimension(Protocol):
    """What a guard reads of one dimension's score."""

    @property
    def score(self) -> float | None: ...


class GuardedItem(Protocol):
    """What a guard reads of one measured item."""

    @property
    def missing(self) -> bool: ...
    @property
    def error_type(self) -> str | None: ...
    @property
    def cost_nano_usd(self) -> int | None: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def dimensions(self) -> Mapping[str, ScoredDimension]: ...


@dataclass(frozen=True, slots=True)
class GuardSeries:
    """One guard's paired values; the i-th of both arms belong to one item. Smaller is better (negated if need be).

    unit: what a value is ("ms", "nano_usd", "score", "error").  kept: which of the pairs given are in the series, by
    index, so that the caller can pick their groups.  missing: how many pairs had no value on one side or both.
    """

    name: str
    unit: Literal["ms", "nano_usd", "score", "error"]
    statistic: Statistic
    ratio: float
    allowance: float
    champion: FloatArray
    challenger: FloatArray
    kept: tuple[int, ...]
    missing: int

    def slack(self, champion: FloatArray | None = None, challenger: FloatArray | None = None) -> FloatArray:
        """The slack over the last axis of the two arrays (resamples in rows); of the series itself without any.

        NaN for an empty series. The guard holds at a slack of at least 0.
        """
        ours = self.champion if champion is None else champion
        theirs = self.challenger if challenger is None else challenger
        if ours.shape[-1] == 0:
            return np.full(ours.shape[:-1], np.nan)
        return np.asarray(self.ratio * self._statistic(ours) + self.allowance - self._statistic(theirs))

    def item_slacks(self) -> FloatArray | None:
        """Each item's contribution, whose mean is the slack, for an interval of a mean; None for a percentile."""
        if self.statistic != "mean":
            return None
        return self.ratio * self.champion + self.allowance - self.challenger

    def holds(self) -> bool:
        """Whether the point estimate respects the guard; an empty series shows nothing and does not."""
        return bool(self.slack() >= -TOLERANCE * self._magnitude())

    def _magnitude(self) -> float:
        return float(max(1.0, np.abs(self.champion).max(initial=0.0), np.abs(self.challenger).max(initial=0.0)))

    def _statistic(self, values: FloatArray) -> FloatArray:
        if self.statistic == "mean":
            return np.asarray(values.mean(axis=-1))
        return np.asarray(np.quantile(values, P95, axis=-1, method="inverted_cdf"))


def guard_series(guard: Guard, pairs: Sequence[tuple[GuardedItem, GuardedItem]]) -> GuardSeries:
    """The guard's values of (champion, challenger) pairs on the same items.

    A pair is left out, and counted as missing, when a side is missing or its value is unknown. An agent's error
    counts as the rubric scored it in dimensions, as 1 in the error rate, and with the time and money it took.
    """
    values = [(_value(guard, champion), _value(guard, challenger)) for champion, challenger in pairs]
    kept = tuple(index for index, (ours, theirs) in enumerate(values) if ours is not None and theirs is not None)
    unit, statistic, ratio, allowance = _shape(guard)
    return GuardSeries(
        name=guard.name,
        unit=unit,
        statistic=statistic,
        ratio=ratio,
        allowance=allowance,
        champion=np.array([values[index][0] for index in kept], dtype=np.float64),
        challenger=np.array([values[index][1] for index in kept], dtype=np.float64),
        kept=kept,
        missing=len(values) - len(kept),
    )


def guarded_dimensions(guards: Iterable[Guard]) -> Iterator[str]:
    """The rubric dimensions that guards name."""
    for guard in guards:
        if isinstance(guard, DimensionGuard):
            yield guard.dimension


def _shape(guard: Guard) -> tuple[Literal["ms", "nano_usd", "score", "error"], Statistic, float, float]:
    if isinstance(guard, LatencyGuard):
        return "ms", guard.statistic, guard.max_ratio, 0.0
    if isinstance(guard, CostGuard):
        return "nano_usd", "mean", guard.max_ratio, 0.0
    if isinstance(guard, ErrorRateGuard):
        return "error", "mean", 1.0, guard.max_increase
    # Scores are negated: S(challenger) ≥ minimum is 0 · S(champion) − minimum − (−S(challenger)) ≥ 0.
    if guard.minimum is not None:
        return "score", "mean", 0.0, -guard.minimum
    return "score", "mean", 1.0, guard.max_drop or 0.0


def _value(guard: Guard, item: GuardedItem) -> float | None:
    if item.missing:
        return None
    if isinstance(guard, LatencyGuard):
        return item.latency_ms
    if isinstance(guard, CostGuard):
        return None if item.cost_nano_usd is None else float(item.cost_nano_usd)
    if isinstance(guard, ErrorRateGuard):
        return 0.0 if item.error_type is None else 1.0
    dimension = item.dimensions.get(guard.dimension)
    return None if dimension is None or dimension.score is None else -dimension.score
