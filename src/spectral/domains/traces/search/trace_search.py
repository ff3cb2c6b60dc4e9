"""Lists of traces: found by index where one serves, counted with bounded work, paged by key."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from spectral.domains.traces.models import Trace
from spectral.domains.traces.search.filter_compiler import IS_SHOWN, FilterCompiler
from spectral.domains.traces.search.trace_filter import Condition, Sort, TraceFilter
from spectral.domains.traces.search.words import Words
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.cursors import COUNTED, Cursor
from spectral.platform.shared.pagination import Page

RARE = 10_000
"""So many traces with the wanted words are looked up one by one; with more of them the list is walked instead."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of rows, how many there are (counted up to 10,000), and whether there are more after them."""

    rows: Sequence[Any]
    total: int
    is_estimate: bool
    has_more: bool


@dataclass(frozen=True, slots=True)
class _Found:
    """The conditions that wanted words come to. `counted`: instead of `listed`, when there are too many to count."""

    listed: list[Condition]
    counted: list[Condition]
    is_common: bool = False


class TraceSearch:
    """The traces of one workspace that a filter lets through, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self.is_sqlite = session.get_bind().dialect.name == "sqlite"
        self.compiler = FilterCompiler(access.workspace_id, is_sqlite=self.is_sqlite)

    @property
    def _mine(self) -> Condition:
        return Trace.workspace_id == self._access.workspace_id

    async def page(self, wanted: TraceFilter, sort: Sort, page: Page, cursor: Cursor | None) -> Listed:
        """One page in the order of `sort`. The total is exact up to 10,000 traces that an index can narrow down to.

        Beyond, it counts among the newest 10,000 of those, and is an estimate: at least so many.
        """
        quick, rest = wanted.quick(self.compiler), wanted.rest(self.compiler)
        found = await self._words(wanted.words, is_by_time=sort.is_by_time)
        if found.counted:
            total = await self._exact_count([*quick, *rest, *found.counted], one_by_one=True)
            is_estimate = found.is_common
        else:
            total, is_estimate = await self._count(quick, rest)
        key = sort.key(self.compiler)
        statement = sa.select(Trace).where(self._mine, *quick, *rest, *found.listed, IS_SHOWN)
        if cursor is not None:
            after, here = sa.tuple_(*sort.after(cursor)), sa.tuple_(key, Trace.trace_id)
            statement = statement.where(here < after if sort.is_descending else here > after)
        order = (key.desc(), Trace.trace_id.desc()) if sort.is_descending else (key.asc(), Trace.trace_id.asc())
        statement = statement.order_by(*order).limit(page.limit + 1)
        if cursor is None:
            statement = statement.offset(page.offset)
        if not sort.is_by_time:
            # No index has this order: what has to be sorted is sorted without the rest of its rows, which are wide.
            among = Trace.trace_id.in_(statement.with_only_columns(Trace.trace_id).correlate(None))
            statement = sa.select(Trace).where(self._mine, among).order_by(*order)
        statement = statement.options(defer(Trace.state, raiseload=True))
        rows = (await self._session.scalars(statement)).all()
        return Listed(rows[: page.limit], total, is_estimate, len(rows) > page.limit)

    async def conditions(self, wanted: TraceFilter) -> list[Condition]:
        """The WHERE clause, its workspace included; of deep terms nothing."""
        return [*await self.unchecked_conditions(wanted), IS_SHOWN]

    async def unchecked_conditions(self, wanted: TraceFilter) -> list[Condition]:
        """The same for statements that traces without a span cannot fit; an index alone may then answer them."""
        found = await self._words(wanted.words, is_by_time=True)
        return [self._mine, *wanted.quick(self.compiler), *wanted.rest(self.compiler), *found.listed]

    async def _count(self, quick: list[Condition], rest: list[Condition]) -> tuple[int, bool]:
        """How many fit, and whether that is only among the newest: never more than 10,000 rows are looked at."""
        oldest = (
            sa.select(Trace.started_at)
            .where(self._mine, *quick)
            .order_by(Trace.started_at.desc(), Trace.trace_id.desc())
            .offset(COUNTED)
            .limit(1)
        )
        limit = (await self._session.execute(oldest)).scalar_one_or_none()
        if limit is not None and not rest:
            return COUNTED, True
        newest = [] if limit is None else [Trace.started_at > limit]
        return await self._exact_count([*quick, *rest, *newest]), limit is not None

    async def _exact_count(self, conditions: list[Condition], *, one_by_one: bool = False) -> int:
        """one_by_one: the conditions name the rows; SQLite would walk all of the workspace's to come by them."""
        mine = self._mine
        if one_by_one and self.is_sqlite:
            mine = sa.func.likelihood(mine, sa.literal_column("0.99"))
        # tenancy: `mine` is the workspace
        counted = sa.select(sa.func.count()).select_from(Trace).where(mine, *conditions, IS_SHOWN)
        return min(int((await self._session.execute(counted)).scalar_one()), COUNTED)

    async def _words(self, words: Words | None, *, is_by_time: bool) -> _Found:
        if words is None:
            return _Found([], [])
        if self.is_sqlite:
            return await self._words_on_sqlite(words)
        return await self._words_on_postgresql(words, is_by_time=is_by_time)

    async def _words_on_sqlite(self, words: Words) -> _Found:
        match = words.fts5(self._access.workspace_id)
        # tenancy: the workspace's own word stands in the expression, and what is found is a condition beside `_mine`
        newest = sa.text(
            "SELECT rowid FROM trace_search WHERE trace_search MATCH :match ORDER BY rowid DESC LIMIT :most"
        )
        rows = (await self._session.execute(newest, {"match": match, "most": RARE + 1})).scalars().all()
        sample = _rows_among(rows)
        if len(rows) <= RARE:
            return _Found([sample], [sample])
        # The sign keeps SQLite from starting there: it walks the list in its order instead, and looks each row up.
        every = sa.text("+trace.rowid IN (SELECT rowid FROM trace_search WHERE trace_search MATCH :match)")
        return _Found([cast("Condition", every.bindparams(match=match))], [sample], is_common=True)

    async def _words_on_postgresql(self, words: Words, *, is_by_time: bool) -> _Found:
        query = words.tsquery(self._access.workspace_id)
        searched = sa.select(sa.func.spectral_search_traces(query, RARE + 1))
        identifiers = (await self._session.execute(searched)).scalars().all()
        sample = _traces_among(identifiers)
        if len(identifiers) <= RARE:
            return _Found([sample], [sample])
        if not is_by_time:
            every = sa.select(sa.func.spectral_search_traces(query, 2**31 - 1)).scalar_subquery()
            return _Found([Trace.trace_id.in_(every)], [sample], is_common=True)
        document = sa.func.spectral_trace_document(
            Trace.workspace_id, Trace.name, Trace.input_preview, Trace.output_preview
        )
        fits = document.bool_op("@@")(sa.func.to_tsquery(sa.text("'simple'::regconfig"), query))
        return _Found([fits], [sample], is_common=True)


def _rows_among(rows: Sequence[int]) -> Condition:
    among = sa.text("trace.rowid IN (SELECT value FROM json_each(:rows))")
    return cast("Condition", among.bindparams(rows="[" + ",".join(map(str, rows)) + "]"))


def _traces_among(identifiers: Sequence[bytes]) -> Condition:
    array = sa.literal(list(identifiers), sa.ARRAY(sa.LargeBinary))
    return Trace.trace_id == sa.any_(array)
