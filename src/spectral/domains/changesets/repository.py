"""Queries over change sets, clusters, experiments, ledgers and validations of one workspace."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from spectral.domains.agents.models import Agent
from spectral.domains.changesets.models import (
    Changeset,
    ChangesetCluster,
    ClusterMember,
    ClusterRule,
    ClusterSighting,
    Experiment,
    ExperimentArm,
    ExperimentOutput,
    FailureCluster,
    HoldoutLedger,
    Validation,
)
from spectral.domains.changesets.states import UNDECIDED
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

MOVED_AT_ONCE = 500


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

    async def hold(self, agent_id: UUID) -> None:
        """Scans that record clusters of one agent, and people who curate them, wait here for each other.

        Raises NotFoundError for an agent that is not there.
        """
        # The key stays free: rows that refer to the agent can be written meanwhile.
        statement = sa.select(Agent.id).where(Agent.workspace_id == self.access.workspace_id, Agent.id == agent_id)
        if (await self.session.execute(statement.with_for_update(key_share=True))).one_or_none() is None:
            raise NotFoundError("Agent", agent_id)

    async def latest_of_agent(self, agent_id: UUID, maximum: int) -> list[FailureCluster]:
        """The clusters of an agent as they are now, oldest first; of more than `maximum` those that changed last."""
        statement = self.select(FailureCluster.agent_id == agent_id).execution_options(populate_existing=True)
        latest = statement.order_by(FailureCluster.updated_at.desc(), FailureCluster.id.desc()).limit(maximum)
        return sorted((await self.session.scalars(latest)).all(), key=lambda row: (row.created_at, str(row.id)))

    async def of_ids(self, cluster_ids: Sequence[UUID]) -> dict[UUID, FailureCluster]:
        """The clusters with these ids."""
        return {row.id: row for row in await self.find_all(FailureCluster.id.in_(cluster_ids))}

    async def merged_into(self, cluster_ids: Sequence[UUID]) -> list[FailureCluster]:
        """The clusters that people said are part of these."""
        return await self.find_all(FailureCluster.merged_into.in_(cluster_ids))

    async def whole(self, cluster_id: UUID) -> FailureCluster:
        """The cluster, or what it was merged into. Raises NotFoundError."""
        cluster = await self.get(cluster_id)
        return cluster if cluster.merged_into is None else await self.get(cluster.merged_into)

    async def page_of_agent(
        self, page: Page, *, agent_id: UUID | None, status: str | None
    ) -> tuple[list[FailureCluster], int]:
        """One page of the clusters that are in none other, last seen first."""
        statement = self.select(FailureCluster.merged_into.is_(None))
        if agent_id is not None:
            statement = statement.where(FailureCluster.agent_id == agent_id)
        if status is not None:
            statement = statement.where(FailureCluster.status == status)
        last = (
            sa.select(sa.func.max(ClusterSighting.created_at))
            .where(
                ClusterSighting.workspace_id == FailureCluster.workspace_id,
                ClusterSighting.cluster_id == FailureCluster.id,
            )
            .correlate(FailureCluster)
            .scalar_subquery()
        )
        size = (
            sa.select(ClusterSighting.size)
            .where(
                ClusterSighting.workspace_id == FailureCluster.workspace_id,
                ClusterSighting.cluster_id == FailureCluster.id,
                ClusterSighting.scan_id == FailureCluster.last_scan_id,
            )
            .correlate(FailureCluster)
            .scalar_subquery()
        )
        return await self.page(statement, page, order_by=(last.desc(), size.desc(), FailureCluster.id))


class RuleRepository(WorkspaceRepository[ClusterRule]):
    """What people said about single items."""

    model: ClassVar[type[ClusterRule]] = ClusterRule
    kind = "Cluster rule"

    async def of_agent(self, agent_id: UUID) -> list[ClusterRule]:
        """Everything said about an agent's items."""
        return await self.find_all(ClusterRule.agent_id == agent_id)

    async def forget(self, agent_id: UUID, item_ids: Sequence[UUID], *where: sa.ColumnElement[bool]) -> None:
        """What was said about these items is not said any more; `where` narrows it."""
        await self.execute(self.delete(ClusterRule.agent_id == agent_id, ClusterRule.item_id.in_(item_ids), *where))


class SightingRepository(WorkspaceRepository[ClusterSighting]):
    """Clusters as scans saw them."""

    model: ClassVar[type[ClusterSighting]] = ClusterSighting
    kind = "Cluster"

    async def of_scan(self, scan_id: UUID) -> list[ClusterSighting]:
        """What one scan saw, in the order in which it reported it; what is in no cluster comes last."""
        return await self.find_all(ClusterSighting.scan_id == scan_id, order_by=(ClusterSighting.position,))

    async def of_clusters(self, cluster_ids: Sequence[UUID]) -> list[ClusterSighting]:
        """Every sighting of these clusters, oldest first."""
        return await self.find_all(ClusterSighting.cluster_id.in_(cluster_ids))

    async def counts(self, cluster_ids: Sequence[UUID]) -> dict[UUID, tuple[int, datetime, datetime]]:
        """In how many scans each cluster was seen, for the first and for the last time."""
        selected = self.select(ClusterSighting.cluster_id.in_(cluster_ids))
        at = ClusterSighting.created_at
        statement = selected.with_only_columns(
            ClusterSighting.cluster_id, sa.func.count(), sa.func.min(at), sa.func.max(at)
        )
        rows = await self.session.execute(statement.group_by(ClusterSighting.cluster_id))
        return {cluster_id: (int(count), first, last) for cluster_id, count, first, last in rows}

    async def latest_scans(self, agent_id: UUID, maximum: int) -> list[UUID]:
        """The last scans that recorded what an agent gets wrong, the last one first."""
        statement = self.select(ClusterSighting.agent_id == agent_id).with_only_columns(ClusterSighting.scan_id)
        grouped = statement.group_by(ClusterSighting.scan_id).order_by(
            sa.func.max(ClusterSighting.created_at).desc(), ClusterSighting.scan_id.desc()
        )
        return list((await self.session.scalars(grouped.limit(maximum))).all())

    async def seen_in(self, cluster_ids: Sequence[UUID], scan_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        """Which of these clusters was seen in which of these scans."""
        statement = self.select(ClusterSighting.cluster_id.in_(cluster_ids), ClusterSighting.scan_id.in_(scan_ids))
        rows = await self.session.execute(
            statement.with_only_columns(ClusterSighting.cluster_id, ClusterSighting.scan_id)
        )
        return [(cluster_id, scan_id) for cluster_id, scan_id in rows]

    async def latest_of(self, clusters: Sequence[FailureCluster]) -> list[ClusterSighting]:
        """The last sighting of each of these clusters."""
        wanted = {(cluster.id, cluster.last_scan_id) for cluster in clusters}
        rows = await self.find_all(
            ClusterSighting.cluster_id.in_([cluster_id for cluster_id, _ in wanted]),
            ClusterSighting.scan_id.in_([scan_id for _, scan_id in wanted]),
        )
        return [row for row in rows if (row.cluster_id, row.scan_id) in wanted]

    async def history(self, cluster_id: UUID, maximum: int) -> list[ClusterSighting]:
        """The last sightings of one cluster, the last one first."""
        statement = self.select(ClusterSighting.cluster_id == cluster_id)
        ordered = statement.order_by(ClusterSighting.created_at.desc(), ClusterSighting.id.desc())
        return list((await self.session.scalars(ordered.limit(maximum))).all())


class MemberRepository(WorkspaceRepository[ClusterMember]):
    """The failed items of sightings."""

    model: ClassVar[type[ClusterMember]] = ClusterMember
    kind = "Cluster member"

    async def of_sightings(self, sighting_ids: Sequence[UUID], *, examples: bool = False) -> list[ClusterMember]:
        """The members in their order; with `examples`, only those that explain their cluster best."""
        where = [ClusterMember.sighting_id.in_(sighting_ids)]
        if examples:
            where.append(ClusterMember.example.is_(True))
        return await self.find_all(*where, order_by=(ClusterMember.sighting_id, ClusterMember.position))

    async def page_of(self, sighting_id: UUID, page: Page) -> tuple[list[ClusterMember], int]:
        """One page of a sighting's members, in their order."""
        statement = self.select(ClusterMember.sighting_id == sighting_id)
        return await self.page(statement, page, order_by=(ClusterMember.position, ClusterMember.id))

    async def places(self, sighting_ids: Sequence[UUID]) -> list[tuple[UUID, UUID]]:
        """Item and sighting of every member."""
        statement = self.select(ClusterMember.sighting_id.in_(sighting_ids))
        rows = await self.session.execute(statement.with_only_columns(ClusterMember.item_id, ClusterMember.sighting_id))
        return [(item_id, sighting_id) for item_id, sighting_id in rows]

    async def move(self, member_ids: Sequence[UUID], sighting_id: UUID, *, after: int) -> None:
        """These members are another sighting's now, behind the first `after` that it has."""
        for start in range(0, len(member_ids), MOVED_AT_ONCE):
            some = member_ids[start : start + MOVED_AT_ONCE]
            statement = self.update(ClusterMember.id.in_(some))
            await self.execute(
                statement.values(sighting_id=sighting_id, position=ClusterMember.position + after).execution_options(
                    synchronize_session=False
                )
            )


class LinkRepository(WorkspaceRepository[ChangesetCluster]):
    """What change sets did to clusters."""

    model: ClassVar[type[ChangesetCluster]] = ChangesetCluster
    kind = "Cluster"

    async def page_of(
        self, changeset_id: UUID, page: Page
    ) -> tuple[list[tuple[ChangesetCluster, ClusterSighting]], int]:
        """One page of a change set's clusters, the largest first."""
        clustered = ClusterSighting.cluster_id.is_not(None)
        statement = self._with_sighting(ChangesetCluster.changeset_id == changeset_id, clustered)
        counted = sa.select(sa.func.count()).select_from(statement.with_only_columns(ChangesetCluster.id).subquery())
        total = int((await self.session.execute(counted)).scalar_one())
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

    async def of_sightings(self, sighting_ids: Sequence[UUID]) -> list[ChangesetCluster]:
        """What change sets did to clusters, as these sightings saw them."""
        statement = self.select(ChangesetCluster.sighting_id.in_(sighting_ids))
        return list((await self.session.scalars(statement.execution_options(populate_existing=True))).all())

    async def latest_changesets(self, sighting_ids: Sequence[UUID]) -> dict[UUID, UUID]:
        """The last change set that did something to each sighting."""
        statement = self.select(ChangesetCluster.sighting_id.in_(sighting_ids)).order_by(ChangesetCluster.created_at)
        return {row.sighting_id: row.changeset_id for row in (await self.session.scalars(statement)).all()}

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

    async def lock(self, experiment_id: UUID) -> Experiment:
        """The experiment as it is now, held until the transaction ends. Raises NotFoundError."""
        statement = (
            self.select(Experiment.id == experiment_id).with_for_update().execution_options(populate_existing=True)
        )
        row = (await self.session.scalars(statement)).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, experiment_id)
        return row

    async def item_ids(self, experiment_id: UUID) -> list[UUID]:
        """The items that the experiment is pinned to, in their order; none for what a scan recorded."""
        statement = self.select(Experiment.id == experiment_id).with_only_columns(Experiment.item_ids)
        return [UUID(one) for one in (await self.session.execute(statement)).scalar_one_or_none() or []]


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


class OutputRepository(WorkspaceRepository[ExperimentOutput]):
    """Outputs that somebody brought for experiments."""

    model: ClassVar[type[ExperimentOutput]] = ExperimentOutput
    kind = "Experiment output"

    async def store(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Keep these; one about the same execution replaces the earlier one."""
        moment = utc_now()
        stamped = [
            {**row, "workspace_id": self.access.workspace_id, "id": new_id(), "created_at": moment} for row in rows
        ]
        insert = sqlite.insert if self.session.get_bind().dialect.name == "sqlite" else postgresql.insert
        # tenancy: every row was stamped with this workspace just above
        statement = insert(ExperimentOutput)
        key = ("workspace_id", "experiment_id", "config_hash", "item_id", "repeat")
        new = {name: statement.excluded[name] for name in stamped[0] if name not in {*key, "id", "created_at"}}
        await self.session.execute(statement.on_conflict_do_update(index_elements=key, set_=new), stamped)

    async def of_items(
        self, experiment_id: UUID, config_hash: str, item_ids: Sequence[UUID]
    ) -> dict[tuple[UUID, int], ExperimentOutput]:
        """What one arm answered to these items, by item and repeat."""
        rows = await self.find_all(
            ExperimentOutput.experiment_id == experiment_id,
            ExperimentOutput.config_hash == config_hash,
            ExperimentOutput.item_id.in_(item_ids),
        )
        return {(row.item_id, row.repeat): row for row in rows}


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
