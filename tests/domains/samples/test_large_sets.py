"""What arrives in parts ends as what arrives at once: nothing repeated, nothing torn apart, the same digest."""

import asyncio
import hashlib
import io
import json
from collections import defaultdict
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from spectral.demo.dataset import generate_tickets
from spectral.domains.samples import transfer
from spectral.domains.samples.errors import ImportRefusedError
from spectral.domains.samples.models import SampleBand, SampleItem, SampleLink
from spectral.domains.samples.near_duplicates import CROWD
from spectral.domains.samples.repository import SampleItemRepository
from spectral.domains.samples.sample import DigestOfMany, Sample, digest_of
from spectral.domains.samples.service import NewSet, SampleService
from spectral.domains.samples.splitting import Split
from spectral.domains.samples.transfer import Receipt, SampleImport
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.migrations import downgrade, migrate
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant

SHARES = {Split.REFLECT: 0.4, Split.SELECT: 0.2, Split.HOLDOUT: 0.4}


def lines(*samples: dict[str, Any]) -> io.BytesIO:
    return io.BytesIO("\n".join(map(json.dumps, samples)).encode())


async def create(database: Database, access: WorkspaceAccess) -> UUID:
    new = NewSet(f"set {uuid4()}", None, 7, SHARES, ["session_id", "customer_id"])
    async with database.transaction(access) as session:
        return (await SampleService(session, access).create_set(new)).sample_set.id


async def bring(database: Database, access: WorkspaceAccess, set_id: UUID, *samples: dict[str, Any]) -> Receipt:
    return await SampleImport(database, access).import_file(set_id, "jsonl", lines(*samples))


async def test_a_file_in_parts_repeats_nothing_and_tears_no_session_apart(
    database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "PART_ROWS", 40)
    tickets = [one.as_sample() for one in generate_tickets(1, 300)]
    set_id = await create(database, tenant.access)
    near = {**tickets[0], "input": {"ticket": f"{tickets[0]['input']['ticket']}!"}, "metadata": {}}
    receipt = await bring(database, tenant.access, set_id, *tickets, near, tickets[5])
    assert (receipt.samples, receipt.taken.total()) == (302, 300)
    assert {reason.value: count for reason, count in receipt.reasons.items() if count} == {
        "near_duplicate": 1,
        "duplicate": 1,
    }
    assert receipt.skipped[0].name == "line 301"
    assert (await bring(database, tenant.access, set_id, *tickets)).taken.total() == 0
    async with database.transaction(tenant.access, read_only=True) as session:
        items = await SampleItemRepository(session, tenant.access).find_all(SampleItem.set_id == set_id)
        counts = await SampleService(session, tenant.access).split_counts(set_id)
    splits = defaultdict(set)
    for item in items:
        for link in item.links:
            splits[link].add(item.split)
    assert all(len(found) == 1 for found in splits.values())
    assert all(abs(counts[split] / 300 - share) < 0.1 for split, share in SHARES.items())
    # A wrong line refuses a file whose first parts could have been stored.
    with pytest.raises(ImportRefusedError):
        await bring(database, tenant.access, set_id, *({"input": f"new {number}"} for number in range(90)), {})
    async with database.transaction(tenant.access, read_only=True) as session:
        assert await SampleService(session, tenant.access).split_counts(set_id) == counts


async def test_a_session_stays_in_its_split_when_its_samples_are_gone(database: Database, tenant: Tenant) -> None:
    set_id = await create(database, tenant.access)
    sessions = [{"input": f"question {number}", "metadata": {"session_id": str(number)}} for number in range(30)]
    await bring(database, tenant.access, set_id, *sessions)
    async with database.transaction(tenant.access) as session:
        service = SampleService(session, tenant.access)
        items = await SampleItemRepository(session, tenant.access).find_all(SampleItem.set_id == set_id)
        before = {item.details["session_id"]: item.split for item in items}
        for item in items:
            await service.delete_item(set_id, item.id)
    again = [{**one, "input": f"another {one['input']}"} for one in sessions]
    await bring(database, tenant.access, set_id, *again)
    # An item of two sessions of one split makes them one group, for those that come later, too.
    one, other = [name for name, split in before.items() if split == Split.HOLDOUT][:2]
    both = {"input": "of both", "metadata": {"session_id": one, "customer_id": "c"}}
    await bring(database, tenant.access, set_id, both)
    await bring(database, tenant.access, set_id, {"input": "x", "metadata": {"session_id": other, "customer_id": "c"}})
    later = {"input": "later", "metadata": {"session_id": other}}
    await bring(database, tenant.access, set_id, later)
    async with database.transaction(tenant.access, read_only=True) as session:
        items = await SampleItemRepository(session, tenant.access).find_all(SampleItem.set_id == set_id)
    assert {item.details["session_id"]: item.split for item in items} == before
    groups = {item.input: item.group_key for item in items}
    assert groups["later"] == groups["x"] == groups["of both"]


async def test_a_phrase_that_many_have_in_common_is_found_by_few_of_them(database: Database, tenant: Tenant) -> None:
    set_id = await create(database, tenant.access)
    phrase = " ".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(6))
    words = [f" {hashlib.sha256(str(number).encode()).hexdigest()}" for number in range(160)]
    receipt = await bring(database, tenant.access, set_id, *({"input": phrase + word} for word in words))
    assert receipt.taken.total() > CROWD
    async with database.transaction(tenant.access, read_only=True) as session:
        crowd = sa.select(sa.func.count()).select_from(SampleBand).group_by(SampleBand.band)
        sizes = (await session.scalars(crowd.where(SampleBand.workspace_id == tenant.workspace_id))).all()
    assert max(sizes) == CROWD
    repeated = await bring(database, tenant.access, set_id, {"input": phrase + words[-1] + "."})
    assert repeated.taken.total() == 0


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=12)


@given(st.lists(st.tuples(TEXTS, TEXTS), max_size=40), st.integers(1, 7))
def test_a_digest_of_parts_is_the_digest_of_all(texts: list[tuple[str, str]], size: int) -> None:
    samples = [Sample(uuid4(), text, None, {}, group) for text, group in texts]
    with DigestOfMany() as digesting:
        for start in range(0, len(samples), size):
            digesting.add(samples[start : start + size])
        assert digesting.digest() == digest_of(samples)


async def test_a_migration_makes_the_index_of_what_is_there(
    settings: Settings, database: Database, tenant: Tenant
) -> None:
    set_id = await create(database, tenant.access)
    await bring(database, tenant.access, set_id, *(one.as_sample() for one in generate_tickets(1, 60)))

    async def index() -> tuple[set[Any], set[Any]]:
        async with database.transaction(tenant.access, read_only=True) as session:
            mine = (SampleBand.workspace_id == tenant.workspace_id, SampleLink.workspace_id == tenant.workspace_id)
            bands = await session.execute(sa.select(SampleBand.band, SampleBand.item_id).where(mine[0]))
            links = await session.execute(sa.select(SampleLink.link, SampleLink.group_key).where(mine[1]))
            return {tuple(row) for row in bands}, {tuple(row) for row in links}

    made = await index()
    assert all(made)
    await asyncio.to_thread(downgrade, settings, "0027")
    await asyncio.to_thread(migrate, settings)
    assert await index() == made
