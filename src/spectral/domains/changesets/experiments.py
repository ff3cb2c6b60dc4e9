"""Experiments: configurations compared on the same items of a split, kept as evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.service import AgentService
from spectral.domains.agents.settings import execution_of
from spectral.domains.changesets.models import Experiment, ExperimentArm
from spectral.domains.changesets.repository import ArmRepository, ExperimentRepository
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class ArmDraft:
    """One configuration and how it did.

    summary: JSON of this arm alone (means, rates with intervals, cost, latency).  effect: JSON of the paired comparison
    with the champion, None for the champion itself.  version: None for a configuration that is no version.
    """

    label: str
    config_hash: str
    summary: Mapping[str, Any]
    effect: Mapping[str, Any] | None = None
    version: int | None = None
    changes: Mapping[str, Any] | None = None
    frontier: bool = False


@dataclass(frozen=True, slots=True)
class ExperimentDraft:
    """A finished comparison; `arms[0]` is the champion. The holdout is no split of an experiment."""

    name: str
    agent_id: UUID
    sample_set_id: UUID
    sample_set_version: int
    split: Literal["reflect", "select"]
    rubric_id: UUID
    rubric_version: int
    objective: ObjectiveSpec
    items: int
    repeats: int
    seed: int
    arms: Sequence[ArmDraft]
    scan_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class CompletedExperiment:
    """An experiment with its arms, the champion first."""

    experiment: Experiment
    arms: list[ExperimentArm]


class ExperimentService:
    """The experiments of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._experiments = ExperimentRepository(session, access)
        self._arms = ArmRepository(session, access)

    async def record(self, draft: ExperimentDraft) -> Experiment:
        """The experiment is kept; the same scan's experiment of the same name is kept once and answered again."""
        if draft.scan_id is not None:
            same = (Experiment.scan_id == draft.scan_id, Experiment.name == draft.name)
            known = await self._experiments.find(*same)
            if known is not None:
                return known
        agent = await AgentService(self._session, self._access).read_agent(draft.agent_id)
        experiment = self._experiments.add(
            Experiment(
                execution=execution_of(agent),
                scan_id=draft.scan_id,
                agent_id=draft.agent_id,
                name=draft.name,
                sample_set_id=draft.sample_set_id,
                sample_set_version=draft.sample_set_version,
                split=draft.split,
                rubric_id=draft.rubric_id,
                rubric_version=draft.rubric_version,
                objective=draft.objective.model_dump(mode="json"),
                items=draft.items,
                repeats=draft.repeats,
                seed=draft.seed,
                created_by=self._access.actor,
            )
        )
        await self._experiments.flush()
        for position, arm in enumerate(draft.arms):
            self._arms.add(
                ExperimentArm(
                    experiment_id=experiment.id,
                    position=position,
                    label=arm.label[:200],
                    version=arm.version,
                    config_hash=arm.config_hash,
                    changes=dict(arm.changes or {}),
                    summary=dict(arm.summary),
                    effect=None if arm.effect is None else dict(arm.effect),
                    frontier=arm.frontier,
                )
            )
        await self._arms.flush()
        return experiment

    async def list_experiments(
        self, page: Page, *, agent_id: UUID | None = None, scan_id: UUID | None = None
    ) -> tuple[list[CompletedExperiment], int]:
        """One page of the experiments, newest first."""
        statement = self._experiments.select()
        if agent_id is not None:
            statement = statement.where(Experiment.agent_id == agent_id)
        if scan_id is not None:
            statement = statement.where(Experiment.scan_id == scan_id)
        experiments, total = await self._experiments.page(statement, page)
        arms = await self._arms.of_experiments([experiment.id for experiment in experiments])
        return [CompletedExperiment(experiment, arms[experiment.id]) for experiment in experiments], total

    async def list_candidates(self, experiment_id: UUID, page: Page) -> tuple[list[ExperimentArm], int]:
        """One page of the arms beside the first; by hand, those that were measured. Raises NotFoundError."""
        found = await self.read_experiment(experiment_id)
        # An arm that was not measured compares with nothing.
        candidates = [arm for arm in found.arms[1:] if arm.effect is not None or found.experiment.scan_id is not None]
        return candidates[page.offset : page.offset + page.limit], len(candidates)

    async def read_experiment(self, experiment_id: UUID) -> CompletedExperiment:
        """Raises NotFoundError."""
        experiment = await self._experiments.get(experiment_id)
        arms = await self._arms.of_experiments([experiment.id])
        return CompletedExperiment(experiment, arms[experiment.id])
