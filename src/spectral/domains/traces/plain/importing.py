"""Import of OTLP/JSON lines, as the export writes them: one export request a line, read as they come.

Lines are stored in groups, so memory is bounded whatever the size of the file. What was imported before changes
nothing: the same file may be sent again, and should be where an import broke off.
"""

import asyncio
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from spectral.domains.traces.ingestion.ingestor import TraceIngestor
from spectral.domains.traces.otlp.json_requests import decode_json
from spectral.domains.traces.otlp.requests import Rejections, valid_spans
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.body_lines import BodyLine, body_lines
from spectral.platform.shared.errors import (
    MalformedRequestError,
    PayloadTooLargeError,
    SpectralError,
    UnavailableError,
    UnsupportedMediaTypeError,
)

GROUP_BYTES = 2 * 1024 * 1024
GROUP_LINES = 500
PIECE_BYTES = 1024 * 1024
MAXIMUM_INFLATED_BYTES = 16 * 1024**3
MAXIMUM_ERRORS = 100
"""Of an import that are named; the rest is counted."""

ATTEMPTS = 8
FIRST_PAUSE_S = 0.1
"""Where others fill the queue an import waits, twice as long every time."""


@dataclass(frozen=True, slots=True)
class LineError:
    """What was wrong with a line; of a line with bad spans the others are stored."""

    line: int
    detail: str


@dataclass(slots=True)
class Imported:
    """What became of a file. Empty lines are not counted."""

    lines: int = 0
    accepted_spans: int = 0
    rejected_spans: int = 0
    failed_lines: int = 0
    errors: list[LineError] = field(default_factory=list)

    def note(self, line: int, detail: str) -> None:
        """Remember what was wrong, as long as there is room."""
        if len(self.errors) < MAXIMUM_ERRORS:
            self.errors.append(LineError(line, detail))


@dataclass(slots=True)
class _Decoded:
    request: ExportTraceServiceRequest
    spans: int
    size: int
    last_line: int


class TraceImport:
    """Takes files of traces. One per process.  line_bytes: the limit of a line."""

    def __init__(self, ingestor: TraceIngestor, line_bytes: int) -> None:
        self._ingestor = ingestor
        self._line_bytes = line_bytes

    async def run(self, access: WorkspaceAccess, stream: AsyncIterator[bytes], encoding: str | None) -> Imported:
        """Store every line that can be read; answers once all of it is durable.

        encoding: the Content-Encoding, gzip or none.  Raises UnsupportedMediaTypeError (415), MalformedRequestError
        (400) for a damaged gzip, PayloadTooLargeError (413), UnavailableError (503); what came before is stored then.
        """
        imported = Imported()
        group: list[BodyLine] = []
        size = 0
        async for line in body_lines(_inflated(stream, encoding), self._line_bytes):
            group.append(line)
            size += len(line.text or b"")
            if size >= GROUP_BYTES or len(group) >= GROUP_LINES:
                await self._store(access, group, imported)
                group, size = [], 0
        if group:
            await self._store(access, group, imported)
        return imported

    async def _store(self, access: WorkspaceAccess, lines: list[BodyLine], imported: Imported) -> None:
        decoded = await asyncio.to_thread(self._decode, lines, imported)
        if not decoded.spans:
            return
        rejections = await self._take(access, decoded)
        imported.accepted_spans += decoded.spans - rejections.count
        imported.rejected_spans += rejections.count
        if rejections.count:
            imported.note(decoded.last_line, f"up to this line: {rejections.message}")

    async def _take(self, access: WorkspaceAccess, decoded: _Decoded) -> Rejections:
        pause = FIRST_PAUSE_S
        for attempt in range(1, ATTEMPTS + 1):
            # A copy: what is taken may be masked in place before it fails.
            request = ExportTraceServiceRequest()
            request.CopyFrom(decoded.request)
            try:
                return await self._ingestor.take(access, request, decoded.size)
            except UnavailableError as error:
                if attempt == ATTEMPTS:
                    detail = f"{error.detail}; everything before line {decoded.last_line} is stored or was refused"
                    raise UnavailableError(f"{detail}: send the file again", retry_after_s=5) from error
            await asyncio.sleep(pause)
            pause *= 2
        raise AssertionError

    def _decode(self, lines: list[BodyLine], imported: Imported) -> _Decoded:
        decoded = _Decoded(ExportTraceServiceRequest(), 0, 0, lines[-1].number)
        for line in lines:
            imported.lines += 1
            if line.text is None:
                imported.failed_lines += 1
                imported.note(line.number, f"has more than {self._line_bytes} bytes")
                continue
            rejections = Rejections()
            try:
                request = decode_json(line.text, rejections)
            except SpectralError as error:
                imported.failed_lines += 1
                imported.note(line.number, error.detail)
                continue
            _leave_out_invalid(request, rejections)
            if rejections.count:
                imported.rejected_spans += rejections.count
                imported.note(line.number, rejections.message)
            decoded.spans += sum(len(scope.spans) for each in request.resource_spans for scope in each.scope_spans)
            decoded.size += len(line.text)
            decoded.request.MergeFrom(request)
        return decoded


def _leave_out_invalid(request: ExportTraceServiceRequest, rejections: Rejections) -> None:
    """What ingestion would refuse is refused here, where its line is known."""
    for resource_spans in request.resource_spans:
        for scope_spans in resource_spans.scope_spans:
            valid = list(valid_spans(scope_spans, rejections))
            if len(valid) < len(scope_spans.spans):
                del scope_spans.spans[:]
                scope_spans.spans.extend(valid)


async def _inflated(stream: AsyncIterator[bytes], encoding: str | None) -> AsyncIterator[bytes]:
    """The file as it was before compression, in pieces of bounded size."""
    name = (encoding or "identity").strip().lower()
    if name == "identity":
        async for piece in stream:
            yield piece
        return
    if name not in {"gzip", "x-gzip"}:
        raise UnsupportedMediaTypeError("Content-Encoding must be gzip or left out")
    total = 0
    inflater = zlib.decompressobj(wbits=31)
    async for compressed in stream:
        waiting = compressed
        while waiting:
            if inflater.eof:
                # Files that were compressed one by one and put together are one file.
                inflater = zlib.decompressobj(wbits=31)
            try:
                piece = inflater.decompress(waiting, PIECE_BYTES)
            except zlib.error as error:
                raise MalformedRequestError("The body is not valid gzip; the lines before are stored") from error
            waiting = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            total += len(piece)
            if total > MAXIMUM_INFLATED_BYTES:
                detail = f"The file has more than {MAXIMUM_INFLATED_BYTES} bytes; the lines before are stored"
                raise PayloadTooLargeError(detail, limit_bytes=MAXIMUM_INFLATED_BYTES)
            if piece:
                yield piece
            # A small body may inflate for long; others get their turn.
            await asyncio.sleep(0)
    if not inflater.eof:
        raise MalformedRequestError("The gzip body broke off; the lines before are stored")
