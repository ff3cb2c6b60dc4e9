"""Which split an item belongs to: disjoint, grouped so that nothing leaks, deterministic, and decided once.

Items that share a session or a user (any link) belong to one group, however long the chain of links is, and a group
lies in one split as a whole. An item never moves: what a search has seen can never become holdout later.
"""

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Split(StrEnum):
    """The three splits: what searches learn from, what they choose by, and what nobody may see before the verdict."""

    REFLECT = "reflect"
    SELECT = "select"
    HOLDOUT = "holdout"


@dataclass(frozen=True, slots=True)
class Placed:
    """An item that has its place already."""

    group_key: str
    split: Split
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Unplaced:
    """An item that needs a place; `name` stands for it where it has no links, and must be unique."""

    name: str
    links: Sequence[str]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an item goes."""

    group_key: str
    split: Split


def links_of(metadata: Mapping[str, Any], group_by: Sequence[str]) -> list[str]:
    """What ties an item to others: `key=value` for each key of `group_by` that has a text, number or boolean."""
    given = {key: metadata[key] for key in group_by if isinstance(metadata.get(key), str | int | float)}
    return [f"{key}={_short(str(value))}" for key, value in given.items() if value != ""]


def place_items(
    unplaced: Sequence[Unplaced],
    placed: Sequence[Placed],
    shares: Mapping[Split, float],
    seed: int,
    sizes: Mapping[Split, int] | None = None,
) -> list[Place | None]:
    """The place of each unplaced item, in their order; None for one that would tie together groups of two splits.

    placed: those that share a link with an unplaced one, at least.  sizes: how many items each split has; None counts
    `placed`.

    shares: the parts of the whole that each split should have, adding up to 1. A group with a member that is placed
    goes there. The others are dealt out, larger groups first and equal ones in the order of a hash of (seed, group),
    each into the split that is furthest below its share. The order of the items does not matter.
    """
    ties = _Ties()
    counts = dict.fromkeys(Split, 0)
    for one in placed:
        counts[one.split] += 1
        ties.settle([f"\0{one.group_key}", *one.links], Place(one.group_key, one.split))
    counts = dict(sizes) if sizes is not None else counts
    # One by one, so that an item that ties two splits is left out and does not take its whole group with it.
    by_name = sorted(range(len(unplaced)), key=lambda at: unplaced[at].name)
    tied = [at for at in by_name if ties.join(unplaced[at].links or [_key(unplaced[at])])]

    places: list[Place | None] = [None] * len(unplaced)
    members: dict[str, list[int]] = defaultdict(list)
    for at in tied:
        members[ties.root(_key(unplaced[at]))].append(at)
    fresh: list[tuple[str, list[int]]] = []
    for root, group in members.items():
        home = ties.home(root)
        if home is None:
            fresh.append((min(_key(unplaced[at]) for at in group), group))
            continue
        counts[home.split] += len(group)
        for at in group:
            places[at] = home
    for key, group in sorted(fresh, key=lambda each: (-len(each[1]), _rank(seed, each[0]))):
        total = sum(counts.values()) + len(group)
        split = max((each for each in Split if shares[each] > 0), key=lambda each: shares[each] * total - counts[each])
        counts[split] += len(group)
        for at in group:
            places[at] = Place(key, split)
    return places


def _short(value: str) -> str:
    return value if len(value) <= 160 else f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"


def _key(item: Unplaced) -> str:
    return min(item.links) if item.links else f"item={item.name}"


def _rank(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode()).digest()


class _Ties:
    """Disjoint sets of tags (union-find with path halving), some of which have a home."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}
        self._home: dict[str, Place] = {}

    def root(self, tag: str) -> str:
        parent = self._parent
        parent.setdefault(tag, tag)
        while parent[tag] != tag:
            parent[tag] = parent[parent[tag]]
            tag = parent[tag]
        return tag

    def home(self, root: str) -> Place | None:
        return self._home.get(root)

    def settle(self, tags: Sequence[str], place: Place) -> None:
        """The tags belong together and live there."""
        self._unite({self.root(tag) for tag in tags}, [place])

    def join(self, tags: Sequence[str]) -> bool:
        """The tags belong together from now on, unless that would unite homes in two splits: then nothing changes."""
        roots = {self.root(tag) for tag in tags}
        homes = [self._home[root] for root in roots if root in self._home]
        if len({home.split for home in homes}) > 1:
            return False
        self._unite(roots, homes)
        return True

    def _unite(self, roots: set[str], homes: Sequence[Place]) -> None:
        first = min(roots)
        known = [self._home[root] for root in roots if root in self._home]
        for root in roots:
            self._parent[root] = first
        if homes or known:
            self._home[first] = min([*homes, *known], key=lambda home: home.group_key)
