"""A hard budget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.evaluations.budget import Budget, Spending
from spectral.domains.evaluations.errors import BudgetExhaustedError, UnpricedModelError


def test_reserving_and_settling() -> None:
    budget = Budget(10, 1000)
    first = budget.reserve(2, 400, model="m")
    assert (budget.evaluations_left, budget.cost_left_nano_usd) == (8, 600)
    budget.settle(first, 100)
    assert budget.spent == Spending(2, 100)
    assert (budget.evaluations_left, budget.cost_left_nano_usd) == (8, 900)
    budget.settle(budget.reserve(1, 400, model="m"), None)
    assert budget.spent == Spending(3, 500)
    budget.release(budget.reserve(1, 400, model="m"))
    assert budget.spent == Spending(3, 500)
    assert budget.cost_left_nano_usd == 500


def test_a_refused_reservation_reserves_nothing() -> None:
    budget = Budget(3, 100)
    with pytest.raises(BudgetExhaustedError) as refused:
        budget.reserve(4, 0, model="m")
    assert refused.value.extensions == {"limit": "evaluations", "needed": 4, "left": 3}
    with pytest.raises(BudgetExhaustedError) as refused:
        budget.reserve(1, 101, model="m")
    assert refused.value.extensions["limit"] == "cost"
    assert (budget.evaluations_left, budget.cost_left_nano_usd) == (3, 100)


def test_an_unknown_price_is_refused_only_where_money_is_limited() -> None:
    with pytest.raises(UnpricedModelError) as refused:
        Budget(1, 10**9).reserve(1, None, model="mystery")
    assert refused.value.status == 400
    budget = Budget(1)
    budget.settle(budget.reserve(1, None, model="mystery"), None)
    assert budget.spent == Spending(1, 0)
    assert budget.cost_left_nano_usd is None


def test_a_reservation_ends_once() -> None:
    budget = Budget(5)
    reservation = budget.reserve(1, 0, model="m")
    budget.settle(reservation, 0)
    with pytest.raises(ValueError, match="before"):
        budget.settle(reservation, 0)
    with pytest.raises(ValueError, match="before"):
        budget.release(reservation)


def test_what_a_journal_knows_is_charged_once() -> None:
    budget = Budget(10, 100)
    budget.charge(12, 30, once="scan")
    budget.charge(12, 30, once="scan")
    assert budget.spent == Spending(12, 30)
    assert budget.evaluations_left == 0
    with pytest.raises(ValueError, match="negative"):
        Budget(-1)


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.integers(0, 300), st.sampled_from(["settle", "unknown", "release", "open"]))
    )
)
def test_spent_and_reserved_never_exceed_the_maximum(calls: list[tuple[int, int, str]]) -> None:
    budget = Budget(20, 1000)
    for evaluations, ceiling, end in calls:
        try:
            reservation = budget.reserve(evaluations, ceiling, model="m")
        except BudgetExhaustedError:
            continue
        if end == "settle":
            budget.settle(reservation, ceiling // 2)
        elif end == "unknown":
            budget.settle(reservation, None)
        elif end == "release":
            budget.release(reservation)
        assert budget.spent.evaluations + budget.evaluations_left <= 20
        assert budget.spent.cost_nano_usd + (budget.cost_left_nano_usd or 0) <= 1000
