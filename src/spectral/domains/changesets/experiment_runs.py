"""An experiment is measured: every arm on the same pinned items, then compared. Resumable at every point."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import structlog
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.runtime import IN_FLIGHT, AgentRuntime, Execution, Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.errors import ExperimentItemsChangedError
from spectral.domains.changesets.experiment_comparing import compare_arms, frontier_of, summarise_arm
from spectral.domains.changesets.experiment_launching import ENDED, KIND, OUTPUTS
from spectral.domains.changesets.experiment_outputs import execution_of
from spectral.domains.changesets.looks import INTERLEAVED, RunExecution
from spectral.domains.changesets.looks import Execution as Executor
from spectral.domains.changesets.models import Experiment, ExperimentArm
from spectral.domains.changesets.repository import ArmRepository, ExperimentRepository, OutputRepository
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.measurement import Measured, Measurement, cost_by_model, seed_of
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.samples.canonical import sha256_of
from spectral.domains.samples.sample import Sample, digest_of
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.nodes.tasks import TaskContext, TaskFunction
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.events import EventType, emit
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What an experiment was pinned to, read once an execution."""

    experiment: Experiment
    arms: list[ExperimentArm]
    documents: list[ConfigDocument]
    rubric: RubricSpec
    objective: ObjectiveSpec
    items: list[Sample]
    runtime: AgentRuntime


def experiment_task(door: ModelDoor, runtimes: Runtimes) -> TaskFunction:
    """What the node of `experiment_launching.WORKFLOW` calls."""

    async def measure(context: TaskContext) -> Any:
        experiment_id = UUID(context.inputs["experiment_id"])
        experiment = await run_experiment(RunExecution(context), experiment_id, door=door, runtimes=runtimes)
        return {"status": experiment.status}

    return measure


class ExperimentEnding:
    """An experiment whose run ended before it did; what the run's listener is for."""

    async def run_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """It is failed or cancelled; nothing if it had ended."""
        experiment = await ExperimentRepository(session, access).lock(run.id)
        if experiment.status in ENDED:
            return
        if run.status == RunStatus.CANCELLED:
            await _note_end(session, access, experiment, "cancelled", None)
            return
        error = run.error or {}
        failure = {"type": str(error.get("type")), "detail": str(error.get("message"))}
        await _note_end(session, access, experiment, "failed", failure)


async def run_experiment(
    execution: Executor, experiment_id: UUID, *, door: ModelDoor, runtimes: Runtimes
) -> Experiment:
    """The experiment is completed with its numbers; one that has ended is answered as it is.

    No transaction is open while anything is executed. What was measured before a crash is read from the journal, so the
    numbers are the same. A refusal (a spent budget, an unknown model) ends as `failed`. Raises what the execution
    raises when it is cancelled or has lost its lease, and whatever was not foreseen, after noting it.
    """
    experiment = await _begin(execution, experiment_id)
    if experiment.status in ENDED:
        return experiment
    try:
        subject = await _load(execution, experiment, runtimes)
        measured = await _measure(execution, subject, door)
        numbers = await asyncio.to_thread(_compare, subject, measured)
    except (LeaseLostError, WorkCancelledError):
        raise
    except SpectralError as error:
        return await _fail(execution, experiment_id, {"type": error.slug, "detail": error.detail})
    except Exception as error:
        if is_passing(error):
            raise  # a database that is away is not the experiment's failure: whoever executes tries again
        log.exception("experiment_failed", experiment_id=str(experiment_id))
        await _fail(execution, experiment_id, {"type": "internal-error", "detail": type(error).__name__})
        raise
    return await _finish(execution, subject, *numbers)


async def _begin(execution: Executor, experiment_id: UUID) -> Experiment:
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        experiments = ExperimentRepository(session, execution.access)
        experiment = await experiments.get(experiment_id)
        if experiment.status not in ENDED:
            experiment.status = "running"
            experiment.started_at = experiment.started_at or utc_now()
            await experiments.flush()
        return experiment


async def _load(execution: Executor, experiment: Experiment, runtimes: Runtimes) -> _Subject:
    access = execution.access
    async with execution.database.transaction(access, read_only=True) as session:
        agents = AgentService(session, access)
        agent = await agents.read_agent(experiment.agent_id)
        arms = (await ArmRepository(session, access).of_experiments([experiment.id]))[experiment.id]
        documents = [await _document(agents, experiment, arm) for arm in arms]
        rubric = await RubricService(session, access).read_rubric_spec(experiment.rubric_id, experiment.rubric_version)
        pinned = await ExperimentRepository(session, access).item_ids(experiment.id)
        items = await SampleService(session, access).searchable_items(experiment.sample_set_id, pinned)
    if len(items) < len(pinned) or await asyncio.to_thread(digest_of, items) != experiment.items_digest:
        raise ExperimentItemsChangedError(
            f"Samples of the split {experiment.split} were changed or deleted since the experiment was asked for; "
            "ask for it again"
        )
    runtime: AgentRuntime
    if experiment.execution == OUTPUTS:
        runtime = BroughtOutputs(execution.database, access, experiment, items)
    else:
        runtime = runtimes.of(access, agent, subject=f"{KIND}:{experiment.id}")
    objective = ObjectiveSpec.model_validate(experiment.objective)
    return _Subject(experiment, arms, documents, rubric, objective, items, runtime)


async def _document(agents: AgentService, experiment: Experiment, arm: ExperimentArm) -> ConfigDocument:
    if arm.config is not None:
        return ConfigDocument.model_validate(arm.config)
    return (await agents.read_config(experiment.agent_id, arm.version or 0)).read_document()


async def _measure(execution: Executor, subject: _Subject, door: ModelDoor) -> list[list[Measured]]:
    experiment = subject.experiment
    evaluations = len(subject.arms) * len(subject.items) * experiment.repeats
    measurement = Measurement(
        execution.database,
        execution.access,
        subject.runtime,
        subject.rubric,
        subject_kind=KIND,
        subject_id=experiment.id,
        budget=Budget(experiment.max_evaluations or evaluations, experiment.max_cost_nano_usd),
        checkpoint=execution.raise_if_cancelled,
        fence=execution.fence,
        door=door,
        ceiling=nothing_to_pay if experiment.execution == OUTPUTS else None,
        counts_once=True,
    )
    measured: list[list[Measured]] = [[] for _ in subject.arms]
    for start in range(0, len(subject.items), INTERLEAVED):
        items = subject.items[start : start + INTERLEAVED]
        for place, document in enumerate(subject.documents):
            measured[place] += await measurement.measure(document, items, purpose="agent", repeats=experiment.repeats)
    return measured


def _compare(subject: _Subject, measured: Sequence[Sequence[Measured]]) -> tuple[list[dict[str, Any]], ...]:
    """Summaries of all arms, and the comparisons of all but the first. Runs in a thread."""
    experiment = subject.experiment
    summaries = [summarise_arm(subject.objective, subject.items, one, seed=experiment.seed) for one in measured]
    effects = compare_arms(
        subject.objective,
        subject.items,
        measured[0],
        measured[1:],
        margin=experiment.margin or 0.0,
        seed=experiment.seed,
    )
    return summaries, effects


async def _finish(
    execution: Executor, subject: _Subject, summaries: list[dict[str, Any]], effects: list[dict[str, Any]]
) -> Experiment:
    frontier = frontier_of(summaries)
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        experiment = await ExperimentRepository(session, execution.access).lock(subject.experiment.id)
        arms = ArmRepository(session, execution.access)
        stored = (await arms.of_experiments([experiment.id]))[experiment.id]
        for arm, summary, effect in zip(stored, summaries, [None, *effects], strict=True):
            arm.summary, arm.effect, arm.frontier = summary, effect, arm.position in frontier
        await arms.flush()
        await _note_end(session, execution.access, experiment, "completed", None)
    return experiment


async def _fail(execution: Executor, experiment_id: UUID, failure: dict[str, Any]) -> Experiment:
    async with execution.database.transaction(execution.access) as session:
        await execution.fence(session)
        experiment = await ExperimentRepository(session, execution.access).lock(experiment_id)
        await _note_end(session, execution.access, experiment, "failed", failure)
    return experiment


async def _note_end(
    session: AsyncSession,
    access: WorkspaceAccess,
    experiment: Experiment,
    status: str,
    failure: dict[str, Any] | None,
) -> None:
    experiment.status, experiment.finished_at, experiment.failure = status, utc_now(), failure
    lines = await cost_by_model(session, access, experiment.id)
    unknown = any(line.unpriced_calls for line in lines)
    spent = sum((line.cost_nano_usd or 0) + line.reserved_nano_usd for line in lines)
    experiment.cost_nano_usd = None if unknown else spent
    await ExperimentRepository(session, access).flush()
    told = {"status": status, "agent_id": str(experiment.agent_id)}
    await emit(session, access, EventType.EXPERIMENT_FINISHED, subject=f"experiment:{experiment.id}", data=told)


def nothing_to_pay(config: ConfigDocument, value: JsonValue) -> int | None:
    """What somebody else has executed costs us nothing."""
    del config, value
    return 0


class BroughtOutputs:
    """Answers with what somebody brought, as if the agent had answered it just now."""

    in_flight = IN_FLIGHT

    def __init__(
        self, database: Database, access: WorkspaceAccess, experiment: Experiment, items: Sequence[Sample]
    ) -> None:
        self._database = database
        self._access = access
        self._experiment = experiment
        # A runtime is told input and seed, which together name an item's repeat: inputs differ within a set.
        self._places = {
            (sha256_of(item.input), seed_of(experiment.id, item.id, repeat)): (item.id, repeat)
            for item in items
            for repeat in range(experiment.repeats)
        }

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """The outputs of the config's arm, in the order of the inputs; one that is not there is missing."""
        places = [self._places[sha256_of(value), seed] for value, seed in zip(inputs, seeds, strict=True)]
        async with self._database.transaction(self._access, read_only=True) as session:
            outputs = OutputRepository(session, self._access)
            wanted = sorted({item_id for item_id, _ in places})
            found = await outputs.of_items(self._experiment.id, canonical_hash(config), wanted)
        return [replace(execution_of(found.get(place)), model=config.model) for place in places]
