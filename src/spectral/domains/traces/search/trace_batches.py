"""Traces with their chunks, a few at a time, each time in a short transaction: for what reads many of them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import defer

from spectral.domains.traces.models import SpanChunk, Trace
from spectral.domains.traces.moments import MAXIMUM_NS
from spectral.domains.traces.search.filter_compiler import FilterCompiler
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.trace_search import TraceSearch
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database

BATCH_TRACES = 500
BATCH_SPANS = 4_000
DAY_NS = 86_400 * 10**9

Place = tuple[int, bytes]
"""Start and id of a trace."""


class Candidate(NamedTuple):
    """A trace, what its row says to the facts that were asked for, and its chunks (payload, codec)."""

    trace_id: bytes
    started_at: int
    span_count: int
    facts: Sequence[Any]
    chunks: list[tuple[bytes, int]]


class Facts(Protocol):
    """What is to be known of a row besides its columns."""

    def facts(self, compiler: FilterCompiler) -> list[sa.Label[bool]]: ...


class TraceBatches:
    """Reads one workspace's traces in the order of their start; holds no transaction between two batches."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self._database = database
        self._access = access

    async def read(
        self, wanted: TraceFilter, asked: Facts, after: Place | None, *, is_descending: bool
    ) -> tuple[list[Candidate], bool]:
        """The next traces whose rows fit, some thousand spans, one trace at least; and whether there are more."""
        async with self._database.session(self._access, read_only=True) as session:
            search = TraceSearch(session, self._access)
            key = (Trace.started_at, Trace.trace_id)
            columns = (Trace.trace_id, Trace.started_at, Trace.ended_at, Trace.span_count)
            # tenancy: the conditions of a search begin with its workspace
            statement = (
                sa.select(*columns, *asked.facts(search.compiler))
                .where(*await search.conditions(wanted))
                .order_by(*(part.desc() if is_descending else part.asc() for part in key))
                .limit(BATCH_TRACES + 1)
            )
            if after is not None:
                place = sa.tuple_(sa.literal(after[0], sa.BigInteger), sa.literal(after[1], sa.LargeBinary))
                here = sa.tuple_(*key)
                statement = statement.where(here < place if is_descending else here > place)
            # Not through the session, which would take as long again over these rows.
            connection = await session.connection()
            rows = (await connection.execute(statement)).all()
            taken = _first(rows)
            chunks: dict[bytes, list[tuple[bytes, int]]] = {}
            if taken:
                for trace_id, payload, codec in await connection.execute(self._chunks(taken)):
                    chunks.setdefault(trace_id, []).append((payload, codec))
        candidates = [
            Candidate(trace_id, started_at, span_count, facts, chunks.get(trace_id, []))
            for trace_id, started_at, _, span_count, *facts in taken
        ]
        return candidates, len(rows) > len(taken)

    async def traces(self, identifiers: Sequence[bytes]) -> dict[bytes, Trace]:
        """The rows of these traces by their ids; of those that are still there."""
        async with self._database.session(self._access, read_only=True) as session:
            statement = (
                sa.select(Trace)
                .where(Trace.workspace_id == self._access.workspace_id, Trace.trace_id.in_(identifiers))
                .options(defer(Trace.state, raiseload=True))
            )
            return {trace.trace_id: trace for trace in await session.scalars(statement)}

    async def find(self, trace_id: bytes) -> Place | None:
        """Where a trace stands."""
        async with self._database.session(self._access, read_only=True) as session:
            statement = sa.select(Trace.started_at).where(
                Trace.workspace_id == self._access.workspace_id, Trace.trace_id == trace_id
            )
            started_at = (await session.execute(statement)).scalar_one_or_none()
        return None if started_at is None else (started_at, trace_id)

    def _chunks(self, traces: Sequence[sa.Row[Any]]) -> sa.Select[tuple[bytes, bytes, int]]:
        # Leaves a few days' partitions to look into. A chunk with a copy that lost may begin before its trace does now.
        first = min(trace.started_at for trace in traces) - DAY_NS
        last = min(max(trace.ended_at for trace in traces) + DAY_NS, MAXIMUM_NS)
        return sa.select(SpanChunk.trace_id, SpanChunk.payload, SpanChunk.codec).where(
            SpanChunk.workspace_id == self._access.workspace_id,
            SpanChunk.trace_id.in_([trace.trace_id for trace in traces]),
            SpanChunk.start_ns.between(first, last),
        )


def _first(rows: Sequence[Any]) -> Sequence[Any]:
    spans = 0
    for number, row in enumerate(rows[:BATCH_TRACES]):
        spans += row.span_count
        if spans > BATCH_SPANS:
            return rows[: max(number, 1)]
    return rows[:BATCH_TRACES]
