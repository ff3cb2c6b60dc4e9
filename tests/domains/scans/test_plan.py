"""What a scan needs is known before anything is spent, and never exceeds its budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.scans.errors import BudgetTooSmallError, NotReadyError
from spectral.domains.scans.plan import Samples, ScanPlan, assess

ENOUGH = Samples(reflect=300, select=200, holdout=200)


def total(plan: ScanPlan) -> int:
    return plan.detect + plan.search + plan.evaluate + plan.diagnose + plan.validate


@given(
    st.integers(1, 2000),
    st.integers(30, 2000),
    st.integers(30, 5000),
    st.integers(1, 10),
    st.one_of(st.none(), st.integers(1, 1_000_000)),
    st.one_of(st.none(), st.integers(1, 10)),
)
def test_the_parts_fit_into_the_budget(
    reflect: int, select: int, holdout: int, repeats: int, budget: int | None, given_: int | None
) -> None:
    samples = Samples(reflect, select, holdout)
    try:
        plan = ScanPlan.divide(samples, budget, repeats=repeats, given=given_)
    except BudgetTooSmallError as error:
        least = error.extensions["needed_evaluations"]
        assert budget is not None
        assert budget < least
        assert total(ScanPlan.divide(samples, least, repeats=repeats, given=given_)) <= least
        return
    assert total(plan) <= plan.max_evaluations
    assert budget is None or plan.max_evaluations == budget
    assert plan.finalists == given_ if given_ is not None else plan.finalists >= 1
    assert plan.search == 0 if given_ is not None else plan.search >= reflect * repeats
    assert ScanPlan.from_document(plan.document()) == plan


def test_too_small_a_budget_says_the_least_that_would_do() -> None:
    with pytest.raises(BudgetTooSmallError, match="at least 1700 evaluations; the budget allows 1000"):
        ScanPlan.divide(ENOUGH, 1000, repeats=1)
    assert ScanPlan.divide(ENOUGH, 1700, repeats=1).finalists == 1


def test_a_larger_budget_goes_to_the_search() -> None:
    small, large = ScanPlan.divide(ENOUGH, 4_000, repeats=1), ScanPlan.divide(ENOUGH, 40_000, repeats=1)
    assert large.search - small.search > 30_000
    assert large.finalists == 4
    assert large.ablations == 2


@pytest.mark.parametrize(("items", "points"), [(30, 30), (100, 14)])
def test_the_detectable_effect_is_said(items: int, points: int) -> None:
    readiness = assess(Samples(50, items, items), holdout_available=True, minimum_effect=0.0)
    assert readiness.detectable is not None
    assert round(100 * readiness.detectable.effect) == points
    assert any(f"{items} pairs detect a gain of {points} points" in warning for warning in readiness.warnings)


def test_below_thirty_pairs_nothing_is_started() -> None:
    readiness = assess(Samples(50, 29, 12), holdout_available=True, minimum_effect=0.01)
    assert [problem.split(" has ")[0] for problem in readiness.problems] == ["the select split", "the holdout split"]
    with pytest.raises(NotReadyError, match="add 1; the holdout split has 12 items") as refused:
        readiness.require()
    assert len(refused.value.extensions["missing"]) == 2


def test_below_a_hundred_pairs_is_a_warning() -> None:
    readiness = assess(Samples(50, 99, 30), holdout_available=True, minimum_effect=0.01)
    assert readiness.problems == ()
    assert sum("below 100 only large gains show" in warning for warning in readiness.warnings) == 2
    readiness.require()


def test_without_a_holdout_nothing_could_be_validated() -> None:
    readiness = assess(Samples(50, 100, 0), holdout_available=False, minimum_effect=0.01)
    assert (readiness.mode, readiness.detectable) == ("synthetic_only", None)
    with pytest.raises(NotReadyError, match="no frozen holdout"):
        readiness.require()


def test_a_spent_holdout_is_refused_before_anything_is_spent() -> None:
    readiness = assess(ENOUGH, holdout_available=True, minimum_effect=0.01, look=4)
    with pytest.raises(NotReadyError, match="all 3 planned looks"):
        readiness.require()


def test_an_empty_reflect_split_is_refused() -> None:
    with pytest.raises(NotReadyError, match="nothing to learn from"):
        assess(Samples(0, 100, 100), holdout_available=True, minimum_effect=0.01).require()
