"""How a file of samples arrives over HTTP: as the body itself, or as the part `file` of a form."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import PurePosixPath
from tempfile import SpooledTemporaryFile
from typing import IO, Any

from litestar import Request
from litestar.datastructures import UploadFile

from spectral.domains.samples.errors import ImportRefusedError
from spectral.platform.shared.errors import (
    FieldError,
    MalformedRequestError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
)

FORM = "multipart/form-data"
FILE_BYTES = 64 * 1024 * 1024
KEPT_IN_MEMORY = 1024 * 1024
FORMATS = {
    "application/x-ndjson": "jsonl",
    "application/ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/json-lines": "jsonl",
    "text/csv": "csv",
}
"""The format of each media type that an import reads."""
SUFFIXES = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv"}


@asynccontextmanager
async def opened_upload(request: Request[Any, Any, Any]) -> AsyncIterator[tuple[str, IO[bytes]]]:
    """The format ("jsonl" or "csv") and the file, which lies on disk where it is large.

    Raises UnsupportedMediaTypeError (415) for any other media type or kind of file, ImportRefusedError (422) for a form
    that has not exactly one file, PayloadTooLargeError (413).
    """
    declared = essence_of(request)
    if declared in FORMATS:
        with SpooledTemporaryFile(max_size=KEPT_IN_MEMORY) as file:
            await _spool(request, file)
            yield FORMATS[declared], file
        return
    if declared != FORM:
        raise UnsupportedMediaTypeError(f"The body must be application/x-ndjson, text/csv, application/json or {FORM}")
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
    yield found, upload.file


def essence_of(request: Request[Any, Any, Any]) -> str:
    """The media type of the body, without its parameters."""
    return _essence(request.headers.get("content-type", ""))


async def _spool(request: Request[Any, Any, Any], file: IO[bytes]) -> None:
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size > FILE_BYTES:
            raise PayloadTooLargeError(f"The file has more than {FILE_BYTES} bytes", limit_bytes=FILE_BYTES)
        # A disk may be slow.
        await asyncio.to_thread(file.write, piece)
    file.seek(0)


def _essence(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
