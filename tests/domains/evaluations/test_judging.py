"""Rubrics that ask models, through the journalled executor, on both databases."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution
from spectral.domains.changesets.decision import Arms, decide
from spectral.domains.evaluations.arrival_scoring import RubricScorer, TraceCase
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.errors import BudgetExhaustedError, UnpricedModelError
from spectral.domains.evaluations.judging import judging_ceiling, score_items
from spectral.domains.evaluations.measurement import Measurement, cost_by_model
from spectral.domains.evaluations.models import EvaluationResult, Judgement
from spectral.domains.evaluations.scorers.base import ScoredCase
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.spending import evaluation_spending
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import UnknownModelError
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.evaluations.judges import (
    COST,
    DOWN,
    PASSING,
    PRICED,
    UNPRICED,
    JudgeProvider,
    door_to,
    judged_rubric,
    verdict,
)
from tests.fixtures.tenants import Tenant

CONFIG = ConfigDocument.model_validate(
    {"prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}}, "model": "spectral-local/small"}
)
OTHER = CONFIG.model_copy(update={"parameters": {"temperature": 1}})
PLENTY = 10**12
Begun = Callable[..., Measurement]


class CrashError(BaseException):
    """Ends the work the way a dying process does."""


@dataclass(frozen=True)
class Item:
    id: UUID
    input: Any
    expected: Any = None
    group_key: str | None = None


@dataclass
class Echo:
    """Answers with its input; counts how many calls are under way at once."""

    calls: list[Any] = field(default_factory=list)
    said: str = "answer"
    in_flight: int = 3
    most: int = 0
    _now: int = 0

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        del seeds
        self._now += 1
        self.most = max(self.most, self._now)
        self.calls.extend(inputs)
        await asyncio.sleep(0.001)
        self._now -= 1
        return [Execution(f"{self.said} {value}", None, 5, 1, 7, 12.0, config.model) for value in inputs]


def items(count: int) -> list[Item]:
    return [Item(uuid4(), n) for n in range(count)]


async def nothing() -> None:
    pass


async def owned(_session: AsyncSession) -> None:
    pass


@pytest.fixture
def begin(database: Database, tenant: Tenant) -> Begun:
    subject = uuid4()

    def make(
        provider: JudgeProvider,
        runtime: Echo | None = None,
        budget: Budget | None = None,
        rubric: RubricSpec | None = None,
    ) -> Measurement:
        made = Measurement(
            database,
            tenant.access,
            runtime or Echo(),
            rubric or judged_rubric(),
            subject_kind="scan",
            subject_id=subject,
            budget=budget or Budget(1000, PLENTY),
            checkpoint=nothing,
            fence=owned,
            door=door_to(provider),
            ceiling=lambda _config, _value: 10,
        )
        made.subject = subject  # type: ignore[attr-defined]
        return made

    return make


async def rows(database: Database, access: WorkspaceAccess) -> list[Judgement]:
    async with database.transaction(access, read_only=True) as session:
        found = await session.scalars(sa.select(Judgement).where(Judgement.workspace_id == access.workspace_id))
        return list(found.all())


def by_number(request: ModelRequest) -> str:
    """A verdict that depends on the answer alone."""
    return verdict(1 + int(request.messages[-1].content.split("answer ")[1].split()[0]) % 5)


async def test_what_a_judge_said_is_journalled_paid_for_and_never_asked_again(
    begin: Begun, database: Database, tenant: Tenant
) -> None:
    judge, runtime, budget = JudgeProvider(by_number), Echo(), Budget(1000, PLENTY)
    measurement = begin(judge, runtime, budget)
    samples = items(12)
    found = await measurement.measure(CONFIG, samples, purpose="agent")
    assert [each.total for each in found] == [n % 5 / 4 for n in range(12)]
    assert found[0].dimensions["good"].explanation == "because"
    assert found[0].dimensions["good"].scorer == "judge@1"
    assert runtime.most <= 3
    assert {(each.purpose, each.subject) for each in judge.asked} == {
        ("judge", f"scan:{measurement.subject}")  # type: ignore[attr-defined]
    }
    # Another configuration that answers the same is judged by what is known.
    assert [each.total for each in await measurement.measure(OTHER, samples, purpose="agent")] == [
        each.total for each in found
    ]
    assert len(judge.asked) == 12
    assert budget.spent.cost_nano_usd == 24 * 7 + 12 * COST
    silent = JudgeProvider(lambda _request: pytest.fail("asked again"))
    restored = Budget(1000, PLENTY)
    assert await begin(silent, Echo(), restored).measure(CONFIG, samples, purpose="agent") == found
    assert restored.spent == budget.spent
    async with database.transaction(tenant.access, read_only=True) as session:
        lines = await cost_by_model(session, tenant.access, measurement.subject)  # type: ignore[attr-defined]
        spending = await evaluation_spending(session, tenant.access, datetime(2020, 1, 1, tzinfo=UTC))
    assert [(line.purpose, line.model, line.calls, line.cost_nano_usd) for line in lines] == [
        ("judge", PRICED, 12, 12 * COST),
        ("agent", CONFIG.model, 24, 24 * 7),
    ]
    assert spending.known_nano_usd == budget.spent.cost_nano_usd
    for row in await rows(database, tenant.access):
        assert row.shown
        assert row.shown == {"input": row.shown["input"], "expected": None, "output": f"answer {row.shown['input']}"}


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("As a language model I would rather not.", "is not one JSON object"),
        (verdict(11), "not on the scale"),
        (DOWN, "503"),
        (PASSING, "429"),
    ],
    ids=["refusal", "off-the-scale", "down", "rate-limited"],
)
async def test_a_judge_without_a_verdict_makes_the_item_missing_and_never_zero(
    begin: Begun, database: Database, tenant: Tenant, says: str | ModelFault, error: str
) -> None:
    judge = JudgeProvider(lambda request: says if "answer 0" in request.messages[-1].content else verdict(5))
    budget = Budget(1000, PLENTY)
    broken, good = await begin(judge, budget=budget).measure(CONFIG, items(2), purpose="agent")
    assert (broken.total, broken.passed, broken.missing_reason, good.total) == (None, False, "scorer", 1.0)
    assert error in (broken.error_message or "")
    assert broken.dimensions["good"].score is None
    attempts = 3 if says is PASSING else 1
    assert len(judge.asked) == 1 + attempts
    (failed,) = [row for row in await rows(database, tenant.access) if row.state == "failed"]
    assert failed.attempts == attempts
    # A fault that may have been billed keeps what was reserved for it; a rate limit was not billed.
    assert (failed.reserved_nano_usd > 0) == (says is DOWN)
    restored = Budget(1000, PLENTY)
    await begin(JudgeProvider(), budget=restored).restore()
    assert restored.spent == budget.spent


async def test_a_provider_that_goes_down_in_the_middle_makes_the_verdict_inconclusive(begin: Begun) -> None:
    samples = items(60)
    judge = JudgeProvider(lambda request: DOWN if len(judge.asked) > 110 else by_number(request))
    champion = await begin(judge).measure(CONFIG, samples, purpose="agent")
    challenger = await begin(judge, Echo(said="better answer")).measure(OTHER, samples, purpose="agent")
    missing = [each for each in challenger if each.missing]
    assert [each.missing for each in champion] == [False] * 60
    assert 0.05 * 60 < len(missing) <= 10
    assert {each.missing_reason for each in missing} == {"scorer"}
    arms = Arms([each.total for each in champion], [each.total for each in challenger], [None] * 60)
    decision = decide(arms, alpha=0.025, seed=1)
    assert decision.verdict == "inconclusive"
    assert any("missing" in reason.value for reason in decision.reasons)


async def test_a_crash_repeats_only_the_judgements_that_were_in_flight(
    begin: Begun, database: Database, tenant: Tenant
) -> None:
    samples = items(20)

    def dying(request: ModelRequest) -> str:
        if len(first.asked) == 9:
            raise CrashError
        return by_number(request)

    first, runtime = JudgeProvider(dying), Echo()
    with pytest.raises(BaseExceptionGroup) as crash:
        await begin(first, runtime).measure(CONFIG, samples, purpose="agent")
    assert crash.group_contains(CrashError)
    before = await rows(database, tenant.access)
    answered = {row.question_digest for row in before if row.state == "answered"}
    asked = [row for row in before if row.state == "asked"]
    assert answered
    assert asked
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.select(EvaluationResult).where(EvaluationResult.workspace_id == tenant.workspace_id)
        recorded = {row.item_id: row.missing_reason for row in await session.scalars(statement)}
    assert "unscored" in recorded.values()
    second, again, budget = JudgeProvider(by_number), Echo(), Budget(1000, PLENTY)
    found = await begin(second, again, budget).measure(CONFIG, samples, purpose="agent")
    assert [each.total for each in found] == [n % 5 / 4 for n in range(20)]
    # Answers that were recorded are not made again, verdicts that were recorded are not asked for again.
    assert set(again.calls) == {sample.input for sample in samples if sample.id not in recorded}
    assert len(second.asked) == 20 - len(answered)
    after = await rows(database, tenant.access)
    assert sum(row.attempts for row in after) == 20 + len(asked)
    # What was in flight may have been billed: its reservation is spent for ever.
    kept = sum(row.reserved_nano_usd for row in after)
    assert kept == sum(row.reserved_nano_usd for row in asked) > 0


async def test_a_budget_in_dollars_is_kept_by_judges_too(begin: Begun, database: Database, tenant: Tenant) -> None:
    runtime, judge = Echo(), JudgeProvider()
    with pytest.raises(UnpricedModelError, match=UNPRICED):
        await begin(judge, runtime, rubric=judged_rubric(UNPRICED)).measure(CONFIG, items(3), purpose="agent")
    assert (runtime.calls, judge.asked) == ([], [])
    ceiling = judging_ceiling(judged_rubric(), door_to(judge))
    assert ceiling
    budget = Budget(1000, ceiling // 8)
    with pytest.raises(BudgetExhaustedError) as refused:
        await begin(judge, runtime, budget).measure(CONFIG, items(400), purpose="agent")
    assert refused.value.extensions["limit"] == "cost"
    assert 0 < budget.spent.cost_nano_usd <= ceiling // 8
    # What was answered and could not be judged any more is kept, for whoever goes on with more money.
    spent = len(runtime.calls)
    rest = Echo()
    await begin(judge, rest, Budget(1000, PLENTY)).restore()
    assert spent >= len(judge.asked) > 0


async def test_an_unpriced_judge_without_a_dollar_budget_is_asked_and_its_cost_stays_unknown(
    begin: Begun, database: Database, tenant: Tenant
) -> None:
    measurement = begin(JudgeProvider(cost=None), budget=Budget(10), rubric=judged_rubric(UNPRICED))
    (found,) = await measurement.measure(CONFIG, items(1), purpose="agent")
    assert found.total == 1.0
    async with database.transaction(tenant.access, read_only=True) as session:
        lines = await cost_by_model(session, tenant.access, measurement.subject)  # type: ignore[attr-defined]
    assert [(line.model, line.cost_nano_usd, line.unpriced_calls) for line in lines if line.purpose == "judge"] == [
        (UNPRICED, None, 1)
    ]


@pytest.mark.databases("sqlite")
async def test_vectors_are_made_here_for_nothing_or_asked_for_through_the_door(
    begin: Begun, database: Database, tenant: Tenant
) -> None:
    provider = JudgeProvider()
    near = {"name": "near", "scorer": "embedding"}
    local = RubricSpec.model_validate({"dimensions": [near]})
    samples = [Item(uuid4(), n, f"answer {n}") for n in range(3)]
    found = await begin(provider, rubric=local).measure(CONFIG, samples, purpose="agent")
    assert [each.total for each in found] == [pytest.approx(1.0)] * 3
    assert "not a language model" in found[0].dimensions["near"].explanation
    assert (provider.embedded, await rows(database, tenant.access)) == ([], [])
    afar = RubricSpec.model_validate({"dimensions": [near | {"options": {"model": "openai/text-embedding-3-small"}}]})
    (score,) = await score_items(
        afar,
        [ScoredCase("q", "right")],
        [Execution("got", None, 1, 1, 0, 1.0, "m")],
        door=door_to(provider),
        access=tenant.access,
        subject="scan:1",
    )
    assert score.total == pytest.approx(0.6)
    assert [(each.texts, each.subject) for each in provider.embedded] == [(("right", "got"), "scan:1")]


@pytest.mark.databases("sqlite")
async def test_a_model_that_is_gone_refuses_a_measurement_and_fails_a_trace_but_never_the_work(
    begin: Begun, tenant: Tenant
) -> None:
    nowhere = ModelDoor([LocalProvider()])
    measurement = begin(JudgeProvider(), runtime := Echo())
    measurement._door = nowhere
    with pytest.raises(UnknownModelError):
        await measurement.measure(CONFIG, items(1), purpose="agent")
    assert runtime.calls == []
    scorer = RubricScorer(nowhere)
    case = TraceCase(ScoredCase("q"), "a", None, 1.0, None, ())
    found = await scorer.score(judged_rubric(), case, access=tenant.access, subject="online:1")
    assert scorer.ceiling(judged_rubric()) == 0
    assert (found.missing_reason, found.cost_nano_usd) == ("scorer", 0)
    assert "not in the catalogue" in (found.score.error_message or "")
