"""Compressed chunks of raw spans: the spans of one trace in one batch, with their resources and scopes.

A chunk is an OTLP `TracesData` message, compressed with zstd: self-describing, readable without this project. The
store may hold the same span in several chunks (a resend may be batched differently); readers keep one.
"""

import threading
from collections.abc import Container, Iterable, Mapping
from hashlib import blake2b
from typing import NamedTuple

import zstandard
from opentelemetry.proto.common.v1.common_pb2 import InstrumentationScope
from opentelemetry.proto.logs.v1.logs_pb2 import LogsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from spectral.domains.traces.ingestion.log_events import LogEvents, collect_events, joined
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.vocabulary import MappedSpan

CODEC_ZSTD_OTLP = 1
"""zstd of an OTLP `TracesData` message."""

CODEC_ZSTD_LOGS = 2
"""zstd of an OTLP `LogsData` message: log events that belong to spans of the trace."""

_LEVEL = 1
_SPAN_TAG = 2 << 3 | 2
_MAXIMUM_CHUNK_BYTES = 128 * 1024 * 1024

_local = threading.local()


class Chunk(NamedTuple):
    """A compressed chunk. `start_ns`: the earliest start in it; `digest`: BLAKE2b-128 of the uncompressed message."""

    trace_id: bytes
    start_ns: int
    digest: bytes
    codec: int
    span_count: int
    payload: bytes


class RawSpan(NamedTuple):
    """A span as it was sent, with where it came from."""

    span: Span
    resource: Resource | None
    scope: InstrumentationScope | None
    resource_schema_url: str
    scope_schema_url: str


class ChunkBuilder:
    """Collects the encoded spans of one trace, in the order in which they came."""

    __slots__ = ("_open_resource", "_open_scope", "_resources", "_scopes", "_spans", "count", "start_ns", "trace_id")

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id
        self.start_ns = 2**63 - 1
        self.count = 0
        self._resources: list[bytes] = []
        self._scopes: list[bytes] = []
        self._spans: list[bytes] = []
        self._open_resource: ResourceFrame | None = None
        self._open_scope: ScopeFrame | None = None

    def add(self, raw: bytes, started_at: int, resource: "ResourceFrame", scope: "ScopeFrame") -> None:
        """Add one encoded span."""
        if scope is not self._open_scope:
            self._close_scope()
            if resource is not self._open_resource:
                self._close_resource()
                self._open_resource = resource
            self._open_scope = scope
        # Prefix and span go to the join as they are: putting them together first would copy every span once more.
        length = len(raw)
        self._spans += (
            bytes((_SPAN_TAG, length & 0x7F | 0x80, length >> 7)) if 0x80 <= length < 0x4000 else _prefix(2, length),
            raw,
        )
        self.count += 1
        self.start_ns = min(self.start_ns, started_at)

    def build(self) -> Chunk:
        """The finished chunk."""
        self._close_scope()
        self._close_resource()
        message = b"".join(self._resources)
        return Chunk(
            self.trace_id,
            self.start_ns,
            blake2b(message, digest_size=16).digest(),
            CODEC_ZSTD_OTLP,
            self.count,
            _compressor().compress(message),
        )

    def _close_scope(self) -> None:
        if self._open_scope is not None:
            frame = self._open_scope
            self._scopes.append(_field(2, b"".join((frame.head, *self._spans, frame.tail))))
            self._spans.clear()
            self._open_scope = None

    def _close_resource(self) -> None:
        if self._open_resource is not None:
            frame = self._open_resource
            self._resources.append(_field(1, b"".join((frame.head, *self._scopes, frame.tail))))
            self._scopes.clear()
            self._open_resource = None


class ResourceFrame:
    """The encoding of a `ResourceSpans` around its scopes."""

    __slots__ = ("head", "tail")

    def __init__(self, resource: Resource | None, schema_url: str) -> None:
        self.head = b"" if resource is None else _field(1, resource.SerializeToString())
        self.tail = _field(3, schema_url.encode()) if schema_url else b""


class ScopeFrame:
    """The encoding of a `ScopeSpans` around its spans."""

    __slots__ = ("head", "tail")

    def __init__(self, scope: InstrumentationScope | None, schema_url: str) -> None:
        self.head = b"" if scope is None else _field(1, scope.SerializeToString())
        self.tail = _field(3, schema_url.encode()) if schema_url else b""


def chunk_message(payload: bytes, codec: int) -> bytes:
    """The uncompressed message of a chunk. Raises ValueError for an unknown codec or a damaged chunk."""
    if codec not in {CODEC_ZSTD_OTLP, CODEC_ZSTD_LOGS}:
        raise ValueError(f"unknown chunk codec {codec}")
    try:
        return _decompressor().decompress(payload, max_output_size=_MAXIMUM_CHUNK_BYTES)
    except zstandard.ZstdError as error:
        raise ValueError("damaged span chunk") from error


def raw_spans(payload: bytes, codec: int) -> list[RawSpan]:
    """The spans of a chunk, copies included. Raises ValueError for an unknown codec or a damaged chunk."""
    if codec == CODEC_ZSTD_LOGS:
        raise ValueError("a chunk of log events has no spans")
    message = chunk_message(payload, codec)
    return [
        RawSpan(
            span,
            resource_spans.resource if resource_spans.HasField("resource") else None,
            scope_spans.scope if scope_spans.HasField("scope") else None,
            resource_spans.schema_url,
            scope_spans.schema_url,
        )
        for resource_spans in TracesData.FromString(message).resource_spans
        for scope_spans in resource_spans.scope_spans
        for span in scope_spans.spans
    ]


def log_events(chunks: Iterable[tuple[bytes, int]]) -> LogEvents:
    """The log events in these chunks (payload, codec); chunks of spans are passed over."""
    events: LogEvents = {}
    for payload, codec in chunks:
        if codec == CODEC_ZSTD_LOGS:
            collect_events(LogsData.FromString(chunk_message(payload, codec)), events)
    return events


def winners(
    chunks: Iterable[tuple[bytes, int]], mapper: SpanMapper, only: Container[bytes] | None = None
) -> dict[bytes, tuple[MappedSpan, RawSpan]]:
    """The spans of one trace by span id, from its chunks (payload, codec), one of each set of copies.

    Log events are joined to their spans: they are events of the span, and say what its input and output are. What else
    is known of a span is not theirs to change.  only: the ids of the spans that are wanted; None wants all.
    """
    found: dict[bytes, tuple[MappedSpan, RawSpan]] = {}
    of_logs = []
    for payload, codec in chunks:
        if codec == CODEC_ZSTD_LOGS:
            of_logs.append((payload, codec))
            continue
        for raw in raw_spans(payload, codec):
            if only is not None and raw.span.span_id not in only:
                continue
            mapped = mapper.map(raw.span, raw.span.SerializeToString(), mapper.source(raw.resource, raw.scope))
            current = found.get(mapped.row.span_id)
            if current is None or current[0].row.rank < mapped.row.rank:
                found[mapped.row.span_id] = (mapped, raw)
    if of_logs:
        events = log_events(of_logs)
        for span_id in events.keys() & found.keys():
            found[span_id] = _joined(*found[span_id], events[span_id], mapper)
    return found


def _joined(
    mapped: MappedSpan, raw: RawSpan, events: Mapping[bytes, Span.Event], mapper: SpanMapper
) -> tuple[MappedSpan, RawSpan]:
    span = joined(raw.span, events)
    said = mapper.map(span, b"", mapper.source(raw.resource, raw.scope))
    return mapped._replace(input=said.input, output=said.output), raw._replace(span=span)


def _field(number: int, payload: bytes) -> bytes:
    """A length-delimited protobuf field."""
    return _prefix(number, len(payload)) + payload


def _prefix(number: int, length: int) -> bytes:
    """What stands before the bytes of a length-delimited field: its tag, and their number as a varint."""
    prefix = bytearray((number << 3 | 2,))
    while length >= 0x80:
        prefix.append(length & 0x7F | 0x80)
        length >>= 7
    prefix.append(length)
    return bytes(prefix)


def _compressor() -> zstandard.ZstdCompressor:
    # Neither compressors nor decompressors may be shared between threads.
    if not hasattr(_local, "compressor"):
        _local.compressor = zstandard.ZstdCompressor(level=_LEVEL)
    compressor: zstandard.ZstdCompressor = _local.compressor
    return compressor


def _decompressor() -> zstandard.ZstdDecompressor:
    if not hasattr(_local, "decompressor"):
        _local.decompressor = zstandard.ZstdDecompressor()
    decompressor: zstandard.ZstdDecompressor = _local.decompressor
    return decompressor
