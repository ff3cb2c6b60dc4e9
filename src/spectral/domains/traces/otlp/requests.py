"""OTLP/HTTP: content types, export requests in protobuf, what of them is too much, and which spans are valid.

Source: OpenTelemetry protocol specification 1.10, "OTLP/HTTP".
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from google.protobuf import descriptor_pool
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.platform.shared.errors import PayloadTooLargeError, UnsupportedMediaTypeError

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

MAXIMUM_TIME = 2**63 - 1

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8

MAXIMUM_SPANS = 100_000
"""In one request; a span is a row in memory, which costs far more than the few bytes that an empty one takes."""

MAXIMUM_SPAN_BYTES = 16 * 1024 * 1024
"""Of one encoded span, or log record."""

MAXIMUM_RESOURCE_BYTES = 1024 * 1024
"""Of a resource and a scope together, encoded."""

MAXIMUM_REPEATED_BYTES = 64 * 1024 * 1024
"""Resource and scope are stored with every trace of a request: how much that may come to."""

LARGE_BYTES = 2 * 1024 * 1024
MAXIMUM_PARTS = 1_000_000
"""Messages in one large request. An empty one takes two bytes, which compress to nothing, and more than a hundred bytes
once it is read; small requests cannot have that many.
"""

OTHER_LOG = "not_a_content_event"

REASONS = {
    "invalid_trace_id": "trace_id must be 16 bytes that are not all zero",
    "invalid_span_id": "span_id must be 8 bytes that are not all zero",
    "invalid_parent_span_id": "parent_span_id must be empty or 8 bytes",
    "missing_time": "start_time_unix_nano and end_time_unix_nano must be given and below 2^63",
    "negative_duration": "end_time_unix_nano must not be before start_time_unix_nano",
    "malformed_span": "the span cannot be read",
    "malformed_resource": "the resource or the scope cannot be read",
    "span_too_large": f"a span must not have more than {MAXIMUM_SPAN_BYTES >> 20} MiB",
    "too_many_spans": f"a request must not have more than {MAXIMUM_SPANS} spans",
    "resource_too_large": (
        f"resource and scope must not have more than {MAXIMUM_RESOURCE_BYTES >> 10} KiB, "
        f"nor {MAXIMUM_REPEATED_BYTES >> 20} MiB in all the traces of a request"
    ),
    "older_than_retention": "the workspace does not keep spans that long",
    OTHER_LOG: "only log records that are GenAI content events are stored, joined to their span",
    "event_without_span": "a content event must have the trace_id and span_id of its span",
    "event_without_time": "time_unix_nano or observed_time_unix_nano must be given and below 2^63",
    "malformed_log_record": "the log record cannot be read",
    "log_record_too_large": f"a log record must not have more than {MAXIMUM_SPAN_BYTES >> 20} MiB",
    "too_many_log_records": f"a request must not have more than {MAXIMUM_SPANS} log records",
    "metrics_not_stored": "metrics are not stored here; send them elsewhere, or set OTEL_METRICS_EXPORTER=none",
}
"""Why a span, log record or data point is rejected: as it is counted, and as its sender is told."""


@dataclass(slots=True)
class Rejections:
    """What of one request was not taken, by reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def add(self, reason: str, detail: str = "", count: int = 1) -> None:
        """Count spans; `detail` says what exactly was wrong with the first of them."""
        if not count:
            return
        if not self.reasons:
            self.first = detail
        self.reasons[reason] += count

    @property
    def count(self) -> int:
        return self.reasons.total()

    @property
    def message(self) -> str:
        """What the sender is told; empty when nothing was rejected."""
        listed = "; ".join(f"{count} × {REASONS.get(reason, reason)}" for reason, count in sorted(self.reasons.items()))
        return f"{listed} ({self.first})" if self.first else listed


def content_type_of(header: str | None) -> str:
    """The one of the two OTLP content types that a header names. Raises UnsupportedMediaTypeError (415)."""
    known = otlp_content_type(header)
    if known is None:
        raise UnsupportedMediaTypeError(f"Content-Type must be {PROTOBUF} or {JSON}")
    return known


def otlp_content_type(header: str | None) -> str | None:
    """The OTLP content type that a header names, or None."""
    name = (header or "").partition(";")[0].strip().lower()
    if name in {PROTOBUF, "application/protobuf"}:
        return PROTOBUF
    return JSON if name == JSON else None


class Signal(NamedTuple):
    """What the requests of two signals are made of; their messages have the same shape and the same field numbers."""

    request: type[Message]
    resources: str
    scopes: str
    items: str
    item: str

    def parts(self, request: Any) -> Iterator[tuple[Resource, InstrumentationScope, Any]]:
        """Resource, scope and items of each scope of a request; the items may be taken out."""
        for of_resource in getattr(request, self.resources):
            for of_scope in getattr(of_resource, self.scopes):
                yield of_resource.resource, of_scope.scope, getattr(of_scope, self.items)


SPANS = Signal(ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans", "span")
LOG_RECORDS = Signal(ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records", "log_record")


def decode_protobuf(body: bytes, rejections: Rejections) -> ExportTraceServiceRequest:
    """The export request. Spans that alone cannot be read (text that is not UTF-8) are rejected, not their neighbours.

    Raises MalformedOtlpError when the body is not an export request at all.
    """
    request: ExportTraceServiceRequest = decode_signal(body, rejections, SPANS)
    return request


def decode_signal(body: bytes, rejections: Rejections, signal: Signal) -> Any:
    """As `decode_protobuf`, for any signal. Raises PayloadTooLargeError too (413), for too many messages."""
    if len(body) > LARGE_BYTES:
        _require_few_parts(body, signal)
    try:
        request = signal.request.FromString(body)
    except DecodeError:
        request = _salvage(body, rejections, signal)
    bound_request(request, len(body), rejections, signal)
    return request


def _require_few_parts(body: bytes, signal: Signal) -> None:
    """Count the messages of a request before they are read: to the spans, and where they may be tiny to the last."""
    everything = body.count(0) > len(body) // 8
    left = MAXIMUM_PARTS
    waiting = [(body, signal.request.DESCRIPTOR.full_name, 3)]
    while waiting:
        data, name, depth = waiting.pop()
        nested = _nested(name)
        try:
            for number, part in fields_of(data):
                if (inner := nested.get(number)) is None:
                    continue
                left -= 1
                if left < 0:
                    raise too_many_parts()
                if depth > 1 or everything:
                    waiting.append((part, inner, depth - 1))
        except ValueError:
            # Whoever reads it says what is wrong with it.
            continue


def too_many_parts() -> PayloadTooLargeError:
    return PayloadTooLargeError(f"The body has more than {MAXIMUM_PARTS} messages")


@cache
def _nested(name: str) -> dict[int, str]:
    """Which fields of a message are messages, by number."""
    fields = descriptor_pool.Default().FindMessageTypeByName(name).fields
    return {field.number: field.message_type.full_name for field in fields if field.message_type is not None}


def bound_request(request: Any, size: int, rejections: Rejections, signal: Signal = SPANS) -> None:
    """Take out what is too much or too large. `size`: of the body, which no part of it exceeds."""
    taken = repeated = 0
    for resource, scope, items in signal.parts(request):
        surplus = taken + len(items) - MAXIMUM_SPANS
        if surplus > 0:
            del items[len(items) - surplus :]
            rejections.add(f"too_many_{signal.item}s", "", surplus)
        frame_bytes = resource.ByteSize() + scope.ByteSize()
        if repeated + frame_bytes * len(items) > MAXIMUM_REPEATED_BYTES:
            repeated += frame_bytes * len({item.trace_id for item in items})
        else:
            repeated += frame_bytes * len(items)
        if frame_bytes > MAXIMUM_RESOURCE_BYTES or repeated > MAXIMUM_REPEATED_BYTES:
            rejections.add("resource_too_large", f"{frame_bytes} bytes", len(items))
            del items[:]
        if size > MAXIMUM_SPAN_BYTES:
            _drop_large(items, rejections, signal)
        taken += len(items)


def bound_lists(lists: Iterable[list[Any] | None], rejections: Rejections, signal: Signal) -> None:
    """Take out what is too much of items that are not read yet."""
    left = MAXIMUM_SPANS
    for items in lists:
        if items:
            rejections.add(f"too_many_{signal.item}s", "", max(0, len(items) - left))
            del items[left:]
            left -= len(items)


def _drop_large(items: Any, rejections: Rejections, signal: Signal) -> None:
    for index in reversed(range(len(items))):
        if (size := items[index].ByteSize()) > MAXIMUM_SPAN_BYTES:
            rejections.add(f"{signal.item}_too_large", f"{size} bytes")
            del items[index]


def valid_spans(scope_spans: ScopeSpans, rejections: Rejections) -> Iterator[Span]:
    """The spans of a scope that can be stored; the others are counted."""
    for span in scope_spans.spans:
        reason = invalid_because(span)
        if reason is None:
            yield span
        else:
            rejections.add(reason, f"first: span {span.name[:64]!r}")


def invalid_because(span: Span) -> str | None:
    """The reason for which a span cannot be stored, or None."""
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != TRACE_ID_BYTES or not any(trace_id):
        return "invalid_trace_id"
    if len(span_id) != SPAN_ID_BYTES or not any(span_id):
        return "invalid_span_id"
    if len(span.parent_span_id) not in {0, SPAN_ID_BYTES}:
        return "invalid_parent_span_id"
    start, end = span.start_time_unix_nano, span.end_time_unix_nano
    if not 0 < start <= MAXIMUM_TIME or not 0 < end <= MAXIMUM_TIME:
        return "missing_time"
    return "negative_duration" if end < start else None


def _salvage(body: bytes, rejections: Rejections, signal: Signal) -> Any:
    """Read a request that does not parse as a whole, item by item."""
    request = signal.request()
    try:
        for number, payload in fields_of(body):
            if number == 1:
                _salvage_resource(payload, getattr(request, signal.resources).add(), rejections, signal)
    except ValueError as error:
        name = signal.request.DESCRIPTOR.name
        raise MalformedOtlpError(f"The body is not an {name} in protobuf") from error
    return request


def _salvage_resource(payload: bytes, target: Any, rejections: Rejections, signal: Signal) -> None:
    """Read what came from one resource; a resource that cannot be read costs its own items, and no others."""
    readable = True
    scopes = getattr(target, signal.scopes)
    for number, part in fields_of(payload):
        if number == 1:
            readable = readable and _merge(target, framed(1, part), signal)
        elif number == 2:
            if not _salvage_scope(part, scopes.add(), rejections, signal):
                _reject_scope(scopes.pop(), rejections, signal)
        elif number == 3:
            target.schema_url = part.decode("utf-8", "replace")
    if not readable:
        for scope in scopes:
            _reject_scope(scope, rejections, signal)
        target.Clear()


def _salvage_scope(payload: bytes, target: Any, rejections: Rejections, signal: Signal) -> bool:
    """Whether the scope itself can be read."""
    readable = True
    for number, part in fields_of(payload):
        if number == 1:
            readable = readable and _merge(target, framed(1, part), signal, of_scope=True)
        elif number == 2:
            if not _merge(target, framed(2, part), signal, of_scope=True):
                detail = "not valid protobuf, nested too deeply, or text that is not UTF-8"
                rejections.add(f"malformed_{signal.item}", detail)
        elif number == 3:
            target.schema_url = part.decode("utf-8", "replace")
    return readable


def _reject_scope(scope: Any, rejections: Rejections, signal: Signal) -> None:
    detail = "not valid protobuf, or text that is not UTF-8"
    rejections.add("malformed_resource", detail, len(getattr(scope, signal.items)))


def _merge(target: Any, part: bytes, signal: Signal, *, of_scope: bool = False) -> bool:
    """Add a part of what came from a resource, or a scope, to it; whether that is possible.

    Read as a part of a request: for itself it may be nested deeper, and nobody could read the request again.
    """
    whole = framed(1, framed(2, part) if of_scope else part)
    try:
        (read,) = getattr(signal.request.FromString(whole), signal.resources)
    except DecodeError:
        return False
    target.MergeFrom(getattr(read, signal.scopes)[0] if of_scope else read)
    return True


def fields_of(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of an encoded message; others are skipped. Raises ValueError on broken framing."""
    position, size = 0, len(data)
    while position < size:
        tag, position = _varint(data, position)
        wire_type = tag & 7
        if wire_type == 0:
            _, position = _varint(data, position)
        elif wire_type in {1, 5}:
            position += 8 if wire_type == 1 else 4
        elif wire_type == 2:
            length, position = _varint(data, position)
            if position + length > size:
                raise ValueError("a field is longer than the message")
            yield tag >> 3, data[position : position + length]
            position += length
        else:
            raise ValueError("an unknown wire type")
    if position != size:
        raise ValueError("a field is longer than the message")


def framed(number: int, payload: bytes) -> bytes:
    """A length-delimited field of an encoded message."""
    length = len(payload)
    prefix = bytearray((number << 3 | 2,))
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix) + payload


def _varint(data: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while position < len(data) and shift < 70:
        byte = data[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
    raise ValueError("a varint does not end")
