"""Champion and candidates on the same items: intervals, corrected p-values, the Pareto frontier, what changed where.

Pure. This is the *selection* among candidates; the decision whether the selected one is better is the holdout's.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from spectral.domains.changesets.statistics import holm, paired_effect, sign_flip_p, wilson
from spectral.domains.evaluations.guards import guard_series
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec, objective_value
from spectral.domains.scans.clustering import Failure, nearest_cluster

SELECT_LEVEL = 0.2
"""A candidate goes on only if its gain on select would come about by chance less often than this, corrected for how
many candidates were compared. Lenient on purpose: the holdout decides, and what this level keeps away from it are looks
that would be wasted."""

DIGITS = 9
SUMMARY_RESAMPLES = 2_000
"""Of the intervals that describe one configuration; nothing is decided by them."""


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One configuration on one set of items. Rates and means are over what could be measured.

    objective: mean objective, in [0, 1].  accuracy: share of passed items with its Wilson interval.
    mean_cost_nano_usd: None where a cost is unknown.  …_low, …_high: the 95 % interval of a mean over the items, groups
    moving together; None where it was not asked for or there is nothing to compute it from.
    """

    items: int
    missing: int
    objective: float | None
    passed: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    mean_cost_nano_usd: float | None
    mean_latency_ms: float
    objective_low: float | None = None
    objective_high: float | None = None
    mean_cost_nano_usd_low: float | None = None
    mean_cost_nano_usd_high: float | None = None
    mean_latency_ms_low: float | None = None
    mean_latency_ms_high: float | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate against the champion on select.

    effect: mean paired difference of the objective with its 95 % interval [low, high].  p_value: one-sided, that there
    is no gain; p_adjusted: after Holm over all candidates compared.  wins, losses: items that only one of the two
    passed.  broken_guards: guards whose limit the point estimates overstep.
    """

    n: int
    effect: float
    low: float
    high: float
    method: str
    p_value: float
    p_adjusted: float
    wins: int
    losses: int
    broken_guards: tuple[str, ...]
    beats: bool
    on_frontier: bool

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self) | {"broken_guards": list(self.broken_guards)}


def objective_by_item(spec: ObjectiveSpec, measured: Sequence[Measured]) -> dict[UUID, float | None]:
    """The objective of each item, the mean over its repeats; None where no repeat could be measured."""
    values: dict[UUID, list[float]] = {}
    for one in measured:
        of_item = values.setdefault(one.item_id, [])
        value = objective_value(spec, one)
        if value is not None:
            of_item.append(value)
    return {item: sum(of_item) / len(of_item) if of_item else None for item, of_item in values.items()}


def summarise(spec: ObjectiveSpec, measured: Sequence[Measured], *, seed: int | None = None) -> ArmSummary:
    """What one configuration did; with a seed for the resampling also the intervals of the means."""
    by_item = objective_by_item(spec, measured)
    known = [value for value in by_item.values() if value is not None]
    counted = [one for one in measured if not one.missing]
    passed = sum(one.passed for one in counted)
    rate = wilson(passed, len(counted))
    costs = [one.cost_nano_usd for one in measured]
    priced = [cost for cost in costs if cost is not None]
    cost_known = bool(priced) and len(priced) == len(costs)
    intervals: dict[str, float | None] = {}
    if seed is not None:
        groups = {one.item_id: one.group_key for one in measured}
        latencies = _by_item([(one.item_id, one.latency_ms) for one in counted])
        paid = _by_item([(one.item_id, float(one.cost_nano_usd or 0)) for one in measured]) if cost_known else {}
        objectives = {item: value for item, value in by_item.items() if value is not None}
        for name, values in (("objective", objectives), ("mean_cost_nano_usd", paid), ("mean_latency_ms", latencies)):
            low, high = _interval(values, groups, seed, most=1.0 if name == "objective" else None)
            intervals |= {f"{name}_low": low, f"{name}_high": high}
    return ArmSummary(
        items=len(by_item),
        missing=len(by_item) - len(known),
        objective=round(sum(known) / len(known), DIGITS) if known else None,
        passed=passed,
        accuracy=round(rate.rate, DIGITS),
        accuracy_low=round(rate.low, DIGITS),
        accuracy_high=round(rate.high, DIGITS),
        mean_cost_nano_usd=sum(priced) / len(priced) if cost_known else None,
        mean_latency_ms=round(sum(one.latency_ms for one in counted) / len(counted), 3) if counted else 0.0,
        **intervals,
    )


def compare_all(
    spec: ObjectiveSpec, champion: Sequence[Measured], candidates: Sequence[Sequence[Measured]], *, seed: int
) -> list[Comparison]:
    """Every candidate against the champion on the items that both have, in the order given.

    A candidate beats the champion when its mean gain is positive, its corrected p-value is at most `SELECT_LEVEL` and
    no guard is overstepped.
    """
    first = [_paired(spec, champion, challenger, seed) for challenger in candidates]
    adjusted = holm([one.p_value for one in first])
    summaries = [summarise(spec, champion), *(summarise(spec, challenger) for challenger in candidates)]
    frontier = pareto_frontier(summaries)
    return [
        Comparison(
            n=one.n,
            effect=one.effect,
            low=one.low,
            high=one.high,
            method=one.method,
            p_value=one.p_value,
            p_adjusted=round(p, DIGITS),
            wins=one.wins,
            losses=one.losses,
            broken_guards=one.broken_guards,
            beats=one.effect > 0 and p <= SELECT_LEVEL and not one.broken_guards,
            on_frontier=place in frontier,
        )
        for place, (one, p) in enumerate(zip(first, adjusted, strict=True), start=1)
    ]


def choose(comparisons: Sequence[Comparison], summaries: Sequence[ArmSummary]) -> int | None:
    """The index of the candidate to be validated: the largest gain, then the cheapest, then the earliest; None where
    no candidate beats the champion.
    """  # noqa: D205 - one sentence
    beating = [index for index, one in enumerate(comparisons) if one.beats]
    if not beating:
        return None

    def merit(index: int) -> tuple[float, float, int]:
        cost = summaries[index].mean_cost_nano_usd
        return (-comparisons[index].effect, float("inf") if cost is None else cost, index)

    return min(beating, key=merit)


def pareto_frontier(arms: Sequence[ArmSummary]) -> set[int]:
    """The indices of the arms that no other arm dominates in quality, cost and latency.

    One arm dominates another when it is at least as good in all three and better in one. An unknown cost is neither
    better nor worse than anything, so it cannot be dominated by a known one.
    """
    return {
        index
        for index, arm in enumerate(arms)
        if not any(_dominates(other, arm) for place, other in enumerate(arms) if place != index)
    }


@dataclass(frozen=True, slots=True)
class ClusterChange:
    """What a candidate did to one cluster of the champion's failures.

    fixed: of the `size` failures, now right.  broken: items that were right, are wrong now, and look like this cluster.
    """

    size: int
    fixed: int
    broken: int


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a candidate changed, cluster by cluster; `unclustered` is what belongs to none.

    fixed: every item that was wrong and is right.  broken: every item that was right and is wrong, with the place of
    the cluster that it looks like, None for none.  unmeasured: failures that only one of the two was measured on.
    """

    clusters: tuple[ClusterChange, ...]
    unclustered: ClusterChange
    fixed: tuple[UUID, ...] = ()
    broken: tuple[tuple[UUID, int | None], ...] = ()
    unmeasured: int = 0

    def document(self) -> dict[str, Any]:
        """As JSON; which items were fixed and broken is left out."""
        return {
            "clusters": [asdict(one) for one in self.clusters],
            "unclustered": asdict(self.unclustered),
            "unmeasured": self.unmeasured,
        }


def diagnose(
    members: Sequence[Sequence[UUID]],
    centroids: Sequence[Mapping[str, float]],
    passed_before: Mapping[UUID, bool],
    passed_after: Mapping[UUID, bool],
    failures_after: Mapping[UUID, Failure],
) -> Diagnosis:
    """Counts per cluster, over the items measured with both configurations.

    members: the items of each cluster.  failures_after: how each item that fails now fails.
    """
    both = passed_before.keys() & passed_after.keys()
    fixed = {item for item in both if not passed_before[item] and passed_after[item]}
    broken = [item for item in both if passed_before[item] and not passed_after[item]]
    places: list[int | None] = [
        nearest_cluster(failures_after[item], [dict(one) for one in centroids]) for item in broken
    ]
    clusters = tuple(
        ClusterChange(len(group), len(fixed.intersection(group)), places.count(index))
        for index, group in enumerate(members)
    )
    clustered = {item for group in members for item in group}
    failed_before = {item for item in both if not passed_before[item]}
    rest = ClusterChange(len(failed_before - clustered), len(fixed - clustered), places.count(None))
    return Diagnosis(
        clusters,
        rest,
        fixed=tuple(sorted(fixed, key=str)),
        broken=tuple(zip(broken, places, strict=True)),
        unmeasured=sum(not passed and item not in both for item, passed in passed_before.items()),
    )


@dataclass(frozen=True, slots=True)
class _Pair:
    n: int
    effect: float
    low: float
    high: float
    method: str
    p_value: float
    wins: int
    losses: int
    broken_guards: tuple[str, ...]


def _paired(spec: ObjectiveSpec, champion: Sequence[Measured], challenger: Sequence[Measured], seed: int) -> _Pair:
    before, after = objective_by_item(spec, champion), objective_by_item(spec, challenger)
    groups = {one.item_id: one.group_key for one in champion}
    items = [item for item in before if before[item] is not None and after.get(item) is not None]
    pairs = [(one, other) for one, other in _repeats(champion, challenger)]
    broken = tuple(guard.name for guard in spec.guards if float(guard_series(guard, pairs).slack()) < -1e-9 if pairs)
    wins = sum(not one.passed and other.passed for one, other in pairs)
    losses = sum(one.passed and not other.passed for one, other in pairs)
    if not items:
        return _Pair(0, 0.0, 0.0, 0.0, "none", 1.0, wins, losses, broken)
    ours = [float(before[item] or 0.0) for item in items]
    theirs = [float(after[item] or 0.0) for item in items]
    grouped = [groups[item] for item in items]
    effect = paired_effect(ours, theirs, grouped, seed=seed)
    two_sided = sign_flip_p(ours, theirs, grouped, seed=seed)
    one_sided = two_sided / 2 if effect.mean > 0 else 1 - two_sided / 2
    numbers = [round(each, DIGITS) for each in (effect.mean, effect.low, effect.high, one_sided)]
    return _Pair(effect.n, numbers[0], numbers[1], numbers[2], effect.method, numbers[3], wins, losses, broken)


def _by_item(values: Sequence[tuple[UUID, float]]) -> dict[UUID, float]:
    """The mean of each item's repeats."""
    found: dict[UUID, list[float]] = {}
    for item_id, value in values:
        found.setdefault(item_id, []).append(value)
    return {item_id: sum(of_item) / len(of_item) for item_id, of_item in found.items()}


def _interval(
    values: Mapping[UUID, float], groups: Mapping[UUID, str | None], seed: int, *, most: float | None
) -> tuple[float | None, float | None]:
    """The 95 % interval of the mean within [0, most]; None where the data allows no bound."""
    if not values:
        return None, None
    nothing = [0.0] * len(values)
    mean = paired_effect(
        nothing, list(values.values()), [groups[item] for item in values], seed=seed, resamples=SUMMARY_RESAMPLES
    )
    low, high = max(0.0, mean.low), mean.high if most is None else min(most, mean.high)
    return (round(low, DIGITS) if math.isfinite(low) else None, round(high, DIGITS) if math.isfinite(high) else None)


def _repeats(champion: Sequence[Measured], challenger: Sequence[Measured]) -> list[tuple[Measured, Measured]]:
    theirs = {(one.item_id, one.repeat): one for one in challenger}
    return [
        (one, theirs[one.item_id, one.repeat])
        for one in champion
        if (one.item_id, one.repeat) in theirs and not one.missing and not theirs[one.item_id, one.repeat].missing
    ]


def _dominates(one: ArmSummary, other: ArmSummary) -> bool:
    if one.objective is None or other.objective is None:
        return one.objective is not None
    if (one.mean_cost_nano_usd is None) != (other.mean_cost_nano_usd is None):
        return False
    ours = (-one.objective, one.mean_cost_nano_usd or 0.0, one.mean_latency_ms)
    theirs = (-other.objective, other.mean_cost_nano_usd or 0.0, other.mean_latency_ms)
    return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs
