"""Log events in the store: whatever the order in which they and their spans come, the same rows and contents."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_LOGS, CODEC_ZSTD_OTLP, winners
from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.ingestion.log_batch import prepare_events
from spectral.domains.traces.ingestion.merging import merge_chunks
from spectral.domains.traces.models import SpanChunk, Trace, TraceIngestion
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.requests import Rejections
from spectral.domains.traces.otlp.writing import trace_line
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from tests.domains.traces.ingestion.test_ingestor import PROTOBUF, make_workspace, running, send, stored
from tests.domains.traces.log_samples import conversation, make_logs, make_record
from tests.domains.traces.otlp_samples import (
    MAPPER,
    SECOND,
    SPAN_ID,
    START,
    TRACE_ID,
    make_batch,
    make_span,
    prepare_request,
)

CALL = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "small"}


async def send_logs(ingestor: TraceIngestor, access: WorkspaceAccess, *records: LogRecord) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield make_logs(*records).SerializeToString()

    await ingestor.receive_logs(access, body(), PROTOBUF, None)


async def contents(database: Database, access: WorkspaceAccess) -> dict[bytes, Any]:
    """What each span says, by trace."""
    async with database.transaction(access, read_only=True) as session:
        columns = (SpanChunk.trace_id, SpanChunk.payload, SpanChunk.codec)
        rows = (await session.execute(sa.select(*columns).where(SpanChunk.workspace_id == access.workspace_id))).all()
    found = {}
    for trace_id in {row[0] for row in rows}:
        spans = winners([(row[1], row[2]) for row in rows if row[0] == trace_id], MAPPER)
        found[trace_id] = {
            span_id: (mapped, raw.span.SerializeToString(deterministic=True))
            for span_id, (mapped, raw) in spans.items()
        }
    return found


async def count(database: Database, access: WorkspaceAccess, codec: int) -> int:
    async with database.transaction(access, read_only=True) as session:
        where = (SpanChunk.workspace_id == access.workspace_id, SpanChunk.codec == codec)
        return (await session.execute(sa.select(sa.func.count()).select_from(SpanChunk).where(*where))).scalar_one()


@st.composite
def sent(draw: st.DrawFn) -> list[Span | LogRecord]:
    """Spans of two traces, some of them copies that differ, and log events of these spans and of others."""
    traces, span_ids = st.sampled_from([b"a" * 16, b"b" * 16]), st.sampled_from([b"1" * 8, b"2" * 8, b"3" * 8])
    items: list[Span | LogRecord] = []
    for _ in range(draw(st.integers(1, 5))):
        own = draw(st.sampled_from([{}, {"gen_ai.output.messages": "own"}, {"gen_ai.input.messages": "own"}]))
        items.append(
            make_span(
                draw(traces),
                draw(span_ids),
                parent=draw(st.sampled_from([b"", b"1" * 8])),
                end=START + draw(st.integers(1, 3)) * SECOND,
                attributes=draw(st.sampled_from([{}, CALL])) | own,
            )
        )
    for _ in range(draw(st.integers(1, 5))):
        name = draw(st.sampled_from(["gen_ai.user.message", "gen_ai.choice"]))
        said = {"content": draw(st.sampled_from(["one", "two", "three"]))}
        time = START + draw(st.integers(1, 3))
        items.append(make_record(name, said, trace_id=draw(traces), span_id=draw(span_ids), time=time))
    return items


@given(items=sent(), data=st.data())
@settings(max_examples=25)
async def test_spans_and_their_events_in_any_order_and_number_end_in_the_same_rows(
    database: Database, items: list[Span | LogRecord], data: st.DataObject
) -> None:
    one, other = await make_workspace(database), await make_workspace(database)

    async def deliver(ingestor: TraceIngestor, access: WorkspaceAccess, batch: Sequence[Span | LogRecord]) -> None:
        spans = [item for item in batch if isinstance(item, Span)]
        records = [item for item in batch if isinstance(item, LogRecord)]
        sending = [send(ingestor, access, *spans)] if spans else []
        sending += [send_logs(ingestor, access, *records)] if records else []
        # Together they are one group of several requests.
        await asyncio.gather(*sending)

    async with running(database) as ingestor:
        await deliver(ingestor, one, items)
        again = data.draw(st.permutations([*items, *data.draw(st.lists(st.sampled_from(items), max_size=4))]))
        size = data.draw(st.integers(1, len(again)))
        for start in range(0, len(again), size):
            await deliver(ingestor, other, again[start : start + size])
    assert await contents(database, other) == await contents(database, one)
    assert await stored(database, other) == await stored(database, one)


async def test_events_that_come_again_take_no_room(database: Database) -> None:
    access = await make_workspace(database)
    records = conversation()
    async with running(database) as ingestor:
        await send_logs(ingestor, access, *records)
        for batch in (records, records[:1], records[1:], records):
            await send_logs(ingestor, access, *batch)
        await send(ingestor, access, make_span(attributes=CALL))
        await send_logs(ingestor, access, *records)
    assert await count(database, access, CODEC_ZSTD_LOGS) == 1
    assert await count(database, access, CODEC_ZSTD_OTLP) == 1
    async with database.transaction(access, read_only=True) as session:
        trace = (await session.execute(sa.select(Trace).where(Trace.workspace_id == access.workspace_id))).scalar_one()
        # What is merged when a trace is finished are the chunks of its spans.
        assert (trace.chunk_count, trace.span_count) == (1, 1)


async def test_model_calls_without_content_are_counted_until_events_bring_it(database: Database) -> None:
    access = await make_workspace(database)
    with_content = make_span(span_id=b"content_", attributes=CALL | {"gen_ai.completion": "yes"})
    async with running(database) as ingestor:
        await send(ingestor, access, make_span(attributes=CALL), with_content, make_span(span_id=b"no model"))
        await send(ingestor, access, make_span(span_id=b"another_", attributes=CALL))
        assert await counted(database, access) == (0, {"tests": [3, 2]})
        await send_logs(ingestor, access, *conversation(SPAN_ID, TRACE_ID))
        assert await counted(database, access) == (3, {"tests": [3, 1]})


async def counted(database: Database, access: WorkspaceAccess) -> tuple[int, dict[str, list[int]]]:
    """Log records that were taken, and content by scope, over all minutes."""
    async with database.transaction(access, read_only=True) as session:
        where = TraceIngestion.workspace_id == access.workspace_id
        minutes = (await session.execute(sa.select(TraceIngestion).where(where))).scalars().all()
    content: dict[str, list[int]] = {}
    for minute in minutes:
        for scope, (calls, without) in minute.content.items():
            known = content.setdefault(scope, [0, 0])
            content[scope] = [known[0] + calls, known[1] + without]
    return sum(minute.accepted_log_records for minute in minutes), content


def test_merged_and_exported_spans_have_their_content_once() -> None:
    spans = [make_span(attributes=CALL), make_span(span_id=b"another_", attributes=CALL)]
    of_spans = [make_batch(span).traces[TRACE_ID].chunk for span in spans]
    events = prepare_events(make_logs(*conversation()), Rejections()).traces[TRACE_ID].chunk
    before = winners([(chunk.payload, chunk.codec) for chunk in [*of_spans, events]], MAPPER)
    assert before[SPAN_ID][0].input
    merged = [(chunk.payload, chunk.codec) for chunk in merge_chunks(TRACE_ID, of_spans, MAPPER)]
    logs = (events.payload, events.codec)
    assert len(merged) == 1
    assert winners([*merged, logs], MAPPER) == before
    # What was exported has the events of the span; imported beside them it is shown as it was.
    imported = prepare_request(decode_json(trace_line([*merged, logs], MAPPER), Rejections())).traces[TRACE_ID].chunk
    for chunks in ([(imported.payload, imported.codec)], [*merged, logs, (imported.payload, imported.codec)]):
        found = winners(chunks, MAPPER)
        for span_id, (mapped, raw) in before.items():
            assert found[span_id][0][1:] == mapped[1:]
            assert found[span_id][1].span == raw.span


@pytest.mark.databases("sqlite")
async def test_log_records_older_than_what_is_kept_are_rejected(database: Database) -> None:
    access = await make_workspace(database)
    async with running(database) as ingestor:
        ingestor._policies.retention_days = 1
        await send_logs(ingestor, access, *conversation())
    assert await count(database, access, CODEC_ZSTD_LOGS) == 0
    assert (await counted(database, access))[0] == 0
