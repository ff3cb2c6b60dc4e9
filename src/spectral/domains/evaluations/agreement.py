"""How well a judge agrees with people: Cohen's κ and its interval. Pure.

    κ = (o − e) ÷ (1 − e)      o: how much both agree, e: how much they would by chance, given how often each says what

Each cell of the table of both's sayings counts with a weight: 1 on the diagonal and 0 beside it for the plain κ; for
the weighted one 1 − |i − j| ÷ (k − 1), so that "4 instead of 5" is nearly right.

Sources: J. Cohen, "A coefficient of agreement for nominal scales" (1960); for the large-sample standard error of both,
J. Fleiss, J. Cohen, B. Everitt, "Large sample standard errors of kappa and weighted kappa" (1969), equation 13.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]

Z_95 = 1.959963984540054
"""The 97.5th percentile of the standard normal distribution."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two raters on the same things. Bounds are of the two-sided 95 % interval.

    agreement: the share on which both say the same.  kappa: None where it does not exist, as when both said one and
    the same about everything.
    """

    pairs: int
    agreement: float | None = None
    kappa: float | None = None
    kappa_low: float | None = None
    kappa_high: float | None = None
    weighted_kappa: float | None = None
    weighted_kappa_low: float | None = None
    weighted_kappa_high: float | None = None


def agreement_of(table: Sequence[Sequence[int]]) -> Agreement:
    """The agreement in a square table: how often the first rater said i and the second j, categories in their order."""
    counts = np.asarray(table, dtype=np.float64)
    pairs = int(counts.sum())
    if pairs == 0:
        return Agreement(0)
    size = len(counts)
    steps = np.abs(np.subtract.outer(np.arange(size), np.arange(size))) / max(1, size - 1)
    plain = _kappa(counts, np.eye(size))
    weighted = _kappa(counts, 1.0 - steps)
    return Agreement(pairs, float(np.trace(counts)) / pairs, *plain, *weighted)


def _kappa(counts: FloatArray, weights: FloatArray) -> tuple[float | None, float | None, float | None]:
    """κ and its bounds."""
    pairs = float(counts.sum())
    shares = counts / pairs
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    observed = float((weights * shares).sum())
    expected = float((weights * np.outer(rows, columns)).sum())
    if 1.0 - expected < 1e-12:
        return None, None, None
    kappa = (observed - expected) / (1.0 - expected)
    means = (weights @ columns)[:, None] + (weights.T @ rows)[None, :]
    inner = float((shares * (weights * (1.0 - expected) - means * (1.0 - observed)) ** 2).sum())
    variance = inner - (observed * expected - 2.0 * expected + observed) ** 2
    error = math.sqrt(max(0.0, variance) / pairs) / (1.0 - expected) ** 2
    low, high = kappa - Z_95 * error, kappa + Z_95 * error
    if error < 1e-9:
        # The formula knows no doubt where all agree, but a sample always leaves some.
        low = (_wilson_low(observed, pairs) - expected) / (1.0 - expected)
    return kappa, max(-1.0, low), min(1.0, high)


def _wilson_low(share: float, pairs: float) -> float:
    """The lower bound of a share. Source: E. Wilson, "Probable inference, the law of succession" (1927)."""
    square = Z_95**2
    centre = share + square / (2 * pairs)
    spread = Z_95 * math.sqrt(share * (1 - share) / pairs + square / (4 * pairs**2))
    return (centre - spread) / (1 + square / pairs)
