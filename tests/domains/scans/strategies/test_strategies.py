"""Strategies improve an agent on samples they never saw, are reproducible, and stay inside their budget."""

from importlib.metadata import EntryPoint
from pathlib import Path
from uuid import uuid5

import pytest

from spectral.demo.dataset import demo_config, generate_tickets
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.scans.strategies.base import (
    Candidate,
    Context,
    ReflectItem,
    SearchExhausted,
    SearchStopped,
    input_text,
    split_groups,
)
from spectral.domains.scans.strategies.few_shot import FewShotStrategy
from spectral.domains.scans.strategies.reflective import ReflectiveStrategy
from spectral.domains.scans.strategies.registry import (
    GROUP,
    StrategyRegistrationError,
    installed_strategies,
    load_strategies,
)
from spectral.domains.scans.strategies.template import TemplateStrategy
from tests.domains.scans.search_context import MemoryContext
from tests.domains.scans.toy_tickets import EXAMPLES, SPACE, TEXT, champion, tickets

UNSEEN = tickets(200, seed=99)


def context(seed: int = 1, evaluations: int = 6_000) -> MemoryContext:
    return MemoryContext(champion(), tickets(200, seed=seed), seed=seed, evaluations=evaluations)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_reflective_improves_unseen_items(seed: int) -> None:
    ctx = context(seed)
    candidates = list(ReflectiveStrategy().run(ctx))
    before, after = ctx.accuracy({}, UNSEEN), ctx.accuracy(candidates[0].changes, UNSEEN)
    assert after >= before + 0.3
    assert all(set(candidate.changes) == {TEXT} for candidate in candidates)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_few_shot_improves_unseen_items(seed: int) -> None:
    ctx = context(seed)
    (candidate,) = FewShotStrategy().run(ctx)
    assert ctx.accuracy(candidate.changes, UNSEEN) >= ctx.accuracy({}, UNSEEN) + 0.15
    assert set(candidate.changes) == {EXAMPLES}
    assert len(candidate.changes[EXAMPLES]) <= 10
    learn, _ = split_groups(ctx.items, ctx.seed)
    inputs = {input_text(item.input) for item in ctx.items if item.item_id in set(learn)}
    assert {input_text(one["input"]) for one in candidate.changes[EXAMPLES]} <= inputs


@pytest.mark.slow
@pytest.mark.parametrize("strategy", [ReflectiveStrategy(), FewShotStrategy()], ids=lambda each: each.name)
def test_the_demo_agent_gets_better_on_tickets_it_never_saw(strategy: ReflectiveStrategy | FewShotStrategy) -> None:
    gains = []
    for seed in (4, 5):
        items = [
            ReflectItem(uuid5(SPACE, f"{seed}-{number}"), {"ticket": ticket.text}, ticket.intent, ticket.session_id)
            for number, ticket in enumerate(generate_tickets(seed, 1000))
        ]
        reflect, unseen = items[:480], items[480:]
        ctx = MemoryContext(ConfigDocument.model_validate(demo_config()), reflect, seed=seed, evaluations=6000)
        best = next(iter(strategy.run(ctx)))
        gains.append(ctx.accuracy(best.changes, unseen) - ctx.accuracy({}, unseen))
    assert min(gains) > 0.0, gains
    assert sum(gains) / len(gains) > 0.03, gains


@pytest.mark.parametrize("strategy", [ReflectiveStrategy(), FewShotStrategy()], ids=lambda each: each.name)
def test_the_same_journal_gives_the_same_search(strategy: ReflectiveStrategy | FewShotStrategy) -> None:
    first, second = context(), context()
    found = list(strategy.run(first))
    # The second run starts with everything the first had recorded when it was killed half-way.
    half = list(first.journal.items())[: len(first.journal) // 2]
    second.journal = dict(half)
    assert list(strategy.run(second)) == found
    assert second.calls == first.calls
    assert second.journal == first.journal


@pytest.mark.parametrize("strategy", [ReflectiveStrategy(), FewShotStrategy()], ids=lambda each: each.name)
@pytest.mark.parametrize("evaluations", [0, 1, 99, 150, 333, 700])
def test_a_search_never_asks_for_more_than_its_budget(
    strategy: ReflectiveStrategy | FewShotStrategy, evaluations: int
) -> None:
    ctx = context(evaluations=evaluations)
    found: list[Candidate] = []
    try:
        found.extend(strategy.run(ctx))
    except SearchExhausted:
        found.clear()
    assert ctx.evaluations_left() >= 0
    assert len(ctx.journal) <= evaluations
    for candidate in found:
        assert ctx.accuracy(candidate.changes, ctx.items) > 0


def test_a_perfect_champion_is_left_alone() -> None:
    perfect = champion(descriptions={label: label for label in ("billing", "refund")})
    items = [
        ReflectItem(item.item_id, {"ticket": str(item.expected)}, item.expected, item.group) for item in tickets(60)
    ]
    ctx = MemoryContext(perfect, items)
    assert ctx.accuracy({}, items) == 1.0
    assert list(ReflectiveStrategy().run(ctx)) == []
    assert list(FewShotStrategy().run(ctx)) == []


def test_nothing_to_change_means_no_candidates() -> None:
    bare = champion().model_copy(update={"search_space": []})
    ctx = MemoryContext(bare, tickets(50))
    assert list(ReflectiveStrategy().run(ctx)) == []
    assert list(FewShotStrategy().run(ctx)) == []
    assert ctx.calls == []


def test_free_text_answers_without_a_reflection_model_are_not_searched() -> None:
    items = [ReflectItem(i.item_id, i.input, f"answer number {n}", i.group) for n, i in enumerate(tickets(40))]
    assert list(ReflectiveStrategy().run(MemoryContext(champion(), items))) == []


def test_a_reflection_model_is_asked_through_the_journal() -> None:
    better = champion(descriptions={"login": "password locked code reset", "delivery": "courier tracking depot van"})
    text = better.entry.messages[0].content
    ctx = MemoryContext(
        champion(), tickets(120), evaluations=1500, reflection_model="some/model", answers=[f"```\n{text}\n```"]
    )
    candidates = list(ReflectiveStrategy().run(ctx))
    assert candidates[0].changes == {TEXT: text}
    assert ctx.prompts
    assert all(prompt.startswith("reflection: ") for prompt in ctx.prompts)
    assert "Expected: " in ctx.prompts[0]


@pytest.mark.parametrize("strategy", [ReflectiveStrategy(), FewShotStrategy()], ids=lambda each: each.name)
def test_a_stopped_scan_stops_the_search_at_once(strategy: ReflectiveStrategy | FewShotStrategy) -> None:
    ctx = context()
    ctx.calls_until_stop = 5
    with pytest.raises(SearchStopped):
        list(strategy.run(ctx))
    assert ctx.calls_until_stop == 0, "nothing may be asked after the stop"


def test_template_proposes_what_it_was_given() -> None:
    ctx = context()
    ctx.options = {"candidates": [{}, {TEXT: "- billing: invoice"}]}
    assert [dict(candidate.changes) for candidate in TemplateStrategy().run(ctx)] == [{}, {TEXT: "- billing: invoice"}]
    assert ctx.calls == []


def test_halves_keep_groups_whole_and_depend_on_the_seed() -> None:
    items = [ReflectItem(i.item_id, i.input, i.expected, f"user-{n // 4}") for n, i in enumerate(tickets(100))]
    learn, judge = split_groups(items, 3)
    assert sorted(map(str, [*learn, *judge])) == sorted(str(item.item_id) for item in items)
    groups = {item.item_id: item.group for item in items}
    assert {groups[one] for one in learn}.isdisjoint(groups[one] for one in judge)
    assert 44 <= len(learn) <= 56
    again = split_groups(list(reversed(items)), 3)
    assert (set(again[0]), set(again[1])) == (set(learn), set(judge))
    assert split_groups(items, 4) != (learn, judge)


class Fixed:
    """What an installed package might bring."""

    name = "fixed"

    def run(self, ctx: Context) -> list[Candidate]:
        return [Candidate({}, self.name)]


def test_strategies_are_found_by_entry_point(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours = {"few_shot", "knobs", "reflective", "template"}
    assert ours <= set(installed_strategies())
    installed = tmp_path / "acme_search-1.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: acme-search\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(f"[{GROUP}]\nfixed = {__name__}:Fixed\n")
    monkeypatch.syspath_prepend(tmp_path)
    installed_strategies.cache_clear()
    try:
        assert set(installed_strategies()) == {*ours, "fixed"}
        (proposed,) = installed_strategies()["fixed"].run(context())
        assert proposed.strategy == "fixed"
    finally:
        installed_strategies.cache_clear()


@pytest.mark.parametrize(
    "points",
    [
        [("fixed", "Fixed"), ("fixed", "Candidate")],
        [("other", "Fixed")],
        [("fixed", "NoSuchThing")],
    ],
)
def test_a_wrong_registration_is_refused(points: list[tuple[str, str]]) -> None:
    with pytest.raises(StrategyRegistrationError, match="strategy"):
        load_strategies([EntryPoint(name, f"{__name__}:{value}", GROUP) for name, value in points])
