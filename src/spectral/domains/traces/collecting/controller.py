"""HTTP of the import of samples: it reads files and traces, so it lies where both are known."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType
from pydantic import ValidationError

from spectral.domains.agents.json_values import pointer_of
from spectral.domains.samples.controller import PATH, WRITE
from spectral.domains.samples.schemas import ImportOut, LeftOutCounts
from spectral.domains.samples.transfer import SampleExport, SampleImport
from spectral.domains.samples.uploads import FILE_BYTES, FORM, essence_of, opened_upload
from spectral.domains.traces.collecting.collector import TraceCollector
from spectral.domains.traces.collecting.schemas import TraceCollectionIn
from spectral.domains.traces.mapping import SpanMapper
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.docs.schemas import model_schema
from spectral.platform.shared.errors import FieldError, PayloadTooLargeError, ValidationFailedError

JSON = "application/json"
JSON_BYTES = 1024 * 1024


@dataclass
class ImportOperation(Operation):
    """Documents the bodies that an import takes, which no typed parameter describes."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING)
        part = Schema(
            type=OpenAPIType.STRING, format=OpenAPIFormat.BINARY, description="a .jsonl, .ndjson or .csv file"
        )
        form = Schema(type=OpenAPIType.OBJECT, properties={"file": part}, required=["file"])
        self.request_body = RequestBody(
            required=True,
            description="JSON Lines, CSV, a form with one part named `file`, or JSON that says which traces.",
            content={
                "application/x-ndjson": OpenAPIMediaType(schema=text),
                "text/csv": OpenAPIMediaType(schema=text),
                FORM: OpenAPIMediaType(schema=form),
                JSON: OpenAPIMediaType(schema=model_schema(TraceCollectionIn)),
            },
        )


# Not in a controller: its path belongs to another one.


@post(
    PATH + "/{set_id:uuid}/import",
    operation_id="importSamples",
    summary="Import samples from a file or from traces",
    description=(
        "A line that cannot be read refuses the whole file (422) and is named.\n\n"
        'JSON Lines: one object `{"input", "expected"?, "metadata"?, "source_trace_id"?}` a line. CSV: a header with '
        "`input` or `input.<member>` columns, `expected` or `expected.<member>`, `metadata.<member>`, "
        "`source_trace_id`. At most 100,000 samples a file and 200,000 a set. Repetitions and near-duplicates are "
        "skipped and counted. A file of more than 5,000 samples is stored in parts; when that breaks off, send it "
        "again.\n\n"
        "JSON: samples are made of the traces it names, grouped by session and user; what was executed for an "
        "evaluation is left out."
    ),
    guards=[WRITE],
    opt={"idempotent": True},
    status_code=200,
    request_max_body_size=FILE_BYTES,
    operation_class=ImportOperation,
    tags=["Samples"],
)
async def import_samples(
    request: Request[Any, Any, Any], database: Database, access: WorkspaceAccess, span_mapper: SpanMapper, set_id: UUID
) -> ImportOut:
    await SampleExport(database, access).require_set(set_id)
    if essence_of(request) == JSON:
        collected = await TraceCollector(database, access, span_mapper).collect(set_id, await _wanted(request))
        left_out = LeftOutCounts(**{name: collected.left_out[name] for name in LeftOutCounts.model_fields})
        return ImportOut.of(set_id, collected.receipt, left_out)
    async with opened_upload(request) as (file_format, file):
        receipt = await SampleImport(database, access).import_file(set_id, file_format, file)
    return ImportOut.of(set_id, receipt)


async def _wanted(request: Request[Any, Any, Any]) -> TraceCollectionIn:
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > JSON_BYTES:
            raise PayloadTooLargeError(f"The body has more than {JSON_BYTES} bytes", limit_bytes=JSON_BYTES)
    try:
        return TraceCollectionIn.model_validate_json(bytes(body))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        problems = [FieldError(pointer_of(one["loc"]), one["msg"].removeprefix("Value error, ")) for one in found]
        raise ValidationFailedError("The body failed validation", problems) from error
