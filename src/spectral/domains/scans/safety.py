"""The phase that decides: the winner becomes a change set, and an untouched holdout is asked about it once."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import apply_changes
from spectral.domains.agents.service import AgentService
from spectral.domains.agents.settings import execution_of
from spectral.domains.changesets.clusters import ClusterEffect
from spectral.domains.changesets.errors import HoldoutSpentError, TooFewSamplesError
from spectral.domains.changesets.looks import validate
from spectral.domains.changesets.models import Changeset, Validation
from spectral.domains.changesets.service import ChangesetService, Proposal
from spectral.domains.changesets.validation import ValidationService
from spectral.domains.evaluations.measurement import cost_by_model
from spectral.domains.samples.errors import NoHoldoutError
from spectral.domains.scans.models import Scan, ScanCandidate
from spectral.domains.scans.repository import (
    NewEvent,
    ScanCandidateRepository,
    ScanQuestionRepository,
    ScanRepository,
)
from spectral.domains.scans.states import Outcome, Phase
from spectral.domains.scans.work import PhaseResult, ScanWork
from spectral.domains.workspaces.errors import OutsideAutonomyError
from spectral.platform.shared.pagination import Page

CLUSTERS_NAMED = 3
RATIONALE_CHARACTERS = 4_000


async def safety(work: ScanWork) -> PhaseResult:
    """The scan's outcome. Proposing and starting the look is one transaction, so a crash never spends a second look."""
    if work.results[Phase.EVALUATE]["winner"] is None:
        return PhaseResult(_nothing())
    changeset_id, validation_id = await _propose(work)
    if validation_id is None:
        return PhaseResult(_nothing() | {"outcome": Outcome.INCONCLUSIVE.value, "changeset_id": str(changeset_id)})
    validation = await validate(work.execution, validation_id, door=work.door, runtimes=work.runtimes)
    document = {
        "outcome": Outcome(validation.verdict or Outcome.INCONCLUSIVE).value,
        "changeset_id": str(changeset_id),
        "validation_id": str(validation_id),
        "validation": validation_document(validation),
    }
    shown = {"verdict": validation.verdict, "reasons": list(validation.reasons), "n_more": validation.n_more}
    return PhaseResult(document, [NewEvent("scan.holdout_answered", shown)])


def validation_document(validation: Validation) -> dict[str, Any]:
    """A look as a scan's result shows it."""
    evidence = validation.evidence or {}
    return {
        "status": validation.status,
        "verdict": validation.verdict,
        "reasons": list(validation.reasons),
        "n_more": validation.n_more,
        "holdout_id": str(validation.holdout_id),
        "holdout_digest": validation.holdout_digest,
        "look": validation.look,
        "looks_planned": validation.looks_planned,
        "alpha": validation.alpha,
        "items": validation.items,
        "minimum_effect": validation.minimum_effect,
        **{
            name: evidence.get(name)
            for name in ("n", "effect", "effect_95", "p_value", "guards", "champion", "challenger", "missing")
        },
    }


async def _propose(work: ScanWork) -> tuple[UUID, UUID | None]:
    """The change set and its look, which is None where the holdout cannot be asked any more."""
    async with work.writing() as session:
        scans = ScanRepository(session, work.access)
        scan = await scans.lock(work.scan.id)
        if scan.changeset_id is not None:
            begun = None if scan.holdout_id is None else await _begun_look(session, work, scan.changeset_id)
            return scan.changeset_id, begun
        candidate = await _winner(session, work)
        changeset = await _changeset(session, work, candidate)
        scan.changeset_id = changeset.id
        await scans.flush()
        events = [
            NewEvent(
                "scan.changeset_proposed",
                {"ordinal": candidate.ordinal, "candidate_version": changeset.candidate_version},
                Phase.SAFETY,
            )
        ]
        validation: Validation | None = None
        if work.scan.holdout_id is None:
            await work.append(session, events)
            return changeset.id, None
        try:
            validation = await ValidationService(session, work.access).start_validation(
                changeset.id,
                repeats=work.pinned.plan.repeats,
                max_cost_nano_usd=await _money_left(session, work, scan),
            )
        except (HoldoutSpentError, NoHoldoutError, TooFewSamplesError, OutsideAutonomyError) as error:
            # Somebody else used the holdout up meanwhile, or only people may ask it here; the proposal stands, and can
            # be validated later.
            events.append(NewEvent("scan.warning", {"message": error.detail}, Phase.SAFETY))
        else:
            data = {"look": validation.look, "alpha": validation.alpha, "items": validation.items}
            events.append(NewEvent("scan.holdout_asked", data, Phase.SAFETY))
        await work.append(session, events)
        return changeset.id, None if validation is None else validation.id


async def _begun_look(session: AsyncSession, work: ScanWork, changeset_id: UUID) -> UUID | None:
    """The look that an earlier execution of this scan began, whether or not it has its verdict."""
    found, _ = await ValidationService(session, work.access).list_validations(changeset_id, Page(limit=100))
    # A person may have asked for further looks meanwhile; the scan's own is the first.
    return found[-1].id if found else None


async def _winner(session: AsyncSession, work: ScanWork) -> ScanCandidate:
    ordinal = work.results[Phase.EVALUATE]["winner"]
    candidates = await ScanCandidateRepository(session, work.access).of_scan(work.scan.id)
    return candidates[int(ordinal) - 1]


async def _changeset(session: AsyncSession, work: ScanWork, candidate: ScanCandidate) -> Changeset:
    scan = work.scan
    config = await AgentService(session, work.access).add_config(
        scan.agent_id,
        apply_changes(work.pinned.champion, candidate.changes),
        origin=f"scan:{scan.id}",
        note=candidate.rationale[:2000],
        base_version=scan.base_version,
    )
    effects = [_effect(one) for one in work.results[Phase.DIAGNOSE]["changed"]]
    experiment_id = work.results[Phase.EVALUATE].get("experiment_id")
    agent = await AgentService(session, work.access).read_agent(scan.agent_id)
    return await ChangesetService(session, work.access).propose(
        Proposal(
            agent_id=scan.agent_id,
            base_version=scan.base_version,
            candidate_version=config.version,
            target_environment=scan.target_environment,
            rationale=rationale(work, candidate),
            sample_set_id=scan.sample_set_id,
            rubric_id=scan.rubric_id,
            rubric_version=scan.rubric_version,
            objective_id=scan.objective_id,
            objective=work.pinned.objective,
            scan_id=scan.id,
            experiment_id=None if experiment_id is None else UUID(experiment_id),
            clusters=effects,
            search_cost_nano_usd=await _spent(session, work),
            execution=execution_of(agent),
            flags=work.results[Phase.GENERATE].get("flags", {}).get(str(candidate.ordinal), {}),
        )
    )


def rationale(work: ScanWork, candidate: ScanCandidate) -> str:
    """Why this candidate is proposed, in sentences that claim no more than was measured."""
    evaluated = work.results[Phase.EVALUATE]
    result = next(one for one in evaluated["results"] if one["ordinal"] == candidate.ordinal)
    before, after = 100 * evaluated["champion"]["accuracy"], 100 * result["arm_accuracy"]
    gain, low, high = (100 * result[name] for name in ("effect", "low", "high"))
    sentences = [
        f"{candidate.strategy}: {candidate.rationale}.",
        f"On {result['n']} items of the select split: accuracy {before:.1f} % → {after:.1f} %,",
        f"objective {gain:+.1f} points (95 % interval {low:+.1f} to {high:+.1f}).",
    ]
    return " ".join([*sentences, *diagnosed_sentences(work.results[Phase.DIAGNOSE])])[:RATIONALE_CHARACTERS]


def diagnosed_sentences(diagnosis: dict[str, Any]) -> list[str]:
    """Which kinds of failure it repairs, and everything that it breaks, also where nobody wants to hear of it."""
    named = [one for one in diagnosis["clusters"] if not one.get("muted")]
    named = sorted(named, key=lambda each: -each["fixed"])[:CLUSTERS_NAMED]
    sentences = [f'Fixed {one["fixed"]} of {one["size"]} in "{one["label"]}", broke {one["broken"]}.' for one in named]
    rest = [one for one in diagnosis["clusters"] if one not in named]
    rest += [diagnosis["unclustered"]] if diagnosis["unclustered"] is not None else []
    if sum(one["size"] + one["broken"] for one in rest):
        fixed, size, broken = (sum(one[name] for one in rest) for name in ("fixed", "size", "broken"))
        sentences.append(f"Of all other failures fixed {fixed} of {size}, broke {broken}.")
    return sentences


def _effect(changed: dict[str, Any]) -> ClusterEffect:
    """What was found for one cluster, or for what is in none."""
    cluster_id = changed["cluster_id"]
    return ClusterEffect(
        cluster_id=None if cluster_id is None else UUID(cluster_id),
        fixed=len(changed["fixed"]),
        broke=len(changed["broken"]),
        fixed_items=[UUID(item) for item in changed["fixed"]],
        broken_items={UUID(item): terms for item, terms in changed["broken"].items()},
    )


async def _spent(session: AsyncSession, work: ScanWork) -> int | None:
    """What the search has cost; None where a price is unknown."""
    lines = await cost_by_model(session, work.access, work.scan.id)
    questions = await ScanQuestionRepository(session, work.access).costs(work.scan.id)
    if any(line.unpriced_calls for line in lines) or any(asked.cost_nano_usd is None for asked in questions):
        return None
    evaluations = sum((line.cost_nano_usd or 0) + line.reserved_nano_usd for line in lines)
    return evaluations + sum(asked.cost_nano_usd or 0 for asked in questions)


async def _money_left(session: AsyncSession, work: ScanWork, scan: Scan) -> int | None:
    """What of the scan's budget in US dollars is left for the look; None where money is not limited."""
    if scan.max_cost_nano_usd is None:
        return None
    return max(0, scan.max_cost_nano_usd - (await _spent(session, work) or 0))


def _nothing() -> dict[str, Any]:
    return {
        "outcome": Outcome.NO_IMPROVEMENT.value,
        "changeset_id": None,
        "validation_id": None,
        "validation": None,
    }
