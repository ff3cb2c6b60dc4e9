"""Traces by session or by user: what belongs together, and what it came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.models import Trace
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.trace_search import TraceSearch
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.cursors import COUNTED, Cursor, decode_cursor
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

Grouping = Literal["session_id", "user_id"]

SCORED_TRACES = 10_000

LAST_SEEN = sa.func.max(Trace.started_at)
SORTS: dict[str, sa.ColumnElement[Any]] = {
    "last_seen_at": LAST_SEEN,
    "traces": sa.func.count(),
    "cost_usd": sa.func.coalesce(sa.func.sum(Trace.cost_nano_usd), -1),
}
"""What groups can be sorted by; those without a known cost stand below those that cost nothing."""


@dataclass(frozen=True, slots=True)
class TraceGroup:
    """The traces of one session or user. Times in nanoseconds, of the starts of its first and last trace.

    `cost_nano_usd`: the known part, None when none is; `failed_traces`: with a span that failed; `others`: how many
    users a session has, or sessions a user.
    """

    identifier: str
    traces: int
    failed_traces: int
    spans: int
    first_seen_at: int
    last_seen_at: int
    input_tokens: int
    output_tokens: int
    cost_nano_usd: int | None
    unpriced_spans: int
    mean_duration_ns: int
    others: int
    scores: dict[str, float]


@dataclass(frozen=True, slots=True)
class GroupListing:
    """One page of groups."""

    groups: list[TraceGroup]
    total: int
    next_cursor: str | None


class GroupReader:
    """Sessions or users of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, grouping: Grouping) -> None:
        self._session = session
        self._search = TraceSearch(session, access)
        self._grouping = grouping
        self._column = cast("sa.ColumnElement[str]", getattr(Trace, grouping))
        other = Trace.user_id if grouping == "session_id" else Trace.session_id
        self._others = sa.func.count(sa.distinct(other))

    async def page(self, wanted: TraceFilter, sort: str, page: Page, cursor: str | None) -> GroupListing:
        """Groups of the traces that fit. Raises ValidationFailedError for a bad sort or cursor."""
        name, is_descending = sort.removeprefix("-"), sort.startswith("-")
        if name not in SORTS:
            wrong = f"must be one of {', '.join(sorted(SORTS))}, with - for descending"
            raise ValidationFailedError("The query failed validation", [FieldError("sort", wrong)])
        # Without a span nobody has named a session or a user.
        conditions = await self._search.unchecked_conditions(wanted)
        keys = sa.select(self._column.label("id"), SORTS[name].label("key")).where(*conditions)
        grouped = keys.where(self._column.is_not(None)).group_by(self._column).subquery()
        counted = sa.select(grouped, sa.func.count().over().label("total")).subquery()
        statement = sa.select(counted)
        if cursor is not None:
            place = sa.tuple_(*_place(decode_cursor(cursor, f"{self._grouping}:{sort}")))
            here = sa.tuple_(counted.c.key, counted.c.id)
            statement = statement.where(here < place if is_descending else here > place)
        order = (counted.c.key, counted.c.id)
        statement = statement.order_by(*(part.desc() if is_descending else part.asc() for part in order))
        rows = (await self._session.execute(statement.limit(page.limit + 1).offset(page.offset))).all()
        shown = rows[: page.limit]
        groups = await self._groups([row.id for row in shown], conditions) if shown else {}
        next_cursor = None
        if len(rows) > page.limit:
            last = shown[-1]
            next_cursor = Cursor(f"{self._grouping}:{sort}", int(last.key), last.id.encode()).encode()
        total = rows[0].total if rows else 0
        return GroupListing([groups[row.id] for row in shown], min(total, COUNTED), next_cursor)

    async def _groups(
        self, identifiers: Sequence[str], conditions: Sequence[sa.ColumnElement[bool]]
    ) -> dict[str, TraceGroup]:
        among = [*conditions, self._column.in_(identifiers)]
        sums = (Trace.span_count, Trace.input_tokens, Trace.output_tokens, Trace.cost_nano_usd, Trace.unpriced_spans)
        # tenancy: the conditions of a search begin with its workspace
        statement = (
            sa.select(
                self._column.label("id"),
                sa.func.count().label("traces"),
                sa.func.sum(sa.case((Trace.error_count > 0, 1), else_=0)).label("failed_traces"),
                sa.func.min(Trace.started_at).label("first_seen_at"),
                sa.func.max(Trace.started_at).label("last_seen_at"),
                sa.func.sum(Trace.duration_ns).label("duration_ns"),
                self._others.label("others"),
                *(sa.func.sum(column).label(column.key) for column in sums),
            )
            .where(*among)
            .group_by(self._column)
        )
        scores = await self._scores(among)
        return {
            row.id: TraceGroup(
                identifier=row.id,
                traces=row.traces,
                failed_traces=int(row.failed_traces),
                spans=int(row.span_count),
                first_seen_at=row.first_seen_at,
                last_seen_at=row.last_seen_at,
                input_tokens=int(row.input_tokens),
                output_tokens=int(row.output_tokens),
                cost_nano_usd=None if row.cost_nano_usd is None else int(row.cost_nano_usd),
                unpriced_spans=int(row.unpriced_spans),
                mean_duration_ns=int(row.duration_ns) // row.traces,
                others=row.others,
                scores=scores.get(row.id, {}),
            )
            for row in await self._session.execute(statement)
        }

    async def _scores(self, among: Sequence[sa.ColumnElement[bool]]) -> dict[str, dict[str, float]]:
        """Means over the newest traces that have scores."""
        # tenancy: the conditions of a search begin with its workspace
        statement = (
            sa.select(self._column, Trace.scores)
            .where(*among, sa.cast(Trace.scores, sa.Text) != "{}")
            # A sum, so that no index by time is walked for the order: these are few, and found by their group.
            .order_by((Trace.started_at + 0).desc())
            .limit(SCORED_TRACES)
        )
        sums: dict[str, dict[str, tuple[int, float]]] = {}
        for identifier, scores in await self._session.execute(statement):
            mine = sums.setdefault(identifier, {})
            for name, score in scores.items():
                count, total = mine.get(name, (0, 0.0))
                mine[name] = (count + 1, total + score)
        return {
            identifier: {name: total / count for name, (count, total) in sorted(found.items())}
            for identifier, found in sums.items()
        }


def _place(cursor: Cursor) -> tuple[sa.ColumnElement[Any], sa.ColumnElement[str]]:
    try:
        identifier = cursor.identifier.decode()
        if "\x00" in identifier:
            raise ValueError(identifier)
    except ValueError as error:
        wrong = [FieldError("cursor", "is not a cursor of this route")]
        raise ValidationFailedError("The query failed validation", wrong) from error
    return sa.literal(cursor.value, sa.BigInteger), sa.literal(identifier, sa.Text)
