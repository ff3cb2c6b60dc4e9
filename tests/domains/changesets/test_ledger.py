"""The ledger cannot be overdrawn, and its stages are the same for everybody."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.changesets.errors import HoldoutSpentError, TooFewSamplesError
from spectral.domains.changesets.ledger import LIFETIME_ALPHA, LookPlan, items_of_stage


@given(size=st.integers(30, 100_000))
def test_every_plan_spends_no_more_than_its_life_and_ends_with_the_whole_holdout(size: int) -> None:
    plan = LookPlan.for_holdout(size)
    assert math.fsum(plan.alphas) <= LIFETIME_ALPHA + 1e-12
    assert plan.stages[-1] == size
    assert list(plan.stages) == sorted(set(plan.stages))
    assert len(plan.stages) <= plan.looks
    assert LookPlan.from_document(plan.document()) == plan


@pytest.mark.parametrize(
    ("size", "stages"),
    [(30, (30,)), (360, (360,)), (499, (499,)), (500, (400, 500)), (850, (400, 850)), (2000, (400, 800, 2000))],
)
def test_small_holdouts_are_measured_whole_and_large_ones_in_stages(size: int, stages: tuple[int, ...]) -> None:
    assert LookPlan.for_holdout(size).stages == stages


def test_looks_cost_half_a_quarter_and_a_quarter_and_then_the_holdout_is_spent() -> None:
    plan = LookPlan.for_holdout(300)
    assert [plan.alpha_of(look) for look in (1, 2, 3)] == pytest.approx([0.025, 0.0125, 0.0125])
    assert [plan.spent(taken) for taken in range(4)] == pytest.approx([0.0, 0.025, 0.0375, 0.05])
    with pytest.raises(HoldoutSpentError) as refused:
        plan.alpha_of(4)
    assert (refused.value.status, refused.value.slug) == (400, "holdout-spent")
    with pytest.raises(ValueError, match="counted from 1"):
        plan.alpha_of(0)


def test_the_next_planned_stage_is_what_is_asked_for() -> None:
    plan = LookPlan.for_holdout(2000)
    assert [plan.stage_items(stage) for stage in (1, 2, 3)] == [400, 800, 2000]
    assert [plan.further_items(stage) for stage in (1, 2, 3)] == [400, 1200, None]


def test_too_small_a_holdout_has_no_plan() -> None:
    with pytest.raises(TooFewSamplesError) as refused:
        LookPlan.for_holdout(22)
    assert refused.value.extensions["further_samples"] == 8


@pytest.mark.parametrize(
    ("alphas", "stages"),
    [
        ((0.03, 0.03), (100,)),
        ((), (100,)),
        ((0.05, 0.0), (100,)),
        ((0.05,), ()),
        ((0.05,), (100, 100)),
        ((0.05,), (0, 5)),
    ],
)
def test_plans_that_overdraw_or_stand_still_cannot_be_built(alphas: tuple[float, ...], stages: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        LookPlan(alphas, stages)


@given(sizes=st.lists(st.integers(1, 5), min_size=1, max_size=60), first=st.integers(1, 100), more=st.integers(1, 100))
def test_stages_are_nested_keep_groups_whole_and_do_not_depend_on_the_order_of_items(
    sizes: list[int], first: int, more: int
) -> None:
    rows = [
        (f"{group}-{item}", f"g{group}" if size > 1 else None)
        for group, size in enumerate(sizes)
        for item in range(size)
    ]

    def stage(chosen: list[tuple[str, str | None]], size: int) -> list[str]:
        keys = [key for key, _ in chosen]
        return items_of_stage(keys, [group for _, group in chosen], keys, "digest", size)

    early, late = stage(rows, first), stage(rows, first + more)
    assert early == stage(list(reversed(rows)), first)
    assert set(early) <= set(late)
    assert len(early) >= min(first, len(rows))
    groups = dict(rows)
    kept = {groups[key] for key in early} - {None}
    assert all(key in early for key, group in rows if group in kept)
    assert stage(rows, len(rows)) == sorted(key for key, _ in rows)


def test_another_digest_is_another_order() -> None:
    keys = [str(index) for index in range(100)]
    groups: list[str | None] = [None] * 100
    assert items_of_stage(keys, groups, keys, "a", 50) != items_of_stage(keys, groups, keys, "b", 50)
