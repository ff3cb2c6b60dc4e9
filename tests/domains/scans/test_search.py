"""The bridge between strategies and a scan: budgets, the journal of questions, and how either side may end."""

from collections.abc import Iterator, Sequence

import pytest
import sqlalchemy as sa

from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import Dimension, RubricSpec
from spectral.domains.samples.splitting import Split
from spectral.domains.scans import generate
from spectral.domains.scans.models import ScanQuestion
from spectral.domains.scans.run import ScanRun
from spectral.domains.scans.schemas import BudgetIn, ScanIn
from spectral.domains.scans.service import ScanView
from spectral.domains.scans.states import Phase
from spectral.domains.scans.strategies.base import Candidate, Context, Outcome, SearchExhausted
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelFault, ModelInfo, ModelReply, ModelRequest
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.scans.direct_scans import DirectScans
from tests.domains.scans.toy_tickets import TEXT, champion, tickets
from tests.fixtures.tenants import Tenant

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.3, Split.HOLDOUT: 0.3}
GOOD = champion(descriptions={"login": "password locked code reset", "delivery": "courier tracking depot late van"})


class Writer:
    """A language model that answers with one better prompt, and can be out of order."""

    name = "writer"

    def __init__(self) -> None:
        self.asked = 0
        self.fails = frozenset[int]()

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("writer/large", self.name, "a test's model", priced=False, deterministic=False)]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        self.asked += len(requests)
        if self.asked in self.fails:
            return [ModelFault("provider_error", "out of order", retryable=True)] * len(requests)
        text = f"```\n{GOOD.entry.messages[0].content}\n```"
        return [ModelReply(text, 100, 50, None, 5.0)] * len(requests)


class Lab:
    """Scans of the toy agent with one strategy of the test's own."""

    def __init__(self, scans: DirectScans, monkeypatch: pytest.MonkeyPatch) -> None:
        self.scans = scans
        self.monkeypatch = monkeypatch
        self.writer = Writer()
        scans.door = ModelDoor([LocalProvider(), self.writer])

    async def start(self, **changes: object) -> object:
        rubric = RubricSpec(dimensions=(Dimension(name="label", scorer="label"),))
        subject = await self.scans.create_subject("toy", champion(), rubric, ObjectiveSpec())
        rows = [{"input": item.input, "expected": item.expected} for item in tickets(200)]
        values: dict[str, object] = {
            "agent_id": subject.agent_id,
            "objective_id": subject.objective_id,
            "sample_set_id": await self.scans.create_samples("toy", rows, SHARES),
            "strategies": ["reflective"],
            "budget": BudgetIn(max_evaluations=1500),
        }
        return await self.scans.start(ScanIn.model_validate({**values, **changes}))

    async def run(self, strategy: object, **changes: object) -> ScanView:
        """A scan whose reflective strategy is this one."""
        self.monkeypatch.setattr(generate, "installed_strategies", lambda: {"reflective": strategy})
        scan_id = await self.start(**changes)
        return await self.scans.run(scan_id)  # type: ignore[arg-type]


@pytest.fixture
def lab(database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch) -> Lab:
    return Lab(DirectScans(database, tenant.access), monkeypatch)


class Greedy:
    """Asks for more and more, and says how it went."""

    name = "reflective"

    def __init__(self) -> None:
        self.allowed = 0
        self.taken = 0
        self.outcomes: list[Outcome] = []

    def run(self, ctx: Context) -> Iterator[Candidate]:
        ids = [item.item_id for item in ctx.items]
        self.outcomes = ctx.evaluate(Candidate({}, self.name), ids)
        self.allowed = ctx.evaluations_left()
        assert len(ids) == 80
        yield Candidate({TEXT: GOOD.entry.messages[0].content}, self.name, "the first")
        for number in range(10_000):
            ctx.evaluate(Candidate({TEXT: f"- login: {number}"}, self.name), ids[:30])
            self.taken += 30


@pytest.mark.databases("sqlite")
async def test_a_strategy_ends_where_its_allowance_does_and_keeps_what_it_found(lab: Lab) -> None:
    greedy = Greedy()
    view = await lab.run(greedy)
    plan = view.scan.plan
    assert greedy.allowed == plan["search"], "the champion on reflect costs a strategy nothing"
    assert greedy.allowed - 30 < greedy.taken <= greedy.allowed
    assert {outcome.feedback.split(":")[0] for outcome in greedy.outcomes} == {"label"}
    searched = view.result_of(Phase.GENERATE)
    assert searched is not None
    assert searched["strategies"] == [
        {"name": "reflective", "candidates": 1, "evaluations": greedy.taken, "exhausted": True}
    ]
    assert view.scan.status == "completed"
    assert view.cost.evaluations <= view.scan.max_evaluations == 1500


class Broken:
    name = "reflective"

    def __init__(self, what: str) -> None:
        self.what = what

    def run(self, ctx: Context) -> Iterator[Candidate]:
        if self.what == "bug":
            raise ZeroDivisionError
        if self.what == "outside":
            yield Candidate({"/parameters": {"temperature": 1}}, self.name)
        if self.what == "stranger":
            ctx.evaluate(Candidate({}, self.name), [ctx.items[0].item_id, ctx.champion])  # type: ignore[list-item]


@pytest.mark.databases("sqlite")
@pytest.mark.parametrize("what", ["bug", "outside", "stranger"])
async def test_a_broken_strategy_fails_the_scan_and_is_named(lab: Lab, what: str) -> None:
    view = await lab.run(Broken(what))
    assert view.scan.status == "failed"
    assert view.scan.failure is not None
    assert view.scan.failure["type"] == "strategy-failed"
    assert "reflective" in view.scan.failure["detail"]
    assert view.scan.changeset_id is None


class Spent:
    name = "reflective"

    def run(self, ctx: Context) -> Iterator[Candidate]:
        yield Candidate({}, self.name)
        raise SearchExhausted


@pytest.mark.databases("sqlite")
async def test_the_champion_itself_is_no_improvement(lab: Lab) -> None:
    view = await lab.run(Spent())
    assert (view.scan.status, view.scan.outcome) == ("completed", "no_improvement")


async def test_questions_to_a_model_are_asked_once_whatever_happens(
    lab: Lab, database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generate, "RETRY_PAUSES_S", (0.0, 0.0))
    scan_id = await lab.start(reflection_model="writer/large")
    lab.writer.fails = frozenset({1, 2})
    view = await lab.scans.run(scan_id)  # type: ignore[arg-type]
    async with database.transaction(tenant.access, read_only=True) as session:
        asked = (
            await session.scalars(sa.select(ScanQuestion).where(ScanQuestion.workspace_id == tenant.workspace_id))
        ).all()
    assert len(asked) == lab.writer.asked - 2, "a failed call is no answer"
    assert len({(question.prompt_hash, question.ordinal) for question in asked}) == len(asked)
    assert all(question.purpose == "reflection" and "Feedback" in question.prompt for question in asked)
    assert view.scan.status == "completed", view.scan.failure
    assert view.candidates[0].changes == {TEXT: GOOD.entry.messages[0].content}
    reflection = next(line for line in view.cost.lines if line.purpose == "reflection")
    assert (reflection.model, reflection.calls, reflection.cost_nano_usd) == ("writer/large", len(asked), None)
    assert view.cost.total_nano_usd is None, "an unknown price makes the sum unknown"


@pytest.mark.databases("sqlite")
async def test_a_model_that_stays_away_fails_the_scan(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate, "RETRY_PAUSES_S", (0.0,))
    lab.writer.fails = frozenset(range(1, 100))
    view = await lab.scans.run(await lab.start(reflection_model="writer/large"))  # type: ignore[arg-type]
    assert view.scan.status == "failed"
    assert view.scan.failure is not None
    assert view.scan.failure["type"] == "model-unavailable"
    assert lab.writer.asked == 2


async def test_a_second_run_finds_the_answers_in_the_journal(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = await lab.start(reflection_model="writer/large")
    finish = ScanRun._finish_phase

    class KilledError(BaseException):
        pass

    async def until_generated(run: ScanRun, work: object, phase: Phase, result: object) -> object:
        if phase is Phase.GENERATE:
            raise KilledError
        return await finish(run, work, phase, result)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(ScanRun, "_finish_phase", until_generated)
        with pytest.raises(KilledError):
            await lab.scans.run(scan_id)  # type: ignore[arg-type]
    asked, half = lab.writer.asked, await lab.scans.view(scan_id)  # type: ignore[arg-type]
    assert asked > 0
    view = await lab.scans.run(scan_id)  # type: ignore[arg-type]
    assert lab.writer.asked == asked
    assert [one.changes for one in view.candidates][: len(half.candidates)] == [one.changes for one in half.candidates]
    assert view.scan.status == "completed"


@pytest.mark.databases("sqlite")
async def test_money_is_not_limited_with_a_model_of_unknown_price(lab: Lab) -> None:
    with pytest.raises(Exception, match="writer/large"):
        await lab.start(reflection_model="writer/large", budget=BudgetIn(max_evaluations=1500, max_cost_usd=10**9))
