"""The tables of live guards: what is watched after a change set went live, and the sessions that were counted."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned, tenant_fk
from spectral.platform.shared.clock import utc_now

RUNNING = sa.text("state = 'running'")


class PromotionGuard(WorkspaceOwned, Base):
    """The guard of one accepted change set, from its promotion until something is decided.

    share, salt: of the holdback; None where there is none, and then scores are compared with those from before.
    source: `evaluation` (of `online_evaluation_id`) or `feedback`; None before anything was scored.  state: running;
    alerting: a person has to decide; rolled_back; released: live for everybody; ended: something else was promoted.
    finding: see `guarding.Finding`, `uneven` and `decline`.  document: the state of the statistics.  history: what it
    said over time.  cursor: when the last score that was counted came.  crossovers: sessions that were answered by the
    other arm's version.
    """

    __tablename__ = "promotion_guard"
    __table_args__ = (
        sa.CheckConstraint("state IN ('running', 'alerting', 'rolled_back', 'released', 'ended')", name="state"),
        tenant_fk("changeset_id", "changeset", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "changeset_id"),
        sa.Index(None, "workspace_id", "agent_id", "environment"),
        sa.Index(
            "ix_promotion_guard_workspace_id_running", "workspace_id", sqlite_where=RUNNING, postgresql_where=RUNNING
        ),
    )

    account_id: Mapped[UUID]
    changeset_id: Mapped[UUID]
    agent_id: Mapped[UUID]
    environment: Mapped[str] = mapped_column(sa.String(32))
    version: Mapped[int]
    previous_version: Mapped[int]
    share: Mapped[float | None] = mapped_column(sa.Double)
    salt: Mapped[str | None] = mapped_column(sa.String(32))
    source: Mapped[str | None] = mapped_column(sa.String(16))
    online_evaluation_id: Mapped[UUID | None]
    state: Mapped[str] = mapped_column(sa.String(16))
    finding: Mapped[str] = mapped_column(sa.String(16))
    reason: Mapped[str | None] = mapped_column(sa.String(2000))
    sessions: Mapped[int]
    crossovers: Mapped[int]
    document: Mapped[dict[str, Any]]
    history: Mapped[list[Any]]
    cursor: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    alerted_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    finished_by: Mapped[str | None] = mapped_column(sa.String(100))
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class GuardObservation(WorkspaceOwned, Base):
    """One session that a guard has counted: once, with its first score.

    unit: the first 16 bytes of SHA-256 over the guard's id and the session's, so that no session is named here after
    its traces are gone.  is_new: which arm the salt assigns it to.  crossed: the other arm's version has answered it.
    """

    __tablename__ = "guard_observation"
    __table_args__ = (
        tenant_fk("guard_id", "promotion_guard", ondelete="CASCADE"),
        sa.UniqueConstraint("workspace_id", "guard_id", "unit"),
    )

    guard_id: Mapped[UUID]
    unit: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
    seq: Mapped[int]
    is_new: Mapped[bool] = mapped_column(sa.Boolean)
    crossed: Mapped[bool] = mapped_column(sa.Boolean)
    score: Mapped[float] = mapped_column(sa.Double)
    trace_id: Mapped[bytes] = mapped_column(sa.LargeBinary(16))
