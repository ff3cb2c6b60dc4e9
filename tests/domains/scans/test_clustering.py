"""Planted causes of failure are found again, noise is not made into clusters."""

import random
from collections import Counter
from uuid import UUID, uuid5

import numpy as np
import pytest

from spectral.domains.scans.clustering import (
    ASSIGNMENT_MINIMUM,
    UNCLUSTERED,
    Clustering,
    Failure,
    _density,
    cluster_failures,
    failure_terms,
    failure_text,
    nearest_cluster,
)

SPACE = UUID("6d3a86f2-4d64-4d8a-9f0c-1f6a0f4d4b11")
LABELS = ["billing", "refund", "login", "account", "bug", "feature", "invoice", "security", "shipping", "upgrade"]
PLANTED = [("billing", "refund", 40), ("login", "account", 30), ("bug", "feature", 20), ("security", "login", 12)]


def label_failure(number: int, expected: str, got: str | None) -> Failure:
    return Failure(uuid5(SPACE, str(number)), expected, got, "label", f"expected {expected!r}, got {got!r}")


def planted(noise: int = 0, seed: int = 3) -> tuple[list[Failure], dict[UUID, tuple[str, str]]]:
    rng = random.Random(seed)  # noqa: S311 - a planted data set
    pairs = [(expected, got) for expected, got, size in PLANTED for _ in range(size)]
    taken = {(expected, got) for expected, got, _ in PLANTED}
    free = [(a, b) for a in LABELS for b in LABELS if a != b and (a, b) not in taken]
    pairs += rng.sample(free, noise)
    failures = [label_failure(number, expected, got) for number, (expected, got) in enumerate(pairs)]
    rng.shuffle(failures)
    return failures, {failure.item_id: (str(failure.expected), str(failure.got)) for failure in failures}


def test_planted_confusions_are_found_whole() -> None:
    failures, truth = planted(noise=24)
    clustering = cluster_failures(failures, seed=11)
    assert clustering.method == "density"
    for expected, got, size in PLANTED:
        cluster = next(c for c in clustering.clusters if c.label == f"{expected} read as {got}")
        members = Counter(truth[item_id] for item_id in cluster.member_item_ids)
        assert members[(expected, got)] == size
        assert members[(expected, got)] >= 0.9 * cluster.size
        assert cluster.stability is not None
        assert cluster.stability >= 0.8
        assert set(cluster.example_item_ids) <= set(cluster.member_item_ids)
        assert cluster.share == pytest.approx(cluster.size / len(failures), abs=1e-6)


def test_every_failure_is_in_one_place() -> None:
    failures, _ = planted(noise=24)
    clustering = cluster_failures(failures, seed=2)
    placed = [item for cluster in clustering.clusters for item in cluster.member_item_ids]
    assert sorted(map(str, [*placed, *clustering.unclustered_item_ids])) == sorted(str(f.item_id) for f in failures)
    assert [c.size for c in clustering.clusters] == sorted((c.size for c in clustering.clusters), reverse=True)


def test_failures_without_a_common_cause_stay_unclustered() -> None:
    rng = random.Random(5)  # noqa: S311 - a planted data set
    pairs = rng.sample([(a, b) for a in LABELS for b in LABELS if a != b], 60)
    failures = [label_failure(number, *pair) for number, pair in enumerate(pairs)]
    clustering = cluster_failures(failures, seed=1)
    assert len(clustering.unclustered_item_ids) >= 30


def test_same_seed_same_clusters_whatever_the_order() -> None:
    failures, _ = planted(noise=10)
    first = cluster_failures(failures, seed=7)
    second = cluster_failures(list(reversed(failures)), seed=7)
    assert first == second


def test_one_cause_is_one_cluster() -> None:
    failures = [label_failure(number, "billing", "refund") for number in range(25)]
    clustering = cluster_failures(failures, seed=0)
    assert [(c.label, c.size, c.share) for c in clustering.clusters] == [("billing read as refund", 25, 1.0)]


def test_few_failures_are_only_grouped_when_identical() -> None:
    failures = [label_failure(number, "billing", "refund") for number in range(4)]
    failures += [label_failure(number + 10, "login", "account") for number in range(2)]
    clustering = cluster_failures(failures, seed=0)
    assert clustering.method == "grouped"
    assert [(c.label, c.size, c.stability) for c in clustering.clusters] == [("billing read as refund", 4, None)]
    assert len(clustering.unclustered_item_ids) == 2


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_to_say_anything(count: int) -> None:
    clustering = cluster_failures([label_failure(n, "billing", "refund") for n in range(count)], seed=0)
    assert clustering.method == "none"
    assert clustering.clusters == ()
    assert len(clustering.unclustered_item_ids) == count


def test_an_item_fails_once() -> None:
    with pytest.raises(ValueError, match="at most once"):
        cluster_failures([label_failure(1, "a", "b"), label_failure(1, "a", "c")], seed=0)


def test_long_outputs_cluster_by_their_words() -> None:
    missing = "the answer names the delivery window of the parcel but never states the price of the return"
    rude = "sorry that is not our problem, please read the manual before you write to support again"
    failures = [
        Failure(
            uuid5(SPACE, f"long-{number}"),
            "a polite answer that states the price of the return and the delivery window in full",
            missing if number % 2 else rude,
            "contains" if number % 2 else "tone",
            "price is missing" if number % 2 else "impolite wording",
        )
        for number in range(60)
    ]
    clustering = cluster_failures(failures, seed=4)
    assert sorted(c.size for c in clustering.clusters) == [30, 30]
    assert clustering.unclustered_item_ids == ()


def test_direction_of_a_confusion_matters() -> None:
    failures = [label_failure(n, "billing", "refund") for n in range(20)]
    failures += [label_failure(n + 100, "refund", "billing") for n in range(20)]
    clustering = cluster_failures(failures, seed=4)
    assert sorted(c.label for c in clustering.clusters) == ["billing read as refund", "refund read as billing"]


def test_a_new_failure_finds_the_cluster_it_resembles() -> None:
    failures, _ = planted(noise=0)
    clustering = cluster_failures(failures, seed=7)
    centroids = [cluster.centroid_terms for cluster in clustering.clusters]
    index = nearest_cluster(label_failure(900, "bug", "feature"), centroids)
    assert index is not None
    assert clustering.clusters[index].label == "bug read as feature"
    assert nearest_cluster(Failure(uuid5(SPACE, "x"), "poem", "novel", "style"), centroids) is None
    assert 0 < ASSIGNMENT_MINIMUM < 1


def test_text_and_terms() -> None:
    failure = Failure(uuid5(SPACE, "t"), "billing", None, "label", "the agent gave no output: timeout")
    assert failure_text(failure) == "billing → (no output) · label: the agent gave no output: timeout"
    assert failure_terms(failure)[:3] == ["expected:billing", "got:(none)", "dimension:label"]
    assert "timeout" in failure_terms(failure)
    assert isinstance(cluster_failures([failure], seed=1), Clustering)


@pytest.mark.parametrize("seed", range(5))
def test_densities_inside_densities_are_clustered(seed: int) -> None:
    # Two blobs of blobs, each a little denser than the last: the leaves of a deep tree.
    generator = np.random.default_rng(seed)
    centres = [(0.0, 0.0), (0.3, 0.0), (0.0, 0.4), (5.0, 5.0), (5.3, 5.0), (5.0, 5.5)]
    space = np.vstack([generator.normal(centre, 0.02 + 0.02 * place, (12, 2)) for place, centre in enumerate(centres)])
    labels = _density(space, 5)
    assert labels.shape == (72,)
    assert 2 <= len(set(labels.tolist()) - {UNCLUSTERED}) <= 8
    assert not set(labels[:36].tolist()) & set(labels[36:].tolist()) - {UNCLUSTERED}
