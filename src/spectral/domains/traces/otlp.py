"""OTLP/HTTP: content types, export requests in protobuf and JSON, and which of their spans are valid.

Source: OpenTelemetry protocol specification 1.10, "OTLP/HTTP".
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from spectral.domains.traces.errors import MalformedOtlpError
from spectral.platform.shared.errors import UnsupportedMediaTypeError

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

MAXIMUM_TIME = 2**63 - 1

TRACE_ID_BYTES = 16
SPAN_ID_BYTES = 8

REASONS = {
    "invalid_trace_id": "trace_id must be 16 bytes that are not all zero",
    "invalid_span_id": "span_id must be 8 bytes that are not all zero",
    "invalid_parent_span_id": "parent_span_id must be empty or 8 bytes",
    "missing_time": "start_time_unix_nano and end_time_unix_nano must be given and below 2^63",
    "negative_duration": "end_time_unix_nano must not be before start_time_unix_nano",
    "malformed_span": "the span cannot be read",
}
"""Why a span is rejected: the reason as it is counted, and as its sender is told."""


@dataclass(slots=True)
class Rejections:
    """Spans of one request that were not taken, by reason."""

    reasons: Counter[str] = field(default_factory=Counter)
    first: str = ""

    def add(self, reason: str, detail: str = "") -> None:
        """Count one span; `detail` says what exactly was wrong with it."""
        if not self.reasons:
            self.first = detail
        self.reasons[reason] += 1

    @property
    def count(self) -> int:
        return self.reasons.total()

    @property
    def message(self) -> str:
        """What the sender is told; empty when nothing was rejected."""
        listed = "; ".join(f"{count} × {REASONS[reason]}" for reason, count in sorted(self.reasons.items()))
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


def decode_protobuf(body: bytes, rejections: Rejections) -> ExportTraceServiceRequest:
    """The export request. Spans that alone cannot be read (text that is not UTF-8) are rejected, not their neighbours.

    Raises MalformedOtlpError when the body is not an export request at all.
    """
    try:
        return ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        return _salvage(body, rejections)


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


def _salvage(body: bytes, rejections: Rejections) -> ExportTraceServiceRequest:
    """Read a request that does not parse as a whole, span by span."""
    request = ExportTraceServiceRequest()
    try:
        for number, payload in _fields(body):
            if number == 1:
                _salvage_resource(payload, request.resource_spans.add(), rejections)
    except (DecodeError, ValueError) as error:
        raise MalformedOtlpError("The body is not an ExportTraceServiceRequest in protobuf") from error
    return request


def _salvage_resource(payload: bytes, target: ResourceSpans, rejections: Rejections) -> None:
    for number, part in _fields(payload):
        if number == 1:
            target.resource.MergeFromString(part)
        elif number == 2:
            scope = target.scope_spans.add()
            for inner, piece in _fields(part):
                if inner == 1:
                    scope.scope.MergeFromString(piece)
                elif inner == 2:
                    try:
                        scope.spans.append(Span.FromString(piece))
                    except DecodeError:
                        rejections.add("malformed_span", "not valid protobuf, or text that is not UTF-8")
                elif inner == 3:
                    scope.schema_url = piece.decode("utf-8", "replace")
        elif number == 3:
            target.schema_url = part.decode("utf-8", "replace")


def _fields(data: bytes) -> Iterator[tuple[int, bytes]]:
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
