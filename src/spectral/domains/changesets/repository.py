"""Queries over change sets, clusters, experiments, ledgers and validations of one workspace."""

from collections.abc import Sequence
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.changesets.models import (
    Changeset,
    ChangesetCluster,
    ClusterMember,
    ClusterSighting,
    Experiment,
    ExperimentArm,
    FailureCluster,
    HoldoutLedger,
    Validation,
)
from spectral.domains.changesets.states import UNDECIDED
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


class ChangesetRepository(WorkspaceRepository[Changeset]):
    """Change sets."""

    model: ClassVar[type[Changeset]] = Changeset
    kind = "Change set"

    async def lock(self, changeset_id: UUID) -> Changeset:
        """The change set as it is now, held until the transaction ends. Raises NotFoundError."""
        statement = (
            self.select(Changeset.id == changeset_id).with_for_update().execution_options(populate_existing=True)
        )
        row = (await self.session.scalars(statement)).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, changeset_id)
        return row

    async def lock_undecided(self, agent_id: UUID, environment: str) -> list[Changeset]:
        """The undecided ones of one agent and environment, oldest first, held until the transaction ends."""
        statement = self.select(
            Changeset.agent_id == agent_id,
            Changeset.target_environment == environment,
            Changeset.state.in_(UNDECIDED),
        )
        ordered = statement.order_by(Changeset.id).with_for_update().execution_options(populate_existing=True)
        return list((await self.session.scalars(ordered)).all())


class ClusterRepository(WorkspaceRepository[FailureCluster]):
    """Failure clusters."""

    model: ClassVar[type[FailureCluster]] = FailureCluster
    kind = "Cluster"

    async def lock_of_agent(self, agent_id: UUID) -> list[FailureCluster]:
        """Every cluster of an agent, oldest first, held until the transaction ends."""
        statement = self.select(FailureCluster.agent_id == agent_id).order_by(FailureCluster.id).with_for_update()
        return list((await self.session.scalars(statement)).all())

    async def of_ids(self, cluster_ids: Sequence[UUID]) -> dict[UUID, FailureCluster]:
        """The clusters with these ids."""
        return {row.id: row for row in await self.find_all(FailureCluster.id.in_(cluster_ids))}


class SightingRepository(WorkspaceRepository[ClusterSighting]):
    """Clusters as scans saw them."""

    model: ClassVar[type[ClusterSighting]] = ClusterSighting
    kind = "Cluster"

    async def of_scan(self, scan_id: UUID) -> list[ClusterSighting]:
        """What one scan saw, in the order in which it reported it."""
        return await self.find_all(ClusterSighting.scan_id == scan_id, order_by=(ClusterSighting.position,))

    async def counts(self, cluster_ids: Sequence[UUID]) -> dict[UUID, int]:
        """In how many scans each cluster was seen."""
        selected = self.select(ClusterSighting.cluster_id.in_(cluster_ids))
        statement = selected.with_only_columns(ClusterSighting.cluster_id, sa.func.count())
        rows = await self.session.execute(statement.group_by(ClusterSighting.cluster_id))
        return {cluster_id: int(count) for cluster_id, count in rows}


class MemberRepository(WorkspaceRepository[ClusterMember]):
    """The failed items of sightings."""

    model: ClassVar[type[ClusterMember]] = ClusterMember
    kind = "Cluster member"

    async def of_sightings(self, sighting_ids: Sequence[UUID], *, examples: bool = False) -> list[ClusterMember]:
        """The members in their order; with `examples`, only those that explain their cluster best."""
        where = [ClusterMember.sighting_id.in_(sighting_ids)]
        if examples:
            where.append(ClusterMember.text.is_not(None))
        return await self.find_all(*where, order_by=(ClusterMember.sighting_id, ClusterMember.position))


class LinkRepository(WorkspaceRepository[ChangesetCluster]):
    """What change sets did to clusters."""

    model: ClassVar[type[ChangesetCluster]] = ChangesetCluster
    kind = "Cluster"

    async def page_of(
        self, changeset_id: UUID, page: Page
    ) -> tuple[list[tuple[ChangesetCluster, ClusterSighting]], int]:
        """One page of a change set's clusters, the largest first."""
        total = await self.count(ChangesetCluster.changeset_id == changeset_id)
        statement = self._with_sighting(ChangesetCluster.changeset_id == changeset_id)
        ordered = statement.order_by(ClusterSighting.size.desc(), ClusterSighting.position)
        rows = await self.session.execute(ordered.limit(page.limit).offset(page.offset))
        return [(link, sighting) for link, sighting in rows], total

    async def of_cluster(self, changeset_id: UUID, cluster_id: UUID) -> tuple[ChangesetCluster, ClusterSighting]:
        """One cluster of a change set. Raises NotFoundError."""
        statement = self._with_sighting(
            ChangesetCluster.changeset_id == changeset_id, ClusterSighting.cluster_id == cluster_id
        )
        row = (await self.session.execute(statement)).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, cluster_id)
        return row[0], row[1]

    def _with_sighting(self, *where: sa.ColumnElement[bool]) -> sa.Select[tuple[ChangesetCluster, ClusterSighting]]:
        return (
            sa.select(ChangesetCluster, ClusterSighting)
            .join(
                ClusterSighting,
                sa.and_(
                    ClusterSighting.workspace_id == ChangesetCluster.workspace_id,
                    ClusterSighting.id == ChangesetCluster.sighting_id,
                ),
            )
            .where(self._mine, *where)
        )


class ExperimentRepository(WorkspaceRepository[Experiment]):
    """Experiments."""

    model: ClassVar[type[Experiment]] = Experiment
    kind = "Experiment"


class ArmRepository(WorkspaceRepository[ExperimentArm]):
    """The arms of experiments."""

    model: ClassVar[type[ExperimentArm]] = ExperimentArm
    kind = "Experiment arm"

    async def of_experiments(self, experiment_ids: Sequence[UUID]) -> dict[UUID, list[ExperimentArm]]:
        """The arms of each experiment, the champion first."""
        arms: dict[UUID, list[ExperimentArm]] = {experiment_id: [] for experiment_id in experiment_ids}
        rows = await self.find_all(ExperimentArm.experiment_id.in_(experiment_ids), order_by=(ExperimentArm.position,))
        for row in rows:
            arms[row.experiment_id].append(row)
        return arms


class LedgerRepository(WorkspaceRepository[HoldoutLedger]):
    """What holdouts may still be asked."""

    model: ClassVar[type[HoldoutLedger]] = HoldoutLedger
    kind = "Holdout ledger"

    async def lock(self, holdout_id: UUID) -> HoldoutLedger | None:
        """The ledger as it is now, held until the transaction ends; None before it was opened."""
        statement = self.select(HoldoutLedger.holdout_id == holdout_id).with_for_update()
        return (await self.session.scalars(statement.execution_options(populate_existing=True))).one_or_none()


class ValidationRepository(WorkspaceRepository[Validation]):
    """Looks at holdouts."""

    model: ClassVar[type[Validation]] = Validation
    kind = "Validation"

    async def of_changeset(self, changeset_id: UUID) -> list[Validation]:
        """Every look for a change set, the last one first."""
        order = (Validation.created_at.desc(), Validation.id.desc())
        return await self.find_all(Validation.changeset_id == changeset_id, order_by=order)

    async def latest_of(self, changeset_ids: Sequence[UUID]) -> dict[UUID, Validation]:
        """The last look for each change set that has had one."""
        rows = await self.find_all(
            Validation.changeset_id.in_(changeset_ids), order_by=(Validation.created_at, Validation.id)
        )
        return {row.changeset_id: row for row in rows}
