"""The engine's own tables: what is to be done, who is alive to do it, and what is due again and again.

The state of a piece of work lives here and is the truth; the queue's own bookkeeping is not.
"""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, WorkspaceOwned

OPEN_WORK = sa.text("state IN ('queued', 'running')")
NEVER = datetime(9999, 12, 31, tzinfo=UTC)
"""When work is due that only something from outside wakes."""


class WorkState(StrEnum):
    """Where a piece of work stands; the last three are final."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN_STATES = (WorkState.QUEUED, WorkState.RUNNING)


class EngineWork(WorkspaceOwned, Base):
    """One piece of work of one workspace; `id` is the key under which it was enqueued.

    lease: grows with every change of owner; a write is good only under the lease its execution was given.
    segment_no: the queue job that carries the work (`<id>:<segment_no>`); 0 means that none was ever needed.
    attempts: how often an execution began since the work last parked. wake_at: not before this moment; parked work is
    queued with a moment to come, or `NEVER`.
    error: class of the exception that ended it; the message may hold a tenant's data and stays in the log.
    """

    __tablename__ = "engine_work"
    __table_args__ = (
        sa.CheckConstraint("state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled')", name="state"),
        sa.Index("ix_engine_work_workspace_id_kind_state_wake_at", "workspace_id", "kind", "state", "wake_at"),
        # The sweep and the reaper look across workspaces, and only ever at what is open.
        sa.Index("ix_engine_work_open", "state", "wake_at", sqlite_where=OPEN_WORK, postgresql_where=OPEN_WORK),
    )

    account_id: Mapped[UUID]
    kind: Mapped[str] = mapped_column(sa.String(64))
    payload: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(sa.String(16), default=WorkState.QUEUED)
    segment_no: Mapped[int] = mapped_column(sa.Integer, default=0)
    lease: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)
    executor_id: Mapped[str | None] = mapped_column(sa.String(255))
    wake_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    cancel_requested: Mapped[bool] = mapped_column(sa.Boolean, default=False)
    error: Mapped[str | None] = mapped_column(sa.String(255))


def open_rows(row: type[EngineWork]) -> sa.ColumnElement[bool]:
    """For statements across workspaces: SQLite uses the index of open work only where it reads its very condition."""
    states = [state.value for state in OPEN_STATES]
    return row.state.in_(sa.bindparam("open_states", states, expanding=True, literal_execute=True))


class EngineExecutor(Base):
    """A process that executes work, for as long as its heartbeat is fresh."""

    __tablename__ = "engine_executor"

    id: Mapped[str] = mapped_column(sa.String(255), primary_key=True)
    started_at: Mapped[datetime]
    heartbeat_at: Mapped[datetime]


class EngineSchedule(Base):
    """Something that is due every so often, once in the whole installation.

    slot: the last interval (epoch seconds // interval) that was begun.
    """

    __tablename__ = "engine_schedule"

    name: Mapped[str] = mapped_column(sa.String(128), primary_key=True)
    slot: Mapped[int] = mapped_column(sa.BigInteger, default=-1)
    executor_id: Mapped[str | None] = mapped_column(sa.String(255))
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(sa.String(255))
