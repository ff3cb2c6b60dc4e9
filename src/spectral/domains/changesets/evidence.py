"""The evidence chain of a change set: traces → clusters → diff → experiment → look at a holdout → verdict."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.clusters import ClusterService, SeenCluster
from spectral.domains.changesets.experiments import CompletedExperiment, ExperimentService
from spectral.domains.changesets.models import Changeset, Validation
from spectral.domains.changesets.repository import ChangesetRepository, ValidationRepository
from spectral.domains.samples.service import SampleService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import MAXIMUM_LIMIT, Page

TRACES_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a change set says what it says.

    validations: every look, the last one first.  traces: of examples of its clusters, at most 20.
    validation_cost_nano_usd: of all looks, None where one is unknown.
    """

    changeset: Changeset
    validations: list[Validation]
    clusters: list[SeenCluster]
    experiment: CompletedExperiment | None
    traces: list[str]

    @property
    def latest(self) -> Validation | None:
        """The look that the change set's state follows from."""
        return self.validations[0] if self.validations else None

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
        self._samples = SampleService(session, access)

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
            traces=await self._traces(changeset.sample_set_id, clusters),
        )

    async def _traces(self, set_id: UUID, clusters: list[SeenCluster]) -> list[str]:
        items = [member.item_id for seen in clusters for member in seen.examples][:TRACES_SHOWN]
        traces: dict[str, None] = {}
        for item_id in items:
            try:
                item = await self._samples.read_item(set_id, item_id)
            except NotFoundError:
                continue  # an item may be deleted while the evidence about it stays
            if item.source_trace_id is not None:
                traces[item.source_trace_id] = None
        return list(traces)
