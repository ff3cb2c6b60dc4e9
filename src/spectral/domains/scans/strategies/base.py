"""What a search strategy sees of a scan, and what it may do.

A strategy is a pure function of (seed, journal): asked the same again it answers the same, so a scan that was killed
runs it again from the start and every evaluation and model answer already paid for comes from the journal. It uses no
clock, no network, no files and no randomness but its own, seeded with `context.seed`.
"""

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from spectral.domains.changesets.statistics import sign_flip_p

RESAMPLES = 2_000
"""Of a comparison inside of a search: whether it goes on, not whether anything is claimed."""


@dataclass(frozen=True, slots=True)
class ReflectItem:
    """One sample that a strategy may learn from. Items of one group never fall on two sides of a split."""

    item_id: UUID
    input: Any
    expected: Any
    group: str


@dataclass(frozen=True, slots=True)
class SearchDimension:
    """One place of the configuration that the agent allows to be changed (a line of its search space)."""

    pointer: str
    kind: str
    bounds: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The champion with some values replaced: JSON pointer → new value. No changes is the champion itself."""

    changes: Mapping[str, Any]
    strategy: str
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One sample executed with one candidate.

    score: the objective of this item, larger is better; 0 where `missing` (the measurement failed, not the agent).
    feedback: what the rubric had to say, one line a dimension.  cost_nano_usd: of all its repeats together, None where
    it is unknown.  latency_ms: the mean over its repeats, as the journal has it.
    """

    item_id: UUID
    score: float
    passed: bool
    output: str | None
    feedback: str
    missing: bool = False
    cost_nano_usd: int | None = None
    latency_ms: float = 0.0


class SearchExhausted(BaseException):
    """The evaluations (or the money) set aside for this strategy are spent.

    Derives from BaseException because search packages (gepa among them) catch Exception, log it and carry on.
    """


class SearchStopped(BaseException):
    """The scan was cancelled, lost its lease or failed; nothing a strategy still does will be kept."""


class Context(Protocol):
    """A scan as a strategy sees it. Durable, metered and cancellable; the holdout and the select split are not in it.

    Called from the strategy's own thread, one call at a time.
    """

    @property
    def seed(self) -> int:
        """The only source of randomness."""

    @property
    def champion(self) -> Mapping[str, Any]:
        """The configuration document to be improved."""

    @property
    def search_space(self) -> Sequence[SearchDimension]:
        """What may be changed; a candidate that changes anything else is refused."""

    @property
    def items(self) -> Sequence[ReflectItem]:
        """The reflect split, in an order that depends on its content only."""

    @property
    def options(self) -> Mapping[str, Any]:
        """What the person who started the scan gave this strategy."""

    @property
    def reflection_model(self) -> str | None:
        """The language model that `ask_model` asks; None where the scan has none."""

    def evaluate(self, candidate: Candidate, sample_ids: Sequence[UUID]) -> list[Outcome]:
        """The outcomes in the order of `sample_ids`; what the journal knows is not executed again.

        Raises SearchExhausted before anything is executed that the budget does not cover, ValueError for an id that
        is not one of `items`.
        """

    def ask_model(self, purpose: str, prompt: str) -> str:
        """The answer of the scan's reflection model. Raises SearchExhausted; ValueError where there is no model."""

    def evaluations_left(self) -> int:
        """How many evaluations this strategy may still ask for that it has not asked for before."""


class Strategy(Protocol):
    """A way to search. Published under the entry point group `spectral.strategies`."""

    name: str

    def run(self, ctx: Context) -> Iterator[Candidate]:
        """Candidates, the most promising first. May end early; SearchExhausted may pass through."""
        ...


def seeded(*parts: object) -> random.Random:
    """A generator that depends on nothing but these parts (the builtin `hash` of a string differs by process)."""
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))  # noqa: S311 - a reproducible search, not a secret


def split_groups(items: Sequence[ReflectItem], seed: int, share: float = 0.5) -> tuple[list[UUID], list[UUID]]:
    """Two halves of the items, whole groups in one or the other: what is learnt from, and what it is judged by.

    Each in the order of `items`.
    """
    groups = sorted({item.group for item in items})
    seeded("split", seed).shuffle(groups)
    sizes: dict[str, int] = {}
    for item in items:
        sizes[item.group] = sizes.get(item.group, 0) + 1
    first: set[str] = set()
    taken = 0
    for group in groups:
        if taken < share * len(items):
            first.add(group)
            taken += sizes[group]
    return (
        [item.item_id for item in items if item.group in first],
        [item.item_id for item in items if item.group not in first],
    )


def paired_scores(
    before: Sequence[Outcome], after: Sequence[Outcome], groups: Mapping[UUID, str]
) -> tuple[list[float], list[float], list[str]]:
    """The scores of the items that both have, side by side, each with its group; in the order of `before`."""
    theirs = {one.item_id: one for one in after if not one.missing}
    pairs = [(one, theirs[one.item_id]) for one in before if not one.missing and one.item_id in theirs]
    return (
        [one.score for one, _ in pairs],
        [other.score for _, other in pairs],
        [groups[one.item_id] for one, _ in pairs],
    )


def one_sided_p(before: Sequence[float], after: Sequence[float], groups: Sequence[str], *, seed: int) -> float:
    """The p-value that `after` is no better than `before`; exact up to resampling (see `statistics.sign_flip_p`).

    1 where there is nothing to compare.
    """
    if not before:
        return 1.0
    two_sided = sign_flip_p(before, after, groups, seed=seed, resamples=RESAMPLES)
    return two_sided / 2 if sum(after) > sum(before) else 1.0 - two_sided / 2


def mean_score(outcomes: Sequence[Outcome]) -> float:
    """The mean over what could be measured; 0 where nothing could."""
    measured = [outcome.score for outcome in outcomes if not outcome.missing]
    return sum(measured) / len(measured) if measured else 0.0


def input_text(value: Any) -> str:
    """The text of an input: itself, or every string in it."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "\n".join(input_text(value[key]) for key in sorted(value, key=str))
    if isinstance(value, list | tuple):
        return "\n".join(input_text(part) for part in value)
    return "" if value is None else str(value)
