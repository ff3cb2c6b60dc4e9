"""The journalled executor, on both databases."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution, ExecutionFault, PromptRuntime
from spectral.domains.evaluations import measurement
from spectral.domains.evaluations.budget import Budget, Spending
from spectral.domains.evaluations.errors import BudgetExhaustedError, JournalMismatchError, UnpricedModelError
from spectral.domains.evaluations.measurement import Measurement, cost_by_model, seed_of
from spectral.domains.evaluations.repository import ModelCost, ReservationRepository, ResultRepository
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.fixtures.tenants import Tenant

RUBRIC = RubricSpec.model_validate({"dimensions": [{"name": "right", "scorer": "exact_match"}]})
PRICE = 100
DOOR = ModelDoor([LocalProvider()])


class CrashError(BaseException):
    """Ends the work the way a dying process does: nothing after it runs."""


@dataclass(frozen=True)
class Item:
    id: UUID
    input: Any
    expected: Any
    group_key: str | None = None


@dataclass
class Runtime:
    """Echoes its input; remembers every call; crashes, fails or waits when told to."""

    cost: int | None = 0
    crash_after: int | None = None
    faults: dict[Any, list[ExecutionFault]] = field(default_factory=dict)
    gate: asyncio.Event | None = None
    eight_calls: asyncio.Event = field(default_factory=asyncio.Event)
    calls: list[tuple[str, Any, int]] = field(default_factory=list)
    batches: list[int] = field(default_factory=list)
    in_flight: int = 8

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        if self.crash_after is not None and len(self.calls) >= self.crash_after:
            raise CrashError
        self.batches.append(len(inputs))
        self.calls.extend((config.model, value, seed) for value, seed in zip(inputs, seeds, strict=True))
        if len(self.calls) >= 8:
            self.eight_calls.set()
        if self.gate is not None:
            await self.gate.wait()
        return [self._execution(config, value) for value in inputs]

    def _execution(self, config: ConfigDocument, value: Any) -> Execution:
        pending = self.faults.get(value, [])
        fault = pending.pop(0) if pending else None
        cost = None if fault is not None and fault.missing else self.cost
        output = None if fault else f"{value}\x00"
        return Execution(output, fault, 5, 1, cost, 12.0, config.model)


def config(model: str = "spectral-local/small", text: str = "Answer.") -> ConfigDocument:
    messages = [{"role": "system", "content": text}, {"role": "user", "content": "{{text}}"}]
    return ConfigDocument.model_validate({"prompts": {"main": {"messages": messages}}, "model": model})


def items(count: int) -> list[Item]:
    return [Item(uuid4(), n, str(n), group_key=f"g{n % 3}") for n in range(count)]


async def nothing() -> None:
    pass


async def owned(_session: AsyncSession) -> None:
    pass


@pytest.fixture
def measuring(database: Database, tenant: Tenant) -> Callable[..., Measurement]:
    subject = uuid4()

    def make(runtime: Any, budget: Budget | None = None, **changes: Any) -> Measurement:
        values: dict[str, Any] = {
            "subject_kind": "scan",
            "subject_id": subject,
            "budget": budget or Budget(100_000),
            "checkpoint": nothing,
            "fence": owned,
            "door": DOOR,
        }
        rubric = changes.pop("rubric", RUBRIC)
        access = changes.pop("access", tenant.access)
        made = Measurement(database, access, runtime, rubric, **{**values, **changes})
        made.subject = values["subject_id"]  # type: ignore[attr-defined]
        return made

    return make


def paid_ceiling(_config: ConfigDocument, _value: Any) -> int:
    return PRICE


async def journal(database: Database, access: WorkspaceAccess, subject: UUID) -> tuple[int, int, tuple[int, int]]:
    async with database.transaction(access, read_only=True) as session:
        results = await ResultRepository(session, access).spending(subject)
        reservations = ReservationRepository(session, access)
        return results[0], await reservations.count(), await reservations.spending(subject)


async def test_items_are_executed_scored_and_recorded_in_batches(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    runtime, budget = Runtime(), Budget(1000)
    samples = items(450)
    first = measuring(runtime, budget)
    found = await first.measure(config(), samples, purpose="agent")
    assert runtime.batches == [200, 200, 50]
    assert [each.item_id for each in found] == [each.id for each in samples]
    assert [each.group_key for each in found[:3]] == ["g0", "g1", "g2"]
    # NUL cannot be stored on PostgreSQL; it is shown as U+FFFD and the item is scored on what the agent said.
    assert found[1].output == "1\ufffd"
    assert budget.spent == Spending(450, 0)
    again = await measuring(Runtime(crash_after=0), Budget(1000)).measure(config(), samples, purpose="agent")
    assert again == found
    assert (await journal(database, tenant.access, first.subject))[:2] == (450, 0)  # type: ignore[attr-defined]


async def test_recorded_work_is_not_repeated_after_a_crash_and_the_result_is_the_same(
    measuring: Callable[..., Measurement], tenant: Tenant
) -> None:
    samples = items(500)
    whole = await measuring(Runtime(), subject_id=uuid4()).measure(config(), samples, purpose="agent", repeats=2)
    broken = Runtime(crash_after=600)
    with pytest.raises(CrashError):
        await measuring(broken).measure(config(), samples, purpose="agent", repeats=2)
    rest, budget = Runtime(), Budget(1000)
    resumed = await measuring(rest, budget).measure(config(), samples, purpose="agent", repeats=2)
    assert len(broken.calls) + len(rest.calls) == 1000
    assert not set(broken.calls) & set(rest.calls)
    assert resumed == whole
    assert budget.spent.evaluations == 1000


async def test_champion_and_challenger_run_with_the_same_seeds(measuring: Callable[..., Measurement]) -> None:
    runtime = Runtime()
    measured = measuring(runtime)
    samples = items(20)
    await measured.measure(config(), samples, purpose="agent", repeats=2)
    await measured.measure(config(text="Answer better."), samples, purpose="agent", repeats=2)
    assert runtime.calls[:40] == runtime.calls[40:]
    assert len({seed for _, _, seed in runtime.calls}) == 40
    assert all(0 <= seed < 2**31 for _, _, seed in runtime.calls)
    assert runtime.calls[0][2] == seed_of(measured.subject, samples[0].id, 0)  # type: ignore[attr-defined]


async def test_an_item_asked_for_twice_is_executed_once(measuring: Callable[..., Measurement]) -> None:
    runtime = Runtime()
    (sample,) = items(1)
    first, second = await measuring(runtime).measure(config(), [sample, sample], purpose="agent")
    assert first == second
    assert len(runtime.calls) == 1


async def test_evaluations_are_refused_before_anything_is_executed(measuring: Callable[..., Measurement]) -> None:
    runtime, budget = Runtime(), Budget(30)
    measured = measuring(runtime, budget)
    samples = items(31)
    with pytest.raises(BudgetExhaustedError):
        await measured.measure(config(), samples, purpose="agent")
    assert runtime.calls == []
    await measured.measure(config(), samples[:30], purpose="agent")
    # What is recorded already needs no budget, whatever is left.
    assert (
        len(await measuring(Runtime(crash_after=0), Budget(0)).measure(config(), samples[:30], purpose="agent")) == 30
    )


async def test_a_search_replayed_after_a_crash_meets_the_same_refusals(measuring: Callable[..., Measurement]) -> None:
    small, large = items(10), items(50)

    async def search(measured: Measurement) -> list[str]:
        story = []
        for name, samples in (("small", small), ("large", large), ("again", small + large[:5])):
            try:
                await measured.measure(config(), samples, purpose="agent")
                story.append(name)
            except BudgetExhaustedError:
                story.append(f"{name} refused")
        return story

    first = await search(measuring(Runtime(), Budget(20)))
    assert first == ["small", "large refused", "again"]
    assert await search(measuring(Runtime(crash_after=0), Budget(20))) == first


async def test_cancelling_stops_between_batches_and_keeps_what_was_recorded(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    runtime = Runtime()

    async def cancelled_after_one() -> None:
        if runtime.calls:
            raise WorkCancelledError

    measured = measuring(runtime, checkpoint=cancelled_after_one)
    with pytest.raises(WorkCancelledError):
        await measured.measure(config(), items(450), purpose="agent")
    assert (await journal(database, tenant.access, measured.subject))[0] == 200  # type: ignore[attr-defined]


async def test_a_zombie_writes_nothing(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    async def lost(_session: AsyncSession) -> None:
        raise LeaseLostError

    budget = Budget(100)
    measured = measuring(Runtime(), budget, fence=lost)
    with pytest.raises(LeaseLostError):
        await measured.measure(config(), items(5), purpose="agent")
    with pytest.raises(LeaseLostError):
        await measuring(Runtime(cost=7), fence=lost, ceiling=paid_ceiling).measure(
            config("paid"), items(5), purpose="agent"
        )
    assert (await journal(database, tenant.access, measured.subject))[:2] == (0, 0)  # type: ignore[attr-defined]
    assert budget.evaluations_left == 100


async def test_no_transaction_is_open_while_an_agent_runs(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    class Writes(Runtime):
        async def execute_many(
            self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
        ) -> list[Execution]:
            # On SQLite this waits for the writer, and would wait for ever if the measurement held it.
            async with database.transaction(tenant.access) as session:
                await ReservationRepository(session, tenant.access).count()
            return await super().execute_many(config, inputs, seeds)

    assert len(await measuring(Writes()).measure(config(), items(3), purpose="agent")) == 3
    found = await measuring(Writes(cost=1), ceiling=paid_ceiling).measure(config("paid"), items(3), purpose="agent")
    assert len(found) == 3


async def test_paid_calls_are_reserved_before_and_committed_one_by_one(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    gate = asyncio.Event()
    runtime, budget = Runtime(cost=30, gate=gate), Budget(100, 10_000)
    measured = measuring(runtime, budget, ceiling=paid_ceiling)
    work = asyncio.create_task(measured.measure(config("paid"), items(20), purpose="agent"))
    await runtime.eight_calls.wait()
    subject = measured.subject  # type: ignore[attr-defined]
    assert await journal(database, tenant.access, subject) == (0, 8, (8, 800))
    gate.set()
    found = await work
    assert runtime.batches == [1] * 20
    assert await journal(database, tenant.access, subject) == (20, 0, (0, 0))
    assert budget.spent == Spending(20, 600)
    assert sum(each.cost_nano_usd or 0 for each in found) == 600


async def test_calls_in_flight_at_a_crash_keep_their_reservation(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    samples = items(12)
    runtime = Runtime(cost=30, gate=asyncio.Event())
    measured = measuring(runtime, Budget(100, 10_000), ceiling=paid_ceiling)
    work = asyncio.create_task(measured.measure(config("paid"), samples, purpose="agent"))
    await runtime.eight_calls.wait()
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    budget = Budget(100, 10_000)
    again = measuring(Runtime(cost=30), budget, ceiling=paid_ceiling)
    await again.restore()
    assert budget.spent == Spending(8, 800)
    await again.measure(config("paid"), samples, purpose="agent")
    assert budget.spent == Spending(8 + 12, 800 + 12 * 30)
    subject = measured.subject  # type: ignore[attr-defined]
    assert await journal(database, tenant.access, subject) == (12, 8, (8, 800))
    async with database.transaction(tenant.access, read_only=True) as session:
        (line,) = await cost_by_model(session, tenant.access, subject)
    assert line == ModelCost("paid", "agent", 12, 60, 12, 360, 0, 800)


async def test_a_money_budget_is_never_exceeded(measuring: Callable[..., Measurement]) -> None:
    runtime, budget = Runtime(cost=40), Budget(100, 1000)
    measured = measuring(runtime, budget, ceiling=paid_ceiling)
    samples = items(60)
    with pytest.raises(BudgetExhaustedError) as refused:
        await measured.measure(config("paid"), samples, purpose="agent")
    assert refused.value.extensions["limit"] == "cost"
    spent = budget.spent
    assert spent.cost_nano_usd == 40 * len(runtime.calls)
    assert 0 < spent.cost_nano_usd <= 1000
    # Every call that was made is recorded; a replay gets as far and not further.
    replay = Budget(100, 1000)
    with pytest.raises(BudgetExhaustedError):
        await measuring(Runtime(cost=40), replay, ceiling=paid_ceiling).measure(
            config("paid"), samples, purpose="agent"
        )
    assert replay.spent.cost_nano_usd <= 1000


async def test_a_money_budget_with_an_unknown_price_is_refused_before_any_call(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant
) -> None:
    runtime = Runtime(cost=None)
    with pytest.raises(UnpricedModelError):
        await measuring(runtime, Budget(100, 10**9)).measure(config("mystery"), items(3), purpose="agent")
    assert runtime.calls == []
    measured = measuring(runtime, Budget(100))
    assert [each.cost_nano_usd for each in await measured.measure(config("mystery"), items(3), purpose="agent")] == [
        None
    ] * 3
    async with database.transaction(tenant.access, read_only=True) as session:
        (line,) = await cost_by_model(session, tenant.access, measured.subject)  # type: ignore[attr-defined]
    assert (line.cost_nano_usd, line.unpriced_calls) == (None, 3)


async def test_faults_that_may_pass_are_tried_again_and_each_attempt_is_paid_for(
    measuring: Callable[..., Measurement], database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(measurement, "RETRY_DELAY_S", 0.001)
    passing = ExecutionFault("provider_error", "503", retryable=True)
    lasting = ExecutionFault("provider_error", "no such model", retryable=False)
    refused = ExecutionFault("invalid_request", "too long")
    runtime = Runtime(cost=30, faults={0: [passing], 1: [passing] * 3, 2: [lasting], 3: [refused]})
    budget = Budget(100, 10_000)
    measured = measuring(runtime, budget, ceiling=paid_ceiling)
    found = await measured.measure(config("paid"), items(4), purpose="agent")
    assert [each.missing_reason for each in found] == [None, "provider", "provider", None]
    assert found[3].error_type == "invalid_request"
    assert found[3].total == 0.0
    assert [call[1] for call in runtime.calls].count(1) == 3
    # One lost attempt on 0, three on 1, one on 2, all of unknown cost; 0 and 3 ended with a known one.
    assert budget.spent == Spending(4, 5 * PRICE + 2 * 30)
    subject = measured.subject  # type: ignore[attr-defined]
    assert await journal(database, tenant.access, subject) == (4, 3, (0, 5 * PRICE))
    restored = Budget(100, 10_000)
    await measuring(Runtime(), restored, ceiling=paid_ceiling).restore()
    assert restored.spent == budget.spent


async def test_a_journal_is_not_continued_under_another_rubric(measuring: Callable[..., Measurement]) -> None:
    await measuring(Runtime()).measure(config(), items(1), purpose="agent")
    other = RUBRIC.model_copy(update={"threshold": 0.9})
    stricter = RubricSpec.model_validate(other.model_dump())
    with pytest.raises(JournalMismatchError):
        await measuring(Runtime(), rubric=stricter).measure(config(), items(1), purpose="agent")


async def test_a_journal_is_another_workspaces_business(
    measuring: Callable[..., Measurement], tenant: Tenant, other_tenant: Tenant
) -> None:
    samples = items(4)
    await measuring(Runtime()).measure(config(), samples, purpose="agent")
    theirs, budget = Runtime(), Budget(100)
    await measuring(theirs, budget, access=other_tenant.access).measure(config(), samples, purpose="agent")
    assert len(theirs.calls) == 4
    assert budget.spent.evaluations == 4


async def test_the_embedded_runtime_through_the_same_path(measuring: Callable[..., Measurement]) -> None:
    text = "Choose a label.\nLabels:\n- billing: charged, invoice, refund\n- login: password, sign in"
    document = {
        "prompts": {
            "main": {"messages": [{"role": "system", "content": text}, {"role": "user", "content": "{{text}}"}]}
        },
        "model": "spectral-local/small",
        "few_shot": [
            {"input": {"text": "I was charged twice"}, "output": "billing"},
            {"input": {"text": "my password does not work"}, "output": "login"},
        ],
    }
    samples = [
        Item(uuid4(), {"text": "charged twice on my invoice"}, "billing"),
        Item(uuid4(), {"text": "I forgot my password"}, "login"),
        Item(uuid4(), {"other": "no such variable"}, "login"),
    ]
    budget = Budget(10, 0)
    runtime = PromptRuntime(ModelDoor([LocalProvider()]))
    found = await measuring(runtime, budget).measure(ConfigDocument.model_validate(document), samples, purpose="agent")
    assert [each.total for each in found] == [1.0, 1.0, 0.0]
    assert found[2].error_type == "input_error"
    assert [each.cost_nano_usd for each in found] == [0, 0, 0]
    assert budget.spent == Spending(3, 0)
