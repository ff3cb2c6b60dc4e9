"""A measurement on a language model: the real client, a budget in US dollars, and a provider that fails meanwhile."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import pytest

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import PromptRuntime
from spectral.domains.evaluations import measurement
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.errors import BudgetExhaustedError, UnpricedModelError
from spectral.domains.evaluations.measurement import Measurement
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform.db.session import Database
from tests.fixtures.model_stub import model_stub
from tests.fixtures.tenants import Tenant
from tests.platform.llm.remote.calling import Bench

RUBRIC = RubricSpec.model_validate({"dimensions": [{"name": "right", "scorer": "exact_match"}]})
CALL = 12 * 150 + 3 * 600
"""Nano-USD of one call: 12 tokens in, 3 out."""


@dataclass(frozen=True)
class Item:
    id: UUID
    input: Any
    expected: Any
    group_key: str | None = None


def config(model: str) -> ConfigDocument:
    messages = [{"role": "user", "content": "{{text}}"}]
    return ConfigDocument.model_validate(
        {"model": model, "prompts": {"main": {"messages": messages}}, "parameters": {"max_tokens": 10}}
    )


async def test_a_budget_in_dollars_holds_whatever_the_provider_does(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "RETRY_DELAY_S", 0.001)
    items = [Item(uuid4(), {"text": f"item {number}"}, f"ITEM {number}") for number in range(10)]
    gpt = config("openai/gpt-4o-mini")
    with model_stub() as stub:
        bench = Bench(stub, access=tenant.access)

        async def nothing(*_: object) -> None: ...

        def measuring(subject: UUID, budget: Budget) -> Measurement:
            runtime = PromptRuntime(bench.door, access=tenant.access, subject=f"scan:{subject}")
            kept: dict[str, Any] = {"subject_kind": "scan", "checkpoint": nothing, "fence": nothing}
            return Measurement(
                database, tenant.access, runtime, RUBRIC, subject_id=subject, budget=budget, door=bench.door, **kept
            )

        # A call costs at most 22 bytes in and 10 tokens out: 9,300 nano-USD.
        subject, budget = uuid4(), Budget(1000, 10 * CALL + 9_300 * 8)
        for status in (500, 503, 429):
            stub.fail(status, retry_after="0")
        measured = await measuring(subject, budget).measure(gpt, items, purpose="agent")
        assert [one.total for one in measured] == [1.0] * 10
        assert budget.spent.cost_nano_usd == 10 * CALL
        assert len(stub.bodies) == 13
        again = Budget(1000, 10 * CALL)
        assert await measuring(subject, again).measure(gpt, items, purpose="agent") == measured
        assert len(stub.bodies) == 13, "what is recorded is not asked again"

        small = Budget(1000, 3 * CALL)
        with pytest.raises(BudgetExhaustedError):
            await measuring(uuid4(), small).measure(gpt, items, purpose="agent")
        assert small.spent.cost_nano_usd <= 3 * CALL
        with pytest.raises(UnpricedModelError):
            await measuring(uuid4(), Budget(1000, 10**9)).measure(config("mine/llama"), items, purpose="agent")
        unpriced = await measuring(uuid4(), Budget(1000)).measure(config("mine/llama"), items[:2], purpose="agent")
        assert [(one.total, one.cost_nano_usd) for one in unpriced] == [(1.0, None)] * 2

        # The key is deleted meanwhile: nothing was learned about the agent, and nothing spent.
        del bench.known["openai"]
        broke = Budget(1000, 10**9)
        missing = await measuring(uuid4(), broke).measure(gpt, items, purpose="agent")
        assert {(one.total, one.missing_reason) for one in missing} == {(None, "provider")}
        assert broke.spent.cost_nano_usd == 0
        await bench.door.close()
