"""A look at a holdout: both arms measured on the same frozen items, then the decision. Resumable at every point."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import AgentRuntime, Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.autonomy import AutomaticAcceptance
from spectral.domains.changesets.decision import Decision, Reason, Verdict
from spectral.domains.changesets.ledger import LookPlan, items_of_stage
from spectral.domains.changesets.models import Changeset, HoldoutLedger, Validation
from spectral.domains.changesets.numbers import decide_look, evidence_of, seed_of_look
from spectral.domains.changesets.replica_checks import ReplicaCheckService
from spectral.domains.changesets.repository import ChangesetRepository, LedgerRepository, ValidationRepository
from spectral.domains.changesets.service import ChangesetService
from spectral.domains.changesets.states import ChangesetState
from spectral.domains.changesets.validation import KIND
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.calibration import CalibrationService
from spectral.domains.evaluations.measurement import Measured, Measurement, cost_by_model
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.samples.sample import Sample
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.nodes.tasks import TaskContext, TaskFunction
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

INTERLEAVED = 100
"""Items measured on one arm before the other has its turn, so that a slow minute does not hit one arm alone."""

log = structlog.get_logger(__name__)


class Execution(Protocol):
    """What a look needs of whatever executes it; a scan that takes its own passes its own."""

    database: Database
    access: WorkspaceAccess

    async def raise_if_cancelled(self) -> None:
        """Raises WorkCancelledError when the work should end."""

    async def fence(self, session: AsyncSession) -> None:
        """Raises when another execution owns the work now."""


class _ClosedMeanwhileError(Exception):
    """Somebody rejected or superseded the change set: nobody waits for the verdict."""


@dataclass(frozen=True, slots=True)
class _Look:
    validation: Validation
    changeset: Changeset
    champion: ConfigDocument
    challenger: ConfigDocument
    rubric: RubricSpec
    objective: ObjectiveSpec
    items: list[Sample]
    runtime: AgentRuntime
    further_items: int | None
    replica_is_shown: bool


class RunExecution:
    """A look, or an experiment, as a node of a run: interrupted at its next await when the run ends from outside."""

    def __init__(self, context: TaskContext) -> None:
        self.database = context.database
        self.access = context.access
        self._fence = context.fence

    async def fence(self, session: AsyncSession) -> None:
        """Raises LeaseLostError when another execution has the look."""
        await self._fence(session)

    async def raise_if_cancelled(self) -> None:
        """A cancelled run's nodes are told by their task's cancellation."""


def validation_task(door: ModelDoor, runtimes: Runtimes) -> TaskFunction:
    """What the node of `validation.WORKFLOW` calls."""

    async def look(context: TaskContext) -> Any:
        validation_id = UUID(context.inputs["validation_id"])
        validation = await validate(RunExecution(context), validation_id, door=door, runtimes=runtimes)
        return {"status": validation.status, "verdict": validation.verdict, "n_more": validation.n_more}

    return look


class ValidationEnding:
    """A look whose run ended before it did told nobody anything; what the run's listener is for."""

    async def run_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """The look is failed or cancelled, without a verdict; nothing if it had ended."""
        validation = await ValidationRepository(session, access).get(UUID(run.inputs["validation_id"]))
        if validation.finished_at is not None:
            return
        if run.status == RunStatus.CANCELLED:
            await _note_end(session, access, validation, "cancelled", Reason.CANCELLED, None)
            return
        error = run.error or {}
        failure = {"type": error.get("type"), "detail": error.get("message")}
        await _note_end(session, access, validation, "failed", Reason.EXECUTION_FAILED, failure)


async def validate(execution: Execution, validation_id: UUID, *, door: ModelDoor, runtimes: Runtimes) -> Validation:
    """The look has its verdict, and so has its change set; a finished look is answered as it is.

    No transaction is open while anything is executed. What was measured before a crash is read from the journal, so
    the verdict is the same. A refusal (a spent budget, an unknown model) ends as `failed`, inconclusive. Raises what
    the execution raises when it is cancelled or has lost its lease, and whatever was not foreseen, after noting it.
    door: to the models that score.  runtimes: where the agent's runtime is found.
    """
    validation = await _begin(execution, validation_id)
    if validation.finished_at is not None:
        return validation
    try:
        look = await _load(execution, validation, runtimes)
        champion, challenger = await _measure(execution, look, door)
        decision = await asyncio.to_thread(_decide, look, champion, challenger)
        evidence = evidence_of(look.objective, decision, look.items, champion, challenger)
    except _ClosedMeanwhileError:
        return await _end_without_verdict(execution, validation_id, "cancelled", Reason.CANCELLED, None)
    except WorkCancelledError:
        await _end_without_verdict(execution, validation_id, "cancelled", Reason.CANCELLED, None)
        raise
    except LeaseLostError:
        raise
    except SpectralError as error:
        failure = {"type": error.slug, "detail": error.detail}
        return await _end_without_verdict(execution, validation_id, "failed", Reason.EXECUTION_FAILED, failure)
    except Exception as error:
        if is_passing(error):
            raise  # a database that is away is not the look's failure: whoever executes tries again
        log.exception("validation_failed", validation_id=str(validation_id))
        failure = {"type": "internal-error", "detail": type(error).__name__}
        await _end_without_verdict(execution, validation_id, "failed", Reason.EXECUTION_FAILED, failure)
        raise
    return await _finish(execution, look, decision, evidence)


async def _begin(execution: Execution, validation_id: UUID) -> Validation:
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        validations = ValidationRepository(session, execution.access)
        validation = await validations.get(validation_id)
        if validation.finished_at is None:
            validation.status = "running"
            validation.started_at = validation.started_at or utc_now()
            await validations.flush()
        return validation


async def _load(execution: Execution, validation: Validation, runtimes: Runtimes) -> _Look:
    access = execution.access
    async with execution.database.transaction(access, read_only=True) as session:
        changeset = await ChangesetRepository(session, access).get(validation.changeset_id)
        agents = AgentService(session, access)
        agent = await agents.read_agent(changeset.agent_id)
        champion = await agents.read_config(agent.id, changeset.base_version)
        challenger = await agents.read_config(agent.id, changeset.candidate_version)
        rubric = await RubricService(session, access).read_rubric_spec(changeset.rubric_id, changeset.rubric_version)
        samples = await SampleService(session, access).holdout_items(validation.holdout_id)
        shown = await ReplicaCheckService(session, access).is_shown(agent.id, changeset.base_config_hash)
        ledger = await LedgerRepository(session, access).find(HoldoutLedger.holdout_id == validation.holdout_id)
    plan = LookPlan.for_holdout(len(samples)) if ledger is None else LookPlan.from_document(ledger.plan)
    return _Look(
        validation=validation,
        changeset=changeset,
        champion=champion.read_document(),
        challenger=challenger.read_document(),
        rubric=rubric,
        objective=ObjectiveSpec.model_validate(changeset.objective),
        items=items_of_stage(
            samples,
            [sample.group_key for sample in samples],
            [str(sample.id) for sample in samples],
            validation.holdout_digest,
            validation.items,
        ),
        runtime=runtimes.of(access, agent, subject=f"{KIND}:{validation.id}"),
        further_items=plan.further_items(validation.stage),
        replica_is_shown=shown,
    )


async def _measure(execution: Execution, look: _Look, door: ModelDoor) -> tuple[list[Measured], list[Measured]]:
    validation = look.validation

    async def checkpoint() -> None:
        await execution.raise_if_cancelled()
        async with execution.database.transaction(execution.access, read_only=True) as session:
            changeset = await ChangesetRepository(session, execution.access).get(validation.changeset_id)
        if changeset.state != ChangesetState.VALIDATING:
            raise _ClosedMeanwhileError

    measurement = Measurement(
        execution.database,
        execution.access,
        look.runtime,
        look.rubric,
        subject_kind=KIND,
        subject_id=validation.id,
        budget=Budget(2 * len(look.items) * validation.repeats, validation.max_cost_nano_usd),
        checkpoint=checkpoint,
        fence=execution.fence,
        door=door,
        counts_once=True,
    )

    async def arm(config: ConfigDocument, items: Sequence[Sample]) -> list[Measured]:
        return await measurement.measure(config, items, purpose="agent", repeats=validation.repeats)

    champion: list[Measured] = []
    challenger: list[Measured] = []
    for start in range(0, len(look.items), INTERLEAVED):
        items = look.items[start : start + INTERLEAVED]
        champion += await arm(look.champion, items)
        challenger += await arm(look.challenger, items)
    return champion, challenger


def _decide(look: _Look, champion: Sequence[Measured], challenger: Sequence[Measured]) -> Decision:
    changeset, validation = look.changeset, look.validation
    hashes = (changeset.base_config_hash, changeset.candidate_config_hash)
    decision = decide_look(
        look.objective,
        look.items,
        champion,
        challenger,
        alpha=validation.alpha,
        identical=hashes[0] == hashes[1],
        next_stage_items=look.further_items,
        seed=seed_of_look(validation.holdout_digest, *hashes, validation.look),
    )
    if changeset.execution == "replica" and not look.replica_is_shown and decision.verdict is not Verdict.INCONCLUSIVE:
        # What was executed is a reconstruction of the agent that nobody has shown to agree with it, so the holdout
        # cannot speak for the agent itself.
        return replace(decision, verdict=Verdict.INCONCLUSIVE, reasons=(Reason.REPLICA,))
    return decision


async def _finish(execution: Execution, look: _Look, decision: Decision, evidence: dict[str, Any]) -> Validation:
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        cost = await _cost(session, execution.access, look.validation.id)
        validations = ValidationRepository(session, execution.access)
        validation = await validations.get(look.validation.id)
        validation.status, validation.finished_at = "completed", utc_now()
        validation.verdict = decision.verdict
        validation.reasons = [reason.value for reason in decision.reasons]
        validation.n_more = decision.n_more
        # How well the judges of this gain agree with people is part of what the verdict rests on.
        changeset, calibration = look.changeset, CalibrationService(session, execution.access)
        judges = await calibration.calibration_of(changeset.rubric_id, changeset.rubric_version)
        validation.evidence = {**evidence, "judges": [judge.to_document() for judge in judges]}
        validation.cost_nano_usd = cost
        await validations.flush()
        await ChangesetService(session, execution.access).record_verdict(
            validation.changeset_id, decision.verdict, _audited(validation)
        )
        if validation.look == validation.looks_planned:
            await _retire(session, execution.access, validation)
        await AutomaticAcceptance(session, execution.access).consider(validation.changeset_id)
    return validation


async def _end_without_verdict(
    execution: Execution, validation_id: UUID, status: str, reason: Reason, failure: dict[str, Any] | None
) -> Validation:
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        validation = await ValidationRepository(session, execution.access).get(validation_id)
        await _note_end(session, execution.access, validation, status, reason, failure)
    return validation


async def abandon_look(session: AsyncSession, access: WorkspaceAccess, changeset_id: UUID, requested_by: str) -> None:
    """The look that its scan was taking, if any, is cancelled without a verdict; it told nobody anything.

    requested_by: the scan's own actor; a look that somebody asked for by hand has a run of its own, which goes on.
    """
    for validation in await ValidationRepository(session, access).of_changeset(changeset_id):
        if validation.finished_at is None and validation.requested_by == requested_by:
            await _note_end(session, access, validation, "cancelled", Reason.CANCELLED, None)


async def _note_end(
    session: AsyncSession,
    access: WorkspaceAccess,
    validation: Validation,
    status: str,
    reason: Reason,
    failure: dict[str, Any] | None,
) -> None:
    validation.status, validation.finished_at = status, utc_now()
    validation.verdict, validation.reasons = Verdict.INCONCLUSIVE, [reason.value]
    validation.failure = failure
    validation.cost_nano_usd = await _cost(session, access, validation.id)
    await ValidationRepository(session, access).flush()
    await ChangesetService(session, access).record_verdict(
        validation.changeset_id, Verdict.INCONCLUSIVE, _audited(validation)
    )


async def _retire(session: AsyncSession, access: WorkspaceAccess, validation: Validation) -> None:
    samples = SampleService(session, access)
    holdout = await samples.read_holdout(validation.holdout_id)
    if holdout.retired_at is None:
        await samples.retire_holdout(holdout.id, f"all {validation.looks_planned} planned looks are taken")


async def _cost(session: AsyncSession, access: WorkspaceAccess, validation_id: UUID) -> int | None:
    """What the look cost; None where a call of unknown price makes the sum unknown."""
    lines = await cost_by_model(session, access, validation_id)
    if any(line.unpriced_calls for line in lines):
        return None
    return sum((line.cost_nano_usd or 0) + line.reserved_nano_usd for line in lines)


def _audited(validation: Validation) -> dict[str, Any]:
    return {
        "validation_id": str(validation.id),
        "holdout_id": str(validation.holdout_id),
        "look": validation.look,
        "reasons": list(validation.reasons),
        "n_more": validation.n_more,
    }
