"""One request made ready to be stored: everything that can be computed without the database, off the event loop."""

from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spectral.domains.traces.chunks import Chunk, ChunkBuilder, ResourceFrame, ScopeFrame
from spectral.domains.traces.inflation import inflate
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp import PROTOBUF, Rejections, decode_protobuf, valid_spans
from spectral.domains.traces.otlp_json import decode_json
from spectral.domains.traces.rollup import TraceRollup, Usage, count_usage
from spectral.domains.traces.vocabulary import MappedSpan, SpanRow


@dataclass(slots=True)
class PreparedTrace:
    """The spans of one trace in one request, one of each set of copies, with the rollup of exactly these."""

    rows: dict[bytes, SpanRow]
    chunk: Chunk
    rollup: TraceRollup


@dataclass(slots=True)
class PreparedBatch:
    """One request, ready to be stored. `usage` counts exactly the spans in `traces`.

    `accepted` counts the valid spans that were sent, copies included; `received_bytes` is the body as it came.
    """

    traces: dict[bytes, PreparedTrace] = field(default_factory=dict)
    usage: Usage = field(default_factory=dict)
    rejections: Rejections = field(default_factory=Rejections)
    accepted: int = 0
    received_bytes: int = 0
    weight: int = 0

    @property
    def duplicates(self) -> int:
        """Copies inside the request."""
        return self.accepted - sum(len(trace.rows) for trace in self.traces.values())


def read_batch(body: bytes, content_type: str, encoding: str | None, limit: int, mapper: SpanMapper) -> PreparedBatch:
    """Inflate, decode, validate and map one request body.

    limit: bytes after decompression. Raises PayloadTooLargeError (413), MalformedOtlpError (400) and
    UnsupportedMediaTypeError (415, for the encoding).
    """
    inflated = inflate(body, encoding, limit)
    rejections = Rejections()
    decode = decode_protobuf if content_type == PROTOBUF else decode_json
    batch = prepare(decode(inflated, rejections), rejections, mapper)
    batch.received_bytes = len(body)
    batch.weight = len(inflated)
    return batch


def prepare(request: ExportTraceServiceRequest, rejections: Rejections, mapper: SpanMapper) -> PreparedBatch:
    """The batch of an export request; spans that are not valid are counted and left out."""
    batch = PreparedBatch(rejections=rejections)
    spans: dict[bytes, dict[bytes, MappedSpan]] = {}
    builders: dict[bytes, ChunkBuilder] = {}
    for resource_spans in request.resource_spans:
        resource = resource_spans.resource if resource_spans.HasField("resource") else None
        resource_frame = ResourceFrame(resource, resource_spans.schema_url)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope if scope_spans.HasField("scope") else None
            scope_frame = ScopeFrame(scope, scope_spans.schema_url)
            source = mapper.source(resource, scope)
            for span in valid_spans(scope_spans, rejections):
                raw = span.SerializeToString()
                mapped = mapper.map(span, raw, source)
                row = mapped.row
                batch.accepted += 1
                of_trace = spans.get(row.trace_id)
                if of_trace is None:
                    of_trace = spans[row.trace_id] = {}
                    builders[row.trace_id] = ChunkBuilder(row.trace_id)
                builders[row.trace_id].add(raw, row.started_at, resource_frame, scope_frame)
                current = of_trace.get(row.span_id)
                if current is None or current.row.rank < row.rank:
                    of_trace[row.span_id] = mapped
    for trace_id, of_trace in spans.items():
        rows = {span_id: mapped.row for span_id, mapped in of_trace.items()}
        rollup = TraceRollup.of(trace_id, of_trace.values())
        rollup.seal()
        batch.traces[trace_id] = PreparedTrace(rows, builders[trace_id].build(), rollup)
        for row in rows.values():
            count_usage(batch.usage, row)
    return batch
