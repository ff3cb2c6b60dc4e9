"""Which cluster of a new scan is which known one, and what people have said about it since. Pure.

A cluster is recognised by its centroid, one to one. What people said is applied after that: a merged cluster is what it
was merged into, what was split is divided among its parts, an item that a person moved stays where it was put.
"""

import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from uuid import UUID

import numpy as np

SAME_FROM = 0.6
"""Cosine similarity of centroids from which two clusters are the same kind of failure (measured: docs/clusters.md)."""

RECOGNISED_FROM = 0.5
"""Cosine similarity with a known centroid from which a failure that a scan left unclustered is of the known kind."""

RECOGNISED_MINIMUM = 3
"""So many unclustered failures of a known kind are a sighting of it; fewer may be chance."""

CENTROID_TERMS = 24

Terms = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Known:
    """A cluster of the agent as it is remembered.

    whole: what it was merged into, else itself.  family: the first of the clusters that it was split from, else itself.
    """

    id: UUID
    centroid: Terms
    whole: UUID
    family: UUID


@dataclass(frozen=True, slots=True)
class Found:
    """A cluster as a scan found it."""

    centroid: Terms
    members: Sequence[UUID]


@dataclass(frozen=True, slots=True)
class Rules:
    """What people said about items. belongs: item → its cluster.  apart: item → clusters that it is not of."""

    belongs: Mapping[UUID, UUID]
    apart: Mapping[UUID, AbstractSet[UUID]]


@dataclass(frozen=True, slots=True)
class Recognised:
    """A cluster of the scan after recognition.

    cluster_id: None for a new one.  found: places of what it was made of, the one it has most of first; empty where
    people or likeness alone put its members there.  unchanged: it is exactly what one place held.
    """

    cluster_id: UUID | None
    members: tuple[UUID, ...]
    found: tuple[int, ...]
    unchanged: bool


@dataclass(frozen=True, slots=True)
class Recognition:
    """Every failure of the scan, in a cluster or in none.

    matches: for each found cluster the known one that it is, None for a new kind and for what was divided among parts.
    """

    clusters: list[Recognised]
    unclustered: list[UUID]
    matches: list[UUID | None]


def recognise(
    known: Sequence[Known],
    found: Sequence[Found],
    rules: Rules,
    *,
    unclustered: Sequence[UUID] = (),
    terms: Mapping[UUID, Terms],
) -> Recognition:
    """What a scan found, as the known clusters and under what people said; in the order of what was found.

    terms: of each failure, for those of which they are known; the others stay where the scan put them.
    """
    places = match_centroids([one.centroid for one in known], [one.centroid for one in found])
    matched = [None if place is None else known[place] for place in places]
    whole_of = {one.id: one.whole for one in known}
    # A new cluster has no id yet: until then it is the place at which it was found.
    placed: dict[UUID, UUID | int | None] = {}
    origin: dict[UUID, int] = {}
    whole: list[UUID | None] = []
    for place, (one, match) in enumerate(zip(found, matched, strict=True)):
        parts = [] if match is None else [other for other in known if other.family == match.family]
        divided = len({other.whole for other in parts}) > 1
        whole.append(None if match is None or divided else match.id)
        for item in one.members:
            origin[item] = place
            if match is None:
                placed[item] = place
            elif divided and item in terms:
                placed[item] = _nearest(terms[item], parts, match).whole
            else:
                placed[item] = match.whole
    seen_already = {at for at in placed.values() if isinstance(at, UUID)}
    placed |= dict.fromkeys(unclustered)
    placed |= _recurring(unclustered, terms, [one for one in known if one.whole not in seen_already])
    for item, at in placed.items():
        wanted = rules.belongs.get(item)
        if wanted is not None and wanted in whole_of:
            placed[item] = whole_of[wanted]
        elif at in {whole_of.get(cluster) for cluster in rules.apart.get(item, ())}:
            placed[item] = None
    return Recognition(
        clusters=_grouped(placed, origin, [len(one.members) for one in found]),
        unclustered=[item for item, at in placed.items() if at is None],
        matches=whole,
    )


def _nearest(item: Terms, parts: Sequence[Known], match: Known) -> Known:
    """The part that an item is most like; what was matched where several are alike."""
    return max(parts, key=lambda part: (round(cosine(item, part.centroid), 9), part.id == match.id))


def _recurring(
    unclustered: Sequence[UUID], terms: Mapping[UUID, Terms], absent: Sequence[Known]
) -> dict[UUID, UUID | int | None]:
    """Unclustered failures of known kinds that were too few here to be dense."""
    recognised: dict[UUID, list[UUID]] = {}
    likeness = _similarity([terms.get(item, {}) for item in unclustered], [one.centroid for one in absent])
    for item, of_item in zip(unclustered, likeness, strict=True):
        if of_item.size and of_item.max() >= RECOGNISED_FROM:
            recognised.setdefault(absent[int(of_item.argmax())].whole, []).append(item)
    return {item: whole for whole, items in recognised.items() if len(items) >= RECOGNISED_MINIMUM for item in items}


def _grouped(
    placed: Mapping[UUID, UUID | int | None], origin: Mapping[UUID, int], sizes: Sequence[int]
) -> list[Recognised]:
    members: dict[UUID | int, list[UUID]] = {}
    for item, place in placed.items():
        if place is not None:
            members.setdefault(place, []).append(item)
    clusters: list[tuple[int, Recognised]] = []
    for place, items in members.items():
        counts: dict[int, int] = {}
        for item in items:
            if item in origin:
                counts[origin[item]] = counts.get(origin[item], 0) + 1
        made_of = tuple(sorted(counts, key=lambda one: (-counts[one], one)))
        unchanged = len(made_of) == 1 and counts[made_of[0]] == sizes[made_of[0]] == len(items)
        recognised = Recognised(place if isinstance(place, UUID) else None, tuple(items), made_of, unchanged)
        clusters.append((made_of[0] if made_of else len(sizes), recognised))
    return [one for _, one in sorted(clusters, key=lambda pair: pair[0])]


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

    similarity = _similarity(found, known)
    # A pair that is not the same must not push a pair that is out of the matching.
    rows, columns = linear_sum_assignment(np.where(similarity >= same_from, similarity, 0.0), maximize=True)
    matches: list[int | None] = [None] * len(found)
    for row, column in zip(rows, columns, strict=True):
        if similarity[row, column] >= same_from:
            matches[int(row)] = int(column)
    return matches


def blended(known: Terms, found: Terms) -> dict[str, float]:
    """A centroid of unit length half-way between both: it follows a slow drift and is not thrown by one odd scan.

    What weighs least is left out, so that a centroid does not grow with every scan.
    """
    first, second = _unit(known), _unit(found)
    terms = {term: first.get(term, 0.0) + second.get(term, 0.0) for term in sorted({*first, *second})}
    return _unit(_heaviest(terms))


def mean_of(items: Sequence[Terms]) -> dict[str, float]:
    """The centroid of these items, unit length; empty where none has terms."""
    total: dict[str, float] = {}
    for item in items:
        for term, weight in item.items():
            total[term] = total.get(term, 0.0) + weight
    return _unit(_heaviest(total))


def cosine(one: Terms, other: Terms) -> float:
    """The cosine of the angle between two weighted sets of terms; 0 where one is empty."""
    lengths = _length(one) * _length(other)
    if lengths == 0.0:
        return 0.0
    return math.fsum(weight * other.get(term, 0.0) for term, weight in one.items()) / lengths


def _similarity(ones: Sequence[Terms], others: Sequence[Terms]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The cosine of every pair. Only shared terms are visited, so many known clusters cost little."""
    holders: dict[str, list[tuple[int, float]]] = {}
    for place, one in enumerate(map(_unit, ones)):
        for term, weight in one.items():
            holders.setdefault(term, []).append((place, weight))
    similarity = np.zeros((len(ones), len(others)))
    for column, other in enumerate(map(_unit, others)):
        for term, weight in other.items():
            for place, held in holders.get(term, ()):
                similarity[place, column] += weight * held
    return similarity


def _heaviest(terms: Terms) -> dict[str, float]:
    return dict(sorted(terms.items(), key=lambda pair: (-round(pair[1], 12), pair[0]))[:CENTROID_TERMS])


def _unit(terms: Terms) -> dict[str, float]:
    length = _length(terms)
    return {term: weight / length for term, weight in terms.items()} if length else dict(terms)


def _length(terms: Terms) -> float:
    return math.sqrt(math.fsum(weight * weight for weight in terms.values()))
