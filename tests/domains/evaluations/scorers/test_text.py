"""Scorers that compare texts."""

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, ScorerError
from spectral.domains.evaluations.scorers.text import (
    Contains,
    ExactMatch,
    LabelMatch,
    Levenshtein,
    Regex,
    TokenF1,
    edit_distance,
)

ANY_TEXT = st.text(max_size=60)


def score(scorer: Scorer, expected: Any, output: str) -> float:
    return scorer.score(ScoredCase(expected=expected), Answer(output, 1.0)).score


@pytest.mark.parametrize(
    ("expected", "output", "options", "wanted"),
    [
        ("Paris", "Paris", {}, 1.0),
        ("Paris", "  Paris\n", {}, 1.0),
        ("Paris", "  Paris", {"collapse_whitespace": False}, 0.0),
        ("Paris", "paris", {}, 0.0),
        ("Paris", "paris", {"case_sensitive": False}, 1.0),
        (42, "42", {}, 1.0),
        (True, "true", {}, 1.0),
        ({"a": 1, "b": [2]}, '{"b": [2.0], "a": 1}', {}, 1.0),
        ({"a": 1}, '```json\n{"a": 1}\n```', {}, 1.0),
        ({"a": 1}, '{"a": true}', {}, 0.0),
        ({"a": 1}, "a is 1", {}, 0.0),
        ([1, 2], "[2, 1]", {}, 0.0),
        ([], "[" * 5000 + "]" * 5000, {}, 0.0),
        ([], "[NaN]", {}, 0.0),
    ],
)
def test_exact_match(expected: Any, output: str, options: dict[str, Any], wanted: float) -> None:
    assert score(ExactMatch(**options), expected, output) == wanted


def test_no_expected_answer_is_not_a_zero() -> None:
    for scorer in (ExactMatch(), Contains(), LabelMatch(), Levenshtein(), TokenF1()):
        with pytest.raises(ScorerError):
            score(scorer, None, "anything")


@pytest.mark.parametrize(
    ("options", "expected", "output", "wanted"),
    [
        ({}, "refund", "We REFUND you", 1.0),
        ({"case_sensitive": True}, "refund", "We REFUND you", 0.0),
        ({}, ["a", "b"], "only a here", 0.5),
        ({"values": ["x", "y", "z", "w"]}, None, "x and z", 0.5),
        ({"values": ["x", "y"], "mode": "any"}, None, "y", 1.0),
        ({"values": ["x", "y"], "mode": "any"}, None, "q", 0.0),
    ],
)
def test_contains(options: dict[str, Any], expected: Any, output: str, wanted: float) -> None:
    assert score(Contains(**options), expected, output) == wanted


@pytest.mark.parametrize(
    ("options", "output", "wanted"),
    [
        ({"pattern": r"order \d{4}"}, "your order 1234 is here", 1.0),
        ({"pattern": r"order \d{4}"}, "no order", 0.0),
        ({"pattern": r"\d+", "mode": "fullmatch"}, "12a", 0.0),
        ({"pattern": "HELLO", "ignore_case": True}, "hello", 1.0),
        ({"pattern": "sorry", "expect": "absent"}, "fine", 1.0),
        ({"pattern": "sorry", "expect": "absent"}, "sorry!", 0.0),
        ({"pattern": "a"}, "\ud800a", 1.0),
    ],
)
def test_regex(options: dict[str, Any], output: str, wanted: float) -> None:
    assert score(Regex(**options), None, output) == wanted


@pytest.mark.parametrize("pattern", ["(", r"(a)\1", "(?=x)y", "(a{1000}){1000}", "x" * 2001, ""])
def test_a_pattern_that_cannot_be_run_is_refused(pattern: str) -> None:
    with pytest.raises(ValidationError):
        Regex(pattern=pattern)


@pytest.mark.parametrize("pattern", [r"(a+)+$", r"(a|a)*$", r"^(a?){60}a{60}$", r"(x+x+)+y"])
def test_patterns_that_hang_a_backtracking_engine_answer_at_once(pattern: str) -> None:
    started = time.perf_counter()
    score(Regex(pattern=pattern), None, "a" * 50_000 + "x" * 49_000 + "!")
    assert time.perf_counter() - started < 2


LABELS = ("refund", "refund status", "cancel order", "c++")


@pytest.mark.parametrize(
    ("options", "expected", "output", "wanted"),
    [
        ({}, "Refund", " refund. ", 1.0),
        ({}, "refund", "Label: Refund", 1.0),
        ({}, "refund", 'The category is "refund"', 1.0),
        ({}, "label issue", "label issue", 1.0),
        ({}, "issue", "label issue", 0.0),
        ({}, "refund", "refund status", 0.0),
        ({"labels": LABELS}, "refund", "I think this is a refund request", 1.0),
        ({"labels": LABELS}, "refund status", "they ask for the refund status", 1.0),
        ({"labels": LABELS}, "refund", "they ask for the refund status", 0.0),
        ({"labels": LABELS}, "refund", "refund or cancel order", 0.0),
        ({"labels": LABELS}, "refund", "refunds", 0.0),
        ({"labels": LABELS}, "c++", "written in C++.", 1.0),
        ({"labels": LABELS}, "refund", "no idea", 0.0),
    ],
)
def test_label(options: dict[str, Any], expected: str, output: str, wanted: float) -> None:
    assert score(LabelMatch(**options), expected, output) == wanted


def test_an_expected_label_outside_the_rubrics_is_an_error_not_a_zero() -> None:
    with pytest.raises(ScorerError):
        score(LabelMatch(labels=LABELS), "shipping", "shipping")


@pytest.mark.parametrize("labels", [["a", "A"], ["one"], ["ok", "!!!"], []])
def test_labels_that_cannot_be_told_apart_are_refused(labels: list[str]) -> None:
    with pytest.raises(ValidationError):
        LabelMatch(labels=tuple(labels))


def test_many_labels_on_a_long_answer_stay_fast() -> None:
    labels = tuple(f"label number {n}" for n in range(500))
    started = time.perf_counter()
    assert score(LabelMatch(labels=labels), "label number 1", "word " * 19_000 + "label number 1") == 1.0
    assert time.perf_counter() - started < 2


def slow_distance(first: str, second: str) -> int:
    row = list(range(len(second) + 1))
    for i, left in enumerate(first, start=1):
        diagonal, row[0] = row[0], i
        for j, right in enumerate(second, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (left != right))
    return row[-1]


@given(st.text(alphabet="abcé", max_size=80), st.text(alphabet="abcé", max_size=80))
def test_edit_distance_is_the_textbook_recurrence(first: str, second: str) -> None:
    assert edit_distance(first, second) == slow_distance(first, second)


@given(ANY_TEXT, ANY_TEXT)
def test_edit_distance_is_a_metric(first: str, second: str) -> None:
    distance = edit_distance(first, second)
    assert distance == edit_distance(second, first)
    assert (distance == 0) == (first == second)
    assert abs(len(first) - len(second)) <= distance <= max(len(first), len(second))


def test_levenshtein_similarity() -> None:
    assert score(Levenshtein(), "kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert score(Levenshtein(), "", "") == 1.0
    assert score(Levenshtein(case_sensitive=False), "ABC", "abc") == 1.0


def test_levenshtein_is_bounded_in_time() -> None:
    started = time.perf_counter()
    score(Levenshtein(), "ab" * 10_000, "ba" * 49_000)
    assert time.perf_counter() - started < 5
    with pytest.raises(ScorerError):
        score(Levenshtein(), "a" * 20_001, "a")


def test_token_f1() -> None:
    assert score(TokenF1(), "the quick brown fox", "The quick, red fox!") == pytest.approx(0.75)
    assert score(TokenF1(drop_articles=True), "the fox", "a fox") == 1.0
    assert score(TokenF1(), "fox fox", "fox") == pytest.approx(2 / 3)
    assert score(TokenF1(), "fox", "dog") == 0.0
    assert score(TokenF1(), "", "...") == 1.0


@given(ANY_TEXT, ANY_TEXT)
def test_every_text_gets_a_score_between_0_and_1_and_1_against_itself(expected: str, output: str) -> None:
    for scorer in (ExactMatch(), Levenshtein(), TokenF1()):
        assert 0.0 <= score(scorer, expected, output) <= 1.0
        assert score(scorer, expected, expected) == 1.0
