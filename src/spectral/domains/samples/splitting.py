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
    unplaced: Sequence[Unplaced], placed: Sequence[Placed], shares: Mapping[Split, float], seed: int
) -> list[Place | None]:
    """The place of each unplaced item, in their order; None for one that would tie together groups of two splits.

    shares: the parts of the whole that each split should have, adding up to 1. A group with a member that is placed
    goes there. The others are dealt out, larger groups first and equal ones in the order of a hash of (seed, group),
    each into the split that is furthest below its share. The order of the items does not matter.
    """
    ties = _Ties()
    home: dict[str, set[Place]] = defaultdict(set)
    for one in placed:
        ties.join([f"group:{one.group_key}", *(f"link:{link}" for link in one.links)])
    for new in unplaced:
        ties.join(_tags(new))
    for one in placed:
        home[ties.root(f"group:{one.group_key}")].add(Place(one.group_key, one.split))
    members: dict[str, list[int]] = defaultdict(list)
    for at, new in enumerate(unplaced):
        members[ties.root(_tags(new)[0])].append(at)

    counts = dict.fromkeys(Split, 0)
    for one in placed:
        counts[one.split] += 1
    places: list[Place | None] = [None] * len(unplaced)
    fresh: list[tuple[str, list[int]]] = []
    for root, group in members.items():
        homes = home.get(root)
        if homes is None:
            fresh.append((min(_key(unplaced[at]) for at in group), group))
        elif len({place.split for place in homes}) == 1:
            place = min(homes, key=lambda each: each.group_key)
            counts[place.split] += len(group)
            for at in group:
                places[at] = place
    for key, group in sorted(fresh, key=lambda each: (-len(each[1]), _rank(seed, each[0]))):
        total = sum(counts.values()) + len(group)
        split = max((each for each in Split if shares[each] > 0), key=lambda each: shares[each] * total - counts[each])
        counts[split] += len(group)
        for at in group:
            places[at] = Place(key, split)
    return places


def _short(value: str) -> str:
    return value if len(value) <= 160 else f"sha256:{hashlib.sha256(value.encode()).hexdigest()}"


def _tags(item: Unplaced) -> list[str]:
    return [f"link:{link}" for link in item.links] or [f"name:{item.name}"]


def _key(item: Unplaced) -> str:
    return min(item.links) if item.links else f"item={item.name}"


def _rank(seed: int, key: str) -> bytes:
    return hashlib.sha256(f"{seed}\0{key}".encode()).digest()


class _Ties:
    """Disjoint sets of tags, joined by union-find with path halving."""

    def __init__(self) -> None:
        self._parent: dict[str, str] = {}

    def root(self, tag: str) -> str:
        parent = self._parent
        parent.setdefault(tag, tag)
        while parent[tag] != tag:
            parent[tag] = parent[parent[tag]]
            tag = parent[tag]
        return tag

    def join(self, tags: Sequence[str]) -> None:
        first = self.root(tags[0])
        for tag in tags[1:]:
            self._parent[self.root(tag)] = first
