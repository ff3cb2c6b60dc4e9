"""Which candidate goes on, what is on the frontier, and what a change fixed and broke."""

from dataclasses import replace
from uuid import UUID, uuid5

import pytest

from spectral.domains.evaluations.guards import CostGuard
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.scans.clustering import Failure
from spectral.domains.scans.comparison import (
    SELECT_LEVEL,
    ArmSummary,
    choose,
    compare_all,
    diagnose,
    objective_by_item,
    pareto_frontier,
    summarise,
)
from spectral.domains.scans.evaluate import pick_finalists
from spectral.domains.scans.models import ScanCandidate

SPACE = UUID("5d9f0f1e-9a51-4a6f-8a43-0d1d4d1f5a22")
SPEC = ObjectiveSpec()


def arm(
    name: str, passes: list[bool], *, cost: int | None = 10, missing: frozenset[int] = frozenset()
) -> list[Measured]:
    """One configuration on items 0, 1, 2, …; each right or wrong."""
    return [
        Measured(
            item_id=uuid5(SPACE, str(number)),
            repeat=0,
            config_hash=name,
            total=None if number in missing else float(right),
            passed=right and number not in missing,
            dimensions={},
            output="x",
            error_type=None,
            error_message=None,
            missing_reason="provider" if number in missing else None,
            cost_nano_usd=cost,
            latency_ms=1.0,
            input_tokens=1,
            output_tokens=1,
            group_key=f"group {number}",
        )
        for number, right in enumerate(passes)
    ]


BASE = [number % 2 == 0 for number in range(120)]
MUCH_BETTER = [number % 2 == 0 or number < 60 for number in range(120)]
BETTER = [number % 2 == 0 or number < 24 for number in range(120)]
SWAPPED = [number % 2 == 1 if number < 20 else right for number, right in enumerate(BASE)]


def test_the_largest_gain_that_chance_does_not_explain_goes_on() -> None:
    arms = [arm("swapped", SWAPPED), arm("better", BETTER), arm("much", MUCH_BETTER), arm("same", BASE)]
    compared = compare_all(SPEC, arm("champion", BASE), arms, seed=1)
    assert [one.beats for one in compared] == [False, True, True, False]
    assert [(one.wins, one.losses) for one in compared] == [(10, 10), (12, 0), (30, 0), (0, 0)]
    assert compared[2].effect == pytest.approx(0.25)
    assert compared[2].low > 0.15
    assert compared[3].p_value == 0.5 or compared[3].p_value == 1.0
    assert choose(compared, [summarise(SPEC, one) for one in arms]) == 2


def test_comparing_more_candidates_makes_each_harder_to_believe() -> None:
    slightly = [right or number in {1, 3, 5} for number, right in enumerate(BASE)]
    alone = compare_all(SPEC, arm("champion", BASE), [arm("slightly", slightly)], seed=1)
    among = compare_all(SPEC, arm("champion", BASE), [arm("slightly", slightly), *[arm("same", BASE)] * 4], seed=1)
    assert alone[0].p_value == among[0].p_value
    assert alone[0].beats is True
    assert alone[0].p_adjusted <= SELECT_LEVEL < among[0].p_adjusted
    assert among[0].beats is False


def test_a_gain_that_breaks_a_guard_does_not_go_on() -> None:
    spec = ObjectiveSpec(guards=(CostGuard(kind="cost", max_ratio=1.2),))
    (compared,) = compare_all(spec, arm("champion", BASE), [arm("dear", MUCH_BETTER, cost=13)], seed=1)
    assert (compared.broken_guards, compared.beats) == (("mean_cost",), False)
    (compared,) = compare_all(spec, arm("champion", BASE), [arm("fair", MUCH_BETTER, cost=12)], seed=1)
    assert (compared.broken_guards, compared.beats) == ((), True)


def test_what_is_missing_in_an_arm_is_compared_in_neither() -> None:
    gone = frozenset(range(40))
    (compared,) = compare_all(SPEC, arm("champion", BASE), [arm("holes", MUCH_BETTER, missing=gone)], seed=1)
    assert compared.n == 80
    (nothing,) = compare_all(
        SPEC, arm("champion", BASE), [arm("none", MUCH_BETTER, missing=frozenset(range(120)))], seed=1
    )
    assert (nothing.n, nothing.beats, nothing.method) == (0, False, "none")


def test_repeats_of_an_item_are_one_value() -> None:
    twice = [replace(one, repeat=repeat, total=float(repeat)) for one in arm("a", [True, True]) for repeat in (0, 1)]
    assert list(objective_by_item(SPEC, twice).values()) == [0.5, 0.5]


def summary(objective: float | None, cost: float | None, latency: float) -> ArmSummary:
    return ArmSummary(10, 0, objective, 5, 0.5, 0.2, 0.8, cost, latency)


def test_the_frontier_is_what_nothing_dominates() -> None:
    arms = [
        summary(0.5, 10.0, 10.0),
        summary(0.6, 10.0, 10.0),  # dominates the first
        summary(0.4, 5.0, 10.0),  # cheaper
        summary(0.6, 10.0, 10.0),  # the same as the second: neither dominates the other
        summary(0.9, None, 50.0),  # best, at an unknown price
        summary(None, 1.0, 1.0),  # could not be measured
    ]
    assert pareto_frontier(arms) == {1, 2, 3, 4}


def test_nobody_wins_where_nobody_beats() -> None:
    compared = compare_all(SPEC, arm("champion", BASE), [arm("same", BASE)], seed=1)
    assert choose(compared, [summarise(SPEC, arm("same", BASE))]) is None
    assert compare_all(SPEC, arm("champion", BASE), [], seed=1) == []


def test_fixed_and_broken_are_counted_per_cluster() -> None:
    ids = [uuid5(SPACE, str(number)) for number in range(8)]
    before = dict(zip(ids, [False, False, False, False, True, True, True, False], strict=True))
    after = dict(zip(ids, [True, True, False, True, False, True, False, True], strict=True))
    failures = {
        ids[2]: Failure(ids[2], "a", "b", "label"),
        ids[4]: Failure(ids[4], "a", "b", "label"),
        ids[6]: Failure(ids[6], "poem", "novel", "style"),
    }
    members = [ids[0:3], ids[3:4]]
    centroids = [{"expected:a": 0.7, "got:b": 0.7, "dimension:label": 0.1}, {"expected:c": 0.7, "got:d": 0.7}]
    found = diagnose(members, centroids, before, after, failures)
    assert [(one.size, one.fixed, one.broken) for one in found.clusters] == [(3, 2, 1), (1, 1, 0)]
    assert (found.unclustered.size, found.unclustered.fixed, found.unclustered.broken) == (1, 1, 1)


def test_every_strategy_has_a_finalist_before_any_has_two() -> None:
    def candidate(ordinal: int, strategy: str) -> ScanCandidate:
        return ScanCandidate(ordinal=ordinal, strategy=strategy)

    proposed = [candidate(n + 1, name) for n, name in enumerate(["r", "r", "r", "f", "combined"])]
    assert [one.ordinal for one in pick_finalists(proposed, 4)] == [1, 4, 5, 2]
    assert [one.ordinal for one in pick_finalists(proposed, 1)] == [1]
    assert pick_finalists([], 4) == []


def test_the_adjusted_p_value_decides_and_is_what_is_told() -> None:
    edge = [right or number in {1, 3, 5} for number, right in enumerate(BASE)]
    arms = [arm(f"edge {number}", edge) for number in range(4)]
    (alone,) = compare_all(SPEC, arm("champion", BASE), arms[:1], seed=1)
    among = compare_all(SPEC, arm("champion", BASE), arms, seed=1)
    assert alone.p_value == alone.p_adjusted == pytest.approx(0.125)
    assert [one.p_adjusted for one in among] == [pytest.approx(0.5)] * 4
    assert alone.beats
    assert not any(one.beats for one in among)
    assert among[0].document()["p_adjusted"] == pytest.approx(0.5)


def test_every_mean_of_an_arm_has_an_interval_where_there_is_one() -> None:
    measured = [
        replace(one, cost_nano_usd=number % 7, latency_ms=float(number % 11))
        for number, one in enumerate(arm("a", MUCH_BETTER))
    ]
    found = summarise(SPEC, measured, seed=1)
    for name in ("objective", "mean_cost_nano_usd", "mean_latency_ms"):
        low, mean, high = (getattr(found, f"{name}{end}") for end in ("_low", "", "_high"))
        assert low < mean < high, name
    assert 0.5 < found.objective_low < found.objective_high <= 1.0  # type: ignore[operator]
    assert summarise(SPEC, measured, seed=1) == found
    unpriced = summarise(SPEC, [replace(measured[0], cost_nano_usd=None), *measured[1:]], seed=1)
    assert unpriced.mean_cost_nano_usd is unpriced.mean_cost_nano_usd_low is unpriced.mean_cost_nano_usd_high is None
    assert summarise(SPEC, measured).objective_low is None, "without a seed nothing is resampled"
