"""The audit log: who did what to which thing, written in the transaction that did it, never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


class AuditEntry(Base):
    """One fact. `detail` holds before and after, never a secret."""

    __tablename__ = "audit_entry"
    __table_args__ = (sa.Index(None, "account_id", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID | None]
    actor: Mapped[str] = mapped_column(sa.String(100))
    action: Mapped[str] = mapped_column(sa.String(100))
    subject: Mapped[str] = mapped_column(sa.String(200))
    detail: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


async def record(
    session: AsyncSession,
    *,
    account_id: UUID,
    actor: str,
    action: str,
    subject: str,
    workspace_id: UUID | None = None,
    detail: dict[str, Any] | None = None,
) -> None:
    """Add one entry to the caller's transaction.

    action: `resource.verb` ("changeset.accepted"); subject: `kind:id`.
    """
    session.add(
        AuditEntry(
            account_id=account_id,
            workspace_id=workspace_id,
            actor=actor,
            action=action,
            subject=subject,
            detail=detail or {},
        )
    )
    await session.flush()
