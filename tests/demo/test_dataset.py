"""The demo's tickets are many, different and reproducible, and its agent leaves real room for a search."""

import copy
import math
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

import pytest

from spectral.demo import vocabulary
from spectral.demo.dataset import SYSTEM_PROMPT, Ticket, demo_config, generate_tickets
from spectral.demo.intents import CLAIMS, INTENTS
from spectral.domains.agents.config import ConfigDocument, PromptRenderer
from spectral.domains.samples.drafts import read_draft
from spectral.platform.llm.calls import ModelReply, ModelRequest
from spectral.platform.llm.local.features import plain_features
from spectral.platform.llm.local.provider import LocalProvider

SEEDS = range(10)
TRAINING, HELD_OUT = slice(0, 600), slice(900, 1500)


def answers(config: dict[str, Any], tickets: Sequence[Ticket]) -> list[str]:
    """What the agent answers, over the real rendering and the real runtime."""
    document = ConfigDocument.model_validate(config)
    renderer = PromptRenderer(document)
    outcomes = LocalProvider().answer(
        [
            ModelRequest(document.model, renderer.render({"ticket": ticket.text}), document.parameters)
            for ticket in tickets
        ]
    )
    return [one.text for one in outcomes if isinstance(one, ModelReply)]


def accuracy(config: dict[str, Any], tickets: Sequence[Ticket]) -> float:
    right = [answer == ticket.intent for answer, ticket in zip(answers(config, tickets), tickets, strict=True)]
    return sum(right) / len(right)


def with_words_of_failures(config: dict[str, Any], tickets: Sequence[Ticket], words: int) -> dict[str, Any]:
    """Each label line with the words that are telling in its failures: what a failure-driven proposer does."""
    given = answers(config, tickets)
    failed: dict[str, Counter[str]] = defaultdict(Counter)
    of_intent: dict[str, Counter[str]] = defaultdict(Counter)
    overall: Counter[str] = Counter()
    for ticket, answer in zip(tickets, given, strict=True):
        found = set(plain_features(ticket.text))
        overall.update(found)
        of_intent[ticket.intent].update(found)
        if answer != ticket.intent:
            failed[ticket.intent].update(found)
    totals = Counter(ticket.intent for ticket in tickets)

    def telling(intent: str, word: str) -> float:
        inside = of_intent[intent][word] / totals[intent]
        outside = (overall[word] - of_intent[intent][word] + 0.5) / (len(tickets) - totals[intent])
        return failed[intent][word] * math.log(inside / outside)

    lines = []
    for line in config["prompts"]["main"]["messages"][0]["content"].splitlines():
        intent = line.removeprefix("- ").partition(":")[0]
        best = sorted(failed[intent], key=lambda word: (-telling(intent, word), word))[:words]
        lines.append(f"{line}, {' '.join(best)}" if line.startswith("- ") else line)
    improved = copy.deepcopy(config)
    improved["prompts"]["main"]["messages"][0]["content"] = "\n".join(lines)
    return improved


def with_examples_of_failures(config: dict[str, Any], tickets: Sequence[Ticket], each: int) -> dict[str, Any]:
    """A few failed tickets of every intent as examples."""
    failed: dict[str, list[Ticket]] = defaultdict(list)
    for ticket, answer in zip(tickets, answers(config, tickets), strict=True):
        if answer != ticket.intent:
            failed[ticket.intent].append(ticket)
    chosen = random.Random(1)  # noqa: S311 - a reproducible choice
    improved = copy.deepcopy(config)
    improved["few_shot"] = [
        {"input": {"ticket": ticket.text}, "output": intent}
        for intent in sorted(failed)
        for ticket in chosen.sample(failed[intent], min(each, len(failed[intent])))
    ]
    return improved


def test_there_are_twelve_intents_and_the_prompt_has_a_line_for_each() -> None:
    assert len(INTENTS) == 12
    assert set(CLAIMS) == set(INTENTS)
    assert all(len(aspects) >= 4 for aspects in INTENTS.values())
    lines = [line for line in SYSTEM_PROMPT.splitlines() if line.startswith("- ")]
    assert [line[2:].partition(":")[0] for line in lines] == list(INTENTS)


@pytest.mark.parametrize("seed", [0, 7])
def test_tickets_are_different_and_cover_every_intent_and_aspect(seed: int) -> None:
    tickets = generate_tickets(seed)

    assert len(tickets) == 1500
    assert len({ticket.text for ticket in tickets}) == 1500
    assert {(ticket.intent, ticket.aspect) for ticket in tickets} == {
        (intent, aspect) for intent, aspects in INTENTS.items() for aspect in aspects
    }
    assert min(Counter(ticket.intent for ticket in tickets).values()) >= 40
    assert not any("{" in ticket.text or "[" in ticket.text for ticket in tickets)


def test_the_same_seed_gives_the_same_tickets_and_another_seed_others() -> None:
    assert generate_tickets(3, 200) == generate_tickets(3, 200)
    ours = {ticket.text for ticket in generate_tickets(3)}
    theirs = {ticket.text for ticket in generate_tickets(4)}
    assert len(ours & theirs) < 100


def test_a_session_belongs_to_one_customer_and_some_have_several_tickets() -> None:
    sessions: dict[str, set[str]] = defaultdict(set)
    for ticket in generate_tickets(0):
        sessions[ticket.session_id].add(ticket.customer_id)

    assert {len(customers) for customers in sessions.values()} == {1}
    assert len(sessions) < 1200


def test_a_ticket_is_a_sample_that_is_marked_as_synthetic() -> None:
    (ticket,) = generate_tickets(0, 1)
    sample = ticket.as_sample()

    draft, problems = read_draft(sample, "")
    assert problems == []
    assert draft is not None
    assert draft.expected in INTENTS
    assert draft.metadata["synthetic"] is True


@pytest.mark.parametrize("count", [0, -1, 8001])
def test_impossible_numbers_of_tickets_are_refused(count: int) -> None:
    with pytest.raises(ValueError, match="n must be"):
        generate_tickets(0, count)


def test_every_slot_of_the_grammar_can_be_filled() -> None:
    # 4,000 tickets use every sentence many times: a slot without words would raise.
    assert len(generate_tickets(1, 4000)) == 4000
    assert len(vocabulary.ASIDES) >= 15


def test_the_demo_config_is_sound_and_each_call_gives_a_new_one() -> None:
    document = ConfigDocument.model_validate(demo_config())

    assert [knob.pointer for knob in document.search_space] == [
        "/prompts/main/messages/0/content",
        "/few_shot",
        "/model",
        "/parameters/temperature",
    ]
    demo_config()["few_shot"].append("changed")
    assert demo_config()["few_shot"] == []


@pytest.mark.parametrize("seed", SEEDS)
def test_the_champion_is_reasonable_and_failures_show_how_to_improve_it(seed: int) -> None:
    tickets = generate_tickets(seed)
    training, held_out = tickets[TRAINING], tickets[HELD_OUT]
    config = demo_config()
    champion = accuracy(config, held_out)
    gains = {
        "large": accuracy(config | {"model": "spectral-local/large"}, held_out) - champion,
        "words": accuracy(with_words_of_failures(config, training, 6), held_out) - champion,
        "examples": accuracy(with_examples_of_failures(config, training, 3), held_out) - champion,
        "warm": accuracy(config | {"parameters": {"temperature": 1}}, held_out) - champion,
    }

    print(f"seed {seed}: champion {champion:.3f}", *(f"{name} {gain:+.3f}" for name, gain in gains.items()))
    assert 0.55 <= champion <= 0.75
    assert 0.04 <= gains["words"] <= 0.37
    assert 0.04 <= gains["examples"] <= 0.37
    assert gains["large"] > -0.02
    assert gains["warm"] < 0


def test_the_gains_differ_from_seed_to_seed() -> None:
    figures = {round(accuracy(demo_config(), generate_tickets(seed)[HELD_OUT]), 3) for seed in SEEDS}

    assert len(figures) > 5


def test_the_champion_against_itself_is_exactly_equal() -> None:
    tickets = generate_tickets(5)[HELD_OUT]

    assert answers(demo_config(), tickets) == answers(copy.deepcopy(demo_config()), tickets)


def test_a_useless_change_of_the_prompt_changes_nothing() -> None:
    tickets = generate_tickets(5)[HELD_OUT]
    config = demo_config()
    config["prompts"]["main"]["messages"][0]["content"] += "\nTake a deep breath and think step by step."

    assert answers(config, tickets) == answers(demo_config(), tickets)
