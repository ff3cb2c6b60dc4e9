"""The knobs of a configuration: model, temperature, examples, tools and whatever else is a number or a choice.

Combinations race against each other on growing parts of the reflect items: what has shown to be no match is dropped
after each round, so most of the evaluations go to what is worth measuring. What reaches the end is compared by true
dominance in quality, cost and latency; there are no weights between them.
Source: Birattari et al., "F-Race and Iterated F-Race" (2010) for dropping by paired comparisons; Jamieson & Talwalkar,
"Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016) for the shares of the rounds.
"""

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from spectral.domains.agents.config import ConfigDocument, apply_changes
from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.agents.json_values import json_text
from spectral.domains.agents.pointers import PointerError, value_at
from spectral.domains.scans.strategies.base import (
    Candidate,
    Context,
    Outcome,
    SearchDimension,
    SearchExhausted,
    mean_score,
    one_sided_p,
    paired_scores,
    seeded,
    split_groups,
)
from spectral.domains.scans.strategies.few_shot import balanced_examples, existing_examples

MAXIMUM_COMBINATIONS = 64
GRID = 5
"""How many values of a number are tried, its bounds among them."""

DEFAULT_EXAMPLES = 16
FIRST_ROUND = 20
LOSER = 0.05
"""The one-sided p-value at which a combination counts as worse than another one."""

CANDIDATES = 4
LATENCY_FLOOR_MS = 20.0
LATENCY_STEP = 1.25
"""Latencies within a step of a quarter count as the same: less is the stopwatch's noise, and a search must not turn on
it. Everything up to 22 ms is the first step."""


class KnobsStrategy:
    """Races combinations of the search space's int, number, enum and examples knobs."""

    name = "knobs"

    def run(self, ctx: Context) -> Iterator[Candidate]:
        """What no other combination dominates and does not lose to the champion, the best quality first."""
        yield from _Race(ctx).run()


@dataclass(frozen=True, slots=True)
class Merit:
    """What a combination is compared by. cost: mean nano-USD of an item, None where unknown; latency: in steps."""

    quality: float
    cost: float | None
    latency: int

    def dominates(self, other: "Merit") -> bool:
        """At least as good in all three, and better in one; an unknown cost cannot be compared with a known one."""
        return self.quality >= other.quality and self.no_dearer_than(other) and self != other

    def no_dearer_than(self, other: "Merit") -> bool:
        """At least as cheap and as fast."""
        if self.cost is None or other.cost is None:
            return self.cost is other.cost and self.latency <= other.latency
        return self.cost <= other.cost and self.latency <= other.latency


@dataclass(slots=True)
class _Contender:
    """One combination and what is known about it."""

    number: int
    changes: Mapping[str, Any]
    outcomes: Sequence[Outcome] = ()

    @property
    def merit(self) -> Merit:
        return merit_of(self.outcomes)


def merit_of(outcomes: Sequence[Outcome]) -> Merit:
    """Over what could be measured."""
    measured = [one for one in outcomes if not one.missing]
    costs = [one.cost_nano_usd for one in measured]
    known = [cost for cost in costs if cost is not None]
    latency = sum(one.latency_ms for one in measured) / len(measured) if measured else 0.0
    return Merit(
        quality=round(mean_score(outcomes), 9),
        cost=sum(known) / len(known) if known and len(known) == len(costs) else None,
        latency=latency_step(latency),
    )


def latency_step(latency_ms: float) -> int:
    """The step of a latency on a scale of quarters."""
    return round(math.log(max(latency_ms, LATENCY_FLOOR_MS) / LATENCY_FLOOR_MS, LATENCY_STEP))


def frontier(merits: Sequence[Merit]) -> list[int]:
    """The indices of those that none of the others dominates."""
    return [index for index, one in enumerate(merits) if not any(other.dominates(one) for other in merits)]


class _Race:
    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._groups = {item.item_id: item.group for item in ctx.items}
        self._random = seeded("knobs", ctx.seed)
        self._document = ConfigDocument.model_validate(ctx.champion)
        learn, judge = split_groups(ctx.items, ctx.seed)
        if not any(dimension.kind == "examples" for dimension in ctx.search_space):
            # Nothing is learnt from items here, so all of them can judge.
            learn, judge = [], [*learn, *judge]
        self._learn = learn
        self._random.shuffle(judge)
        self._judge = judge

    def run(self) -> Iterator[Candidate]:
        contenders = [_Contender(number, changes) for number, changes in enumerate(self._combinations())]
        if len(contenders) < 2 or not self._judge:
            return
        started = len(contenders)
        measured = 0
        try:
            for part in self._parts():
                contenders = self._measure(contenders, self._judge[:part])
                measured = part
                contenders = self._without_losers(contenders)
        except SearchExhausted:
            pass  # what was compared until then, on equal items, is what there is
        yield from self._candidates(contenders, started, measured)

    def _parts(self) -> list[int]:
        """How many items the rounds are on: doubling up to all."""
        parts = [min(FIRST_ROUND, len(self._judge))]
        while parts[-1] < len(self._judge):
            parts.append(min(len(self._judge), parts[-1] * 2))
        return parts

    def _measure(self, contenders: Sequence[_Contender], items: Sequence[UUID]) -> list[_Contender]:
        """The contenders that this round's share of the budget covers, the champion always among them.

        Raises SearchExhausted where that is nobody else.
        """
        champion, others = contenders[0], self._in_order(contenders[1:])
        before = len(champion.outcomes)
        rounds_left = sum(part >= len(items) for part in self._parts())
        affordable = self._ctx.evaluations_left() // rounds_left // max(1, len(items) - before)
        kept = [champion, *sorted(others[: max(1, affordable)], key=lambda one: one.number)]
        outcomes = [self._ctx.evaluate(Candidate(one.changes, KnobsStrategy.name), items) for one in kept]
        # Only now: an interrupted round leaves everybody with the outcomes of the round before.
        for one, found in zip(kept, outcomes, strict=True):
            one.outcomes = found
        return kept

    def _in_order(self, contenders: Sequence[_Contender]) -> list[_Contender]:
        """The best first; before the first round in the order of the grid."""
        return sorted(contenders, key=lambda one: (-one.merit.quality if one.outcomes else 0.0, one.number))

    def _without_losers(self, contenders: Sequence[_Contender]) -> list[_Contender]:
        """Without what is shown to be worse than the champion, or than another that is as cheap and as fast."""
        champion = contenders[0]
        kept = [champion]
        for one in contenders[1:]:
            mine = one.merit
            rivals = [
                other
                for other in contenders
                if other.merit.quality > mine.quality and (other is champion or other.merit.no_dearer_than(mine))
            ]
            if not any(self._is_worse(one, than=other) for other in rivals):
                kept.append(one)
        return kept

    def _is_worse(self, one: _Contender, *, than: _Contender) -> bool:
        before, after, groups = paired_scores(one.outcomes, than.outcomes, self._groups)
        return one_sided_p(before, after, groups, seed=self._ctx.seed) <= LOSER

    def _candidates(self, contenders: Sequence[_Contender], started: int, measured: int) -> Iterator[Candidate]:
        """The frontier without the champion, and without what has less quality than it."""
        compared = [one for one in contenders if one.outcomes]
        if measured == 0 or not compared:
            return
        champion = compared[0].merit
        chosen = [compared[index] for index in frontier([one.merit for one in compared])]
        better = [one for one in chosen if one.merit.quality >= champion.quality and one.merit != champion]
        # Of those that did the same, the one that changes least: what else it changes pays nothing.
        simplest = {one.merit: one for one in sorted(better, key=lambda one: (-len(one.changes), -one.number))}
        best = sorted(
            simplest.values(),
            key=lambda one: (-one.merit.quality, math.inf if one.merit.cost is None else one.merit.cost, one.number),
        )
        for one in best[:CANDIDATES]:
            yield Candidate(
                one.changes,
                KnobsStrategy.name,
                f"{described(one.changes)}; none of {started} combinations dominates it in quality, cost and "
                f"latency; mean objective on {measured} reflect items "
                f"{champion.quality:.4f} → {one.merit.quality:.4f}",
            )

    def _combinations(self) -> list[dict[str, Any]]:
        """The champion first, then every single change, then whole combinations, drawn by the seed where too many."""
        choices: list[list[tuple[str, Any]]] = []
        for dimension in self._ctx.search_space:
            values = self._values(dimension)
            if values:
                choices.append([(dimension.pointer, value) for value in values])
        found: list[dict[str, Any]] = [{}]
        found += [{pointer: value} for values in choices for pointer, value in values]
        found = found[:MAXIMUM_COMBINATIONS]
        seen = {json_text(one) for one in found}
        total = math.prod(len(values) + 1 for values in choices)
        optional = [[None, *values] for values in choices]
        drawn = itertools.product(*optional) if total <= MAXIMUM_COMBINATIONS else self._drawn(optional)
        for combination in drawn:
            changes = dict(pair for pair in combination if pair is not None)
            if len(found) < MAXIMUM_COMBINATIONS and json_text(changes) not in seen:
                seen.add(json_text(changes))
                found.append(changes)
        return found

    def _drawn(self, optional: Sequence[Sequence[tuple[str, Any] | None]]) -> Iterator[list[tuple[str, Any] | None]]:
        for _ in range(4 * MAXIMUM_COMBINATIONS):
            yield [self._random.choice(values) for values in optional]

    def _values(self, dimension: SearchDimension) -> list[Any]:
        """What this knob may be turned to, other than where it stands."""
        bounds = dimension.bounds
        if dimension.kind == "examples":
            values: list[Any] = self._example_lists(dimension)
        elif dimension.kind == "enum":
            values = list(bounds.get("values") or [])
        elif dimension.kind in {"int", "number"}:
            values = grid(float(bounds["min"]), float(bounds["max"]), bounds.get("step"), whole=dimension.kind == "int")
        else:
            return []
        try:
            present: str | None = json_text(value_at(dict(self._ctx.champion), dimension.pointer))
        except PointerError:
            present = None
        return [value for value in values if json_text(value) != present and self._allowed(dimension, value)]

    def _allowed(self, dimension: SearchDimension, value: Any) -> bool:
        """Whether the document is sound with it: a list of examples may, say, lack a variable of the prompt."""
        try:
            apply_changes(self._document, {dimension.pointer: value})
        except SearchSpaceViolationError:
            return False
        return True

    def _example_lists(self, dimension: SearchDimension) -> list[Any]:
        """None at all, and two sizes of a balanced draw from the learning half, each with what is there already."""
        least, most = (
            int(dimension.bounds.get("min_items", 0)),
            int(dimension.bounds.get("max_items", DEFAULT_EXAMPLES)),
        )
        held = existing_examples(self._ctx.champion, dimension.pointer)
        by_id = {item.item_id: item for item in self._ctx.items}
        pool = [by_id[one] for one in self._learn if by_id[one].expected is not None]
        lists: list[Any] = [[]] if least == 0 else []
        for size in sorted({max(1, most // 2), most} if most > 0 else set[int]()):
            if pool and size > len(held):
                drawn = balanced_examples(pool, size - len(held), self._random)
                lists.append([*held, *(one for one in drawn if one not in held)])
        return lists


def grid(low: float, high: float, step: float | None, *, whole: bool) -> list[int | float]:
    """At most `GRID` values from `low` to `high`, on the knob's steps, evenly spread."""
    if step is None and whole:
        step = 1.0
    if step is None:
        values = [low + (high - low) * place / (GRID - 1) for place in range(GRID)]
    else:
        steps = math.floor((high - low) / step + 1e-9)
        values = [low + step * round(steps * place / (GRID - 1)) for place in range(GRID)]
    plain = [round(value, 6) for value in values]
    return list(dict.fromkeys(int(value) if value == int(value) else value for value in plain))


def described(changes: Mapping[str, Any]) -> str:
    """The combination in words."""
    parts = [
        f"{pointer} {len(value)} examples" if isinstance(value, list) else f"{pointer} {json_text(value)}"
        for pointer, value in sorted(changes.items())
    ]
    return ", ".join(parts)
