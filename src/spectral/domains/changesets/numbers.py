"""From measurements to a decision, and from a decision to the JSON that is kept as its evidence. Pure."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Protocol
from uuid import UUID

import numpy as np

from spectral.domains.changesets.decision import Arms, Decision, GuardOutcome, decide
from spectral.domains.changesets.statistics import PairedEffect, Rate, wilson
from spectral.domains.evaluations.guards import guard_series
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec, objective_value


class LookedAt(Protocol):
    """What a decision needs of an item."""

    @property
    def id(self) -> UUID: ...
    @property
    def group_key(self) -> str | None: ...


def decide_look(
    objective: ObjectiveSpec,
    items: Sequence[LookedAt],
    champion: Sequence[Measured],
    challenger: Sequence[Measured],
    *,
    alpha: float,
    identical: bool,
    next_stage_items: int | None,
    seed: int,
) -> Decision:
    """The verdict over both arms' measurements of the same items, whatever the number of repeats.

    An item's value is the mean of its repeats that could be measured; with less than half of them it is missing.
    Guards pair repeat with repeat, and all repeats of an item (or of its group) count as one unit.
    """
    before, after = item_values(objective, items, champion), item_values(objective, items, challenger)
    groups = {item.id: f"item {item.id}" if item.group_key is None else item.group_key for item in items}
    theirs = {(one.item_id, one.repeat): one for one in challenger}
    pairs = [(one, theirs[one.item_id, one.repeat]) for one in champion if (one.item_id, one.repeat) in theirs]
    arms = Arms(before, after, [groups[item.id] for item in items])
    return decide(
        arms,
        alpha=alpha,
        minimum_effect=objective.minimum_effect,
        guards=[guard_series(guard, pairs) for guard in objective.guards],
        guard_groups=[groups[one.item_id] for one, _ in pairs],
        identical=identical,
        next_stage_items=next_stage_items,
        seed=seed,
    )


def seed_of_look(digest: str, champion_hash: str, challenger_hash: str, look: int) -> int:
    """The resampling seed of a look: known before it is taken, the same after a restart."""
    text = f"{digest}\n{champion_hash}\n{challenger_hash}\n{look}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big")


def evidence_of(
    objective: ObjectiveSpec,
    decision: Decision,
    items: Sequence[LookedAt],
    champion: Sequence[Measured],
    challenger: Sequence[Measured],
) -> dict[str, Any]:
    """Everything a verdict rests on, as JSON: finite numbers or null."""
    return {
        "effect": _effect(decision.effect),
        "effect_95": _effect(decision.reported),
        "p_value": decision.p_value,
        "items": decision.items,
        "n": decision.n,
        "groups": decision.groups,
        "missing": {"champion": decision.missing_champion, "challenger": decision.missing_challenger},
        "guards": [guard_document(guard) for guard in decision.guards],
        "champion": arm_of(objective, items, champion),
        "challenger": arm_of(objective, items, challenger),
    }


def arm_of(objective: ObjectiveSpec, items: Sequence[LookedAt], measured: Sequence[Measured]) -> dict[str, Any]:
    """One arm alone: mean objective, share of passed executions with its Wilson interval, cost and latency."""
    values = [value for value in item_values(objective, items, measured) if value is not None]
    counted = [one for one in measured if not one.missing]
    costs = [one.cost_nano_usd for one in counted]
    latencies = [one.latency_ms for one in counted]
    return {
        "objective": _mean(values),
        "passed": rate_document(wilson(sum(one.passed for one in counted), len(counted))),
        "errors": sum(one.error_type is not None for one in counted),
        # An unknown price makes the mean unknown, not smaller.
        "mean_cost_nano_usd": _mean([float(cost) for cost in costs if cost is not None]) if None not in costs else None,
        "p50_latency_ms": _quantile(latencies, 0.5),
        "p95_latency_ms": _quantile(latencies, 0.95),
    }


def rate_document(rate: Rate) -> dict[str, Any]:
    """A rate with its interval, as JSON."""
    return asdict(rate)


def item_values(
    objective: ObjectiveSpec, items: Sequence[LookedAt], measured: Sequence[Measured]
) -> list[float | None]:
    """The objective of each item, in their order: the mean of its repeats; None where fewer than half were measured."""
    found: dict[UUID, list[float | None]] = {}
    for one in measured:
        found.setdefault(one.item_id, []).append(objective_value(objective, one))
    values: list[float | None] = []
    for item in items:
        repeats = found.get(item.id, [])
        known = [value for value in repeats if value is not None]
        values.append(math.fsum(known) / len(known) if known and 2 * len(known) >= len(repeats) else None)
    return values


def _effect(effect: PairedEffect | None) -> dict[str, Any] | None:
    if effect is None:
        return None
    return {
        "mean": effect.mean,
        "low": _finite(effect.low),
        "high": _finite(effect.high),
        "confidence": effect.confidence,
        "method": effect.method,
    }


def guard_document(guard: GuardOutcome) -> dict[str, Any]:
    """A guard's outcome, as JSON: finite numbers or null."""
    return {name: _finite(value) if isinstance(value, float) else value for name, value in asdict(guard).items()}


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _mean(values: Sequence[float]) -> float | None:
    return math.fsum(values) / len(values) if values else None


def _quantile(values: Sequence[float], share: float) -> float | None:
    return float(np.quantile(values, share)) if values else None
