from itertools import pairwise

import pytest
import zstandard
from opentelemetry.proto.trace.v1.trace_pb2 import TracesData

from spectral.domains.traces.bodies import span_bodies
from spectral.domains.traces.ingestion.batch import prepare
from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_OTLP, raw_spans, winners
from spectral.domains.traces.otlp.requests import Rejections
from tests.domains.traces.otlp_samples import MAPPER, SECOND, START, TRACE_ID, make_batch, make_request, make_span

OTHER = bytes(range(1, 17))


def test_a_chunk_holds_exactly_what_was_sent_of_its_trace() -> None:
    ours = [make_span(span_id=bytes([number] * 8), attributes={"n": number}) for number in range(1, 200)]
    batch = make_batch(*ours[:100], make_span(trace_id=OTHER), *ours[100:])
    assert set(batch.traces) == {TRACE_ID, OTHER}
    chunk = batch.traces[TRACE_ID].chunk
    assert (chunk.trace_id, chunk.start_ns, chunk.span_count) == (TRACE_ID, START, 199)
    message = TracesData.FromString(zstandard.ZstdDecompressor().decompress(chunk.payload))
    expected = make_request(*ours)
    assert list(message.resource_spans) == list(expected.resource_spans)


def test_resources_and_scopes_stay_with_their_spans() -> None:
    request = make_request(make_span(span_id=b"first___"))
    for number in range(2):
        added = request.resource_spans.add(schema_url=f"https://example.com/{number}")
        scope_spans = added.scope_spans.add(schema_url="scope")
        scope_spans.scope.name = f"scope {number}"
        scope_spans.spans.append(make_span(span_id=f"other__{number}".encode()))
    batch = prepare(request, Rejections(), MAPPER)
    chunk = batch.traces[TRACE_ID].chunk
    found = {raw.span.span_id: raw for raw in raw_spans(chunk.payload, chunk.codec)}
    assert found[b"first___"].resource is not None
    assert found[b"other__1"].resource is None
    assert found[b"other__1"].resource_schema_url == "https://example.com/1"
    assert found[b"other__1"].scope_schema_url == "scope"
    scope = found[b"other__0"].scope
    assert scope is not None
    assert scope.name == "scope 0"


def test_the_same_batch_is_the_same_chunk() -> None:
    first, again = (make_batch(make_span()).traces[TRACE_ID].chunk for _ in range(2))
    assert first == again
    assert make_batch(make_span(name="x")).traces[TRACE_ID].chunk.digest != first.digest


def test_of_copies_the_reader_finds_the_winner_in_any_order() -> None:
    copies = [make_span(end=START + number, name="n" * number) for number in (1, 3, 2)]
    chunks = [make_batch(copy).traces[TRACE_ID].chunk for copy in copies]
    contents = [(chunk.payload, chunk.codec) for chunk in chunks]
    for order in (contents, contents[::-1]):
        (mapped, raw) = winners(order, MAPPER)[copies[0].span_id]
        assert (mapped.row.ended_at, raw.span.name) == (START + 3, "nnn")
    for first, second in pairwise(contents):
        assert winners([first, second], MAPPER).keys() == winners([second, first], MAPPER).keys()


def test_the_digest_of_a_span_is_the_same_after_reading_it_back() -> None:
    batch = make_batch(make_span(attributes={"a": [1, {"b": 2.5}]}))
    trace = batch.traces[TRACE_ID]
    ((mapped, _),) = winners([(trace.chunk.payload, trace.chunk.codec)], MAPPER).values()
    assert mapped.row == trace.rows[mapped.row.span_id]


@pytest.mark.parametrize(("payload", "codec"), [(b"", CODEC_ZSTD_OTLP), (b"junk", CODEC_ZSTD_OTLP), (b"", 99)])
def test_a_damaged_chunk_says_so(payload: bytes, codec: int) -> None:
    with pytest.raises(ValueError, match="chunk"):
        raw_spans(payload, codec)


def test_a_body_shows_everything_that_was_sent() -> None:
    span = make_span(
        status=2,
        attributes={
            "gen_ai.input.messages": '[{"role":"user","content":"hello"}]',
            "custom": {"deep": [1, None, b"\x00\xff"]},
        },
    )
    span.status.message = "broken"
    event = span.events.add(name="exception", time_unix_nano=START + SECOND)
    event.attributes.extend(make_span(attributes={"exception.type": "ValueError"}).attributes)
    span.links.add(trace_id=OTHER, span_id=b"linked__")
    chunk = make_batch(span).traces[TRACE_ID].chunk
    (body,) = span_bodies([(chunk.payload, chunk.codec)], frozenset({span.span_id}), MAPPER).values()
    assert body.attributes["custom"] == {"deep": [1, None, "AP8="]}
    assert body.input == [{"role": "user", "content": "hello"}]
    assert body.output is None
    assert body.status_message == "broken"
    assert [(found.name, found.time) for found in body.events] == [("exception", START + SECOND)]
    assert body.events[0].attributes == {"exception.type": "ValueError"}
    assert [(link.trace_id, link.span_id) for link in body.links] == [(OTHER, b"linked__")]
    assert (body.resource, body.scope_name) == ({"service.name": "shop"}, "tests")
