"""Which values the traces of a list have, and how often: what a page offers to narrow the list by."""

import asyncio
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.trace_search import TraceSearch
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.access.principal import WorkspaceAccess

SAMPLED_TRACES = 10_000
SAMPLED_FOR_SPANS = 1_000
SHOWN_VALUES = 50

_TEXT = ("agent_id", "agent_version", "mode", "service", "error_type", "user_id", "session_id")
_SPAN = ("kind", "operation", "provider", "tool_name")


@dataclass(frozen=True, slots=True)
class Facet:
    """The most frequent values with the number of traces that have them; `distinct` counts the others too."""

    values: list[tuple[str, int]]
    distinct: int


@dataclass(frozen=True, slots=True)
class Facets:
    """What the newest matching traces have.

    `traces`: how many those are, 10,000 at most; `is_sampled`: there are more.  span_traces: of how many of them, the
    newest, the spans were looked at for kind, operation, provider and tool_name.  scores: name → (traces, mean).
    """

    traces: int
    is_sampled: bool
    span_traces: int
    facets: dict[str, Facet]
    scores: dict[str, tuple[int, float]]


class FacetReader:
    """Facets of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._search = TraceSearch(session, access)

    async def read(self, wanted: TraceFilter) -> Facets:
        """Over the newest 10,000 traces that fit; deep terms do not narrow them."""
        columns = [getattr(Trace, name) for name in _TEXT]
        lists = [sa.cast(column, sa.Text) for column in (Trace.models, Trace.tags, Trace.scores)]
        # tenancy: the conditions of a search begin with its workspace
        statement = (
            sa.select(Trace.trace_id, Trace.started_at, Trace.ended_at, Trace.status, *columns, *lists)
            .where(*await self._search.conditions(wanted))
            .order_by(Trace.started_at.desc(), Trace.trace_id.desc())
            .limit(SAMPLED_TRACES + 1)
        )
        rows = (await self._session.execute(statement)).all()
        is_sampled = len(rows) > SAMPLED_TRACES
        rows = rows[:SAMPLED_TRACES]
        nearest = rows[:SAMPLED_FOR_SPANS]
        spans = await self._spans(nearest) if nearest else []
        return await asyncio.to_thread(_facets, rows, spans, len(nearest), is_sampled=is_sampled)

    async def _spans(self, traces: Sequence[sa.Row[Any]]) -> Sequence[sa.Row[Any]]:
        """What the spans of these traces are, each only once for a trace."""
        first, last = min(row.started_at for row in traces), max(row.ended_at for row in traces)
        columns = [getattr(SpanRecord, name) for name in _SPAN]
        among = SpanRecord.trace_id.in_([row.trace_id for row in traces])
        statement = sa.select(SpanRecord.trace_id, *columns).where(
            SpanRecord.workspace_id == self._access.workspace_id, among
        )
        if not self._search.is_sqlite:
            # Leaves a few days' partitions to look into. SQLite would take its index by time for it.
            statement = statement.where(SpanRecord.started_at.between(first, last))
        return (await self._session.execute(statement.distinct())).all()


def _facets(rows: Sequence[sa.Row[Any]], spans: Sequence[sa.Row[Any]], span_traces: int, *, is_sampled: bool) -> Facets:
    columns = list(zip(*rows, strict=True)) or [()] * (4 + len(_TEXT) + 3)
    status, texts, lists = columns[3], columns[4 : 4 + len(_TEXT)], columns[4 + len(_TEXT) :]
    facets = {"status": _facet(Counter({SpanStatus.NAMES[code]: count for code, count in Counter(status).items()}))}
    facets |= {name: _facet(Counter(column)) for name, column in zip(_TEXT, texts, strict=True)}
    facets["model"], facets["tag"] = (_facet(_counted(column)) for column in lists[:2])
    of_spans = list(zip(*spans, strict=True)) or [()] * (1 + len(_SPAN))
    for name, column in zip(_SPAN, of_spans[1:], strict=True):
        # A trace has a value once, in however many of its spans.
        pairs = set(zip(of_spans[0], column, strict=True))
        facets[name] = _facet(Counter(value for _, value in pairs))
    return Facets(len(rows), is_sampled, span_traces, facets, _scores(lists[2]))


def _facet(counted: "Counter[Any]") -> Facet:
    counted.pop(None, None)
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_VALUES]
    return Facet(most, len(counted))


def _counted(texts: Iterable[str]) -> "Counter[Any]":
    """Elements of lists in JSON; equal lists are read once."""
    found: Counter[Any] = Counter()
    for text, count in Counter(texts).items():
        for value in json.loads(text):
            found[value] += count
    return found


def _scores(texts: Iterable[str]) -> dict[str, tuple[int, float]]:
    sums: dict[str, tuple[int, float]] = {}
    for text, count in Counter(texts).items():
        for name, score in cast("dict[str, float]", json.loads(text)).items():
            traces, total = sums.get(name, (0, 0.0))
            sums[name] = (traces + count, total + score * count)
    return {name: (traces, total / traces) for name, (traces, total) in sorted(sums.items())}
