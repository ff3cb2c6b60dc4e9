"""Traces as a stream of OTLP/JSON lines, oldest first, from which one can go on after a break.

Memory holds one batch of traces, or one trace where it is larger; each batch is read in a transaction of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

import msgspec
import structlog

from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.requests import TRACE_ID_BYTES
from spectral.domains.traces.otlp.writing import trace_line
from spectral.domains.traces.search.deep_matching import DeepMatcher
from spectral.domains.traces.search.trace_batches import Candidate, Place, TraceBatches
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import FieldError, NotAuthenticatedError, SpectralError, ValidationFailedError
from spectral.platform.shared.problems import classify, problem_document

log = structlog.get_logger(__name__)


class TraceExport:
    """The export of one workspace's traces."""

    def __init__(self, database: Database, access: WorkspaceAccess, mapper: SpanMapper) -> None:
        self._batches = TraceBatches(database, access)
        self._mapper = mapper

    async def place(self, cursor: str | None) -> Place | None:
        """Where to go on after the trace with this id. Raises ValidationFailedError when there is none (any more)."""
        if cursor is None:
            return None
        try:
            identifier = bytes.fromhex(cursor)
        except ValueError:
            identifier = b""
        found = await self._batches.find(identifier) if len(identifier) == TRACE_ID_BYTES else None
        if found is None:
            wrong = [FieldError("cursor", "must be the id of a trace that is here: that of the last whole line")]
            raise ValidationFailedError("The query failed validation", wrong)
        return found

    async def stream(
        self, wanted: TraceFilter, place: Place | None, rights: StreamRights, instance: str, request_id: str
    ) -> AsyncIterator[bytes]:
        """A line for each trace that fits.

        What goes wrong on the way is told in a last line, `{"error": {…}}` with a problem document, because the answer
        has begun: an export without such a line, and not cut off, is complete.
        """
        try:
            async for lines in self._lines(wanted, place, rights):
                yield lines
        except Exception as error:
            known = classify(error)
            if not isinstance(error, SpectralError):
                log.exception("export_failed")
            yield msgspec.json.encode({"error": problem_document(known, instance, request_id)}) + b"\n"

    async def _lines(self, wanted: TraceFilter, place: Place | None, rights: StreamRights) -> AsyncIterator[bytes]:
        matcher = DeepMatcher(wanted.whole_expression, self._mapper)
        has_more = True
        while has_more:
            if not await rights.hold():
                raise NotAuthenticatedError("Your rights ended during the export")
            candidates, has_more = await self._batches.read(wanted, matcher, place, is_descending=False)
            for candidate in candidates:
                place = (candidate.started_at, candidate.trace_id)
            lines = await asyncio.to_thread(self._written, candidates, matcher)
            if lines:
                yield lines

    def _written(self, candidates: Sequence[Candidate], matcher: DeepMatcher) -> bytes:
        return b"".join(
            trace_line(candidate.chunks, self._mapper)
            for candidate in candidates
            if candidate.chunks and matcher.match(candidate) is not None
        )
