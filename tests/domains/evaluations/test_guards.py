"""Guards as paired series with a slack."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from spectral.domains.evaluations.guards import Guard, GuardSeries, guard_series
from spectral.domains.evaluations.previews import MeasuredExample
from spectral.domains.evaluations.scoring import DimensionScore

GUARD: TypeAdapter[Guard] = TypeAdapter(Guard)


def item(
    total: float | None = 1.0,
    *,
    cost: int | None = 100,
    latency: float = 10.0,
    error: str | None = None,
    d: float = 1.0,
) -> MeasuredExample:
    return MeasuredExample(total, {"d": DimensionScore(d, "", "")}, error, latency, cost)


def series(guard: dict[str, Any], *pairs: tuple[MeasuredExample, MeasuredExample]) -> GuardSeries:
    return guard_series(GUARD.validate_python(guard), pairs)


@pytest.mark.parametrize(
    ("guard", "champion", "challenger", "slack"),
    [
        ({"kind": "latency", "statistic": "mean"}, item(latency=100), item(latency=110), 0.0),
        ({"kind": "latency", "max_ratio": 2}, item(latency=100), item(latency=150), 50.0),
        ({"kind": "cost"}, item(cost=100), item(cost=130), -10.0),
        ({"kind": "dimension", "dimension": "d", "minimum": 0.8}, item(d=0.1), item(d=0.9), 0.1),
        ({"kind": "dimension", "dimension": "d", "minimum": 0.8}, item(d=1.0), item(d=0.7), -0.1),
        ({"kind": "dimension", "dimension": "d", "max_drop": 0.05}, item(d=0.9), item(d=0.8), -0.05),
        ({"kind": "dimension", "dimension": "d", "max_drop": 0.2}, item(d=0.9), item(d=0.8), 0.1),
        ({"kind": "error_rate", "max_increase": 0.5}, item(), item(error="no_output"), -0.5),
        ({"kind": "error_rate", "max_increase": 0}, item(error="no_output"), item(), 1.0),
    ],
)
def test_slack_is_what_is_left_of_the_allowance(
    guard: dict[str, Any], champion: MeasuredExample, challenger: MeasuredExample, slack: float
) -> None:
    found = series(guard, (champion, challenger))
    assert float(found.slack()) == pytest.approx(slack)
    assert found.holds() == (slack >= 0)


def test_pairs_without_a_value_are_left_out_and_counted() -> None:
    found = series(
        {"kind": "cost"},
        (item(cost=100), item(cost=100)),
        (item(cost=None), item()),
        (item(total=None), item()),
        (item(), item(cost=50)),
    )
    assert found.kept == (0, 3)
    assert found.missing == 2
    assert found.challenger.tolist() == [100.0, 50.0]
    absent = series({"kind": "dimension", "dimension": "other", "minimum": 0.1}, (item(), item()))
    assert (absent.kept, absent.missing, absent.holds()) == ((), 1, False)


@given(st.lists(st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)), min_size=1, max_size=50))
def test_item_slacks_have_the_slack_as_their_mean(latencies: list[tuple[float, float]]) -> None:
    pairs = [(item(latency=ours), item(latency=theirs)) for ours, theirs in latencies]
    found = series({"kind": "latency", "statistic": "mean", "max_ratio": 1.1}, *pairs)
    slacks = found.item_slacks()
    assert slacks is not None
    assert float(slacks.mean()) == pytest.approx(float(found.slack()), rel=1e-9, abs=1e-6)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=50))
def test_a_champion_against_itself_never_breaks_a_guard_that_allows_equality(latencies: list[float]) -> None:
    pairs = [(item(latency=value), item(latency=value)) for value in latencies]
    for statistic in ("mean", "p95"):
        assert series({"kind": "latency", "statistic": statistic, "max_ratio": 1}, *pairs).holds()


def test_resampled_rows_give_a_slack_each() -> None:
    found = series({"kind": "latency"}, *[(item(latency=n), item(latency=2 * n)) for n in range(1, 41)])
    assert found.item_slacks() is None
    rows = np.array([[0] * 40, list(range(40))])
    slacks = found.slack(found.champion[rows], found.challenger[rows])
    assert slacks.shape == (2,)
    assert slacks[1] == pytest.approx(float(found.slack()))
