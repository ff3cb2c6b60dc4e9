"""What a holdout may be asked, and at what price: the α ledger and the stages of a look.

A plan is made once, when a holdout is first tied to a scan, and never changes: how much of the 0.05 each look costs
and on how many items a change set is measured at its first, second, third look. Pure; the rows are in `models.py`.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from spectral.domains.changesets.errors import HoldoutSpentError, TooFewSamplesError

Item = TypeVar("Item")

LIFETIME_ALPHA = 0.05
# Half for the first look, a quarter for each of the next two: the first candidate of a holdout is the likeliest to
# matter, and a fourth look would make all of them too weak to see an ordinary gain (docs/statistics.md).
LOOK_SHARES = (0.5, 0.25, 0.25)
MINIMUM_ITEMS = 30
RECOMMENDED_ITEMS = 100
FIRST_STAGE = 400
# A last stage that adds fewer items than this would cost a look and show nothing new: it joins the one before.
SMALLEST_STEP = 100


@dataclass(frozen=True, slots=True)
class LookPlan:
    """Every look of one holdout has its two-sided α, and every stage its number of items, before the first is taken.

    alphas: per look, over all change sets, in order; their sum is at most 0.05. stages: cumulative items, increasing;
    the last one is the whole holdout. A look's interval has confidence 1 - α. By the union bound all intervals ever
    reported on one holdout cover together with probability ≥ 0.95, whichever change sets were looked at.
    """

    alphas: tuple[float, ...]
    stages: tuple[int, ...]

    def __post_init__(self) -> None:
        if (
            not self.alphas
            or any(alpha <= 0 for alpha in self.alphas)
            or math.fsum(self.alphas) > LIFETIME_ALPHA + 1e-12
        ):
            raise ValueError(f"the looks of a holdout cost more than 0 each and at most {LIFETIME_ALPHA} together")
        if not self.stages or any(b <= a for a, b in zip((0, *self.stages), self.stages, strict=False)):
            raise ValueError("stages are increasing numbers of items")

    @classmethod
    def for_holdout(cls, size: int) -> "LookPlan":
        """Small holdouts are measured whole at the first look; from 500 items on they are spent 400, 800, … at a time.

        Raises TooFewSamplesError (400) below 30 items.
        """
        if size < MINIMUM_ITEMS:
            raise TooFewSamplesError(size, MINIMUM_ITEMS)
        stages: list[int] = []
        step = FIRST_STAGE
        while len(stages) < len(LOOK_SHARES) - 1 and size - step >= SMALLEST_STEP:
            stages.append(step)
            step *= 2
        return cls(tuple(LIFETIME_ALPHA * share for share in LOOK_SHARES), (*stages, size))

    @classmethod
    def from_document(cls, document: dict[str, list[float]]) -> "LookPlan":
        return cls(tuple(document["alphas"]), tuple(int(stage) for stage in document["stages"]))

    def document(self) -> dict[str, list[float]]:
        return {"alphas": list(self.alphas), "stages": [int(stage) for stage in self.stages]}

    @property
    def looks(self) -> int:
        return len(self.alphas)

    def alpha_of(self, look: int) -> float:
        """The price of the look with this number, counted from 1. Raises HoldoutSpentError (400) beyond the plan."""
        if look < 1:
            raise ValueError("looks are counted from 1")
        if look > self.looks:
            raise HoldoutSpentError(self.looks)
        return self.alphas[look - 1]

    def spent(self, looks_taken: int) -> float:
        """The α that this many looks have cost."""
        return math.fsum(self.alphas[:looks_taken])

    def stage_items(self, stage: int) -> int:
        """The cumulative number of items at this stage, counted from 1."""
        return self.stages[stage - 1]

    def further_items(self, stage: int) -> int | None:
        """How many items the next planned stage adds, None after the last."""
        return self.stages[stage] - self.stages[stage - 1] if stage < len(self.stages) else None


def items_of_stage(
    items: Sequence[Item], groups: Sequence[str | None], keys: Sequence[str], digest: str, size: int
) -> list[Item]:
    """The first `size` items of a fixed random order of the holdout; groups stay whole, so it may be a few more.

    keys: one stable text per item (its id). The order depends on the holdout's digest and the groups only: the same
    items for every change set and every process, and a later stage contains each earlier one.
    """
    members: dict[str, list[int]] = {}
    for index, (group, key) in enumerate(zip(groups, keys, strict=True)):
        members.setdefault(f"group:{group}" if group is not None else f"item:{key}", []).append(index)
    chosen: list[int] = []
    for unit in sorted(members, key=lambda name: hashlib.sha256(f"{digest}\n{name}".encode()).digest()):
        if len(chosen) >= size:
            break
        chosen.extend(members[unit])
    return [items[index] for index in sorted(chosen, key=lambda index: keys[index])]
