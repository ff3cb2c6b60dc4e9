"""Export requests for spans in OTLP/JSON → the same messages as protobuf.

Spans stay encoded until they are read one by one, so one that cannot be read costs only itself, and what this version
does not know costs nothing. Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding".
"""

from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from spectral.domains.traces.otlp.json_values import (
    ABSENT,
    ATTRIBUTE_LEVEL,
    UINT32,
    UINT64,
    BadValueError,
    decode_document,
    decode_message,
    enum,
    given,
    hexadecimal,
    integer,
    list_of,
    mapping,
    read_attributes,
    read_resource,
    read_scope,
    string,
)
from spectral.domains.traces.otlp.requests import SPANS, Rejections, bound_lists, bound_request

_SPAN_KINDS = {name: int(number) for name, number in Span.SpanKind.items()}
_STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


class _ScopeSpans(msgspec.Struct, rename="camel"):
    scope: msgspec.Raw = ABSENT
    spans: list[msgspec.Raw] | None = None
    schema_url: str | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: msgspec.Raw = ABSENT
    scope_spans: list[_ScopeSpans] | None = None
    schema_url: str | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_DECODER = msgspec.json.Decoder(_Request)


def decode_json(body: bytes, rejections: Rejections) -> ExportTraceServiceRequest:
    """The export request. A span that cannot be read is rejected, not its neighbours.

    Raises MalformedOtlpError when the body is not JSON or its outer structure is not that of an export request.
    """
    request = ExportTraceServiceRequest()
    document = decode_document(_DECODER, body)
    spans = (scope.spans for source in document.resource_spans or () for scope in source.scope_spans or ())
    bound_lists(spans, rejections, SPANS)
    for resource_spans in document.resource_spans or ():
        _resource_spans(resource_spans, request.resource_spans.add(), rejections)
    bound_request(request, len(body), rejections)
    return request


def decode_span(document: dict[str, Any]) -> Span:
    """One span. Raises BadValueError."""
    span = Span()
    _span(document, span)
    return span


def _resource_spans(source: _ResourceSpans, target: ResourceSpans, rejections: Rejections) -> None:
    scopes = source.scope_spans or []
    try:
        if given(source.resource):
            read_resource(decode_message(source.resource, "resource"), target.resource)
    except BadValueError as error:
        for scope in scopes:
            rejections.add("malformed_resource", str(error), len(scope.spans or ()))
        return
    target.schema_url = source.schema_url or ""
    for scope in scopes:
        _scope_spans(scope, target.scope_spans.add(), rejections)


def _scope_spans(source: _ScopeSpans, target: ScopeSpans, rejections: Rejections) -> None:
    spans = source.spans or []
    try:
        if given(source.scope):
            read_scope(decode_message(source.scope, "scope"), target.scope)
    except BadValueError as error:
        rejections.add("malformed_resource", str(error), len(spans))
        return
    target.schema_url = source.schema_url or ""
    for raw in spans:
        try:
            target.spans.append(decode_span(decode_message(raw, "span")))
        except BadValueError as error:
            rejections.add("malformed_span", str(error))


def _span(source: dict[str, Any], target: Span) -> None:
    target.trace_id = hexadecimal(source, "traceId")
    target.span_id = hexadecimal(source, "spanId")
    target.parent_span_id = hexadecimal(source, "parentSpanId")
    target.trace_state = string(source, "traceState")
    target.flags = integer(source, "flags", UINT32)
    target.name = string(source, "name")
    target.kind = enum(source, "kind", _SPAN_KINDS)  # type: ignore[assignment]
    target.start_time_unix_nano = integer(source, "startTimeUnixNano", UINT64)
    target.end_time_unix_nano = integer(source, "endTimeUnixNano", UINT64)
    read_attributes(source, target.attributes, ATTRIBUTE_LEVEL)
    target.dropped_attributes_count = integer(source, "droppedAttributesCount", UINT32)
    for event in list_of(source, "events"):
        found, added = mapping(event, "event"), target.events.add()
        added.time_unix_nano = integer(found, "timeUnixNano", UINT64)
        added.name = string(found, "name")
        read_attributes(found, added.attributes, ATTRIBUTE_LEVEL + 1)
        added.dropped_attributes_count = integer(found, "droppedAttributesCount", UINT32)
    target.dropped_events_count = integer(source, "droppedEventsCount", UINT32)
    for link in list_of(source, "links"):
        found, linked = mapping(link, "link"), target.links.add()
        linked.trace_id = hexadecimal(found, "traceId")
        linked.span_id = hexadecimal(found, "spanId")
        linked.trace_state = string(found, "traceState")
        linked.flags = integer(found, "flags", UINT32)
        read_attributes(found, linked.attributes, ATTRIBUTE_LEVEL + 1)
        linked.dropped_attributes_count = integer(found, "droppedAttributesCount", UINT32)
    target.dropped_links_count = integer(source, "droppedLinksCount", UINT32)
    status = source.get("status")
    if status is not None:
        found = mapping(status, "status")
        target.status.SetInParent()
        target.status.message = string(found, "message")
        target.status.code = enum(found, "code", _STATUS_CODES)  # type: ignore[assignment]
