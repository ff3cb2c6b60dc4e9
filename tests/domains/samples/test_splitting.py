"""Splits are disjoint, whole by group, near their shares, the same whatever the order, and never change."""

from collections import defaultdict
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from spectral.domains.samples.splitting import Place, Placed, Split, Unplaced, links_of, place_items

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.2, Split.HOLDOUT: 0.4}

ITEMS = st.lists(
    st.lists(
        st.sampled_from([f"s={number}" for number in range(12)] + [f"u={number}" for number in range(6)]), max_size=2
    ),
    max_size=60,
).map(lambda links: [Unplaced(f"item {number}", each) for number, each in enumerate(links)])


def placed(items: Sequence[Unplaced], places: Sequence[Place | None]) -> list[Placed]:
    return [
        Placed(place.group_key, place.split, item.links)
        for item, place in zip(items, places, strict=True)
        if place is not None
    ]


@given(ITEMS, st.integers(0, 5))
def test_whoever_shares_a_link_shares_a_group_and_a_split(items: list[Unplaced], seed: int) -> None:
    places = place_items(items, [], SHARES, seed)

    by_link: dict[str, set[Place | None]] = defaultdict(set)
    for item, place in zip(items, places, strict=True):
        assert place is not None
        for link in item.links:
            by_link[link].add(place)
    assert all(len(found) == 1 for found in by_link.values())


@given(ITEMS, st.integers(0, 5), st.randoms())
def test_the_order_of_the_items_does_not_matter(items: list[Unplaced], seed: int, random: object) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)  # type: ignore[attr-defined]

    ours = dict(zip([one.name for one in items], place_items(items, [], SHARES, seed), strict=True))
    theirs = dict(zip([one.name for one in shuffled], place_items(shuffled, [], SHARES, seed), strict=True))

    assert ours == theirs


@given(ITEMS, ITEMS, st.integers(0, 5))
def test_what_comes_later_joins_its_group_or_is_refused_for_tying_two_splits(
    first: list[Unplaced], second: list[Unplaced], seed: int
) -> None:
    second = [Unplaced(f"later {item.name}", item.links) for item in second]
    before = placed(first, place_items(first, [], SHARES, seed))
    after = before + placed(second, place_items(second, before, SHARES, seed))

    splits: dict[str, set[Split]] = defaultdict(set)
    for one in after:
        splits[one.group_key].add(one.split)
        for link in one.links:
            splits[link].add(one.split)
    assert all(len(found) == 1 for found in splits.values())


def test_an_item_that_ties_two_splits_has_no_place() -> None:
    before = [Placed("s=1", Split.REFLECT, ["s=1"]), Placed("s=2", Split.HOLDOUT, ["s=2"])]

    assert place_items([Unplaced("new", ["s=1", "s=2"])], before, SHARES, 0) == [None]


def test_an_item_that_ties_two_groups_of_one_split_joins_the_first() -> None:
    before = [Placed("s=1", Split.SELECT, ["s=1"]), Placed("s=2", Split.SELECT, ["s=2"])]

    assert place_items([Unplaced("new", ["s=2", "s=1"])], before, SHARES, 0) == [Place("s=1", Split.SELECT)]


def test_the_shares_are_kept() -> None:
    items = [Unplaced(f"item {number}", [f"s={number // 2}"]) for number in range(1000)]
    places = place_items(items, [], SHARES, 0)

    counts = [sum(place is not None and place.split is split for place in places) for split in Split]
    assert [abs(count - share * 1000) <= 2 for count, share in zip(counts, SHARES.values(), strict=True)] == [True] * 3


def test_a_split_without_a_share_gets_nothing() -> None:
    shares = {Split.REFLECT: 0.5, Split.SELECT: 0.5, Split.HOLDOUT: 0.0}
    places = place_items([Unplaced(str(number), []) for number in range(50)], [], shares, 0)

    assert {place.split for place in places if place} == {Split.REFLECT, Split.SELECT}


def test_another_seed_deals_differently() -> None:
    items = [Unplaced(str(number), []) for number in range(100)]

    assert place_items(items, [], SHARES, 1) == place_items(items, [], SHARES, 1)
    assert place_items(items, [], SHARES, 1) != place_items(items, [], SHARES, 2)


def test_links_are_the_simple_values_that_are_there() -> None:
    metadata = {
        "session_id": "a",
        "user_id": 7,
        "empty": "",
        "list": [1],
        "none": None,
        "other": "x",
        "long": "y" * 500,
    }

    links = links_of(metadata, ["session_id", "user_id", "empty", "list", "none", "absent", "long"])

    assert links[:2] == ["session_id=a", "user_id=7"]
    assert links[2].startswith("long=sha256:")
    assert len(links) == 3
