"""The arithmetic behind every claim of a gain: paired intervals, exact tests, sample sizes.

Pure numpy and scipy, no clock, no database, no global random state: the same arguments give the same bits.
The rules that use these numbers are in `decision.py` and `ledger.py`; the reasons are in docs/statistics.md.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

RESAMPLES = 10_000
BOOTSTRAP_FROM_ITEMS = 100
# Fewer independent groups than this: the t interval, whose width knows how few they are (docs/statistics.md).
BOOTSTRAP_FROM_GROUPS = 40
# Up to this many different unit values resamples are drawn as counts per value, which is the same law and far faster.
_DISTINCT_VALUES = 64
_ENUMERATED_GROUPS = 13
_CELLS_PER_CHUNK = 4_000_000
_TIE = 1e-12


@dataclass(frozen=True, slots=True)
class PairedEffect:
    """A mean paired difference (challenger minus champion) lies in [low, high] at the stated confidence.

    n: pairs used. groups: independent units (equal to n where nothing is grouped). method: `bca`, `paired-t` or
    `degenerate`. A degenerate effect saw no variation at all: its bounds are the one value that was seen, which
    describes the sample and proves nothing; see `constant_bounds`.
    """

    n: int
    groups: int
    mean: float
    low: float
    high: float
    confidence: float
    method: str

    @property
    def degenerate(self) -> bool:
        return self.method == "degenerate"


@dataclass(frozen=True, slots=True)
class Rate:
    """`successes` of `n` is a rate whose interval is [low, high] at the stated confidence."""

    successes: int
    n: int
    rate: float
    low: float
    high: float
    confidence: float


@dataclass(frozen=True, slots=True)
class _Units:
    """Independent units: the total of the differences and the number of pairs in each."""

    totals: FloatArray
    counts: FloatArray

    @property
    def size(self) -> int:
        return int(self.totals.size)

    @property
    def mean(self) -> float:
        return float(self.totals.sum() / self.counts.sum())


def group_codes(groups: Sequence[str | None] | None, n: int) -> IntArray:
    """Pairs that share a group have the same code, a pair without a group has its own; codes are 0 … units-1."""
    if groups is None:
        return np.arange(n, dtype=np.int64)
    if len(groups) != n:
        raise ValueError(f"{len(groups)} groups for {n} pairs")
    codes: dict[tuple[bool, str], int] = {}
    keys = ((True, group) if group is not None else (False, str(index)) for index, group in enumerate(groups))
    return np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)


def paired_effect(
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    groups: Sequence[str | None] | None = None,
    *,
    confidence: float = 0.95,
    seed: int,
    resamples: int = RESAMPLES,
) -> PairedEffect:
    """The mean difference challenger - champion has a two-sided interval that respects the grouping of the pairs.

    champion, challenger: same length, finite, pair i measured on the same item. groups: one label per pair (session,
    user); pairs of one group move together in every resample; None means independent.
    Method: BCa bootstrap over the groups from 100 pairs in at least 40 groups; below that the paired t interval with
    groups - 1 degrees of freedom on the linearised group totals. Deterministic by (arguments, seed).
    Raises ValueError for empty, unequal or non-finite input and a confidence outside (0, 1).
    Source: Efron, "Better Bootstrap Confidence Intervals", JASA 82 (1987); Hesterberg, The American Statistician 69
    (2015) for the expanded tails; Field & Welsh, JRSS B 69 (2007) for resampling clusters; Cochran, "Sampling
    Techniques", 3rd ed., 6.4 for the ratio variance.
    """
    return paired_effects(champion, challenger, groups, confidences=(confidence,), seed=seed, resamples=resamples)[0]


def paired_effects(
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    groups: Sequence[str | None] | None = None,
    *,
    confidences: Sequence[float],
    seed: int,
    resamples: int = RESAMPLES,
) -> list[PairedEffect]:
    """As `paired_effect`, one for each confidence, all read off the same resamples."""
    differences = _differences(champion, challenger)
    if not all(0.0 < confidence < 1.0 for confidence in confidences):
        raise ValueError(f"confidences {list(confidences)} are not all between 0 and 1")
    units = _units(differences, group_codes(groups, differences.size))
    n, size, mean = int(differences.size), units.size, units.mean
    if float(np.ptp(differences)) <= _TIE:
        return [PairedEffect(n, size, mean, mean, mean, each, "degenerate") for each in confidences]
    if n >= BOOTSTRAP_FROM_ITEMS and size >= BOOTSTRAP_FROM_GROUPS:
        replicates = np.sort(_bootstrap_means(units, np.random.default_rng(seed), resamples))
        return [PairedEffect(n, size, mean, *_bca(units, replicates, each), each, "bca") for each in confidences]
    return [PairedEffect(n, size, mean, *_cluster_t(units, each), each, "paired-t") for each in confidences]


def constant_bounds(effect: PairedEffect, *, span: float = 1.0) -> tuple[float, float]:
    """What `groups` identical differences still allow for the true mean, when differences lie in [-span, span].

    If a share p of the population differed from what was seen, the chance to see none of it is (1-p)^groups; the
    largest p that is not excluded, moved to either end of the range, gives the bounds (Clopper-Pearson at zero events,
    "the rule of three"). Thirty identical answers prove little; a thousand prove more.
    """
    unseen = 1.0 - ((1.0 - effect.confidence) / 2.0) ** (1.0 / effect.groups)
    return (1.0 - unseen) * effect.mean - unseen * span, (1.0 - unseen) * effect.mean + unseen * span


def sign_flip_p(
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    groups: Sequence[str | None] | None = None,
    *,
    seed: int,
    resamples: int = RESAMPLES,
) -> float:
    """The two-sided p-value that the arms are exchangeable, exact up to resampling whatever the scores look like.

    Signs of whole groups are flipped; with 0/1 scores and no grouping it *is* the exact McNemar test and is computed
    in closed form, up to 13 non-zero groups are enumerated, otherwise (hits + 1) / (resamples + 1). With G non-zero
    groups it cannot fall under 2^(1-G): a few groups can never prove a gain.
    Source: Phipson & Smyth, SAGMB 9 (2010) for the +1.
    """
    differences = _differences(champion, challenger)
    units = _units(differences, group_codes(groups, differences.size))
    totals = units.totals[np.abs(units.totals) > _TIE]
    if totals.size == 0:
        return 1.0
    sizes = np.abs(totals)
    if float(np.ptp(sizes)) <= _TIE:
        wins = int((totals > 0).sum())
        return mcnemar_exact(wins, int(totals.size) - wins)
    observed = abs(float(totals.sum()))
    if totals.size <= _ENUMERATED_GROUPS:
        bits = (np.arange(2**totals.size)[:, None] >> np.arange(totals.size)) & 1
        return float((np.abs((2.0 * bits - 1.0) @ sizes) >= observed - 1e-9).mean())
    generator = np.random.default_rng(seed)
    values, inverse = np.unique(np.round(sizes, 12), return_inverse=True)
    hits = 0
    if values.size <= _DISTINCT_VALUES:
        repeated = np.bincount(inverse, minlength=values.size)
        plus = generator.binomial(repeated, 0.5, size=(resamples, values.size))
        sums = (2.0 * plus - repeated) @ values
        hits = int((np.abs(sums) >= observed - 1e-9).sum())
    else:
        for rows in _chunks(resamples, sizes.size):
            signs = np.unpackbits(generator.integers(0, 256, size=(rows, -(-sizes.size // 8)), dtype=np.uint8), axis=1)
            positive = signs[:, : sizes.size] @ sizes
            hits += int((np.abs(2.0 * positive - sizes.sum()) >= observed - 1e-9).sum())
    return (hits + 1) / (resamples + 1)


def mcnemar_exact(wins: int, losses: int) -> float:
    """The exact two-sided p-value of `wins` against `losses` among discordant pairs (1.0 when there are none).

    Source: McNemar (1947) with the binomial distribution instead of its chi-square approximation.
    """
    if wins < 0 or losses < 0:
        raise ValueError("discordant pairs cannot be negative")
    if wins + losses == 0:
        return 1.0
    # scipy.stats takes half a second and 45 MB to import and only a decision needs it: a server that answers requests
    # starts without. What it says of the normal and the t distribution is `special`'s, to the bit.
    from scipy import stats  # noqa: PLC0415

    return float(stats.binomtest(wins, wins + losses, 0.5).pvalue)


def wilson(successes: int, n: int, confidence: float = 0.95) -> Rate:
    """A rate with its score interval, which stays inside [0, 1] and is never a point for 0 of n or n of n.

    Source: Wilson, JASA 22 (1927). n = 0 answers the honest interval [0, 1].
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} of {n} is not a rate")
    if n == 0:
        return Rate(0, 0, 0.0, 0.0, 1.0, confidence)
    z = _normal_quantile(0.5 + confidence / 2.0)
    rate = successes / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Rate(successes, n, rate, low, high, confidence)


def minimum_detectable_effect(
    n: int, discordance: float = 0.2, alpha: float = 0.05, power: float = 0.8, *, minimum_effect: float = 0.0
) -> float:
    """The smallest true gain that `n` pairs show with this power at a two-sided level alpha; 0.22 is 22 points.

    discordance: expected share of pairs on which the arms differ; an answer above it says that no gain of arms that
    agree so often can be shown. minimum_effect: what the lower bound must clear, so it is added. 1.0 is the ceiling.
    Source: Miettinen, Biometrics 24 (1968): d·sqrt(n) = z(α/2)·sqrt(ψ) + z(β)·sqrt(ψ - d²).
    """
    _check_design(alpha, power)
    if n < 1 or not 0.0 < discordance <= 1.0:
        raise ValueError("a design needs at least one pair and a discordance in (0, 1]")

    def shortfall(gain: float) -> float:
        needed = _normal_quantile(1 - alpha / 2) * math.sqrt(discordance)
        needed += _normal_quantile(power) * math.sqrt(max(discordance - gain * gain, 0.0))
        return needed - gain * math.sqrt(n)

    if shortfall(1.0) > 0:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if shortfall(middle) > 0 else (low, middle)
    return min(1.0, high + minimum_effect)


def sample_size_for(gain: float, deviation: float, *, alpha: float = 0.05, power: float = 0.8) -> int | None:
    """The pairs a two-sided level-alpha interval needs to exclude zero with this power; None when nothing would do.

    gain: distance of the true mean from the value to exclude (its sign does not matter); zero has no answer.
    deviation: standard deviation of the paired differences (per independent unit).
    """
    _check_design(alpha, power)
    if deviation < 0:
        raise ValueError("a standard deviation is not negative")
    if abs(gain) <= _TIE:
        return None
    factor = _normal_quantile(1 - alpha / 2) + _normal_quantile(power)
    return max(2, math.ceil((factor * deviation / gain) ** 2))


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjusted p-values, in the order given, that keep the family-wise error whatever the dependence.

    Source: Holm, Scandinavian Journal of Statistics 6 (1979).
    """
    if any(not 0.0 <= p <= 1.0 for p in p_values):
        raise ValueError("p-values lie between 0 and 1")
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted


def percentile_slack(
    champion: npt.ArrayLike,
    challenger: npt.ArrayLike,
    groups: Sequence[str | None] | None = None,
    *,
    quantile: float,
    ratio: float,
    allowance: float,
    confidences: Sequence[float],
    seed: int,
    resamples: int = RESAMPLES,
) -> list[tuple[float, float]]:
    """The slack ratio·Q(champion) + allowance - Q(challenger) of a quantile Q has one interval for each confidence.

    Percentile bootstrap over groups, both arms of a group resampled together; the quantile is the smallest value that
    reaches its share of the (resampled) items, without interpolation.
    """
    before, after = _pair(champion, challenger)
    codes = group_codes(groups, before.size)
    size = int(codes.max()) + 1
    orders = (np.argsort(before, kind="stable"), np.argsort(after, kind="stable"))
    generator = np.random.default_rng(seed)

    def at_quantile(values: FloatArray, order: npt.NDArray[np.intp], weights: FloatArray) -> FloatArray:
        reached = np.cumsum(weights[:, order], axis=1)
        position = (reached >= quantile * reached[:, -1:] - 1e-9).argmax(axis=1)
        return np.asarray(values[order][position], dtype=np.float64)

    drawn: list[FloatArray] = []
    for rows in _chunks(resamples, max(size, before.size)):
        weights = _resampled_counts(generator, rows, size)[:, codes]
        drawn.append(
            ratio * at_quantile(before, orders[0], weights) + allowance - at_quantile(after, orders[1], weights)
        )
    ordered = np.sort(np.concatenate(drawn))
    return [_outer_quantiles(ordered, (1 - each) / 2, (1 + each) / 2) for each in confidences]


def deviation_per_unit(
    champion: npt.ArrayLike, challenger: npt.ArrayLike, groups: Sequence[str | None] | None = None
) -> float:
    """The standard deviation for which deviation / sqrt(pairs) is the standard error, clustering included."""
    differences = _differences(champion, challenger)
    units = _units(differences, group_codes(groups, differences.size))
    if units.size < 2:
        return math.inf
    return _standard_error(units) * math.sqrt(differences.size)


def _pair(champion: npt.ArrayLike, challenger: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    before, after = np.asarray(champion, dtype=np.float64), np.asarray(challenger, dtype=np.float64)
    if before.ndim != 1 or before.shape != after.shape:
        raise ValueError("arms are two sequences of the same length")
    if before.size == 0:
        raise ValueError("an effect needs at least one pair")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise ValueError("scores are finite numbers; leave missing pairs out and count them")
    return before, after


def _differences(champion: npt.ArrayLike, challenger: npt.ArrayLike) -> FloatArray:
    before, after = _pair(champion, challenger)
    return after - before


def _units(differences: FloatArray, codes: IntArray) -> _Units:
    counts = np.bincount(codes).astype(np.float64)
    return _Units(np.bincount(codes, weights=differences).astype(np.float64), counts)


def _standard_error(units: _Units) -> float:
    residuals = units.totals - units.counts * units.mean
    variance = units.size / (units.size - 1) * float((residuals**2).sum()) / float(units.counts.sum()) ** 2
    return math.sqrt(variance)


def _cluster_t(units: _Units, confidence: float) -> tuple[float, float]:
    if units.size < 2:
        return -math.inf, math.inf  # one group says nothing about the next one
    half = _t_quantile(0.5 + confidence / 2, units.size - 1) * _standard_error(units)
    return units.mean - half, units.mean + half


def _bca(units: _Units, replicates: FloatArray, confidence: float) -> tuple[float, float]:
    mean, resamples = units.mean, replicates.size
    below = float((replicates < mean - _TIE).sum()) + 0.5 * float((np.abs(replicates - mean) <= _TIE).sum())
    bias = _normal_quantile(min(max(below, 0.5), resamples - 0.5) / resamples)
    total, pairs = float(units.totals.sum()), float(units.counts.sum())
    left_out = (total - units.totals) / (pairs - units.counts)
    spread = left_out.mean() - left_out
    squares = float((spread**2).sum())
    acceleration = float((spread**3).sum()) / (6.0 * squares**1.5) if squares > 0 else 0.0
    # Resampled totals are narrower than the truth by sqrt((G-1)/G) and know no t tail: expanded as Hesterberg does.
    tail = math.sqrt(units.size / (units.size - 1)) * _t_quantile((1 - confidence) / 2, units.size - 1)

    def adjusted(z: float) -> float:
        shifted = bias + z
        return float(special.ndtr(bias + shifted / (1 - acceleration * shifted)))

    return _outer_quantiles(replicates, adjusted(tail), adjusted(-tail))


def _bootstrap_means(units: _Units, generator: np.random.Generator, resamples: int) -> FloatArray:
    shapes, inverse = np.unique(
        np.round(np.column_stack((units.totals, units.counts)), 12), axis=0, return_inverse=True
    )
    if len(shapes) <= _DISTINCT_VALUES:
        shares = np.bincount(inverse.ravel(), minlength=len(shapes)) / units.size
        drawn = generator.multinomial(units.size, shares, size=resamples)
        return np.asarray((drawn @ shapes[:, 0]) / (drawn @ shapes[:, 1]), dtype=np.float64)
    alike = float(np.ptp(units.counts)) == 0.0
    parts: list[FloatArray] = []
    for rows in _chunks(resamples, units.size):
        picked = generator.integers(0, units.size, size=(rows, units.size), dtype=np.int32)
        pairs = units.size * units.counts[0] if alike else units.counts[picked].sum(axis=1)
        parts.append(units.totals[picked].sum(axis=1) / pairs)
    return np.concatenate(parts)


def _resampled_counts(generator: np.random.Generator, rows: int, size: int) -> FloatArray:
    picked = generator.integers(0, size, size=(rows, size)) + np.arange(rows)[:, None] * size
    return np.bincount(picked.ravel(), minlength=rows * size).reshape(rows, size).astype(np.float64)


def _outer_quantiles(ordered: FloatArray, low: float, high: float) -> tuple[float, float]:
    # Outward rounding: with few distinct scores the interval must not gain from interpolation between two of them.
    last = ordered.size - 1
    first = max(0, math.floor(low * ordered.size) - 1)
    return float(ordered[min(first, last)]), float(ordered[min(last, math.ceil(high * ordered.size))])


def _chunks(rows: int, columns: int) -> list[int]:
    step = max(1, _CELLS_PER_CHUNK // max(1, columns))
    return [min(step, rows - start) for start in range(0, rows, step)]


def _normal_quantile(probability: float) -> float:
    return float(special.ndtri(probability))


def _t_quantile(probability: float, freedom: int) -> float:
    return float(special.stdtrit(freedom, probability))


def _check_design(alpha: float, power: float) -> None:
    if not (0.0 < alpha < 1.0 and 0.0 < power < 1.0):
        raise ValueError("alpha and power lie between 0 and 1")
