"""Before a scan: what it would need, what it could show, and its start. Nothing is spent here."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, check_derived, diff_documents
from spectral.domains.agents.lifecycle import refuse_archived
from spectral.domains.agents.models import Agent, AgentConfig
from spectral.domains.agents.pointers import exists_at, value_at
from spectral.domains.agents.runtime import PROMPT, Runtimes
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.errors import HoldoutSpentError
from spectral.domains.changesets.validation import HoldoutLedgerService
from spectral.domains.evaluations.errors import UnpricedModelError
from spectral.domains.evaluations.models import Objective
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scorers.models import LOCAL_EMBEDDING
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import ObjectiveService, RubricService, VersionedRubric, objective_spec_of
from spectral.domains.samples.models import Holdout, SampleSet
from spectral.domains.samples.service import SampleService
from spectral.domains.samples.splitting import Split
from spectral.domains.scans.costing import CostForecast, forecast
from spectral.domains.scans.errors import BudgetTooSmallError, NotReadyError
from spectral.domains.scans.models import Scan
from spectral.domains.scans.plan import SYNTHETIC_ONLY, Readiness, Samples, ScanPlan, assess
from spectral.domains.scans.repository import NewEvent, ScanRepository
from spectral.domains.scans.run import KIND, WORKFLOW
from spectral.domains.scans.schemas import ScanIn
from spectral.domains.scans.states import ScanStatus
from spectral.domains.scans.strategies.registry import installed_strategies
from spectral.domains.scans.work import SPLIT_MAXIMUM
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.platform_runs import launch_platform_run
from spectral.domains.workspaces.autonomy import AutonomyService
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import MissingCredentialError
from spectral.platform.shared.errors import (
    BusinessRuleViolationError,
    FieldError,
    NotFoundError,
    ValidationFailedError,
)
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

TEMPLATE = "template"
MODEL = "/model"
FORECAST_ITEMS = 50
"""Items whose prompts are looked at to say what a scan may cost."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a scan would need and could show. `plan` is None where the budget or the data does not allow one.

    least_evaluations: the smallest budget that would do, where it is known.  cost: None without a plan.
    missing_credentials: providers that the workspace has no key for.
    """

    readiness: Readiness
    plan: ScanPlan | None
    least_evaluations: int | None
    cost: CostForecast | None
    missing_credentials: tuple[str, ...]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a request names, found and consistent. holdout: None for a scan that only searches.

    spent_looks: how many looks the last holdout allowed, where all of them are taken and there is no other; else None.
    """

    agent: Agent
    config: AgentConfig
    champion: ConfigDocument
    sample_set: SampleSet
    holdout: Holdout | None
    spent_looks: int | None
    samples: Samples
    rubric: VersionedRubric
    rubric_spec: RubricSpec
    objective: Objective
    spec: ObjectiveSpec
    candidates: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class PreparedScan:
    """A scan that may be started in the transaction that prepared it; nothing of it is written."""

    request: ScanIn
    subject: _Subject
    plan: ScanPlan
    cost: CostForecast


class ScanLauncher:
    """Previews and starts scans, in the caller's transaction."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, door: ModelDoor, runtimes: Runtimes, launcher: Launcher
    ) -> None:
        self._session = session
        self._access = access
        self._door = door
        self._runtimes = runtimes
        self._launcher = launcher

    async def preview_scan(self, request: ScanIn) -> Preview:
        """Raises NotFoundError, ValidationFailedError (422), and 400 for what more data or budget would not mend."""
        subject = await self._find(request)
        readiness = _readiness(request, subject)
        missing = list(readiness.problems)
        plan, cost, least = None, None, None
        try:
            plan = _plan(request, subject)
            cost = await self._forecast(request, subject, plan)
            least = _least(request, subject)
        except BudgetTooSmallError as error:
            least = error.extensions["needed_evaluations"]
            missing.append(error.detail)
        credentials = await self._door.missing_credentials(self._access, _models_of(request, subject))
        missing += [f"a credential for {provider}" for provider in credentials]
        plan = None if readiness.problems else plan
        return Preview(readiness, plan, least, cost, tuple(credentials), tuple(missing))

    async def check_request(self, request: ScanIn) -> None:
        """What it names is there and fits together; data and budget are not looked at. Raises as `preview_scan`."""
        await self._find(request)

    async def prepare_scan(self, request: ScanIn) -> PreparedScan:
        """Everything that could refuse the scan has been asked.

        Raises as `preview_scan`, and ObserveOnlyError, HoldoutSpentError, NotReadyError, BudgetTooSmallError,
        MissingCredentialError (400).
        """
        await AutonomyService(self._session, self._access).require_scans()
        subject = await self._find(request)
        if subject.spent_looks is not None:
            raise HoldoutSpentError(subject.spent_looks)
        _readiness(request, subject).require()
        plan = _plan(request, subject)
        credentials = await self._door.missing_credentials(self._access, _models_of(request, subject))
        if credentials:
            raise MissingCredentialError(credentials)
        return PreparedScan(request, subject, plan, await self._forecast(request, subject, plan))

    async def start_scan(self, request: ScanIn) -> Scan:
        """The scan is queued; it runs once the caller's transaction has committed. Raises as `prepare_scan`."""
        return await self.start_prepared(await self.prepare_scan(request))

    async def start_prepared(self, prepared: PreparedScan, *, max_cost_nano_usd: int | None = None) -> Scan:
        """As `start_scan`. max_cost_nano_usd: instead of the budget of the request, where given."""
        request, subject, plan = prepared.request, prepared.subject, prepared.plan
        repository = ScanRepository(self._session, self._access)
        scan = repository.add(
            Scan(
                id=new_id(),
                agent_id=request.agent_id,
                base_version=subject.config.version,
                base_config_hash=subject.config.config_hash,
                target_environment=request.target_environment,
                sample_set_id=subject.sample_set.id,
                sample_set_version=subject.sample_set.version,
                holdout_id=None if subject.holdout is None else subject.holdout.id,
                rubric_id=subject.rubric.rubric.id,
                rubric_version=subject.rubric.version.version,
                objective_id=subject.objective.id,
                objective=subject.spec.model_dump(mode="json"),
                strategies=list(request.strategies),
                options={TEMPLATE: {"candidates": subject.candidates}} if subject.candidates else {},
                reflection_model=request.reflection_model,
                seed=request.seed,
                max_evaluations=plan.max_evaluations,
                max_cost_nano_usd=request.budget.max_cost_usd if max_cost_nano_usd is None else max_cost_nano_usd,
                plan=plan.document(),
                status=ScanStatus.QUEUED.value,
                last_seq=0,
                created_by=self._access.actor,
            )
        )
        await repository.flush()
        data = {
            "strategies": list(request.strategies),
            "base_version": scan.base_version,
            "seed": scan.seed,
            "mode": request.mode,
        }
        await repository.append_events(scan.id, [NewEvent("scan.created", data)])
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="scan.started",
            subject=f"scan:{scan.id}",
            detail={"agent_id": str(scan.agent_id), "max_evaluations": scan.max_evaluations, **data},
        )
        await launch_platform_run(
            self._launcher, self._session, self._access, WORKFLOW, scan.id, {"scan_id": str(scan.id)}, adapter=KIND
        )
        return scan

    async def _find(self, request: ScanIn) -> _Subject:
        _check_strategies(request)
        agents = AgentService(self._session, self._access)
        agent = await agents.read_agent(request.agent_id)
        refuse_archived(agent)
        self._runtimes.check(agent)
        config = await self._champion(agents, request)
        champion = config.read_document()
        objective = await ObjectiveService(self._session, self._access).read_objective(request.objective_id)
        rubric, rubric_spec = await self._rubric(request, objective)
        spec = objective_spec_of(objective)
        _check_guards(spec, rubric)
        samples = SampleService(self._session, self._access)
        sample_set = await samples.read_set(request.sample_set_id)
        counts = await samples.split_counts(sample_set.id)
        searches_only = request.mode == SYNTHETIC_ONLY
        holdout = None if searches_only else await samples.find_holdout(sample_set.id)
        missing = holdout is None and not searches_only
        spent = await HoldoutLedgerService(self._session, self._access).spent_looks(sample_set.id) if missing else None
        self._check_models(request, agent, champion, rubric_spec)
        return _Subject(
            agent=agent,
            config=config,
            champion=champion,
            sample_set=sample_set,
            holdout=holdout,
            spent_looks=spent,
            samples=Samples(
                reflect=min(SPLIT_MAXIMUM, counts[Split.REFLECT]),
                select=min(SPLIT_MAXIMUM, counts[Split.SELECT]),
                holdout=0 if holdout is None else holdout.size,
            ),
            rubric=rubric,
            rubric_spec=rubric_spec,
            objective=objective,
            spec=spec,
            candidates=[_changes(champion, candidate) for candidate in request.candidates],
        )

    async def _champion(self, agents: AgentService, request: ScanIn) -> AgentConfig:
        try:
            return await agents.current_config(request.agent_id, request.target_environment)
        except NotFoundError as error:
            raise NotReadyError(
                f"Nothing of the agent is live in {request.target_environment}: there is no champion to improve on",
                missing=[f"a configuration promoted to {request.target_environment}"],
            ) from error

    async def _rubric(self, request: ScanIn, objective: Objective) -> tuple[VersionedRubric, RubricSpec]:
        rubric_id: UUID | None = request.rubric_id or objective.rubric_id
        if rubric_id is None:
            detail = "is needed: the objective is for no rubric in particular"
            raise ValidationFailedError("The request is not complete", [FieldError("/rubric_id", detail)])
        if objective.rubric_id is not None and objective.rubric_id != rubric_id:
            raise BusinessRuleViolationError("The objective is for another rubric than the one of the request")
        service = RubricService(self._session, self._access)
        spec = await service.read_rubric_spec(rubric_id)
        return await service.read_rubric(rubric_id), spec

    def _check_models(self, request: ScanIn, agent: Agent, champion: ConfigDocument, rubric: RubricSpec) -> None:
        """Every model that the scan may call exists and, under a budget in US dollars, has a known price."""
        for model in _models(request, agent, champion, rubric):
            info = self._door.read_model(model)
            if request.budget.max_cost_usd is not None and not info.priced:
                raise UnpricedModelError(model)

    async def _forecast(self, request: ScanIn, subject: _Subject, plan: ScanPlan) -> CostForecast:
        """What the plan may cost, by the set's own items."""
        samples = SampleService(self._session, self._access)
        drawn, _ = await samples.list_items(subject.sample_set.id, Page(limit=FORECAST_ITEMS), split=Split.SELECT)
        return forecast(
            self._door,
            plan,
            configs=_configs(subject) if subject.agent.runtime == PROMPT else None,
            items=drawn,
            rubric=subject.rubric_spec,
            reflection_model=request.reflection_model,
            max_cost_nano_usd=request.budget.max_cost_usd,
        )


def _models_of(request: ScanIn, subject: _Subject) -> list[str]:
    return _models(request, subject.agent, subject.champion, subject.rubric_spec)


def _models(request: ScanIn, agent: Agent, champion: ConfigDocument, rubric: RubricSpec) -> list[str]:
    """What we may call for this scan; an agent that runs elsewhere calls its own models there."""
    models = sorted(rubric.models - {LOCAL_EMBEDDING})
    if agent.runtime == PROMPT:
        models += [champion.model]
        for knob in champion.search_space:
            if knob.pointer == MODEL:
                models += [str(value) for value in knob.bounds.values or []]
    if request.reflection_model is not None:
        models.append(request.reflection_model)
    return list(dict.fromkeys(models))


def _configs(subject: _Subject) -> list[ConfigDocument]:
    """The champion under every model that the search space allows it."""
    champion = subject.champion
    others = [
        str(value) for knob in champion.search_space if knob.pointer == MODEL for value in knob.bounds.values or []
    ]
    models = dict.fromkeys([champion.model, *others])
    return [champion.model_copy(update={"model": model}) for model in models]


def _check_strategies(request: ScanIn) -> None:
    known = installed_strategies()
    problems = [
        FieldError(f"/strategies/{place}", f"is no strategy of this installation; there are {', '.join(known)}")
        for place, name in enumerate(request.strategies)
        if name not in known
    ]
    if len(set(request.strategies)) < len(request.strategies):
        problems.append(FieldError("/strategies", "names a strategy twice"))
    if TEMPLATE in request.strategies:
        if len(request.strategies) > 1:
            problems.append(FieldError("/strategies", "template tries what it is given and runs alone"))
        if not request.candidates:
            problems.append(FieldError("/candidates", "is needed by the strategy template"))
    elif request.candidates:
        problems.append(FieldError("/candidates", "belongs to the strategy template"))
    if problems:
        raise ValidationFailedError("The request is not valid", problems)


def _check_guards(spec: ObjectiveSpec, rubric: VersionedRubric) -> None:
    known = {dimension["name"] for dimension in rubric.version.document["dimensions"]}
    unknown = sorted(spec.dimensions - known)
    if unknown:
        raise BusinessRuleViolationError(
            f"A guard of the objective names the dimension {unknown[0]!r}, which the rubric does not have"
        )


def _readiness(request: ScanIn, subject: _Subject) -> Readiness:
    return assess(
        subject.samples,
        mode=request.mode,
        holdout_available=subject.holdout is not None,
        holdout_spent=subject.spent_looks is not None,
        minimum_effect=subject.spec.minimum_effect,
        look=1 if subject.holdout is None else subject.holdout.looks + 1,
    )


def _plan(request: ScanIn, subject: _Subject) -> ScanPlan:
    given = len(subject.candidates) if subject.candidates else None
    return ScanPlan.divide(subject.samples, request.budget.max_evaluations, repeats=request.repeats, given=given)


def _least(request: ScanIn, subject: _Subject) -> int | None:
    given = len(subject.candidates) if subject.candidates else None
    try:
        ScanPlan.divide(subject.samples, 0, repeats=request.repeats, given=given)
    except BudgetTooSmallError as error:
        return int(error.extensions["needed_evaluations"])
    return None


def _changes(champion: ConfigDocument, candidate: ConfigDocument) -> dict[str, Any]:
    """What turns the champion into a person's candidate, by the places of the search space.

    A candidate without a search space has the champion's. Raises SearchSpaceViolationError (400).
    """
    if not candidate.search_space:
        candidate = ConfigDocument.model_validate(
            {**candidate.as_json(), "search_space": champion.as_json()["search_space"]}
        )
    check_derived(champion, candidate)
    before, after = champion.as_json(), candidate.as_json()
    places: Sequence[str] = (
        [knob.pointer for knob in champion.search_space] if diff_documents(champion, candidate) else []
    )
    return {
        pointer: value_at(after, pointer)
        for pointer in places
        if exists_at(after, pointer)
        and not (exists_at(before, pointer) and value_at(before, pointer) == value_at(after, pointer))
    }
