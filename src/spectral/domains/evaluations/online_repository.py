"""Queries over online evaluations, their days, the traces that wait for them and the scores that they gave."""

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import Any, ClassVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import CursorResult
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import OnlineEvaluation, OnlineEvaluationDay, TraceScore
from spectral.domains.traces.models import TraceArrival
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing, list_newest_first
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

CLAIMED = "claimed"
SCORED = "scored"
FAILED = "failed"

COUNTED = ("evaluated", "failed", "skipped_by_sampling", "skipped_by_budget", "cost_nano_usd", "reserved_nano_usd")


class OnlineEvaluationRepository(WorkspaceRepository[OnlineEvaluation]):
    """The online evaluations of one workspace."""

    model: ClassVar[type[OnlineEvaluation]] = OnlineEvaluation
    kind = "Online evaluation"

    async def lock(self, identifier: UUID) -> OnlineEvaluation:
        """The online evaluation, held against other writers until the transaction ends. Raises NotFoundError."""
        statement = self.select(OnlineEvaluation.id == identifier).with_for_update()
        found = (await self.session.scalars(statement)).one_or_none()
        if found is None:
            raise NotFoundError(self.kind, identifier)
        return found

    async def enabled(self) -> list[OnlineEvaluation]:
        """Those that run, oldest first."""
        return await self.find_all(OnlineEvaluation.enabled.is_(True))


class _Rows:
    """Rows of one workspace that have no id of their own; every statement names the workspace."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self.session = session
        self.access = access

    def _insert(self, table: Any) -> Any:
        dialect = self.session.get_bind().dialect.name
        return (sqlite if dialect == "sqlite" else postgresql).insert(table)


class DayRepository(_Rows):
    """What online evaluations did, by day."""

    def _mine(self, *where: sa.ColumnElement[bool]) -> tuple[sa.ColumnElement[bool], ...]:
        return (OnlineEvaluationDay.workspace_id == self.access.workspace_id, *where)

    async def lock_day(self, online_id: UUID, day: date) -> OnlineEvaluationDay:
        """The day's row, made where there is none, held until the transaction ends: its budget is given out once."""
        made = self._insert(OnlineEvaluationDay).values(
            workspace_id=self.access.workspace_id,
            online_evaluation_id=online_id,
            day=day,
            **dict.fromkeys(("claimed", *COUNTED), 0),
            last_run_at=utc_now(),
        )
        await self.session.execute(made.on_conflict_do_nothing())
        statement = (
            sa.select(OnlineEvaluationDay)
            .where(*self._mine(OnlineEvaluationDay.online_evaluation_id == online_id, OnlineEvaluationDay.day == day))
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return (await self.session.scalars(statement)).one()

    async def totals(self, online_ids: Collection[UUID]) -> dict[UUID, dict[str, Any]]:
        """The sums over all days, and when each last ran, by online evaluation."""
        sums = [sa.func.coalesce(sa.func.sum(getattr(OnlineEvaluationDay, name)), 0).label(name) for name in COUNTED]
        last = sa.func.max(OnlineEvaluationDay.last_run_at, type_=OnlineEvaluationDay.last_run_at.type)
        statement = (
            sa.select(OnlineEvaluationDay.online_evaluation_id, last.label("last_run_at"), *sums)
            .where(*self._mine(OnlineEvaluationDay.online_evaluation_id.in_(online_ids)))
            .group_by(OnlineEvaluationDay.online_evaluation_id)
        )
        rows = (await self.session.execute(statement)).mappings()
        return {row["online_evaluation_id"]: {**row} for row in rows}

    async def of_day(self, online_ids: Collection[UUID], day: date) -> dict[UUID, OnlineEvaluationDay]:
        """One day of each online evaluation that did something on it."""
        statement = sa.select(OnlineEvaluationDay).where(
            *self._mine(OnlineEvaluationDay.online_evaluation_id.in_(online_ids), OnlineEvaluationDay.day == day)
        )
        return {row.online_evaluation_id: row for row in await self.session.scalars(statement)}


class ArrivalRepository(_Rows):
    """The traces of one workspace that nobody has looked at yet."""

    def _mine(self, *where: sa.ColumnElement[bool]) -> tuple[sa.ColumnElement[bool], ...]:
        return (TraceArrival.workspace_id == self.access.workspace_id, *where)

    async def settled(self, before: datetime, limit: int) -> list[bytes]:
        """The traces that have got no spans since that moment, the longest waiting first."""
        statement = (
            sa.select(TraceArrival.trace_id)
            .where(*self._mine(TraceArrival.seen_at <= before))
            .order_by(TraceArrival.seen_at, TraceArrival.trace_id)
            .limit(limit)
        )
        return list(await self.session.scalars(statement))

    async def take(self, trace_ids: Collection[bytes], before: datetime) -> set[bytes]:
        """Remove these arrivals, except those that got spans meanwhile; answers which were removed."""
        # Never waits for ingestion, which locks rows in the order of their keys: what it holds is left for next time.
        free = (
            sa.select(TraceArrival.trace_id)
            .where(*self._mine(TraceArrival.trace_id.in_(trace_ids), TraceArrival.seen_at <= before))
            .with_for_update(skip_locked=True)
        )
        statement = (
            sa.delete(TraceArrival)
            .where(*self._mine(TraceArrival.trace_id.in_(free), TraceArrival.seen_at <= before))
            .returning(TraceArrival.trace_id)
            .execution_options(synchronize_session=False)
        )
        return set(await self.session.scalars(statement))

    async def count(self) -> int:
        """How many traces wait."""
        statement = sa.select(sa.func.count()).select_from(TraceArrival).where(*self._mine())
        return int((await self.session.execute(statement)).scalar_one())

    async def forget_all(self) -> int:
        """Nobody waits for these traces any more; answers how many they were."""
        statement = sa.delete(TraceArrival).where(*self._mine()).execution_options(synchronize_session=False)
        return cast("CursorResult[Any]", await self.session.execute(statement)).rowcount


class TraceScoreRepository(WorkspaceRepository[TraceScore]):
    """What online evaluations made of traces."""

    model: ClassVar[type[TraceScore]] = TraceScore
    kind = "Trace score"

    async def known(self, online_id: UUID, rubric_version: int, trace_ids: Collection[bytes]) -> set[bytes]:
        """Which of these traces this version has scored, or is about to."""
        statement = sa.select(TraceScore.trace_id).where(
            self._mine,
            TraceScore.online_evaluation_id == online_id,
            TraceScore.rubric_version == rubric_version,
            TraceScore.trace_id.in_(trace_ids),
        )
        return set(await self.session.scalars(statement))

    async def claim(self, rows: Sequence[dict[str, Any]]) -> None:
        """Add claimed rows; a second one of the same trace and version is a unique violation."""
        moment = utc_now()
        stamped = [
            {**row, "workspace_id": self.access.workspace_id, "id": new_id(), "created_at": moment} for row in rows
        ]
        # tenancy: every row was stamped with this workspace just above
        await self.session.execute(sa.insert(TraceScore), stamped)

    async def claimed(self, limit: int) -> list[TraceScore]:
        """What was claimed and has no result yet, in the order of the traces."""
        statement = self.select(TraceScore.state == CLAIMED).order_by(TraceScore.trace_id, TraceScore.id).limit(limit)
        return list((await self.session.scalars(statement)).all())

    async def lock_claimed(self, identifiers: Collection[UUID]) -> dict[UUID, TraceScore]:
        """Those of these rows that still have no result, held until the transaction ends."""
        statement = (
            self.select(TraceScore.id.in_(identifiers), TraceScore.state == CLAIMED)
            .order_by(TraceScore.id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        return {row.id: row for row in await self.session.scalars(statement)}

    async def of_evaluation(self, online_id: UUID, page: Page, cursor: str | None) -> Listing:
        """What an online evaluation scored, newest first."""
        statement = self.select(TraceScore.online_evaluation_id == online_id, TraceScore.state != CLAIMED)
        return await list_newest_first(self.session, statement, TraceScore, page, cursor)

    async def of_trace(self, trace_id: bytes, page: Page) -> tuple[list[TraceScore], int]:
        """What was made of one trace, newest first."""
        return await self.page(self.select(TraceScore.trace_id == trace_id, TraceScore.state != CLAIMED), page)

    async def spending_since(self, since: datetime) -> Spending:
        """What scoring cost since that moment, and how many scores did not tell."""
        known = sa.func.coalesce(sa.func.sum(TraceScore.cost_nano_usd), 0)
        unknown = sa.func.count(TraceScore.id) - sa.func.count(TraceScore.cost_nano_usd)
        counted = sa.select(known, unknown).where(
            self._mine, TraceScore.created_at >= since, TraceScore.state != CLAIMED
        )
        row = (await self.session.execute(counted)).one()
        return Spending(int(row[0]), int(row[1]))
