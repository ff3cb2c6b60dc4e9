"""Queries over runs, their steps, events, checkpoints and open questions. Nothing here writes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import aliased, defer

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import (
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowStep,
)
from spectral.domains.workflows.runs.slices import Listed, Order, Slice, read_listed, read_slice
from spectral.platform.db.repository import Condition, WorkspaceRepository
from spectral.platform.shared.cursors import COUNTED
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

LOG = "log"
TOKEN = "token"  # noqa: S105 - a kind of event
IN_FLIGHT = ("running", "waiting")

BY_CREATION = Order("created_at", WorkflowRun.created_at, WorkflowRun.id, is_moment=True)
BY_ORDINAL = Order("ordinal", WorkflowStep.ordinal, WorkflowStep.id)
BY_SEQ = Order("seq", WorkflowRunEvent.seq)
BY_INDEX = Order("index", WorkflowCheckpoint.index)


@dataclass(frozen=True, slots=True)
class RunFilter:
    """Which runs are wanted; what is None or empty does not narrow.

    start: created then or later.  end: created before.  metadata: values as text.  parent: a run's name or id.
    """

    workflow: str | None = None
    version: int | None = None
    statuses: Collection[RunStatus] = ()
    start: datetime | None = None
    end: datetime | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    tags: Sequence[str] = ()
    metadata: Mapping[str, str] = field(default_factory=dict)
    parent: str | None = None


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events are wanted.

    after: only higher numbers.  types: names, or beginnings that end with `.*`.  levels, category: of logs.
    """

    after: int = 0
    generation: int | None = None
    types: Sequence[str] = ()
    without: Sequence[str] = ()
    levels: Collection[str] = ()
    category: str | None = None

    @property
    def is_open(self) -> bool:
        """Whether every event of a run is wanted."""
        return self == EventFilter()

    def takes(self, type: str, generation: int) -> bool:
        """Whether an event of this type and generation is wanted, so far as these decide."""
        if self.generation is not None and generation != self.generation:
            return False
        return not self.types or any(
            type.startswith(wanted[:-1]) if wanted.endswith(".*") else type == wanted for wanted in self.types
        )


@dataclass(frozen=True, slots=True)
class RunFigures:
    """What other tables say about a run in its present generation; children: over all generations."""

    steps: int
    pending_interrupts: int
    children: int


@dataclass(frozen=True, slots=True)
class Tail:
    """A run's events after some number, and how the run stood when they were read."""

    status: str
    generation: int
    last_seq: int
    events: Sequence[WorkflowRunEvent]


@dataclass(frozen=True, slots=True)
class Durations:
    """Of runs that have ended, in milliseconds; None while there are none. Percentiles by nearest rank."""

    average: float | None
    p50: int | None
    p95: int | None


class RunReadRepository(WorkspaceRepository[WorkflowRun]):
    """The runs of one workspace, as readers want them."""

    model: ClassVar[type[WorkflowRun]] = WorkflowRun
    kind = "Run"

    async def find_by_name(self, name: str) -> WorkflowRun:
        """The run of this name, else of this id. Raises NotFoundError."""
        # Nobody keeps people from calling a run by another one's id: then the name wins.
        named_first = sa.case((WorkflowRun.name == name, 0), else_=1)
        statement = self.select(_is(WorkflowRun, name)).order_by(named_first).limit(1)
        run = (await self.session.scalars(statement)).one_or_none()
        if run is None:
            raise NotFoundError(self.kind, name)
        return run

    async def list_runs(self, wanted: RunFilter, page: Page, cursor: str | None, *, newest_first: bool) -> Listed[Any]:
        """One page of runs without their large columns."""
        large = (WorkflowRun.inputs, WorkflowRun.outputs, WorkflowRun.context, WorkflowRun.options)
        statement = self.select(*self._narrowed(wanted)).options(*(defer(column, raiseload=True) for column in large))
        return await read_listed(
            self.session, statement, BY_CREATION, newest_first=newest_first, page=page, cursor=cursor
        )

    async def figures(self, run: WorkflowRun) -> RunFigures:
        """What its steps, questions and children count."""
        steps = self._count_of(WorkflowStep, WorkflowStep.run_id == run.id, WorkflowStep.generation == run.generation)
        asked = self._count_of(
            WorkflowInterrupt,
            WorkflowInterrupt.run_id == run.id,
            WorkflowInterrupt.generation == run.generation,
            WorkflowInterrupt.status == "pending",
        )
        children = self._count_of(WorkflowRun, WorkflowRun.parent_run_id == run.id)
        row = (await self.session.execute(sa.select(steps, asked, children))).one()
        return RunFigures(int(row[0]), int(row[1]), int(row[2]))

    async def step_counts(self, runs: Sequence[WorkflowRun]) -> dict[UUID, int]:
        """How many steps each has begun in its present generation; those without any are left out."""
        statement = (
            sa.select(WorkflowStep.run_id, sa.func.count())
            .join(
                WorkflowRun,
                sa.and_(WorkflowRun.workspace_id == WorkflowStep.workspace_id, WorkflowRun.id == WorkflowStep.run_id),
            )
            .where(
                self._mine,
                WorkflowStep.run_id.in_([run.id for run in runs]),
                WorkflowStep.generation == WorkflowRun.generation,
            )
            .group_by(WorkflowStep.run_id)
        )
        return {row[0]: int(row[1]) for row in await self.session.execute(statement)}

    async def counts(self, wanted: RunFilter) -> list[tuple[str | None, str, int]]:
        """How many runs there are of each workflow in each status."""
        statement = (
            sa.select(WorkflowRun.workflow_name, WorkflowRun.status, sa.func.count())
            .where(self._mine, *self._narrowed(wanted))
            .group_by(WorkflowRun.workflow_name, WorkflowRun.status)
        )
        return [(row[0], row[1], int(row[2])) for row in await self.session.execute(statement)]

    async def durations(self, wanted: RunFilter) -> Durations:
        """From start to end, of the last 10,000 of these runs that have ended."""
        ended = (
            sa.select(self._duration_ms().label("ms"))
            .where(
                self._mine,
                *self._narrowed(wanted),
                WorkflowRun.started_at.is_not(None),
                WorkflowRun.finished_at.is_not(None),
            )
            .order_by(WorkflowRun.created_at.desc(), WorkflowRun.id.desc())
            .limit(COUNTED)
            .subquery()
        )
        ranked = sa.select(
            ended.c.ms,
            sa.func.row_number().over(order_by=ended.c.ms).label("rank"),
            sa.func.count().over().label("total"),
        ).subquery()
        # The nearest rank of p percent of n values is ⌈pn/100⌉, in integers ⌊(pn + 99)/100⌋.
        p50, p95 = ((ranked.c.total * percent + 99) // 100 for percent in (50, 95))
        statement = sa.select(
            sa.func.avg(ranked.c.ms),
            sa.func.max(sa.case((ranked.c.rank == p50, ranked.c.ms))),
            sa.func.max(sa.case((ranked.c.rank == p95, ranked.c.ms))),
        )
        average, middle, high = (await self.session.execute(statement)).one()
        if average is None:
            return Durations(None, None, None)
        return Durations(round(float(average), 3), round(middle), round(high))

    def _duration_ms(self) -> sa.ColumnElement[float]:
        if self.session.get_bind().dialect.name == "sqlite":
            days = sa.func.julianday(WorkflowRun.finished_at) - sa.func.julianday(WorkflowRun.started_at)
            return days * 86_400_000
        return sa.cast(sa.extract("epoch", WorkflowRun.finished_at - WorkflowRun.started_at) * 1000, sa.Double())

    def _count_of(self, model: type[Any], *where: Condition) -> sa.ScalarSelect[int]:
        counted = sa.select(sa.func.count()).select_from(model)
        return counted.where(model.workspace_id == self.access.workspace_id, *where).scalar_subquery()

    def _narrowed(self, wanted: RunFilter) -> list[Condition]:
        equal = {
            WorkflowRun.workflow_name: wanted.workflow,
            WorkflowRun.workflow_version: wanted.version,
            WorkflowRun.user_id: wanted.user_id,
            WorkflowRun.conversation_id: wanted.conversation_id,
        }
        where: list[Condition] = [column == value for column, value in equal.items() if value is not None]
        if wanted.statuses:
            where.append(WorkflowRun.status.in_([status.value for status in wanted.statuses]))
        if wanted.parent is not None:
            parent = aliased(WorkflowRun)
            mine = parent.workspace_id == self.access.workspace_id
            where.append(WorkflowRun.parent_run_id.in_(sa.select(parent.id).where(mine, _is(parent, wanted.parent))))
        if wanted.start is not None:
            where.append(WorkflowRun.created_at >= wanted.start)
        if wanted.end is not None:
            where.append(WorkflowRun.created_at < wanted.end)
        is_sqlite = self.session.get_bind().dialect.name == "sqlite"
        where += [_has_tag(tag, is_sqlite=is_sqlite) for tag in wanted.tags]
        where += [_has_label(key, value, is_sqlite=is_sqlite) for key, value in wanted.metadata.items()]
        return where


class StepReadRepository(WorkspaceRepository[WorkflowStep]):
    """The steps of the runs of one workspace."""

    model: ClassVar[type[WorkflowStep]] = WorkflowStep
    kind = "Step"

    async def page_of_run(
        self, run: WorkflowRun, generation: int, page: Page, cursor: str | None, *, newest_first: bool
    ) -> Listed[WorkflowStep]:
        """In the order of first start, or the other way round."""
        statement = self.select(WorkflowStep.run_id == run.id, WorkflowStep.generation == generation)
        return await read_listed(
            self.session, statement, BY_ORDINAL, newest_first=newest_first, page=page, cursor=cursor
        )

    async def slice_of_run(
        self, run: WorkflowRun, generation: int, limit: int, cursor: str | None, *, newest_first: bool
    ) -> Slice[WorkflowStep]:
        """As `page_of_run`, not counted; the query calls the cursor `steps_cursor`."""
        statement = self.select(WorkflowStep.run_id == run.id, WorkflowStep.generation == generation)
        return await read_slice(
            self.session,
            statement,
            BY_ORDINAL,
            newest_first=newest_first,
            limit=limit,
            cursor=cursor,
            parameter="steps_cursor",
        )

    async def current(self, run: WorkflowRun) -> WorkflowStep | None:
        """The step in flight that began last, without what went in and came out."""
        statement = (
            self.select(
                WorkflowStep.run_id == run.id,
                WorkflowStep.generation == run.generation,
                WorkflowStep.status.in_(IN_FLIGHT),
            )
            .options(defer(WorkflowStep.inputs, raiseload=True), defer(WorkflowStep.outputs, raiseload=True))
            .order_by(WorkflowStep.ordinal.desc(), WorkflowStep.id.desc())
            .limit(1)
        )
        return (await self.session.scalars(statement)).one_or_none()


class EventReadRepository(WorkspaceRepository[WorkflowRunEvent]):
    """The events of the runs of one workspace, in order of commit."""

    model: ClassVar[type[WorkflowRunEvent]] = WorkflowRunEvent
    kind = "Event"

    async def page_of_run(
        self, run: WorkflowRun, wanted: EventFilter, page: Page, cursor: str | None, *, newest_first: bool
    ) -> Listed[WorkflowRunEvent]:
        """One page, with how many there are in all."""
        return await read_listed(
            self.session,
            self._wanted(run.id, wanted),
            BY_SEQ,
            newest_first=newest_first,
            page=page,
            cursor=cursor,
            # They are numbered without gaps.
            total=run.last_seq if wanted.is_open else None,
        )

    async def slice_of_run(
        self,
        run: WorkflowRun,
        wanted: EventFilter,
        limit: int,
        cursor: str | None,
        *,
        newest_first: bool,
        parameter: str,
    ) -> Slice[WorkflowRunEvent]:
        """As `page_of_run`, not counted; `parameter` is what the query calls the cursor."""
        return await read_slice(
            self.session,
            self._wanted(run.id, wanted),
            BY_SEQ,
            newest_first=newest_first,
            limit=limit,
            cursor=cursor,
            parameter=parameter,
        )

    async def tail(self, run_id: UUID, after: int, limit: int, characters: int) -> Tail | None:
        """The next events after that number, in one statement; None when the run is gone.

        At most `limit`, and after the first one no more than fill so many characters of JSON.
        """
        size = sa.func.length(sa.cast(WorkflowRunEvent.data, sa.Text()))
        sized = (
            sa.select(WorkflowRunEvent, size.label("size"))
            .where(self._mine, WorkflowRunEvent.run_id == run_id, WorkflowRunEvent.seq > after)
            .order_by(WorkflowRunEvent.seq)
            .limit(limit)
            .subquery()
        )
        before = sa.func.sum(sized.c.size).over(order_by=sized.c.seq) - sized.c.size
        ranked = sa.select(sized, before.label("before")).subquery()
        event = aliased(WorkflowRunEvent, ranked)
        fits = sa.and_(ranked.c.run_id == WorkflowRun.id, ranked.c.before < characters)
        statement = (
            sa.select(WorkflowRun.status, WorkflowRun.generation, WorkflowRun.last_seq, event)
            .outerjoin(event, fits)
            .where(WorkflowRun.workspace_id == self.access.workspace_id, WorkflowRun.id == run_id)
            .order_by(ranked.c.seq)
        )
        rows = (await self.session.execute(statement)).all()
        if not rows:
            return None
        status, generation, last_seq, _ = rows[0]
        return Tail(status, generation, last_seq, [row[3] for row in rows if row[3] is not None])

    def _wanted(self, run_id: UUID, wanted: EventFilter) -> sa.Select[tuple[WorkflowRunEvent]]:
        where: list[Condition] = [WorkflowRunEvent.run_id == run_id, WorkflowRunEvent.seq > wanted.after]
        if wanted.generation is not None:
            where.append(WorkflowRunEvent.generation == wanted.generation)
        if wanted.types:
            named = [type for type in wanted.types if not type.endswith(".*")]
            begun = [type[:-1] for type in wanted.types if type.endswith(".*")]
            where.append(
                sa.or_(
                    WorkflowRunEvent.type.in_(named),
                    *(WorkflowRunEvent.type.startswith(text, autoescape=True) for text in begun),
                )
            )
        if wanted.without:
            where.append(WorkflowRunEvent.type.not_in(wanted.without))
        if wanted.levels:
            where.append(WorkflowRunEvent.level.in_(wanted.levels))
        if wanted.category is not None:
            where.append(WorkflowRunEvent.category == wanted.category)
        return self.select(*where)


class CheckpointReadRepository(WorkspaceRepository[WorkflowCheckpoint]):
    """The checkpoints of the runs of one workspace."""

    model: ClassVar[type[WorkflowCheckpoint]] = WorkflowCheckpoint
    kind = "Checkpoint"

    async def page_of_run(
        self, run: WorkflowRun, generation: int | None, page: Page, cursor: str | None, *, newest_first: bool
    ) -> Listed[WorkflowCheckpoint]:
        """Without their states."""
        where = [WorkflowCheckpoint.run_id == run.id]
        if generation is not None:
            where.append(WorkflowCheckpoint.generation == generation)
        statement = self.select(*where).options(defer(WorkflowCheckpoint.state, raiseload=True))
        # They are numbered without gaps, from 0.
        total = run.next_index if generation is None else None
        return await read_listed(
            self.session, statement, BY_INDEX, newest_first=newest_first, page=page, cursor=cursor, total=total
        )


def _is(run: Any, name: str) -> Condition:
    """The run is called so, or that is its id."""
    named: Condition = run.name == name
    try:
        return sa.or_(named, run.id == UUID(name))
    except ValueError:
        return named


def _has_tag(tag: str, *, is_sqlite: bool) -> Condition:
    if is_sqlite:
        each = sa.func.json_each(WorkflowRun.tags).table_valued("value")
        return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.value == tag))
    return sa.type_coerce(WorkflowRun.tags, JSONB).contains([tag])


def _has_label(key: str, value: str, *, is_sqlite: bool) -> Condition:
    """Compared as the text of the JSON value, so that `metadata.attempt=3` finds the number."""
    if not is_sqlite:
        found: Condition = sa.type_coerce(WorkflowRun.labels, JSONB)[key].astext == value
        return found
    # A path would have to quote the key; a row for each member needs no quoting.
    each = sa.func.json_each(WorkflowRun.labels).table_valued("key", "value", "type")
    text = sa.case((each.c.type.in_(["true", "false"]), each.c.type), else_=sa.cast(each.c.value, sa.Text()))
    return sa.exists(sa.select(sa.literal(1)).select_from(each).where(each.c.key == key, text == value))
