"""Sample sets: what they hold, where it goes, and the holdout that is frozen."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.admission import SampleAdmission, columns_of, count_change
from spectral.domains.samples.drafts import Draft, MeasuredDraft, checked_draft, measure
from spectral.domains.samples.errors import (
    BridgingSampleError,
    DuplicateSampleError,
    FrozenSampleError,
    HoldoutAlteredError,
    HoldoutCurrentError,
    HoldoutRetiredError,
    HoldoutTooSmallError,
    NoHoldoutError,
    SampleSetInUseError,
    SampleSetNameTakenError,
)
from spectral.domains.samples.importing import ImportedRow
from spectral.domains.samples.intake import Intake, Newcomer, Skipped, SkipReason
from spectral.domains.samples.models import Holdout, SampleItem, SampleSet
from spectral.domains.samples.repository import Counts, HoldoutRepository, SampleItemRepository, SampleSetRepository
from spectral.domains.samples.sample import DigestOfMany, Sample, digest_of
from spectral.domains.samples.splitting import Split
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.constraints import FOREIGN_KEY
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

MINIMUM_HOLDOUT = 30
"""Below this many pairs no validation can decide anything."""


@dataclass(frozen=True, slots=True)
class SetSummary:
    """A set with what it holds."""

    sample_set: SampleSet
    counts: Counts
    holdout: Holdout | None


@dataclass(frozen=True, slots=True)
class NewSet:
    """What a set is created with; the rules by which items are placed stay as they are from then on."""

    name: str
    description: str | None
    seed: int
    shares: Mapping[Split, float]
    group_by: Sequence[str]


class SampleService:
    """What is true of the sample sets of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._sets = SampleSetRepository(session, access)
        self._items = SampleItemRepository(session, access)
        self._holdouts = HoldoutRepository(session, access)
        self._admission = SampleAdmission(session, access)

    # ------------------------------------------------------------------------------------------------------- sets

    async def create_set(self, new: NewSet) -> SetSummary:
        """An empty set. Raises SampleSetNameTakenError."""
        sample_set = self._sets.add(
            SampleSet(
                name=new.name,
                description=new.description,
                seed=new.seed,
                shares={str(split): new.shares[split] for split in Split},
                group_by=list(new.group_by),
                created_by=self._access.actor,
            )
        )
        await self._sets.flush({"uq_sample_set_workspace_id_name": _name_taken(new.name)})
        await self._audit("sample_set.created", sample_set, {"name": new.name})
        return SetSummary(sample_set, dict.fromkeys(Split, 0), None)

    async def list_sets(self, page: Page) -> tuple[list[SetSummary], int]:
        """One page of the sets, newest first."""
        sets, total = await self._sets.page(self._sets.select(), page)
        identifiers = [one.id for one in sets]
        counts, holdouts = await self._items.counts(identifiers), await self._holdouts.current(identifiers)
        return [SetSummary(one, counts[one.id], holdouts.get(one.id)) for one in sets], total

    async def read_set(self, set_id: UUID) -> SampleSet:
        """Raises NotFoundError."""
        return await self._sets.get(set_id)

    async def read_summary(self, set_id: UUID) -> SetSummary:
        """Raises NotFoundError."""
        sample_set = await self._sets.get(set_id)
        return SetSummary(sample_set, await self.split_counts(set_id), await self.find_holdout(set_id))

    async def update_set(self, set_id: UUID, changes: Mapping[str, Any]) -> SetSummary:
        """Raises NotFoundError, SampleSetNameTakenError; `changes` holds `name` or `description`."""
        sample_set = await self._sets.lock(set_id)
        before = {member: getattr(sample_set, member) for member in changes}
        for member, value in changes.items():
            setattr(sample_set, member, value)
        sample_set.updated_at = utc_now()
        await self._sets.flush({"uq_sample_set_workspace_id_name": _name_taken(str(changes.get("name")))})
        await self._audit("sample_set.updated", sample_set, {"before": before, "after": dict(changes)})
        return await self.read_summary(set_id)

    async def delete_set(self, set_id: UUID) -> None:
        """The set, its items and holdouts are gone. Raises NotFoundError, SampleSetInUseError."""
        sample_set = await self._sets.lock(set_id)
        in_use = SampleSetInUseError("Scans or change sets refer to this set; their evidence would point nowhere")
        await self._audit("sample_set.deleted", sample_set, {"name": sample_set.name})
        await self._sets.remove(sample_set, {FOREIGN_KEY: in_use})

    # ------------------------------------------------------------------------------------------------------ items

    async def list_items(
        self, set_id: UUID, page: Page, *, split: Split | None = None, frozen: bool | None = None
    ) -> tuple[list[SampleItem], int]:
        """One page of the items, newest first. Raises NotFoundError."""
        await self._sets.get(set_id)
        statement = self._items.select(SampleItem.set_id == set_id)
        if split is not None:
            statement = statement.where(SampleItem.split == split)
        if frozen is not None:
            statement = statement.where(SampleItem.holdout_id.is_not(None) == frozen)
        return await self._items.page(statement, page)

    async def read_item(self, set_id: UUID, item_id: UUID) -> SampleItem:
        """Raises NotFoundError."""
        return await self._items.of_set(set_id, item_id)

    async def add_item(self, set_id: UUID, draft: Draft) -> SampleItem:
        """One more item, in the split that is its place.

        Raises NotFoundError, DuplicateSampleError, BridgingSampleError, SampleSetFullError.
        """
        sample_set = await self._sets.lock(set_id)
        (measured,) = measure([draft])
        intake = await self._admission.plan(sample_set, [Newcomer("the new sample", measured)])
        for skipped in intake.skipped:
            raise _refusal(skipped)
        (item_id,) = await self._admission.take(sample_set, intake)
        return await self._items.get(item_id)

    async def import_rows(self, set_id: UUID, rows: Sequence[ImportedRow], measured: Sequence[MeasuredDraft]) -> Intake:
        """All of the rows that are no repetition are items, or none. Raises NotFoundError, SampleSetFullError.

        measured: of the same rows, worked out before the transaction was opened. In the answer new samples are named
        by their line ("line 3"), items of the set by their id.
        """
        newcomers = [Newcomer(f"line {row.line}", one) for row, one in zip(rows, measured, strict=True)]
        return await self.admit(set_id, newcomers)

    async def admit(self, set_id: UUID, newcomers: Sequence[Newcomer], *, split: Split | None = None) -> Intake:
        """As `import_rows`, of newcomers that the caller has named.

        split: where those go whose session or user is nowhere yet; None follows the shares of the set.
        """
        sample_set = await self._sets.lock(set_id)
        intake = await self._admission.plan(sample_set, newcomers, split)
        await self._admission.take(sample_set, intake)
        by_split = {str(split): count for split, count in intake.taken_by_split().items()}
        await self._audit("sample_set.imported", sample_set, {"imported": len(intake.taken), "splits": by_split})
        return intake

    async def update_item(self, set_id: UUID, item_id: UUID, changes: Mapping[str, Any]) -> SampleItem:
        """The members of `changes` are replaced; the item stays in its split and group, whatever its metadata are now.

        Raises NotFoundError, FrozenSampleError, ValidationFailedError, DuplicateSampleError.
        """
        sample_set = await self._sets.lock(set_id)
        item = await self._items.of_set(set_id, item_id)
        _check_not_frozen(item)
        present = {
            "input": item.input,
            "expected": item.expected,
            "metadata": item.details,
            "source_trace_id": item.source_trace_id,
        }
        (measured,) = measure([checked_draft(present | dict(changes))])
        if (measured.fingerprint, measured.expected_hash) != (item.fingerprint, item.expected_hash):
            twin = await self._admission.find_twin(item, measured)
            if twin is not None:
                raise _refusal(twin)
            await self._admission.index_again(item, measured)
        for member, value in columns_of(measured).items():
            setattr(item, member, value)
        item.updated_at = utc_now()
        count_change(sample_set)
        await self._items.flush()
        return item

    async def delete_item(self, set_id: UUID, item_id: UUID) -> None:
        """Raises NotFoundError, FrozenSampleError."""
        sample_set = await self._sets.lock(set_id)
        item = await self._items.of_set(set_id, item_id)
        _check_not_frozen(item)
        count_change(sample_set)
        await self._items.remove(item)
        await self._sets.flush()

    # ------------------------------------------------------------------------------------------- splits and holdout

    async def split_counts(self, set_id: UUID) -> Counts:
        """How many items each split has, frozen or not."""
        return (await self._items.counts([set_id]))[set_id]

    async def split_items(
        self, set_id: UUID, split: Literal["reflect", "select"], *, limit: int | None = None
    ) -> list[Sample]:
        """The items that a search may learn from, or choose by; ordered by content. Raises NotFoundError.

        The holdout cannot be had here (ValueError): only a validation reads it, with `holdout_items`.
        limit: that many of them at most, the same ones whatever order they came in.
        """
        if split not in {Split.REFLECT, Split.SELECT}:
            raise ValueError(f"{split!r} is not a split that a search may read")
        await self._sets.get(set_id)
        return [_sample(item) for item in await self._items.of_split(set_id, Split(split), limit)]

    async def split_ids(self, set_id: UUID, split: Literal["reflect", "select"]) -> list[UUID]:
        """The ids of what `split_items` gives, in its order. Raises NotFoundError, ValueError for the holdout."""
        if split not in {Split.REFLECT, Split.SELECT}:
            raise ValueError(f"{split!r} is not a split that a search may read")
        await self._sets.get(set_id)
        return await self._items.ids_of_split(set_id, Split(split))

    async def searchable_items(self, set_id: UUID, item_ids: Sequence[UUID]) -> list[Sample]:
        """Those of these items that are in the set and not in its holdout split, in the order asked for."""
        found = {item.id: item for item in await self._items.of_ids(set_id, item_ids) if item.split != Split.HOLDOUT}
        return [_sample(found[item_id]) for item_id in item_ids if item_id in found]

    async def freeze_holdout(self, set_id: UUID) -> Holdout:
        """The items that wait in the holdout split are frozen, hashed and the set's current holdout.

        Raises NotFoundError, HoldoutCurrentError, HoldoutTooSmallError.
        """
        sample_set = await self._sets.lock(set_id)
        if await self.find_holdout(set_id) is not None:
            raise HoldoutCurrentError("The set has a current holdout; it is refreshed only after that one is retired")
        size = await self._items.count_waiting(set_id)
        if size < MINIMUM_HOLDOUT:
            raise HoldoutTooSmallError(size, MINIMUM_HOLDOUT)
        with DigestOfMany() as digesting:
            async for items in self._items.waiting(set_id):
                await asyncio.to_thread(digesting.add, [_sample(item) for item in items])
            digest = await asyncio.to_thread(digesting.digest)
        holdout = self._holdouts.add(Holdout(set_id=set_id, digest=digest, size=size, frozen_by=self._access.actor))
        await self._holdouts.flush()
        await self._items.freeze(holdout)
        frozen = {"holdout_id": str(holdout.id), "digest": digest, "size": size}
        await self._audit("sample_set.holdout_frozen", sample_set, frozen)
        return holdout

    async def find_holdout(self, set_id: UUID) -> Holdout | None:
        """The current holdout of a set, if it has one."""
        return (await self._holdouts.current([set_id])).get(set_id)

    async def current_holdout(self, set_id: UUID) -> Holdout:
        """Raises NotFoundError for the set, NoHoldoutError when none is frozen."""
        await self._sets.get(set_id)
        holdout = await self.find_holdout(set_id)
        if holdout is None:
            raise NoHoldoutError("The set has no frozen holdout; freeze one with POST …/holdouts")
        return holdout

    async def list_holdouts(self, set_id: UUID, page: Page) -> tuple[list[Holdout], int]:
        """One page of a set's holdouts, retired ones included, newest first. Raises NotFoundError."""
        await self._sets.get(set_id)
        return await self._holdouts.page(self._holdouts.select(Holdout.set_id == set_id), page)

    async def read_holdout(self, holdout_id: UUID, *, set_id: UUID | None = None) -> Holdout:
        """A holdout, current or retired. Raises NotFoundError, also where it is not of that set."""
        holdout = await self._holdouts.get(holdout_id)
        if set_id is not None and holdout.set_id != set_id:
            raise NotFoundError(self._holdouts.kind, holdout_id)
        return holdout

    async def holdout_items(self, holdout_id: UUID) -> list[Sample]:
        """The frozen items, ordered by content and checked against the digest. For validations only.

        A caller that measures on them counts its look with `record_look`. Raises NotFoundError, HoldoutAlteredError.
        """
        holdout = await self._holdouts.get(holdout_id)
        samples = [_sample(item) for item in await self._items.of_holdout(holdout_id)]
        if await asyncio.to_thread(digest_of, samples) != holdout.digest:
            raise HoldoutAlteredError(f"The items of holdout {holdout_id} do not add up to its digest")
        return samples

    async def record_look(self, holdout_id: UUID) -> Holdout:
        """One more look is counted. Raises NotFoundError, HoldoutRetiredError."""
        holdout = await self._holdouts.get(holdout_id)
        if not await self._holdouts.count_look(holdout_id):
            raise HoldoutRetiredError(f"Holdout {holdout_id} is retired")
        return await self._holdouts.reread(holdout)

    async def retire_holdout(self, holdout_id: UUID, reason: str) -> Holdout:
        """Nothing is measured on it any more, and the set may freeze the items that came since.

        Raises NotFoundError, HoldoutRetiredError.
        """
        holdout = await self._holdouts.get(holdout_id)
        sample_set = await self._sets.lock(holdout.set_id)
        holdout = await self._holdouts.reread(holdout)
        if holdout.retired_at is not None:
            raise HoldoutRetiredError(f"Holdout {holdout_id} is retired")
        holdout.retired_at, holdout.retired_reason = utc_now(), reason
        await self._holdouts.flush()
        retired = {"holdout_id": str(holdout_id), "reason": reason}
        await self._audit("sample_set.holdout_retired", sample_set, retired)
        return holdout

    # ------------------------------------------------------------------------------------------------------ inside

    async def _audit(self, action: str, sample_set: SampleSet, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"sample_set:{sample_set.id}",
            detail=detail,
        )


def _sample(item: SampleItem) -> Sample:
    return Sample(item.id, item.input, item.expected, item.details, item.group_key)


def _check_not_frozen(item: SampleItem) -> None:
    if item.holdout_id is not None:
        raise FrozenSampleError(item.id, item.holdout_id)


def _name_taken(name: str) -> SampleSetNameTakenError:
    return SampleSetNameTakenError(f"The workspace has a sample set called {name}")


def _refusal(skipped: Skipped) -> DuplicateSampleError | BridgingSampleError:
    if skipped.reason is SkipReason.BRIDGE:
        return BridgingSampleError("Its session or user ties it to groups in different splits")
    detail = {
        SkipReason.DUPLICATE: "has the same input and expected answer",
        SkipReason.CONTRADICTION: "has the same input and another expected answer",
        SkipReason.NEAR_DUPLICATE: "has nearly the same input and the same expected answer",
    }[skipped.reason]
    return DuplicateSampleError(f"Sample {skipped.same_as} of the set {detail}", item_id=skipped.same_as)
