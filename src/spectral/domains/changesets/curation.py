"""What people say about failure clusters: these are one, these are two, this item is of that kind.

Each says it once: it holds for the scan that they looked at and, by centroids and by rules about items, for every later
one. Scans that record clusters of an agent, and people who curate them, wait for each other.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.clusters import (
    EXAMPLES,
    LAST,
    MAXIMUM_LABEL,
    UNCLUSTERED,
    ClusterService,
    absorb,
)
from spectral.domains.changesets.dividing import divide
from spectral.domains.changesets.errors import (
    ClusterChangedError,
    ClusterNotDivisibleError,
    ClusterOfAnotherAgentError,
    EmptyClusterError,
    MergedClusterError,
)
from spectral.domains.changesets.identity import cosine, mean_of
from spectral.domains.changesets.models import (
    ChangesetCluster,
    ClusterMember,
    ClusterRule,
    ClusterSighting,
    FailureCluster,
)
from spectral.domains.changesets.recounting import recount
from spectral.domains.changesets.repository import (
    ClusterRepository,
    LinkRepository,
    MemberRepository,
    RuleRepository,
    SightingRepository,
)
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, NotFoundError, ValidationFailedError


@dataclass(frozen=True, slots=True)
class _Sight:
    """A cluster as one scan saw it, held for writing."""

    cluster: FailureCluster
    sighting: ClusterSighting
    members: list[ClusterMember]


class CurationService:
    """Curates the clusters of one workspace, in the caller's transaction.

    changeset_id is the change set through which a cluster is seen; None stands for the cluster's last scan.
    """

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, database: Database) -> None:
        self._session = session
        self._access = access
        self._database = database
        self._seen = ClusterService(session, access)
        self._clusters = ClusterRepository(session, access)
        self._sightings = SightingRepository(session, access)
        self._members = MemberRepository(session, access)
        self._links = LinkRepository(session, access)
        self._rules = RuleRepository(session, access)

    async def curate(self, changeset_id: UUID | None, cluster_id: UUID, changes: Mapping[str, Any]) -> UUID:
        """Label, status or note are a person's from now on and survive later scans. Raises NotFoundError.

        changes: `label`, `status`, `note`; what is left out stays.
        """
        cluster, _ = await self._hold(changeset_id, cluster_id)
        before = {name: getattr(cluster, name) for name in ("label", "status", "note")}
        after = {**before, **changes}
        if after == before and (cluster.label_curated or "label" not in changes):
            return cluster.id
        for name, value in changes.items():
            setattr(cluster, name, value)
        cluster.label_curated = cluster.label_curated or "label" in changes
        cluster.updated_at = utc_now()
        await self._clusters.flush()
        await self._audit("cluster.curated", cluster, {"before": before, "after": after})
        return cluster.id

    async def merge(self, changeset_id: UUID | None, cluster_ids: Sequence[UUID], label: str | None) -> UUID:
        """The clusters are one from now on, under the id of the first; later sightings of each are sightings of it.

        Raises NotFoundError for an unknown one, ClusterOfAnotherAgentError and MergedClusterError (400).
        """
        if changeset_id is None:
            agent_id = (await self._clusters.get(cluster_ids[0])).agent_id
        else:
            agent_id = (await self._seen.read_changeset(changeset_id)).agent_id
        await self._clusters.hold(agent_id)
        self._session.expire_all()
        rows = await self._clusters.of_ids(cluster_ids)
        for cluster_id in cluster_ids:
            if cluster_id not in rows:
                raise NotFoundError("Cluster", cluster_id)
            if rows[cluster_id].agent_id != agent_id:
                raise ClusterOfAnotherAgentError(cluster_id)
            if (into := rows[cluster_id].merged_into) is not None:
                raise MergedClusterError(cluster_id, into)
        survivor, *parts = (rows[cluster_id] for cluster_id in cluster_ids)
        for alias in await self._clusters.merged_into([part.id for part in parts]):
            alias.merged_into = survivor.id
        for part in parts:
            part.merged_into = survivor.id
        if label is not None:
            survivor.label, survivor.label_curated = label, True
        await self._fold(survivor, parts)
        await self._clusters.flush()
        merged = [{"id": str(part.id), "label": part.label} for part in parts]
        await self._audit("cluster.merged", survivor, {"label": survivor.label, "merged": merged})
        return survivor.id

    async def split(
        self,
        changeset_id: UUID | None,
        cluster_id: UUID,
        *,
        item_ids: Sequence[UUID] | None = None,
        parts: int = 2,
        label: str | None = None,
    ) -> list[UUID]:
        """The cluster is several from now on: the named items are a new one, or it falls into `parts` by its words.

        The ids of all parts; the first keeps the cluster's id. Later failures go to the part that they are most like,
        and each of these items to the part that it is in now. Raises NotFoundError, ValidationFailedError (422) for an
        item that is no member, ClusterNotDivisibleError, EmptyClusterError (400), and ClusterChangedError (409) when
        its members change meanwhile.
        """
        groups = [list(item_ids)] if item_ids is not None else await self._by_words(changeset_id, cluster_id, parts)
        sight = await self._sight(changeset_id, cluster_id)
        members = {member.item_id: member for member in sight.members}
        if item_ids is None:
            if {item for group in groups for item in group} != set(members):
                raise ClusterChangedError(cluster_id)
            groups = groups[1:]
        else:
            _require_members(item_ids, members, "item_ids")
        gone = {item for group in groups for item in group}
        staying = [member for member in sight.members if member.item_id not in gone]
        if not staying:
            raise EmptyClusterError(sight.cluster.id)
        made = []
        for number, group in enumerate(groups, 1):
            wanted = label if label is None or len(groups) == 1 else f"{label[: MAXIMUM_LABEL - 4]} {number}"
            made.append(await self._part(sight, [members[item] for item in group], staying, wanted))
        kept = mean_of([member.terms for member in staying])
        sight.cluster.centroid = kept or sight.cluster.centroid
        sight.cluster.updated_at = utc_now()
        sight.sighting.stability = None
        _explain(staying, sight.cluster.centroid)
        for cluster, of_part in made:
            await self._say(cluster, [member.item_id for member in of_part])
        await self._say(sight.cluster, [member.item_id for member in staying])
        await self._share_out(sight, [cluster for cluster, _ in made])
        await recount(self._session, self._access, sight.sighting.scan_id)
        detail = [{"id": str(cluster.id), "label": cluster.label, "size": len(of)} for cluster, of in made]
        await self._audit("cluster.split", sight.cluster, {"parts": detail})
        return [sight.cluster.id, *(cluster.id for cluster, _ in made)]

    async def move(
        self,
        changeset_id: UUID | None,
        cluster_id: UUID,
        *,
        add: Sequence[UUID] = (),
        remove: Sequence[UUID] = (),
        to: UUID | None = None,
    ) -> UUID:
        """Failures of the same scan are of this cluster, or are not: they are of `to`, or of none.

        Raises NotFoundError, ValidationFailedError (422) for an item that is not there, EmptyClusterError (400) for the
        last item of a cluster, ClusterOfAnotherAgentError and MergedClusterError (400) for `to`.
        """
        sight = await self._sight(changeset_id, cluster_id)
        cluster, scan_id = sight.cluster, sight.sighting.scan_id
        seen = await self._seen.read_scan(scan_id)
        elsewhere = {
            member.item_id: member for one in seen if one.sighting.id != sight.sighting.id for member in one.members
        }
        members = {member.item_id: member for member in sight.members}
        _require_members(add, {**elsewhere, **members}, "add")
        _require_members(remove, members, "remove")
        leaving: dict[UUID, int] = {}
        for item in (*remove, *(item for item in add if item in elsewhere)):
            member = members.get(item) or elsewhere[item]
            leaving[member.sighting_id] = leaving.get(member.sighting_id, 0) + 1
        added = [elsewhere[item] for item in add if item in elsewhere]
        for one in seen:
            arriving = len(added) if one.sighting.id == sight.sighting.id else 0
            if one.cluster is not None and leaving.get(one.sighting.id, 0) == len(one.members) + arriving:
                raise EmptyClusterError(one.cluster.id)
        if remove:
            target = None if to is None else await self._target(cluster, to)
            place = await self._place(sight, target)
            await self._put([members[item] for item in remove], place)
            await self._rules.forget(cluster.agent_id, remove)
            if target is None:
                self._add_rules(cluster, remove, "apart")
            else:
                self._add_rules(target, remove, "belongs")
        if add:
            await self._put(added, sight.sighting)
            await self._say(cluster, add)
        await self._rules.flush()
        cluster.updated_at = utc_now()
        await self._clusters.flush()
        await recount(self._session, self._access, scan_id)
        detail = {
            "added": [str(item) for item in add],
            "removed": [str(item) for item in remove],
            "to": None if to is None else str(to),
        }
        await self._audit("cluster.members_changed", cluster, detail)
        return cluster.id

    # --------------------------------------------------------------------------------------------------- splitting

    async def _by_words(self, changeset_id: UUID | None, cluster_id: UUID, parts: int) -> list[list[UUID]]:
        """In a transaction of its own that is over before the work begins."""
        async with self._database.transaction(self._access, read_only=True) as session:
            seen = await ClusterService(session, self._access).read_cluster(changeset_id, cluster_id)
        terms = {member.item_id: member.terms for member in seen.members}
        if not all(terms.values()):
            raise ClusterNotDivisibleError("The scan kept no words of its failures; name the item_ids of one part")
        groups = await asyncio.to_thread(divide, terms, parts)
        if len(groups) < 2:
            raise ClusterNotDivisibleError("Every failure of the cluster says the same; name the item_ids of one part")
        return groups

    async def _part(
        self, sight: _Sight, members: Sequence[ClusterMember], rest: Sequence[ClusterMember], label: str | None
    ) -> tuple[FailureCluster, list[ClusterMember]]:
        """A new cluster of these members, seen by the same scan."""
        parent, seen = sight.cluster, sight.sighting
        centroid = mean_of([member.terms for member in members])
        part = self._clusters.add(
            FailureCluster(
                agent_id=parent.agent_id,
                label=label or _name(centroid, mean_of([member.terms for member in rest]), parent.label),
                label_curated=label is not None,
                status="open",
                centroid=centroid,
                first_scan_id=seen.scan_id,
                last_scan_id=seen.scan_id,
                split_from=parent.id,
            )
        )
        await self._clusters.flush()
        await self._put(list(members), await self._place(sight, part))
        _explain(members, centroid)
        return part, list(members)

    async def _share_out(self, sight: _Sight, parts: Sequence[FailureCluster]) -> None:
        """What was merged into the cluster, and what change sets broke of it, goes to the part that it is most like."""
        whole = [sight.cluster, *parts]
        for alias in await self._clusters.merged_into([sight.cluster.id]):
            alias.merged_into = _nearest(alias.centroid, whole).id
        await self._clusters.flush()
        seen = {one.cluster_id: one for one in await self._sightings.of_scan(sight.sighting.scan_id)}
        for link in await self._links.of_sightings([sight.sighting.id]):
            broken: dict[UUID, dict[str, Any]] = {cluster.id: {} for cluster in whole}
            for item, terms in (link.broken_items or {}).items():
                broken[_nearest(terms, whole).id][item] = terms
            link.broken_items = broken[sight.cluster.id]
            for part in parts:
                self._links.add(
                    ChangesetCluster(
                        changeset_id=link.changeset_id,
                        sighting_id=seen[part.id].id,
                        failures=0,
                        fixed=0,
                        broke=0,
                        fixed_items=[],
                        broken_items=broken[part.id],
                    )
                )
        await self._links.flush()

    # ----------------------------------------------------------------------------------------------------- merging

    async def _fold(self, survivor: FailureCluster, parts: Sequence[FailureCluster]) -> None:
        """Every sighting of the parts is one of the survivor; where one scan saw several, they are one sighting."""
        of_scan: dict[UUID, list[ClusterSighting]] = {}
        for sighting in await self._sightings.of_clusters([survivor.id, *(part.id for part in parts)]):
            of_scan.setdefault(sighting.scan_id, []).append(sighting)
        # Oldest first.
        survivor.first_scan_id, survivor.last_scan_id = next(iter(of_scan)), list(of_scan)[-1]
        for seen in of_scan.values():
            kept, *gone = sorted(seen, key=lambda one: (one.cluster_id != survivor.id, one.position))
            measured = [(one.size, one.stability) for one in seen if one.stability is not None]
            size = sum(one.size for one in seen)
            shared = round(sum(one.share for one in seen), 6)
            if gone:
                await self._fold_links(kept, gone)
                for one in gone:
                    members = await self._members.of_sightings([one.id])
                    await self._members.move([member.id for member in members], kept.id, after=kept.size)
                    kept.size += one.size
                    await self._sightings.remove(one)
                weights = sum(each for each, _ in measured)
                kept.stability = sum(each * value for each, value in measured) / weights if weights else None
            kept.cluster_id, kept.size, kept.share = survivor.id, size, min(1.0, shared)
        await self._sightings.flush()
        survivor.updated_at = utc_now()

    async def _fold_links(self, kept: ClusterSighting, gone: Sequence[ClusterSighting]) -> None:
        links = await self._links.of_sightings([kept.id])
        by_changeset = {link.changeset_id: link for link in links}
        for link in await self._links.of_sightings([one.id for one in gone]):
            if link.changeset_id in by_changeset:
                absorb(by_changeset[link.changeset_id], link)
                await self._links.remove(link)
            else:
                link.sighting_id = kept.id
                by_changeset[link.changeset_id] = link
        await self._links.flush()

    # ------------------------------------------------------------------------------------------------------ shared

    async def _hold(self, changeset_id: UUID | None, cluster_id: UUID) -> tuple[FailureCluster, ClusterSighting]:
        """The cluster as it is now, alone until the transaction ends, and where it was seen. Raises NotFoundError."""
        _, _, agent_id = await self._seen.find(changeset_id, cluster_id)
        await self._clusters.hold(agent_id)
        # Somebody may have curated it while this waited.
        self._session.expire_all()
        sighting, _, _ = await self._seen.find(changeset_id, cluster_id)
        return await self._clusters.whole(cluster_id), sighting

    async def _sight(self, changeset_id: UUID | None, cluster_id: UUID) -> _Sight:
        """The same with its members. Raises NotFoundError, ClusterNotDivisibleError (400)."""
        cluster, sighting = await self._hold(changeset_id, cluster_id)
        if any(link.fixed_items is None for link in await self._links.of_sightings([sighting.id])):
            raise ClusterNotDivisibleError(
                "Of this scan only counts were kept, not which failures were fixed; divide the cluster after the next"
            )
        return _Sight(cluster, sighting, await self._members.of_sightings([sighting.id]))

    async def _target(self, cluster: FailureCluster, to: UUID) -> FailureCluster:
        target = await self._clusters.get(to)
        if target.agent_id != cluster.agent_id:
            raise ClusterOfAnotherAgentError(to)
        if target.merged_into is not None:
            raise MergedClusterError(to, target.merged_into)
        if target.id == cluster.id:
            raise ValidationFailedError("The body failed validation", [FieldError("/to", "is the cluster itself")])
        return target

    async def _place(self, sight: _Sight, cluster: FailureCluster | None) -> ClusterSighting:
        """Where the scan has the members of a cluster, or of none; made where it has no such place."""
        scan_id = sight.sighting.scan_id
        seen = await self._sightings.of_scan(scan_id)
        wanted = None if cluster is None else cluster.id
        found = next((one for one in seen if one.cluster_id == wanted), None)
        if found is not None:
            return found
        positions = [one.position for one in seen if one.position < LAST]
        made = self._sightings.add(
            ClusterSighting(
                agent_id=sight.cluster.agent_id,
                cluster_id=wanted,
                scan_id=scan_id,
                position=LAST if cluster is None else max(positions) + 1,
                label=UNCLUSTERED if cluster is None else cluster.label,
                size=0,
                share=0.0,
                stability=None,
            )
        )
        # Later than the others it is only in this table: it is a sighting of the same scan.
        made.created_at = sight.sighting.created_at
        await self._sightings.flush()
        return made

    async def _put(self, members: Sequence[ClusterMember], place: ClusterSighting) -> None:
        await self._members.move([member.id for member in members], place.id, after=place.size)
        for member in members:
            member.example = False
        await self._members.flush()

    async def _say(self, cluster: FailureCluster, item_ids: Sequence[UUID]) -> None:
        """These items belong to the cluster, whatever was said about them before."""
        await self._rules.forget(cluster.agent_id, item_ids)
        self._add_rules(cluster, item_ids, "belongs")
        await self._rules.flush()

    def _add_rules(self, cluster: FailureCluster, item_ids: Sequence[UUID], kind: str) -> None:
        for item_id in item_ids:
            self._rules.add(
                ClusterRule(
                    agent_id=cluster.agent_id,
                    item_id=item_id,
                    cluster_id=cluster.id,
                    kind=kind,
                    created_by=self._access.actor,
                )
            )

    async def _audit(self, action: str, cluster: FailureCluster, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"cluster:{cluster.id}",
            detail=detail,
        )


def _require_members(item_ids: Sequence[UUID], members: Mapping[UUID, Any], name: str) -> None:
    wrong = [
        FieldError(f"/{name}/{place}", "is no failure that this scan saw here")
        for place, item in enumerate(item_ids)
        if item not in members
    ]
    if wrong:
        raise ValidationFailedError("The body failed validation", wrong[:20])


def _nearest(terms: Mapping[str, float], clusters: Sequence[FailureCluster]) -> FailureCluster:
    """The cluster whose centroid is most like these terms; the first where several are alike."""
    return max(clusters, key=lambda cluster: round(cosine(terms, cluster.centroid), 9))


def _explain(members: Sequence[ClusterMember], centroid: Mapping[str, float]) -> None:
    """The members most like the centroid explain the cluster."""
    closest = sorted(members, key=lambda member: (-round(cosine(member.terms, centroid), 9), member.position))
    for place, member in enumerate(closest):
        member.example = place < EXAMPLES


def _name(part: Mapping[str, float], rest: Mapping[str, float], otherwise: str) -> str:
    """A part is named by the words that set it apart from the rest of its cluster."""
    apart = {term: weight - rest.get(term, 0.0) for term, weight in part.items() if not term.startswith("dimension:")}
    heaviest = sorted(apart, key=lambda term: (-round(apart[term], 9), term))
    words = [term for term in heaviest if apart[term] > 0][:3]
    named = [word.replace("expected:", "expected ").replace("got:", "got ") for word in words]
    return (", ".join(named) or f"part of {otherwise}")[:MAXIMUM_LABEL]
