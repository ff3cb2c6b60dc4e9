"""The spans of a trace as one export request in OTLP/JSON: what any receiver of OTLP takes, ours included.

Ids are hexadecimal, 64-bit integers text, enums numbers; what has its default value is left out, as protobuf does.
Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding".
"""

import base64
import math
from collections.abc import Iterable
from typing import Any

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from spectral.domains.traces.ingestion.chunks import RawSpan, winners
from spectral.domains.traces.mapping import SpanMapper

_ENCODER = msgspec.json.Encoder()


def trace_line(chunks: Iterable[tuple[bytes, int]], mapper: SpanMapper) -> bytes:
    """One line of JSON with the spans of a trace, of copies the one that counts, from its chunks (payload, codec)."""
    return _ENCODER.encode(_request(raw for _, raw in winners(chunks, mapper).values())) + b"\n"


def _request(spans: Iterable[RawSpan]) -> dict[str, Any]:
    resources: dict[Any, dict[str, Any]] = {}
    scopes: dict[Any, dict[str, Any]] = {}
    for raw in spans:
        of_resource = (_encoded(raw.resource), raw.resource_schema_url)
        of_scope = (of_resource, _encoded(raw.scope), raw.scope_schema_url)
        if of_scope not in scopes:
            if of_resource not in resources:
                resources[of_resource] = _resource_spans(raw)
            scopes[of_scope] = _scope_spans(raw)
            resources[of_resource]["scopeSpans"].append(scopes[of_scope])
        scopes[of_scope]["spans"].append(_span(raw.span))
    return {"resourceSpans": list(resources.values())}


def _encoded(message: Resource | InstrumentationScope | None) -> bytes | None:
    return None if message is None else message.SerializeToString()


def _resource_spans(raw: RawSpan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if raw.resource is not None:
        found["resource"] = _dropping(_pairs(raw.resource.attributes), raw.resource.dropped_attributes_count)
    found["scopeSpans"] = []
    if raw.resource_schema_url:
        found["schemaUrl"] = raw.resource_schema_url
    return found


def _scope_spans(raw: RawSpan) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if raw.scope is not None:
        named = {"name": raw.scope.name, "version": raw.scope.version}
        rest = _dropping(_pairs(raw.scope.attributes), raw.scope.dropped_attributes_count)
        found["scope"] = {key: value for key, value in named.items() if value} | rest
    found["spans"] = []
    if raw.scope_schema_url:
        found["schemaUrl"] = raw.scope_schema_url
    return found


def _span(span: Span) -> dict[str, Any]:
    found: dict[str, Any] = {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex()}
    if span.trace_state:
        found["traceState"] = span.trace_state
    if span.parent_span_id:
        found["parentSpanId"] = span.parent_span_id.hex()
    if span.flags:
        found["flags"] = span.flags
    found["name"] = span.name
    if span.kind:
        found["kind"] = span.kind
    found["startTimeUnixNano"] = str(span.start_time_unix_nano)
    found["endTimeUnixNano"] = str(span.end_time_unix_nano)
    found |= _dropping(_pairs(span.attributes), span.dropped_attributes_count)
    if span.events:
        found["events"] = [_event(event) for event in span.events]
    if span.dropped_events_count:
        found["droppedEventsCount"] = span.dropped_events_count
    if span.links:
        found["links"] = [_link(link) for link in span.links]
    if span.dropped_links_count:
        found["droppedLinksCount"] = span.dropped_links_count
    if span.HasField("status"):
        status: dict[str, Any] = {"message": span.status.message} if span.status.message else {}
        found["status"] = status | ({"code": span.status.code} if span.status.code else {})
    return found


def _event(event: Span.Event) -> dict[str, Any]:
    found: dict[str, Any] = {"timeUnixNano": str(event.time_unix_nano)} if event.time_unix_nano else {}
    found["name"] = event.name
    return found | _dropping(_pairs(event.attributes), event.dropped_attributes_count)


def _link(link: Span.Link) -> dict[str, Any]:
    found: dict[str, Any] = {"traceId": link.trace_id.hex(), "spanId": link.span_id.hex()}
    if link.trace_state:
        found["traceState"] = link.trace_state
    found |= _dropping(_pairs(link.attributes), link.dropped_attributes_count)
    return found | ({"flags": link.flags} if link.flags else {})


def _dropping(attributes: list[dict[str, Any]], dropped: int) -> dict[str, Any]:
    found: dict[str, Any] = {"attributes": attributes} if attributes else {}
    return found | ({"droppedAttributesCount": dropped} if dropped else {})


def _pairs(pairs: Iterable[KeyValue]) -> list[dict[str, Any]]:
    return [
        {"key": pair.key, "value": _value(pair.value)} if pair.HasField("value") else {"key": pair.key}
        for pair in pairs
    ]


def _value(value: AnyValue) -> dict[str, Any]:
    form = value.WhichOneof("value")
    if form == "string_value":
        return {"stringValue": value.string_value}
    if form == "int_value":
        return {"intValue": str(value.int_value)}
    if form == "bool_value":
        return {"boolValue": value.bool_value}
    if form == "double_value":
        return {"doubleValue": _double(value.double_value)}
    if form == "array_value":
        return {"arrayValue": {"values": [_value(item) for item in value.array_value.values]}}
    if form == "kvlist_value":
        return {"kvlistValue": {"values": _pairs(value.kvlist_value.values)}}
    if form == "bytes_value":
        return {"bytesValue": base64.b64encode(value.bytes_value).decode("ascii")}
    return {}


def _double(value: float) -> float | str:
    """JSON has no name for what is no number."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
