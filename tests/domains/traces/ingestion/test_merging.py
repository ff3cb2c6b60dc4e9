"""Merged chunks: what is read stays byte by byte, whatever arrives in between, and takes less room."""

import json
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion import merging
from spectral.domains.traces.ingestion.chunks import raw_spans, winners
from spectral.domains.traces.ingestion.merging import ChunkMerger, Merged, merge_chunks
from spectral.domains.traces.models import USAGE_HOURLY, SpanChunk, SpanRecord, Trace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.domains.traces.ingestion.test_ingestor import make_workspace, rows_of, running, send
from tests.domains.traces.otlp_samples import MAPPER, SECOND, START, TRACE_ID, make_batch, make_span

CODEC_OF_EVENTS = 2
OTHER_TRACE = bytes(15) + b"\x07"


def bodies_of(chunks: list[tuple[bytes, int]]) -> dict[bytes, tuple[Any, ...]]:
    """What a reader sees: the span that counts, with the bytes, resource and scope that it was sent with."""
    return {
        span_id: (mapped.row, raw.span.SerializeToString(), raw.resource, raw.scope, raw.scope_schema_url)
        for span_id, (mapped, raw) in winners(chunks, MAPPER).items()
    }


@st.composite
def copies(draw: st.DrawFn) -> list[tuple[Span, str]]:
    """Spans of one trace, several of them copies of one that differ, of several services."""
    return [
        (
            make_span(
                span_id=bytes(7) + bytes((draw(st.integers(1, 5)),)),
                start=START + draw(st.integers(0, 2)),
                end=START + SECOND + draw(st.integers(0, 2)),
                name=draw(st.sampled_from(["a", "b"])),
            ),
            draw(st.sampled_from(["shop", "till"])),
        )
        for _ in range(draw(st.integers(1, 12)))
    ]


@settings(max_examples=50)
@given(sent=copies(), data=st.data())
def test_bodies_stay_whatever_is_merged_with_what(sent: list[tuple[Span, str]], data: st.DataObject) -> None:
    chunks = [make_batch(span, resource={"service.name": name}).traces[TRACE_ID].chunk for span, name in sent]
    before = bodies_of([(chunk.payload, chunk.codec) for chunk in chunks])
    # Some are merged, late ones are merged with the result, in any order.
    cut = data.draw(st.integers(0, len(chunks)))
    first = merge_chunks(TRACE_ID, chunks[:cut], MAPPER) if cut else []
    merged = merge_chunks(TRACE_ID, data.draw(st.permutations([*first, *chunks[cut:]])), MAPPER)
    assert bodies_of([(chunk.payload, chunk.codec) for chunk in merged]) == before
    assert merged == merge_chunks(TRACE_ID, chunks, MAPPER)
    assert [chunk.span_count for chunk in merged] == [len(before)]
    assert merged[0].start_ns == min(row.started_at for row, *_ in before.values())


async def chunks_of(database: Database, access: WorkspaceAccess) -> list[SpanChunk]:
    async with database.transaction(access, read_only=True) as session:
        found = sa.select(SpanChunk).where(SpanChunk.workspace_id == access.workspace_id)
        return list((await session.scalars(found.order_by(SpanChunk.trace_id, SpanChunk.start_ns))).all())


async def rest_of(database: Database, access: WorkspaceAccess) -> list[Any]:
    """Everything but the chunks; the number of chunks is what changes."""
    columns = [column.name for column in Trace.__table__.c if column.name != "workspace_id"]
    count = columns.index("chunk_count")
    traces = [row[:count] + row[count + 1 :] for row in await rows_of(database, access, Trace.__table__)]
    return [traces, *[await rows_of(database, access, table) for table in (SpanRecord.__table__, USAGE_HOURLY)]]


async def test_chunks_of_finished_traces_are_merged_and_take_less_room(
    database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    text = json.dumps([{"role": "user", "content": "Where is my order? It was sent a week ago, they said."}] * 4)
    merger = ChunkMerger(database, identity, MAPPER)
    monkeypatch.setattr(merging, "CHUNK_SPANS", 20)
    async with running(database) as ingestor:
        for number in range(1, 31):
            span = make_span(
                span_id=number.to_bytes(8, "big"), start=START + number, attributes={"gen_ai.prompt": text}
            )
            await send(ingestor, access, span)
        recent = int(utc_now().timestamp()) * SECOND
        for number in (1, 2):
            await send(ingestor, access, make_span(OTHER_TRACE, bytes(7) + bytes((number,)), start=1, end=recent))
        before, rest = await chunks_of(database, access), await rest_of(database, access)
        seen = bodies_of([(chunk.payload, chunk.codec) for chunk in before if chunk.trace_id == TRACE_ID])
        await merger.run()
        after = await chunks_of(database, access)
        # The trace that may still go on stays in its pieces.
        assert [chunk.span_count for chunk in after if chunk.trace_id == OTHER_TRACE] == [1, 1]
        mine = [chunk for chunk in after if chunk.trace_id == TRACE_ID]
        assert sorted(chunk.span_count for chunk in mine) == [10, 20]
        assert bodies_of([(chunk.payload, chunk.codec) for chunk in mine]) == seen
        assert await rest_of(database, access) == rest
        sizes = [sum(len(chunk.payload) for chunk in chunks) for chunks in (before, after)]
        assert sizes[1] < sizes[0] / 3
        # Merged as far as it goes: it is not looked at again.
        assert await merger.merge_workspace(access, utc_now()) == Merged()
        # A late span, and a better copy of one that is merged, are stored as ever, and merged the next time.
        await send(ingestor, access, make_span(span_id=b"late____", start=START + 99))
        await send(ingestor, access, make_span(span_id=(3).to_bytes(8, "big"), start=START + 3, end=START + 9 * SECOND))
        rest = await rest_of(database, access)
        seen = bodies_of([(chunk.payload, chunk.codec) for chunk in await chunks_of(database, access)])
        merged = await merger.merge_workspace(access, utc_now())
        assert (merged.traces, merged.chunks_before, merged.chunks_after) == (1, 4, 2)
        assert bodies_of([(chunk.payload, chunk.codec) for chunk in await chunks_of(database, access)]) == seen
        assert await rest_of(database, access) == rest
        await send(ingestor, access, make_span(span_id=b"late____", start=START + 99))
        assert await rest_of(database, access) == rest


async def test_nothing_is_lost_where_spans_arrive_meanwhile_and_events_stay(
    database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    merger = ChunkMerger(database, identity, MAPPER)
    async with running(database) as ingestor:
        await send(ingestor, access, make_span(span_id=b"first___"))
        await send(ingestor, access, make_span(span_id=b"second__"))
        async with database.transaction(access) as session:
            session.add(
                SpanChunk(
                    workspace_id=access.workspace_id,
                    trace_id=TRACE_ID,
                    start_ns=START,
                    digest=b"events of a log.",
                    codec=CODEC_OF_EVENTS,
                    span_count=1,
                    payload=b"events",
                )
            )
        replace = merger._replace

        async def interrupted(*arguments: Any) -> bool:
            await send(ingestor, access, make_span(span_id=b"third___"))
            return await replace(*arguments)

        with monkeypatch.context() as patch:
            patch.setattr(merger, "_replace", interrupted)
            assert await merger.merge_trace(access, TRACE_ID) == Merged()
    assert await merger.merge_trace(access, bytes(16)) == Merged()
    # Two processes at once: one merges, the other finds it done.
    first = await merger._read(access, TRACE_ID)
    assert (await merger.merge_trace(access, TRACE_ID)).chunks_before == 3
    keys = {merging._Key(chunk.start_ns, chunk.digest) for chunk in first}
    assert not await replace(access, TRACE_ID, keys, merge_chunks(TRACE_ID, first, MAPPER))
    left = await chunks_of(database, access)
    assert sorted(chunk.codec for chunk in left) == [1, CODEC_OF_EVENTS]
    spans = [raw.span.span_id for chunk in left if chunk.codec == 1 for raw in raw_spans(chunk.payload, chunk.codec)]
    assert sorted(spans) == [b"first___", b"second__", b"third___"]


async def test_traces_that_are_too_large_to_merge_in_memory_stay(
    database: Database, identity: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    access = await make_workspace(database)
    async with running(database) as ingestor:
        for number in (1, 2):
            await send(ingestor, access, make_span(span_id=bytes(7) + bytes((number,))))
    merger = ChunkMerger(database, identity, MAPPER)
    monkeypatch.setattr(merging, "LARGEST_BYTES", 10)
    assert await merger.merge_workspace(access, utc_now() + timedelta(days=1)) == Merged()
    assert len(await chunks_of(database, access)) == 2
