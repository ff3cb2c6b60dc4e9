"""How well replicas of agents agree with what the agents were seen to say."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned, tenant_fk


class ReplicaCheck(WorkspaceOwned, Base):
    """One config of a replica, executed on inputs whose outputs were recorded.

    compared: outputs of which it is known whether they agree; the others are `missing`.  lower, upper: Wilson's 95 %
    interval of the agreement. All of these are None until the check has ended.
    """

    __tablename__ = "replica_check"
    __table_args__ = (
        sa.CheckConstraint("status IN ('queued', 'running', 'completed', 'failed', 'cancelled')", name="status"),
        tenant_fk("agent_id", "agent", ondelete="CASCADE"),
        sa.Index(None, "workspace_id", "agent_id", "config_hash"),
    )

    agent_id: Mapped[UUID]
    version: Mapped[int]
    config_hash: Mapped[str] = mapped_column(sa.String(64))
    sample_set_id: Mapped[UUID]
    sample_set_version: Mapped[int]
    item_ids: Mapped[list[Any]]
    max_cost_nano_usd: Mapped[int | None] = mapped_column(sa.BigInteger)
    status: Mapped[str] = mapped_column(sa.String(16))
    compared: Mapped[int | None]
    agreed: Mapped[int | None]
    missing: Mapped[int | None]
    lower: Mapped[float | None] = mapped_column(sa.Double)
    upper: Mapped[float | None] = mapped_column(sa.Double)
    failure: Mapped[dict[str, Any] | None]
    created_by: Mapped[str] = mapped_column(sa.String(100))
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
