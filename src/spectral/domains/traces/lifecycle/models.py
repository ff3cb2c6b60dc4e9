"""The tables of what a workspace decides about its traces, and of those that it wants to be gone."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned
from spectral.platform.shared.clock import utc_now


class TraceSettings(WorkspaceOwned, Base):
    """What is done to spans before they are stored, and how long they are kept; none before somebody has chosen.

    retention_days: None keeps them.  masking: as `masking_rules.MaskingRules` writes it.  watches: new traces are noted
    for evaluation on arrival.  version: grows with every change of the rest.
    """

    __tablename__ = "trace_settings"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id"),
        sa.CheckConstraint("retention_days > 0", name="retention_days"),
    )

    retention_days: Mapped[int | None]
    masking: Mapped[dict[str, Any]]
    watches: Mapped[bool] = mapped_column(sa.Boolean, server_default=sa.false(), default=False)
    version: Mapped[int]
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    updated_by: Mapped[str] = mapped_column(sa.String(100))


class TraceDeletion(WorkspaceOwned, Base):
    """Traces that somebody wants to be gone, and how far that is.

    by: what they were selected by.  selection: its value, emptied at the end, because it may name the person whose
    traces had to go.  selection_digest: SHA-256 of it, by which a known request is found again.
    """

    __tablename__ = "trace_deletion"
    __table_args__ = (
        sa.Index("ix_trace_deletion_workspace_id_created_at", "workspace_id", "created_at"),
        sa.CheckConstraint("state IN ('pending', 'running', 'done')", name="state"),
    )

    by: Mapped[str] = mapped_column(sa.String(16))
    selection: Mapped[dict[str, Any]]
    selection_digest: Mapped[str] = mapped_column(sa.String(64))
    state: Mapped[str] = mapped_column(sa.String(16))
    traces_deleted: Mapped[int] = mapped_column(sa.BigInteger)
    spans_deleted: Mapped[int] = mapped_column(sa.BigInteger)
    requested_by: Mapped[str] = mapped_column(sa.String(100))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
