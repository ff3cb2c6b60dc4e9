"""Which cluster of a new scan is which known one: by their centroids, one to one. Pure."""

import math
from collections.abc import Mapping, Sequence

import numpy as np

SAME_FROM = 0.6
"""Cosine similarity of centroids from which two clusters are the same kind of failure."""

Terms = Mapping[str, float]


def match_centroids(
    known: Sequence[Terms], found: Sequence[Terms], *, same_from: float = SAME_FROM
) -> list[int | None]:
    """For each found centroid the index of the known one that it is, or None where it is new.

    No known one is taken twice; among all one-to-one matchings the one with the largest total similarity is chosen,
    so the order in which clusters are reported does not matter. Terms weigh as given; lengths do not matter.
    """
    if not known or not found:
        return [None] * len(found)
    # As scikit-learn in a scan's clustering: a server that answers requests starts without.
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415

    similarity = np.array([[cosine(one, other) for other in known] for one in found])
    # A pair that is not the same must not push a pair that is out of the matching.
    rows, columns = linear_sum_assignment(np.where(similarity >= same_from, similarity, 0.0), maximize=True)
    matches: list[int | None] = [None] * len(found)
    for row, column in zip(rows, columns, strict=True):
        if similarity[row, column] >= same_from:
            matches[int(row)] = int(column)
    return matches


def blended(known: Terms, found: Terms) -> dict[str, float]:
    """A centroid of unit length half-way between both: it follows a slow drift and is not thrown by one odd scan."""
    first, second = _unit(known), _unit(found)
    terms = {term: first.get(term, 0.0) + second.get(term, 0.0) for term in sorted({*first, *second})}
    return _unit(terms)


def cosine(one: Terms, other: Terms) -> float:
    """The cosine of the angle between two weighted sets of terms; 0 where one is empty."""
    lengths = _length(one) * _length(other)
    if lengths == 0.0:
        return 0.0
    return math.fsum(weight * other.get(term, 0.0) for term, weight in one.items()) / lengths


def _unit(terms: Terms) -> dict[str, float]:
    length = _length(terms)
    return {term: weight / length for term, weight in terms.items()} if length else dict(terms)


def _length(terms: Terms) -> float:
    return math.sqrt(math.fsum(weight * weight for weight in terms.values()))
