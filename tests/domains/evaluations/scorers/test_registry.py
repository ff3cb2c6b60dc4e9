"""Scorers are found through entry points, the built-in ones included."""

import sys
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

import pytest

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase
from spectral.domains.evaluations.scorers.registry import (
    BUILT_IN,
    GROUP,
    ScorerRegistrationError,
    installed_scorers,
    load_scorers,
)

PACKAGE = '''
from typing import ClassVar

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, Scorer, Verdict


class Shouting(Scorer):
    """1 when the answer is in capitals."""

    version: ClassVar[str] = "3"
    marks: int = 0

    def score(self, case: ScoredCase, answer: Answer) -> Verdict:
        return Verdict(float(answer.output.isupper()), "capitals")


class NoVersion:
    pass
'''


def test_the_built_in_scorers_are_all_there() -> None:
    assert set(installed_scorers()) >= {
        "exact_match", "contains", "regex", "json_schema", "numeric_tolerance", "label", "latency", "cost",
        "tool_called", "levenshtein", "token_f1",
    }  # fmt: skip
    assert all(scorer.version and scorer.__doc__ for scorer in installed_scorers().values())


def test_an_installed_package_adds_a_scorer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shouting_scorer.py").write_text(PACKAGE)
    metadata = tmp_path / "shouting_scorer-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: shouting-scorer\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(f"[{GROUP}]\nshouting = shouting_scorer:Shouting\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        found = load_scorers((*BUILT_IN, *entry_points(group=GROUP)))
        verdict = found["shouting"].model_validate({"marks": 1}).score(ScoredCase(), Answer("LOUD", 1))
        assert verdict.score == 1.0
        with pytest.raises(ScorerRegistrationError, match="not a Scorer"):
            load_scorers([EntryPoint("bad", "shouting_scorer:NoVersion", GROUP)])
    finally:
        sys.modules.pop("shouting_scorer", None)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("exact_match", "elsewhere:ExactMatch", "registered twice"),
        ("Bad Name", "elsewhere:X", "a name is"),
        ("absent", "no_such_package_here:X", "cannot be loaded"),
    ],
)
def test_a_registration_that_cannot_be_used_stops_the_start(name: str, value: str, why: str) -> None:
    with pytest.raises(ScorerRegistrationError, match=why):
        load_scorers((*BUILT_IN, EntryPoint(name, value, GROUP)))


def test_naming_a_scorer_twice_the_same_way_is_harmless() -> None:
    assert set(load_scorers((*BUILT_IN, *BUILT_IN))) == {point.name for point in BUILT_IN}
