"""OTLP/JSON → the same messages as protobuf.

Not the standard protobuf JSON mapping: trace and span ids are hexadecimal, enums are integers, unknown fields are
ignored. Source: OpenTelemetry protocol specification, "JSON Protobuf Encoding".
"""

import base64
import binascii
import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.domains.traces.otlp import Rejections

MAXIMUM_DEPTH = 40
"""Of nested attribute values. Each costs two levels of messages, and protobuf readers stop at 100."""

_UINT32 = 2**32 - 1
_UINT64 = 2**64 - 1
_INT64 = 2**63

_SPAN_KINDS = {name: int(number) for name, number in Span.SpanKind.items()}
_STATUS_CODES = {"STATUS_CODE_UNSET": 0, "STATUS_CODE_OK": 1, "STATUS_CODE_ERROR": 2}


class _BadValueError(ValueError):
    """Something inside one span has the wrong form; its text names the place."""


def decode_json(body: bytes, rejections: Rejections) -> ExportTraceServiceRequest:
    """The export request. A span that cannot be read is rejected, not its neighbours.

    Raises MalformedOtlpError when the body is not JSON or its outer structure is not that of an export request.
    """
    document = _parsed(body)
    request = ExportTraceServiceRequest()
    for resource_spans in _members(_object(document, "the body"), "resourceSpans"):
        _resource_spans(resource_spans, request.resource_spans.add(), rejections)
    return request


def _parsed(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        pass
    try:
        # Slower, and more patient: JavaScript writes half a surrogate pair where a string was cut in the middle of one.
        return json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise MalformedOtlpError("The body is not valid JSON") from error


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _resource_spans(source: dict[str, Any], target: ResourceSpans, rejections: Rejections) -> None:
    try:
        resource = source.get("resource")
        if resource is not None:
            target.resource.SetInParent()
            _attributes(_mapping(resource, "resource"), target.resource.attributes)
            target.resource.dropped_attributes_count = _integer(resource, "droppedAttributesCount", _UINT32)
        target.schema_url = _string(source, "schemaUrl")
    except _BadValueError as error:
        raise MalformedOtlpError(f"resourceSpans: {error}") from error
    for scope_spans in _members(source, "scopeSpans"):
        _scope_spans(scope_spans, target.scope_spans.add(), rejections)


def _scope_spans(source: dict[str, Any], target: ScopeSpans, rejections: Rejections) -> None:
    try:
        scope = source.get("scope")
        if scope is not None:
            target.scope.SetInParent()
            _scope(_mapping(scope, "scope"), target.scope)
        target.schema_url = _string(source, "schemaUrl")
        spans = _list(source, "spans")
    except _BadValueError as error:
        raise MalformedOtlpError(f"scopeSpans: {error}") from error
    for span in spans:
        built = Span()
        try:
            _span(_mapping(span, "span"), built)
        except _BadValueError as error:
            rejections.add("malformed_span", str(error))
        else:
            target.spans.append(built)


def _scope(source: dict[str, Any], target: InstrumentationScope) -> None:
    target.name = _string(source, "name")
    target.version = _string(source, "version")
    _attributes(source, target.attributes)
    target.dropped_attributes_count = _integer(source, "droppedAttributesCount", _UINT32)


def _span(source: dict[str, Any], target: Span) -> None:
    target.trace_id = _hex(source, "traceId")
    target.span_id = _hex(source, "spanId")
    target.parent_span_id = _hex(source, "parentSpanId")
    target.trace_state = _string(source, "traceState")
    target.flags = _integer(source, "flags", _UINT32)
    target.name = _string(source, "name")
    kind = _enum(source, "kind", _SPAN_KINDS)
    target.kind = kind if kind in _SPAN_KINDS.values() else 0  # type: ignore[assignment]
    target.start_time_unix_nano = _integer(source, "startTimeUnixNano", _UINT64)
    target.end_time_unix_nano = _integer(source, "endTimeUnixNano", _UINT64)
    _attributes(source, target.attributes)
    target.dropped_attributes_count = _integer(source, "droppedAttributesCount", _UINT32)
    for event in _list(source, "events"):
        found = _mapping(event, "event")
        added = target.events.add()
        added.time_unix_nano = _integer(found, "timeUnixNano", _UINT64)
        added.name = _string(found, "name")
        _attributes(found, added.attributes)
        added.dropped_attributes_count = _integer(found, "droppedAttributesCount", _UINT32)
    target.dropped_events_count = _integer(source, "droppedEventsCount", _UINT32)
    for link in _list(source, "links"):
        found = _mapping(link, "link")
        linked = target.links.add()
        linked.trace_id = _hex(found, "traceId")
        linked.span_id = _hex(found, "spanId")
        linked.trace_state = _string(found, "traceState")
        linked.flags = _integer(found, "flags", _UINT32)
        _attributes(found, linked.attributes)
        linked.dropped_attributes_count = _integer(found, "droppedAttributesCount", _UINT32)
    target.dropped_links_count = _integer(source, "droppedLinksCount", _UINT32)
    status = source.get("status")
    if status is not None:
        found = _mapping(status, "status")
        target.status.SetInParent()
        target.status.message = _string(found, "message")
        code = _enum(found, "code", _STATUS_CODES)
        target.status.code = code if code in {0, 1, 2} else 0  # type: ignore[assignment]


def _attributes(source: dict[str, Any], target: Any) -> None:
    for pair in _list(source, "attributes"):
        _pair(_mapping(pair, "attribute"), target.add(), 0)


def _pair(source: dict[str, Any], target: KeyValue, depth: int) -> None:
    target.key = _string(source, "key")
    value = source.get("value")
    if value is not None:
        target.value.SetInParent()
        _value(_mapping(value, "attribute value"), target.value, depth)


def _value(source: dict[str, Any], target: AnyValue, depth: int) -> None:
    if depth > MAXIMUM_DEPTH:
        raise _BadValueError(f"attribute values are nested deeper than {MAXIMUM_DEPTH}")
    for form, found in source.items():
        if found is None:
            continue
        if form in _SCALARS:
            field, read = _SCALARS[form]
            setattr(target, field, read(source, form))
        elif form == "arrayValue":
            target.array_value.SetInParent()
            for item in _list(_mapping(found, form), "values"):
                _value(_mapping(item, form), target.array_value.values.add(), depth + 1)
        elif form == "kvlistValue":
            target.kvlist_value.SetInParent()
            for item in _list(_mapping(found, form), "values"):
                _pair(_mapping(item, form), target.kvlist_value.values.add(), depth + 1)
        else:
            continue
        return


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedOtlpError(f"{what} must be a JSON object")
    return value


def _members(source: dict[str, Any], key: str) -> Iterable[dict[str, Any]]:
    try:
        return [_object(item, f"every member of {key}") for item in _list(source, key)]
    except _BadValueError as error:
        raise MalformedOtlpError(str(error)) from error


def _mapping(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _BadValueError(f"{what} must be an object")
    return value


def _list(source: dict[str, Any], key: str) -> list[Any]:
    value = source.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _BadValueError(f"{key} must be a list")
    return value


def _string(source: dict[str, Any], key: str) -> str:
    value = source.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _BadValueError(f"{key} must be a string")
    if value.isascii():
        return value
    # JSON can spell half a surrogate pair; protobuf text cannot hold it.
    return value.encode("utf-8", "replace").decode("utf-8")


def _hex(source: dict[str, Any], key: str) -> bytes:
    value = source.get(key)
    if value is None:
        return b""
    if not isinstance(value, str):
        raise _BadValueError(f"{key} must be a hexadecimal string")
    try:
        return bytes.fromhex(value)
    except ValueError as error:
        raise _BadValueError(f"{key} must be a hexadecimal string") from error


def _integer(source: dict[str, Any], key: str, maximum: int, *, minimum: int = 0) -> int:
    value = source.get(key)
    if value is None:
        return 0
    if isinstance(value, str):
        digits = value.removeprefix("-")
        if not (digits.isascii() and digits.isdigit() and len(digits) <= 20):
            raise _BadValueError(f"{key} must be an integer")
        value = int(value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _BadValueError(f"{key} must be an integer")
    if not minimum <= value <= maximum:
        raise _BadValueError(f"{key} must be between {minimum} and {maximum}")
    return value


def _enum(source: dict[str, Any], key: str, names: dict[str, int]) -> int:
    value = source.get(key)
    if isinstance(value, str) and value in names:
        # The specification forbids names; exporters that use the standard JSON mapping send them all the same.
        return names[value]
    return _integer(source, key, 2**31 - 1, minimum=-(2**31))


def _boolean(source: dict[str, Any], key: str) -> bool:
    value = source[key]
    if not isinstance(value, bool):
        raise _BadValueError(f"{key} must be true or false")
    return value


def _int64(source: dict[str, Any], key: str) -> int:
    return _integer(source, key, _INT64 - 1, minimum=-_INT64)


def _double(source: dict[str, Any], key: str) -> float:
    value = source[key]
    if isinstance(value, str) and value in {"NaN", "Infinity", "-Infinity"}:
        return float(value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError as error:
            raise _BadValueError("doubleValue must be a number") from error
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _BadValueError("doubleValue must be a number")
    try:
        return float(value)
    except OverflowError as error:
        raise _BadValueError("doubleValue must be a number of 64 bits") from error


def _base64(source: dict[str, Any], key: str) -> bytes:
    value = source[key]
    if not isinstance(value, str):
        raise _BadValueError("bytesValue must be base64")
    try:
        return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise _BadValueError("bytesValue must be base64") from error


_SCALARS: dict[str, tuple[str, Callable[[dict[str, Any], str], Any]]] = {
    "stringValue": ("string_value", _string),
    "boolValue": ("bool_value", _boolean),
    "intValue": ("int_value", _int64),
    "doubleValue": ("double_value", _double),
    "bytesValue": ("bytes_value", _base64),
}
"""Forms of `AnyValue` → the field of the message, and what reads it."""
