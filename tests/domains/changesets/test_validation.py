"""A look at a holdout: paid once, resumable, honest, and decided by the holdout alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from spectral.domains.changesets import looks
from spectral.domains.changesets.answers import validation_out
from spectral.domains.changesets.decision import Reason
from spectral.domains.changesets.errors import HoldoutSpentError, NoFurtherStageError
from spectral.domains.changesets.ledger import LookPlan
from spectral.domains.changesets.looks import validate
from spectral.domains.changesets.models import Validation
from spectral.domains.changesets.service import ChangesetService
from spectral.domains.changesets.validation import HoldoutLedgerService, ValidationService
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.samples.errors import NoHoldoutError
from spectral.domains.samples.service import SampleService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import WorkCancelledError
from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    ForbiddenError,
    InvalidTransitionError,
    NotFoundError,
)
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import (
    DOOR,
    CrashError,
    DirectExecution,
    ScriptedRuntime,
    Workbench,
    canonical,
)
from tests.domains.evaluations.judges import DOWN, JudgeProvider, door_to
from tests.fixtures.tenants import Tenant

Look = Callable[..., Awaitable[Validation]]


class RefusingRuntime(ScriptedRuntime):
    """Knows no model."""

    async def execute_many(self, config: Any, inputs: Any, seeds: Any) -> Any:
        raise BusinessRuleViolationError("there is no such model")


@pytest.fixture
def look(database: Database, tenant: Tenant) -> Look:
    """Takes a look: starts it where it is not started, and executes it."""

    async def take(bench: Workbench, changeset_id: UUID, runtime: Any = None, **options: Any) -> Validation:
        started = await bench.start(changeset_id, **options)
        execution = DirectExecution(database, tenant.access)
        return await validate(execution, started.id, door=DOOR, runtimes=Always(runtime or ScriptedRuntime()))

    return take


async def test_a_real_gain_is_validated_with_all_its_numbers(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.8)
    runtime = ScriptedRuntime()
    validation = await look(bench, changeset.id, runtime)
    assert (validation.status, validation.verdict) == ("completed", "validated")
    assert validation.reasons == ["lower_bound_above_minimum_effect"]
    assert (validation.look, validation.stage, validation.alpha) == (1, 1, 0.025)
    assert (await bench.read(changeset.id)).state == "validated"
    evidence = validation.evidence
    assert evidence is not None
    assert evidence["n"] == evidence["items"] == validation.items
    assert evidence["effect"]["confidence"] == 0.975
    assert evidence["effect_95"]["confidence"] == 0.95
    assert 0.01 < evidence["effect"]["low"] < evidence["effect_95"]["low"] < evidence["effect"]["mean"]
    assert evidence["challenger"]["passed"]["rate"] > evidence["champion"]["passed"]["rate"]
    assert evidence["champion"]["passed"]["low"] < evidence["champion"]["passed"]["rate"]
    assert evidence["p_value"] < 0.001
    assert validation.cost_nano_usd == 0
    # Both arms on every frozen item, once.
    assert len(runtime.calls) == len(set(runtime.calls)) == 2 * validation.items


async def test_a_finished_look_is_answered_as_it_is(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.8)
    first = await look(bench, changeset.id)
    again = await validate(
        DirectExecution(database, tenant.access), first.id, door=DOOR, runtimes=Always(ScriptedRuntime(crash_after=0))
    )
    assert (again.verdict, again.finished_at) == (first.verdict, first.finished_at)


async def test_a_loss_is_refuted(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.2)
    validation = await look(bench, changeset.id)
    assert (validation.verdict, validation.n_more) == ("refuted", None)
    assert (await bench.read(changeset.id)).state == "refuted"


async def test_the_champion_against_itself_never_validates(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access, champion=0.5)
    changeset = await bench.propose(0.5)
    assert changeset.candidate_version == changeset.base_version
    runtime = ScriptedRuntime()
    validation = await look(bench, changeset.id, runtime)
    assert validation.verdict == "refuted"
    assert Reason.IDENTICAL in validation.reasons
    assert len(runtime.calls) == validation.items


async def test_an_unclear_gain_says_how_many_more_samples_it_needs(
    database: Database, tenant: Tenant, look: Look
) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.54)
    validation = await look(bench, changeset.id)
    assert validation.verdict == "inconclusive"
    assert Reason.INTERVAL_TOO_WIDE in validation.reasons
    assert validation.n_more is not None
    assert validation.n_more > validation.items
    assert (await bench.read(changeset.id)).state == "inconclusive"
    # The whole holdout was measured: the same data cannot say more.
    with pytest.raises(NoFurtherStageError) as refused:
        await bench.start(changeset.id)
    assert refused.value.extensions["further_samples"] == validation.n_more
    assert (await bench.ledger()).looks_taken == 1


async def test_a_large_holdout_is_looked_at_in_planned_stages(
    database: Database, tenant: Tenant, look: Look, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.changesets.ledger.FIRST_STAGE", 60)
    monkeypatch.setattr("spectral.domains.changesets.ledger.SMALLEST_STEP", 30)
    bench = await Workbench.make(database, tenant.access, items=320)
    changeset = await bench.propose(0.58)
    first = await look(bench, changeset.id)
    assert (first.items, first.verdict, first.n_more) == (60, "inconclusive", 60)
    runtime = ScriptedRuntime()
    second = await look(bench, changeset.id, runtime)
    assert (second.look, second.stage, second.items, second.alpha) == (2, 2, 120, 0.0125)
    assert second.evidence is not None
    assert second.evidence["n"] == 120
    # The plan that was fixed first is the one that counts, whatever the rules are later.
    monkeypatch.undo()
    assert LookPlan.from_document((await bench.ledger()).plan).stages[:2] == (60, 120)


async def test_three_looks_spend_a_holdout_and_then_it_is_retired(
    database: Database, tenant: Tenant, look: Look
) -> None:
    bench = await Workbench.make(database, tenant.access, items=80)
    alphas = []
    for candidate in (0.2, 0.21, 0.22):
        changeset = await bench.propose(candidate)
        alphas.append((await look(bench, changeset.id)).alpha)
    assert alphas == [0.025, 0.0125, 0.0125]
    async with database.transaction(tenant.access, read_only=True) as session:
        holdout = await SampleService(session, tenant.access).read_holdout(bench.holdout_id)
    assert (holdout.looks, holdout.retired_at is not None) == (3, True)
    fourth = await bench.propose(0.9)
    with pytest.raises(HoldoutSpentError) as refused:
        await bench.start(fourth.id)
    assert (refused.value.status, refused.value.slug) == (400, "holdout-spent")
    assert (await bench.read(fourth.id)).state == "proposed"


async def test_a_spent_ledger_refuses_before_its_last_look_has_finished(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access, items=80)
    for candidate in (0.6, 0.7, 0.8):
        await bench.start((await bench.propose(candidate)).id)
    last = await bench.propose(0.9)
    with pytest.raises(HoldoutSpentError):
        await bench.start(last.id)
    assert (await bench.ledger()).looks_taken == 3


async def test_without_a_frozen_holdout_nothing_is_validated(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access, frozen=False)
    changeset = await bench.propose(0.9)
    with pytest.raises(NoHoldoutError):
        await bench.start(changeset.id)
    assert (await bench.read(changeset.id)).state == "proposed"


async def test_the_ledger_can_be_opened_and_priced_before_a_scan(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        ledgers = HoldoutLedgerService(session, tenant.access)
        holdout = await ledgers.current_holdout(bench.set_id)
        before = await ledgers.next_look(holdout)
        opened = await ledgers.open_ledger(holdout)
        assert (await ledgers.open_ledger(holdout)).id == opened.id
        after = await ledgers.next_look(holdout)
    assert before == after
    assert (after.look, after.looks_planned, after.alpha, after.alpha_spent) == (1, 3, 0.025, 0.0)
    assert after.items == holdout.size


async def test_more_than_five_percent_missing_is_inconclusive_and_may_be_looked_at_again(
    database: Database, tenant: Tenant, look: Look
) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    broken = ScriptedRuntime(missing=frozenset(f"case {number}" for number in range(0, 150, 8)))
    validation = await look(bench, changeset.id, broken)
    assert (validation.verdict, validation.reasons, validation.n_more) == ("inconclusive", ["too_many_missing"], None)
    again = await look(bench, changeset.id)
    assert (again.look, again.stage, again.verdict) == (2, 1, "validated")


@pytest.mark.parametrize("crash_after", [0, 1, 100, 150])
async def test_a_look_that_dies_goes_on_where_it_was_and_is_paid_once(
    database: Database, tenant: Tenant, look: Look, crash_after: int
) -> None:
    bench = await Workbench.make(database, tenant.access)
    reference = await look(bench, (await bench.propose(0.7)).id)
    changeset = await bench.propose(0.71)
    started = await bench.start(changeset.id)
    dying = ScriptedRuntime(crash_after=crash_after)
    execution = DirectExecution(database, tenant.access)
    with pytest.raises(CrashError):
        await validate(execution, started.id, door=DOOR, runtimes=Always(dying))
    assert (await bench.read(changeset.id)).state == "validating"
    second = ScriptedRuntime()
    finished = await validate(execution, started.id, door=DOOR, runtimes=Always(second))
    assert not set(second.calls) & set(dying.calls)
    assert len(dying.calls) + len(second.calls) == 2 * finished.items
    assert (finished.look, (await bench.ledger()).looks_taken) == (2, 2)
    assert len(await bench.validations(changeset.id)) == 1
    assert finished.verdict == reference.verdict == "validated"


async def test_an_interrupted_look_ends_with_the_numbers_of_an_uninterrupted_one(
    database: Database, tenant: Tenant, look: Look
) -> None:
    documents = []
    for crash_after in (None, 70):
        bench = await Workbench.make(database, tenant.access)
        changeset = await bench.propose(0.6)
        started = await bench.start(changeset.id)
        execution = DirectExecution(database, tenant.access)
        if crash_after is not None:
            dying = ScriptedRuntime(crash_after=crash_after)
            with pytest.raises(CrashError):
                await validate(execution, started.id, door=DOOR, runtimes=Always(dying))
        finished = await validate(execution, started.id, door=DOOR, runtimes=Always(ScriptedRuntime()))
        documents.append(canonical([finished.verdict, finished.reasons, finished.n_more, finished.evidence]))
    assert documents[0] == documents[1]


async def test_a_refusal_fails_the_look_which_is_then_taken_up_again_for_nothing(
    database: Database, tenant: Tenant, look: Look
) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    failed = await look(bench, changeset.id, RefusingRuntime())
    assert (failed.status, failed.verdict, failed.reasons) == ("failed", "inconclusive", ["execution_failed"])
    assert failed.failure is not None
    assert failed.failure["type"] == "business-rule-violation"
    assert (await bench.read(changeset.id)).state == "inconclusive"
    again = await look(bench, changeset.id, ScriptedRuntime(cost=None))
    assert (again.id, again.look, again.status, again.verdict) == (failed.id, 1, "completed", "validated")
    assert again.work_id != failed.work_id
    assert again.cost_nano_usd is None
    assert (await bench.ledger()).looks_taken == 1


async def test_what_nobody_foresaw_is_noted_and_raised(database: Database, tenant: Tenant, look: Look) -> None:
    class Broken(ScriptedRuntime):
        async def execute_many(self, config: Any, inputs: Any, seeds: Any) -> Any:
            raise ZeroDivisionError

    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    with pytest.raises(ZeroDivisionError):
        await look(bench, changeset.id, Broken())
    (validation,) = await bench.validations(changeset.id)
    assert (validation.status, validation.failure) == (
        "failed",
        {"type": "internal-error", "detail": "ZeroDivisionError"},
    )
    assert (await bench.read(changeset.id)).state == "inconclusive"


async def test_a_cancelled_look_is_taken_up_again_under_its_own_number(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    started = await bench.start(changeset.id)
    execution = DirectExecution(database, tenant.access, cancelled=True)
    with pytest.raises(WorkCancelledError):
        await validate(execution, started.id, door=DOOR, runtimes=Always(ScriptedRuntime()))
    (validation,) = await bench.validations(changeset.id)
    assert (validation.status, validation.reasons) == ("cancelled", ["cancelled"])
    again = await bench.start(changeset.id)
    assert (again.id, again.look, again.status) == (started.id, 1, "queued")


async def test_a_rejected_change_set_stops_its_look_and_gets_no_verdict(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    started = await bench.start(changeset.id)
    async with database.transaction(tenant.access) as session:
        await ChangesetService(session, tenant.access).reject_changeset(changeset.id, "not wanted")
    runtime = ScriptedRuntime()
    ended = await validate(DirectExecution(database, tenant.access), started.id, door=DOOR, runtimes=Always(runtime))
    assert (ended.status, runtime.calls) == ("cancelled", [])
    assert (await bench.read(changeset.id)).state == "rejected"


async def test_a_verdict_that_comes_after_the_rejection_changes_nothing(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    started = await bench.start(changeset.id)
    loop = asyncio.get_running_loop()
    decide = looks._decide

    def slow(*arguments: Any) -> Any:
        async def reject() -> None:
            async with database.transaction(tenant.access) as session:
                await ChangesetService(session, tenant.access).reject_changeset(changeset.id)

        asyncio.run_coroutine_threadsafe(reject(), loop).result(timeout=120)
        return decide(*arguments)

    monkeypatch.setattr(looks, "_decide", slow)
    ended = await validate(
        DirectExecution(database, tenant.access), started.id, door=DOOR, runtimes=Always(ScriptedRuntime())
    )
    assert (ended.status, ended.verdict) == ("completed", "validated")
    assert (await bench.read(changeset.id)).state == "rejected"


async def test_a_replica_shows_nothing_about_the_agent_itself(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9, execution="replica")
    validation = await look(bench, changeset.id)
    assert (validation.verdict, validation.reasons) == ("inconclusive", ["replica"])


async def test_sessions_are_whole_units_of_the_decision(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access, items=240, groups=80)
    changeset = await bench.propose(0.9)
    validation = await look(bench, changeset.id)
    assert validation.evidence is not None
    assert validation.evidence["groups"] < validation.evidence["n"]
    assert validation.verdict == "validated"


async def test_repeats_are_averaged_and_guards_are_judged(database: Database, tenant: Tenant, look: Look) -> None:
    guards = [{"kind": "latency", "statistic": "p95", "max_ratio": 1.1}, {"kind": "cost"}, {"kind": "error_rate"}]
    bench = await Workbench.make(database, tenant.access, items=80, objective={"guards": guards})
    changeset = await bench.propose(0.9)
    runtime = ScriptedRuntime()
    validation = await look(bench, changeset.id, runtime, repeats=2)
    assert len(runtime.calls) == 4 * validation.items
    assert validation.evidence is not None
    assert [guard["status"] for guard in validation.evidence["guards"]] == ["held", "held", "held"]
    assert [guard["n"] for guard in validation.evidence["guards"]] == [2 * validation.items] * 3
    assert validation.evidence["n"] == validation.items
    assert validation.verdict == "validated"


async def test_an_unknown_cost_leaves_a_cost_guard_unshown(database: Database, tenant: Tenant, look: Look) -> None:
    bench = await Workbench.make(database, tenant.access, objective={"guards": [{"kind": "cost"}]})
    changeset = await bench.propose(0.9)
    validation = await look(bench, changeset.id, ScriptedRuntime(cost=None))
    assert (validation.verdict, validation.reasons) == ("inconclusive", ["guard_not_shown_to_hold"])
    assert validation.evidence is not None
    assert validation.evidence["champion"]["mean_cost_nano_usd"] is None


async def test_a_look_under_way_is_found_and_not_started_twice(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    started = await bench.start(changeset.id)
    with pytest.raises(InvalidTransitionError):
        await bench.start(changeset.id)
    async with database.transaction(tenant.access, read_only=True) as session:
        service = ValidationService(session, tenant.access)
        found = await service.find_open(changeset.id)
        assert found is not None
        assert found.id == started.id
        with pytest.raises(NotFoundError):
            await service.read_validation(uuid4(), started.id)


async def test_starting_needs_the_scope_to_write(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access)
    changeset = await bench.propose(0.9)
    reader = WorkspaceAccess(
        tenant.workspace_id, tenant.account_id, frozenset({Scope.READ_WORKSPACE}), tenant.access.actor
    )
    async with database.transaction(reader) as session:
        with pytest.raises(ForbiddenError):
            await ValidationService(session, reader).start_validation(changeset.id)


async def test_what_judged_a_gain_says_how_well_it_agrees_with_people(database: Database, tenant: Tenant) -> None:
    bench = await Workbench.make(database, tenant.access, items=60)
    judge = {"model": "openai/gpt-4o-mini", "prompt": "{output}"}
    judged = {"dimensions": [{"name": "good", "scorer": "judge", "options": judge}]}
    async with database.transaction(tenant.access) as session:
        rubrics = RubricService(session, tenant.access)
        made = await rubrics.create_rubric("judged", None, RubricSpec.model_validate(judged))
    bench.rubric_id = made.rubric.id
    changeset = await bench.propose(0.8)
    started = await bench.start(changeset.id)
    execution, runtimes = DirectExecution(database, tenant.access), Always(ScriptedRuntime())
    # The judge is away: every item is missing, and the verdict says so.
    down = door_to(JudgeProvider(lambda _request: DOWN))
    validation = await validate(execution, started.id, door=down, runtimes=runtimes)
    assert (validation.verdict, validation.status) == ("inconclusive", "completed")
    (shown,) = validation_out(validation).judges
    assert (shown.dimension, shown.labels, shown.calibrated, shown.further_labels) == ("good", 0, False, 50)
    assert shown.agreement.kappa is None
