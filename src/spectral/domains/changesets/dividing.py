"""A cluster divided into parts of like failures: spherical k-means over their words. Pure and deterministic."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import numpy as np

from spectral.domains.changesets.identity import Terms

ROUNDS = 25
WORDS = 512


def divide(items: Mapping[UUID, Terms], parts: int) -> list[list[UUID]]:
    """The items in `parts` groups, the largest first; fewer groups where fewer differ.

    The first seeds are the item least like the mean and, again and again, the item least like those that are seeds
    already, so the same items always give the same parts. Takes a tenth of a second for 4,000 items.
    """
    order = sorted(items, key=str)
    matrix = _rows([items[item] for item in order])
    seeds = [int((matrix @ matrix.mean(axis=0)).argmin())]
    nearest = matrix @ matrix[seeds[0]]
    while len(seeds) < parts and float(nearest.min()) < 1 - 1e-9:
        seeds.append(int(nearest.argmin()))
        nearest = np.maximum(nearest, matrix @ matrix[seeds[-1]])
    centres = matrix[seeds]
    places = np.full(len(order), -1)
    for _ in range(ROUNDS):
        again = np.round(matrix @ centres.T, 9).argmax(axis=1)
        if (again == places).all():
            break
        places = again
        for place in range(len(seeds)):
            mean = matrix[places == place].sum(axis=0)
            length = float(np.linalg.norm(mean))
            if length:
                centres[place] = mean / length
    groups = [[order[int(row)] for row in np.flatnonzero(places == place)] for place in range(len(seeds))]
    return sorted((group for group in groups if group), key=lambda group: (-len(group), str(group[0])))


def _rows(items: Sequence[Terms]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    total: dict[str, float] = {}
    for item in items:
        for term, weight in item.items():
            total[term] = total.get(term, 0.0) + weight
    kept = sorted(total, key=lambda term: (-round(total[term], 9), term))[:WORDS]
    columns = {term: column for column, term in enumerate(kept)}
    matrix = np.zeros((len(items), max(1, len(kept))))
    for row, item in enumerate(items):
        for term, weight in item.items():
            if term in columns:
                matrix[row, columns[term]] = weight
    lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
    rows: np.ndarray[tuple[int, int], np.dtype[np.float64]] = matrix / np.where(lengths > 0, lengths, 1.0)
    return rows
