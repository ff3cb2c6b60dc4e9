"""Experiments by hand: asked for, pinned to what they compare, and cancelled."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.lifecycle import refuse_archived
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import PROMPT, Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.agents.settings import execution_of
from spectral.domains.changesets.errors import ExperimentLaunchedError, SampleSetVersionError, TooFewSamplesError
from spectral.domains.changesets.experiment_schemas import ArmIn, ExperimentIn
from spectral.domains.changesets.experiments import CompletedExperiment, ExperimentService
from spectral.domains.changesets.ledger import MINIMUM_ITEMS
from spectral.domains.changesets.models import Experiment, ExperimentArm
from spectral.domains.changesets.repository import ArmRepository, ExperimentRepository
from spectral.domains.evaluations.errors import BudgetExhaustedError, UnknownDimensionError
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scorers.models import LOCAL_EMBEDDING
from spectral.domains.evaluations.service import (
    ObjectiveService,
    RubricService,
    VersionedRubric,
    objective_spec_of,
    spec_of,
)
from spectral.domains.samples.sample import digest_of
from spectral.domains.samples.service import SampleService
from spectral.domains.workflows.definitions.model import Definition, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.platform_runs import launch_platform_run
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import ScopedAuthority
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import MissingCredentialError
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    FieldError,
    InvalidTransitionError,
    ValidationFailedError,
)
from spectral.platform.shared.ids import new_id

KIND = "experiment"
"""The adapter of the runs, the engine's kind of work, and the subject of the journal."""
TASK = "experiment.measure"
WORKFLOW = Definition(
    name="spectral.experiment",
    description="Compares configurations that somebody wrote",
    graph=Graph((Node("measure", NodeKind.TASK, params={"function": TASK}),), ()),
)
ITEMS_MAXIMUM = 2_000
"""Of a larger split the items with the least hashes are used: a fixed random part."""
OUTPUTS = "outputs"
WAITING = "waiting"
"""The status of an experiment that has no run yet: its outputs are still to be brought."""
ENDED = frozenset({"completed", "failed", "cancelled"})


@dataclass(frozen=True, slots=True)
class Arm:
    """One configuration of an experiment, found."""

    label: str
    version: int | None
    document: ConfigDocument
    config_hash: str


class ExperimentLauncher:
    """Starts and cancels experiments, in the caller's transaction."""

    def __init__(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        launcher: Launcher,
        *,
        door: ModelDoor | None = None,
        runtimes: Runtimes | None = None,
    ) -> None:
        """door, runtimes: for `start`."""
        self._session = session
        self._access = access
        self._launcher = launcher
        self._door = door
        self._runtimes = runtimes
        self._experiments = ExperimentRepository(session, access)
        self._arms = ArmRepository(session, access)

    async def start(self, request: ExperimentIn) -> CompletedExperiment:
        """The experiment is queued, and a run measures it once this transaction has committed; or it waits for outputs.

        Raises NotFoundError, ValidationFailedError (422), and 400 for what the agent, the data or the budget do not
        allow: NotExecutableError, UnknownModelError, MissingCredentialError, ScorerNotInstalledError,
        SampleSetVersionError, TooFewSamplesError, BudgetExhaustedError.
        """
        self._access.require(Scope.WRITE_WORKSPACE)
        agents = AgentService(self._session, self._access)
        agent = await agents.read_agent(request.agent_id)
        refuse_archived(agent)
        arms = [await self._arm(agents, agent, arm) for arm in request.arms]
        _refuse_twins(arms)
        rubric, objective = await self._measure_of(request)
        await self._check_executable(agent, arms, rubric, outputs=request.execution == OUTPUTS)
        experiment = await self._pin(request, agent, rubric, objective, len(arms))
        for position, arm in enumerate(arms):
            self._arms.add(
                ExperimentArm(
                    experiment_id=experiment.id,
                    position=position,
                    label=arm.label,
                    version=arm.version,
                    config_hash=arm.config_hash,
                    config=arm.document.as_json() if arm.version is None else None,
                    changes={},
                    summary={},
                    frontier=False,
                )
            )
        await self._arms.flush()
        await self._audit(experiment, "experiment.created", {"agent_id": str(agent.id), "arms": len(arms)})
        if experiment.status == "queued":
            await self.launch(experiment)
        return await ExperimentService(self._session, self._access).read_experiment(experiment.id)

    async def launch(self, experiment: Experiment) -> None:
        """A run of the experiment's id measures it once this transaction has committed."""
        inputs = {"experiment_id": str(experiment.id)}
        await launch_platform_run(
            self._launcher, self._session, self._access, WORKFLOW, experiment.id, inputs, adapter=KIND
        )

    async def cancel(self, experiment_id: UUID) -> CompletedExperiment:
        """Nothing of it is executed any more; what was measured is kept. Asking again is harmless.

        Raises NotFoundError, InvalidTransitionError (400) for one that ended otherwise, and ExperimentLaunchedError
        (409) for one whose last outputs arrived at this moment.
        """
        self._access.require(Scope.WRITE_WORKSPACE)
        experiment = await self._experiments.get(experiment_id)
        waits = experiment.status == WAITING
        if not waits and experiment.status not in ENDED:
            # The run first, as everywhere: whoever measures holds the run while it writes to the experiment.
            await RunRepository(self._session, self._access).lock(experiment_id)
        if experiment.status not in ENDED:
            # Somebody else may have ended it, or have brought what it waited for, until it was ours.
            experiment = await self._experiments.lock(experiment_id)
        before = experiment.status
        if before in ENDED and before != "cancelled":
            raise InvalidTransitionError(f"An experiment that is {before} cannot be cancelled", state=before)
        if before == WAITING:
            experiment.status, experiment.finished_at = "cancelled", utc_now()
            await self._experiments.flush()
        elif before != "cancelled":
            if waits:
                raise ExperimentLaunchedError
            actions = RunActions(self._session, self._access, self._launcher, ScopedAuthority(self._access))
            await actions.terminate_run(str(experiment_id), None)
        if before != "cancelled":
            await self._audit(experiment, "experiment.cancelled", {"status": before})
        return await ExperimentService(self._session, self._access).read_experiment(experiment_id)

    async def _arm(self, agents: AgentService, agent: Agent, asked: ArmIn) -> Arm:
        if asked.config is not None:
            return Arm(asked.label, None, asked.config, canonical_hash(asked.config))
        stored = await agents.read_config(agent.id, asked.version or 0)
        return Arm(asked.label, stored.version, stored.read_document(), stored.config_hash)

    async def _check_executable(
        self, agent: Agent, arms: Sequence[Arm], rubric: VersionedRubric, *, outputs: bool
    ) -> None:
        """What it will call is there: the agent, the models of its arms and of the scorers, and their credentials."""
        if self._door is None or self._runtimes is None:
            raise RuntimeError("an experiment is started where models and runtimes are given")
        models = set(spec_of(rubric).models - {LOCAL_EMBEDDING})
        if not outputs:
            self._runtimes.check(agent)
            if agent.runtime == PROMPT:
                models.update(arm.document.model for arm in arms)
        missing = await self._door.missing_credentials(self._access, sorted(models))
        if missing:
            raise MissingCredentialError(missing)

    async def _measure_of(self, request: ExperimentIn) -> tuple[VersionedRubric, ObjectiveSpec]:
        objective = None
        if request.objective_id is not None:
            objective = await ObjectiveService(self._session, self._access).read_objective(request.objective_id)
        rubric_id = request.rubric_id or (None if objective is None else objective.rubric_id)
        if rubric_id is None:
            detail = "is needed where no objective says which rubric it is for"
            raise ValidationFailedError("The request is not complete", [FieldError("/rubric_id", detail)])
        if objective is not None and objective.rubric_id not in {None, rubric_id}:
            raise BusinessRuleViolationError("The objective is for another rubric than the one of the request")
        rubric = await RubricService(self._session, self._access).read_rubric(rubric_id, request.rubric_version)
        spec = ObjectiveSpec() if objective is None else objective_spec_of(objective)
        unknown = sorted(spec.dimensions - {each["name"] for each in rubric.version.document["dimensions"]})
        if unknown:
            raise UnknownDimensionError(
                f"A guard of the objective names the dimension {unknown[0]!r}, which the rubric does not have",
                dimension=unknown[0],
            )
        return rubric, spec

    async def _pin(
        self, request: ExperimentIn, agent: Agent, rubric: VersionedRubric, objective: ObjectiveSpec, arms: int
    ) -> Experiment:
        samples = SampleService(self._session, self._access)
        sample_set = await samples.read_set(request.sample_set_id)
        if request.sample_set_version not in {None, sample_set.version}:
            raise SampleSetVersionError(request.sample_set_version or 0, sample_set.version)
        items = await samples.split_items(sample_set.id, request.split, limit=ITEMS_MAXIMUM)
        if len(items) < MINIMUM_ITEMS:
            raise TooFewSamplesError(len(items), MINIMUM_ITEMS, what=f"A comparison on {request.split}")
        needed = arms * len(items) * request.repeats
        maximum = request.budget.max_evaluations or needed
        if needed > maximum:
            raise BudgetExhaustedError(
                f"{arms} arms on {len(items)} items, {request.repeats} times each, need {needed} evaluations; "
                f"the budget allows {maximum}",
                limit="evaluations",
                needed=needed,
                left=maximum,
            )
        outputs = request.execution == OUTPUTS
        experiment = self._experiments.add(
            Experiment(
                id=new_id(),
                agent_id=agent.id,
                name=request.name or f"{request.arms[1].label} against {request.arms[0].label}"[:200],
                sample_set_id=sample_set.id,
                sample_set_version=sample_set.version,
                split=request.split,
                rubric_id=rubric.rubric.id,
                rubric_version=rubric.version.version,
                objective=objective.model_dump(mode="json"),
                items=len(items),
                item_ids=[str(item.id) for item in items],
                items_digest=await asyncio.to_thread(digest_of, items),
                repeats=request.repeats,
                seed=request.seed,
                margin=objective.minimum_effect if request.margin is None else request.margin,
                max_evaluations=maximum,
                max_cost_nano_usd=request.budget.max_cost_usd,
                execution=OUTPUTS if outputs else execution_of(agent),
                status=WAITING if outputs else "queued",
                created_by=self._access.actor,
            )
        )
        await self._experiments.flush()
        return experiment

    async def _audit(self, experiment: Experiment, action: str, detail: dict[str, object]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"experiment:{experiment.id}",
            detail=detail,
        )


def _refuse_twins(arms: Sequence[Arm]) -> None:
    first: dict[str, str] = {}
    problems = []
    for place, arm in enumerate(arms):
        if arm.config_hash in first:
            problems.append(FieldError(f"/arms/{place}", f"is the same configuration as {first[arm.config_hash]}"))
        first.setdefault(arm.config_hash, f"/arms/{place}")
    if problems:
        raise ValidationFailedError("Two arms are one configuration: there is nothing to compare", problems)
