"""What a scan may cost, said before anything is spent. Pure but for prices, which the door knows."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from spectral.domains.agents.config import ConfigDocument, KnobKind, MissingVariableError, PromptRenderer
from spectral.domains.evaluations.judging import judging_ceiling
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.scans.plan import ScanPlan
from spectral.domains.scans.search import MAXIMUM_QUESTIONS
from spectral.platform.llm.calls import prompt_size
from spectral.platform.llm.door import ModelDoor

USUAL_SHARE = 0.25
"""Of what a call can cost at most; the ceiling counts every byte as a token and every answer at its full length."""
QUESTION_CHARACTERS = 40_000
BYTES_A_CHARACTER = 4
EXAMPLE_OVERHEAD = 256
"""Bytes of an example besides its input: its answer, and the borders of two messages."""


class HasInput(Protocol):
    """An item of a sample set."""

    @property
    def input(self) -> JsonValue: ...


@dataclass(frozen=True, slots=True)
class CostForecast:
    """Nano-USD. estimated: if answers are as long as usual, None where a price is unknown.

    maximum: what the scan can cost at most, its budget included; None where neither prices nor a budget bound it.
    """

    estimated_nano_usd: int | None
    maximum_nano_usd: int | None

    @property
    def is_free(self) -> bool:
        """Whether it is known to cost nothing."""
        return self.maximum_nano_usd == 0


def forecast(
    door: ModelDoor,
    plan: ScanPlan,
    *,
    configs: Sequence[ConfigDocument] | None,
    items: Sequence[HasInput],
    rubric: RubricSpec,
    reflection_model: str | None,
    max_cost_nano_usd: int | None,
) -> CostForecast:
    """What a scan of this plan may cost, by the dearest of these items.

    configs: the champion under every model that the scan may try; None for an agent that runs elsewhere, where the
    cost is known once it is told. Raises UnknownModelError (400).
    """
    executed = None if configs is None else _dearest(door, configs, items)
    judged = judging_ceiling(rubric, door)
    asked = 0 if reflection_model is None else door.ceiling(reflection_model, QUESTION_CHARACTERS, None)
    parts = (
        (executed, plan.max_evaluations),
        (judged, plan.max_evaluations),
        (asked, MAXIMUM_QUESTIONS),
    )
    ceilings = [each * times for each, times in parts if each is not None]
    if len(ceilings) < len(parts):
        return CostForecast(None, max_cost_nano_usd)
    total = sum(ceilings)
    usual = math.ceil(total * USUAL_SHARE)
    if max_cost_nano_usd is None:
        return CostForecast(usual, total)
    return CostForecast(min(usual, max_cost_nano_usd), min(total, max_cost_nano_usd))


def _dearest(door: ModelDoor, configs: Sequence[ConfigDocument], items: Sequence[HasInput]) -> int | None:
    """What one execution can cost at most with any of these configurations on any of these items."""
    dearest = 0
    for config in configs:
        if door.ceiling(config.model, 0, None) == 0:
            continue
        limit = config.parameters.get("max_tokens")
        tokens = limit if isinstance(limit, int) and not isinstance(limit, bool) else None
        ceiling = door.ceiling(config.model, _largest(config, items), tokens)
        if ceiling is None:
            return None
        dearest = max(dearest, ceiling)
    return dearest


def _largest(config: ConfigDocument, items: Sequence[HasInput]) -> int:
    """Bytes of the largest prompt, as long as a search may make it: its texts at their limits, all its examples."""
    renderer = PromptRenderer(config)
    sizes = [0]
    for item in items:
        try:
            sizes.append(prompt_size(renderer.render(item.input)))
        except MissingVariableError:
            continue  # refused before any model is asked
    example = max((len(json.dumps(item.input, ensure_ascii=False).encode()) for item in items), default=0)
    grown = 0
    for knob in config.search_space:
        grown += BYTES_A_CHARACTER * (knob.bounds.max_length or 0) if knob.kind is KnobKind.TEXT else 0
        grown += (knob.bounds.max_items or 0) * (example + EXAMPLE_OVERHEAD) if knob.kind is KnobKind.EXAMPLES else 0
    return max(sizes) + grown
