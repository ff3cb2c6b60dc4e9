"""Vectors that need no key: words and parts of words, hashed into a fixed number of places."""

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from hashlib import blake2b
from typing import Final

from spectral.platform.llm.local.features import is_part, rich_features

MODEL: Final = "spectral-local-embedding"
LABEL: Final = "built-in local vectors of words and parts of words, not a language model's"
DIMENSIONS: Final = 1024
_PART_WEIGHT: Final = 0.25
_NOTHING: Final = "\x00"
"""Stands in for a text without a single feature, which then is near to others of that kind only."""


def embed_texts(texts: Sequence[str]) -> list[tuple[float, ...]]:
    """One vector of length 1 for each text, deterministic on every machine.

    Stems, and at a quarter of their weight the character n-grams of words, each with the weight 1 + ln(how often):
    there is no corpus to learn from, so no inverse document frequency; stop words are left out.
    Source of the signed hashing: Weinberger et al., "Feature Hashing for Large Scale Multitask Learning" (2009).
    It sees that texts share words, not that they mean the same.
    """
    return [_vector(text) for text in texts]


def _vector(text: str) -> tuple[float, ...]:
    counted = Counter(rich_features(text)) or Counter(text.split() or [_NOTHING])
    places = [0.0] * DIMENSIONS
    for feature, times in sorted(counted.items()):
        place, sign = _place(feature)
        weight = _PART_WEIGHT if is_part(feature) else 1.0
        places[place] += sign * weight * (1.0 + math.log(times))
    length = math.hypot(*places)
    if length == 0.0:
        # Every feature met another of the opposite sign.
        place, sign = _place(text)
        places[place], length = sign, 1.0
    return tuple(value / length for value in places)


@lru_cache(maxsize=65_536)
def _place(feature: str) -> tuple[int, float]:
    """Where a feature is counted, and with which sign."""
    digest = int.from_bytes(blake2b(feature.encode("utf-8", "replace"), digest_size=8).digest(), "big")
    return digest % DIMENSIONS, 1.0 if digest >> 63 else -1.0
