"""Scorers of time, money and tools."""

from typing import Any

import pytest
from pydantic import ValidationError

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, ScorerError
from spectral.domains.evaluations.scorers.usage import Cost, Latency, ToolCalled


@pytest.mark.parametrize(("latency", "wanted"), [(0, 1.0), (100, 1.0), (150, 0.5), (200, 0.0), (1e9, 0.0)])
def test_latency_falls_in_a_straight_line(latency: float, wanted: float) -> None:
    scorer = Latency(target_ms=100, limit_ms=200)
    assert scorer.score(ScoredCase(), Answer("x", latency)).score == pytest.approx(wanted)


def test_cost_is_read_in_dollars_and_compared_in_nano_dollars() -> None:
    scorer = Cost.model_validate({"target_usd": "0.001", "limit_usd": 0.003})
    assert scorer.score(ScoredCase(), Answer("x", 1, cost_nano_usd=2_000_000)).score == pytest.approx(0.5)
    assert scorer.model_dump(mode="json") == {"target_usd": "0.001", "limit_usd": "0.003"}
    assert Cost.model_validate(scorer.model_dump(mode="json")) == scorer


def test_an_unknown_cost_is_not_a_zero() -> None:
    scorer = Cost.model_validate({"target_usd": "0", "limit_usd": "1"})
    with pytest.raises(ScorerError):
        scorer.score(ScoredCase(), Answer("x", 1, cost_nano_usd=None))
    assert scorer.score(ScoredCase(), Answer("x", 1, cost_nano_usd=0)).score == 1.0


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Latency, {"target_ms": 5, "limit_ms": 5}),
        (Latency, {"target_ms": -1, "limit_ms": 5}),
        (Latency, {"target_ms": float("nan"), "limit_ms": 5}),
        (Cost, {"target_usd": "2", "limit_usd": "1"}),
        (Cost, {"target_usd": "x", "limit_usd": "1"}),
        (ToolCalled, {"tools": []}),
        (ToolCalled, {"tools": ["a"], "mode": "maybe"}),
        (ToolCalled, {"tools": ["a"], "unknown": 1}),
    ],
)
def test_options_that_make_no_sense_are_refused(kind: Any, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        kind.model_validate(options)


@pytest.mark.parametrize(
    ("mode", "calls", "wanted"),
    [
        ("all", ("search", "book"), 1.0),
        ("all", ("search", "search"), 0.5),
        ("all", (), 0.0),
        ("any", ("book",), 1.0),
        ("any", ("pay",), 0.0),
        ("none", ("pay",), 1.0),
        ("none", ("search",), 0.0),
        ("sequence", ("search", "pay", "book"), 1.0),
        ("sequence", ("book", "search"), 0.0),
    ],
)
def test_tool_called(mode: Any, calls: tuple[str, ...], wanted: float) -> None:
    scorer = ToolCalled(tools=("search", "book"), mode=mode)
    assert scorer.score(ScoredCase(), Answer("x", 1, tool_calls=calls)).score == wanted


def test_unreported_tool_calls_are_not_a_zero() -> None:
    with pytest.raises(ScorerError):
        ToolCalled(tools=("search",)).score(ScoredCase(), Answer("x", 1, tool_calls=None))
