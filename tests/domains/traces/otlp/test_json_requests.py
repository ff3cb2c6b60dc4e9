"""Both encodings of OTLP say the same: a span's row and stored bytes do not tell them apart."""

import base64
import json
from typing import Any

from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.bodies import span_bodies
from spectral.domains.traces.ingestion.chunks import raw_spans
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.requests import Rejections, decode_protobuf
from tests.domains.traces.otlp_samples import MAPPER, make_request, prepare_request

IDS = ("traceId", "spanId", "parentSpanId")

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
uint32 = st.integers(0, 2**32 - 1)
# What conventions look at, so that the mapping is not idle.
keys = st.one_of(
    texts,
    st.sampled_from(
        [
            "gen_ai.operation.name",
            "gen_ai.request.model",
            "gen_ai.usage.input_tokens",
            "gen_ai.input.messages",
            "gen_ai.completion",
            "llm.token_count.prompt",
            "openinference.span.kind",
            "spectral.tags",
            "spectral.agent.id",
            "session.id",
            "error.type",
        ]
    ),
)


def pairs_of(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[list[KeyValue]]:
    return st.lists(st.builds(lambda key, value: KeyValue(key=key, value=value), keys, values), max_size=4)


def containers(values: st.SearchStrategy[AnyValue]) -> st.SearchStrategy[AnyValue]:
    def array(items: list[AnyValue]) -> AnyValue:
        value = AnyValue()
        value.array_value.SetInParent()
        value.array_value.values.extend(items)
        return value

    def mapping(items: list[KeyValue]) -> AnyValue:
        value = AnyValue()
        value.kvlist_value.SetInParent()
        value.kvlist_value.values.extend(items)
        return value

    return st.one_of(st.lists(values, max_size=3).map(array), pairs_of(values).map(mapping))


any_values = st.recursive(
    st.one_of(
        st.just(AnyValue()),
        texts.map(lambda value: AnyValue(string_value=value)),
        st.booleans().map(lambda value: AnyValue(bool_value=value)),
        st.integers(-(2**63), 2**63 - 1).map(lambda value: AnyValue(int_value=value)),
        st.floats(allow_nan=False).map(lambda value: AnyValue(double_value=value)),
        st.binary(max_size=8).map(lambda value: AnyValue(bytes_value=value)),
    ),
    containers,
    max_leaves=6,
)
attributes = pairs_of(any_values)
times = st.integers(1, 2**63 - 1)


@st.composite
def spans(draw: st.DrawFn) -> Span:
    start, end = sorted((draw(times), draw(times)))
    span = Span(
        trace_id=draw(st.binary(min_size=16, max_size=16).filter(any)),
        span_id=draw(st.binary(min_size=8, max_size=8).filter(any)),
        parent_span_id=draw(st.sampled_from([b"", bytes(8), b"\xff\x00parent"[:8]])),
        trace_state=draw(texts),
        flags=draw(uint32),
        name=draw(texts),
        kind=draw(st.integers(0, 9)),  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        attributes=draw(attributes),
        dropped_attributes_count=draw(uint32),
        dropped_events_count=draw(uint32),
        dropped_links_count=draw(uint32),
    )
    for _ in range(draw(st.integers(0, 2))):
        span.events.add(
            time_unix_nano=draw(st.integers(0, 2**64 - 1)),
            name=draw(st.one_of(texts, st.sampled_from(["exception", "gen_ai.user.message", "gen_ai.choice"]))),
            attributes=draw(attributes),
            dropped_attributes_count=draw(uint32),
        )
    for _ in range(draw(st.integers(0, 1))):
        span.links.add(
            trace_id=draw(st.binary(max_size=20)),
            span_id=draw(st.binary(max_size=10)),
            trace_state=draw(texts),
            flags=draw(uint32),
            attributes=draw(attributes),
        )
    if draw(st.booleans()):
        span.status.message = draw(texts)
        span.status.code = draw(st.integers(0, 4))  # type: ignore[assignment]
    return span


def otlp_json(message: Any) -> Any:
    """The standard JSON mapping of protobuf, with ids as OTLP wants them."""

    def with_ids(value: Any) -> Any:
        if isinstance(value, list):
            return [with_ids(item) for item in value]
        if isinstance(value, dict):
            return {
                key: base64.b64decode(item).hex() if key in IDS and isinstance(item, str) else with_ids(item)
                for key, item in value.items()
            }
        return value

    return with_ids(MessageToDict(message, use_integers_for_enums=True))


def stored(request: ExportTraceServiceRequest) -> Any:
    """What the database is given for the spans of a request."""
    batch = prepare_request(request)
    return [(trace_id, trace.rows, trace.chunk, trace.rollup.row()) for trace_id, trace in sorted(batch.traces.items())]


@settings(max_examples=60)
@given(st.lists(spans(), min_size=1, max_size=3))
def test_json_and_protobuf_are_stored_alike_and_read_again(given_spans: list[Span]) -> None:
    request = make_request(*given_spans)
    rejections = Rejections()
    from_json = decode_json(json.dumps(otlp_json(request)).encode(), rejections)
    from_protobuf = decode_protobuf(request.SerializeToString(), rejections)
    assert not rejections.count
    assert from_json == from_protobuf
    written = stored(from_json)
    assert written == stored(from_protobuf)
    for _, rows, chunk, _ in written:
        assert len(raw_spans(chunk.payload, chunk.codec)) == chunk.span_count
        bodies = span_bodies([(chunk.payload, chunk.codec)], frozenset(rows), MAPPER)
        assert bodies.keys() == rows.keys()
