"""A cluster is recognised by its centroid, whatever the order and number of the others."""

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.changesets.identity import blended, cosine, match_centroids

BILLING = {"expected:billing": 0.8, "got:login": 0.6}
LOGIN = {"expected:login": 0.9, "got:shipping": 0.4}
DRIFTED = {"expected:billing": 0.7, "got:login": 0.5, "refund": 0.5}


def test_a_drifted_cluster_is_recognised_and_a_new_one_is_new() -> None:
    assert match_centroids([BILLING, LOGIN], [{"refund": 1.0}, DRIFTED]) == [None, 0]
    assert match_centroids([], [BILLING]) == [None]
    assert match_centroids([BILLING], []) == []


def test_two_found_clusters_never_become_one_known() -> None:
    assert sorted(match_centroids([BILLING], [DRIFTED, BILLING]), key=str) == [0, None]
    assert match_centroids([BILLING], [DRIFTED, BILLING]) == [None, 0]


def test_an_unlike_pair_does_not_push_out_a_like_one() -> None:
    near = {"a": 1.0, "b": 0.9}
    assert match_centroids([{"a": 1.0}, {"b": 1.0, "z": 1.2}], [near]) == [0]


terms = st.dictionaries(st.sampled_from("abcdefgh"), st.floats(0.1, 1.0), min_size=1, max_size=4)


@given(known=st.lists(terms, max_size=4), found=st.lists(terms, max_size=4))
def test_the_order_of_what_was_found_does_not_matter(
    known: list[dict[str, float]], found: list[dict[str, float]]
) -> None:
    matches = match_centroids(known, found)
    taken = [match for match in matches if match is not None]
    assert len(taken) == len(set(taken))
    totals = set()
    for order in itertools.permutations(range(len(found))):
        again = match_centroids(known, [found[index] for index in order])
        pairs = zip(order, again, strict=True)
        total = math.fsum(cosine(found[index], known[match]) for index, match in pairs if match is not None)
        totals.add(round(total, 6))
    assert len(totals) == 1


def test_a_blend_has_unit_length_and_lies_between() -> None:
    middle = blended({"a": 2.0}, {"b": 5.0})
    assert middle == pytest.approx({"a": math.sqrt(0.5), "b": math.sqrt(0.5)})
    assert cosine(middle, {}) == 0.0
