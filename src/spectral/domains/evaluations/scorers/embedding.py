"""How near the answer is to the expected one in a space of vectors. Pure: the vectors come from `judging`."""

import math
from collections.abc import Sequence
from typing import ClassVar

from pydantic import Field, field_validator

from spectral.domains.evaluations.scorers.base import (
    Answer,
    ModelScorer,
    ScoredCase,
    ScorerError,
    Verdict,
    expected_text,
)
from spectral.domains.evaluations.scorers.models import LOCAL_EMBEDDING, embedding_model

MAX_EMBEDDED_CHARACTERS = 30_000
MOST_BYTES = 2 * 4 * MAX_EMBEDDED_CHARACTERS
"""Two texts in UTF-8 can be no larger."""

LOCAL_NOTE = " (built-in local vectors of words and parts of words, not a language model's)"


class EmbeddingSimilarity(ModelScorer):
    """The cosine of the answer's vector and the expected answer's: 1 at the same direction, 0 from `zero_at` down.

    Between `zero_at` and 1 the score is a straight line. `reference` is compared with instead of the expected answer.
    Vectors of different models are not comparable, so neither are their scores.
    """

    version: ClassVar[str] = "1"
    purpose: ClassVar[str] = "embedding"

    model: str = Field(default=LOCAL_EMBEDDING, min_length=1, max_length=200)
    zero_at: float = Field(default=0.0, ge=-1, lt=1)
    reference: str | None = Field(default=None, min_length=1, max_length=MAX_EMBEDDED_CHARACTERS)

    @field_validator("model")
    @classmethod
    def gives_vectors(cls, name: str) -> str:
        """Refuses what gives no vectors."""
        return embedding_model(name)

    def texts(self, case: ScoredCase, answer: Answer) -> tuple[str, str]:
        """What is compared: the reference and the answer. Raises ScorerError where one is empty, absent or too long."""
        wanted = self.reference or expected_text(case)
        for name, text in (("expected answer", wanted), ("answer", answer.output)):
            if not text.strip():
                message = f"the {name} is empty: it has no direction"
                raise ScorerError(message)
            if len(text) > MAX_EMBEDDED_CHARACTERS:
                message = f"the {name} is longer than {MAX_EMBEDDED_CHARACTERS} characters"
                raise ScorerError(message)
        return wanted, answer.output

    def verdict(self, wanted: Sequence[float], got: Sequence[float]) -> Verdict:
        """The verdict on two vectors. Raises ScorerError for vectors without a direction or of different spaces."""
        similarity = cosine(wanted, got)
        score = min(1.0, max(0.0, (similarity - self.zero_at) / (1.0 - self.zero_at)))
        note = LOCAL_NOTE if self.model == LOCAL_EMBEDDING else ""
        return Verdict(score, f"cosine similarity {similarity:.3f}{note}")


def cosine(first: Sequence[float], second: Sequence[float]) -> float:
    """The cosine of the angle between two vectors, −1 to 1. Raises ScorerError where there is none."""
    if len(first) != len(second):
        message = f"vectors of {len(first)} and {len(second)} numbers cannot be compared"
        raise ScorerError(message)
    lengths = math.hypot(*first) * math.hypot(*second)
    if not math.isfinite(lengths) or lengths == 0.0:
        message = "a vector has no direction"
        raise ScorerError(message)
    product = math.fsum(left * right for left, right in zip(first, second, strict=True))
    return min(1.0, max(-1.0, product / lengths))
