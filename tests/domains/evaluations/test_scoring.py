"""A rubric's total, and what is missing rather than wrong."""

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spectral.domains.agents.runtime import Execution, ExecutionFault
from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, Verdict
from spectral.domains.evaluations.scoring import Dimension, RubricSpec, passes, score_item

CASE = ScoredCase(input={"text": "hi"}, expected="billing")


def execution(output: str | None = "billing", **changes: Any) -> Execution:
    values: dict[str, Any] = {
        "output": output,
        "error": None,
        "input_tokens": 3,
        "output_tokens": 1,
        "cost_nano_usd": 0,
        "latency_ms": 10.0,
        "model": "m",
    }
    return Execution(**{**values, **changes})


def rubric(*dimensions: dict[str, Any], **more: Any) -> RubricSpec:
    listed = dimensions or ({"name": "right", "scorer": "exact_match"},)
    return RubricSpec.model_validate({"dimensions": listed, **more})


TWO = (
    {"name": "right", "scorer": "exact_match", "weight": 3},
    {"name": "fast", "scorer": "latency", "weight": 1, "options": {"target_ms": 0, "limit_ms": 20}},
)


def test_the_total_is_the_weighted_mean() -> None:
    score = score_item(rubric(*TWO), CASE, execution(latency_ms=10))
    assert score.total == pytest.approx(0.75 + 0.25 * 0.5)
    assert score.passed
    assert not score.missing
    assert score.dimensions["right"].scorer == "exact_match@1"
    assert score.dimensions["fast"].explanation == "took 10.0 ms"


@given(st.lists(st.tuples(st.floats(1e-3, 1e3), st.booleans()), min_size=1, max_size=20))
def test_totals_stay_in_bounds_whatever_the_weights(parts: list[tuple[float, bool]]) -> None:
    dimensions = [
        {"name": f"d{n}", "scorer": "contains", "weight": weight, "options": {"values": ["x" if right else "q"]}}
        for n, (weight, right) in enumerate(parts)
    ]
    spec = rubric(*dimensions, threshold=1)
    score = score_item(spec, CASE, execution("x"))
    assert score.total is not None
    assert 0.0 <= score.total <= 1.0
    assert sum(spec.weights.values()) == pytest.approx(1)
    # All right passes a threshold of 1 in spite of rounding; anything wrong does not.
    assert score.passed == all(right for _, right in parts)


def test_a_scorer_that_cannot_score_makes_the_item_missing_not_zero() -> None:
    priced = {"name": "cheap", "scorer": "cost", "options": {"target_usd": "0", "limit_usd": "1"}}
    score = score_item(rubric(TWO[0], priced), CASE, execution(cost_nano_usd=None))
    assert score.total is None
    assert score.missing_reason == "scorer"
    assert not score.passed
    assert score.dimensions["right"].score == 1.0
    assert score.dimensions["cheap"].score is None
    assert "unknown" in (score.dimensions["cheap"].error or "")


@dataclass
class Broken(Exception):  # noqa: N818 - any exception at all
    text: str = "secret \x00 and \ud800"


class Raises(Scorer):
    """Fails."""

    version = "1"

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        raise Broken


class TooMuch(Scorer):
    """Answers nonsense."""

    version = "1"

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        return Verdict(float("nan"), "nonsense")


@pytest.mark.parametrize("kind", [Raises, TooMuch])
def test_a_plugged_in_scorer_that_fails_costs_one_item(kind: type[Scorer], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spectral.domains.evaluations.scoring.installed_scorers", lambda: {"bad": kind})
    score = score_item(rubric({"name": "bad", "scorer": "bad"}), CASE, execution())
    assert score.missing_reason == "scorer"
    (score.error_message or "").encode()


def test_a_providers_fault_is_missing_under_any_rubric() -> None:
    fault = ExecutionFault("provider_error", "503", retryable=True)
    for on_error in ("zero", "exclude"):
        score = score_item(rubric(on_error=on_error), CASE, execution(None, error=fault, cost_nano_usd=None))
        assert (score.total, score.missing_reason, score.error_type) == (None, "provider", "provider_error")


@pytest.mark.parametrize(
    ("run", "error_type"),
    [
        (execution(None, error=ExecutionFault("invalid_request", "refused")), "invalid_request"),
        (execution(None), "no_output"),
        (execution("x" * 100_001), "output_too_long"),
    ],
)
def test_the_agents_own_error_is_scored_by_on_error(run: Execution, error_type: str) -> None:
    zero = score_item(rubric(*TWO, on_error="zero", threshold=0), CASE, run)
    assert (zero.total, zero.passed, zero.missing, zero.error_type) == (0.0, False, False, error_type)
    assert {dimension.score for dimension in zero.dimensions.values()} == {0.0}
    excluded = score_item(rubric(*TWO, on_error="exclude"), CASE, run)
    assert (excluded.total, excluded.missing_reason, excluded.error_type) == (None, "agent_error", error_type)


def test_tool_calls_reach_the_scorer() -> None:
    spec = rubric({"name": "tool", "scorer": "tool_called", "options": {"tools": ["search"]}})
    assert score_item(spec, CASE, execution()).missing_reason == "scorer"
    assert score_item(spec, CASE, execution(), tool_calls=("search",)).total == 1.0


@pytest.mark.parametrize(
    "document",
    [
        {"dimensions": []},
        {"dimensions": [{"name": "a", "scorer": "no_such"}]},
        {"dimensions": [{"name": "a", "scorer": "regex"}]},
        {"dimensions": [{"name": "a", "scorer": "regex", "options": {"pattern": "("}}]},
        {"dimensions": [{"name": "a", "scorer": "exact_match", "weight": 0}]},
        {"dimensions": [{"name": "a", "scorer": "exact_match", "weight": float("inf")}]},
        {"dimensions": [{"name": "a", "scorer": "exact_match"}] * 2},
        {"dimensions": [{"name": f"d{n}", "scorer": "exact_match"} for n in range(21)]},
        {"dimensions": [{"name": "a", "scorer": "contains", "options": {"values": ["\x00"]}}]},
        {"dimensions": [{"name": "a b", "scorer": "exact_match"}]},
        {"dimensions": [{"name": "a", "scorer": "exact_match"}], "threshold": 1.1},
        {"dimensions": [{"name": "a", "scorer": "exact_match"}], "on_error": "ignore"},
        {"dimensions": [{"name": "a", "scorer": "exact_match"}], "unknown": 1},
    ],
)
def test_a_rubric_that_makes_no_sense_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RubricSpec.model_validate(document)


def test_defaults_are_written_out_so_that_they_cannot_change_a_stored_rubric() -> None:
    spec = rubric({"name": "right", "scorer": "exact_match"})
    assert spec.canonical()["dimensions"][0]["options"] == {"case_sensitive": True, "collapse_whitespace": True}
    again = RubricSpec.model_validate(spec.canonical())
    assert again.digest == spec.digest
    assert rubric({"name": "right", "scorer": "exact_match", "options": {"case_sensitive": True}}).digest == spec.digest
    assert rubric({"name": "right", "scorer": "exact_match"}, threshold=0.6).digest != spec.digest


def test_every_built_in_scorer_survives_storing() -> None:
    options: dict[str, dict[str, Any]] = {
        "regex": {"pattern": "a+"},
        "json_schema": {"schema": {"type": "object"}},
        "latency": {"target_ms": 1, "limit_ms": 2},
        "cost": {"target_usd": "0.1", "limit_usd": 2},
        "tool_called": {"tools": ["a"]},
        "label": {"labels": ["a", "b"]},
    }
    for name in ("exact_match", "contains", "numeric_tolerance", "levenshtein", "token_f1", *options):
        spec = rubric({"name": "d", "scorer": name, "options": options.get(name, {})})
        assert RubricSpec.model_validate(spec.canonical()).digest == spec.digest
        assert isinstance(spec.dimensions[0], Dimension)


def test_passing_forgives_rounding_only() -> None:
    spec = rubric(threshold=0.3)
    assert passes(spec, 0.1 + 0.2)
    assert passes(spec, 0.3 - 1e-12)
    assert not passes(spec, 0.3 - 1e-6)
