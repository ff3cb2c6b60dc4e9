"""The objective's value of an item."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spectral.domains.evaluations.objectives import ObjectiveSpec, objective_value
from spectral.domains.evaluations.previews import MeasuredExample, preview_objective
from spectral.domains.evaluations.scoring import DimensionScore


def measured(
    total: float | None, *, cost: int | None = 0, latency: float = 0.0, error: str | None = None, **dimensions: float
) -> MeasuredExample:
    scores = {name: DimensionScore(score, "", "") for name, score in dimensions.items()}
    return MeasuredExample(total, scores, error, latency, cost)


def objective(*terms: dict[str, Any], **more: Any) -> ObjectiveSpec:
    return ObjectiveSpec.model_validate({"terms": terms, **more} if terms else more)


ALL_TERMS = (
    {"source": "rubric", "weight": 2},
    {"source": "cost", "weight": 1, "scale_usd": "0.001"},
    {"source": "latency", "weight": 1, "scale_ms": 100},
)


def test_by_default_the_value_is_the_rubrics_total() -> None:
    spec = objective()
    assert spec.minimum_effect == 0.01
    assert objective_value(spec, measured(0.7)) == 0.7


def test_terms_are_weighted_and_a_term_at_its_scale_is_worth_one_half() -> None:
    spec = objective(*ALL_TERMS)
    assert objective_value(spec, measured(1.0, cost=0, latency=0)) == 1.0
    assert objective_value(spec, measured(1.0, cost=1_000_000, latency=100)) == pytest.approx(0.5 + 0.125 + 0.125)


@given(
    st.floats(0, 1),
    st.integers(0, 10**12),
    st.floats(0, 1e9),
    st.floats(0, 1),
    st.integers(0, 10**12),
    st.floats(0, 1e9),
)
def test_better_in_everything_is_never_worse(
    total: float, cost: int, latency: float, total_up: float, cost_up: int, latency_up: float
) -> None:
    spec = objective(*ALL_TERMS)
    worse = objective_value(spec, measured(min(total, total_up), cost=cost + cost_up, latency=latency + latency_up))
    better = objective_value(spec, measured(max(total, total_up), cost=cost, latency=latency))
    assert worse is not None
    assert better is not None
    assert 0.0 <= worse <= better + 1e-12 <= 1.0 + 1e-12


def test_missing_stays_missing_and_an_unknown_cost_is_never_free() -> None:
    assert objective_value(objective(), measured(None)) is None
    assert objective_value(objective(), measured(0.5, cost=None)) == 0.5
    assert objective_value(objective(*ALL_TERMS), measured(0.5, cost=None)) is None


def test_failing_fast_and_cheaply_does_not_pay() -> None:
    assert objective_value(objective(*ALL_TERMS), measured(0.0, error="invalid_request")) == 0.0


@pytest.mark.parametrize(
    "document",
    [
        {"terms": []},
        {"terms": [{"source": "rubric"}, {"source": "rubric"}]},
        {"terms": [{"source": "magic"}]},
        {"terms": [{"source": "cost"}]},
        {"terms": [{"source": "cost", "scale_usd": "0"}]},
        {"terms": [{"source": "latency", "scale_ms": 0}]},
        {"terms": [{"source": "rubric", "weight": -1}]},
        {"minimum_effect": -0.1},
        {"minimum_effect": float("nan")},
        {"guards": [{"kind": "latency"}, {"kind": "latency", "max_ratio": 2}]},
        {"guards": [{"kind": "dimension", "dimension": "a"}]},
        {"guards": [{"kind": "dimension", "dimension": "a", "minimum": 0.5, "max_drop": 0.1}]},
        {"guards": [{"kind": "cost", "max_ratio": 0}]},
        {"guards": [{"kind": "unknown"}]},
    ],
)
def test_an_objective_that_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ObjectiveSpec.model_validate(document)


def test_an_objective_survives_storing() -> None:
    spec = objective(*ALL_TERMS, guards=[{"kind": "latency"}, {"kind": "dimension", "dimension": "a", "minimum": 0.5}])
    assert ObjectiveSpec.model_validate(spec.model_dump(mode="json")) == spec
    assert spec.dimensions == {"a"}
    assert spec.needs_cost


def test_a_preview_counts_what_is_missing_and_shows_money_in_dollars() -> None:
    spec = objective(
        guards=[{"kind": "cost", "max_ratio": 1.5}, {"kind": "dimension", "dimension": "d", "minimum": 0.5}]
    )
    preview = preview_objective(
        spec,
        [
            (measured(0.5, cost=10**9, d=0.5), measured(0.7, cost=10**9, d=0.9)),
            (measured(0.5, cost=10**9), measured(None)),
        ],
    )
    assert preview.mean_difference == pytest.approx(0.2)
    assert preview.missing == 1
    cost, floor = preview.guards
    assert cost.slack == pytest.approx(0.5)
    assert (cost.unit, cost.holds, cost.pairs, cost.missing) == ("usd", True, 1, 1)
    assert floor.slack == pytest.approx(0.4)
    empty = preview_objective(spec, [(measured(None), measured(None))])
    assert [guard.slack for guard in empty.guards] == [None, None]
    assert [guard.holds for guard in empty.guards] == [False, False]
    assert empty.mean_difference is None


FEEDBACK = ({"source": "rubric", "weight": 3}, {"source": "feedback", "weight": 1})


def test_feedback_counts_where_people_said_something_and_is_left_out_where_they_did_not() -> None:
    spec = objective(*FEEDBACK)
    assert objective_value(spec, measured(0.8)) == pytest.approx(0.8)
    assert objective_value(spec, measured(0.8), feedback=0.0) == pytest.approx(0.6)
    assert objective_value(spec, measured(0.8, error="timeout"), feedback=1.0) == 0.0
    ours = measured(0.8)
    said = MeasuredExample(0.8, {}, None, 0.0, 0, feedback=0.0)
    one_sided, both = preview_objective(spec, [(ours, said), (said, said)]).pairs
    # What only one side has would be compared with nothing.
    assert one_sided.champion == pytest.approx(0.8)
    assert one_sided.challenger == pytest.approx(0.8)
    assert both.champion == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("terms", "message"),
    [
        ([{"source": "feedback"}], "feedback alone has no value"),
        ([{"source": "objective", "objective_id": "0"}], "does not match any of the expected tags"),
    ],
    ids=["feedback-alone", "cycle"],
)
def test_an_objective_stands_on_something_that_is_measured_and_on_no_other_objective(terms: Any, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        objective(*terms)
