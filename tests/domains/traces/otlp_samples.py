"""Export requests for tests, in protobuf and in JSON."""

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.batch import PreparedBatch, prepare
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.requests import Rejections
from spectral.domains.traces.vocabulary import MappedSpan

SECOND = 10**9
START = 1_763_726_400 * SECOND
TRACE_ID = bytes.fromhex("5b8efff798038103d269b633813fc60c")
SPAN_ID = bytes.fromhex("eee19b7ec3c1b174")
PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}

MAPPER = SpanMapper()


def any_value(value: Any) -> AnyValue:
    found = AnyValue()
    if isinstance(value, bool):
        found.bool_value = value
    elif isinstance(value, int):
        found.int_value = value
    elif isinstance(value, float):
        found.double_value = value
    elif isinstance(value, bytes):
        found.bytes_value = value
    elif isinstance(value, list):
        found.array_value.SetInParent()
        found.array_value.values.extend(any_value(item) for item in value)
    elif isinstance(value, dict):
        found.kvlist_value.SetInParent()
        found.kvlist_value.values.extend(pairs(value))
    elif value is not None:
        found.string_value = value
    return found


def pairs(attributes: dict[str, Any]) -> list[KeyValue]:
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def make_span(
    trace_id: bytes = TRACE_ID,
    span_id: bytes = SPAN_ID,
    *,
    parent: bytes = b"",
    name: str = "chat small",
    start: int = START,
    end: int = START + SECOND,
    status: int = 0,
    **attributes: Any,
) -> Span:
    """A span; attributes are given as `gen_ai__usage__input_tokens=3` or in `attributes`."""
    given = attributes.pop("attributes", {}) | {key.replace("__", "."): value for key, value in attributes.items()}
    span = Span(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        name=name,
        start_time_unix_nano=start,
        end_time_unix_nano=end,
        attributes=pairs(given),
    )
    span.status.code = status  # type: ignore[assignment]
    return span


def make_request(*spans: Span, resource: dict[str, Any] | None = None) -> ExportTraceServiceRequest:
    """An export request of one resource and one scope."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(pairs({"service.name": "shop"} if resource is None else resource))
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "tests"
    scope_spans.spans.extend(spans)
    return request


def make_batch(*spans: Span, resource: dict[str, Any] | None = None) -> PreparedBatch:
    return prepare_request(make_request(*spans, resource=resource))


def prepare_request(request: ExportTraceServiceRequest) -> PreparedBatch:
    return prepare(request, Rejections(), MAPPER)


def map_span(span: Span, resource: dict[str, Any] | None = None) -> MappedSpan:
    """The span as the mapping reads it."""
    request = make_request(span, resource=resource)
    source = MAPPER.source(request.resource_spans[0].resource, request.resource_spans[0].scope_spans[0].scope)
    return MAPPER.map(span, span.SerializeToString(), source)


def json_request(*spans: dict[str, Any]) -> bytes:
    """An OTLP/JSON body of one resource and one scope."""
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]}
    scope_spans = {"scope": {"name": "tests"}, "spans": list(spans)}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [scope_spans]}]}).encode()


def json_span(**members: Any) -> dict[str, Any]:
    """A valid span in OTLP/JSON; members replace or add."""
    return {
        "traceId": TRACE_ID.hex().upper(),
        "spanId": SPAN_ID.hex(),
        "name": "chat small",
        "kind": 3,
        "startTimeUnixNano": str(START),
        "endTimeUnixNano": START + SECOND,
    } | members
