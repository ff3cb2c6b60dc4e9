"""Across workspaces and processes: work of the dead waits again, due work is found, old rows go.

Everything here is synchronous, runs on the upkeep's thread and is safe to run in several processes at once.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import aliased

from spectral.platform.engine.connections import across_workspaces
from spectral.platform.engine.dbos_adapter import JobQueue, JobRef
from spectral.platform.engine.execution import MAX_ATTEMPTS
from spectral.platform.engine.timers import DueWork
from spectral.platform.engine.work import OPEN_STATES, EngineExecutor, EngineWork, WorkState, open_rows

SWEEP_LIMIT = 200
TIMER_LIMIT = 1_000
RETENTION = timedelta(days=30)
RETENTION_BATCH = 1000

log = structlog.get_logger(__name__)


def requeue_work_of_dead(engine: sa.Engine, alive: Collection[str], now: datetime) -> int:
    """Running work whose owner is not in `alive` is waiting again, under a new lease; answers how much it was.

    Work that was to be cancelled ends here; so does work that has taken a process with it a hundred times.
    """
    other = aliased(EngineWork)
    outcome = sa.case(
        (EngineWork.cancel_requested, WorkState.CANCELLED.value),
        (EngineWork.attempts >= MAX_ATTEMPTS, WorkState.FAILED.value),
        else_=WorkState.QUEUED.value,
    )
    over = sa.or_(EngineWork.cancel_requested, EngineWork.attempts >= MAX_ATTEMPTS)
    exhausted = sa.and_(~EngineWork.cancel_requested, EngineWork.attempts >= MAX_ATTEMPTS)
    # A row that its owner's unfinished transaction still holds is left for the next second.
    free = sa.select(other.id).where(*_orphaned(other, alive)).with_for_update(skip_locked=True)
    statement = (
        sa.update(EngineWork)
        .where(*_orphaned(EngineWork, alive), EngineWork.id.in_(free))
        .values(
            state=outcome,
            lease=EngineWork.lease + 1,
            executor_id=None,
            wake_at=now,
            finished_at=sa.case((over, now), else_=None),
            error=sa.case((exhausted, "AttemptsExhausted"), else_=None),
        )
        .returning(EngineWork.id, EngineWork.kind, EngineWork.state)
    )
    with across_workspaces(engine) as connection:
        rows = connection.execute(statement).all()
    for row in rows:
        log.warning("engine_work_recovered", key=str(row.id), kind=row.kind, state=row.state)
    return len(rows)


def _orphaned(row: type[EngineWork], alive: Collection[str]) -> tuple[sa.ColumnElement[bool], ...]:
    """Runs for an owner outside `alive`; one without a heartbeat row was reaped before, or shut down."""
    return (row.state == WorkState.RUNNING, row.executor_id.not_in(list(alive)), open_rows(row))


def hand_back(engine: sa.Engine, executor_id: str, claims: Collection[tuple[UUID, int]], now: datetime) -> None:
    """Work that this executor owns in the database but does not run (its end could not be written) waits again.

    claims: keys, each with the lease under which nothing runs.
    """
    with across_workspaces(engine) as connection:
        for key, lease in claims:
            connection.execute(
                sa.update(EngineWork)
                .where(
                    EngineWork.state == WorkState.RUNNING,
                    EngineWork.executor_id == executor_id,
                    EngineWork.id == key,
                    EngineWork.lease == lease,
                    open_rows(EngineWork),
                )
                .values(state=WorkState.QUEUED, lease=EngineWork.lease + 1, executor_id=None, wake_at=now)
            )


def give_job(engine: sa.Engine, queue: JobQueue, work: DueWork, key: UUID, segment_no: int) -> bool:
    """Due work gets its next job, if it still waits and has no live one; then a process with room takes it."""
    ref = JobRef(work.workspace_id, work.account_id, work.kind, key)
    if segment_no > 0 and queue.live_among([ref.job_id(segment_no)]):
        return False
    with across_workspaces(engine) as connection:
        still_waiting = connection.execute(
            sa.update(EngineWork)
            .where(
                EngineWork.workspace_id == work.workspace_id,
                EngineWork.id == key,
                EngineWork.state == WorkState.QUEUED,
                EngineWork.segment_no == segment_no,
            )
            .values(segment_no=segment_no + 1)
        )
        if still_waiting.rowcount:
            queue.enqueue_on(connection, ref, segment_no + 1)
    return bool(still_waiting.rowcount)


def find_due(engine: sa.Engine, limits: Mapping[str, int], now: datetime) -> list[tuple[DueWork, UUID, int]]:
    """Every workspace and kind with due work and a free slot: its oldest, with key and segment number; oldest first.

    limits: how much of each kind one workspace may have running.
    """
    slot = (EngineWork.workspace_id, EngineWork.kind)
    other = aliased(EngineWork)
    taken = (
        sa.select(other.workspace_id, other.kind, sa.func.count().label("running"))
        .where(other.state == WorkState.RUNNING, open_rows(other))
        .group_by(other.workspace_id, other.kind)
        .subquery()
    )
    running = sa.func.coalesce(taken.c.running, 0)
    # A workspace whose slots are taken may have any number of rows that are due: none of them is ordered here.
    ranked = (
        sa.select(
            EngineWork.account_id,
            EngineWork.id,
            EngineWork.segment_no,
            EngineWork.wake_at,
            *slot,
            sa.func.row_number().over(partition_by=slot, order_by=EngineWork.wake_at).label("place"),
        )
        .outerjoin(taken, sa.and_(taken.c.workspace_id == EngineWork.workspace_id, taken.c.kind == EngineWork.kind))
        .where(
            EngineWork.state == WorkState.QUEUED,
            EngineWork.wake_at <= now,
            EngineWork.kind.in_(list(limits)),
            open_rows(EngineWork),
            running < sa.case(limits, value=EngineWork.kind, else_=0),
        )
        .subquery()
    )
    statement = sa.select(ranked).where(ranked.c.place == 1).order_by(ranked.c.wake_at).limit(SWEEP_LIMIT)
    if not limits:
        return []
    with across_workspaces(engine) as connection:
        rows = connection.execute(statement).all()
    return [(DueWork(row.workspace_id, row.account_id, row.kind), row.id, row.segment_no) for row in rows]


def find_due_soon(
    engine: sa.Engine, kinds: Collection[str], after: datetime, until: datetime
) -> list[tuple[DueWork, UUID, datetime]]:
    """Work that waits for a moment after the one and up to the other, with its key and that moment; the nearest."""
    statement = (
        sa.select(EngineWork.workspace_id, EngineWork.account_id, EngineWork.kind, EngineWork.id, EngineWork.wake_at)
        .where(
            EngineWork.state == WorkState.QUEUED,
            EngineWork.wake_at > after,
            EngineWork.wake_at <= until,
            EngineWork.kind.in_(list(kinds)),
            open_rows(EngineWork),
        )
        .order_by(EngineWork.wake_at)
        .limit(TIMER_LIMIT)
    )
    with across_workspaces(engine) as connection:
        rows = connection.execute(statement).all()
    return [(DueWork(row.workspace_id, row.account_id, row.kind), row.id, row.wake_at) for row in rows]


def living_executors(connection: sa.Connection) -> Sequence[tuple[str, datetime]]:
    """Every process that says it executes, with the moment it last said so."""
    rows = connection.execute(sa.select(EngineExecutor.id, EngineExecutor.heartbeat_at))
    return [(row.id, row.heartbeat_at) for row in rows]


def forget_executors(engine: sa.Engine, dead: Collection[str], before: datetime) -> None:
    """Executors of `dead` whose heartbeat still is from before that moment are gone."""
    stale = (EngineExecutor.id.in_(list(dead)), EngineExecutor.heartbeat_at < before)
    free = sa.select(EngineExecutor.id).where(*stale).with_for_update(skip_locked=True)
    with across_workspaces(engine) as connection:
        connection.execute(sa.delete(EngineExecutor).where(EngineExecutor.id.in_(free)))


def forget_old(engine: sa.Engine, queue: JobQueue, now: datetime) -> None:
    """Ended work and its jobs are gone 30 days after their end, in batches."""
    before = now - RETENTION
    while queue.forget_jobs(before, RETENTION_BATCH) == RETENTION_BATCH:
        pass
    other = aliased(EngineWork)
    ended = (other.finished_at < before, other.state.not_in(OPEN_STATES))
    batch = sa.select(other.id).where(*ended).limit(RETENTION_BATCH)
    removed = RETENTION_BATCH
    while removed == RETENTION_BATCH:
        with across_workspaces(engine) as connection:
            statement = sa.delete(EngineWork).where(EngineWork.finished_at < before, EngineWork.id.in_(batch))
            removed = connection.execute(statement).rowcount
