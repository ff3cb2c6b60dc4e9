"""One request for log records made ready to be stored: the content events in it, by trace."""

from dataclasses import dataclass, field
from typing import NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from spectral.domains.traces.ingestion.chunks import CODEC_ZSTD_LOGS, Chunk, ChunkBuilder, ResourceFrame, ScopeFrame
from spectral.domains.traces.ingestion.log_events import event_name, rejected_because, time_of
from spectral.domains.traces.otlp.requests import Rejections


class TraceEvents(NamedTuple):
    """The content events of one trace in one request. `span_ids`: whom they belong to."""

    chunk: Chunk
    span_ids: frozenset[bytes]


@dataclass(slots=True)
class PreparedEvents:
    """The content events of one request, ready to be stored.

    `spans_by_scope`: how many spans each instrumentation scope brought content for.
    """

    traces: dict[bytes, TraceEvents] = field(default_factory=dict)
    spans_by_scope: dict[str, int] = field(default_factory=dict)
    accepted: int = 0


def prepare_events(request: ExportLogsServiceRequest, rejections: Rejections, earliest: int = 0) -> PreparedEvents:
    """The content events of an export request; log records that are none, or not valid, are counted and left out.

    earliest: the first moment that is kept, in nanoseconds.
    """
    prepared = PreparedEvents()
    builders: dict[bytes, ChunkBuilder] = {}
    span_ids: dict[bytes, set[bytes]] = {}
    brought: dict[str, set[tuple[bytes, bytes]]] = {}
    for resource_logs in request.resource_logs:
        resource_frame = ResourceFrame(
            resource_logs.resource if resource_logs.HasField("resource") else None, resource_logs.schema_url
        )
        for scope_logs in resource_logs.scope_logs:
            scope = scope_logs.scope if scope_logs.HasField("scope") else None
            scope_frame = ScopeFrame(scope, scope_logs.schema_url)
            for record in scope_logs.log_records:
                reason = rejected_because(record, earliest)
                if reason is not None:
                    rejections.add(reason, f"first: {event_name(record)[:64]!r}")
                    continue
                trace_id, span_id = record.trace_id, record.span_id
                builder = builders.get(trace_id)
                if builder is None:
                    builder = builders[trace_id] = ChunkBuilder(trace_id)
                    span_ids[trace_id] = set()
                builder.add(record.SerializeToString(), time_of(record), resource_frame, scope_frame)
                span_ids[trace_id].add(span_id)
                brought.setdefault(scope.name if scope is not None else "", set()).add((trace_id, span_id))
                prepared.accepted += 1
    for trace_id, builder in builders.items():
        chunk = builder.build()._replace(codec=CODEC_ZSTD_LOGS, span_count=0)
        prepared.traces[trace_id] = TraceEvents(chunk, frozenset(span_ids[trace_id]))
    prepared.spans_by_scope = {scope: len(spans) for scope, spans in brought.items()}
    return prepared
