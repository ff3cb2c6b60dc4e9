"""The last step of a search: what a candidate brought in and does not pay is taken back.

Only what the search added is up for it, line by line and example by example: a line of the champion may be there for a
reason that no sample shows. A part is taken back when the candidate without it is not shown to be worse than the whole
candidate, on the same items; always compared with the whole one, so that small losses do not add up.
"""

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.agents.json_values import json_text
from spectral.domains.agents.pointers import PointerError, value_at
from spectral.domains.scans.strategies.base import (
    Candidate,
    Context,
    Outcome,
    SearchExhausted,
    mean_score,
    one_sided_p,
    paired_scores,
    seeded,
    split_groups,
)

PRUNE = "prune"
LOSS = 0.2
"""The one-sided p-value at which a loss counts as shown. Lenient: what pays is to stay."""

TOLERATED = 0.005
"""The mean loss of the objective that is put up with where it is not shown."""

FIRST_PART = 4
"""A quarter of the items is asked first; what loses there needs no more of them."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One thing that a candidate brought in: lines `before` became `after`, or an example was added."""

    pointer: str
    place: int
    before: tuple[str, ...]
    after: tuple[Any, ...]


class Pruning:
    """Makes candidates smaller. Runs as a strategy, after all others and on what was kept for it."""

    name = PRUNE

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        self._candidates = candidates

    def run(self, ctx: Context) -> Iterator[Candidate]:
        """A smaller candidate for each of those given that has a part which does not pay; the first first."""
        learn, judge = split_groups(ctx.items, ctx.seed)
        items = judge or learn
        seeded("prune", ctx.seed).shuffle(items)
        for candidate in self._candidates:
            pruned = _Pruner(ctx, candidate, items).run()
            if pruned is not None:
                yield pruned


class _Pruner:
    def __init__(self, ctx: Context, candidate: Candidate, items: Sequence[UUID]) -> None:
        self._ctx = ctx
        self._candidate = candidate
        self._items = items
        self._groups = {item.item_id: item.group for item in ctx.items}
        self._edits = edits_of(ctx.champion, candidate.changes)
        self._whole: list[Outcome] = []
        self._without: list[Outcome] = []

    def run(self) -> Candidate | None:
        """The candidate without what does not pay; None where everything pays, or nothing can be said."""
        if not self._edits or not self._items:
            return None
        kept = list(self._edits)
        try:
            self._whole = self._evaluate(self._candidate.changes, self._items)
            size = max(1, len(kept) // 2)
            while True:
                for start in reversed(range(0, len(kept), size)):
                    rest = [*kept[:start], *kept[start + size :]]
                    if self._is_no_loss(rest):
                        kept = rest
                if size == 1:
                    break
                size //= 2
        except SearchExhausted:
            pass  # what was taken back until then stays taken back
        taken = len(self._edits) - len(kept)
        changes = self._changes(kept)
        if not taken or not changes:
            return None
        what = "line or example" if taken == 1 else "lines and examples"
        return Candidate(
            changes,
            PRUNE,
            f"{self._candidate.strategy} without {taken} of {len(self._edits)} added {what} that did not pay; mean "
            f"objective on {len(self._items)} reflect items {mean_score(self._whole):.4f} → "
            f"{mean_score(self._without):.4f}",
        )

    def _is_no_loss(self, kept: Sequence[Edit]) -> bool:
        changes = self._changes(kept)
        first = max(1, len(self._items) // FIRST_PART)
        outcomes: list[Outcome] = []
        for items in (self._items[:first], self._items):
            try:
                outcomes = self._evaluate(changes, items)
            except SearchSpaceViolationError:
                return False  # without this the document would not be sound
            before, after, groups = paired_scores(self._whole[: len(items)], outcomes, self._groups)
            if not before:
                return False
            loss = (sum(before) - sum(after)) / len(before)
            if one_sided_p(after, before, groups, seed=self._ctx.seed) <= LOSS or (
                loss > TOLERATED and len(items) == len(self._items)
            ):
                return False
        self._without = outcomes
        return True

    def _evaluate(self, changes: Mapping[str, Any], items: Sequence[UUID]) -> list[Outcome]:
        return self._ctx.evaluate(Candidate(changes, PRUNE), items)

    def _changes(self, kept: Sequence[Edit]) -> dict[str, Any]:
        return with_edits(self._ctx.champion, self._candidate.changes, kept)


def edits_of(champion: Mapping[str, Any], changes: Mapping[str, Any]) -> list[Edit]:
    """What these changes brought into texts and lists of examples, in order; lines that were only removed are none.

    As many lines in the place of as many others are an edit each.
    """
    edits: list[Edit] = []
    for pointer, value in sorted(changes.items()):
        held = _held(champion, pointer)
        if isinstance(value, str) and isinstance(held, str):
            edits += _line_edits(pointer, held, value)
        elif isinstance(value, list):
            known = {json_text(one) for one in held} if isinstance(held, list) else set()
            edits += [
                Edit(pointer, place, (), (one,)) for place, one in enumerate(value) if json_text(one) not in known
            ]
    return edits


def with_edits(champion: Mapping[str, Any], changes: Mapping[str, Any], kept: Sequence[Edit]) -> dict[str, Any]:
    """The changes with none but these of their edits. What is then as the champion has it is no change any more."""
    result: dict[str, Any] = {}
    for pointer, value in sorted(changes.items()):
        held = _held(champion, pointer)
        mine = [edit for edit in kept if edit.pointer == pointer]
        smaller: Any = value
        if isinstance(value, str) and isinstance(held, str):
            # Lines that were only removed stay removed: they make nothing longer.
            smaller = _with_lines(held, value, mine)
        elif isinstance(value, list):
            taken = {edit.place for edit in edits_of(champion, {pointer: value})} - {edit.place for edit in mine}
            smaller = [one for place, one in enumerate(value) if place not in taken]
        if json_text(smaller) != json_text(held):
            result[pointer] = smaller
    return result


def _held(champion: Mapping[str, Any], pointer: str) -> Any:
    try:
        return value_at(dict(champion), pointer)
    except PointerError:
        return None


def _hunks(before: str, after: str) -> Iterator[tuple[tuple[str, ...], int, tuple[str, ...]]]:
    """The texts side by side: old lines, where the new ones begin, new lines."""
    old, new = before.split("\n"), after.split("\n")
    for _, old_from, old_to, new_from, new_to in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        gone, came = old[old_from:old_to], new[new_from:new_to]
        if len(gone) == len(came) or not gone:
            for place, line in enumerate(came):
                yield tuple(gone[place : place + 1]), new_from + place, (line,)
        else:
            yield tuple(gone), new_from, tuple(came)


def _line_edits(pointer: str, before: str, after: str) -> list[Edit]:
    return [
        Edit(pointer, place, old, new) for old, place, new in _hunks(before, after) if new and old != new and any(new)
    ]


def _with_lines(before: str, after: str, kept: Sequence[Edit]) -> str:
    places = {edit.place for edit in kept}
    lines: list[str] = []
    for old, place, new in _hunks(before, after):
        is_edit = bool(new) and old != new and any(new)
        lines += old if is_edit and place not in places else new
    return "\n".join(lines)
