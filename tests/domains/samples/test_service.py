"""What the sample service promises to scans and validations, on both databases."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from spectral.demo.dataset import Ticket, generate_tickets
from spectral.domains.samples.drafts import Draft, measure
from spectral.domains.samples.errors import (
    FrozenSampleError,
    HoldoutAlteredError,
    HoldoutCurrentError,
    HoldoutRetiredError,
    HoldoutTooSmallError,
    NoHoldoutError,
    SampleSetFullError,
)
from spectral.domains.samples.importing import ImportedRow
from spectral.domains.samples.intake import Intake
from spectral.domains.samples.models import Holdout, SampleItem
from spectral.domains.samples.service import NewSet, SampleService
from spectral.domains.samples.splitting import Split
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError
from tests.fixtures.tenants import Tenant

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.2, Split.HOLDOUT: 0.4}
NEW = NewSet("tickets", None, 7, SHARES, ["session_id", "customer_id"])


def drafts(tickets: Sequence[Ticket]) -> list[Draft]:
    samples = [ticket.as_sample() for ticket in tickets]
    return [Draft(one["input"], one["expected"], one["metadata"], None) for one in samples]


async def create(database: Database, access: WorkspaceAccess, new: NewSet = NEW) -> UUID:
    async with database.transaction(access) as session:
        return (await SampleService(session, access).create_set(new)).sample_set.id


async def bring(database: Database, access: WorkspaceAccess, set_id: UUID, items: Sequence[Draft]) -> Intake:
    rows = [ImportedRow(line, draft) for line, draft in enumerate(items, start=1)]
    async with database.transaction(access) as session:
        return await SampleService(session, access).import_rows(set_id, rows, measure(items))


async def filled(database: Database, access: WorkspaceAccess, count: int = 200) -> UUID:
    set_id = await create(database, access)
    await bring(database, access, set_id, drafts(generate_tickets(1, count)))
    return set_id


async def test_a_set_is_split_near_its_shares_disjoint_and_whole_by_group(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access, 400)

    async with database.transaction(tenant.access, read_only=True) as session:
        service = SampleService(session, tenant.access)
        counts = await service.split_counts(set_id)
        reflect, select = await service.split_items(set_id, "reflect"), await service.split_items(set_id, "select")
        items = (await session.scalars(sa.select(SampleItem))).all()

    assert sum(counts.values()) == 400
    assert all(abs(counts[split] - share * 400) <= 3 for split, share in SHARES.items())
    assert (len(reflect), len(select)) == (counts[Split.REFLECT], counts[Split.SELECT])
    assert not {one.id for one in reflect} & {one.id for one in select}
    splits: dict[str, set[str]] = defaultdict(set)
    for item in items:
        for key in ("session_id", "customer_id"):
            splits[item.details[key]].add(item.split)
    assert {len(found) for found in splits.values()} == {1}
    assert set(reflect[0].input) == {"ticket"}
    assert reflect[0].metadata["synthetic"] is True


async def test_the_same_import_gives_the_same_splits_in_the_same_order(database: Database, tenant: Tenant) -> None:
    tickets = drafts(generate_tickets(2, 120))
    found = []
    for number, items in enumerate((tickets, tickets[::-1])):
        set_id = await create(database, tenant.access, NewSet(f"set {number}", None, 3, SHARES, ["session_id"]))
        await bring(database, tenant.access, set_id, items)
        async with database.transaction(tenant.access) as session:
            service = SampleService(session, tenant.access)
            reflect, select = await service.split_items(set_id, "reflect"), await service.split_items(set_id, "select")
            holdout = await service.freeze_holdout(set_id)
        contents = [(one.input, one.expected, one.metadata, one.group_key) for one in reflect + select]
        found.append((contents, holdout.digest, holdout.size))

    assert found[0] == found[1]


async def test_nobody_reads_the_holdout_as_a_split(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access, 50)

    async with database.transaction(tenant.access) as session:
        with pytest.raises(ValueError, match="not a split that a search may read"):
            await SampleService(session, tenant.access).split_items(set_id, "holdout")  # type: ignore[arg-type]


async def test_a_holdout_is_frozen_hashed_and_looked_at(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        assert await service.find_holdout(set_id) is None
        with pytest.raises(NoHoldoutError):
            await service.current_holdout(set_id)
        holdout = await service.freeze_holdout(set_id)

    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        assert (await service.current_holdout(set_id)).id == holdout.id
        items = await service.holdout_items(holdout.id)
        assert len(items) == holdout.size == (await service.split_counts(set_id))[Split.HOLDOUT]
        assert len(holdout.digest) == 64
        assert holdout.frozen_by == tenant.access.actor
        assert (await service.record_look(holdout.id)).looks == 1
        assert (await service.record_look(holdout.id)).looks == 2
        with pytest.raises(HoldoutCurrentError):
            await service.freeze_holdout(set_id)


async def test_frozen_items_are_neither_changed_nor_deleted(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        holdout = await service.freeze_holdout(set_id)
        frozen = (await service.holdout_items(holdout.id))[0]

    for _ in range(2):
        async with database.transaction(tenant.access) as session:
            service = SampleService(session, tenant.access)
            with pytest.raises(FrozenSampleError):
                await service.update_item(set_id, frozen.id, {"expected": "other"})
            with pytest.raises(FrozenSampleError):
                await service.delete_item(set_id, frozen.id)

    async with database.transaction(tenant.access) as session:
        assert frozen in await SampleService(session, tenant.access).holdout_items(holdout.id)


async def test_a_holdout_that_was_changed_behind_the_api_is_noticed(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        holdout = await SampleService(session, tenant.access).freeze_holdout(set_id)
        chosen = (
            await session.scalars(sa.select(SampleItem).where(SampleItem.holdout_id == holdout.id).limit(1))
        ).one()
        chosen.expected = "other"
        await session.flush()

    async with database.transaction(tenant.access) as session:
        with pytest.raises(HoldoutAlteredError):
            await SampleService(session, tenant.access).holdout_items(holdout.id)


async def test_what_comes_after_the_freeze_waits_for_the_next_holdout(database: Database, tenant: Tenant) -> None:
    tickets = drafts(generate_tickets(1, 500))
    set_id = await create(database, tenant.access)
    await bring(database, tenant.access, set_id, tickets[:250])
    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        first = await service.freeze_holdout(set_id)
        seen = {one.id for one in await service.split_items(set_id, "reflect")}
    await bring(database, tenant.access, set_id, tickets[250:])

    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        assert len(await service.holdout_items(first.id)) == first.size
        assert {one.id for one in await service.split_items(set_id, "reflect")} > seen
        retired = await service.retire_holdout(first.id, "spent")
        assert (retired.retired_reason, retired.retired_at is not None) == ("spent", True)
        with pytest.raises(HoldoutRetiredError):
            await service.record_look(first.id)
        with pytest.raises(HoldoutRetiredError):
            await service.retire_holdout(first.id, "again")
        second = await service.freeze_holdout(set_id)
        fresh = {one.id for one in await service.holdout_items(second.id)}

    assert second.id != first.id
    assert abs(second.size - 100) <= 6
    assert not fresh & seen


async def test_too_few_items_make_no_holdout(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access, 40)

    async with database.transaction(tenant.access) as session:
        with pytest.raises(HoldoutTooSmallError) as refused:
            await SampleService(session, tenant.access).freeze_holdout(set_id)

    assert refused.value.extensions == {"further_samples": 14}


async def test_importing_again_changes_nothing(database: Database, tenant: Tenant) -> None:
    tickets = drafts(generate_tickets(1, 100))
    set_id = await create(database, tenant.access)
    await bring(database, tenant.access, set_id, tickets)

    again = await bring(database, tenant.access, set_id, tickets)

    assert again.taken == []
    assert len(again.skipped) == 100
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await SampleService(session, tenant.access).read_set(set_id)).version == 2


async def test_imports_at_the_same_time_take_each_sample_once(database: Database, tenant: Tenant) -> None:
    tickets = drafts(generate_tickets(1, 90))
    set_id = await create(database, tenant.access)

    intakes = await asyncio.gather(
        *(bring(database, tenant.access, set_id, part) for part in (tickets[:60], tickets[30:], tickets[:90]))
    )

    assert sum(len(intake.taken) for intake in intakes) == 90
    async with database.transaction(tenant.access, read_only=True) as session:
        assert sum((await SampleService(session, tenant.access).split_counts(set_id)).values()) == 90


async def test_a_full_set_takes_nothing_of_a_file(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.samples.admission.MAXIMUM_ITEMS", 100)
    tickets = drafts(generate_tickets(1, 120))
    set_id = await create(database, tenant.access)
    await bring(database, tenant.access, set_id, tickets[:90])

    with pytest.raises(SampleSetFullError):
        await bring(database, tenant.access, set_id, tickets)

    async with database.transaction(tenant.access, read_only=True) as session:
        assert sum((await SampleService(session, tenant.access).split_counts(set_id)).values()) == 90


async def test_another_workspace_sees_nothing(database: Database, tenant: Tenant, other_tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        holdout = await SampleService(session, tenant.access).freeze_holdout(set_id)

    async with database.transaction(other_tenant.access) as session:
        service = SampleService(session, other_tenant.access)
        for refused in (
            service.read_set(set_id),
            service.split_items(set_id, "reflect"),
            service.current_holdout(set_id),
            service.freeze_holdout(set_id),
            service.read_holdout(holdout.id),
            service.holdout_items(holdout.id),
            service.record_look(holdout.id),
            service.retire_holdout(holdout.id, "theirs"),
            service.delete_set(set_id),
        ):
            with pytest.raises(NotFoundError):
                await refused
        assert await service.find_holdout(set_id) is None

    async with database.transaction(tenant.access) as session:
        assert (await SampleService(session, tenant.access).read_holdout(holdout.id)).looks == 0


async def test_a_set_goes_with_its_items_and_holdouts(database: Database, tenant: Tenant) -> None:
    set_id = await filled(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        await service.freeze_holdout(set_id)
        await service.delete_set(set_id)

    async with database.transaction(tenant.access) as session:
        for table in (SampleItem, Holdout):
            assert (await session.execute(sa.select(sa.func.count()).select_from(table))).scalar_one() == 0
        with pytest.raises(NotFoundError):
            await SampleService(session, tenant.access).read_holdout(uuid4())
