"""Queries over sample sets, items and holdouts of one workspace."""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.samples.models import Holdout, SampleItem, SampleSet
from spectral.domains.samples.splitting import Split
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError

Counts = dict[Split, int]
IDS_AT_ONCE = 500


def _waiting(set_id: UUID) -> tuple[sa.ColumnElement[bool], ...]:
    return (SampleItem.set_id == set_id, SampleItem.split == Split.HOLDOUT, SampleItem.holdout_id.is_(None))


class SampleSetRepository(WorkspaceRepository[SampleSet]):
    """Sample sets."""

    model = SampleSet
    kind = "Sample set"

    async def lock(self, set_id: UUID) -> SampleSet:
        """The set as it is now; until the transaction ends nobody else changes its content. Raises NotFoundError."""
        statement = self.select(SampleSet.id == set_id).with_for_update().execution_options(populate_existing=True)
        row = (await self.session.scalars(statement)).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, set_id)
        return row


class SampleItemRepository(WorkspaceRepository[SampleItem]):
    """The items of sample sets."""

    model = SampleItem
    kind = "Sample"

    async def of_set(self, set_id: UUID, item_id: UUID) -> SampleItem:
        """One item of one set. Raises NotFoundError."""
        row = await self.find(SampleItem.set_id == set_id, SampleItem.id == item_id)
        if row is None:
            raise NotFoundError(self.kind, item_id)
        return row

    async def counts(self, set_ids: Sequence[UUID]) -> dict[UUID, Counts]:
        """How many items each set has in each split, zeros included."""
        counts = {set_id: dict.fromkeys(Split, 0) for set_id in set_ids}
        selected = self.select(SampleItem.set_id.in_(set_ids))
        statement = selected.with_only_columns(SampleItem.set_id, SampleItem.split, sa.func.count()).group_by(
            SampleItem.set_id, SampleItem.split
        )
        for set_id, split, count in (await self.session.execute(statement)).all():
            counts[set_id][Split(split)] = count
        return counts

    async def of_split(self, set_id: UUID, split: Split, limit: int | None = None) -> list[SampleItem]:
        """The items of a split by content, so in the same order on every database; at most `limit`."""
        selected = self.select(SampleItem.set_id == set_id, SampleItem.split == split)
        return list((await self.session.scalars(selected.order_by(SampleItem.fingerprint).limit(limit))).all())

    async def ids_of_split(self, set_id: UUID, split: Split) -> list[UUID]:
        """The ids of a split's items by content."""
        selected = self.select(SampleItem.set_id == set_id, SampleItem.split == split)
        statement = selected.with_only_columns(SampleItem.id).order_by(SampleItem.fingerprint)
        return [item_id for (item_id,) in await self.session.execute(statement)]

    async def of_ids(self, set_id: UUID, item_ids: Sequence[UUID]) -> list[SampleItem]:
        """Those of these items that are in the set, in no order."""
        found: list[SampleItem] = []
        for start in range(0, len(item_ids), IDS_AT_ONCE):
            some = item_ids[start : start + IDS_AT_ONCE]
            statement = self.select(SampleItem.set_id == set_id, SampleItem.id.in_(some))
            found.extend(await self.session.scalars(statement))
        return found

    async def count_waiting(self, set_id: UUID) -> int:
        """How many items of the holdout split no holdout has frozen."""
        return await self.count(*_waiting(set_id))

    async def waiting(self, set_id: UUID) -> AsyncIterator[list[SampleItem]]:
        """Those items, some at a time; this session forgets each part before the next is read."""
        after: str | None = None
        while True:
            statement = self.select(*_waiting(set_id)).order_by(SampleItem.fingerprint).limit(IDS_AT_ONCE)
            if after is not None:
                statement = statement.where(SampleItem.fingerprint > after)
            items = list((await self.session.scalars(statement)).all())
            if not items:
                return
            yield items
            after = items[-1].fingerprint
            for item in items:
                self.session.expunge(item)

    async def of_holdout(self, holdout_id: UUID) -> list[SampleItem]:
        """The items that a holdout has frozen, by content."""
        return await self.find_all(SampleItem.holdout_id == holdout_id, order_by=(SampleItem.fingerprint,))

    async def freeze(self, holdout: Holdout) -> int:
        """Bind every waiting item of the holdout's set to it; answers how many."""
        return await self.execute(
            self.update(
                SampleItem.set_id == holdout.set_id,
                SampleItem.split == Split.HOLDOUT,
                SampleItem.holdout_id.is_(None),
            )
            .values(holdout_id=holdout.id)
            .execution_options(synchronize_session=False)
        )

    async def batch(self, set_id: UUID, after: UUID | None, size: int) -> list[SampleItem]:
        """The next items of a set in the order of their ids."""
        statement = self.select(SampleItem.set_id == set_id)
        if after is not None:
            statement = statement.where(SampleItem.id > after)
        return list((await self.session.scalars(statement.order_by(SampleItem.id).limit(size))).all())


class HoldoutRepository(WorkspaceRepository[Holdout]):
    """Frozen holdouts."""

    model = Holdout
    kind = "Holdout"

    async def current(self, set_ids: Sequence[UUID]) -> dict[UUID, Holdout]:
        """The current holdout of each set that has one."""
        found = await self.find_all(Holdout.set_id.in_(set_ids), Holdout.retired_at.is_(None))
        return {holdout.set_id: holdout for holdout in found}

    async def latest(self) -> list[Holdout]:
        """The newest holdout of every set that has any, oldest first."""
        place = sa.func.row_number().over(
            partition_by=Holdout.set_id, order_by=(Holdout.frozen_at.desc(), Holdout.id.desc())
        )
        ranked = sa.select(Holdout.id, place.label("place")).where(self._mine).subquery()
        return await self.find_all(Holdout.id.in_(sa.select(ranked.c.id).where(ranked.c.place == 1)))

    async def count_look(self, holdout_id: UUID) -> bool:
        """One more look at a holdout that is not retired; False when it is."""
        statement = (
            self.update(Holdout.id == holdout_id, Holdout.retired_at.is_(None))
            .values(looks=Holdout.looks + 1)
            .execution_options(synchronize_session=False)
        )
        return await self.execute(statement) == 1

    async def reread(self, holdout: Holdout) -> Holdout:
        """The same row as the database has it now."""
        statement = self.select(Holdout.id == holdout.id).execution_options(populate_existing=True)
        return (await self.session.scalars(statement)).one()
