"""Rows that become a process's to run: statements in somebody's transaction, with a workspace's slots counted exactly.

On PostgreSQL two transactions cannot both count the same free slot: they hold the slot's lock until they end. SQLite
has one write transaction anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.settling import TABLE, WORK
from spectral.platform.engine.work import NEVER, OPEN_STATES, WorkState

CLAIM_LIMIT_MS = 5_000
# A caller's transaction may hold the lock for as long as it takes, but not be frozen with it.
CALLER_IDLE_LIMIT_MS = 15_000
HELD = "spectral.engine.slots"


@dataclass(frozen=True, slots=True)
class Placed:
    """What became of a piece of work: claimed by this process (`state` running), or waiting."""

    state: str
    lease: int
    attempts: int
    segment_no: int

    @property
    def claimed(self) -> bool:
        return self.state == WorkState.RUNNING


async def try_to_count_alone(session: AsyncSession, workspace_id: UUID, kind: str) -> bool:
    """Whether no other transaction is counting the slots of this kind in the workspace, until this one ends."""
    if session.get_bind().dialect.name != "postgresql":
        return True
    transaction, slot = session.sync_session.get_transaction(), _slot(workspace_id, kind)
    held: tuple[object, set[str]] = session.info.get(HELD, (None, set()))
    if held[0] is None or held[0] is not transaction:
        held = (transaction, set())
    if slot in held[1]:
        return True
    statement = sa.text(
        "SELECT set_config('idle_in_transaction_session_timeout', :limit, true), "
        "pg_try_advisory_xact_lock(hashtextextended(:slot, 0))"
    )
    parameters = {"limit": f"{CALLER_IDLE_LIMIT_MS}ms", "slot": slot}
    if not (await session.execute(statement, parameters)).one()[1]:
        return False
    # Many pieces of work may be placed in one transaction.
    session.info[HELD] = (session.sync_session.get_transaction(), held[1] | {slot})
    return True


async def wait_to_count_alone(session: AsyncSession, workspace_id: UUID, kind: str) -> None:
    """As `try_to_count_alone`, for a transaction that does nothing else and may wait for its turn."""
    if session.get_bind().dialect.name != "postgresql":
        return
    # A process that freezes in here loses its session, and with it the lock; nobody waits for it longer than that.
    await session.execute(
        sa.text(
            "SELECT set_config('idle_in_transaction_session_timeout', :limit, true), "
            "set_config('lock_timeout', :limit, true)"
        ),
        {"limit": f"{CLAIM_LIMIT_MS}ms"},
    )
    await session.execute(
        sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:slot, 0))"), {"slot": _slot(workspace_id, kind)}
    )


async def has_free_slot(session: AsyncSession, item: WorkItem, limit: int, now: datetime) -> bool:
    """Whether less than `limit` of this kind runs or is due in the workspace, this item not counted."""
    statement = _text(f"SELECT {TAKEN} < :limit")
    parameters = {"workspace_id": item.workspace_id, "kind": item.kind, "id": item.key, "limit": limit, "now": now}
    return bool((await session.execute(statement, parameters)).scalar_one())


async def place(
    session: AsyncSession,
    item: WorkItem,
    now: datetime,
    *,
    executor_id: str | None,
    limit: int,
    with_job: bool,
    again: bool,
) -> Placed | None:
    """The work has a row: running under `executor_id` if that is given and a slot is free, else waiting for its time.

    None when nothing was changed: the key was known and `again` is false, or it runs already.  again: work that is
    parked or has ended is due once more.  with_job: the row says that the queue's next job carries it.
    Whoever gives `executor_id` counts alone until the transaction ends (`try_to_count_alone`).
    """
    free = "false" if executor_id is None else f"{TAKEN} < :limit"
    parameters = {
        "workspace_id": item.workspace_id,
        "id": item.key,
        "account_id": item.account_id,
        "kind": item.kind,
        "payload": dict(item.payload),
        "segment_no": 1 if with_job else 0,
        "now": now,
        "wake_at": now + timedelta(seconds=item.delay_s or 0.0),
        "executor_id": executor_id,
    }
    if executor_id is not None:
        parameters["limit"] = limit
    statement = _text(PLACE.format(free=free, known=ONCE_MORE if again else "DO NOTHING"))
    found = (await session.execute(statement, parameters)).one_or_none()
    return None if found is None else Placed(*found)


async def claim(
    session: AsyncSession, workspace_id: UUID, kind: str, now: datetime, *, executor_id: str, limit: int, at_most: int
) -> Sequence[sa.Row[Any]]:
    """The workspace's oldest due work of this kind is `executor_id`'s: no more than `at_most`, nor than slots are free.

    Answers id, account_id, payload, lease and attempts of each. The transaction counts alone.
    """
    parameters = {
        "workspace": workspace_id,
        "of_kind": kind,
        "now": now,
        "executor": executor_id,
        "slots": limit,
        "at_most": at_most,
    }
    return (await session.execute(_CLAIM, parameters)).all()


async def halt(session: AsyncSession, workspace_id: UUID, key: UUID) -> int | None:
    """Open work is parked until somebody wakes it, under a new lease, which is answered; None for other work."""
    found = await session.execute(_HALT, {"workspace": workspace_id, "key": key})
    lease: int | None = found.scalar_one_or_none()
    return lease


# In SQL, because SQLAlchemy compiles an INSERT with ON CONFLICT anew each time, which takes longer than executing it.
# Of what is due no more is counted than decides.
TAKEN = """(
    (SELECT count(*) FROM engine_work AS running WHERE running.workspace_id = :workspace_id AND running.kind = :kind
        AND running.state = 'running' AND running.id <> :id)
    + (SELECT count(*) FROM (SELECT 1 FROM engine_work AS due WHERE due.workspace_id = :workspace_id
        AND due.kind = :kind AND due.state = 'queued' AND due.wake_at <= :now AND due.id <> :id LIMIT :limit) AS few)
)"""
# SQLite takes the ON of ON CONFLICT for a join's unless the SELECT says WHERE.
PLACE = """
INSERT INTO engine_work (workspace_id, id, account_id, kind, payload, state, segment_no, lease, attempts, executor_id,
    created_at, wake_at, started_at, cancel_requested)
SELECT :workspace_id, :id, :account_id, :kind, :payload, CASE WHEN slot.free THEN 'running' ELSE 'queued' END,
    :segment_no, CASE WHEN slot.free THEN 1 ELSE 0 END, CASE WHEN slot.free THEN 1 ELSE 0 END,
    CASE WHEN slot.free THEN :executor_id END, :now, :wake_at, CASE WHEN slot.free THEN :now END, false
FROM (SELECT {free} AS free) AS slot WHERE true
ON CONFLICT (workspace_id, id) {known}
RETURNING state, lease, attempts, segment_no
"""
# Whoever waits after a failed attempt goes on counting, and work that is due already keeps its place in the line.
ONCE_MORE = """DO UPDATE SET
    state = excluded.state, payload = excluded.payload, executor_id = excluded.executor_id,
    segment_no = engine_work.segment_no + excluded.segment_no, lease = engine_work.lease + excluded.lease,
    attempts = CASE WHEN engine_work.state = 'queued' THEN engine_work.attempts ELSE 0 END + excluded.attempts,
    wake_at = CASE WHEN engine_work.state = 'queued' AND engine_work.wake_at < excluded.wake_at
        THEN engine_work.wake_at ELSE excluded.wake_at END,
    started_at = coalesce(engine_work.started_at, excluded.started_at),
    finished_at = NULL, cancel_requested = false, error = NULL
WHERE engine_work.state <> 'running'"""
TYPES: dict[str, Any] = {column.name: column.type for column in WORK} | {
    "limit": sa.Integer(),
    "now": WORK.created_at.type,
}


@cache
def _text(statement: str) -> sa.TextClause:
    """The statement, with a column's type for each parameter that is named like it."""
    text = sa.text(statement)
    return text.bindparams(*(sa.bindparam(name, type_=TYPES[name]) for name in text._bindparams))  # noqa: SLF001


def _claiming() -> sa.Update:
    mine = (WORK.workspace_id == sa.bindparam("workspace"), WORK.kind == sa.bindparam("of_kind"))
    due = (*mine, WORK.state == WorkState.QUEUED.value, WORK.wake_at <= sa.bindparam("now"))
    # A row that somebody changes just now is left to them, and to the next look.
    oldest = (
        sa.select(WORK.id, WORK.wake_at)
        .where(*due)
        .order_by(WORK.wake_at)
        .limit(sa.bindparam("at_most", type_=sa.Integer()))
        .with_for_update(skip_locked=True)
        .cte("oldest")
    )
    place_in_line = sa.func.row_number().over(order_by=oldest.c.wake_at).label("place_in_line")
    line = sa.select(oldest.c.id, place_in_line).subquery("line")
    other = TABLE.alias("other").c
    running = (
        other.workspace_id == sa.bindparam("workspace"),
        other.kind == sa.bindparam("of_kind"),
        other.state == WorkState.RUNNING.value,
    )
    taken = sa.select(sa.func.count()).where(*running).scalar_subquery()
    free = line.c.place_in_line + taken <= sa.bindparam("slots", type_=sa.Integer())
    return (
        sa.update(TABLE)
        .where(*due, WORK.id.in_(sa.select(line.c.id).where(free)))
        .values(
            state=WorkState.RUNNING.value,
            lease=WORK.lease + 1,
            attempts=WORK.attempts + 1,
            executor_id=sa.bindparam("executor"),
            started_at=sa.func.coalesce(WORK.started_at, sa.bindparam("now", type_=WORK.started_at.type)),
        )
        .returning(WORK.id, WORK.account_id, WORK.payload, WORK.lease, WORK.attempts)
    )


_CLAIM = _claiming()
_HALT = (
    sa.update(TABLE)
    .where(
        WORK.workspace_id == sa.bindparam("workspace"),
        WORK.id == sa.bindparam("key"),
        WORK.state.in_([state.value for state in OPEN_STATES]),
    )
    .values(
        state=WorkState.QUEUED.value,
        wake_at=NEVER,
        lease=WORK.lease + 1,
        attempts=0,
        executor_id=None,
        cancel_requested=False,
    )
    .returning(WORK.lease)
)


def _slot(workspace_id: UUID, kind: str) -> str:
    return f"spectral.engine:{workspace_id}:{kind}"
