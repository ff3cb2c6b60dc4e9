"""A small part of `python -m benchmarks --only clusters`, with floors below what was measured (docs/clusters.md)."""

import pytest

from benchmarks.clusters import DRIFT, World, agreement, over_scans
from spectral.domains.scans.clustering import cluster_failures

SIZES = (60, 40, 30, 20, 15, 12, 10, 8)


@pytest.mark.parametrize("answers", [True, False], ids=["answers", "labels"])
def test_planted_kinds_are_found_and_keep_their_ids(answers: bool) -> None:  # noqa: FBT001 - a parameter of the test
    world = World(21, answers, SIZES, 50, DRIFT)
    planted = world.scan(0)
    clustering = cluster_failures(planted.failures, seed=world.seed)
    assert agreement(planted, clustering) >= 0.85
    noise = [item for item, kind in planted.kind.items() if kind is None]
    left = set(clustering.unclustered_item_ids)
    assert sum(item in left for item in noise) >= 0.4 * len(noise)
    kept = over_scans(world, 3)
    assert kept.again >= 10
    assert kept.kept >= 0.85 * kept.again
