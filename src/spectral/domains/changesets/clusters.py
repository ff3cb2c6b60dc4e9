"""Failure clusters: recognised from scan to scan, curated by people, and what change sets did to them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.identity import blended, match_centroids
from spectral.domains.changesets.models import (
    ChangesetCluster,
    ClusterMember,
    ClusterSighting,
    FailureCluster,
)
from spectral.domains.changesets.repository import (
    ChangesetRepository,
    ClusterRepository,
    LinkRepository,
    MemberRepository,
    SightingRepository,
)
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Page

MAXIMUM_LABEL = 200


@dataclass(frozen=True, slots=True)
class ClusterDraft:
    """A cluster as a scan found it.

    examples: `{"item_id", "text"}` of the members that explain it best.  share: of the scan's failures, 0–1.
    """

    label: str
    size: int
    share: float
    member_item_ids: Sequence[UUID]
    examples: Sequence[Mapping[str, Any]]
    centroid_terms: Mapping[str, float]
    stability: float | None


@dataclass(frozen=True, slots=True)
class ClusterEffect:
    """What a candidate did to a cluster: of its failures it fixed some, and broke items that look like it."""

    cluster_id: UUID
    fixed: int
    broke: int


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """A cluster as a change set's scan saw it, with what the change set did to it.

    sightings: in how many scans it was seen.  members: every failed item, only where one cluster was asked for.
    """

    cluster: FailureCluster
    sighting: ClusterSighting
    link: ChangesetCluster
    sightings: int
    examples: list[ClusterMember]
    members: list[ClusterMember] = field(default_factory=list)


class ClusterService:
    """The failure clusters of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._clusters = ClusterRepository(session, access)
        self._sightings = SightingRepository(session, access)
        self._members = MemberRepository(session, access)
        self._links = LinkRepository(session, access)
        self._changesets = ChangesetRepository(session, access)

    async def record(self, scan_id: UUID, agent_id: UUID, drafts: Sequence[ClusterDraft]) -> list[FailureCluster]:
        """Every draft is a cluster of the agent, a known one where the centroids say so; in the order of the drafts.

        A curated label, the status and the note of a known cluster stay. A scan is recorded once: again answers what
        the first time did.
        """
        recorded = await self._sightings.of_scan(scan_id)
        if recorded:
            known = await self._clusters.of_ids([sighting.cluster_id for sighting in recorded])
            return [known[sighting.cluster_id] for sighting in recorded]
        existing = await self._clusters.lock_of_agent(agent_id)
        matches = match_centroids([cluster.centroid for cluster in existing], [each.centroid_terms for each in drafts])
        clusters = [
            self._new(scan_id, agent_id, draft) if match is None else self._seen_again(existing[match], scan_id, draft)
            for draft, match in zip(drafts, matches, strict=True)
        ]
        await self._clusters.flush()
        sightings = [
            self._sightings.add(
                ClusterSighting(
                    cluster_id=cluster.id,
                    scan_id=scan_id,
                    position=position,
                    label=draft.label[:MAXIMUM_LABEL],
                    size=draft.size,
                    share=draft.share,
                    stability=draft.stability,
                )
            )
            for position, (cluster, draft) in enumerate(zip(clusters, drafts, strict=True))
        ]
        await self._sightings.flush()
        for sighting, draft in zip(sightings, drafts, strict=True):
            self._add_members(sighting, draft)
        await self._members.flush()
        return clusters

    async def link(self, changeset_id: UUID, scan_id: UUID, effects: Sequence[ClusterEffect]) -> None:
        """The change set has done this to clusters of its scan; clusters that the scan did not see are left out."""
        sightings = {sighting.cluster_id: sighting for sighting in await self._sightings.of_scan(scan_id)}
        for effect in effects:
            sighting = sightings.get(effect.cluster_id)
            if sighting is not None:
                self._links.add(
                    ChangesetCluster(
                        changeset_id=changeset_id,
                        sighting_id=sighting.id,
                        failures=sighting.size,
                        fixed=effect.fixed,
                        broke=effect.broke,
                    )
                )
        await self._links.flush()

    async def list_clusters(self, changeset_id: UUID, page: Page) -> tuple[list[SeenCluster], int]:
        """One page of a change set's clusters, the largest first. Raises NotFoundError for the change set."""
        await self._changesets.get(changeset_id)
        rows, total = await self._links.page_of(changeset_id, page)
        return await self._complete(rows), total

    async def read_cluster(self, changeset_id: UUID, cluster_id: UUID) -> SeenCluster:
        """One cluster of a change set with all its members. Raises NotFoundError."""
        await self._changesets.get(changeset_id)
        link, sighting = await self._links.of_cluster(changeset_id, cluster_id)
        (seen,) = await self._complete([(link, sighting)])
        seen.members.extend(await self._members.of_sightings([sighting.id]))
        return seen

    async def curate_cluster(self, changeset_id: UUID, cluster_id: UUID, changes: Mapping[str, Any]) -> SeenCluster:
        """Label, status or note are a person's from now on and survive later scans. Raises NotFoundError.

        changes: `label`, `status`, `note`; what is left out stays.
        """
        seen = await self.read_cluster(changeset_id, cluster_id)
        before = {name: getattr(seen.cluster, name) for name in ("label", "status", "note")}
        after = {**before, **changes}
        if after == before:
            return seen
        for name, value in changes.items():
            setattr(seen.cluster, name, value)
        seen.cluster.label_curated = seen.cluster.label_curated or "label" in changes
        seen.cluster.updated_at = utc_now()
        await self._clusters.flush()
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="cluster.curated",
            subject=f"cluster:{cluster_id}",
            detail={"before": before, "after": after},
        )
        return seen

    async def _complete(self, rows: Sequence[tuple[ChangesetCluster, ClusterSighting]]) -> list[SeenCluster]:
        sightings = [sighting for _, sighting in rows]
        cluster_ids = [sighting.cluster_id for sighting in sightings]
        clusters = await self._clusters.of_ids(cluster_ids)
        counts = await self._sightings.counts(cluster_ids)
        examples: dict[UUID, list[ClusterMember]] = {sighting.id: [] for sighting in sightings}
        for member in await self._members.of_sightings(list(examples), examples=True):
            examples[member.sighting_id].append(member)
        return [
            SeenCluster(
                cluster=clusters[sighting.cluster_id],
                sighting=sighting,
                link=link,
                sightings=counts[sighting.cluster_id],
                examples=examples[sighting.id],
            )
            for link, sighting in rows
        ]

    def _new(self, scan_id: UUID, agent_id: UUID, draft: ClusterDraft) -> FailureCluster:
        return self._clusters.add(
            FailureCluster(
                agent_id=agent_id,
                label=draft.label[:MAXIMUM_LABEL],
                label_curated=False,
                status="open",
                centroid=dict(draft.centroid_terms),
                first_scan_id=scan_id,
                last_scan_id=scan_id,
            )
        )

    @staticmethod
    def _seen_again(cluster: FailureCluster, scan_id: UUID, draft: ClusterDraft) -> FailureCluster:
        if not cluster.label_curated:
            cluster.label = draft.label[:MAXIMUM_LABEL]
        cluster.centroid = blended(cluster.centroid, draft.centroid_terms)
        cluster.last_scan_id = scan_id
        cluster.updated_at = utc_now()
        return cluster

    def _add_members(self, sighting: ClusterSighting, draft: ClusterDraft) -> None:
        texts = {str(example["item_id"]): str(example["text"]) for example in draft.examples}
        for position, item_id in enumerate(draft.member_item_ids):
            self._members.add(
                ClusterMember(sighting_id=sighting.id, item_id=item_id, position=position, text=texts.get(str(item_id)))
            )
