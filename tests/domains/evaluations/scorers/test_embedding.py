"""Cosine similarity, and the vectors that need no key."""

import math
from typing import Any

import pytest

from spectral.domains.evaluations.scorers.base import Answer, ScoredCase, ScorerError
from spectral.domains.evaluations.scorers.embedding import EmbeddingSimilarity, cosine
from spectral.platform.llm.local.embedding import DIMENSIONS, embed_texts

pytestmark = pytest.mark.databases("sqlite")

PLACES = [53, 181, 244]


def test_local_vectors_are_the_same_everywhere_and_near_where_words_are_shared() -> None:
    parcel, delivery, password, nothing = embed_texts(
        ["Your parcel is delivered on Monday", "The parcel's delivery is on Monday", "Reset my password", ""]
    )
    assert embed_texts(["Reset my password"]) == [password]
    assert {len(vector) for vector in (parcel, delivery, password, nothing)} == {DIMENSIONS}
    assert math.isclose(math.hypot(*parcel), 1.0)
    # Pinned: a stored score must mean the same on every machine and after every update.
    assert [index for index, value in enumerate(password) if value][:3] == PLACES
    assert cosine(parcel, delivery) > 0.5
    assert abs(cosine(parcel, password)) < 0.2
    assert cosine(parcel, nothing) == 0.0


@pytest.mark.parametrize(
    ("first", "second", "zero_at", "score"),
    [
        ((1, 0), (2, 0), 0.0, 1.0),
        ((1, 0), (0.6, 0.8), 0.0, 0.6),
        ((1, 0), (0.6, 0.8), 0.2, 0.5),
        ((1, 0), (-1, 0), 0, 0),
    ],
    ids=["same", "near", "from-a-floor", "opposite"],
)
def test_the_score_is_a_line_up_to_the_same_direction(first: Any, second: Any, zero_at: float, score: float) -> None:
    verdict = EmbeddingSimilarity(model="openai/text-embedding-3-small", zero_at=zero_at).verdict(first, second)
    assert verdict.score == pytest.approx(score)


def test_what_has_no_direction_cannot_be_scored() -> None:
    scorer = EmbeddingSimilarity()
    for case, output in ((ScoredCase("q"), "a"), (ScoredCase("q", "a"), " "), (ScoredCase("q", ""), "a")):
        with pytest.raises(ScorerError):
            scorer.texts(case, Answer(output, 1.0))
    with pytest.raises(ScorerError, match="no direction"):
        scorer.verdict((0.0, 0.0), (1.0, 0.0))
    with pytest.raises(ScorerError, match="cannot be compared"):
        scorer.verdict((1.0,), (1.0, 0.0))
