"""How large the clusters of a scan are and what change sets did to them, after people have moved items."""

from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.models import ChangesetCluster, ClusterSighting
from spectral.domains.changesets.repository import LinkRepository, MemberRepository, SightingRepository
from spectral.platform.access.principal import WorkspaceAccess


async def recount(session: AsyncSession, access: WorkspaceAccess, scan_id: UUID) -> None:
    """Sizes, shares and what was fixed are what the members of each sighting say now.

    A change set of which only the counts are known keeps them. What it broke stays with the cluster that it was
    counted in: a broken item is no member.
    """
    links_of, members, sightings = (
        LinkRepository(session, access),
        MemberRepository(session, access),
        SightingRepository(session, access),
    )
    seen = await sightings.of_scan(scan_id)
    held: dict[UUID, set[str]] = {one.id: set() for one in seen}
    for item_id, sighting_id in await members.places(list(held)):
        held[sighting_id].add(str(item_id))
    total = failures_of(seen)
    for one in seen:
        if one.size != len(held[one.id]):
            one.size = len(held[one.id])
            one.share = round(one.size / max(1, total), 6)
    of_changeset: dict[UUID, list[ChangesetCluster]] = {}
    for link in await links_of.of_sightings(list(held)):
        of_changeset.setdefault(link.changeset_id, []).append(link)
    for changeset_id, links in of_changeset.items():
        if any(link.fixed_items is None for link in links):
            for link in links:
                link.failures = len(held[link.sighting_id])
            continue
        fixed = {item for link in links for item in link.fixed_items or ()}
        by_sighting = {link.sighting_id: link for link in links}
        for one in seen:
            link = by_sighting.get(one.id) or links_of.add(
                ChangesetCluster(
                    changeset_id=changeset_id, sighting_id=one.id, failures=0, fixed=0, broke=0, broken_items={}
                )
            )
            of_cluster = sorted(fixed & held[one.id])
            link.fixed_items = of_cluster
            link.failures, link.fixed = len(held[one.id]), len(of_cluster)
            link.broke = len(link.broken_items or {})
    await links_of.flush()


def failures_of(sightings: list[ClusterSighting]) -> int:
    """How many failures a scan had: what its sightings' sizes are shares of."""
    return max((round(one.size / one.share) for one in sightings if one.share > 0 and one.size), default=0)
