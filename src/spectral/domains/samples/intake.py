"""Which of the samples that arrive are taken, and where they go. Pure: the service reads and writes the rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from spectral.domains.samples.drafts import MeasuredDraft
from spectral.domains.samples.near_duplicates import NearDuplicateIndex, Signature
from spectral.domains.samples.splitting import Place, Placed, Split, Unplaced, links_of, place_items


class SkipReason(StrEnum):
    """Why a sample was not taken."""

    DUPLICATE = "duplicate"
    """The same input with the same expected answer."""
    CONTRADICTION = "contradiction"
    """The same input with another expected answer; the one that was there first stays."""
    NEAR_DUPLICATE = "near_duplicate"
    """Nearly the same text with the same expected answer."""
    BRIDGE = "bridge"
    """It ties together groups of different splits, and would leak from one into the other."""


@dataclass(frozen=True, slots=True)
class Present:
    """An item of the set, as far as newcomers are compared with it; `name` is how a receipt calls it."""

    name: str
    fingerprint: str
    expected_hash: str
    signature: Signature | None
    placed: Placed


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A sample that arrives; `name` is how a receipt calls it."""

    name: str
    measured: MeasuredDraft


@dataclass(frozen=True, slots=True)
class Taken:
    """A sample that is taken, its place and its links."""

    measured: MeasuredDraft
    place: Place
    links: list[str]


@dataclass(frozen=True, slots=True)
class Skipped:
    """A sample that is not taken; `same_as` names the one that it repeats."""

    name: str
    reason: SkipReason
    same_as: str | None


@dataclass(frozen=True, slots=True)
class Intake:
    """What becomes of the samples that arrived together."""

    taken: list[Taken]
    skipped: list[Skipped]

    def skipped_by_reason(self) -> dict[SkipReason, int]:
        """How many were skipped for each reason, zeros included."""
        counts = Counter(one.reason for one in self.skipped)
        return {reason: counts[reason] for reason in SkipReason}

    def taken_by_split(self) -> dict[Split, int]:
        """How many went into each split, zeros included."""
        counts = Counter(one.place.split for one in self.taken)
        return {split: counts[split] for split in Split}


class Twins:
    """The inputs that a set holds, to find the one that a newcomer repeats."""

    def __init__(self, present: Sequence[Present], kinds: frozenset[str]) -> None:
        """kinds: the expected hashes that will be asked about; others are not indexed."""
        self._names = {one.fingerprint: (one.name, one.expected_hash) for one in present}
        self._near = NearDuplicateIndex()
        for one in present:
            if one.expected_hash in kinds:
                self._near.add(one.name, one.expected_hash, one.signature)

    def find(self, measured: MeasuredDraft) -> tuple[SkipReason, str] | None:
        """Why a newcomer is a repetition and of which one, or None."""
        equal = self._names.get(measured.fingerprint)
        if equal is not None:
            same = equal[1] == measured.expected_hash
            return (SkipReason.DUPLICATE if same else SkipReason.CONTRADICTION), equal[0]
        near = self._near.find(measured.expected_hash, measured.signature)
        return None if near is None else (SkipReason.NEAR_DUPLICATE, near)

    def add(self, newcomer: Newcomer) -> None:
        """From now on the newcomer can be repeated."""
        measured = newcomer.measured
        self._names[measured.fingerprint] = (newcomer.name, measured.expected_hash)
        self._near.add(newcomer.name, measured.expected_hash, measured.signature)


def plan_intake(
    newcomers: Sequence[Newcomer],
    present: Sequence[Present],
    *,
    shares: dict[Split, float],
    seed: int,
    group_by: Sequence[str],
    placed: Sequence[Placed] | None = None,
    sizes: Mapping[Split, int] | None = None,
) -> Intake:
    """Repetitions are dropped first (the first of several stays), then what is left is placed, groups whole.

    present: all items of the set, or those that a newcomer may repeat; then `placed` says where the newcomers' links
    are, and `sizes` how many items each split has.
    """
    kinds = frozenset(newcomer.measured.expected_hash for newcomer in newcomers)
    twins = Twins(present, kinds)
    skipped: list[Skipped] = []
    kept: list[tuple[Newcomer, list[str]]] = []
    for newcomer in newcomers:
        twin = twins.find(newcomer.measured)
        if twin is not None:
            skipped.append(Skipped(newcomer.name, *twin))
            continue
        twins.add(newcomer)
        kept.append((newcomer, links_of(newcomer.measured.draft.metadata, group_by)))
    unplaced = [Unplaced(newcomer.measured.fingerprint, links) for newcomer, links in kept]
    there = [one.placed for one in present] if placed is None else placed
    places = place_items(unplaced, there, shares, seed, sizes)
    taken: list[Taken] = []
    for (newcomer, links), place in zip(kept, places, strict=True):
        if place is None:
            skipped.append(Skipped(newcomer.name, SkipReason.BRIDGE, None))
        else:
            taken.append(Taken(newcomer.measured, place, links))
    return Intake(taken, skipped)
