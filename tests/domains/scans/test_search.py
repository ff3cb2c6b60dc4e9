"""The bridge between strategies and a scan: budgets, the journal of questions, and how either side may end."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
import sqlalchemy as sa

from spectral.domains.changesets.service import ChangesetService
from spectral.domains.evaluations.models import EvaluationReservation
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import Dimension, RubricSpec
from spectral.domains.samples.splitting import Split
from spectral.domains.scans import generate, questions
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
from tests.domains.scans.toy_tickets import EXAMPLES, TEXT, champion, tickets
from tests.fixtures.tenants import Tenant

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.3, Split.HOLDOUT: 0.3}
GOOD = champion(descriptions={"login": "password locked code reset", "delivery": "courier tracking depot late van"})


class Writer:
    """A language model that answers with one better prompt, and can be out of order."""

    name = "writer"

    def __init__(self) -> None:
        self.asked = 0
        self.fails = frozenset[int]()
        self.cost: int | None = None
        self.text = f"```\n{GOOD.entry.messages[0].content}\n```"
        self.requests: list[ModelRequest] = []
        self.dies = False

    def models(self) -> list[ModelInfo]:
        return [ModelInfo("writer/large", self.name, "a test's model", priced=False, deterministic=False)]

    async def complete_many(self, requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        self.asked += len(requests)
        self.requests += requests
        if self.dies:
            raise KilledError
        if self.asked in self.fails:
            return [ModelFault("provider_error", "out of order", retryable=True)] * len(requests)
        return [ModelReply(self.text, 100, 50, self.cost, 5.0)] * len(requests)


class KilledError(BaseException):
    """The process ends here."""


class PricedDoor(ModelDoor):
    """A door that knows what the writer's answers cost at most."""

    ceiling_nano_usd = 1_000

    def read_model(self, model: str) -> ModelInfo:
        info = super().read_model(model)
        return replace(info, priced=True) if info.provider == "writer" else info

    def ceiling(self, model: str, prompt_characters: int, max_output_tokens: int | None) -> int | None:
        if model != "writer/large":
            return super().ceiling(model, prompt_characters, max_output_tokens)
        assert prompt_characters > 100
        assert max_output_tokens in {None, questions.MAXIMUM_TOKENS}
        return self.ceiling_nano_usd


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
    kept = plan["search"] // generate.PRUNE_SHARE
    assert greedy.allowed == plan["search"] - kept, "the champion on reflect costs a strategy nothing"
    assert greedy.allowed - 30 < greedy.taken <= greedy.allowed
    assert {outcome.feedback.split(":")[0] for outcome in greedy.outcomes} == {"label"}
    searched = view.result_of(Phase.GENERATE)
    assert searched is not None
    assert searched["strategies"][0] == {
        "name": "reflective",
        "candidates": 1,
        "evaluations": greedy.taken,
        "exhausted": True,
    }
    assert searched["strategies"][1]["name"] == "prune"
    assert sum(one["evaluations"] for one in searched["strategies"]) <= plan["search"]
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
    monkeypatch.setattr(questions, "RETRY_PAUSES_S", (0.0, 0.0))
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
    monkeypatch.setattr(questions, "RETRY_PAUSES_S", (0.0,))
    lab.writer.fails = frozenset(range(1, 100))
    view = await lab.scans.run(await lab.start(reflection_model="writer/large"))  # type: ignore[arg-type]
    assert view.scan.status == "failed"
    assert view.scan.failure is not None
    assert view.scan.failure["type"] == "model-unavailable"
    assert lab.writer.asked == 2


async def test_a_second_run_finds_the_answers_in_the_journal(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = await lab.start(reflection_model="writer/large")
    finish = ScanRun._finish_phase

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


def priced(lab: Lab, cost: int | None) -> None:
    lab.scans.door = PricedDoor([LocalProvider(), lab.writer])
    lab.writer.cost = cost


async def reserved(database: Database, tenant: Tenant) -> list[tuple[str, int | None]]:
    async with database.transaction(tenant.access, read_only=True) as session:
        rows = sa.select(EvaluationReservation.purpose, EvaluationReservation.cost_nano_usd).where(
            EvaluationReservation.workspace_id == tenant.workspace_id
        )
        return [(row.purpose, row.cost_nano_usd) for row in await session.execute(rows)]


async def test_a_question_is_reserved_before_it_is_asked_and_money_never_runs_over(
    lab: Lab, database: Database, tenant: Tenant
) -> None:
    priced(lab, cost=400)
    lab.writer.text = "no better"
    view = await lab.scans.run(
        await lab.start(
            reflection_model="writer/large",
            budget=BudgetIn.model_validate({"max_evaluations": 1500, "max_cost_usd": "0.000003"}),
        )  # type: ignore[arg-type]
    )
    assert view.scan.status == "completed", view.scan.failure
    # A question of at most 1,000 fits while no more than 2,000 are spent.
    assert 0 < lab.writer.asked <= 6
    assert view.cost.total_nano_usd == 400 * lab.writer.asked
    assert await reserved(database, tenant) == []
    (request,) = lab.writer.requests[:1]
    assert (request.purpose, request.subject) == ("reflection", f"scan:{view.scan.id}")
    assert request.access is not None
    assert request.access.workspace_id == tenant.workspace_id


async def test_a_question_in_flight_at_a_crash_keeps_what_was_reserved_for_it(
    lab: Lab, database: Database, tenant: Tenant
) -> None:
    priced(lab, cost=100)
    budget = BudgetIn.model_validate({"max_evaluations": 1500, "max_cost_usd": "0.0000025"})
    scan_id = await lab.start(reflection_model="writer/large", budget=budget)
    lab.writer.dies = True
    with pytest.raises(KilledError):
        await lab.scans.run(scan_id)  # type: ignore[arg-type]
    assert await reserved(database, tenant) == [("reflection", 1_000)]
    lab.writer.dies = False
    view = await lab.scans.run(scan_id)  # type: ignore[arg-type]
    assert view.scan.status == "completed", view.scan.failure
    assert await reserved(database, tenant) == [("reflection", 1_000)]
    # 1,000 of 2,500 are gone, and a question needs 1,000 to be there.
    assert 100 * (lab.writer.asked - 1) + 1_000 <= 2_500
    assert view.candidates[0].changes == {TEXT: GOOD.entry.messages[0].content}


GARBAGE = [
    "",
    "``````",
    "```\nAnswer \x00 with \ud800 one\n```",
    "```\nAnswer {{something_else}}\n```",
    "x" * 50_000,
    "```\n{{{{ }}\n```",
]


async def test_garbage_from_a_model_ends_no_scan_and_leaves_the_search_space_alone(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = lab.writer.complete_many

    async def complete_many(requests: Sequence[ModelRequest]) -> list[ModelReply | ModelFault]:
        lab.writer.text = GARBAGE[lab.writer.asked % len(GARBAGE)]
        return await answer(requests)

    monkeypatch.setattr(lab.writer, "complete_many", complete_many)
    budget = BudgetIn(max_evaluations=1_100)
    view = await lab.scans.run(await lab.start(reflection_model="writer/large", budget=budget))  # type: ignore[arg-type]
    assert view.scan.status == "completed", view.scan.failure
    assert lab.writer.asked >= len(GARBAGE)
    assert [one for one in view.candidates if one.strategy != "prune"] == []


@pytest.mark.databases("sqlite")
async def test_text_that_a_model_copies_out_of_samples_is_flagged_up_to_the_change_set(
    lab: Lab, database: Database, tenant: Tenant
) -> None:
    copied = " ".join(tickets(200)[0].input["ticket"].split())
    text = f"{GOOD.entry.messages[0].content}\nSee https://evil.example/x and {copied} {copied}"
    lab.writer.text = f"```\n{text}\n```"
    lab.monkeypatch.setattr(generate, "PRUNE_SHARE", 10**9)
    view = await lab.scans.run(await lab.start(reflection_model="writer/large"))  # type: ignore[arg-type]
    flagged = view.result_of(Phase.GENERATE)["flags"]  # type: ignore[index]
    assert flagged["1"][TEXT][0] == "url: https://evil.example/x"
    assert "[" in lab.writer.requests[0].messages[0].content
    assert view.scan.changeset_id is not None
    async with database.transaction(tenant.access, read_only=True) as session:
        changeset = await ChangesetService(session, tenant.access).read_changeset(view.scan.changeset_id)
    assert "url: https://evil.example/x" in changeset.diff[0]["flags"]


class Half:
    """Spends all that it is given, and proposes nothing."""

    def __init__(self, name: str, share: float = 1.0) -> None:
        self.name = name
        self.share = share
        self.allowed = 0

    def run(self, ctx: Context) -> Iterator[Candidate]:
        self.allowed = ctx.evaluations_left()
        until = self.allowed * (1.0 - self.share)
        ids = [item.item_id for item in ctx.items]
        for number in range(10_000):
            if ctx.evaluations_left() - 20 < until:
                return
            ctx.evaluate(Candidate({TEXT: f"{self.name} {number}"}, self.name), ids[:20])
        yield Candidate({}, self.name)


@pytest.mark.databases("sqlite")
async def test_strategies_share_the_budget_and_leave_the_rest_to_those_that_follow(lab: Lab) -> None:
    first, second, third = Half("reflective", 0.0), Half("few_shot"), Half("knobs")
    lab.monkeypatch.setattr(generate, "installed_strategies", lambda: {one.name: one for one in (first, second, third)})
    names = ["reflective", "few_shot", "knobs"]
    view = await lab.scans.run(await lab.start(strategies=names))  # type: ignore[arg-type]
    search = view.scan.plan["search"]
    free = search - search // generate.PRUNE_SHARE
    assert first.allowed == free // 3
    assert second.allowed == free // 2, "what the first one left is shared by those that are still to come"
    assert third.allowed >= free - second.allowed
    assert view.cost.evaluations <= view.scan.max_evaluations


class Proposes:
    """One change, without asking for anything."""

    def __init__(self, name: str, changes: dict[str, object]) -> None:
        self.name = name
        self.changes = changes

    def run(self, ctx: Context) -> Iterator[Candidate]:
        assert ctx.items
        yield Candidate(self.changes, self.name)


@pytest.mark.databases("sqlite")
async def test_every_change_of_the_winner_is_taken_back_with_an_interval(lab: Lab) -> None:
    shown = tickets(60, seed=7)[:10]
    examples = [{"input": item.input, "output": item.expected} for item in shown]
    both = [
        Proposes("reflective", {TEXT: GOOD.entry.messages[0].content}),
        Proposes("few_shot", {EXAMPLES: examples}),
    ]
    lab.monkeypatch.setattr(generate, "installed_strategies", lambda: {one.name: one for one in both})
    lab.monkeypatch.setattr(generate, "Pruning", lambda _: Proposes("prune", {}))
    view = await lab.scans.run(await lab.start(strategies=["reflective", "few_shot"]))  # type: ignore[arg-type]
    diagnosed, evaluated = view.result_of(Phase.DIAGNOSE), view.result_of(Phase.EVALUATE)
    assert diagnosed is not None
    assert evaluated is not None
    changes = view.candidates[evaluated["winner"] - 1].changes
    ablations = diagnosed["ablations"]
    assert [one["pointer"] for one in ablations] == sorted(changes)
    for one in ablations:
        assert one["low"] <= one["worth"] <= one["high"]
        assert one["worth"] == pytest.approx(one["objective_with"] - one["objective_without"])
        assert one["p_value"] <= one["p_adjusted"] <= 1.0
        assert one["n"] == evaluated["champion"]["items"]
    # Without its only change, or without one of two that were finalists alone, everything was measured already.
    assert view.cost.evaluations <= view.scan.max_evaluations
