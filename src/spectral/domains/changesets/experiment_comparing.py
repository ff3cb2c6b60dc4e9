"""Arms of an experiment against the first one: paired intervals, corrected p-values, what got worse. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from spectral.domains.changesets.decision import Decision, GuardStatus, Reason
from spectral.domains.changesets.ledger import MINIMUM_ITEMS
from spectral.domains.changesets.numbers import LookedAt, decide_look, guard_document, item_values
from spectral.domains.changesets.statistics import (
    constant_bounds,
    deviation_per_unit,
    holm,
    paired_effect,
    sample_size_for,
    wilson,
)
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec

ALPHA = 0.05
LARGEST_REQUEST = 20_000
DIGITS = 9


class Regression(StrEnum):
    """Whether an arm is worse than the baseline."""

    NONE = "no_regression"
    CONFIRMED = "regression"
    INCONCLUSIVE = "inconclusive"


class Because(StrEnum):
    """Why a comparison says what it says."""

    ABOVE_MARGIN = "lower_bound_above_margin"
    BELOW_ZERO = "upper_bound_below_zero"
    GUARD_HARMED = "guard_harm_confirmed"
    GUARD_NOT_SHOWN = "guard_not_shown_to_hold"
    TOO_WIDE = "interval_too_wide"
    MISSING = "too_many_missing"
    TOO_FEW = "too_few_pairs"


@dataclass(frozen=True, slots=True)
class Judgement:
    """n_more: further samples with which four of five such answers would be clear; None where none would help."""

    verdict: Regression
    reasons: tuple[Because, ...]
    n_more: int | None


def summarise_arm(
    objective: ObjectiveSpec, items: Sequence[LookedAt], measured: Sequence[Measured], *, seed: int
) -> dict[str, Any]:
    """One arm alone, as JSON: mean objective and pass rate with their 95 % intervals, cost and latency."""
    values = item_values(objective, items, measured)
    pairs = [(value, item.group_key) for value, item in zip(values, items, strict=True) if value is not None]
    counted = [one for one in measured if not one.missing]
    passed = wilson(sum(one.passed for one in counted), len(counted))
    costs = [one.cost_nano_usd for one in counted]
    priced = [cost for cost in costs if cost is not None]
    latencies = [one.latency_ms for one in counted]
    mean = low = high = None
    if pairs:
        known = [value for value, _ in pairs]
        found = paired_effect(np.zeros(len(known)), known, [group for _, group in pairs], seed=seed)
        # Equal values have an interval without width; what so few of them cannot exclude belongs to it.
        bounds = constant_bounds(found) if found.degenerate else (found.low, found.high)
        mean, low, high = (_rounded(each) for each in (found.mean, max(0.0, bounds[0]), min(1.0, bounds[1])))
    return {
        "items": len(items),
        "missing": len(items) - len(pairs),
        "errors": sum(one.error_type is not None for one in counted),
        "objective": mean,
        "objective_low": low,
        "objective_high": high,
        "passed": passed.successes,
        "accuracy": _rounded(passed.rate),
        "accuracy_low": _rounded(passed.low),
        "accuracy_high": _rounded(passed.high),
        # An unknown price makes the mean unknown, not smaller.
        "mean_cost_nano_usd": sum(priced) / len(priced) if priced and len(priced) == len(costs) else None,
        "mean_latency_ms": round(math.fsum(latencies) / len(latencies), 3) if latencies else None,
        "p95_latency_ms": round(float(np.quantile(latencies, 0.95)), 3) if latencies else None,
    }


def compare_arms(
    objective: ObjectiveSpec,
    items: Sequence[LookedAt],
    baseline: Sequence[Measured],
    candidates: Sequence[Sequence[Measured]],
    *,
    margin: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Each candidate against the baseline on the same items, as JSON, in the order given.

    `effect` is the mean paired difference of the objective with its 95 % interval; `p_value` one-sided (that there is
    no gain), `p_adjusted` after Holm over all candidates. `verdict` says whether the candidate is worse: see `judge`.
    """
    found = [_compared(objective, items, baseline, one, margin=margin, seed=seed) for one in candidates]
    for document, adjusted in zip(found, holm([one["p_value"] for one in found]), strict=True):
        document["p_adjusted"] = _rounded(adjusted)
    return found


def judge(decision: Decision, deviation: float, margin: float) -> Judgement:
    """Whether the challenger is worse than the champion; the first line that applies decides.

    1. More than 5 % missing in an arm, or fewer than 30 pairs: inconclusive.
    2. A guard's harm is confirmed: regression.
    3. The lower bound of the 95 % interval is above -margin and every guard is shown to hold: no regression.
    4. The upper bound is below 0, so the loss is confirmed and may be beyond the margin: regression.
    5. Otherwise inconclusive.
    """
    for reason, because in ((Reason.MISSING, Because.MISSING), (Reason.TOO_FEW, Because.TOO_FEW)):
        if reason in decision.reasons:
            lacking = MINIMUM_ITEMS - decision.n if because is Because.TOO_FEW else None
            return Judgement(Regression.INCONCLUSIVE, (because,), lacking)
    effect = decision.effect
    if effect is None:
        return Judgement(Regression.INCONCLUSIVE, (Because.TOO_FEW,), MINIMUM_ITEMS)
    statuses = {guard.status for guard in decision.guards}
    if GuardStatus.HARMED in statuses:
        return Judgement(Regression.CONFIRMED, (Because.GUARD_HARMED,), None)
    held = GuardStatus.UNCLEAR not in statuses
    if effect.low > -margin and held:
        return Judgement(Regression.NONE, (Because.ABOVE_MARGIN,), None)
    if effect.high < 0:
        return Judgement(Regression.CONFIRMED, (Because.BELOW_ZERO,), None)
    doubts = (() if effect.low > -margin else (Because.TOO_WIDE,)) + (() if held else (Because.GUARD_NOT_SHOWN,))
    return Judgement(Regression.INCONCLUSIVE, doubts, _further(effect.n, effect.mean, deviation, margin))


def frontier_of(summaries: Sequence[dict[str, Any]]) -> set[int]:
    """The places of the arms that no other arm dominates in quality, cost and latency.

    One dominates another when it is at least as good in all three and better in one. An unknown cost is neither better
    nor worse than a known one.
    """
    return {
        place
        for place, arm in enumerate(summaries)
        if not any(_dominates(other, arm) for at, other in enumerate(summaries) if at != place)
    }


def _compared(
    objective: ObjectiveSpec,
    items: Sequence[LookedAt],
    baseline: Sequence[Measured],
    candidate: Sequence[Measured],
    *,
    margin: float,
    seed: int,
) -> dict[str, Any]:
    decision = decide_look(
        objective, items, baseline, candidate, alpha=ALPHA, identical=False, next_stage_items=None, seed=seed
    )
    judgement = judge(decision, _deviation(objective, items, baseline, candidate), margin)
    effect = decision.effect
    mean = 0.0 if effect is None else effect.mean
    two_sided = 1.0 if decision.p_value is None else decision.p_value
    theirs = {(one.item_id, one.repeat): one for one in candidate}
    pairs = [(one, theirs.get((one.item_id, one.repeat))) for one in baseline if not one.missing]
    both = [(one, other) for one, other in pairs if other is not None and not other.missing]
    return {
        "n": decision.n,
        "groups": decision.groups,
        "missing": {"champion": decision.missing_champion, "challenger": decision.missing_challenger},
        "effect": _rounded(mean),
        "low": None if effect is None else _rounded(effect.low),
        "high": None if effect is None else _rounded(effect.high),
        "method": "none" if effect is None else effect.method,
        "p_value": _rounded(two_sided / 2 if mean > 0 else 1 - two_sided / 2),
        "wins": sum(not one.passed and other.passed for one, other in both),
        "losses": sum(one.passed and not other.passed for one, other in both),
        "broken_guards": [guard.name for guard in decision.guards if guard.slack is not None and guard.slack < -1e-9],
        "guards": [guard_document(guard) for guard in decision.guards],
        "margin": margin,
        "verdict": judgement.verdict.value,
        "reasons": [reason.value for reason in judgement.reasons],
        "n_more": judgement.n_more,
    }


def _deviation(
    objective: ObjectiveSpec, items: Sequence[LookedAt], baseline: Sequence[Measured], candidate: Sequence[Measured]
) -> float:
    before, after = item_values(objective, items, baseline), item_values(objective, items, candidate)
    known = [
        (ours, theirs, item.group_key)
        for ours, theirs, item in zip(before, after, items, strict=True)
        if ours is not None and theirs is not None
    ]
    if not known:
        return math.inf
    return deviation_per_unit([one[0] for one in known], [one[1] for one in known], [one[2] for one in known])


def _further(n: int, mean: float, deviation: float, margin: float) -> int | None:
    """How many more samples would decide it one way or the other, if the estimate were the truth."""
    if not math.isfinite(deviation):
        return None
    if deviation == 0.0:  # nothing varied: ask for what would show a rare difference instead
        deviation = math.sqrt(max(margin, 1 / n))
    sizes = [sample_size_for(mean + margin, deviation, alpha=ALPHA) if mean + margin > 0 else None]
    sizes.append(sample_size_for(mean, deviation, alpha=ALPHA) if mean < 0 else None)
    wanted = min((size for size in sizes if size is not None), default=None)
    if wanted is None or wanted - n > LARGEST_REQUEST:
        return None
    return max(wanted - n, MINIMUM_ITEMS)


def _dominates(one: dict[str, Any], other: dict[str, Any]) -> bool:
    if one["objective"] is None or other["objective"] is None:
        return one["objective"] is not None
    costs = (one["mean_cost_nano_usd"], other["mean_cost_nano_usd"])
    if (costs[0] is None) != (costs[1] is None):
        return False
    ours = (-one["objective"], costs[0] or 0.0, one["mean_latency_ms"] or 0.0)
    theirs = (-other["objective"], costs[1] or 0.0, other["mean_latency_ms"] or 0.0)
    return all(a <= b for a, b in zip(ours, theirs, strict=True)) and ours != theirs


def _rounded(value: float) -> float | None:
    return round(value, DIGITS) if math.isfinite(value) else None
