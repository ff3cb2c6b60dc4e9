"""Failures that have the same cause are found together; what resembles nothing stays unclustered.

Pure: the same failures and the same seed give the same clusters. The text of a failure is "expected → got + rubric
dimension + explanation", not the transcript: a transcript clusters by topic, and the topic is rarely the cause.

TF-IDF (word) → TruncatedSVD (at most 100 dimensions, 12 before density clustering) → HDBSCAN with leaf selection.
Below `DENSITY_MINIMUM` failures density means nothing, so only failures with the same expected and got are grouped.
"""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

DENSITY_MINIMUM = 20
GROUP_MINIMUM = 3
COMPONENTS_BEFORE_DENSITY = 12
MAXIMUM_COMPONENTS = 100
MERGE_DISTANCE = 0.2
RESAMPLES = 10
RESAMPLED_SHARE = 0.8
DISSOLVED_BELOW = 0.5
SHORT_VALUE = 48
CENTROID_TERMS = 12
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
    """All failures once: in a cluster, largest first, or unclustered. `method` is density, grouped or none."""

    method: str
    clusters: tuple[Cluster, ...]
    unclustered_item_ids: tuple[UUID, ...]


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
    for word in _WORD.findall(failure.explanation.lower()):
        if word not in _STOP_WORDS and word not in values:
            terms.append(word)  # noqa: PERF401 - reads better beside the two exceptions
    return terms


def _side_terms(side: str, value: str | None) -> list[str]:
    if value is None:
        return [f"{side}:(none)"]
    text = value.strip().lower()
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
    if len(ordered) < GROUP_MINIMUM:
        return Clustering("none", (), tuple(failure.item_id for failure in ordered))
    if len(ordered) < DENSITY_MINIMUM:
        groups = _group_identical(ordered)
        return _assemble("grouped", ordered, groups, dict.fromkeys(groups))
    space = _embed(ordered, seed)
    minimum = max(4, round(0.02 * len(ordered)))
    groups = _members(_density(space, minimum))
    stability = _stability(space, groups, minimum, seed)
    kept = {key: members for key, members in groups.items() if stability[key] >= DISSOLVED_BELOW}
    return _assemble("density", ordered, kept, {key: stability[key] for key in kept})


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

    vectorizer = TfidfVectorizer(analyzer=failure_terms)
    matrix = vectorizer.fit_transform(failures)
    return matrix, [str(term) for term in vectorizer.get_feature_names_out()]


def _embed(failures: Sequence[Failure], seed: int) -> Floats:
    """Rows of unit length in a space of few dimensions."""
    from sklearn.decomposition import TruncatedSVD  # noqa: PLC0415 - as in `_tfidf`

    matrix, terms = _tfidf(failures)
    wanted = min(MAXIMUM_COMPONENTS, COMPONENTS_BEFORE_DENSITY, len(terms) - 1, len(failures) - 1)
    if wanted < 2:
        dense: Floats = np.asarray(matrix.toarray(), dtype=np.float64)
    else:
        with np.errstate(divide="ignore", invalid="ignore"):  # identical texts have no variance to be explained
            reduced = TruncatedSVD(wanted, random_state=seed % 2**32).fit_transform(matrix)
        dense = np.asarray(reduced, dtype=np.float64)
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    return np.round(dense / np.where(lengths > 0, lengths, 1.0), 9)


def _density(space: Floats, minimum: int) -> NDArray[np.int64]:
    from sklearn.cluster import HDBSCAN  # noqa: PLC0415 - as in `_tfidf`

    if bool(np.all(np.linalg.norm(space - space[0], axis=1) < MERGE_DISTANCE)):
        # HDBSCAN cannot say "all of them are one": without a split there is no leaf.
        return np.zeros(len(space), dtype=np.int64)
    model = HDBSCAN(min_cluster_size=minimum, cluster_selection_method="leaf", copy=True)
    return _merged(space, np.asarray(model.fit(space).labels_, dtype=np.int64))


def _merged(space: Floats, labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Clusters that lie within `MERGE_DISTANCE` of each other are one, and what lies there unclustered belongs to it.

    Identical texts are many, and ties between them become clusters otherwise. Not `cluster_selection_epsilon`: that
    path of scikit-learn 1.9 turns an array into a number, which NumPy 2.4 refuses.
    """
    merged = labels.copy()
    for label in sorted(_members(labels)):
        inside = merged == label
        if not inside.any():
            continue  # it has gone into an earlier one
        near = np.linalg.norm(space - space[inside].mean(axis=0), axis=1) < MERGE_DISTANCE
        for other in sorted(set(merged[near].tolist()) - {label, UNCLUSTERED}):
            members = merged == other
            if bool(np.all(near[members])):
                merged[members] = label
        merged[near & (merged == UNCLUSTERED)] = label
    return merged


def _members(labels: NDArray[np.int64]) -> dict[int, list[int]]:
    groups: dict[int, list[int]] = {}
    for index, label in enumerate(labels.tolist()):
        if label != UNCLUSTERED:
            groups.setdefault(label, []).append(index)
    return groups


def _stability(space: Floats, groups: dict[int, list[int]], minimum: int, seed: int) -> dict[int, float]:
    generator = np.random.default_rng(seed % 2**32)
    size = max(minimum + 1, int(len(space) * RESAMPLED_SHARE))
    totals = dict.fromkeys(groups, 0.0)
    for _ in range(RESAMPLES if groups else 0):
        drawn = np.sort(generator.choice(len(space), size=size, replace=False))
        again = [
            {int(drawn[member]) for member in members}
            for members in _members(_density(space[drawn], max(3, round(minimum * RESAMPLED_SHARE)))).values()
        ]
        present = set(drawn.tolist())
        for key, members in groups.items():
            original = present.intersection(members)
            if original:
                totals[key] += max((len(original & other) / len(original | other) for other in again), default=0.0)
    return {key: round(total / RESAMPLES, 6) for key, total in totals.items()}


def _assemble(
    method: str, failures: Sequence[Failure], groups: dict[int, list[int]], stability: dict[int, float | None]
) -> Clustering:
    matrix, terms = _tfidf(failures)
    clusters: list[Cluster] = []
    clustered: set[int] = set()
    for key, members in groups.items():
        clustered.update(members)
        mean = np.asarray(matrix[members].mean(axis=0)).ravel()
        top = [int(index) for index in np.argsort(-mean, kind="stable")[:CENTROID_TERMS] if mean[index] > 0]
        length = float(np.linalg.norm(mean[top]))
        weights = {terms[index]: round(float(mean[index]) / length, 6) for index in top}
        closeness = np.asarray(matrix[members] @ mean).ravel()
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
    # Stable: clusters alike in both stay in the order of their first members.
    clusters.sort(key=lambda cluster: (-cluster.size, cluster.label))
    rest = tuple(failure.item_id for index, failure in enumerate(failures) if index not in clustered)
    return Clustering(method, tuple(clusters), rest)


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
