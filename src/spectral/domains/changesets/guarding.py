"""The live guard's statistics: two randomised arms compared again and again, errors bounded for all looks together.

Sessions are assigned to the new version with probability `1 - share` by a salted hash, whatever they ask and whenever
they come. An observation is one session's score Y in [0, 1]. With m any number that is known before the session,

    ψ = (Y - m) · (1/(1 - share) for the new version, -1/share for the one before)

has, given everything before, the effect of the new version on this session as its mean: the randomisation alone sees
to that, so neither a drift that both arms share nor another mix of traffic can move it. (Inverse propensity weighting;
m, the running mean, only takes out variance.) Against "the effect is at least e" one bets on ψ falling below e:

    K_n = Π (1 - λ·(ψ - e)),   λ known before the session, 0 ≤ λ < 1/max(ψ - e)

K is then a nonnegative supermartingale that starts at 1, and Ville's inequality says P(K ever reaches 1/α) ≤ α: the
capital may be looked at after every session. Three sizes of bets are mixed, because the right one is not known. A bound
of the effect is the smallest e that has lost; the other side is the same with the signs turned.

Sources: Howard, Ramdas, McAuliffe, Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals of
Statistics 49(2), 2021 (sections 4.2 and 5 for treatment effects by weighting); Waudby-Smith & Ramdas, "Estimating means
of bounded random variables by betting", JRSS B 86(1), 2024 (the capital process, section 4; mixed bets, section 4.3);
Lindon & Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022 (the check of the assignment).

Pure: the state is a function of the observations in their order, and bounded whatever their number.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

ALPHA = 0.025
"""Of each bound, over all looks together: both of them are right with 95 %, and one guard in forty raises a false alarm
at most."""
MARGIN = 0.05
"""A loss that is not confirmed to be smaller than this keeps the guard running."""
HORIZON = 20_000
BETS = (0.15, 0.4, 0.8)
ASSIGNMENT_ALPHA = 0.001
SMALLEST_BASELINE = 30
SMALLEST_ARM = {"regression": 10, "no_regression": 30}
"""Sessions of each arm before anything is said. The bounds hold without it; a person asked to believe them does not."""
_DECAY = 0.02
_STEPS = (0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.08, 0.1, 0.12, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5)
EFFECTS = (*(-step for step in reversed(_STEPS)), 0.0, *_STEPS)
"""The effects that are tested; bounds are rounded outwards to one of them."""


class Finding(StrEnum):
    """What the observations say so far. `open`: nothing yet."""

    OPEN = "open"
    REGRESSION = "regression"
    NO_REGRESSION = "no_regression"
    HORIZON = "horizon"


@dataclass(slots=True)
class _Capital:
    """Against one hypothesis: the logarithm of the capital of each size of bet."""

    effect: float
    logs: list[float] = field(default_factory=lambda: [0.0] * len(BETS))

    def bet(self, gain: float, largest: float, alpha: float) -> bool:
        """Whether the hypothesis has lost: the mixed capital is 1/alpha or more.

        gain: what a unit bet wins this time, at least `-largest`.
        """
        unit, log1p = gain / largest, math.log1p
        self.logs = [log + log1p(bet * unit) for log, bet in zip(self.logs, BETS, strict=True)]
        needed = -math.log(alpha)
        # A mean is at most the largest; nearly always that says enough.
        return max(self.logs) >= needed and _log_mean(self.logs) >= needed


class Comparison:
    """The new version against the one before, on randomised sessions.

    share: of the sessions that keep the version before, in (0, 0.5].  effects: hypotheses, ascending.  low, high:
    bounds of the effect, each right at all times together with probability 1 - alpha; -1 and 1 where nothing is
    excluded.
    """

    def __init__(self, share: float, *, alpha: float = ALPHA, effects: Sequence[float] = EFFECTS) -> None:
        if not 0 < share <= 0.5:
            message = "the share of a holdback is above 0 and at most 0.5"
            raise ValueError(message)
        self.share = share
        self.alpha = alpha
        self.counts = [0, 0]
        self.sums = [0.0, 0.0]
        self.low, self.high = -1.0, 1.0
        self._baseline = 0.5
        self._at_least = [_Capital(effect) for effect in effects]
        self._at_most = [_Capital(effect) for effect in effects]

    @property
    def n(self) -> int:
        """Sessions of both arms."""
        return sum(self.counts)

    @property
    def means(self) -> tuple[float | None, float | None]:
        """The mean score of the new version and of the one before."""
        first, second = (total / count if count else None for total, count in zip(self.sums, self.counts, strict=True))
        return first, second

    @property
    def assignment_log_evidence(self) -> float:
        """The logarithm of the e-value against "sessions come from the arms in the proportion of their weights".

        The uniform mixture over all proportions. 6.9 or more happens to a right assignment once in a thousand guards.
        """
        new, before = self.counts
        mixed = math.lgamma(new + 1) + math.lgamma(before + 1) - math.lgamma(self.n + 2)
        return mixed - new * math.log1p(-self.share) - before * math.log(self.share)

    @property
    def is_uneven(self) -> bool:
        """Whether the arms' sessions come in other proportions than assigned: what is compared is not comparable."""
        return self.assignment_log_evidence >= -math.log(ASSIGNMENT_ALPHA)

    def observe(self, score: float, *, is_new: bool) -> None:
        """The next session. Raises ValueError for a score outside [0, 1]."""
        if not 0 <= score <= 1:
            message = "a score lies between 0 and 1"
            raise ValueError(message)
        baseline, share = self._baseline, self.share
        psi = (score - baseline) * (1 / (1 - share) if is_new else -1 / share)
        most = max((1 - baseline) / (1 - share), baseline / share)
        least = -max(baseline / (1 - share), (1 - baseline) / share)
        kept = []
        for capital in self._at_least:
            if capital.bet(capital.effect - psi, most - capital.effect, self.alpha):
                self.high = min(self.high, capital.effect)
            else:
                kept.append(capital)
        self._at_least = [capital for capital in kept if capital.effect < self.high]
        kept = []
        for capital in self._at_most:
            if capital.bet(psi - capital.effect, capital.effect - least, self.alpha):
                self.low = max(self.low, capital.effect)
            else:
                kept.append(capital)
        self._at_most = [capital for capital in kept if capital.effect > self.low]
        arm = 0 if is_new else 1
        self.counts[arm] += 1
        self.sums[arm] += score
        self._baseline += (score - baseline) * max(_DECAY, 1 / (self.n + 2))

    def finding(self, *, margin: float = MARGIN, horizon: int = HORIZON) -> Finding:
        """Regression: it is excluded that the new version is as good. No regression: it loses less than the margin."""
        smaller = min(self.counts)
        if self.high <= 0 and smaller >= SMALLEST_ARM[Finding.REGRESSION]:
            return Finding.REGRESSION
        if self.high > 0 and self.low >= -margin and smaller >= SMALLEST_ARM[Finding.NO_REGRESSION]:
            return Finding.NO_REGRESSION
        return Finding.HORIZON if self.n >= horizon else Finding.OPEN

    def document(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "share": self.share,
            "alpha": self.alpha,
            "counts": list(self.counts),
            "sums": list(self.sums),
            "baseline": self._baseline,
            "low": self.low,
            "high": self.high,
            "at_least": [[capital.effect, *capital.logs] for capital in self._at_least],
            "at_most": [[capital.effect, *capital.logs] for capital in self._at_most],
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Comparison":
        """As it was when `document` was made; JSON may have turned floats into integers."""
        found = cls(float(document["share"]), alpha=float(document["alpha"]), effects=())
        found.counts = [int(count) for count in document["counts"]]
        found.sums = [float(total) for total in document["sums"]]
        found._baseline = float(document["baseline"])
        found.low, found.high = float(document["low"]), float(document["high"])
        found._at_least = [_Capital(float(e), [float(log) for log in logs]) for e, *logs in document["at_least"]]
        found._at_most = [_Capital(float(e), [float(log) for log in logs]) for e, *logs in document["at_most"]]
        return found


class Decline:
    """Without a holdback: whether scores after the promotion lie below what they were before.

    baseline: a lower bound of the mean score before. A drift that would have come anyway looks the same as a worse
    version, which is why this may raise an alert and nothing else.
    """

    def __init__(self, baseline: float, *, alpha: float = ALPHA) -> None:
        self.baseline = baseline
        self.alpha = alpha
        self.count = 0
        self.total = 0.0
        self.has_declined = False
        self._capital = _Capital(baseline)

    def observe(self, score: float) -> None:
        """The next session. Raises ValueError for a score outside [0, 1]."""
        if not 0 <= score <= 1:
            message = "a score lies between 0 and 1"
            raise ValueError(message)
        self.count += 1
        self.total += score
        if self.baseline <= 0:
            return  # nothing lies below
        if self._capital.bet(self.baseline - score, max(1 - self.baseline, 1e-9), self.alpha):
            self.has_declined = True

    def document(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "baseline": self.baseline,
            "alpha": self.alpha,
            "count": self.count,
            "total": self.total,
            "has_declined": self.has_declined,
            "logs": list(self._capital.logs),
        }

    @classmethod
    def from_document(cls, document: dict[str, Any]) -> "Decline":
        """As it was when `document` was made."""
        found = cls(float(document["baseline"]), alpha=float(document["alpha"]))
        found.count, found.total = int(document["count"]), float(document["total"])
        found.has_declined = bool(document["has_declined"])
        found._capital.logs = [float(log) for log in document["logs"]]
        return found


def baseline_of(scores: Sequence[float], *, alpha: float = ALPHA) -> float | None:
    """A lower bound, at 1 - alpha, of the mean that these scores were drawn from; None for fewer than 30.

    Empirical Bernstein (Maurer & Pontil 2009, theorem 4), which needs nothing but scores in [0, 1].
    """
    n = len(scores)
    if n < SMALLEST_BASELINE:
        return None
    mean = math.fsum(scores) / n
    variance = math.fsum((score - mean) ** 2 for score in scores) / (n - 1)
    log = math.log(2 / alpha)
    return max(0.0, mean - math.sqrt(2 * variance * log / n) - 7 * log / (3 * (n - 1)))


def _log_mean(logs: Sequence[float]) -> float:
    top = max(logs)
    return top + math.log(math.fsum(math.exp(log - top) for log in logs) / len(logs))
