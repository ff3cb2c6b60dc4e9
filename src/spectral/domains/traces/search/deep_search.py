"""Deep search: traces by what was sent for their spans, newest first, a bounded amount of it in one request.

Traces that their rows let through are read in batches, each in a short transaction; their chunks are searched in a
thread, while the next batch is read. A request ends when its page is full, when the window is at its end, or when it
has done its share of work; its cursor says where the next one goes on.
"""

import asyncio
import base64
import binascii
import json
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace

from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import Trace
from spectral.domains.traces.moments import MAXIMUM_NS, NANOSECONDS
from spectral.domains.traces.search.deep_matching import DeepMatcher
from spectral.domains.traces.search.trace_batches import Candidate, Place, TraceBatches
from spectral.domains.traces.search.trace_filter import NEWEST_FIRST, TraceFilter
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.cursors import Cursor, decode_cursor
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

WINDOW_NS = 24 * 3_600 * NANOSECONDS

ORDER = "deep/"


@dataclass(frozen=True, slots=True)
class DeepBudget:
    """How much one request may do; it always finishes the batch that it has begun."""

    seconds: float = 2.0
    spans: int = 200_000


@dataclass(slots=True)
class DeepFound:
    """Traces that fit, newest first, each with the spans that made it fit.

    `searched_from` and `searched_to` are the window, in nanoseconds; `reached`: everything that started then or later
    was looked at. `next_cursor` is None when that is the whole window.
    """

    searched_from: int
    searched_to: int
    reached: int = 0
    rows: list[tuple[Trace, list[bytes]]] = field(default_factory=list)
    next_cursor: str | None = None


class DeepSearch:
    """Searches what was sent to one workspace; holds no transaction while it reads chunks."""

    def __init__(
        self, database: Database, access: WorkspaceAccess, mapper: SpanMapper, budget: DeepBudget | None = None
    ) -> None:
        self._batches = TraceBatches(database, access)
        self._mapper = mapper
        self._budget = budget or DeepBudget()

    async def page(self, wanted: TraceFilter, sort: str, page: Page, cursor: str | None) -> DeepFound:
        """Up to `limit` traces of the window: 24 hours before `start_to` or now, unless `start_from` is given.

        Raises ValidationFailedError for another sort than newest first, an offset, or a bad cursor.
        """
        limit = page.limit
        if sort != NEWEST_FIRST:
            raise _refused("sort", f"what was sent is searched in the order of {NEWEST_FIRST} only")
        if page.offset:
            raise _refused("offset", "what was sent is searched from a cursor on")
        start_to = wanted.start_to or int((utc_now().timestamp() + 1) * NANOSECONDS)
        start_from = wanted.start_from if wanted.start_from is not None else max(0, start_to - WINDOW_NS)
        place = None
        if cursor is not None:
            start_from, place = _place(cursor)
        found = DeepFound(start_from, start_to, start_to)
        matcher = DeepMatcher(wanted.whole_expression, self._mapper)
        narrowed = replace(wanted, start_from=start_from, start_to=start_to)
        fitting: list[tuple[bytes, list[bytes]]] = []
        deadline, spans = time.monotonic() + self._budget.seconds, self._budget.spans
        after = None if place is None else (place.value, place.identifier)
        async with aclosing(self._searched(narrowed, matcher, after, limit)) as batches:
            async for candidates, matches, has_more in batches:
                for candidate, match in zip(candidates, matches, strict=False):
                    after = (candidate.started_at, candidate.trace_id)
                    spans -= candidate.span_count
                    if match is not None:
                        fitting.append((candidate.trace_id, match))
                if after is None or (len(fitting) < limit and not has_more):
                    found.reached = start_from
                    break
                found.reached, identifier = after
                if len(fitting) == limit or spans <= 0 or time.monotonic() > deadline:
                    found.next_cursor = Cursor(f"{ORDER}{start_from}", found.reached, identifier).encode()
                    break
        traces = await self._batches.traces([trace_id for trace_id, _ in fitting]) if fitting else {}
        found.rows = [(traces[trace_id], match) for trace_id, match in fitting if trace_id in traces]
        return found

    async def _searched(
        self, wanted: TraceFilter, matcher: DeepMatcher, after: Place | None, limit: int
    ) -> AsyncGenerator[tuple[Sequence[Candidate], list[list[bytes] | None], bool]]:
        """Batches of traces, for each trace the spans that made it fit, and whether there are more traces.

        The last batch may be told of in part only: up to the trace with which so many fit as the limit says.
        """
        following: tuple[list[Candidate], bool] | None = None
        is_first = True
        while True:
            candidates, has_more = following or await self._batches.read(wanted, matcher, after, is_descending=True)
            if has_more:
                after = (candidates[-1].started_at, candidates[-1].trace_id)
            searching = asyncio.to_thread(matcher.match_all, candidates, limit)
            if is_first or not has_more:
                # A frequent word fills the page with its first batch: what was read ahead would be for nothing.
                matches, following = await searching, None
            else:
                reading = self._batches.read(wanted, matcher, after, is_descending=True)
                matches, following = await asyncio.gather(searching, reading)
            limit -= sum(match is not None for match in matches)
            yield candidates, matches, has_more
            if not has_more:
                return
            is_first = False


def _place(text: str) -> tuple[int, Cursor]:
    """The start of the window for which a cursor was made, and its place. Raises ValidationFailedError (422)."""
    try:
        made_for = str(json.loads(base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True))[0])
        start = int(made_for.removeprefix(ORDER))
        if not made_for.startswith(ORDER) or not 0 <= start <= MAXIMUM_NS:
            raise ValueError(made_for)
    except (binascii.Error, ValueError, TypeError, LookupError) as error:
        raise _refused("cursor", "is not a cursor of a search of what was sent") from error
    return start, decode_cursor(text, made_for)


def _refused(parameter: str, detail: str) -> ValidationFailedError:
    return ValidationFailedError("The query failed validation", [FieldError(parameter, detail)])
