"""Failures that have the same cause are found together; what resembles nothing stays unclustered.

Pure: the same failures and the same seed give the same clusters. The text of a failure is "expected → got + rubric
dimension + explanation", not the transcript: a transcript clusters by topic, and the topic is rarely the cause.

TF-IDF (word) → TruncatedSVD (15 dimensions before density clustering) → HDBSCAN with leaf selection. Leaves that say
the same in the full space of words are one cluster again, and what density left at their edges joins them there; what
the few dimensions do not explain is no cluster's and stays out. Below `DENSITY_MINIMUM` failures density means nothing,
so only failures with the same expected and got are grouped. The numbers below were measured: docs/clusters.md.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

DENSITY_MINIMUM = 20
GROUP_MINIMUM = 3
COMPONENTS_BEFORE_DENSITY = 15
NEIGHBOURS = 3
"""How many must be near for a place to be dense."""

SIZE_FACTOR = 0.2
"""A cluster has at least this times the square root of all failures, and never fewer than four."""

EXPLAINED_MINIMUM = 0.5
"""Length of what the few dimensions keep of a failure (of 1). Below it most of its words are its alone, and stretching
the rest to full length would make a cluster of what has nothing in common."""

SAME_CAUSE = 0.3
"""Cosine similarity from which two leaves are one cluster: of their centroids less the mean of all failures, because
words that every failure has say nothing about its cause."""

SAME_TEXT = 0.8
"""The same with the words that all have: where there is one cause, nothing sets its leaves apart."""

SAME_BESIDE = 0.5
"""The same less the mean of the failures that are in neither: with few causes each is much of what all failures say."""

OTHERS_MINIMUM = 0.25
"""Share of failures in neither of two leaves from which their mean tells what says nothing."""

JOINS_FROM = 0.2
"""Cosine similarity with a centroid, both less the mean of all failures, from which a failure that density left out
belongs to the cluster."""

ONE_PLACE = 0.2
RESAMPLES = 10
RESAMPLED_SHARE = 0.8
DISSOLVED_BELOW = 0.5
SHORT_VALUE = 48
CENTROID_TERMS = 24
ITEM_TERMS = 16
LABEL_WORDS = 3
TEXT_CHARACTERS = 4_000
"""Of each side and of the explanation; what comes after does not change what a failure is like."""

MAXIMUM_TERMS = 50_000
EXAMPLES = 5
ASSIGNMENT_MINIMUM = 0.3

UNCLUSTERED = -1

_WORD = re.compile(r"[^\W_]\w+")
_STOP_WORDS = frozenset(
    [
        *("a", "an", "and", "are", "as", "at", "be", "but", "by", "does", "for", "from", "got", "has", "have", "in"),
        *("is", "it", "its", "not", "of", "on", "or", "that", "the", "this", "to", "was", "were", "with", "expected"),
    ]
)

Floats = NDArray[np.float64]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Failure:
    """One item that an agent got wrong, as its rubric saw it. `got` is None where the agent gave no output."""

    item_id: UUID
    expected: str | None
    got: str | None
    dimension: str
    explanation: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Failures that belong together.

    share: of all failures, 0–1.  stability: mean Jaccard similarity with its best match over re-clustered samples of
    the failures, 0–1, None where nothing was resampled (Hennig 2007, "Cluster-wise assessment of cluster stability").
    centroid_terms: term → weight, unit length, what a later failure is compared with.
    """

    label: str
    size: int
    share: float
    member_item_ids: tuple[UUID, ...]
    example_item_ids: tuple[UUID, ...]
    centroid_terms: dict[str, float]
    stability: float | None


@dataclass(frozen=True, slots=True)
class Clustering:
    """All failures once: in a cluster, largest first, or unclustered. `method` is density, grouped or none.

    terms: of each failure the words that weigh most, term → weight, unit length before the others were left out.
    """

    method: str
    clusters: tuple[Cluster, ...]
    unclustered_item_ids: tuple[UUID, ...]
    terms: dict[UUID, dict[str, float]] = field(default_factory=dict)


def failure_text(failure: Failure) -> str:
    """What a person reads of a failure: "expected → got · dimension: explanation"."""
    got = "(no output)" if failure.got is None else failure.got
    expected = "(unspecified)" if failure.expected is None else failure.expected
    detail = f"{failure.dimension}: {failure.explanation}" if failure.explanation else failure.dimension
    return f"{expected} → {got} · {detail}"


def failure_terms(failure: Failure) -> list[str]:
    """The words of a failure as clustering sees them.

    A short value (a class label) is one word that keeps its side, so that "a read as b" and "b read as a" differ; a
    long one is its words.
    """
    terms = [
        *_side_terms("expected", failure.expected),
        *_side_terms("got", failure.got),
        f"dimension:{failure.dimension.lower()}",
    ]
    values = {value.strip().lower() for value in (failure.expected, failure.got) if value}
    for word in _WORD.findall(failure.explanation[:TEXT_CHARACTERS].lower()):
        if word not in _STOP_WORDS and word not in values:
            terms.append(word)  # noqa: PERF401 - reads better beside the two exceptions
    return terms


def _side_terms(side: str, value: str | None) -> list[str]:
    if value is None:
        return [f"{side}:(none)"]
    text = value.strip()[:TEXT_CHARACTERS].lower()
    if len(text) <= SHORT_VALUE:
        return [f"{side}:{text}"]
    return [word for word in _WORD.findall(text) if word not in _STOP_WORDS]


def cluster_failures(failures: Sequence[Failure], *, seed: int) -> Clustering:
    """Every failure is in exactly one cluster or unclustered; an item fails at most once.

    Raises ValueError when two failures share an item.
    """
    # By what they say and only then by id: the same failures in another workspace make the same clusters.
    ordered = sorted(failures, key=lambda failure: (failure_text(failure), str(failure.item_id)))
    if len({failure.item_id for failure in ordered}) != len(ordered):
        message = "an item fails at most once"
        raise ValueError(message)
    if not ordered:
        return Clustering("none", (), ())
    matrix, terms = _tfidf(ordered)
    words = _Words(matrix, terms)
    if len(ordered) < GROUP_MINIMUM:
        return _assemble("none", ordered, words, {}, {})
    if len(ordered) < DENSITY_MINIMUM:
        groups = _group_identical(ordered)
        return _assemble("grouped", ordered, words, groups, dict.fromkeys(groups))
    space = _Space(words, seed)
    groups = space.clusters(np.arange(len(ordered)))
    stability = _stability(space, groups, len(ordered), seed)
    kept = {key: members for key, members in groups.items() if stability[key] >= DISSOLVED_BELOW}
    return _assemble("density", ordered, words, kept, {key: stability[key] for key in kept})


def failure_weights(failure: Failure) -> dict[str, float]:
    """What one failure is like by itself: term → weight, unit length before all but the heaviest were left out."""
    counts = Counter(failure_terms(failure))
    length = math.sqrt(sum(count * count for count in counts.values()))
    heaviest = sorted(counts, key=lambda term: (-counts[term], term))[:ITEM_TERMS]
    return {term: round(counts[term] / length, 4) for term in heaviest}


def nearest_cluster(failure: Failure, centroids: Sequence[dict[str, float]]) -> int | None:
    """The index of the centroid that this failure resembles most, None where it resembles none."""
    counts = Counter(failure_terms(failure))
    length = math.sqrt(sum(count * count for count in counts.values()))
    best, best_similarity = None, ASSIGNMENT_MINIMUM
    for index, centroid in enumerate(centroids):
        similarity = sum(count * centroid.get(term, 0.0) for term, count in counts.items()) / length
        if similarity > best_similarity + 1e-12:
            best, best_similarity = index, similarity
    return best


def _group_identical(failures: Sequence[Failure]) -> dict[int, list[int]]:
    by_key: dict[tuple[str | None, str | None, str], list[int]] = {}
    for index, failure in enumerate(failures):
        by_key.setdefault((failure.expected, failure.got, failure.dimension), []).append(index)
    groups = [members for members in by_key.values() if len(members) >= GROUP_MINIMUM]
    return dict(enumerate(groups))


def _tfidf(failures: Sequence[Failure]) -> tuple[Any, list[str]]:
    # scikit-learn takes about a second to import and only a scan in progress needs it: a server that answers
    # requests starts without.
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415

    vectorizer = TfidfVectorizer(analyzer=failure_terms, max_features=MAXIMUM_TERMS)
    matrix = vectorizer.fit_transform(failures)
    return matrix.tocsr(), [str(term) for term in vectorizer.get_feature_names_out()]


class _Words:
    """The failures in the full space of words: rows of unit length, in the order of the failures.

    usual: their mean, what a failure of this agent says anyway.
    """

    def __init__(self, matrix: Any, terms: list[str]) -> None:
        self.matrix = matrix
        self.terms = terms
        self.usual: Floats = np.asarray(matrix.mean(axis=0)).ravel()
        self.usual_square = float(self.usual @ self.usual)

    def centroid(self, members: Sequence[int]) -> tuple[NDArray[np.int64], Floats]:
        """The columns that weigh most in the mean of these rows, heaviest first, and their weights, unit length."""
        mean = np.asarray(self.matrix[members].mean(axis=0)).ravel()
        heaviest = np.argsort(-np.round(mean, 12), kind="stable")[:CENTROID_TERMS]
        columns = heaviest[mean[heaviest] > 0]
        weights = mean[columns]
        return columns, weights / float(np.linalg.norm(weights))

    def sums(self, groups: Sequence[Sequence[int]]) -> Any:
        """One sparse row a group: the sum of its failures."""
        from scipy.sparse import csr_array  # noqa: PLC0415 - as in `_tfidf`

        columns = np.array([member for members in groups for member in members], dtype=np.int64)
        starts = np.cumsum([0, *(len(members) for members in groups)])
        chosen = csr_array((np.ones(len(columns)), columns, starts), shape=(len(groups), self.matrix.shape[0]))
        return chosen @ self.matrix

    def row(self, index: int) -> dict[str, float]:
        """What weighs most in one failure."""
        start, end = self.matrix.indptr[index], self.matrix.indptr[index + 1]
        columns, weights = self.matrix.indices[start:end], self.matrix.data[start:end]
        heaviest = np.lexsort((columns, -np.round(weights, 12)))[:ITEM_TERMS]
        return {self.terms[int(columns[place])]: round(float(weights[place]), 4) for place in heaviest}


class _Space:
    """The failures in few dimensions, where density means something."""

    def __init__(self, words: _Words, seed: int) -> None:
        self._words = words
        reduced = _reduced(words, seed)
        lengths = np.linalg.norm(reduced, axis=1)
        self._explained = lengths >= EXPLAINED_MINIMUM
        self._directions: Floats = np.round(reduced / np.where(lengths > 0, lengths, 1.0)[:, None], 9)

    def clusters(self, rows: NDArray[np.int64]) -> dict[int, list[int]]:
        """The clusters of these rows: those that are dense, one where they say the same, with what belongs to them."""
        dense = rows[self._explained[rows]]
        minimum = max(4, round(SIZE_FACTOR * math.sqrt(len(rows))))
        if len(dense) <= max(minimum, NEIGHBOURS):
            return {}
        found = _members(_density(self._directions[dense], minimum))
        groups = {key: [int(dense[place]) for place in places] for key, places in found.items()}
        return self._joined(rows, self._united(groups))

    def _united(self, groups: dict[int, list[int]]) -> dict[int, list[int]]:
        """Leaves whose words are the same are one cluster, the most alike first."""
        keys = sorted(groups)
        sizes = np.array([float(len(groups[key])) for key in keys])
        sums = self._words.sums([groups[key] for key in keys])
        products = np.asarray((sums @ sums.T).todense()) if keys else np.zeros((0, 0))
        usual = np.asarray(sums @ self._words.usual).ravel()
        while len(keys) > 1:
            alike = self._alike(products, usual, sizes)
            one, other = sorted(int(place) for place in np.unravel_index(int(alike.argmax()), alike.shape))
            if alike[one, other] < SAME_CAUSE:
                break
            groups[keys[one]] = sorted([*groups[keys[one]], *groups.pop(keys.pop(other))])
            # Sums add up, and so do their products: no centroid is computed again.
            products[one] += products[other]
            products[:, one] += products[:, other]
            usual[one] += usual[other]
            sizes[one] += sizes[other]
            products = np.delete(np.delete(products, other, axis=0), other, axis=1)
            usual, sizes = np.delete(usual, other), np.delete(sizes, other)
        return groups

    def _alike(self, products: Floats, usual: Floats, sizes: Floats) -> Floats:
        """Of every two groups the largest of three likenesses, each less what its threshold is above `SAME_CAUSE`."""
        plain = products / np.outer(sizes, sizes)
        usual_each = usual / sizes
        own = plain - usual_each[:, None] - usual_each[None, :] + self._words.usual_square
        alike: Floats = np.maximum(_cosines(own), _cosines(plain) - (SAME_TEXT - SAME_CAUSE))
        apart = _cosines_beside(products, usual, sizes, self._words) - (SAME_BESIDE - SAME_CAUSE)
        others = 1 - (sizes[:, None] + sizes[None, :]) / self._words.matrix.shape[0]
        alike = np.asarray(np.where(others >= OTHERS_MINIMUM, np.maximum(alike, apart), alike), dtype=np.float64)
        alike = np.round(alike, 9)
        np.fill_diagonal(alike, -1.0)
        return alike

    def _joined(self, rows: NDArray[np.int64], groups: dict[int, list[int]]) -> dict[int, list[int]]:
        """What density left at the edge of a cluster belongs to the one that it is most like."""
        inside = {member for members in groups.values() for member in members}
        rest = [int(row) for row in rows if int(row) not in inside]
        if not groups or not rest:
            return groups
        keys = list(groups)
        sizes = np.array([float(len(groups[key])) for key in keys])
        means = self._words.sums([groups[key] for key in keys]) / sizes[:, None]
        matrix, square = self._words.matrix[rest], self._words.usual_square
        of_rows = np.asarray(matrix @ self._words.usual).ravel()
        of_means = np.asarray(means @ self._words.usual).ravel()
        own = np.asarray((matrix @ means.T).todense()) - of_rows[:, None] - of_means[None, :] + square
        lengths = np.asarray(means.multiply(means).sum(axis=1)).ravel() - 2 * of_means + square
        scale = np.sqrt(np.maximum(np.outer(1 - 2 * of_rows + square, lengths), 1e-12))
        for row, of_row in zip(rest, np.round(own / scale, 9), strict=True):
            nearest = int(of_row.argmax())
            if of_row[nearest] >= JOINS_FROM:
                groups[keys[nearest]].append(row)
        return {key: sorted(members) for key, members in groups.items()}


def _cosines(products: Floats) -> Floats:
    lengths = np.sqrt(np.maximum(np.diag(products), 1e-12))
    cosines: Floats = products / np.outer(lengths, lengths)
    return cosines


def _cosines_beside(products: Floats, usual: Floats, sizes: Floats, words: _Words) -> Floats:
    """The cosine of every two groups' centroids, each less what all other failures add to the mean of all."""
    total = words.matrix.shape[0]
    with_all, own = usual * total, np.diag(products)
    others = words.usual_square * total**2 - 2 * (with_all[:, None] + with_all[None, :])
    others = (others + own[:, None] + own[None, :] + 2 * products) / total**2
    beside = (with_all[:, None] - own[:, None] - products) / (sizes[:, None] * total)
    squares = (own / sizes**2)[:, None] - 2 * beside + others
    between = products / np.outer(sizes, sizes) - beside - beside.T + others
    cosines: Floats = between / np.sqrt(np.maximum(squares * squares.T, 1e-12))
    return cosines


def _reduced(words: _Words, seed: int) -> Floats:
    """The failures in a space of few dimensions; a row is as long as what the dimensions keep of it."""
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - as in `_tfidf`

    wanted = min(COMPONENTS_BEFORE_DENSITY, len(words.terms) - 1, words.matrix.shape[0] - 1)
    if wanted < 2:
        return np.asarray(words.matrix.toarray(), dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):  # identical texts have no variance to be explained
        reduced = TruncatedSVD(wanted, random_state=seed % 2**32).fit_transform(words.matrix)
    return np.asarray(reduced, dtype=np.float64)


def _density(space: Floats, minimum: int) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - as in `_tfidf`

    if bool(np.all(np.linalg.norm(space - space[0], axis=1) < ONE_PLACE)):
        # HDBSCAN cannot say "all of them are one": without a split there is no leaf.
        return np.zeros(len(space), dtype=np.int64)
    model = HDBSCAN(min_cluster_size=minimum, min_samples=NEIGHBOURS, cluster_selection_method="leaf", copy=True)
    return np.asarray(model.fit(space).labels_, dtype=np.int64)


def _members(labels: NDArray[np.int64]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        if label != UNCLUSTERED:
            groups.setdefault(label, []).append(index)
    return groups


def _stability(space: _Space, groups: dict[int, list[int]], total: int, seed: int) -> dict[int, float]:
    generator = np.random.default_rng(seed % 2**32)
    size = int(total * RESAMPLED_SHARE)
    totals = dict.fromkeys(groups, 0.0)
    for _ in range(RESAMPLES if groups else 0):
        drawn = np.sort(generator.choice(total, size=size, replace=False))
        again = [set(members) for members in space.clusters(drawn).values()]
        present = set(drawn.tolist())
        for key, members in groups.items():
            original = present.intersection(members)
            if original:
                totals[key] += max((len(original & other) / len(original | other) for other in again), default=0.0)
    return {key: round(total / RESAMPLES, 6) for key, total in totals.items()}


def _assemble(
    method: str,
    failures: Sequence[Failure],
    words: _Words,
    groups: dict[int, list[int]],
    stability: Mapping[int, float | None],
) -> Clustering:
    clusters: list[Cluster] = []
    clustered: set[int] = set()
    for key, members in groups.items():
        clustered.update(members)
        columns, heaviest = words.centroid(members)
        pairs = zip(columns, heaviest, strict=True)
        weights = {words.terms[int(column)]: round(float(weight), 6) for column, weight in pairs}
        mean = np.asarray(words.matrix[members].mean(axis=0)).ravel()
        closeness = np.asarray(words.matrix[members] @ mean).ravel()
        nearest = [members[int(index)] for index in np.argsort(-np.round(closeness, 9), kind="stable")[:EXAMPLES]]
        clusters.append(
            Cluster(
                label=_label([failures[index] for index in members], weights),
                size=len(members),
                share=round(len(members) / len(failures), 6),
                member_item_ids=tuple(failures[index].item_id for index in members),
                example_item_ids=tuple(failures[index].item_id for index in nearest),
                centroid_terms=weights,
                stability=stability[key],
            )
        )
    labels = Counter(cluster.label for cluster in clusters)
    clusters = [_told_apart(cluster) if labels[cluster.label] > 1 else cluster for cluster in clusters]
    # Stable: clusters alike in both stay in the order of their first members.
    clusters.sort(key=lambda cluster: (-cluster.size, cluster.label))
    rest = tuple(failure.item_id for index, failure in enumerate(failures) if index not in clustered)
    weighed = {failure.item_id: words.row(index) for index, failure in enumerate(failures)}
    return Clustering(method, tuple(clusters), rest, weighed)


def _told_apart(cluster: Cluster) -> Cluster:
    """The same with the words of its explanations in its label."""
    words = [term for term in cluster.centroid_terms if ":" not in term][:LABEL_WORDS]
    return replace(cluster, label=f"{cluster.label} ({', '.join(words)})") if words else cluster


def _label(failures: Sequence[Failure], weights: dict[str, float]) -> str:
    """A cluster is named by the confusion most of it shows, else by what is right or was answered in most of it.

    Where answers are long texts, by the words that weigh most.
    """
    short = [(failure.expected, failure.got) for failure in failures if _is_short(failure.expected)]
    pairs = Counter((expected, got) for expected, got in short if got is None or _is_short(got))
    if pair := _majority(pairs, len(failures)):
        expected, got = pair
        return f"{expected} read as {got}" if got is not None else f"{expected}: no output"
    if right := _majority(Counter(expected for expected, _ in short), len(failures)):
        others = [got for (expected, got), _ in pairs.most_common() if expected == right and got is not None]
        return f"{right} read as {_either(others)}"
    if answered := _majority(Counter(got for _, got in short if _is_short(got)), len(failures)):
        others = [expected for (expected, got), _ in pairs.most_common() if got == answered and expected is not None]
        return f"{_either(others)} read as {answered}"
    words = [term for term in weights if not term.startswith("dimension:")]
    names = [word.replace("expected:", "expected ").replace("got:", "got ") for word in words[:3]]
    return ", ".join(names) or failures[0].dimension


def _majority(counts: Mapping[T, int], total: int) -> T | None:
    """What more than half of all have in common."""
    return next((value for value, count in counts.items() if 2 * count > total), None)


def _either(values: Sequence[str]) -> str:
    """Up to two of the values by name, and that there are more."""
    named = list(dict.fromkeys(values))
    return f"{' or '.join(named[:2])} and others" if len(named) > 2 else " or ".join(named)


def _is_short(value: str | None) -> bool:
    return value is not None and len(value.strip()) <= SHORT_VALUE
