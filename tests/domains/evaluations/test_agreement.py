"""Cohen's κ against published numbers."""

import numpy as np
import pytest

from spectral.domains.evaluations.agreement import agreement_of

pytestmark = pytest.mark.databases("sqlite")

# SAS/STAT, PROC FREQ, "Agreement Study": two dermatologists.
SKIN = [[10, 4, 1, 0], [5, 10, 12, 2], [2, 4, 12, 5], [0, 2, 6, 13]]


def test_kappa_and_its_interval_are_those_of_the_textbook() -> None:
    found = agreement_of(SKIN)
    assert found.pairs == 88
    assert [round(value or 0, 4) for value in (found.kappa, found.kappa_low, found.kappa_high)] == [
        0.3449,
        0.2030,
        0.4868,
    ]
    weighted = (found.weighted_kappa, found.weighted_kappa_low, found.weighted_kappa_high)
    assert [round(value or 0, 4) for value in weighted] == [0.5082, 0.3798, 0.6366]


def test_chance_is_zero_and_what_does_not_exist_is_not_invented() -> None:
    chance = agreement_of([[20, 20], [20, 20]])
    assert chance.kappa == pytest.approx(0.0)
    assert (chance.kappa_low or 0) < 0 < (chance.kappa_high or 0)
    assert agreement_of([[50, 0], [0, 0]]).kappa is None
    assert agreement_of([[0, 0], [0, 0]]).agreement is None
    perfect = agreement_of([[30, 0], [0, 20]])
    # All agree, and still fifty labels cannot show that they always will.
    assert (perfect.kappa, perfect.kappa_high) == (1.0, 1.0)
    assert 0.8 < (perfect.kappa_low or 0) < 0.9


def test_the_interval_covers_the_truth() -> None:
    truth = np.array([[0.40, 0.10], [0.10, 0.40]])
    generator = np.random.default_rng(1)
    tables = generator.multinomial(60, truth.ravel(), size=1000).reshape(-1, 2, 2)
    found = [agreement_of(table.tolist()) for table in tables]
    covered = sum((each.kappa_low or 0) <= 0.6 <= (each.kappa_high or 0) for each in found)
    assert 0.92 <= covered / 1000 <= 0.97
