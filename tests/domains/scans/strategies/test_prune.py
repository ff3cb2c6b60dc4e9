"""What a search added and does not pay is taken back; what the champion had is left alone."""

import pytest

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.scans.strategies.base import Candidate
from spectral.domains.scans.strategies.prune import Pruning, edits_of, with_edits
from tests.domains.scans.search_context import MemoryContext
from tests.domains.scans.toy_tickets import EXAMPLES, TEXT, champion, tickets

pytestmark = pytest.mark.databases("sqlite")

WORDS = {"login": "password locked code reset sign", "delivery": "courier tracking depot late van"}
GOOD = champion(descriptions=WORDS).entry.messages[0].content
PADDED = GOOD.replace("Nothing else.", "Nothing else.\nMind the weather.\nBe kind.\nEnjoy the day.")


def context(seed: int = 1, evaluations: int = 3_000) -> MemoryContext:
    return MemoryContext(champion(), tickets(200, seed=seed), seed=seed, evaluations=evaluations)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_lines_that_do_not_pay_go_and_the_others_stay(seed: int) -> None:
    ctx = context(seed)
    (pruned,) = Pruning([Candidate({TEXT: PADDED}, "reflective")]).run(ctx)
    assert pruned.changes == {TEXT: GOOD}
    assert pruned.rationale.startswith("reflective without 3 of 5 added lines and examples that did not pay")
    assert list(Pruning([Candidate({TEXT: GOOD}, "reflective")]).run(context(seed))) == []


def test_examples_that_say_nothing_go_and_other_changes_stay() -> None:
    useless = [{"input": {"ticket": f"qwxz{number}"}, "output": "billing"} for number in range(3)]
    telling = [
        {"input": {"ticket": " ".join(item.input["ticket"].split())}, "output": item.expected}
        for item in tickets(10, 7)
    ]
    raw = champion().as_json()
    raw["search_space"].append({"pointer": "/custom/k", "kind": "int", "bounds": {"min": 0, "max": 9}})
    raw["custom"] = {"k": 1}
    ctx = MemoryContext(ConfigDocument.model_validate(raw), tickets(200), evaluations=3_000)
    whole = {EXAMPLES: [*telling[:5], *useless, *telling[5:7]], "/custom/k": 2}
    (pruned,) = Pruning([Candidate(whole, "few_shot")]).run(ctx)
    assert all(example not in pruned.changes[EXAMPLES] for example in useless)
    assert pruned.changes["/custom/k"] == 2
    assert ctx.accuracy(pruned.changes, ctx.items) >= ctx.accuracy(whole, ctx.items) - 0.01


@pytest.mark.parametrize("evaluations", [0, 99, 100, 130, 260])
def test_it_keeps_to_its_share_and_what_was_taken_back_until_then_stays(evaluations: int) -> None:
    ctx = context(evaluations=evaluations)
    found = list(Pruning([Candidate({TEXT: PADDED}, "reflective")]).run(ctx))
    assert len(ctx.journal) <= evaluations
    for one in found:
        assert ctx.accuracy(one.changes, ctx.items) >= ctx.accuracy({TEXT: PADDED}, ctx.items) - 0.01


def test_a_candidate_that_pays_nothing_at_all_is_not_proposed_as_the_champion() -> None:
    idle = champion().entry.messages[0].content + "\nMind the weather."
    assert list(Pruning([Candidate({TEXT: idle}, "reflective")]).run(context())) == []


def test_edits_put_together_are_the_candidate_and_without_them_it_is_the_champion() -> None:
    before = champion().as_json()
    after = (
        "First.\nAnswer with one label.\n- billing: invoice\n- delivery: van\n- login:\n- refund:\nNothing else.\nLast."
    )
    changes = {TEXT: after, EXAMPLES: [{"input": {"ticket": "a"}, "output": "login"}]}
    edits = edits_of(before, changes)
    assert with_edits(before, changes, edits) == changes
    nothing = with_edits(before, changes, [])
    assert "- warranty" not in nothing.get(TEXT, ""), "a line that was taken away is no addition"
    assert EXAMPLES not in nothing
    assert canonical_hash(champion()) == canonical_hash(ConfigDocument.model_validate(before))
