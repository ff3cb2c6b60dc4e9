"""Samples on their way into a set: compared with what is there, placed, written and found by those that come later."""

import asyncio
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.drafts import MeasuredDraft
from spectral.domains.samples.errors import SampleSetFullError
from spectral.domains.samples.index import Indexed, SampleIndex
from spectral.domains.samples.intake import Intake, Newcomer, Present, Skipped, Taken, Twins, plan_intake
from spectral.domains.samples.models import SampleItem, SampleSet
from spectral.domains.samples.near_duplicates import bands_of, packed
from spectral.domains.samples.repository import SampleItemRepository
from spectral.domains.samples.splitting import Placed, Split, links_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

MAXIMUM_ITEMS = 200_000
COMPARED_AT_ONCE = 500
"""Newcomers whose likely twins are in memory together."""


class SampleAdmission:
    """Takes samples into the sets of one workspace, in the caller's transaction, which holds the set's lock."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._items = SampleItemRepository(session, access)
        self._index = SampleIndex(session, access)

    async def plan(self, sample_set: SampleSet, newcomers: Sequence[Newcomer], split: Split | None = None) -> Intake:
        """What becomes of the newcomers; nothing is written. Raises SampleSetFullError (400).

        split: where those go whose session or user is nowhere yet; None follows the shares of the set.
        """
        present = []
        for start in range(0, len(newcomers), COMPARED_AT_ONCE):
            some = [newcomer.measured for newcomer in newcomers[start : start + COMPARED_AT_ONCE]]
            present += await asyncio.to_thread(_repeated, await self._index.alike(sample_set.id, some), some)
        links = [
            link for newcomer in newcomers for link in links_of(newcomer.measured.draft.metadata, sample_set.group_by)
        ]
        placed = await self._index.places(sample_set.id, links)
        sizes = (await self._items.counts([sample_set.id]))[sample_set.id]
        shares = {each: float(sample_set.shares[each]) if split is None else float(each is split) for each in Split}
        # In a thread, because the loop must not wait for thousands of comparisons; the set's lock is held meanwhile.
        intake = await asyncio.to_thread(
            plan_intake,
            newcomers,
            present,
            shares=shares,
            seed=sample_set.seed,
            group_by=sample_set.group_by,
            placed=placed,
            sizes=sizes,
        )
        size = sum(sizes.values())
        if size + len(intake.taken) > MAXIMUM_ITEMS:
            raise SampleSetFullError(
                f"A set holds at most {MAXIMUM_ITEMS} items; this one has {size} and {len(intake.taken)} came"
            )
        return intake

    async def take(self, sample_set: SampleSet, intake: Intake) -> list[UUID]:
        """The samples that the plan takes are items; their ids, in its order."""
        if not intake.taken:
            return []
        count_change(sample_set)
        moment = utc_now()
        rows = [
            {
                "workspace_id": self._access.workspace_id,
                "id": new_id(),
                "created_at": moment,
                "updated_at": moment,
                "set_id": sample_set.id,
                "split": taken.place.split.value,
                "group_key": taken.place.group_key,
                "links": taken.links,
                **columns_of(taken.measured),
            }
            for taken in intake.taken
        ]
        await self._session.flush()
        for start in range(0, len(rows), COMPARED_AT_ONCE):
            # tenancy: every row says this workspace
            await self._session.execute(sa.insert(SampleItem), rows[start : start + COMPARED_AT_ONCE])
        indexed = [_indexed(sample_set.id, row["id"], taken) for row, taken in zip(rows, intake.taken, strict=True)]
        await self._index.add(sample_set.id, indexed)
        return [row["id"] for row in rows]

    async def find_twin(self, item: SampleItem, measured: MeasuredDraft) -> Skipped | None:
        """What an item would repeat if it were as measured, or None."""
        others = [one for one in await self._index.alike(item.set_id, [measured]) if one.name != str(item.id)]
        twin = Twins(others, frozenset({measured.expected_hash})).find(measured)
        return None if twin is None else Skipped("the sample", *twin)

    async def index_again(self, item: SampleItem, measured: MeasuredDraft) -> None:
        """The item is found by its new text."""
        placed = Placed(item.group_key, Split(item.split), item.links)
        bands = bands_of(item.set_id, measured.expected_hash, measured.signature)
        await self._index.replace_bands(Indexed(item.id, measured.expected_hash, bands, placed))


def columns_of(measured: MeasuredDraft) -> dict[str, Any]:
    """What a sample says, as columns of `SampleItem`."""
    draft = measured.draft
    return {
        "input": draft.input,
        "expected": draft.expected,
        "details": draft.metadata,
        "source_trace_id": draft.source_trace_id,
        "fingerprint": measured.fingerprint,
        "expected_hash": measured.expected_hash,
        "signature": packed(measured.signature),
    }


def count_change(sample_set: SampleSet) -> None:
    """The set's content is another version now."""
    sample_set.version += 1
    sample_set.updated_at = utc_now()


def _repeated(alike: Sequence[Present], measured: Sequence[MeasuredDraft]) -> list[Present]:
    """Those that one of the newcomers repeats."""
    twins = Twins(alike, frozenset(one.expected_hash for one in measured))
    names = {twin[1] for one in measured if (twin := twins.find(one)) is not None}
    return [one for one in alike if one.name in names]


def _indexed(set_id: UUID, item_id: UUID, taken: Taken) -> Indexed:
    measured = taken.measured
    bands = bands_of(set_id, measured.expected_hash, measured.signature)
    return Indexed(
        item_id, measured.expected_hash, bands, Placed(taken.place.group_key, taken.place.split, taken.links)
    )
