"""Deleting traces: everything of them goes, the figures are as if they had never been sent, and others' stay."""

import asyncio
import hashlib
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.traces.lifecycle import deletion_slices
from spectral.domains.traces.lifecycle.deletion import KIND, TraceDeletionService, trace_deletion_handler
from spectral.domains.traces.lifecycle.models import TraceDeletion
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace, TraceFeedback
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.audit import AuditEntry
from spectral.platform.db.base import Base
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.engine import Engine
from spectral.settings import Settings
from tests.domains.traces.ingestion.test_ingestor import make_workspace, running, send, stored
from tests.domains.traces.otlp_samples import PROTOBUF, SECOND, START, make_request, make_span
from tests.fixtures.tenants import Tenant, register_tenant

HOUR = 3600 * SECOND


def trace_id(number: int) -> bytes:
    return number.to_bytes(16, "big")


def spans_of(number: int, **attributes: Any) -> list[Any]:
    """A trace of two spans, the second of which is a model call with usage."""
    start = START + number * HOUR // 2
    usage = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 10 + number, "spectral.cost_usd": "0.25"}
    root = make_span(trace_id(number), number.to_bytes(8, "big"), start=start, end=start + SECOND, status=2)
    call = make_span(
        trace_id(number),
        (1000 + number).to_bytes(8, "big"),
        parent=number.to_bytes(8, "big"),
        start=start,
        end=start + SECOND,
        attributes=usage | attributes,
    )
    return [root, call]


class _Fenced(WorkContext):
    """An execution that is always the owner, and dies after some transactions."""

    transactions = 10**6

    async def fence(self, session: Any) -> None:
        del session
        self.transactions -= 1
        if self.transactions < 0:
            raise ConnectionError


async def request(database: Database, access: WorkspaceAccess, selection: dict[str, Any]) -> UUID:
    engine = Engine(database, executes=False)
    engine.register(KIND, trace_deletion_handler())
    try:
        async with database.transaction(access) as session:
            return (await TraceDeletionService(session, access, engine).request_deletion(selection)).id
    finally:
        await engine.stop()


async def carry_out(database: Database, access: WorkspaceAccess, deletion_id: UUID, transactions: int = 10**6) -> None:
    item = WorkItem(KIND, access.workspace_id, access.account_id, deletion_id)
    context = _Fenced(item, database=database, access=access, lease=1, attempt=1)
    context.transactions = transactions
    await trace_deletion_handler()(context)


async def read(database: Database, access: WorkspaceAccess, deletion_id: UUID) -> TraceDeletion:
    async with database.transaction(access, read_only=True) as session:
        return await session.get_one(TraceDeletion, (access.workspace_id, deletion_id))


@pytest.mark.parametrize("by", ["session_id", "user_id", "trace_ids", "window"])
async def test_the_store_is_as_if_they_had_never_been_sent(database: Database, by: str) -> None:
    access, neighbour = await make_workspace(database), await make_workspace(database)
    kept = [span for number in (1, 2, 3) for span in spans_of(number, **{"session.id": "kept", "user.id": "kept"})]
    gone = [span for number in (11, 12, 13) for span in spans_of(number, **{"session.id": "gone", "user.id": "gone"})]
    selections: dict[str, dict[str, Any]] = {
        "session_id": {"session_id": "gone"},
        "user_id": {"user_id": "gone"},
        "trace_ids": {"trace_ids": [trace_id(number).hex() for number in (11, 12, 13, 99)]},
        "window": {"window": {"from": "2025-11-21T17:00:00Z", "to": "2025-11-22T00:00:00Z"}},
    }
    selection = selections[by]
    async with running(database) as ingestor:
        await send(ingestor, access, *kept)
        before = await stored(database, access)
        await send(ingestor, access, *gone)
        await send(ingestor, neighbour, *gone)
        full, theirs = await stored(database, access), await stored(database, neighbour)
        deletion_id = await request(database, access, selection)
        await carry_out(database, access, deletion_id)
        assert await stored(database, access) == before
        assert await stored(database, neighbour) == theirs
        done = await read(database, access, deletion_id)
        assert (done.state, done.traces_deleted, done.spans_deleted, done.selection) == ("done", 3, 6, {})
        assert done.finished_at is not None
        # What is sent once more is stored once more, and counted once.
        await send(ingestor, access, *gone)
        assert await stored(database, access) == full


async def test_a_deletion_goes_on_where_a_dead_process_left_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    monkeypatch.setattr(deletion_slices, "SLICE_SPANS", 4)
    async with running(database) as ingestor:
        await send(ingestor, access, *(span for number in range(1, 8) for span in spans_of(number)))
    deletion_id = await request(database, access, {"window": {"to": "2030-01-01T00:00:00Z"}})
    with pytest.raises(ConnectionError):
        await carry_out(database, access, deletion_id, transactions=2)
    half = await read(database, access, deletion_id)
    assert (half.state, half.traces_deleted, half.spans_deleted) == ("running", 4, 8)
    await carry_out(database, access, deletion_id)
    done = await read(database, access, deletion_id)
    assert (done.state, done.traces_deleted, done.spans_deleted) == ("done", 7, 14)
    assert not any((await stored(database, access)).values())
    # A third execution finds it done.
    await carry_out(database, access, deletion_id)


async def test_a_user_is_found_in_any_span_and_nothing_of_them_stays(database: Database) -> None:
    access = await make_workspace(database)
    person = "person-4711@example.com"
    hidden = make_span(
        trace_id(5), b"hidden__", start=START, parent=(5).to_bytes(8, "big"), attributes={"user.id": person}
    )
    async with running(database) as ingestor:
        # The trace has the user of its first span; the person is in another one.
        await send(ingestor, access, *spans_of(5, **{"user.id": "somebody"}), hidden)
        await send(ingestor, access, *spans_of(6, **{"user.id": person, "input.value": person}))
        await send(ingestor, access, *spans_of(7, **{"user.id": "somebody"}))
    async with database.transaction(access) as session:
        session.add(
            TraceFeedback(
                workspace_id=access.workspace_id, trace_id=trace_id(6), name="note", comment=person, created_by="user:1"
            )
        )
    deletion_id = await request(database, access, {"user_id": person})
    await carry_out(database, access, deletion_id)
    async with database.transaction(access, read_only=True) as session:
        left = (await session.scalars(sa.select(Trace.trace_id))).all()
        assert list(left) == [trace_id(7)]
        for table in Base.metadata.sorted_tables:
            if "workspace_id" not in table.c:
                continue
            rows = (await session.execute(sa.select(table).where(table.c.workspace_id == access.workspace_id))).all()
            for row in rows:
                assert person not in repr(row), table.name
                assert not any(value in {trace_id(5), trace_id(6)} for value in row if isinstance(value, bytes))
        # Whoever knows the name can prove that it was asked for.
        digest = hashlib.sha256(json.dumps({"user_id": person}).encode()).hexdigest()
        details = (await session.scalars(sa.select(AuditEntry.detail).order_by(AuditEntry.created_at))).all()
        assert [detail["selection_digest"] for detail in details] == [digest, digest]
        assert (details[-1]["traces"], details[-1]["spans"]) == (2, 5)


@pytest.mark.databases("sqlite")
async def test_nothing_is_left_in_the_file_once_it_is_checkpointed(database: Database, settings: Settings) -> None:
    access = await make_workspace(database)
    gone, person = bytes.fromhex("fedcba98765432100123456789abcdef"), "zyxpersonzyx"
    async with running(database) as ingestor:
        for number in range(20):
            await send(ingestor, access, *spans_of(number + 1, **{"input.value": f"word{number}"}))
        await send(
            ingestor, access, make_span(gone, attributes={"user.id": person, "input.value": f"I am {person}, hello"})
        )
    deletion_id = await request(database, access, {"user_id": person})
    path = str(settings.url).partition("///")[2]
    assert contents(path, gone, person.encode()) == [True, True]
    await carry_out(database, access, deletion_id)
    assert contents(path, gone, person.encode()) == [False, False]


def contents(path: str, *wanted: bytes) -> list[bool]:
    """Which of these are somewhere in the database's file, after what is still in its log was written to it."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    found = Path(path).read_bytes()
    return [text in found for text in wanted]


async def test_one_trace_is_deleted_at_once(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    body = make_request(*spans_of(1), *spans_of(2)).SerializeToString()
    for each in (tenant, other_tenant):
        assert (await client.post("/otel/v1/traces", content=body, headers=PROTOBUF | each.key_headers)).is_success
    url = f"{tenant.url}/traces/{trace_id(1).hex()}"
    assert (await client.post(f"{url}/feedback", json={"score": 1}, headers=tenant.client_headers)).status_code == 201
    assert (await client.delete(url, headers=other_tenant.client_headers)).status_code == 404
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    assert (await client.get(url, headers=tenant.client_headers)).status_code == 404
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 404
    assert (await client.delete(f"{tenant.url}/traces/nonsense", headers=tenant.client_headers)).status_code == 404
    async with database.transaction(tenant.access, read_only=True) as session:
        for table in (SpanRecord, SpanChunk, TraceFeedback):
            mine = sa.select(table.trace_id).where(table.workspace_id == tenant.workspace_id)
            assert set((await session.scalars(mine)).all()) <= {trace_id(2)}
        usage = sa.select(sa.func.sum(USAGE_HOURLY.c.span_count)).where(
            USAGE_HOURLY.c.workspace_id == tenant.workspace_id
        )
        assert (await session.execute(usage)).scalar_one() == 2
    answer = await client.get(f"{other_tenant.url}/traces", headers=other_tenant.client_headers)
    assert answer.json()["pagination"]["total"] == 2


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({}, "exactly one"),
        ({"user_id": "a", "session_id": "b"}, "exactly one"),
        ({"user_id": None}, "exactly one"),
        ({"user_id": ""}, "user_id"),
        ({"trace_ids": ["xyz"]}, "trace_ids"),
        ({"window": {"from": "2026-01-01T00:00:00Z"}}, "to"),
        ({"window": {"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}}, "before"),
        ({"window": {"to": "yesterday"}}, "RFC 3339"),
        ({"agent_id": "a"}, "agent_id"),
    ],
    ids=["nothing", "two", "null", "empty", "hex", "open", "order", "time", "unknown"],
)
async def test_a_deletion_that_says_not_what_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, body: dict[str, Any], named: str
) -> None:
    refused = await client.post(f"{tenant.url}/traces/deletions", json=body, headers=tenant.client_headers)
    assert refused.status_code == 422
    assert named in str(refused.json()["errors"])


async def test_a_deletion_is_engine_work_with_progress(engine_client: httpx.AsyncClient) -> None:
    tenant = await register_tenant(engine_client, "ours")
    body = make_request(*spans_of(1, **{"user.id": "u-1"}), *spans_of(2)).SerializeToString()
    sent = await engine_client.post("/otel/v1/traces", content=body, headers=PROTOBUF | tenant.key_headers)
    assert sent.status_code == 200
    url = f"{tenant.url}/traces/deletions"
    key = tenant.client_headers | {"Idempotency-Key": "once"}
    answers = [await engine_client.post(url, json={"user_id": "u-1"}, headers=key) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json() == answers[1].json()
    location = answers[0].headers["location"]
    deletion = await until_done(lambda: engine_client.get(location, headers=tenant.client_headers))
    assert (deletion["by"], deletion["traces_deleted"], deletion["spans_deleted"]) == ("user_id", 1, 2)
    listed = (await engine_client.get(url, headers=tenant.client_headers)).json()
    assert [item["id"] for item in listed["results"]] == [deletion["id"]]
    left = (await engine_client.get(f"{tenant.url}/traces", headers=tenant.client_headers)).json()
    assert [trace["trace_id"] for trace in left["results"]] == [trace_id(2).hex()]


async def until_done(ask: Callable[[], Any]) -> dict[str, Any]:
    for _ in range(400):
        found: dict[str, Any] = (await ask()).json()
        if found["state"] == "done":
            return found
        await asyncio.sleep(0.05)
    raise AssertionError("the deletion does not end")
