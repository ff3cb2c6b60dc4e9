"""Spans in the store: each once, rollups by the set of spans alone, nothing acknowledged before it is durable."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from sqlalchemy.exc import OperationalError

from spectral.domains.accounts.models import Account
from spectral.domains.traces.ingestion.ingestor import (
    IngestionLimits,
    IngestionOverloadedError,
    StoredListener,
    TraceIngestor,
)
from spectral.domains.traces.ingestion.policy import PolicyBook
from spectral.domains.traces.ingestion.rollup import HOUR_NS
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace, TraceIngestion
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError, PayloadTooLargeError, UnavailableError
from tests.domains.traces.otlp_samples import MAPPER, SECOND, START, make_request, make_span

PROTOBUF = "application/x-protobuf"


async def make_workspace(database: Database) -> WorkspaceAccess:
    account, workspace = uuid4(), uuid4()
    async with database.transaction(account_id=account) as session:
        session.add(Account(id=account, name="account"))
        await session.flush()
        session.add(Workspace(id=workspace, account_id=account, name=f"workspace {workspace}"))
    return WorkspaceAccess.for_system(workspace, account, "tests")


@asynccontextmanager
async def running(
    database: Database, limits: IngestionLimits | None = None, listeners: Sequence[StoredListener] = ()
) -> AsyncIterator[TraceIngestor]:
    ingestor = TraceIngestor(database, MAPPER, limits, policies=PolicyBook(database), listeners=listeners)
    await ingestor.start()
    try:
        yield ingestor
    finally:
        await ingestor.stop()


async def body_of(*spans: Span) -> AsyncIterator[bytes]:
    yield make_request(*spans).SerializeToString()


async def send(ingestor: TraceIngestor, access: WorkspaceAccess, *spans: Span) -> None:
    await ingestor.receive(access, body_of(*spans), PROTOBUF, None)


async def rows_of(database: Database, access: WorkspaceAccess, table: Any) -> list[tuple[Any, ...]]:
    """Every row of the workspace without its workspace, in a fixed order."""
    columns = [column for column in table.c if column.name not in {"workspace_id", "chunk_count"}]
    async with database.transaction(access, read_only=True) as session:
        found = await session.execute(sa.select(*columns).where(table.c.workspace_id == access.workspace_id))
        return sorted((tuple(row) for row in found), key=repr)


async def stored(database: Database, access: WorkspaceAccess) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that must depend on the set of spans alone."""
    tables = (SpanRecord.__table__, Trace.__table__, USAGE_HOURLY)
    return {table.name: await rows_of(database, access, table) for table in tables}  # type: ignore[attr-defined]


# ------------------------------------------------------------------------------------------------- order and repetition


@st.composite
def copies(draw: st.DrawFn) -> list[Span]:
    """Spans of two traces, several of them copies of one span that differ."""
    spans = []
    for _ in range(draw(st.integers(1, 8))):
        start = START + draw(st.sampled_from([0, 1, HOUR_NS, 26 * HOUR_NS]))
        spans.append(
            make_span(
                trace_id=draw(st.sampled_from([b"a" * 16, b"b" * 16])),
                span_id=draw(st.sampled_from([b"1" * 8, b"2" * 8, b"3" * 8])),
                parent=draw(st.sampled_from([b"", b"1" * 8])),
                name=draw(st.sampled_from(["root", "chat", "chat again"])),
                start=start,
                end=start + draw(st.sampled_from([0, SECOND, 2 * SECOND])),
                status=draw(st.sampled_from([0, 2])),
                attributes=draw(
                    st.fixed_dictionaries(
                        {},
                        optional={
                            "gen_ai.request.model": st.sampled_from(["small", "large"]),
                            "gen_ai.operation.name": st.sampled_from(["chat", "invoke_agent"]),
                            "gen_ai.usage.input_tokens": st.integers(0, 100),
                            "gen_ai.usage.cost": st.sampled_from([0.1, 0.2]),
                            "gen_ai.input.messages": st.sampled_from(["question", "other question"]),
                            "spectral.agent.id": st.sampled_from(["agent", "other agent"]),
                            "session.id": st.sampled_from(["session", "other session"]),
                            "spectral.tags": st.sampled_from([["x"], ["y", "z"]]),
                        },
                    )
                ),
            )
        )
    return spans


@given(spans=copies(), data=st.data())
@settings(max_examples=25)
async def test_any_order_batching_and_repetition_ends_in_the_same_rows(
    database: Database, spans: list[Span], data: st.DataObject
) -> None:
    one, other = await make_workspace(database), await make_workspace(database)
    async with running(database) as ingestor:
        await send(ingestor, one, *spans)
        again = data.draw(st.permutations([*spans, *data.draw(st.lists(st.sampled_from(spans), max_size=4))]))
        for batch in data.draw(batches(again)):
            if data.draw(st.booleans()):
                await send(ingestor, other, *batch)
            else:
                # Together they are one group of several requests.
                middle = len(batch) // 2
                await asyncio.gather(send(ingestor, other, *batch[:middle]), send(ingestor, other, *batch[middle:]))
    assert await stored(database, other) == await stored(database, one)


def batches(spans: Sequence[Span]) -> st.SearchStrategy[list[list[Span]]]:
    """The spans cut into consecutive batches."""

    def cut(places: list[int]) -> list[list[Span]]:
        edges = [0, *sorted(places), len(spans)]
        return [list(spans[first:last]) for first, last in pairwise(edges) if first < last]

    return st.lists(st.integers(0, len(spans)), max_size=4).map(cut)


@pytest.mark.databases("postgresql")
async def test_processes_that_write_the_same_traces_do_not_lose_or_block_each_other(database: Database) -> None:
    one, other = await make_workspace(database), await make_workspace(database)
    spans = [
        make_span(
            trace_id=bytes([trace]) * 16,
            span_id=bytes([number] * 8),
            name=f"span {number}",
            end=START + copy * SECOND,
            attributes={"gen_ai.request.model": f"model {number}", "gen_ai.usage.input_tokens": 1},
        )
        for trace in range(1, 5)
        for number in range(1, 5)
        for copy in range(1, 3)
    ]
    async with running(database) as first, running(database) as second, running(database) as third:
        await send(first, one, *spans)
        await asyncio.gather(
            *(
                send(ingestor, other, *(spans[place:] + spans[:place])[: 8 + place % 9])
                for place in range(0, len(spans), 2)
                for ingestor in (first, second, third)
            )
        )
    assert await stored(database, other) == await stored(database, one)


async def test_a_copy_with_another_start_replaces_the_row_and_its_hour(database: Database) -> None:
    access = await make_workspace(database)
    early = make_span(gen_ai__request__model="small", gen_ai__usage__input_tokens=5)
    late = make_span(start=START + HOUR_NS, end=START + HOUR_NS + SECOND, gen_ai__request__model="large")
    async with running(database) as ingestor:
        await send(ingestor, access, early)
        await send(ingestor, access, late)
        await send(ingestor, access, early)
    found = await stored(database, access)
    assert [len(rows) for rows in found.values()] == [1, 1, 1]
    async with database.transaction(access, read_only=True) as session:
        trace = (await session.scalars(sa.select(Trace).where(Trace.workspace_id == access.workspace_id))).one()
    assert (trace.started_at, trace.models, trace.input_tokens) == (START + HOUR_NS, ["large"], 0)


async def test_a_repeated_batch_adds_nothing_but_to_the_statistics(database: Database) -> None:
    access = await make_workspace(database)
    spans = [make_span(span_id=bytes([number] * 8)) for number in range(1, 6)]
    async with running(database) as ingestor:
        await send(ingestor, access, *spans)
        before = await stored(database, access)
        await send(ingestor, access, *spans)
        await send(ingestor, access, *spans[:2])
    assert await stored(database, access) == before
    assert len(await rows_of(database, access, SpanChunk.__table__)) == 1
    async with database.transaction(access, read_only=True) as session:
        minutes = (
            await session.scalars(sa.select(TraceIngestion).where(TraceIngestion.workspace_id == access.workspace_id))
        ).all()
    assert sum(minute.accepted_spans for minute in minutes) == 12
    assert sum(minute.duplicate_spans for minute in minutes) == 7
    assert sum(minute.requests for minute in minutes) == 3


# -------------------------------------------------------------------------------------------------------------- tenancy


async def test_the_same_ids_in_two_workspaces_never_meet(database: Database) -> None:
    ours, theirs = await make_workspace(database), await make_workspace(database)
    async with running(database) as ingestor:
        # One group, so one transaction writes for both.
        await asyncio.gather(
            send(ingestor, ours, make_span(name="ours", session__id="our session")),
            send(ingestor, theirs, make_span(name="theirs", end=START + 9 * SECOND)),
        )
        await send(ingestor, theirs, make_span(span_id=b"another_", name="theirs too"))
    for access, names in ((ours, {"ours"}), (theirs, {"theirs", "theirs too"})):
        async with database.transaction(access, read_only=True) as session:
            mine = SpanRecord.workspace_id == access.workspace_id
            assert set(await session.scalars(sa.select(SpanRecord.name).where(mine))) == names
            trace = (await session.scalars(sa.select(Trace).where(Trace.workspace_id == access.workspace_id))).one()
        assert (trace.span_count, trace.session_id) == (len(names), "our session" if access is ours else None)


async def test_a_trace_that_is_deleted_takes_its_spans_along(database: Database) -> None:
    ours, theirs = await make_workspace(database), await make_workspace(database)
    async with running(database) as ingestor:
        await send(ingestor, ours, make_span(), make_span(trace_id=b"k" * 16))
        await send(ingestor, theirs, make_span())
    async with database.transaction(ours) as session:
        await session.execute(
            sa.delete(Trace).where(Trace.workspace_id == ours.workspace_id, Trace.trace_id != b"k" * 16)
        )
    for table in (SpanRecord.__table__, SpanChunk.__table__, Trace.__table__):
        assert [row[0] for row in await rows_of(database, ours, table)] == [b"k" * 16]
        assert len(await rows_of(database, theirs, table)) == 1


async def test_a_workspace_that_is_deleted_leaves_no_span_behind(database: Database) -> None:
    ours, theirs = await make_workspace(database), await make_workspace(database)
    async with running(database) as ingestor:
        await send(ingestor, ours, make_span())
        await send(ingestor, theirs, make_span())
        async with database.transaction(ours) as session:
            await session.execute(sa.delete(Workspace).where(Workspace.id == ours.workspace_id))
        for table in (SpanRecord.__table__, SpanChunk.__table__):
            assert await rows_of(database, ours, table) == []
            assert len(await rows_of(database, theirs, table)) == 1
        with pytest.raises(NotFoundError):
            await send(ingestor, ours, make_span())
        assert await rows_of(database, ours, SpanRecord.__table__) == []


# ------------------------------------------------------------------------------------------------------------- failures


async def test_one_bad_request_fails_alone(database: Database) -> None:
    gone = WorkspaceAccess.for_system(UUID(int=1), UUID(int=2), "tests")
    access = await make_workspace(database)
    async with running(database) as ingestor:
        answers = await asyncio.gather(
            *(send(ingestor, access, make_span(span_id=bytes([number] * 8))) for number in range(1, 5)),
            send(ingestor, gone, make_span()),
            return_exceptions=True,
        )
    assert answers[:4] == [None] * 4
    assert isinstance(answers[4], NotFoundError)
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 4


async def test_a_database_that_is_away_is_a_503_and_ingestion_goes_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    async with running(database) as ingestor:
        with monkeypatch.context() as patch:

            async def fail(_group: object) -> None:
                raise OperationalError("INSERT", None, Exception("the connection is closed"))

            patch.setattr(ingestor, "_write", fail)
            with pytest.raises(UnavailableError) as caught:
                await send(ingestor, access, make_span())
        assert int(caught.value.headers["Retry-After"]) > 0
        await send(ingestor, access, make_span())
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 1


async def test_a_full_process_refuses_and_every_sender_gets_through_in_the_end(database: Database) -> None:
    access = await make_workspace(database)
    refusals = 0

    async def deliver(ingestor: TraceIngestor, number: int) -> None:
        nonlocal refusals
        while True:
            try:
                await send(ingestor, access, make_span(trace_id=number.to_bytes(16, "big")))
            except IngestionOverloadedError as error:
                refusals += 1
                await asyncio.sleep(int(error.headers["Retry-After"]) / 100)
            else:
                return

    async with running(database, IngestionLimits(pending_requests=4)) as ingestor:
        await asyncio.gather(*(deliver(ingestor, number) for number in range(1, 65)))
        assert ingestor.depth == 0
    assert refusals > 0
    assert len(await rows_of(database, access, Trace.__table__)) == 64


@pytest.mark.databases("sqlite")
async def test_bytes_on_their_way_are_bounded_and_given_back(database: Database) -> None:
    access = await make_workspace(database)
    limits = IngestionLimits(body_bytes=10_000, pending_bytes=12_000)
    async with running(database, limits) as ingestor:

        async def large() -> AsyncIterator[bytes]:
            yield bytes(6_000)
            yield bytes(6_000)

        with pytest.raises(PayloadTooLargeError):
            await ingestor.receive(access, large(), PROTOBUF, None)
        held = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield bytes(9_000)
            await held.wait()

        waiting = asyncio.create_task(ingestor.receive(access, slow(), PROTOBUF, None))
        await asyncio.sleep(0.01)
        with pytest.raises(IngestionOverloadedError):
            await ingestor.receive(access, _once(bytes(4_000)), PROTOBUF, None)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert ingestor.depth == 0
        await send(ingestor, access, make_span())


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body


@pytest.mark.databases("sqlite")
async def test_what_is_waiting_is_committed_before_the_end(database: Database) -> None:
    access = await make_workspace(database)
    ingestor = TraceIngestor(database, MAPPER, policies=PolicyBook(database))
    await ingestor.start()
    await send(ingestor, access, make_span())
    sending = asyncio.create_task(send(ingestor, access, make_span(span_id=b"waiting_")))
    for _ in range(50):
        # Nothing on its way to the queue waits for anything else.
        await asyncio.sleep(0)
    await ingestor.stop()
    await asyncio.wait_for(sending, 5)
    assert len(await rows_of(database, access, SpanRecord.__table__)) == 2
    with pytest.raises(UnavailableError):
        await send(ingestor, access, make_span())
