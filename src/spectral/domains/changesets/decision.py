"""The decision: validated, refuted or inconclusive, from the scores of two arms on the same items.

Pure. The rule is fixed before anything is measured (ADR 0010); nothing here looks at who asks or why.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from spectral.domains.changesets.ledger import MINIMUM_ITEMS
from spectral.domains.changesets.statistics import (
    FloatArray,
    PairedEffect,
    constant_bounds,
    deviation_per_unit,
    paired_effects,
    percentile_slack,
    sample_size_for,
    sign_flip_p,
)
from spectral.domains.evaluations.guards import P95, GuardSeries

MAXIMUM_MISSING = 0.05
REPORTED_CONFIDENCE = 0.95
# Beyond this a gain is too close to the minimum effect to be worth asking for; "n more" must stay a real suggestion.
LARGEST_REQUEST = 20_000


class Verdict(StrEnum):
    VALIDATED = "validated"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"


class Reason(StrEnum):
    """Why a verdict is what it is; one verdict may have several."""

    ABOVE_MINIMUM = "lower_bound_above_minimum_effect"
    BELOW_MINIMUM = "upper_bound_below_minimum_effect"
    IDENTICAL = "identical_configurations"
    GUARD_HARMED = "guard_harm_confirmed"
    INTERVAL_TOO_WIDE = "interval_contains_minimum_effect"
    CHANCE_NOT_EXCLUDED = "chance_not_excluded_by_exact_test"
    GUARD_NOT_SHOWN = "guard_not_shown_to_hold"
    MISSING = "too_many_missing"
    TOO_FEW = "too_few_pairs"
    EXECUTION_FAILED = "execution_failed"
    CANCELLED = "cancelled"
    REPLICA = "replica"


class GuardStatus(StrEnum):
    HELD = "held"
    HARMED = "harmed"
    UNCLEAR = "unclear"


@dataclass(frozen=True, slots=True)
class GuardOutcome:
    """A guard's slack (what is left of its allowance, negative is harm) lies in [low, high] in the guard's unit.

    champion, challenger: the guarded statistic of each arm, larger is worse. n: pairs with a known value.
    """

    name: str
    unit: str
    statistic: str
    champion: float | None
    challenger: float | None
    limit: float | None
    slack: float | None
    low: float | None
    high: float | None
    n: int
    status: GuardStatus


@dataclass(frozen=True, slots=True)
class Arms:
    """The two arms of a look, item by item in one order; a score is None where nothing could be scored.

    groups: the session or user of each item, None where an item stands alone.
    """

    champion: Sequence[float | None]
    challenger: Sequence[float | None]
    groups: Sequence[str | None]

    def __post_init__(self) -> None:
        if not len(self.champion) == len(self.challenger) == len(self.groups):
            raise ValueError("champion, challenger and groups have one entry for each item")


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict stands with everything it rests on.

    effect: the interval at the look's own confidence, which decides. reported: the 95 % interval of the same
    differences. p_value: the exact test of "no difference at all". n_more: further samples a next look needs; None
    unless inconclusive, and None too when no number of samples would help.
    """

    verdict: Verdict
    reasons: tuple[Reason, ...]
    effect: PairedEffect | None
    reported: PairedEffect | None
    p_value: float | None
    alpha: float
    minimum_effect: float
    n: int
    groups: int
    missing_champion: int
    missing_challenger: int
    items: int
    n_more: int | None
    guards: tuple[GuardOutcome, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class _Evidence:
    effect: PairedEffect | None
    p_value: float
    deviation: float
    guards: tuple[GuardOutcome, ...]
    missing_share: float
    alpha: float
    minimum_effect: float
    identical: bool


def decide(
    arms: Arms,
    *,
    alpha: float,
    minimum_effect: float = 0.01,
    guards: Sequence[GuardSeries] = (),
    guard_groups: Sequence[str | None] | None = None,
    identical: bool = False,
    next_stage_items: int | None = None,
    seed: int,
) -> Decision:
    """The verdict of one look follows from its numbers alone; the first rule that applies decides.

    1. More than 5 % missing in an arm, or fewer than 30 complete pairs: inconclusive.
    2. Refuted: both arms are the same configuration; or the upper bound at confidence 1-alpha is below the minimum
       effect (and the exact test excludes chance, where the minimum effect is 0); or a guard's harm is confirmed (its
       slack's interval at 1-alpha/guards is wholly negative).
    3. Validated: the lower bound at 1-alpha is above the minimum effect, the exact test of no difference has
       p <= alpha, and every guard's slack has a lower bound of at least 0 at 1-alpha (non-inferiority).
    4. Otherwise inconclusive with n_more: the next planned stage, else the size of a fresh holdout that would decide
       with 80 % power if the estimate were the truth.
    alpha: what the ledger gives this look, two-sided. guard_groups: of the pairs that the guards were made from, where
    these are not the items of `arms` (several repeats of an item). next_stage_items: what the next stage would add.
    """
    before, after = _scores(arms.champion), _scores(arms.challenger)
    items = before.size
    complete = ~(np.isnan(before) | np.isnan(after))
    groups = [group for group, kept in zip(arms.groups, complete, strict=True) if kept]
    of_pairs = arms.groups if guard_groups is None else guard_groups
    missing = (int(np.isnan(before).sum()), int(np.isnan(after).sum()))
    effect = reported = p_value = None
    deviation = math.inf
    outcomes: tuple[GuardOutcome, ...] = ()
    if groups:
        champion, challenger = before[complete], after[complete]
        levels = (1 - alpha, REPORTED_CONFIDENCE)
        effect, reported = map(_honest, paired_effects(champion, challenger, groups, confidences=levels, seed=seed))
        p_value = sign_flip_p(champion, challenger, groups, seed=seed)
        deviation = deviation_per_unit(champion, challenger, groups)
        outcomes = tuple(
            judge_guard(guard, of_pairs, alpha=alpha, guards=len(guards), seed=seed + 1 + index)
            for index, guard in enumerate(guards)
        )
    seen = _Evidence(
        effect=effect,
        p_value=1.0 if p_value is None else p_value,
        deviation=deviation,
        guards=outcomes,
        missing_share=max(missing) / items if items else 1.0,
        alpha=alpha,
        minimum_effect=minimum_effect,
        identical=identical,
    )
    verdict, reasons = _rule(seen)
    return Decision(
        verdict=verdict,
        reasons=reasons,
        effect=effect,
        reported=reported,
        p_value=p_value,
        alpha=alpha,
        minimum_effect=minimum_effect,
        items=items,
        n=len(groups),
        groups=effect.groups if effect else 0,
        missing_champion=missing[0],
        missing_challenger=missing[1],
        n_more=_further(seen, reasons, next_stage_items) if verdict is Verdict.INCONCLUSIVE else None,
        guards=outcomes,
    )


def judge_guard(
    guard: GuardSeries, groups: Sequence[str | None], *, alpha: float, guards: int, seed: int
) -> GuardOutcome:
    """A guard is held, harmed or unclear by an interval of its slack, never by a point estimate.

    groups: of all pairs that the series was made from. Held (the whole interval at 1-alpha is at least 0) needs no
    correction, because all guards must hold: an intersection-union test. Harm (the interval at 1-alpha/guards is
    wholly negative) does, because any single guard can refute. A guarded value that never varied is read as seen.
    """
    pairs, n = len(groups), len(guard.kept)
    if n == 0 or guard.missing > MAXIMUM_MISSING * pairs:
        return GuardOutcome(
            guard.name, guard.unit, guard.statistic, None, None, None, None, None, None, n, GuardStatus.UNCLEAR
        )
    kept = [groups[index] for index in guard.kept]
    confidences = (1 - alpha, 1 - alpha / max(1, guards))
    (low, high), (_, harm_high) = _slack_intervals(guard, kept, confidences, seed)
    slack = float(guard.slack())
    tolerance = 1e-9 * max(1.0, abs(slack))
    status = GuardStatus.UNCLEAR
    if low >= -tolerance:
        status = GuardStatus.HELD
    elif harm_high < -tolerance:
        status = GuardStatus.HARMED
    before, after = _statistic(guard, guard.champion), _statistic(guard, guard.challenger)
    limit = guard.ratio * before + guard.allowance
    return GuardOutcome(guard.name, guard.unit, guard.statistic, before, after, limit, slack, low, high, n, status)


def _slack_intervals(
    guard: GuardSeries, groups: Sequence[str | None], confidences: Sequence[float], seed: int
) -> list[tuple[float, float]]:
    if guard.item_slacks() is None:
        return percentile_slack(
            guard.champion, guard.challenger, groups, quantile=P95, ratio=guard.ratio, allowance=guard.allowance,
            confidences=confidences, seed=seed,
        )  # fmt: skip
    allowed = guard.ratio * guard.champion + guard.allowance
    found = paired_effects(guard.challenger, allowed, groups, confidences=confidences, seed=seed)
    return [(effect.low, effect.high) for effect in found]


def _statistic(guard: GuardSeries, values: FloatArray) -> float:
    return float(values.mean()) if guard.statistic == "mean" else float(np.quantile(values, P95))


def _rule(seen: _Evidence) -> tuple[Verdict, tuple[Reason, ...]]:
    if seen.missing_share > MAXIMUM_MISSING:
        return Verdict.INCONCLUSIVE, (Reason.MISSING,)
    if seen.effect is None or seen.effect.n < MINIMUM_ITEMS:
        return Verdict.INCONCLUSIVE, (Reason.TOO_FEW,)
    statuses = {guard.status for guard in seen.guards}
    by_no_chance = seen.p_value <= seen.alpha
    against = {
        Reason.IDENTICAL: seen.identical,
        Reason.BELOW_MINIMUM: seen.effect.high < seen.minimum_effect and (seen.minimum_effect > 0 or by_no_chance),
        Reason.GUARD_HARMED: GuardStatus.HARMED in statuses,
    }
    if any(against.values()):
        return Verdict.REFUTED, tuple(reason for reason, applies in against.items() if applies)
    doubts = {
        Reason.INTERVAL_TOO_WIDE: seen.effect.low <= seen.minimum_effect <= seen.effect.high,
        Reason.CHANCE_NOT_EXCLUDED: not by_no_chance,
        Reason.GUARD_NOT_SHOWN: GuardStatus.UNCLEAR in statuses,
    }
    if any(doubts.values()):
        return Verdict.INCONCLUSIVE, tuple(reason for reason, applies in doubts.items() if applies)
    return Verdict.VALIDATED, (Reason.ABOVE_MINIMUM,)


def _further(seen: _Evidence, reasons: tuple[Reason, ...], next_stage_items: int | None) -> int | None:
    if Reason.MISSING in reasons:
        return None  # no sample helps against a broken arm; the same stage may be looked at again once it is mended
    if next_stage_items is not None:
        return next_stage_items
    if Reason.TOO_FEW in reasons:
        return MINIMUM_ITEMS - (seen.effect.n if seen.effect else 0)
    if seen.effect is None or seen.effect.groups < 2:
        return None
    deviation = seen.deviation
    if deviation == 0.0:  # nothing varied: ask for what would show a rare difference instead
        deviation = math.sqrt(max(seen.minimum_effect, 1 / seen.effect.n))
    wanted = sample_size_for(seen.effect.mean - seen.minimum_effect, deviation, alpha=seen.alpha)
    if wanted is None or wanted > LARGEST_REQUEST:
        return None
    return max(wanted, MINIMUM_ITEMS)


def _honest(effect: PairedEffect) -> PairedEffect:
    # Identical differences give an interval without width; the claim must carry what so few items cannot exclude.
    if not effect.degenerate:
        return effect
    low, high = constant_bounds(effect, span=max(1.0, abs(effect.mean)))
    return PairedEffect(effect.n, effect.groups, effect.mean, low, high, effect.confidence, "zero-variance-bound")


def _scores(values: Sequence[float | None]) -> FloatArray:
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)
