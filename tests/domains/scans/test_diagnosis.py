"""What a change set says about clusters that people have curated, also about those that nobody wants to hear of."""

from typing import Any
from uuid import UUID, uuid5

from spectral.domains.scans.clustering import ITEM_TERMS, Failure, failure_weights, nearest_cluster
from spectral.domains.scans.comparison import diagnose
from spectral.domains.scans.phases import muted_items
from spectral.domains.scans.safety import diagnosed_sentences

SPACE = UUID("4f9a4b3a-6f5b-4a54-8a0c-27a1f6b8c1d2")
IDS = [uuid5(SPACE, str(number)) for number in range(8)]


def cluster(label: str, size: int, fixed: int, broken: int, *, muted: bool = False) -> dict[str, Any]:
    return {"label": label, "size": size, "fixed": fixed, "broken": broken, "muted": muted}


def test_every_break_is_told_and_muted_clusters_are_not_advertised() -> None:
    clusters = [cluster("a", 40, 31, 0), cluster("known", 50, 45, 3, muted=True), cluster("b", 9, 2, 2)]
    told = diagnosed_sentences({"clusters": clusters, "unclustered": {"size": 7, "fixed": 1, "broken": 4}})
    assert told == [
        'Fixed 31 of 40 in "a", broke 0.',
        'Fixed 2 of 9 in "b", broke 2.',
        "Of all other failures fixed 46 of 57, broke 7.",
    ]
    assert diagnosed_sentences({"clusters": [], "unclustered": None}) == []


def test_the_items_behind_the_counts_are_named() -> None:
    before = dict(zip(IDS, [False, False, False, True, True, False, False, True], strict=True))
    after = dict(zip(IDS[:6], [True, False, True, False, False, True], strict=True))
    failures = {
        IDS[1]: Failure(IDS[1], "a", "b", "label"),
        IDS[3]: Failure(IDS[3], "a", "b", "label"),
        IDS[4]: Failure(IDS[4], "poem", "novel", "style"),
    }
    centroids = [{"expected:a": 0.7, "got:b": 0.7, "dimension:label": 0.1}]
    found = diagnose([IDS[:2]], centroids, before, after, failures)
    assert set(found.fixed) == {IDS[0], IDS[2], IDS[5]}
    assert dict(found.broken) == {IDS[3]: 0, IDS[4]: None}
    assert found.unmeasured == 1  # the seventh failed before, and nothing is known about it with the candidate
    assert found.document()["clusters"] == [{"size": 2, "fixed": 1, "broken": 1}]


def test_no_search_starts_from_muted_failures() -> None:
    clusters = [{"muted": True, "members": [str(IDS[0])]}, {"muted": False, "members": [str(IDS[1])]}, {"members": []}]
    assert muted_items({"clusters": clusters}) == {IDS[0]}


def test_the_weights_of_a_failure_find_the_cluster_that_the_failure_finds() -> None:
    failure = Failure(IDS[0], "billing", "refund", "label", " ".join(f"word{number}" for number in range(40)))
    weights = failure_weights(failure)
    assert len(weights) == ITEM_TERMS
    assert max(weights.values()) <= 1
    assert nearest_cluster(failure, [{"expected:shipping": 1.0}]) is None
