"""What each change of the winner is worth: the winner against itself without that change, on the same items."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from spectral.domains.agents.config import apply_changes, canonical_hash
from spectral.domains.agents.errors import SearchSpaceViolationError
from spectral.domains.changesets.statistics import holm
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.scans.comparison import DIGITS, Comparison, compare_all, summarise
from spectral.domains.scans.states import Phase
from spectral.domains.scans.work import ScanWork


async def ablate(work: ScanWork, changes: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry a change, by place; `worth` is what the objective on select loses without it, with its 95 % interval.

    What the scan has measured already (the champion, another finalist) is compared for nothing; of the others as many
    as the plan allows, the rest has `worth` null. `p_value` is one-sided, that the change is worth nothing, and
    `p_adjusted` that after Holm over the changes compared.
    """
    champion = work.pinned.champion
    items = await work.items("select")
    whole = await work.measure(apply_changes(champion, changes), items)
    known = {result["config_hash"] for result in work.results[Phase.EVALUATE]["results"]} | {canonical_hash(champion)}
    allowed = work.pinned.plan.ablations
    without: dict[str, list[Measured]] = {}
    for pointer in sorted(changes):
        try:
            rest = apply_changes(champion, {other: value for other, value in changes.items() if other != pointer})
        except SearchSpaceViolationError:
            continue  # the others are no sound configuration without it
        if canonical_hash(rest) not in known:
            if allowed == 0:
                continue
            allowed -= 1
        without[pointer] = await work.measure(rest, items)
    return await asyncio.to_thread(_compared, work.pinned.objective, sorted(changes), whole, without, work.scan.seed)


def _compared(
    objective: ObjectiveSpec,
    pointers: Sequence[str],
    whole: Sequence[Measured],
    without: Mapping[str, Sequence[Measured]],
    seed: int,
) -> list[dict[str, Any]]:
    found = {pointer: compare_all(objective, arm, [whole], seed=seed)[0] for pointer, arm in without.items()}
    adjusted = dict(zip(found, holm([one.p_value for one in found.values()]), strict=True))
    with_all = summarise(objective, whole).objective
    return [
        {
            "pointer": pointer,
            "objective_with": with_all,
            "objective_without": summarise(objective, without[pointer]).objective if pointer in without else None,
            **_worth(found.get(pointer), adjusted.get(pointer)),
        }
        for pointer in pointers
    ]


def _worth(compared: Comparison | None, adjusted: float | None) -> dict[str, Any]:
    if compared is None or compared.n == 0 or adjusted is None:
        names = ("worth", "low", "high", "n", "method", "p_value", "p_adjusted", "wins", "losses")
        return dict.fromkeys(names)
    return {
        "worth": compared.effect,
        **{name: getattr(compared, name) for name in ("low", "high", "n", "method", "p_value")},
        "p_adjusted": round(adjusted, DIGITS),
        "wins": compared.wins,
        "losses": compared.losses,
    }
