"""Racing over knobs: true dominance, losers dropped by evidence, and nothing asked beyond the budget."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import pytest

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.scans.strategies.base import Candidate, Outcome, SearchExhausted
from spectral.domains.scans.strategies.knobs import KnobsStrategy, Merit, frontier, grid, latency_step
from tests.domains.scans.search_context import MemoryContext
from tests.domains.scans.toy_tickets import EXAMPLES, champion, tickets

pytestmark = pytest.mark.databases("sqlite")

MODEL = {"pointer": "/model", "kind": "enum", "bounds": {"values": ["spectral-local/small", "spectral-local/large"]}}
TEMPERATURE = {
    "pointer": "/parameters/temperature",
    "kind": "number",
    "bounds": {"min": 0, "max": 1},
    "creatable": True,
}
SHOTS = {"pointer": "/few_shot", "kind": "examples", "bounds": {"max_items": 10}}
TOOLS = {"pointer": "/tools/0/enabled", "kind": "enum", "bounds": {"values": [True, False]}}
TOP_K = {"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 1, "max": 9, "step": 2}}


def document(*knobs: Mapping[str, Any]) -> ConfigDocument:
    raw = champion().as_json()
    more = {"tools": [{"name": "look_up", "enabled": True}], "custom": {"top_k": 3}, "search_space": list(knobs)}
    return ConfigDocument.model_validate({**raw, **more})


class Scripted(MemoryContext):
    """Whether an item is right, what it costs and takes is written down, by the values of the knobs."""

    def __init__(self, doc: ConfigDocument, evaluations: int = 10_000, seed: int = 1) -> None:
        super().__init__(doc, tickets(160), seed=seed, evaluations=evaluations)

    def _outcomes(self, document: ConfigDocument, items: Sequence[Any]) -> list[Outcome]:
        raw = document.as_json()
        share = 0.5 + 0.1 * (raw["custom"]["top_k"] == 7) + 0.25 * (raw["model"] == "spectral-local/large")
        share -= 0.4 * (not raw["tools"][0]["enabled"])
        cost = (10 if raw["model"] == "spectral-local/large" else 2) - (not raw["tools"][0]["enabled"])
        return [
            Outcome(
                item.item_id,
                float(_rank(item.item_id) < share),
                _rank(item.item_id) < share,
                "x",
                "",
                cost_nano_usd=cost,
                latency_ms=100.0 + 80 * (raw["custom"]["top_k"] == 9),
            )
            for item in items
        ]


def _rank(item_id: UUID) -> float:
    return (item_id.int % 1009) / 1009


def test_the_frontier_is_true_dominance_and_the_best_quality_comes_first() -> None:
    ctx = Scripted(document(MODEL, TOP_K, TOOLS))
    found = list(KnobsStrategy().run(ctx))
    assert [dict(one.changes) for one in found] == [
        {"/model": "spectral-local/large", "/custom/top_k": 7},
        {"/custom/top_k": 7},
    ], "the dear one is better, the cheap one cheaper; nothing else is undominated and as good as the champion"
    assert "none of 20 combinations dominates it" in found[0].rationale


def test_most_evaluations_go_to_what_is_worth_it() -> None:
    ctx = Scripted(document(MODEL, TOP_K, TOOLS))
    list(KnobsStrategy().run(ctx))
    spent: dict[str, int] = {}
    for key, _ in ctx.journal:
        spent[key] = spent.get(key, 0) + 1
    dropped = [count for count in spent.values() if count < 160]
    assert len(spent) == 20
    assert len(dropped) >= 10, "whoever loses with evidence is not measured to the end"
    assert len(ctx.journal) < 0.5 * 20 * 160


@pytest.mark.parametrize("evaluations", [0, 7, 100, 333, 900])
def test_it_asks_for_no_more_than_its_budget(evaluations: int) -> None:
    ctx = Scripted(document(MODEL, TOP_K, TOOLS, TEMPERATURE), evaluations)
    found: list[Candidate] = []
    try:
        found.extend(KnobsStrategy().run(ctx))
    except SearchExhausted:
        found.clear()
    assert len(ctx.journal) <= evaluations
    assert evaluations < 900 or found


@pytest.mark.parametrize("seed", [1, 2])
def test_examples_and_models_improve_unseen_items_and_the_search_is_reproducible(seed: int) -> None:
    first, second = (
        MemoryContext(document(MODEL, TEMPERATURE, SHOTS), tickets(160, seed=seed), seed=seed, evaluations=2_000)
        for _ in range(2)
    )
    found = list(KnobsStrategy().run(first))
    unseen = tickets(200, seed=99)
    assert first.accuracy(found[0].changes, unseen) >= first.accuracy({}, unseen) + 0.2
    assert EXAMPLES in found[0].changes
    second.journal = dict(list(first.journal.items())[: len(first.journal) // 2])
    assert list(KnobsStrategy().run(second)) == found
    assert second.calls == first.calls


def test_nothing_to_turn_means_no_candidates() -> None:
    ctx = Scripted(document())
    assert list(KnobsStrategy().run(ctx)) == []
    assert ctx.calls == []


def test_an_unknown_cost_neither_dominates_nor_is_dominated_by_a_known_one() -> None:
    merits = [Merit(0.5, 3.0, 1), Merit(0.6, None, 1), Merit(0.6, 3.0, 1), Merit(0.4, None, 2), Merit(0.6, 3.0, 1)]
    assert frontier(merits) == [1, 2, 4], "equals do not dominate each other"


def test_a_stopwatchs_noise_is_one_step() -> None:
    assert {latency_step(each) for each in (0.0, 0.1, 3.0, 22.0)} == {0}
    assert latency_step(100.0) == latency_step(104.0) != latency_step(140.0)


@pytest.mark.parametrize(
    ("bounds", "whole", "values"),
    [
        ((0, 1, None), False, [0, 0.25, 0.5, 0.75, 1]),
        ((1, 3, None), True, [1, 2, 3]),
        ((1, 100, None), True, [1, 26, 51, 75, 100]),
        ((0.1, 0.35, 0.1), False, [0.1, 0.2, 0.3]),
        ((5, 5, 1), True, [5]),
    ],
)
def test_a_grid_keeps_to_the_steps(
    bounds: tuple[float, float, float | None],
    whole: bool,  # noqa: FBT001 - a test's parameter
    values: list[float],
) -> None:
    assert grid(*bounds, whole=whole) == values
