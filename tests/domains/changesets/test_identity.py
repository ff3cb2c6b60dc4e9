"""A cluster is recognised by its centroid, whatever the order and number of the others."""

import itertools
import math
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.changesets.identity import (
    Found,
    Known,
    Recognised,
    Rules,
    blended,
    cosine,
    match_centroids,
    mean_of,
    recognise,
)

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


A, B, P = (UUID(int=number) for number in (1, 2, 3))
ITEMS = [UUID(int=number) for number in range(10, 20)]
NOTHING = Rules({}, {})
WORDS: dict[UUID, dict[str, float]] = {item: {"got:login": 1.0} for item in ITEMS[:5]} | {
    item: {"got:shipping": 1.0} for item in ITEMS[5:]
}


def test_a_merged_cluster_stays_merged_whichever_part_is_found() -> None:
    known = [Known(A, BILLING, A, A), Known(B, LOGIN, A, B)]
    both = recognise(known, [Found(BILLING, ITEMS[:5]), Found(LOGIN, ITEMS[5:])], NOTHING, terms={})
    assert both.clusters == [Recognised(A, tuple(ITEMS), (0, 1), unchanged=False)]
    # Each part's own centroid goes on following it.
    assert both.matches == [A, B]
    one = recognise(known, [Found(LOGIN, ITEMS[5:])], NOTHING, terms={})
    assert one.clusters == [Recognised(A, tuple(ITEMS[5:]), (0,), unchanged=True)]


def test_a_split_cluster_stays_split_where_a_scan_sees_one() -> None:
    known = [Known(A, {"got:login": 0.9, "x": 0.3}, A, A), Known(P, {"got:shipping": 0.9, "x": 0.3}, P, A)]
    blob = Found({"got:login": 0.8, "got:shipping": 0.5, "x": 0.3}, ITEMS)
    found = recognise(known, [blob], NOTHING, terms=WORDS)
    assert {one.cluster_id: one.members for one in found.clusters} == {A: tuple(ITEMS[:5]), P: tuple(ITEMS[5:])}
    assert found.matches == [None]
    assert not any(one.unchanged for one in found.clusters)
    # Merged again, nothing is divided.
    again = [known[0], Known(P, known[1].centroid, A, A)]
    assert [one.members for one in recognise(again, [blob], NOTHING, terms=WORDS).clusters] == [tuple(ITEMS)]


def test_what_people_said_about_items_outweighs_likeness() -> None:
    known = [Known(A, BILLING, A, A), Known(B, LOGIN, B, B)]
    rules = Rules(belongs={ITEMS[0]: B, ITEMS[7]: A, ITEMS[8]: UUID(int=99)}, apart={ITEMS[1]: {A}, ITEMS[2]: {B}})
    found = recognise(known, [Found(BILLING, ITEMS[:5])], rules, unclustered=ITEMS[7:9], terms={})
    assert {one.cluster_id: one.members for one in found.clusters} == {A: (*ITEMS[2:5], ITEMS[7]), B: (ITEMS[0],)}
    assert found.unclustered == [ITEMS[1], ITEMS[8]]


def test_a_known_kind_is_recognised_where_it_was_too_rare_to_be_dense() -> None:
    known = [Known(A, {"got:shipping": 1.0}, A, A)]
    assert [one.members for one in recognise(known, [], NOTHING, unclustered=ITEMS, terms=WORDS).clusters] == [
        tuple(ITEMS[5:])
    ]
    few = recognise(known, [], NOTHING, unclustered=ITEMS[:7], terms=WORDS)
    assert (few.clusters, few.unclustered) == ([], ITEMS[:7])


def test_a_centroid_does_not_grow_with_every_scan() -> None:
    centroid = {"constant": 1.0}
    for number in range(60):
        centroid = blended(centroid, {"constant": 1.0, f"odd{number}": 0.4})
    assert len(centroid) <= 24
    assert cosine(centroid, {"constant": 1.0}) > 0.8
    assert math.fsum(weight * weight for weight in centroid.values()) == pytest.approx(1.0)
    assert mean_of([{"a": 1.0}, {"b": 1.0}, {}]) == pytest.approx({"a": math.sqrt(0.5), "b": math.sqrt(0.5)})
    assert mean_of([]) == {}
