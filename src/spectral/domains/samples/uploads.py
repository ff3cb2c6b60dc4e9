"""How a file of samples arrives over HTTP: as the body itself, or as the part `file` of a form."""

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from litestar import Request
from litestar.datastructures import UploadFile
from litestar.openapi.spec import OpenAPIMediaType, Operation, RequestBody, Schema
from litestar.openapi.spec.enums import OpenAPIFormat, OpenAPIType

from spectral.domains.samples.errors import ImportRefusedError
from spectral.platform.shared.errors import FieldError, MalformedRequestError, UnsupportedMediaTypeError

FORM = "multipart/form-data"
FORMATS = {
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/csv": "csv",
}
"""The format of each media type that an import reads."""
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


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
            description="JSON Lines, CSV, or a form with one part named `file`.",
            content={
                "application/x-ndjson": OpenAPIMediaType(schema=text),
                "text/csv": OpenAPIMediaType(schema=text),
                FORM: OpenAPIMediaType(schema=form),
            },
        )


async def read_upload(request: Request[Any, Any, Any]) -> tuple[str, bytes]:
    """The format ("jsonl" or "csv") and the bytes of the file.

    Raises UnsupportedMediaTypeError (415) for any other media type or kind of file, ImportRefusedError (422) for a form
    that has not exactly one file.
    """
    declared = _essence(request.headers.get("content-type", ""))
    if declared in FORMATS:
        return FORMATS[declared], await request.body()
    if declared != FORM:
        raise UnsupportedMediaTypeError(f"The body must be application/x-ndjson, text/csv or {FORM}")
    if "boundary=" not in request.headers["content-type"].lower():
        raise MalformedRequestError("The form declares no boundary")
    form = await request.form()
    parts = form.getall("file", [])
    if len(list(form.multi_items())) != 1 or len(parts) != 1 or not isinstance(parts[0], UploadFile):
        raise ImportRefusedError(
            "The form must have one part, a file named `file`", [FieldError("/file", "is required")]
        )
    upload = parts[0]
    found = SUFFIXES.get(PurePosixPath(upload.filename).suffix.lower()) or FORMATS.get(_essence(upload.content_type))
    if found is None:
        raise UnsupportedMediaTypeError("The file must be .jsonl, .ndjson or .csv, or declare such a media type")
    return found, await upload.read()


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
