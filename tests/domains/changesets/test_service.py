"""What people decide about change sets, and what that does to the agent."""

from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from spectral.domains.agents.errors import AgentInUseError
from spectral.domains.agents.service import AgentService
from spectral.domains.agents.templates import TemplateService
from spectral.domains.changesets.clusters import ClusterDraft, ClusterEffect, ClusterService
from spectral.domains.changesets.curation import CurationService
from spectral.domains.changesets.errors import BaseReplacedError, NotLiveError, NotValidatedError
from spectral.domains.changesets.evidence import EvidenceService
from spectral.domains.changesets.experiments import ArmDraft, ExperimentDraft, ExperimentService
from spectral.domains.changesets.looks import validate
from spectral.domains.changesets.models import Changeset, FailureCluster
from spectral.domains.changesets.service import ChangesetFilter, ChangesetService
from spectral.domains.changesets.states import ChangesetState
from spectral.domains.evaluations.errors import ObjectiveInUseError
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.service import ObjectiveService
from spectral.domains.samples.errors import SampleSetInUseError
from spectral.domains.samples.service import SampleService
from spectral.domains.samples.splitting import Split
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import ForbiddenError, InvalidTransitionError, NotFoundError
from spectral.platform.shared.pagination import Page
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, DirectExecution, ScriptedRuntime, Workbench, config
from tests.fixtures.tenants import Tenant

FIRST_PAGE = Page()


@pytest.fixture
async def bench(database: Database, tenant: Tenant) -> Workbench:
    return await Workbench.make(database, tenant.access)


async def do(bench: Workbench, action: str, changeset_id: UUID, *arguments: Any) -> Changeset:
    """One decision in a transaction of its own."""
    async with bench.database.transaction(bench.access) as session:
        service = ChangesetService(session, bench.access)
        decided: Changeset = await getattr(service, f"{action}_changeset")(changeset_id, *arguments)
        return decided


async def validated(bench: Workbench, candidate: float = 0.9, **changes: Any) -> Changeset:
    changeset = await bench.propose(candidate, **changes)
    started = await bench.start(changeset.id)
    await validate(
        DirectExecution(bench.database, bench.access), started.id, door=DOOR, runtimes=Always(ScriptedRuntime())
    )
    return await bench.read(changeset.id)


async def audited(bench: Workbench, changeset_id: UUID) -> list[tuple[str, dict[str, Any]]]:
    async with bench.database.transaction(bench.access, read_only=True) as session:
        statement = sa.select(AuditEntry).where(AuditEntry.subject == f"changeset:{changeset_id}")
        entries = (await session.scalars(statement.order_by(AuditEntry.created_at, AuditEntry.id))).all()
    return [(entry.action, entry.detail) for entry in entries]


async def template(bench: Workbench) -> str:
    async with bench.database.transaction(bench.access, read_only=True) as session:
        managed = await TemplateService(session, bench.access).read_template(bench.agent_id, "main")
    return str(managed.version.messages[0]["content"])


async def test_a_proposal_pins_what_its_verdict_depends_on(bench: Workbench) -> None:
    changeset = await bench.propose(0.9)
    assert (changeset.state, changeset.base_version, changeset.candidate_version) == ("proposed", 1, 2)
    assert changeset.base_config_hash != changeset.candidate_config_hash
    (change,) = changeset.diff
    assert (change["operation"], change["before"], change["after"]) == ("replace", "0.5", "0.9")
    assert changeset.objective == ObjectiveSpec().model_dump(mode="json")
    assert (await audited(bench, changeset.id))[0][0] == "changeset.proposed"


async def test_a_scan_proposes_a_candidate_once(bench: Workbench) -> None:
    scan_id = uuid4()
    first = await bench.propose(0.9, scan_id=scan_id)
    assert (await bench.propose(0.9, scan_id=scan_id)).id == first.id
    assert (await bench.propose(0.9)).id != first.id


async def test_what_does_not_exist_cannot_be_proposed(bench: Workbench) -> None:
    with pytest.raises(NotFoundError):
        await bench.propose(0.9, base_version=7)


async def test_accept_is_refused_before_a_validation(bench: Workbench) -> None:
    changeset = await bench.propose(0.9)
    with pytest.raises(NotValidatedError, match="No holdout validation has been made yet") as refused:
        await do(bench, "accept", changeset.id)
    assert refused.value.extensions == {
        "state": "proposed",
        "reason": "no_validation",
        "reasons": [],
        "further_samples": None,
    }
    assert (await bench.read(changeset.id)).state == "proposed"
    assert await bench.live() == 1


async def test_accept_of_an_unclear_gain_says_why_and_how_many_samples_are_missing(bench: Workbench) -> None:
    changeset = await validated(bench, 0.54)
    with pytest.raises(NotValidatedError, match="further samples are needed") as refused:
        await do(bench, "accept", changeset.id)
    extensions = refused.value.extensions
    assert (extensions["state"], extensions["reason"]) == ("inconclusive", "interval_contains_minimum_effect")
    assert extensions["further_samples"] == (await bench.validations(changeset.id))[0].n_more
    assert extensions["further_samples"] > 0


async def test_accept_promotes_a_validated_candidate_and_says_who_did_it(bench: Workbench) -> None:
    changeset = await validated(bench)
    accepted = await do(bench, "accept", changeset.id)
    assert (accepted.state, accepted.previous_version) == ("accepted", 1)
    assert accepted.accepted_by == bench.access.actor
    assert await bench.live() == 2
    action, detail = (await audited(bench, changeset.id))[-1]
    assert action == "changeset.accepted"
    assert (detail["verdict"], detail["overridden"]) == ("validated", False)
    with pytest.raises(InvalidTransitionError):
        await do(bench, "accept", changeset.id)


async def test_accept_promotes_to_the_target_environment_only(bench: Workbench) -> None:
    changeset = await validated(bench, environment="staging")
    accepted = await do(bench, "accept", changeset.id)
    assert accepted.previous_version is None
    assert (await bench.live("staging"), await bench.live()) == (2, 1)
    await do(bench, "rollback", changeset.id)
    assert await bench.live("staging") == 1


@pytest.mark.parametrize("state", ["proposed", "refuted", "inconclusive"])
async def test_an_override_accepts_what_was_not_validated_and_is_audited(bench: Workbench, state: str) -> None:
    changeset = await bench.propose(0.9)
    await bench.force(changeset.id, state)
    accepted = await do(bench, "accept", changeset.id, "the customer insists")
    assert (accepted.state, accepted.override_reason) == ("accepted", "the customer insists")
    assert await bench.live() == 2
    _, detail = (await audited(bench, changeset.id))[-1]
    assert (detail["overridden"], detail["override_reason"]) == (True, "the customer insists")


@pytest.mark.parametrize("state", ["validating", "accepted", "applied", "rolled_back", "rejected", "superseded"])
async def test_no_override_accepts_what_is_under_way_or_closed(bench: Workbench, state: str) -> None:
    changeset = await bench.propose(0.9)
    await bench.force(changeset.id, state)
    with pytest.raises(InvalidTransitionError):
        await do(bench, "accept", changeset.id, "because")
    assert await bench.live() == 1


async def test_a_refusal_while_validating_names_it(bench: Workbench) -> None:
    changeset = await bench.propose(0.9)
    await bench.start(changeset.id)
    with pytest.raises(NotValidatedError, match="has not finished") as refused:
        await do(bench, "accept", changeset.id)
    assert refused.value.extensions["reason"] == "validation_running"


async def test_accepting_one_supersedes_what_else_was_proposed_for_the_same_place(bench: Workbench) -> None:
    other = await bench.propose(0.7)
    under_way = await bench.propose(0.75)
    await bench.start(under_way.id)
    elsewhere = await bench.propose(0.8, environment="staging")
    decided = await bench.propose(0.6)
    await do(bench, "reject", decided.id)
    chosen = await validated(bench)
    await do(bench, "accept", chosen.id)
    states = {each: (await bench.read(each)).state for each in (other.id, under_way.id, elsewhere.id, decided.id)}
    assert list(states.values()) == ["superseded", "superseded", "proposed", "rejected"]
    assert str(chosen.id) in ((await bench.read(other.id)).closed_reason or "")


async def test_evidence_against_another_version_than_the_live_one_does_not_accept(bench: Workbench) -> None:
    changeset = await validated(bench)
    async with bench.database.transaction(bench.access) as session:
        agents = AgentService(session, bench.access)
        other = await agents.add_config(bench.agent_id, config("0.7"), origin="test", note=None)
        await agents.promote_config(bench.agent_id, other.version)
    with pytest.raises(BaseReplacedError) as refused:
        await do(bench, "accept", changeset.id)
    assert refused.value.extensions == {"base_version": 1, "live_version": other.version}
    assert (await do(bench, "accept", changeset.id, "I know")).previous_version == other.version


async def test_apply_writes_the_templates_and_rollback_takes_both_back(bench: Workbench) -> None:
    changeset = await validated(bench)
    with pytest.raises(InvalidTransitionError):
        await do(bench, "apply", changeset.id)
    await do(bench, "accept", changeset.id)
    applied = await do(bench, "apply", changeset.id)
    assert (applied.state, applied.applied_at is not None) == ("applied", True)
    assert await template(bench) == "0.9"
    with pytest.raises(InvalidTransitionError):
        await do(bench, "apply", changeset.id)
    closed = await do(bench, "rollback", changeset.id, "it got worse")
    assert (closed.state, closed.closed_reason, closed.closed_by) == (
        "rolled_back",
        "it got worse",
        bench.access.actor,
    )
    assert await bench.live() == 1
    assert await template(bench) == "0.5"
    action, detail = (await audited(bench, changeset.id))[-1]
    assert (action, detail["restored_version"]) == ("changeset.rolled_back", 1)
    with pytest.raises(InvalidTransitionError):
        await do(bench, "rollback", changeset.id)


async def test_what_is_not_live_any_more_cannot_be_taken_back(bench: Workbench) -> None:
    changeset = await validated(bench)
    await do(bench, "accept", changeset.id)
    async with bench.database.transaction(bench.access) as session:
        await AgentService(session, bench.access).promote_config(bench.agent_id, 1)
    for action in ("rollback", "apply"):
        with pytest.raises(NotLiveError):
            await do(bench, action, changeset.id)
    assert (await bench.read(changeset.id)).state == "accepted"


async def test_a_rejected_change_set_is_closed(bench: Workbench) -> None:
    changeset = await bench.propose(0.9)
    rejected = await do(bench, "reject", changeset.id, "no")
    assert (rejected.state, rejected.closed_reason) == ("rejected", "no")
    for action in ("reject", "accept", "apply", "rollback"):
        with pytest.raises(InvalidTransitionError):
            await do(bench, action, changeset.id)
    with pytest.raises(InvalidTransitionError):
        await bench.start(changeset.id)


@pytest.mark.parametrize("action", ["accept", "apply", "reject", "rollback"])
async def test_decisions_need_the_scope_to_approve(bench: Workbench, action: str) -> None:
    changeset = await bench.propose(0.9)
    allowed = frozenset({Scope.READ_WORKSPACE, Scope.WRITE_WORKSPACE})
    contributor = WorkspaceAccess(bench.access.workspace_id, bench.access.account_id, allowed, bench.access.actor)
    async with bench.database.transaction(contributor) as session:
        with pytest.raises(ForbiddenError):
            await getattr(ChangesetService(session, contributor), f"{action}_changeset")(changeset.id)


async def test_lists_are_narrowed_and_carry_the_last_look(bench: Workbench) -> None:
    scan_id = uuid4()
    first = await bench.propose(0.7, scan_id=scan_id)
    second = await validated(bench)
    async with bench.database.transaction(bench.access, read_only=True) as session:
        service = ChangesetService(session, bench.access)
        rows, total = await service.list_changesets(FIRST_PAGE, ChangesetFilter())
        assert ([row.id for row, _ in rows], total) == ([second.id, first.id], 2)
        assert [latest is not None for _, latest in rows] == [True, False]
        for wanted in (
            ChangesetFilter(state=ChangesetState.PROPOSED),
            ChangesetFilter(scan_id=scan_id),
            ChangesetFilter(agent_id=bench.agent_id, scan_id=scan_id),
        ):
            rows, total = await service.list_changesets(FIRST_PAGE, wanted)
            assert ([row.id for row, _ in rows], total) == ([first.id], 1)
        _, none = await service.list_changesets(FIRST_PAGE, ChangesetFilter(agent_id=uuid4()))
        assert none == 0


async def test_what_evidence_rests_on_cannot_be_deleted(bench: Workbench) -> None:
    await validated(bench)
    with pytest.raises(SampleSetInUseError):
        async with bench.database.transaction(bench.access) as session:
            await SampleService(session, bench.access).delete_set(bench.set_id)
    with pytest.raises(AgentInUseError):
        async with bench.database.transaction(bench.access) as session:
            await AgentService(session, bench.access).delete_agent(bench.agent_id)
    with pytest.raises(ObjectiveInUseError):
        async with bench.database.transaction(bench.access) as session:
            await ObjectiveService(session, bench.access).delete_objective(bench.objective_id)


# ----------------------------------------------------------------------------------------- clusters and experiments


BILLING = {"expected:billing": 0.8, "got:login": 0.6}
LOGIN = {"expected:login": 0.9, "got:shipping": 0.4}


def draft(label: str, terms: dict[str, float], members: list[UUID], share: float = 0.5) -> ClusterDraft:
    examples = [{"item_id": str(members[0]), "text": f"{label}: what went wrong"}]
    return ClusterDraft(label, len(members), share, members, examples, terms, 0.9)


async def record(bench: Workbench, scan_id: UUID, drafts: list[ClusterDraft]) -> list[FailureCluster]:
    async with bench.database.transaction(bench.access) as session:
        return await ClusterService(session, bench.access).record(scan_id, bench.agent_id, drafts)


async def test_clusters_keep_their_identity_and_a_persons_words_over_scans(bench: Workbench) -> None:
    first_scan, second_scan = uuid4(), uuid4()
    items = [uuid4() for _ in range(9)]
    billing, login = await record(
        bench, first_scan, [draft("billing → login", BILLING, items[:5]), draft("login → shipping", LOGIN, items[5:])]
    )
    changeset = await bench.propose(0.9, scan_id=first_scan, clusters=[ClusterEffect(billing.id, 4, 1)])
    async with bench.database.transaction(bench.access) as session:
        changes = {"label": "refund requests", "status": "investigating", "note": "known since May"}
        await CurationService(session, bench.access, bench.database).curate(changeset.id, billing.id, changes)
    drifted = {**BILLING, "refund": 0.4}
    again = await record(
        bench,
        second_scan,
        [draft("new kind", {"other": 1.0}, items[:2]), draft("billing → login again", drifted, items[2:5])],
    )
    assert again[1].id == billing.id
    assert again[0].id not in {billing.id, login.id}
    assert (again[1].label, again[1].status, again[1].note) == ("refund requests", "investigating", "known since May")
    assert (again[1].first_scan_id, again[1].last_scan_id) == (first_scan, second_scan)
    # A label that nobody chose follows the scans.
    third = await record(bench, uuid4(), [draft("login → returns", LOGIN, items[5:])])
    assert (third[0].id, third[0].label) == (login.id, "login → returns")
    # What the change set shows stays what its own scan saw, under the person's words.
    async with bench.database.transaction(bench.access, read_only=True) as session:
        service = ClusterService(session, bench.access)
        (seen,), total = await service.list_clusters(changeset.id, FIRST_PAGE)
        detail = await service.read_cluster(changeset.id, billing.id)
        with pytest.raises(NotFoundError):
            await service.read_cluster(changeset.id, login.id)
    assert (total, seen.cluster.label, seen.sighting.size, seen.sightings) == (1, "refund requests", 5, 2)
    assert seen.link is not None
    assert (seen.link.failures, seen.link.fixed, seen.link.broke) == (5, 4, 1)
    assert [member.text for member in seen.examples] == ["billing → login: what went wrong"]
    assert [member.item_id for member in detail.members] == items[:5]


async def test_a_scan_is_recorded_once(bench: Workbench) -> None:
    scan_id = uuid4()
    drafts = [draft("a", BILLING, [uuid4()]), draft("b", LOGIN, [uuid4()])]
    first = await record(bench, scan_id, drafts)
    again = await record(bench, scan_id, drafts)
    assert [cluster.id for cluster in first] == [cluster.id for cluster in again]
    assert await record(bench, uuid4(), []) == []


async def test_the_evidence_chain_leads_from_traces_to_the_verdict(bench: Workbench) -> None:
    scan_id = uuid4()
    async with bench.database.transaction(bench.access) as session:
        samples = SampleService(session, bench.access)
        items, _ = await samples.list_items(bench.set_id, FIRST_PAGE, split=Split.REFLECT)
        gone = uuid4()
        members = [items[0].id, gone]
        drafts = [
            ClusterDraft(
                "x", 2, 1.0, members, [{"item_id": str(each), "text": "wrong"} for each in members], BILLING, None
            )
        ]
        (cluster,) = await ClusterService(session, bench.access).record(scan_id, bench.agent_id, drafts)
        arms = [
            ArmDraft("champion", "a" * 64, {"items": 15, "objective": 0.5}),
            ArmDraft("few_shot 1", "b" * 64, {"items": 15}, {"n": 15, "effect": 0.2}, changes={"/x": 1}, frontier=True),
        ]
        comparison = ExperimentDraft(
            name="select",
            agent_id=bench.agent_id,
            sample_set_id=bench.set_id,
            sample_set_version=2,
            split="select",
            rubric_id=bench.rubric_id,
            rubric_version=1,
            objective=ObjectiveSpec(),
            items=15,
            repeats=1,
            seed=1,
            arms=arms,
            scan_id=scan_id,
        )
        experiments = ExperimentService(session, bench.access)
        experiment = await experiments.record(comparison)
        assert (await experiments.record(comparison)).id == experiment.id
    changeset = await validated(
        bench,
        scan_id=scan_id,
        experiment_id=experiment.id,
        clusters=[ClusterEffect(cluster.id, 1, 0), ClusterEffect(uuid4(), 1, 0)],
        search_cost_nano_usd=1_500,
    )
    async with bench.database.transaction(bench.access, read_only=True) as session:
        found = await EvidenceService(session, bench.access).explain(changeset.id)
        page, total = await ExperimentService(session, bench.access).list_experiments(FIRST_PAGE, scan_id=scan_id)
    assert found.traces == [items[0].source_trace_id]
    assert [seen.cluster.id for seen in found.clusters] == [cluster.id]
    assert found.experiment is not None
    assert [arm.label for arm in found.experiment.arms] == ["champion", "few_shot 1"]
    assert found.latest is not None
    assert (found.latest.verdict, found.validation_cost_nano_usd) == ("validated", 0)
    assert ([each.experiment.id for each in page], total) == ([experiment.id], 1)
