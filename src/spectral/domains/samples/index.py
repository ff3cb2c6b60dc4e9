"""By what newcomers are compared with a set of any size: few rows are read, however many items it has."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.drafts import MeasuredDraft
from spectral.domains.samples.intake import Present
from spectral.domains.samples.models import SampleBand, SampleItem, SampleLink
from spectral.domains.samples.near_duplicates import CROWD, bands_of, unpacked
from spectral.domains.samples.splitting import Placed, Split
from spectral.platform.access.principal import WorkspaceAccess

ASKED_AT_ONCE = 4_000
"""Values of one statement; both databases take more."""
LIKELIEST = 8
"""Items that a newcomer is compared with: those that share the most bands. A near-duplicate shares four on average."""

# Of the table, not of the mapped class: sixteen rows an item are too many to be looked at one by one.
# tenancy: every row says its workspace
ADD_BANDS = sa.insert(cast("sa.Table", SampleBand.__table__))

T = TypeVar("T")
Bands = dict[int, list[UUID]]


@dataclass(frozen=True, slots=True)
class Indexed:
    """An item that is found from now on."""

    item_id: UUID
    expected_hash: str
    bands: Sequence[int]
    placed: Placed


class SampleIndex:
    """The index of one workspace's sets, in the caller's transaction; whoever adds holds the set's lock."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access

    async def alike(self, set_id: UUID, measured: Sequence[MeasuredDraft]) -> list[Present]:
        """The items of the set that one of these may repeat: those of equal inputs, and the likeliest of the others.

        In the order of their content, so the same on every database.
        """
        found: dict[UUID, Present] = {}
        for inputs in _parts(sorted({one.fingerprint for one in measured})):
            await self._read(found, SampleItem.set_id == set_id, SampleItem.fingerprint.in_(inputs))
        bands = [bands_of(set_id, one.expected_hash, one.signature) for one in measured]
        crowds = await self._crowds({band for each in bands for band in each})
        likeliest: set[UUID] = set()
        for each in bands:
            shared = Counter(item_id for band in each for item_id in crowds.get(band, ()))
            ranked = sorted(shared.items(), key=lambda one: (-one[1], one[0]))
            likeliest.update(item_id for item_id, _ in ranked[:LIKELIEST])
        for part in _parts(sorted(likeliest - found.keys())):
            await self._read(found, SampleItem.set_id == set_id, SampleItem.id.in_(part))
        return sorted(found.values(), key=lambda one: one.fingerprint)

    async def places(self, set_id: UUID, links: Iterable[str]) -> list[Placed]:
        """Where the groups of these links are, one entry for each link that the set knows."""
        placed: list[Placed] = []
        for part in _parts(sorted(set(links))):
            statement = sa.select(SampleLink.link, SampleLink.group_key, SampleLink.split).where(
                SampleLink.workspace_id == self._access.workspace_id,
                SampleLink.set_id == set_id,
                SampleLink.link.in_(part),
            )
            rows = await self._session.execute(statement)
            placed.extend(Placed(row.group_key, Split(row.split), [row.link]) for row in rows)
        return placed

    async def add(self, set_id: UUID, items: Sequence[Indexed]) -> None:
        """The items are found from now on, by their texts and by their links."""
        await self._add_bands(items)
        await self._add_links(set_id, items)

    async def replace_bands(self, item: Indexed) -> None:
        """The item is found by another text now; its links stay as they are."""
        await self._session.execute(
            sa.delete(SampleBand).where(
                SampleBand.workspace_id == self._access.workspace_id, SampleBand.item_id == item.item_id
            )
        )
        await self._add_bands([item])

    async def _read(self, found: dict[UUID, Present], *where: sa.ColumnElement[bool]) -> None:
        statement = sa.select(
            SampleItem.id,
            SampleItem.fingerprint,
            SampleItem.expected_hash,
            SampleItem.signature,
            SampleItem.group_key,
            SampleItem.split,
            SampleItem.links,
        ).where(SampleItem.workspace_id == self._access.workspace_id, *where)
        for row in await self._session.execute(statement):
            found[row.id] = Present(
                name=str(row.id),
                fingerprint=row.fingerprint,
                expected_hash=row.expected_hash,
                signature=unpacked(row.signature),
                placed=Placed(row.group_key, Split(row.split), row.links),
            )

    async def _crowds(self, bands: Iterable[int]) -> Bands:
        crowds: Bands = defaultdict(list)
        for part in _parts(sorted(bands)):
            statement = sa.select(SampleBand.band, SampleBand.item_id).where(
                SampleBand.workspace_id == self._access.workspace_id, SampleBand.band.in_(part)
            )
            for band, item_id in await self._session.execute(statement):
                crowds[band].append(item_id)
        return crowds

    async def _add_bands(self, items: Sequence[Indexed]) -> None:
        sizes = Counter({band: len(members) for band, members in (await self._crowds(_all_bands(items))).items()})
        rows: list[dict[str, Any]] = []
        for item in items:
            for band in item.bands:
                if sizes[band] < CROWD:
                    sizes[band] += 1
                    rows.append({"workspace_id": self._access.workspace_id, "band": band, "item_id": item.item_id})
        for part in _parts(rows):
            # tenancy: every row says this workspace
            await self._session.execute(ADD_BANDS, part)

    async def _add_links(self, set_id: UUID, items: Sequence[Indexed]) -> None:
        homes = {link: item.placed for item in items for link in item.placed.links}
        known = {place.links[0]: place for place in await self.places(set_id, homes)}
        # A newcomer that belongs to two groups of one split makes them one group for all that come later.
        united = {
            place.group_key: homes[link].group_key
            for link, place in known.items()
            if place.group_key != homes[link].group_key
        }
        for before, after in united.items():
            await self._session.execute(
                sa.update(SampleLink)
                .where(
                    SampleLink.workspace_id == self._access.workspace_id,
                    SampleLink.set_id == set_id,
                    SampleLink.group_key == before,
                )
                .values(group_key=after)
                .execution_options(synchronize_session=False)
            )
        rows = [
            {
                "workspace_id": self._access.workspace_id,
                "set_id": set_id,
                "link": link,
                "group_key": home.group_key,
                "split": home.split.value,
            }
            for link, home in homes.items()
            if link not in known
        ]
        insert = sqlite.insert if self._session.get_bind().dialect.name == "sqlite" else postgresql.insert
        for part in _parts(rows):
            # tenancy: every row says this workspace
            await self._session.execute(insert(SampleLink).on_conflict_do_nothing(), part)


def _all_bands(items: Sequence[Indexed]) -> set[int]:
    return {band for item in items for band in item.bands}


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    return (values[start : start + ASKED_AT_ONCE] for start in range(0, len(values), ASKED_AT_ONCE))
