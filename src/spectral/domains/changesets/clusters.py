"""Failure clusters: recognised from scan to scan, read with what change sets did to them.

What people say about them is `curation.py`; how it is applied to a scan is `identity.py`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.identity import Found, Known, Recognised, Rules, blended, mean_of, recognise
from spectral.domains.changesets.models import (
    Changeset,
    ChangesetCluster,
    ClusterMember,
    ClusterSighting,
    FailureCluster,
)
from spectral.domains.changesets.recounting import recount
from spectral.domains.changesets.repository import (
    ChangesetRepository,
    ClusterRepository,
    LinkRepository,
    MemberRepository,
    RuleRepository,
    SightingRepository,
)
from spectral.domains.samples.origins import SampleOrigins
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

MAXIMUM_LABEL = 200
TEXT_CHARACTERS = 2_000
EXAMPLES = 5
KNOWN_MAXIMUM = 5_000
"""So many clusters of an agent are remembered; of more, those that changed last."""

RECENT_SCANS = 10
HISTORY = 20
UNCLUSTERED = "unclustered"

Terms = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class ClusterDraft:
    """A cluster as a scan found it.

    examples: `{"item_id", "text"}` of the members that explain it best.  share: of the scan's failures, 0–1.
    texts, terms: of each member what a person reads of it, and term → weight; left out where they are not known.
    """

    label: str
    size: int
    share: float
    member_item_ids: Sequence[UUID]
    examples: Sequence[Mapping[str, Any]]
    centroid_terms: Terms
    stability: float | None
    texts: Mapping[UUID, str] = field(default_factory=dict)
    terms: Mapping[UUID, Terms] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UnclusteredFailure:
    """A failed item that resembles no other enough."""

    item_id: UUID
    text: str
    terms: Terms


@dataclass(frozen=True, slots=True)
class ClusterEffect:
    """What a candidate did to a cluster: of its failures it fixed some, and broke items that look like it.

    cluster_id: None for the failures in no cluster.  fixed_items, broken_items: which ones, the broken ones with their
    terms; None where only the counts are known, and then nobody can divide the cluster later.
    """

    cluster_id: UUID | None
    fixed: int
    broke: int
    fixed_items: Sequence[UUID] | None = None
    broken_items: Mapping[UUID, Terms] | None = None


@dataclass(frozen=True, slots=True)
class Recurrence:
    """In how many of the agent's last `scans` scans a cluster was seen."""

    seen: int
    scans: int


@dataclass(frozen=True, slots=True)
class SeenCluster:
    """A cluster as one scan saw it, the change set's or the last one, with what a change set did to it.

    link: None where no change set was asked about.  sightings: in how many scans it was seen at all.
    changeset_id: the last change set of that scan.  members: with their traces, only where one cluster was asked for.
    """

    cluster: FailureCluster
    sighting: ClusterSighting
    link: ChangesetCluster | None
    sightings: int
    first_seen_at: datetime
    last_seen_at: datetime
    recurrence: Recurrence
    examples: list[ClusterMember]
    changeset_id: UUID | None
    merged: list[FailureCluster]
    members: list[ClusterMember] = field(default_factory=list)
    members_total: int = 0
    traces: dict[UUID, str] = field(default_factory=dict)
    history: list[ClusterSighting] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class ScanCluster:
    """A cluster of one scan with its members, after recognition and curation; `cluster` is None for those in none."""

    cluster: FailureCluster | None
    sighting: ClusterSighting
    members: list[ClusterMember]


class ClusterService:
    """The failure clusters of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._clusters = ClusterRepository(session, access)
        self._sightings = SightingRepository(session, access)
        self._members = MemberRepository(session, access)
        self._links = LinkRepository(session, access)
        self._rules = RuleRepository(session, access)
        self._changesets = ChangesetRepository(session, access)
        self._origins = SampleOrigins(session, access)

    # ------------------------------------------------------------------------------------------------------ scans

    async def record(
        self,
        scan_id: UUID,
        agent_id: UUID,
        drafts: Sequence[ClusterDraft],
        unclustered: Sequence[UnclusteredFailure] = (),
    ) -> list[FailureCluster]:
        """The clusters of a scan: known ones where the centroids say so, and under what people said about them.

        In the order of the drafts, of which curation may have made one or several. A curated label, the status and the
        note of a known cluster stay. A scan is recorded once: again answers what is recorded. Raises NotFoundError for
        the agent.
        """
        await self._clusters.hold(agent_id)
        if not await self._sightings.of_scan(scan_id):
            await self._record(scan_id, agent_id, drafts, unclustered)
        return [seen.cluster for seen in await self.read_scan(scan_id) if seen.cluster is not None]

    async def read_scan(self, scan_id: UUID) -> list[ScanCluster]:
        """What a scan found and people said about it since; last what is in no cluster."""
        sightings = await self._sightings.of_scan(scan_id)
        clusters = await self._clusters.of_ids([one.cluster_id for one in sightings if one.cluster_id is not None])
        members: dict[UUID, list[ClusterMember]] = {one.id: [] for one in sightings}
        for member in await self._members.of_sightings(list(members)):
            members[member.sighting_id].append(member)
        return [
            ScanCluster(None if one.cluster_id is None else clusters[one.cluster_id], one, members[one.id])
            for one in sightings
        ]

    async def link(self, changeset_id: UUID, scan_id: UUID, effects: Sequence[ClusterEffect]) -> None:
        """The change set has done this to clusters of its scan; clusters that the scan did not see are left out.

        What people have merged or divided since the effects were counted is counted anew.
        """
        sightings = {sighting.cluster_id: sighting for sighting in await self._sightings.of_scan(scan_id)}
        named = await self._clusters.of_ids([one.cluster_id for one in effects if one.cluster_id is not None])
        links: dict[UUID, ChangesetCluster] = {}
        for effect in effects:
            cluster = None if effect.cluster_id is None else named.get(effect.cluster_id)
            if effect.cluster_id is not None and cluster is None:
                continue
            sighting = sightings.get(None if cluster is None else cluster.merged_into or cluster.id)
            if sighting is None:
                continue
            added = _link(changeset_id, sighting, effect)
            if sighting.id in links:
                absorb(links[sighting.id], added)
            else:
                links[sighting.id] = self._links.add(added)
        await self._links.flush()
        if links:
            await recount(self._session, self._access, scan_id)

    async def _record(
        self,
        scan_id: UUID,
        agent_id: UUID,
        drafts: Sequence[ClusterDraft],
        unclustered: Sequence[UnclusteredFailure],
    ) -> None:
        rows = {row.id: row for row in await self._clusters.latest_of_agent(agent_id, KNOWN_MAXIMUM)}
        texts = _texts(drafts, unclustered)
        terms: dict[UUID, Terms] = {one.item_id: one.terms for one in unclustered}
        for draft in drafts:
            terms |= draft.terms
        recognition = recognise(
            known_of(list(rows.values())),
            [Found(draft.centroid_terms, draft.member_item_ids) for draft in drafts],
            await self._said(agent_id),
            unclustered=[one.item_id for one in unclustered],
            terms=terms,
        )
        for draft, match in zip(drafts, recognition.matches, strict=True):
            if match is not None:
                rows[match].centroid = blended(rows[match].centroid, draft.centroid_terms)
                rows[match].updated_at = utc_now()
        examples = {UUID(str(each["item_id"])) for draft in drafts for each in draft.examples}
        total = max((round(one.size / one.share) for one in drafts if one.share > 0), default=len(unclustered))
        written: list[tuple[ClusterSighting, Sequence[UUID]]] = []
        for position, seen in enumerate(recognition.clusters):
            cluster = self._cluster_of(seen, rows, drafts, terms, scan_id, agent_id)
            await self._clusters.flush()
            sighting = _sighting(scan_id, cluster, position, seen, drafts, total)
            written.append((self._sightings.add(sighting), seen.members))
        rest = _rest(scan_id, agent_id, recognition.unclustered, total)
        written.append((self._sightings.add(rest), recognition.unclustered))
        now = utc_now()
        for sighting, _ in written:
            sighting.created_at = now
        await self._sightings.flush()
        for sighting, items in written:
            shown = [item for item in items if item in examples] or list(items[:EXAMPLES])
            for position, item in enumerate(items):
                self._members.add(
                    ClusterMember(
                        sighting_id=sighting.id,
                        item_id=item,
                        position=position,
                        text=texts.get(item),
                        example=item in shown and sighting.cluster_id is not None,
                        terms=dict(terms.get(item, {})),
                    )
                )
        await self._members.flush()

    async def _said(self, agent_id: UUID) -> Rules:
        belongs: dict[UUID, UUID] = {}
        apart: dict[UUID, set[UUID]] = {}
        for rule in await self._rules.of_agent(agent_id):
            if rule.kind == "belongs":
                belongs[rule.item_id] = rule.cluster_id
            else:
                apart.setdefault(rule.item_id, set()).add(rule.cluster_id)
        return Rules(belongs, apart)

    def _cluster_of(
        self,
        seen: Recognised,
        rows: Mapping[UUID, FailureCluster],
        drafts: Sequence[ClusterDraft],
        terms: Mapping[UUID, Terms],
        scan_id: UUID,
        agent_id: UUID,
    ) -> FailureCluster:
        if seen.cluster_id is None:
            draft = drafts[seen.found[0]]
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
        cluster = rows[seen.cluster_id]
        divided = cluster.split_from is not None or any(row.split_from == cluster.id for row in rows.values())
        merged = any(row.merged_into == cluster.id for row in rows.values())
        # The name of a part is not the name of the whole, nor the other way round.
        if seen.unchanged and not (cluster.label_curated or divided or merged):
            cluster.label = drafts[seen.found[0]].label[:MAXIMUM_LABEL]
        if divided and (mean := mean_of([terms.get(item, {}) for item in seen.members])):
            cluster.centroid = blended(cluster.centroid, mean)
        cluster.last_scan_id = scan_id
        cluster.updated_at = utc_now()
        return cluster

    # ---------------------------------------------------------------------------------------------------- reading

    async def list_clusters(self, changeset_id: UUID, page: Page) -> tuple[list[SeenCluster], int]:
        """One page of a change set's clusters, the largest first. Raises NotFoundError for the change set."""
        changeset = await self._changesets.get(changeset_id)
        rows, total = await self._links.page_of(changeset_id, page)
        return await self._complete([(sighting, link) for link, sighting in rows], changeset.agent_id), total

    async def list_all(
        self, page: Page, *, agent_id: UUID | None = None, status: str | None = None
    ) -> tuple[list[SeenCluster], int]:
        """One page of the workspace's clusters as their last scans saw them, the last seen and largest first."""
        clusters, total = await self._clusters.page_of_agent(page, agent_id=agent_id, status=status)
        sightings = {one.cluster_id: one for one in await self._sightings.latest_of(clusters)}
        found: dict[UUID, SeenCluster] = {}
        for agent in {cluster.agent_id for cluster in clusters}:
            rows = [(sightings[one.id], None) for one in clusters if one.agent_id == agent and one.id in sightings]
            found |= {seen.cluster.id: seen for seen in await self._complete(rows, agent)}
        return [found[cluster.id] for cluster in clusters if cluster.id in found], total

    async def read_cluster(self, changeset_id: UUID | None, cluster_id: UUID, page: Page | None = None) -> SeenCluster:
        """A cluster with one page of its members, as a change set's scan saw it, or as the last one did.

        page: None for all members. A merged cluster is what it was merged into. Raises NotFoundError.
        """
        sighting, link, agent_id = await self.find(changeset_id, cluster_id)
        (seen,) = await self._complete([(sighting, link)], agent_id)
        if page is None:
            members = await self._members.of_sightings([sighting.id])
            total = len(members)
        else:
            members, total = await self._members.page_of(sighting.id, page)
        return SeenCluster(
            **{name: getattr(seen, name) for name in SeenCluster.__dataclass_fields__ if name not in _OF_ONE},
            members=members,
            members_total=total,
            traces=await self._origins.trace_ids([member.item_id for member in (*members, *seen.examples)]),
            history=await self._sightings.history(seen.cluster.id, HISTORY),
        )

    async def find(
        self, changeset_id: UUID | None, cluster_id: UUID
    ) -> tuple[ClusterSighting, ChangesetCluster | None, UUID]:
        """The sighting of a cluster by a change set's scan, or by the last one, and its agent. Raises NotFoundError."""
        if changeset_id is not None:
            changeset = await self._changesets.get(changeset_id)
            cluster = await self._clusters.whole(cluster_id)
            link, sighting = await self._links.of_cluster(changeset_id, cluster.id)
            return sighting, link, changeset.agent_id
        cluster = await self._clusters.whole(cluster_id)
        sightings = await self._sightings.latest_of([cluster])
        if not sightings:
            raise NotFoundError("Cluster", cluster_id)
        return sightings[0], None, cluster.agent_id

    async def read_changeset(self, changeset_id: UUID) -> Changeset:
        """Raises NotFoundError."""
        return await self._changesets.get(changeset_id)

    async def _complete(
        self, rows: Sequence[tuple[ClusterSighting, ChangesetCluster | None]], agent_id: UUID
    ) -> list[SeenCluster]:
        sightings = [sighting for sighting, _ in rows]
        cluster_ids = [sighting.cluster_id for sighting in sightings if sighting.cluster_id is not None]
        clusters = await self._clusters.of_ids(cluster_ids)
        counts = await self._sightings.counts(cluster_ids)
        recent = await self._sightings.latest_scans(agent_id, RECENT_SCANS)
        seen_in = await self._sightings.seen_in(cluster_ids, recent)
        changesets = await self._links.latest_changesets([sighting.id for sighting in sightings])
        merged: dict[UUID, list[FailureCluster]] = {cluster_id: [] for cluster_id in cluster_ids}
        for part in await self._clusters.merged_into(cluster_ids):
            merged[part.merged_into or part.id].append(part)
        examples: dict[UUID, list[ClusterMember]] = {sighting.id: [] for sighting in sightings}
        for member in await self._members.of_sightings(list(examples), examples=True):
            examples[member.sighting_id].append(member)
        found = []
        for sighting, link in rows:
            cluster = clusters[sighting.cluster_id] if sighting.cluster_id is not None else None
            if cluster is None:
                continue
            sighted, first, last = counts[cluster.id]
            found.append(
                SeenCluster(
                    cluster=cluster,
                    sighting=sighting,
                    link=link,
                    sightings=sighted,
                    first_seen_at=first,
                    last_seen_at=last,
                    recurrence=Recurrence(sum(one == cluster.id for one, _ in seen_in), len(recent)),
                    examples=examples[sighting.id][:EXAMPLES],
                    changeset_id=changesets.get(sighting.id),
                    merged=merged[cluster.id],
                )
            )
        return found


_OF_ONE = {"members", "members_total", "traces", "history"}


def known_of(rows: Sequence[FailureCluster]) -> list[Known]:
    """The clusters of an agent as recognition sees them."""
    by_id = {row.id: row for row in rows}
    return [
        Known(
            id=row.id,
            centroid=row.centroid,
            whole=row.merged_into if row.merged_into in by_id else row.id,
            family=_family(row, by_id),
        )
        for row in rows
    ]


def _family(row: FailureCluster, by_id: Mapping[UUID, FailureCluster]) -> UUID:
    while row.split_from is not None and row.split_from in by_id:
        row = by_id[row.split_from]
    return row.id


def absorb(kept: ChangesetCluster, gone: ChangesetCluster) -> None:
    """What a change set did to both is what it did to the one that is kept."""
    kept.failures += gone.failures
    kept.fixed += gone.fixed
    kept.broke += gone.broke
    if kept.fixed_items is None or gone.fixed_items is None:
        kept.fixed_items = kept.broken_items = None
    else:
        kept.fixed_items = [*kept.fixed_items, *gone.fixed_items]
        kept.broken_items = {**(kept.broken_items or {}), **(gone.broken_items or {})}


def _link(changeset_id: UUID, sighting: ClusterSighting, effect: ClusterEffect) -> ChangesetCluster:
    fixed, broken = effect.fixed_items, effect.broken_items
    known = fixed is not None and broken is not None
    return ChangesetCluster(
        changeset_id=changeset_id,
        sighting_id=sighting.id,
        failures=sighting.size,
        fixed=effect.fixed,
        broke=effect.broke,
        fixed_items=[str(item) for item in fixed or ()] if known else None,
        broken_items={str(item): dict(terms) for item, terms in (broken or {}).items()} if known else None,
    )


def _texts(drafts: Sequence[ClusterDraft], unclustered: Sequence[UnclusteredFailure]) -> dict[UUID, str]:
    texts = {one.item_id: one.text[:TEXT_CHARACTERS] for one in unclustered}
    for draft in drafts:
        texts |= {UUID(str(each["item_id"])): str(each["text"])[:TEXT_CHARACTERS] for each in draft.examples}
        texts |= {item: text[:TEXT_CHARACTERS] for item, text in draft.texts.items()}
    return texts


def _sighting(
    scan_id: UUID,
    cluster: FailureCluster,
    position: int,
    seen: Recognised,
    drafts: Sequence[ClusterDraft],
    total: int,
) -> ClusterSighting:
    made_of = [drafts[place] for place in seen.found]
    measured = [(one.size, one.stability) for one in made_of if one.stability is not None]
    stability = sum(size * value for size, value in measured) / sum(size for size, _ in measured) if measured else None
    return ClusterSighting(
        agent_id=cluster.agent_id,
        cluster_id=cluster.id,
        scan_id=scan_id,
        position=position,
        label=cluster.label,
        size=len(seen.members),
        share=made_of[0].share if seen.unchanged else round(len(seen.members) / max(1, total), 6),
        # Of a part nobody has measured how stable it is.
        stability=None if cluster.split_from else stability,
    )


def _rest(scan_id: UUID, agent_id: UUID, items: Sequence[UUID], total: int) -> ClusterSighting:
    return ClusterSighting(
        agent_id=agent_id,
        cluster_id=None,
        scan_id=scan_id,
        position=LAST,
        label=UNCLUSTERED,
        size=len(items),
        share=round(len(items) / max(1, total, len(items)), 6),
        stability=None,
    )


LAST = 1_000_000
"""The position of what is in no cluster: behind all clusters, also behind those that people add."""
