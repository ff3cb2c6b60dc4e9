"""The guard's statistics: errors bounded whenever one looks, whatever both arms share, and regressions found."""

import json
import random
from collections.abc import Callable

import pytest
from scipy import stats

from spectral.domains.changesets.guarding import (
    ALPHA,
    SMALLEST_ARM,
    Comparison,
    Decline,
    Finding,
    baseline_of,
)

pytestmark = pytest.mark.databases("sqlite")

DECIDING = (-0.05, 0.0)
GUARDS = 200
Scores = Callable[[random.Random, int], tuple[float, float]]
"""What the n-th session would score under the new version and under the one before."""


def dice(seed: int) -> random.Random:
    """The same luck every time."""
    return random.Random(seed)  # noqa: S311 - simulated sessions


def binary(random_: random.Random, new: float, before: float) -> tuple[float, float]:
    return float(random_.random() < new), float(random_.random() < before)


def level(random_: random.Random, n: int) -> tuple[float, float]:
    del n
    return binary(random_, 0.7, 0.7)


def drift(random_: random.Random, n: int) -> tuple[float, float]:
    """Ten points up and down again, for both arms."""
    shared = 0.7 + (0.1 if n // 250 % 2 else -0.1)
    return binary(random_, shared, shared)


def mix(random_: random.Random, n: int) -> tuple[float, float]:
    """Hard questions, a tenth of the traffic at first, become five times as frequent."""
    hard = random_.random() < (0.1 if n < 500 else 0.5)
    return binary(random_, *((0.4, 0.4) if hard else (0.9, 0.9)))


def ceiling(random_: random.Random, n: int) -> tuple[float, float]:
    del n
    return binary(random_, 0.98, 0.98)


def run(seed: int, scores: Scores, sessions: int, share: float = 0.1) -> tuple[Finding, int]:
    """What one guard says that looks after every session, and after how many of them."""
    random_ = dice(seed)
    comparison = Comparison(share, effects=DECIDING)
    for n in range(sessions):
        is_new = random_.random() >= share
        new, before = scores(random_, n)
        comparison.observe(new if is_new else before, is_new=is_new)
        if (finding := comparison.finding()) != Finding.OPEN:
            return finding, n + 1
    return Finding.OPEN, sessions


@pytest.mark.parametrize("scores", [level, drift, mix, ceiling], ids=lambda scores: scores.__name__)
def test_two_equal_arms_are_called_a_regression_seldom_enough_however_often_one_looks(scores: Scores) -> None:
    alarms = sum(run(seed, scores, 900)[0] is Finding.REGRESSION for seed in range(GUARDS))
    # More alarms than this are a one-in-a-thousand event for a guard whose rate is 5 %.
    assert alarms <= stats.binom.ppf(0.999, GUARDS, ALPHA)


@pytest.mark.parametrize(("drop", "sessions", "median"), [(0.2, 3_000, 700), (0.1, 9_000, 3_000)])
def test_a_planted_regression_is_found(drop: float, sessions: int, median: int) -> None:
    found = [run(seed, lambda r, _: binary(r, 0.7 - drop, 0.7), sessions) for seed in range(40)]
    right = sorted(n for finding, n in found if finding is Finding.REGRESSION)
    assert len(right) >= 36
    assert right[len(right) // 2] <= median


def test_a_change_that_is_as_good_is_released_and_a_bad_one_seldom() -> None:
    found = [run(seed, lambda r, _: binary(r, 0.8, 0.7), 4_000)[0] for seed in range(40)]
    assert found.count(Finding.NO_REGRESSION) >= 36
    wrong = [run(seed, lambda r, _: binary(r, 0.6, 0.7), 2_000)[0] for seed in range(100)]
    assert wrong.count(Finding.NO_REGRESSION) <= stats.binom.ppf(0.999, 100, ALPHA)


def test_the_state_is_the_observations_and_survives_a_restart_at_any_of_them() -> None:
    random_ = dice(3)
    observed = [(random_.random(), random_.random() >= 0.3) for _ in range(400)]
    straight, restarted = Comparison(0.3), Comparison(0.3)
    for score, is_new in observed:
        straight.observe(score, is_new=is_new)
        restarted.observe(score, is_new=is_new)
        restarted = Comparison.from_document(json.loads(json.dumps(restarted.document())))
    assert restarted.document() == straight.document()
    mean, before = straight.means
    assert mean is not None
    assert before is not None
    assert straight.low < mean - before < straight.high
    # Bounded: what has lost is not kept, nothing else is ever added.
    assert len(json.dumps(straight.document())) < len(json.dumps(Comparison(0.3).document())) * 5


def test_bounds_agree_with_the_finding_and_wait_for_enough_sessions() -> None:
    comparison = Comparison(0.5)
    for n in range(600):
        comparison.observe(0.0 if n % 2 else 1.0, is_new=bool(n % 2))
        if comparison.finding() is Finding.REGRESSION:
            break
    assert comparison.high <= 0
    assert min(comparison.counts) >= SMALLEST_ARM[Finding.REGRESSION]
    assert comparison.finding(horizon=1) is Finding.REGRESSION
    assert Comparison(0.1).finding(horizon=0) is Finding.HORIZON


def test_sessions_that_vanish_from_one_arm_are_noticed() -> None:
    random_ = dice(5)
    even, uneven = Comparison(0.1, effects=()), Comparison(0.1, effects=())
    for _ in range(2_000):
        is_new = random_.random() >= 0.1
        even.observe(0.5, is_new=is_new)
        # Half of what the new version answers never arrives.
        if not is_new or random_.random() < 0.5:
            uneven.observe(0.5, is_new=is_new)
    assert (even.is_uneven, uneven.is_uneven) == (False, True)


@pytest.mark.parametrize("score", [-0.01, 1.01, float("nan")])
def test_what_is_no_score_is_refused_and_changes_nothing(score: float) -> None:
    comparison, decline = Comparison(0.1), Decline(0.5)
    before = comparison.document(), decline.document()
    with pytest.raises(ValueError, match="between 0 and 1"):
        comparison.observe(score, is_new=True)
    with pytest.raises(ValueError, match="between 0 and 1"):
        decline.observe(score)
    assert (comparison.document(), decline.document()) == before
    for share in (0.0, 0.51, -1.0):
        with pytest.raises(ValueError, match="share"):
            Comparison(share)


def test_without_a_holdback_a_decline_is_seen_and_chance_is_not() -> None:
    baseline = baseline_of([float(n % 10 < 8) for n in range(500)])
    assert baseline is not None
    assert 0.7 < baseline < 0.8
    assert baseline_of([1.0] * 29) is None
    alarms = 0
    for seed in range(100):
        random_, same = dice(seed), Decline(baseline)
        for _ in range(1_000):
            same.observe(float(random_.random() < 0.8))
        alarms += same.has_declined
    assert alarms <= stats.binom.ppf(0.999, 100, ALPHA)
    random_, worse = dice(1), Decline(baseline)
    for _ in range(500):
        worse.observe(float(random_.random() < 0.5))
        worse = Decline.from_document(json.loads(json.dumps(worse.document())))
    assert worse.has_declined
