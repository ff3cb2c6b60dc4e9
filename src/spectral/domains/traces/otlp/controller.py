"""HTTP of OTLP: `/otel/v1/traces`, for exporters."""

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import Provide

from spectral.domains.traces.controller import provide_trace_service
from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.otlp.answers import export_answer
from spectral.domains.traces.otlp.requests import content_type_of
from spectral.domains.traces.schemas import IngestionStats
from spectral.domains.traces.service import TraceService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope


class OtlpController(Controller):
    """OTLP/HTTP, for any OpenTelemetry exporter. Errors are `google.rpc.Status` in the request's content type.

    OTLP over gRPC (port 4317) is not spoken: set `OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf`.
    """

    path = "/otel/v1/traces"
    tags = ("OpenTelemetry",)

    @post(
        operation_id="exportTraces",
        summary="Export spans (OTLP/HTTP, protobuf or JSON)",
        guards=[requires(Scope.WRITE_TRACES)],
        status_code=200,
        # The limit counts after decompression, and the body is read while it is checked against it.
        request_max_body_size=None,
    )
    async def export_traces(
        self, request: Request[Principal, None, State], access: WorkspaceAccess, trace_ingestor: TraceIngestor
    ) -> Response[bytes]:
        header = request.headers.get("content-type")
        rejections = await trace_ingestor.receive(
            access, request.stream(), header, request.headers.get("content-encoding")
        )
        content_type = content_type_of(header)
        return Response(export_answer(rejections, content_type), media_type=content_type)

    @get(
        "/stats",
        operation_id="readTraceStats",
        summary="What was ingested lately",
        guards=[requires(Scope.WRITE_TRACES, Scope.READ_WORKSPACE)],
        dependencies={"trace_service": Provide(provide_trace_service, sync_to_thread=False)},
    )
    async def read_stats(self, trace_service: TraceService, trace_ingestor: TraceIngestor) -> IngestionStats:
        statistics = await trace_service.read_statistics()
        members = {name: getattr(statistics, name) for name in IngestionStats.model_fields if name != "queue_depth"}
        return IngestionStats.model_validate(members | {"queue_depth": trace_ingestor.depth})
