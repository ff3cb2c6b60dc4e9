"""The evidence chain of a change set: traces → clusters → diff → experiment → look at a holdout → verdict."""

from collections.abc import Mapping
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.clusters import ClusterService, SeenCluster
from spectral.domains.changesets.experiments import CompletedExperiment, ExperimentService
from spectral.domains.changesets.guarding_models import PromotionGuard
from spectral.domains.changesets.guarding_service import GuardService
from spectral.domains.changesets.models import Changeset, Validation
from spectral.domains.changesets.repository import ChangesetRepository, ValidationRepository
from spectral.domains.samples.origins import SampleOrigins
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.pagination import MAXIMUM_LIMIT, Page

TRACES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a change set says what it says.

    validations: every look, the last one first.  origins: of examples of its clusters, the trace each was made of.
    validation_cost_nano_usd: of all looks, None where one is unknown.
    """

    changeset: Changeset
    validations: list[Validation]
    clusters: list[SeenCluster]
    experiment: CompletedExperiment | None
    origins: Mapping[UUID, str]
    guard: PromotionGuard | None = None

    @property
    def latest(self) -> Validation | None:
        """The look that the change set's state follows from."""
        return self.validations[0] if self.validations else None

    @property
    def traces(self) -> list[str]:
        """The traces of examples of all clusters, at most 20."""
        return list(dict.fromkeys(trace for seen in self.clusters for trace in self.traces_of(seen)))[:TRACES_SHOWN]

    def traces_of(self, seen: SeenCluster) -> list[str]:
        """The traces that the examples of one cluster were made of."""
        found = [self.origins[member.item_id] for member in seen.examples if member.item_id in self.origins]
        return list(dict.fromkeys(found))

    @property
    def validation_cost_nano_usd(self) -> int | None:
        costs = [validation.cost_nano_usd for validation in self.validations if validation.finished_at is not None]
        return None if None in costs else sum(cost for cost in costs if cost is not None)


class EvidenceService:
    """Reads evidence chains, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._changesets = ChangesetRepository(session, access)
        self._validations = ValidationRepository(session, access)
        self._clusters = ClusterService(session, access)
        self._experiments = ExperimentService(session, access)
        self._origins = SampleOrigins(session, access)
        self._guards = GuardService(session, access)

    async def explain(self, changeset_id: UUID) -> Explanation:
        """Raises NotFoundError."""
        changeset = await self._changesets.get(changeset_id)
        clusters, _ = await self._clusters.list_clusters(changeset_id, Page(limit=MAXIMUM_LIMIT))
        experiment = None
        if changeset.experiment_id is not None:
            experiment = await self._experiments.read_experiment(changeset.experiment_id)
        return Explanation(
            changeset=changeset,
            validations=await self._validations.of_changeset(changeset_id),
            clusters=clusters,
            experiment=experiment,
            # An item may be deleted while the evidence about it stays; then nobody knows its trace any more.
            origins=await self._origins.trace_ids([member.item_id for seen in clusters for member in seen.examples]),
            guard=await self._guards.find_guard(changeset_id),
        )
