"""HTTP of OTLP's other signals: `/otel/v1/logs` and `/otel/v1/metrics`, for exporters."""

from litestar import Controller, Request, Response, post
from litestar.datastructures import State

from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.otlp.answers import LOGS, METRICS, export_answer
from spectral.domains.traces.otlp.requests import content_type_of
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope


class LogsController(Controller):
    """OTLP/HTTP for log records: of these the content events of model calls are stored, joined to their spans."""

    path = "/otel/v1/logs"
    tags = ("OpenTelemetry",)

    @post(
        operation_id="exportLogs",
        summary="Export the content events of spans (OTLP/HTTP, protobuf or JSON)",
        guards=[requires(Scope.WRITE_TRACES)],
        status_code=200,
        # The limit counts after decompression, and the body is read while it is checked against it.
        request_max_body_size=None,
    )
    async def export_logs(
        self, request: Request[Principal, None, State], access: WorkspaceAccess, trace_ingestor: TraceIngestor
    ) -> Response[bytes]:
        header = request.headers.get("content-type")
        encoding = request.headers.get("content-encoding")
        rejections = await trace_ingestor.receive_logs(access, request.stream(), header, encoding)
        content_type = content_type_of(header)
        return Response(export_answer(rejections, content_type, LOGS), media_type=content_type)


class MetricsController(Controller):
    """OTLP/HTTP for metrics, which are not stored: the answer says so, and exporters go on."""

    path = "/otel/v1/metrics"
    tags = ("OpenTelemetry",)

    @post(
        operation_id="exportMetrics",
        summary="Export metrics (OTLP/HTTP, protobuf or JSON); they are not stored",
        guards=[requires(Scope.WRITE_TRACES)],
        status_code=200,
        # As for spans.
        request_max_body_size=None,
    )
    async def export_metrics(
        self, request: Request[Principal, None, State], access: WorkspaceAccess, trace_ingestor: TraceIngestor
    ) -> Response[bytes]:
        header = request.headers.get("content-type")
        encoding = request.headers.get("content-encoding")
        rejections = await trace_ingestor.refuse_metrics(access, request.stream(), header, encoding)
        content_type = content_type_of(header)
        return Response(export_answer(rejections, content_type, METRICS), media_type=content_type)
