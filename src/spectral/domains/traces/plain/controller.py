"""HTTP of traces for people without OpenTelemetry, and of files of traces."""

from dataclasses import dataclass
from typing import Annotated, Any

from litestar import Request, Response, post
from litestar.datastructures import State
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIType
from litestar.params import Body, HeaderParameter

from spectral.domains.traces.lifecycle.controller import PATH
from spectral.domains.traces.plain.documents import PlainTraces
from spectral.domains.traces.plain.importing import TraceImport
from spectral.domains.traces.plain.schemas import ImportedOut, PlainTrace, StoredBatch, StoredTrace
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.docs.schemas import model_schema

WRITE = requires(Scope.WRITE_TRACES, Scope.WRITE_WORKSPACE)
EXAMPLE = {
    "input": "Where is my order?",
    "output": "On its way.",
    "latency_ms": 840,
    "model": "gpt-4o-mini",
    "input_tokens": 112,
    "output_tokens": 9,
    "session_id": "s-1",
}


@dataclass
class CreateOperation(Operation):
    """Documents the members of a trace: each trace of a list is validated by itself, so no parameter has their type."""

    def __post_init__(self) -> None:
        one, several = model_schema(PlainTrace), Schema(type=OpenAPIType.ARRAY, items=model_schema(PlainTrace))
        body = OpenAPIMediaType(schema=Schema(any_of=[one, several]))
        self.request_body = RequestBody(
            required=True, description="a trace, or a list of them", content={"application/json": body}
        )


# Not in controllers: their paths belong to another one.


@post(
    PATH,
    operation_id="createTrace",
    summary="Store a trace from plain JSON",
    description=(
        "For those who do not use OpenTelemetry. One of `input`, `output`, `error`, `status` and `spans` must be "
        "there. A list of up to 100 traces is answered for each of them. Durable when it is answered; with an "
        "`Idempotency-Key` a repetition is the same trace."
    ),
    guards=[WRITE],
    opt={"idempotent": True},
    operation_class=CreateOperation,
    tags=["Traces"],
)
async def create_trace(
    request: Request[Principal, None, State],
    access: WorkspaceAccess,
    plain_traces: PlainTraces,
    data: Annotated[dict[str, Any] | list[dict[str, Any]], Body(description="a trace, or a list of them")],
    idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key", max_length=255)] = None,
) -> Response[StoredTrace | StoredBatch]:
    stored = await plain_traces.store(access, data, len(await request.body()), idempotency_key)
    headers = {}
    if isinstance(stored, StoredTrace):
        headers["Location"] = f"/api/v1/workspaces/{access.workspace_id}/traces/{stored.trace_id}"
    return Response(stored, status_code=201, headers=headers)


@dataclass
class ImportOperation(Operation):
    """Documents the body that an import takes, which no typed parameter describes."""

    def __post_init__(self) -> None:
        line = Schema(type=OpenAPIType.STRING, description="one OTLP/JSON ExportTraceServiceRequest a line")
        self.request_body = RequestBody(
            required=True,
            description="JSON Lines, as the export writes them; `Content-Encoding: gzip` is understood.",
            content={"application/x-ndjson": OpenAPIMediaType(schema=line)},
        )


@post(
    f"{PATH}/import",
    operation_id="importTraces",
    summary="Import a file of OTLP/JSON lines",
    description=(
        "One export request a line, as the export writes them. Lines that cannot be read are named and cost only "
        "themselves; traces that are there already stay as they are, so a file may be sent again."
    ),
    guards=[WRITE],
    status_code=200,
    # Read as it comes; a line is bounded, and so is what a compressed file may become.
    request_max_body_size=None,
    operation_class=ImportOperation,
    tags=["Traces"],
)
async def import_traces(
    request: Request[Principal, None, State], access: WorkspaceAccess, trace_import: TraceImport
) -> ImportedOut:
    imported = await trace_import.run(access, request.stream(), request.headers.get("content-encoding"))
    return ImportedOut.model_validate(imported)
