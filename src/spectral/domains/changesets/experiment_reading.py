"""Experiments item by item, and several of them together."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.errors import IncomparableExperimentsError, TooFewSamplesError
from spectral.domains.changesets.experiment_comparing import compare_arms, summarise_arm
from spectral.domains.changesets.experiments import CompletedExperiment, ExperimentService
from spectral.domains.changesets.ledger import MINIMUM_ITEMS
from spectral.domains.changesets.models import ExperimentArm
from spectral.domains.changesets.repository import ArmRepository, ExperimentRepository
from spectral.domains.evaluations.journal import recorded
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import DEFAULT_MINIMUM_EFFECT, ObjectiveSpec
from spectral.domains.samples.sample import Sample
from spectral.domains.samples.service import SampleService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Page

MAXIMUM_COMPARED = 5
MAXIMUM_RESULTS = 100_000
PINNED = ("sample_set_id", "sample_set_version", "split", "rubric_id", "rubric_version")
WORDS = {
    "sample_set_id": "sample sets",
    "sample_set_version": "versions of their sample set",
    "split": "splits",
    "rubric_id": "rubrics",
    "rubric_version": "versions of their rubric",
}


@dataclass(frozen=True, slots=True)
class ItemResult:
    """What every arm did on one item; `sample` is None once it was deleted."""

    item_id: UUID
    sample: Sample | None
    arms: list[tuple[ExperimentArm, list[Measured]]]


@dataclass(frozen=True, slots=True)
class ComparedArm:
    """An arm of one of several experiments, and its comparison with the first one's baseline."""

    experiment_id: UUID
    arm: ExperimentArm
    summary: dict[str, Any]
    effect: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ComparedExperiments:
    """The arms of several experiments on the items that all of them have."""

    first: CompletedExperiment
    items: int
    margin: float
    baseline: dict[str, Any]
    arms: list[ComparedArm]


@dataclass(frozen=True, slots=True)
class _Material:
    """Everything that a comparison is made of."""

    found: list[CompletedExperiment]
    items: list[Sample]
    measured: dict[tuple[UUID, str], list[Measured]]


async def list_item_results(
    session: AsyncSession, access: WorkspaceAccess, experiment_id: UUID, page: Page
) -> tuple[list[ItemResult], int]:
    """One page of the items, in the order in which they are measured. Raises NotFoundError.

    A scan's experiments have none here: what they measured is in the scan.
    """
    experiments = ExperimentRepository(session, access)
    experiment = await experiments.get(experiment_id)
    pinned = await experiments.item_ids(experiment_id)
    shown = pinned[page.offset : page.offset + page.limit]
    arms = (await ArmRepository(session, access).of_experiments([experiment_id]))[experiment_id]
    samples = await SampleService(session, access).searchable_items(experiment.sample_set_id, shown)
    by_id = {sample.id: sample for sample in samples}
    results: dict[tuple[UUID, str], list[Measured]] = {}
    for one in await recorded(session, access, experiment_id, [arm.config_hash for arm in arms], shown):
        results.setdefault((one.item_id, one.config_hash), []).append(one)
    return [
        ItemResult(
            item_id,
            by_id.get(item_id),
            [(arm, results.get((item_id, arm.config_hash), [])) for arm in arms],
        )
        for item_id in shown
    ], len(pinned)


class ExperimentComparison:
    """Compares experiments of one workspace; the statistics run with no transaction open."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self._database = database
        self._access = access

    async def compare(self, experiment_ids: Sequence[UUID]) -> ComparedExperiments:
        """Every arm against the baseline of the first experiment, by that one's objective.

        Raises NotFoundError, and IncomparableExperimentsError (400) where they are not on the same version of a sample
        set, split and version of a rubric, are not completed, or are too much for one answer.
        """
        async with self._database.transaction(self._access, read_only=True) as session:
            service = ExperimentService(session, self._access)
            found = [await service.read_experiment(experiment_id) for experiment_id in experiment_ids]
            _check_comparable(found)
            material = await self._load(session, found)
        return await asyncio.to_thread(_compared, material)

    async def _load(self, session: AsyncSession, found: list[CompletedExperiment]) -> _Material:
        experiments, samples = ExperimentRepository(session, self._access), SampleService(session, self._access)
        shared: list[UUID] | None = None
        for one in found:
            pinned = await experiments.item_ids(one.experiment.id)
            known = set(pinned)
            shared = pinned if shared is None else [item_id for item_id in shared if item_id in known]
        first = found[0].experiment
        items = await samples.searchable_items(first.sample_set_id, shared or [])
        if len(items) < MINIMUM_ITEMS:
            raise TooFewSamplesError(len(items), MINIMUM_ITEMS, what="A comparison on shared samples")
        groups = {item.id: item.group_key for item in items}
        measured: dict[tuple[UUID, str], list[Measured]] = {}
        for one in found:
            hashes = [arm.config_hash for arm in one.arms]
            for result in await recorded(session, self._access, one.experiment.id, hashes, list(groups)):
                key = (one.experiment.id, result.config_hash)
                measured.setdefault(key, []).append(replace(result, group_key=groups[result.item_id]))
        return _Material(found, items, measured)


def _check_comparable(found: Sequence[CompletedExperiment]) -> None:
    first = found[0].experiment
    for one in found:
        experiment = one.experiment
        if experiment.status != "completed":
            raise IncomparableExperimentsError(
                f"The experiment {experiment.id} is {experiment.status}; only completed ones can be compared",
                experiment_id=str(experiment.id),
            )
        if experiment.scan_id is not None:
            raise IncomparableExperimentsError(
                f"The experiment {experiment.id} is a scan's, which keeps its results; compare experiments by hand",
                experiment_id=str(experiment.id),
            )
        for name in PINNED:
            ours, theirs = getattr(first, name), getattr(experiment, name)
            if ours != theirs:
                raise IncomparableExperimentsError(
                    f"The experiments were made on different {WORDS[name]}: {ours} and {theirs}",
                    experiment_id=str(experiment.id),
                )
    results = sum(one.experiment.items * one.experiment.repeats * len(one.arms) for one in found)
    if results > MAXIMUM_RESULTS:
        raise IncomparableExperimentsError(
            f"The experiments have {results} results together; at most {MAXIMUM_RESULTS} are compared at once"
        )


def _compared(material: _Material) -> ComparedExperiments:
    first = material.found[0]
    objective = ObjectiveSpec.model_validate(first.experiment.objective)
    margin = DEFAULT_MINIMUM_EFFECT if first.experiment.margin is None else first.experiment.margin
    seed, items = first.experiment.seed, material.items
    baseline = material.measured.get((first.experiment.id, first.arms[0].config_hash), [])
    others = [
        (one.experiment.id, arm) for one in material.found for arm in one.arms if one is not first or arm.position > 0
    ]
    results = [material.measured.get((experiment_id, arm.config_hash), []) for experiment_id, arm in others]
    effects = compare_arms(objective, items, baseline, results, margin=margin, seed=seed)
    arms = [
        ComparedArm(experiment_id, arm, summarise_arm(objective, items, measured, seed=seed), effect)
        for (experiment_id, arm), measured, effect in zip(others, results, effects, strict=True)
    ]
    return ComparedExperiments(first, len(items), margin, summarise_arm(objective, items, baseline, seed=seed), arms)
