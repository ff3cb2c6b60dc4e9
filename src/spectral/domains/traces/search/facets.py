"""Which values the traces of a list have, and how often: what a page offers to narrow the list by."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.search.trace_filter import Condition, TraceFilter
from spectral.domains.traces.search.trace_search import TraceSearch
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.access.principal import WorkspaceAccess

SAMPLED_TRACES = 10_000
SAMPLED_FOR_SPANS = 1_000
SHOWN_VALUES = 50

_TEXT = ("agent_id", "agent_version", "mode", "service", "error_type", "user_id", "session_id")
_LISTS = ("models", "tags", "scores")
_SPAN = ("kind", "operation", "provider", "tool_name")

Column = str | None
"""What one column has in each row, as a list in JSON; None where PostgreSQL has no row."""


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
        statement = self._statement(await self._search.conditions(wanted))
        columns = (await self._session.execute(statement)).mappings().one()
        keys = [_values(columns[name])[:SAMPLED_FOR_SPANS] for name in ("trace_id", "started_at", "ended_at")]
        of_spans = await self._spans(*keys) if keys[0] else []
        return await asyncio.to_thread(_facets, columns, of_spans, len(keys[0]))

    def _statement(self, conditions: Sequence[Condition]) -> sa.Select[Any]:
        """The newest traces, one more than are counted, as one row: each column with all of its values, newest first.

        As rows they would take the driver and this process several times as long.
        """
        plain = (Trace.started_at, Trace.ended_at, Trace.status, *(getattr(Trace, name) for name in _TEXT))
        is_sqlite, trace_id = self._search.is_sqlite, Trace.trace_id
        in_hex = sa.func.hex(trace_id) if is_sqlite else sa.func.encode(trace_id, "hex")
        # tenancy: the conditions of a search begin with its workspace
        newest = (
            sa.select(
                in_hex.label("trace_id"),
                *plain,
                *(sa.cast(getattr(Trace, name), sa.Text).label(name) for name in _LISTS),
            )
            .where(*conditions)
            .order_by(Trace.started_at.desc(), Trace.trace_id.desc())
            .limit(SAMPLED_TRACES + 1)
            .subquery()
        )
        gathered = sa.func.json_group_array if is_sqlite else sa.func.json_agg
        return sa.select(*(sa.cast(gathered(column), sa.Text).label(column.key) for column in newest.c))

    async def _spans(self, trace_ids: list[str], starts: list[int], ends: list[int]) -> Sequence[sa.Row[Any]]:
        """What the spans of these traces are: (facet, value, in how many of the traces)."""
        columns = [getattr(SpanRecord, name) for name in _SPAN]
        among = SpanRecord.trace_id.in_(list(map(bytes.fromhex, trace_ids)))
        statement = sa.select(SpanRecord.trace_id, *columns).where(
            SpanRecord.workspace_id == self._access.workspace_id, among
        )
        if not self._search.is_sqlite:
            # Leaves a few days' partitions to look into. SQLite would take its index by time for it.
            statement = statement.where(SpanRecord.started_at.between(min(starts), max(ends)))
        # A trace has a value once, in however many of its spans.
        spans = statement.distinct().cte("spans").c
        traces = sa.func.count(sa.distinct(spans.trace_id))
        facets = (sa.select(sa.literal(name, sa.Text), spans[name], traces).group_by(spans[name]) for name in _SPAN)
        return (await self._session.execute(sa.union_all(*facets))).all()


def _facets(columns: Mapping[Any, Column], of_spans: Sequence[sa.Row[Any]], span_traces: int) -> Facets:
    status = _counted(columns["status"])
    facets = {"status": _facet(Counter({SpanStatus.NAMES[code]: count for code, count in status.items()}))}
    facets |= {name: _facet(_counted(columns[name])) for name in _TEXT}
    facets["model"], facets["tag"] = (_facet(_elements(_counted(columns[name]))) for name in ("models", "tags"))
    for name in _SPAN:
        facets[name] = _facet(Counter({value: count for facet, value, count in of_spans if facet == name}))
    traces = len(_values(columns["started_at"]))
    scores = _scores(_counted(columns["scores"]))
    return Facets(min(traces, SAMPLED_TRACES), traces > SAMPLED_TRACES, span_traces, facets, scores)


def _values(column: Column) -> list[Any]:
    return msgspec.json.decode(column, type=list[Any]) if column is not None else []


def _counted(column: Column) -> "Counter[Any]":
    return Counter(_values(column)[:SAMPLED_TRACES])


def _facet(counted: "Counter[Any]") -> Facet:
    counted.pop(None, None)
    most = sorted(counted.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_VALUES]
    return Facet(most, len(counted))


def _elements(texts: "Counter[str]") -> "Counter[Any]":
    """Elements of lists in JSON."""
    found: Counter[Any] = Counter()
    for text, count in texts.items():
        for value in json.loads(text):
            found[value] += count
    return found


def _scores(texts: "Counter[str]") -> dict[str, tuple[int, float]]:
    sums: dict[str, tuple[int, float]] = {}
    for text, count in texts.items():
        for name, score in cast("dict[str, float]", json.loads(text)).items():
            traces, total = sums.get(name, (0, 0.0))
            sums[name] = (traces + count, total + score * count)
    return {name: (traces, total / traces) for name, (traces, total) in sorted(sums.items())}
