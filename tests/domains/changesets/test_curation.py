"""What people say about clusters holds for the scan that they looked at and for every later one."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4, uuid5

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.changesets.clusters import ClusterDraft, ClusterEffect, ClusterService, ScanCluster
from spectral.domains.scans.clustering import Failure, cluster_failures, failure_text
from spectral.domains.scans.phases import drafts, unclustered
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from tests.domains.changesets.test_controller import problem
from tests.domains.changesets.workbench import Workbench
from tests.fixtures.tenants import Tenant

SPACE = UUID("0a6c3a8e-2a0e-4b39-8f0c-2f9f2b1c4e55")
KINDS = {
    "late": ["delivery window missed parcel courier", "parcel courier late delivery promised window"],
    "price": ["price omitted amount euro invoice", "amount euro invoice price contradicts"],
    "tone": ["impolite rude wording apology lacking", "rude wording impolite apology"],
}


def item(kind: str, number: int) -> UUID:
    return uuid5(SPACE, f"{kind}/{number}")


def failure(kind: str, number: int) -> Failure:
    explanation = KINDS[kind][number % 2]
    return Failure(item(kind, number), "a good answer", "a bad answer", "judge", explanation)


def world(late: int = 14, price: int = 12, tone: int = 10, *, first: int = 0) -> list[Failure]:
    sizes = {"late": late, "price": price, "tone": tone}
    return [failure(kind, first + number) for kind, size in sizes.items() for number in range(size)]


def members(seen: Sequence[ScanCluster]) -> dict[UUID | None, set[UUID]]:
    return {one.sighting.cluster_id: {member.item_id for member in one.members} for one in seen}


@dataclass
class Clinic:
    """An agent with one recorded scan of three kinds, and a change set that repaired some of them."""

    client: httpx.AsyncClient
    tenant: Tenant
    bench: Workbench
    changeset: UUID
    scan: UUID
    kinds: dict[str, UUID]

    async def scan_again(self, failures: list[Failure]) -> list[ScanCluster]:
        return await self.read(await self.record_again(failures))

    async def record_again(self, failures: list[Failure]) -> UUID:
        scan = uuid4()
        await record(self.bench, scan, failures)
        return scan

    async def read(self, scan: UUID) -> list[ScanCluster]:
        async with self.bench.database.transaction(self.bench.access, read_only=True) as session:
            return await ClusterService(session, self.bench.access).read_scan(scan)

    async def post(self, path: str, body: dict[str, Any], *, through: UUID | None = None) -> httpx.Response:
        base = f"{self.tenant.url}/changesets/{through or self.changeset}/clusters"
        return await self.client.post(base + path, json=body, headers=self.tenant.client_headers)

    async def get(self, path: str = "", **query: Any) -> Any:
        base = f"{self.tenant.url}/changesets/{self.changeset}/clusters"
        answer = await self.client.get(base + path, params=query, headers=self.tenant.client_headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def audited(self) -> list[str]:
        async with self.bench.database.transaction(self.bench.access, read_only=True) as session:
            wanted = sa.select(AuditEntry.action).where(AuditEntry.subject.startswith("cluster:"))
            return list((await session.scalars(wanted.order_by(AuditEntry.created_at, AuditEntry.id))).all())


async def record(bench: Workbench, scan: UUID, failures: list[Failure]) -> None:
    found = await asyncio.to_thread(cluster_failures, failures, seed=1)
    texts = {one.item_id: failure_text(one) for one in failures}
    async with bench.database.transaction(bench.access) as session:
        service = ClusterService(session, bench.access)
        await service.record(scan, bench.agent_id, drafts(found, texts), unclustered(found, texts))


@pytest.fixture
async def clinic(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> Clinic:
    bench = await Workbench.make(database, tenant.access, items=60, frozen=False)
    scan = uuid4()
    await record(bench, scan, world())
    async with database.transaction(tenant.access, read_only=True) as session:
        seen = members(await ClusterService(session, tenant.access).read_scan(scan))
    kinds = {kind: next(one for one, of in seen.items() if one and item(kind, 0) in of) for kind in KINDS}
    assert len(set(kinds.values())) == 3
    effects = [
        ClusterEffect(kinds["late"], 5, 0, [item("late", number) for number in range(5)], {}),
        ClusterEffect(kinds["price"], 2, 1, [item("price", number) for number in range(2)], {uuid4(): {"price": 1.0}}),
        ClusterEffect(kinds["tone"], 0, 0, [], {}),
    ]
    changeset = await bench.propose(0.9, scan_id=scan, clusters=effects)
    return Clinic(client, tenant, bench, changeset.id, scan, kinds)


async def test_merge_split_and_move_hold_now_and_in_later_scans(clinic: Clinic) -> None:
    late, price, tone = (clinic.kinds[kind] for kind in ("late", "price", "tone"))

    merged = await clinic.post("/merge", {"cluster_ids": [str(late), str(price)], "label": "facts"})
    assert merged.status_code == 200, merged.text
    shown = merged.json()
    assert (shown["id"], shown["label"], shown["size"], shown["fixed"], shown["broke"]) == (
        str(late),
        "facts",
        26,
        7,
        1,
    )
    assert shown["merged_ids"] == [str(price)]
    listed = await clinic.get()
    assert [(one["id"], one["size"]) for one in listed["results"]] == [(str(late), 26), (str(tone), 10)]
    assert sum(one["share"] for one in listed["results"]) == pytest.approx(1.0, abs=1e-4)
    # What was merged is found under its old id too, and cannot be merged twice.
    assert (await clinic.get(f"/{price}"))["id"] == str(late)
    again = problem(await clinic.post("/merge", {"cluster_ids": [str(tone), str(price)]}), 400, "cluster-merged")
    assert again["merged_into"] == str(late)

    # A later scan sees three kinds in new items; two of them are one cluster.
    seen = members(await clinic.scan_again(world(first=100)))
    assert {len(of): one for one, of in seen.items() if one} == {26: late, 10: tone}

    # Split by words, the parts are what was merged, and later failures find their part.
    split = await clinic.post(f"/{late}/split", {"k": 2, "label": "prices"})
    assert split.status_code == 200, split.text
    first, second = split.json()["parts"]
    assert (first["id"], first["label"], first["size"]) == (str(late), "facts", 14)
    assert (second["label"], second["size"], second["split_from"]) == ("prices", 12, str(late))
    assert (first["fixed"], second["fixed"], first["broke"], second["broke"]) == (5, 2, 0, 1)
    part = UUID(second["id"])
    seen = members(await clinic.scan_again(world(first=200)))
    assert {one: len(of) for one, of in seen.items() if one} == {late: 14, part: 12, tone: 10}

    # A person puts one item elsewhere, and takes one out: both fail again in the next scan, and stay there.
    moved = await clinic.post(f"/{late}/members", {"remove": [str(item("late", 0))], "to": str(tone)})
    assert (moved.status_code, moved.json()["size"], moved.json()["fixed"]) == (200, 13, 4)
    out = await clinic.post(f"/{part}/members", {"remove": [str(item("price", 3))]})
    assert (out.status_code, out.json()["size"]) == (200, 11)
    back = await clinic.post(f"/{tone}/members", {"add": [str(item("price", 4))]})
    assert (back.status_code, back.json()["size"], back.json()["fixed"]) == (200, 12, 1)
    seen = members(await clinic.scan_again(world()))
    assert item("late", 0) in seen[tone]
    assert item("price", 3) in seen[None]
    assert item("price", 4) in seen[tone]
    assert (len(seen[late]), len(seen[part])) == (13, 10)

    assert await clinic.audited() == [
        "cluster.merged",
        "cluster.split",
        *["cluster.members_changed"] * 3,
    ]


async def test_a_cluster_is_read_with_pages_history_and_recurrence(clinic: Clinic) -> None:
    late, tone = clinic.kinds["late"], clinic.kinds["tone"]
    await clinic.scan_again(world(tone=0, first=100))
    page = await clinic.get(f"/{late}", limit=3, offset=1)
    assert page["members"]["pagination"] == {"total": 14, "limit": 3, "offset": 1}
    assert [set(one) for one in page["members"]["results"]] == [{"item_id", "text", "trace_id", "example", "fixed"}] * 3
    assert all("delivery" in one["text"] for one in page["members"]["results"])
    assert [one["size"] for one in page["history"]] == [14, 14]
    assert page["recurrence"] == {"seen": 2, "scans": 2}
    assert page["first_seen_at"] < page["last_seen_at"]
    whole = await clinic.get(f"/{late}", limit=100)
    assert sum(one["fixed"] for one in whole["members"]["results"]) == 5
    assert (await clinic.get(f"/{tone}"))["recurrence"] == {"seen": 1, "scans": 2}

    # The workspace's own list needs no change set, and shows the last scan.
    url = f"{clinic.tenant.url}/changesets/clusters"
    headers = clinic.tenant.client_headers
    muted = await clinic.client.patch(f"{url}/{tone}", json={"status": "muted"}, headers=headers)
    assert (muted.status_code, muted.json()["status"]) == (200, "muted")
    listed = (await clinic.client.get(url, params={"agent_id": str(clinic.bench.agent_id)}, headers=headers)).json()
    assert [one["size"] for one in listed["results"]] == [14, 12, 10]
    assert [one["changeset_id"] for one in listed["results"]] == [None, None, str(clinic.changeset)]
    only = (await clinic.client.get(url, params={"status": "muted"}, headers=headers)).json()
    assert [one["id"] for one in only["results"]] == [str(tone)]
    problem(await clinic.client.get(url, params={"status": "gone"}, headers=headers), 422, "validation-error")
    split = await clinic.client.post(f"{url}/{late}/split", json={"k": 2}, headers=headers)
    assert (split.status_code, sum(one["size"] for one in split.json()["parts"])) == (200, 14)
    assert [one["fixed"] for one in split.json()["parts"]] == [None, None]


async def test_curation_that_contradicts_itself_changes_nothing(clinic: Clinic) -> None:
    late, price, tone = (str(clinic.kinds[kind]) for kind in ("late", "price", "tone"))
    stranger = await Workbench.make(clinic.bench.database, clinic.bench.access, items=60, frozen=False)
    scan = uuid4()
    await record(stranger, scan, world(first=300))
    foreign = str(next(one for one in members(await clinic.read(scan)) if one))
    before = {one: len(of) for one, of in members(await clinic.read(clinic.scan)).items()}
    unknown, everything = str(uuid4()), [str(item("late", number)) for number in range(14)]
    refused: list[tuple[str, dict[str, Any], int, str]] = [
        ("/merge", {"cluster_ids": [late, foreign]}, 400, "cluster-of-another-agent"),
        ("/merge", {"cluster_ids": [late, unknown]}, 404, "not-found"),
        ("/merge", {"cluster_ids": [late, late]}, 422, "validation-error"),
        ("/merge", {"cluster_ids": [late]}, 422, "validation-error"),
        (f"/{late}/split", {}, 422, "validation-error"),
        (f"/{late}/split", {"item_ids": []}, 422, "validation-error"),
        (f"/{late}/split", {"k": 2, "item_ids": everything[:2]}, 422, "validation-error"),
        (f"/{late}/split", {"item_ids": [unknown]}, 422, "validation-error"),
        (f"/{late}/split", {"item_ids": everything}, 400, "empty-cluster"),
        (f"/{unknown}/split", {"k": 2}, 404, "not-found"),
        (f"/{foreign}/split", {"k": 2}, 404, "not-found"),
        (f"/{late}/members", {}, 422, "validation-error"),
        (f"/{late}/members", {"add": [unknown]}, 422, "validation-error"),
        (f"/{late}/members", {"remove": [str(item("price", 0))]}, 422, "validation-error"),
        (f"/{late}/members", {"remove": everything}, 400, "empty-cluster"),
        (f"/{late}/members", {"remove": everything[:1], "to": late}, 422, "validation-error"),
        (f"/{late}/members", {"remove": everything[:1], "to": unknown}, 404, "not-found"),
        (f"/{late}/members", {"remove": everything[:1], "to": foreign}, 400, "cluster-of-another-agent"),
        (f"/{late}/members", {"add": everything[:1], "remove": everything[:1]}, 422, "validation-error"),
    ]
    for path, body, status, slug in refused:
        problem(await clinic.post(path, body), status, slug)
    pointed = await clinic.post(f"/{late}/split", {"item_ids": [everything[0], unknown]})
    assert [one["pointer"] for one in pointed.json()["errors"]] == ["/item_ids/1"]
    assert {one: len(of) for one, of in members(await clinic.read(clinic.scan)).items()} == before
    assert await clinic.audited() == []
    # Of an older change set only the counts are known: it can be merged, not divided.
    scan = uuid4()
    async with clinic.bench.database.transaction(clinic.bench.access) as session:
        draft = ClusterDraft("old", 2, 1.0, [uuid4(), uuid4()], [], {"other": 1.0}, None)
        service = ClusterService(session, clinic.bench.access)
        (old,) = await service.record(scan, clinic.bench.agent_id, [draft])
    changeset = await clinic.bench.propose(0.8, scan_id=scan, clusters=[ClusterEffect(old.id, 1, 0)])
    for body in ({"k": 2}, {"item_ids": [str(draft.member_item_ids[0])]}):
        problem(await clinic.post(f"/{old.id}/split", body, through=changeset.id), 400, "cluster-not-divisible")
    merged = await clinic.post("/merge", {"cluster_ids": [str(old.id), price]}, through=changeset.id)
    assert (merged.json()["size"], merged.json()["fixed"]) == (2, 1)
    assert [one["id"] for one in (await clinic.get())["results"]] == [late, str(old.id), tone]


async def test_people_and_scans_take_turns(clinic: Clinic) -> None:
    late, price, tone = (str(clinic.kinds[kind]) for kind in ("late", "price", "tone"))
    answers = await asyncio.gather(
        clinic.post("/merge", {"cluster_ids": [late, price]}),
        clinic.post("/merge", {"cluster_ids": [price, tone]}),
        clinic.post("/merge", {"cluster_ids": [tone, late]}),
        clinic.record_again(world(first=100)),
    )
    again = answers[3]
    assert isinstance(again, UUID)
    won = [one for one in answers[:3] if isinstance(one, httpx.Response) and one.status_code == 200]
    lost = [one for one in answers[:3] if isinstance(one, httpx.Response) and one.status_code == 400]
    assert len(won) in {1, 2}
    assert len(won) + len(lost) == 3
    # Whoever came first: every failure is in one place, and nothing is merged in a circle.
    for scan in (await clinic.read(clinic.scan), await clinic.read(again)):
        sizes = [len(one.members) for one in scan if one.cluster is not None]
        assert (sum(sizes), len(sizes)) == (36, 3 - len(won))
        assert all(one.cluster.merged_into is None for one in scan if one.cluster is not None)
