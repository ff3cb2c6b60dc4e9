"""One request made ready to be stored: everything that can be computed without the database, off the event loop."""

from dataclasses import dataclass, field

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spectral.domains.traces.ingestion.chunks import Chunk, ChunkBuilder, ResourceFrame, ScopeFrame
from spectral.domains.traces.ingestion.content_counts import MODEL_CALL, ContentCounts, count_content, count_events
from spectral.domains.traces.ingestion.log_batch import PreparedEvents, prepare_events
from spectral.domains.traces.ingestion.policy import IngestionPolicy
from spectral.domains.traces.ingestion.rollup import TraceRollup, Usage, count_usage
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.inflation import inflate
from spectral.domains.traces.otlp.json_logs import decode_logs_json
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.metrics import reject_metrics
from spectral.domains.traces.otlp.requests import (
    LOG_RECORDS,
    PROTOBUF,
    Rejections,
    bound_request,
    decode_protobuf,
    decode_signal,
    valid_spans,
)
from spectral.domains.traces.vocabulary import MappedSpan, SpanRow
from spectral.platform.shared.clock import utc_now

DAY_NS = 86_400 * 10**9
SPAN_WEIGHT = 2_000
"""Bytes that a span takes in memory besides its content, which may be next to nothing."""

EVERYTHING = IngestionPolicy()
"""Nothing is masked, nothing is too old."""


@dataclass(slots=True)
class PreparedTrace:
    """The spans of one trace in one request, one of each set of copies, with the rollup of exactly these."""

    rows: dict[bytes, SpanRow]
    chunk: Chunk
    rollup: TraceRollup


@dataclass(slots=True)
class PreparedBatch:
    """One request, ready to be stored. `usage` counts exactly the spans in `traces`.

    A request brings spans, or log events that belong to spans. `content`: whose spans come without content.

    `accepted` counts the valid spans that were sent, copies included; `received_bytes` is the body as it came;
    `weight` about what the request takes in memory until it is stored; `watched`: its traces are noted for evaluation.
    """

    traces: dict[bytes, PreparedTrace] = field(default_factory=dict)
    events: PreparedEvents = field(default_factory=PreparedEvents)
    content: ContentCounts = field(default_factory=dict)
    usage: Usage = field(default_factory=dict)
    rejections: Rejections = field(default_factory=Rejections)
    accepted: int = 0
    received_bytes: int = 0
    weight: int = 0
    watched: bool = False

    @property
    def is_empty(self) -> bool:
        """There is nothing to store and nothing to count."""
        return not (self.accepted or self.events.accepted or self.rejections.count)

    @property
    def agents(self) -> frozenset[str]:
        """The ids of the agents that the spans name, and the services that stand for one."""
        by_service = (trace.rollup.agent_by_service for trace in self.traces.values())
        named = (key.agent_id for key in self.usage)
        return frozenset(agent for agent in (*named, *by_service) if agent)


def read_batch(
    body: bytes, content_type: str, encoding: str | None, limit: int, mapper: SpanMapper, policy: IngestionPolicy
) -> PreparedBatch:
    """Inflate, decode, mask, validate and map one request body.

    limit: bytes after decompression. Raises PayloadTooLargeError (413), MalformedOtlpError (400) and
    UnsupportedMediaTypeError (415, for the encoding).
    """
    inflated = inflate(body, encoding, limit)
    rejections = Rejections()
    decode = decode_protobuf if content_type == PROTOBUF else decode_json
    batch = prepare(decode(inflated, rejections), rejections, mapper, policy)
    batch.received_bytes = len(body)
    batch.weight += len(inflated)
    return batch


def take_batch(
    request: ExportTraceServiceRequest, received_bytes: int, mapper: SpanMapper, policy: IngestionPolicy
) -> PreparedBatch:
    """As `read_batch`, for a request that was made in this process; masking changes it."""
    rejections = Rejections()
    size = request.ByteSize()
    bound_request(request, size, rejections)
    batch = prepare(request, rejections, mapper, policy)
    batch.received_bytes = received_bytes
    batch.weight += size
    return batch


def read_events(
    body: bytes, content_type: str, encoding: str | None, limit: int, policy: IngestionPolicy
) -> PreparedBatch:
    """As `read_batch`, for log records: those that are content events of spans are kept."""
    inflated = inflate(body, encoding, limit)
    rejections = Rejections()
    if content_type == PROTOBUF:
        request: ExportLogsServiceRequest = decode_signal(inflated, rejections, LOG_RECORDS)
    else:
        request = decode_logs_json(inflated, rejections)
    if policy.masker is not None:
        policy.masker.apply_logs(request)
    batch = PreparedBatch(events=prepare_events(request, rejections, _earliest(policy)), rejections=rejections)
    count_events(batch.content, batch.events.spans_by_scope)
    batch.received_bytes = len(body)
    batch.weight = len(inflated) + batch.events.accepted * SPAN_WEIGHT
    return batch


def read_metrics(
    body: bytes, content_type: str, encoding: str | None, limit: int, policy: IngestionPolicy
) -> PreparedBatch:
    """As `read_batch`, for metrics: a batch of rejections."""
    del policy
    return PreparedBatch(rejections=reject_metrics(inflate(body, encoding, limit), content_type))


def prepare(
    request: ExportTraceServiceRequest,
    rejections: Rejections,
    mapper: SpanMapper,
    policy: IngestionPolicy = EVERYTHING,
) -> PreparedBatch:
    """The batch of an export request; spans that are not valid, or older than is kept, are counted and left out."""
    if policy.masker is not None:
        policy.masker.apply(request)
    earliest = _earliest(policy)
    traces: dict[bytes, tuple[dict[bytes, MappedSpan], ChunkBuilder]] = {}
    content: ContentCounts = {}
    accepted = 0
    for resource_spans in request.resource_spans:
        resource = resource_spans.resource if resource_spans.HasField("resource") else None
        resource_frame = ResourceFrame(resource, resource_spans.schema_url)
        for scope_spans in resource_spans.scope_spans:
            scope = scope_spans.scope if scope_spans.HasField("scope") else None
            scope_frame = ScopeFrame(scope, scope_spans.schema_url)
            source = mapper.source(resource, scope)
            scope_name = "" if scope is None else scope.name
            for span in valid_spans(scope_spans, rejections):
                started_at = span.start_time_unix_nano
                if started_at < earliest:
                    rejections.add("older_than_retention", f"first: span {span.name[:64]!r}")
                    continue
                accepted += 1
                raw = span.SerializeToString()
                mapped = mapper.map(span, raw, source)
                row = mapped.row
                if row.kind == MODEL_CALL:
                    count_content(content, scope_name, mapped)
                trace_id, span_id = row.trace_id, row.span_id
                found = traces.get(trace_id)
                if found is None:
                    found = traces[trace_id] = ({}, ChunkBuilder(trace_id))
                spans, builder = found
                builder.add(raw, started_at, resource_frame, scope_frame)
                current = spans.get(span_id)
                if current is None or current.row.rank < row.rank:
                    spans[span_id] = mapped
    batch = PreparedBatch(
        content=content,
        rejections=rejections,
        accepted=accepted,
        weight=accepted * SPAN_WEIGHT,
        watched=policy.watches,
    )
    usage = batch.usage
    for trace_id, (spans, builder) in traces.items():
        rollup = TraceRollup.of(trace_id, spans.values())
        rollup.seal()
        rows = {span_id: mapped.row for span_id, mapped in spans.items()}
        batch.traces[trace_id] = PreparedTrace(rows, builder.build(), rollup)
        for row in rows.values():
            count_usage(usage, row)
    return batch


def _earliest(policy: IngestionPolicy) -> int:
    """The first start that is kept, in nanoseconds."""
    if policy.retention_days is None:
        return 0
    return int(utc_now().timestamp()) * 10**9 - policy.retention_days * DAY_NS
