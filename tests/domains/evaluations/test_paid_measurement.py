"""A measurement on a language model: the real client, a budget in US dollars, and a provider that fails meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution, PromptRuntime
from spectral.domains.evaluations import measurement
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.errors import BudgetExhaustedError, CeilingExceededError, UnpricedModelError
from spectral.domains.evaluations.measurement import Measurement
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
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


class CrashError(BaseException):
    """Ends the work the way a dying process does."""


@dataclass
class Elsewhere:
    """An agent that runs elsewhere and says what it has cost; `dies_at` its call of that number the process dies."""

    costs: list[int]
    ceiling_nano_usd: int | None = 100
    dies_at: int | None = None
    in_flight: int = 2
    calls: list[str] = field(default_factory=list)

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        del seeds
        first = len(self.calls)
        self.calls += [one["text"] for one in inputs]
        if self.dies_at is not None and len(self.calls) >= self.dies_at:
            raise CrashError
        costs = [self.costs[number] for number in range(first, len(self.calls))]
        return [Execution("x", None, 1, 1, cost, 1.0, config.model) for cost in costs]


def elsewhere(
    database: Database, tenant: Tenant, runtime: Elsewhere, subject: UUID, budget: Budget, *, once: bool = False
) -> Measurement:
    async def nothing(*_: object) -> None: ...

    return Measurement(
        database,
        tenant.access,
        runtime,
        RUBRIC,
        subject_kind="experiment",
        subject_id=subject,
        budget=budget,
        checkpoint=nothing,
        fence=nothing,
        door=ModelDoor([LocalProvider()]),
        counts_once=once,
    )


@pytest.mark.parametrize("ceiling", [100, 0])
async def test_an_execution_that_costs_more_than_one_can_is_the_last(
    database: Database, tenant: Tenant, ceiling: int
) -> None:
    items = [Item(uuid4(), {"text": str(number)}, "x") for number in range(300)]
    # The model's name says that it is free, and the agent's settings what it may cost; only the latter counts.
    runtime, budget = Elsewhere([ceiling] * 9 + [ceiling + 1] + [ceiling] * 290, ceiling), Budget(1000, 10**9)
    subject = uuid4()
    with pytest.raises(CeilingExceededError):
        await elsewhere(database, tenant, runtime, subject, budget).measure(
            config("spectral-local/small"), items, purpose="agent"
        )
    executed = len(runtime.calls)
    assert executed <= (12 if ceiling else measurement.BATCH)
    assert budget.spent.cost_nano_usd == executed * ceiling + 1, "what was under way is counted"
    again, rest = Elsewhere([ceiling] * 300, ceiling), Budget(1000, 10**9)
    await elsewhere(database, tenant, again, subject, rest).measure(
        config("spectral-local/small"), items, purpose="agent"
    )
    assert set(again.calls).isdisjoint(runtime.calls), "what was executed is recorded"
    assert rest.spent.cost_nano_usd == 300 * ceiling + 1


async def test_a_budget_of_exactly_what_is_measured_survives_a_crash(database: Database, tenant: Tenant) -> None:
    items = [Item(uuid4(), {"text": str(number)}, "x") for number in range(10)]
    model, subject, exact = config("mine/agent"), uuid4(), 10
    dying = Elsewhere([7] * 10, dies_at=6)
    with pytest.raises(BaseExceptionGroup):
        await elsewhere(database, tenant, dying, subject, Budget(exact, 10_000), once=True).measure(
            model, items, purpose="agent"
        )
    strict = elsewhere(database, tenant, Elsewhere([7] * 10), subject, Budget(exact, 10_000))
    with pytest.raises(BudgetExhaustedError):
        await strict.measure(model, items, purpose="agent")
    resumed, budget = Elsewhere([7] * 10), Budget(exact, 10_000)
    measured = await elsewhere(database, tenant, resumed, subject, budget, once=True).measure(
        model, items, purpose="agent"
    )
    assert [one.total for one in measured] == [1.0] * 10
    lost = len(set(dying.calls) & set(resumed.calls))
    assert 1 <= lost <= 2 * dying.in_flight, "asked for, or answered and not recorded"
    assert budget.spent.evaluations == 10
    assert budget.spent.cost_nano_usd == 10 * 7 + lost * 100, "what was in flight may have been paid for"
