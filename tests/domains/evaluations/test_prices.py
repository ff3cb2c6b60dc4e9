"""What an execution can cost at most is known before it is made."""

import json
from collections.abc import Mapping
from typing import Any

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.evaluations.prices import DoorCeiling
from spectral.platform.llm.catalogue import ModelCatalogue, ModelSettings
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.fixtures.model_stub import model_stub
from tests.platform.llm.remote.calling import Bench, ask


def config(model: str, **parameters: Any) -> ConfigDocument:
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Ticket: {{text}}"}]
    return ConfigDocument.model_validate(
        {"model": model, "prompts": {"main": {"messages": messages}}, "parameters": parameters}
    )


async def test_the_ceiling_of_an_execution_covers_what_it_costs() -> None:
    with model_stub() as stub:
        bench = Bench(stub)
        ceiling = DoorCeiling(bench.door)
        # 9 and 10 bytes, 16 more for each message; 0.15 US dollars for a million tokens in, 0.60 out.
        wanted = (9 + 10 + 32) * 150
        assert ceiling(config("openai/gpt-4o-mini", max_tokens=100), {"text": "é"}) == wanted + 100 * 600
        assert ceiling(config("openai/gpt-4o-mini"), {"text": "é"}) == wanted + 4096 * 600
        assert ceiling(config("openai/gpt-4o-mini", max_tokens="many"), {"text": "é"}) == wanted + 4096 * 600
        assert ceiling(config("openai/gpt-4o-mini"), {}) == 0, "an input that does not fit calls nothing"
        assert ceiling(config("spectral-local/small"), {"text": "é"}) == 0
        for model in ("mine/llama", "openai/gpt-of-next-year", "whatever"):
            assert ceiling(config(model), {"text": "é"}) is None, model
        reply = await bench.door.complete(ask("openai/gpt-4o-mini", max_tokens=100))
        assert (reply.cost_nano_usd or 0) <= (ceiling(config("openai/gpt-4o-mini", max_tokens=100), {"text": "é"}) or 0)
        await bench.door.close()


async def test_a_price_of_the_staff_counts_and_a_store_that_is_away_does_not() -> None:
    answers: list[Mapping[str, ModelSettings] | None] = [{"mine/llama": ModelSettings(None, 10**6, 2 * 10**6)}, None]

    async def read() -> Mapping[str, ModelSettings]:
        found = answers.pop(0)
        if found is None:
            raise OSError("away")
        return found

    with model_stub() as stub:
        bench = Bench(stub)
        catalogue = ModelCatalogue(read)
        door = ModelDoor([LocalProvider()], remote=Bench(stub).remote, catalogue=catalogue)
        await catalogue.fresh()
        assert door.ceiling("mine/llama", 100, 10) == 100 + 20
        catalogue.forget()
        await catalogue.fresh()
        assert json.dumps(answers) == "[]"
        assert door.ceiling("mine/llama", 100, 10) == 100 + 20, "what was known before holds"
        await door.close()
        await bench.door.close()
