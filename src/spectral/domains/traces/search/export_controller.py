"""HTTP of the export of traces."""

from typing import Annotated, Any
from uuid import UUID

from litestar import Controller, Request, get
from litestar.di import Provide
from litestar.params import QueryParameter
from litestar.response import Stream

from spectral.domains.traces.controller import PATH
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.search.exporting import TraceExport
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.trace_query import provide_trace_filter
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.shared.problems import request_id_of


def provide_export(database: Database, access: WorkspaceAccess, span_mapper: SpanMapper) -> TraceExport:
    return TraceExport(database, access, span_mapper)


class TraceExportController(Controller):
    """Traces in the form in which they come in."""

    path = PATH
    tags = ("Traces",)

    @get(
        "/export",
        operation_id="exportTracesAsLines",
        summary="Download traces as OTLP/JSON lines",
        description="Oldest first, one line a trace, narrowed by the same parameters as the list; each line is a body "
        'for `POST /otel/v1/traces`. What goes wrong on the way is told in a last line, `{"error": {…}}`, or cuts the '
        "answer off; go on with `cursor`, the `traceId` of the last whole line.",
        guards=[requires(Scope.READ_WORKSPACE)],
        dependencies={
            "trace_export": Provide(provide_export, sync_to_thread=False),
            "wanted": Provide(provide_trace_filter, sync_to_thread=False),
        },
    )
    async def export_traces(
        self,
        trace_export: TraceExport,
        wanted: TraceFilter,
        authenticator: Authenticator,
        request: Request[Any, Any, Any],
        workspace_id: UUID,
        cursor: Annotated[
            str | None, QueryParameter(max_length=64, description="a trace id; the export goes on after it")
        ] = None,
    ) -> Stream:
        place = await trace_export.place(cursor)
        rights = StreamRights(authenticator, request.headers, workspace_id, Scope.READ_WORKSPACE)
        lines = trace_export.stream(wanted, place, rights, request.scope["path"], request_id_of(request.scope))
        return Stream(
            lines,
            media_type="application/x-ndjson",
            headers={"Content-Disposition": f'attachment; filename="traces-{workspace_id}.jsonl"'},
        )
