"""Examples in the prompt, chosen by what they repair.

Sets of examples, balanced over the labels and drawn more often from what the champion gets wrong, race against each
other on growing parts of the judging half (successive halving); the winner is then improved greedily, one example at
a time. Source: Jamieson & Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization" (2016).
"""

import random
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from spectral.domains.agents.pointers import PointerError, value_at
from spectral.domains.scans.strategies.base import (
    Candidate,
    Context,
    Outcome,
    ReflectItem,
    SearchDimension,
    SearchExhausted,
    mean_score,
    seeded,
    split_groups,
)

CONTENDERS = 12
KEPT_A_ROUND = 0.5
DEFAULT_MAXIMUM = 16
FAILURE_PREFERENCE = 4.0
MAXIMUM_SWAPS = 24

Example = dict[str, Any]


class FewShotStrategy:
    """Fills the example lists of the search space from the learning half of the reflect items."""

    name = "few_shot"

    def run(self, ctx: Context) -> Iterator[Candidate]:
        """One candidate for each list of examples, where one beats the champion on the judging half."""
        for dimension in ctx.search_space:
            if dimension.kind == "examples":
                yield from _Race(ctx, dimension).run()


class _Race:
    def __init__(self, ctx: Context, dimension: SearchDimension) -> None:
        self._ctx = ctx
        self._pointer = dimension.pointer
        learn, judge = split_groups(ctx.items, ctx.seed)
        by_id = {item.item_id: item for item in ctx.items}
        self._pool = [by_id[one] for one in learn if by_id[one].expected is not None]
        self._judge = judge
        self._random = seeded("few-shot", ctx.seed, dimension.pointer)
        self._random.shuffle(self._judge)
        self._held = existing_examples(ctx.champion, dimension.pointer)
        self._most = int(dimension.bounds.get("max_items", DEFAULT_MAXIMUM))
        self._failed: set[UUID] = set()

    def run(self) -> Iterator[Candidate]:
        if not self._pool or not self._judge or self._most < 1:
            return
        best: tuple[list[Example], float] | None = None
        try:
            self._failed = {
                outcome.item_id
                for outcome in self._ctx.evaluate(Candidate({}, FewShotStrategy.name), [i.item_id for i in self._pool])
                if not outcome.passed
            }
            baseline = mean_score(self._score({}, self._judge))
            best = self._halve(self._contenders())
            if best is not None:
                for better in self._swaps(*best):
                    best = better
        except SearchExhausted:
            pass  # the best until then is still the best that was found
        if best is None or best[1] <= baseline:
            return
        examples, score = best
        yield Candidate(
            {self._pointer: examples},
            FewShotStrategy.name,
            f"{len(examples)} examples from the reflect split (champion: {len(self._held)}); "
            f"mean objective on its judging half {baseline:.4f} → {score:.4f}",
        )

    def _contenders(self) -> list[list[Example]]:
        sizes = sorted({max(1, self._most // 2), self._most}, reverse=True)
        contenders = [self._balanced(sizes[number % len(sizes)]) for number in range(CONTENDERS)]
        room = self._most - len(self._held)
        if self._held and room > 0:
            contenders[-1] = [*self._held, *self._balanced(room)][: self._most]
        return contenders

    def _balanced(self, size: int) -> list[Example]:
        return balanced_examples(self._pool, size, self._random, self._failed)

    def _halve(self, contenders: list[list[Example]]) -> tuple[list[Example], float] | None:
        part = max(1, len(self._judge) // 4)
        best: tuple[list[Example], float] | None = None
        while contenders:
            judged = self._judge[:part]
            if self._ctx.evaluations_left() < len(contenders) * part:
                contenders = contenders[: self._ctx.evaluations_left() // part]
            scored = [(mean_score(self._score({self._pointer: one}, judged)), one) for one in contenders]
            scored.sort(key=lambda pair: -pair[0])
            if part == len(self._judge):
                return (scored[0][1], scored[0][0]) if scored else best
            contenders = [one for _, one in scored[: max(1, round(len(scored) * KEPT_A_ROUND))]]
            part = min(len(self._judge), part * 2)
        return best

    def _swaps(self, examples: list[Example], score: float) -> Iterator[tuple[list[Example], float]]:
        """Better sets, one exchanged example at a time, as long as the budget lasts."""
        candidates = [item for item in self._pool if item.item_id in self._failed] or list(self._pool)
        for _ in range(MAXIMUM_SWAPS):
            if self._ctx.evaluations_left() < len(self._judge):
                return
            item = candidates[self._random.randrange(len(candidates))]
            example = _example(item)
            if example in examples:
                continue
            same = [at for at, one in enumerate(examples) if one["output"] == example["output"]]
            place = self._random.choice(same) if same else self._random.randrange(len(examples))
            swapped = [*examples[:place], example, *examples[place + 1 :]]
            after = mean_score(self._score({self._pointer: swapped}, self._judge))
            if after > score:
                examples, score = swapped, after
                yield examples, score

    def _score(self, changes: Mapping[str, Any], item_ids: Sequence[UUID]) -> list[Outcome]:
        return self._ctx.evaluate(Candidate(changes, FewShotStrategy.name), item_ids)


def balanced_examples(
    pool: Sequence[ReflectItem], size: int, generator: random.Random, failed: Collection[UUID] = ()
) -> list[Example]:
    """Round by round one example of each label, what is in `failed` four times as likely."""
    left: dict[str, list[ReflectItem]] = {}
    for item in pool:
        left.setdefault(_key(item.expected), []).append(item)
    chosen: list[Example] = []
    while len(chosen) < size and any(left.values()):
        labels = [label for label in sorted(left) if left[label]]
        generator.shuffle(labels)
        for label in labels[: size - len(chosen)]:
            items = left[label]
            weights = [FAILURE_PREFERENCE if item.item_id in failed else 1.0 for item in items]
            place = generator.choices(range(len(items)), weights)[0]
            chosen.append(_example(items.pop(place)))
    return chosen


def existing_examples(champion: Mapping[str, Any], pointer: str) -> list[Example]:
    """The examples that a configuration has at that place; none where there is no list."""
    try:
        value = value_at(dict(champion), pointer)
    except PointerError:
        return []
    return [dict(one) for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _example(item: ReflectItem) -> Example:
    return {"input": item.input, "output": item.expected}


def _key(value: object) -> str:
    return value if isinstance(value, str) else repr(value)
