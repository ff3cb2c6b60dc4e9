"""Workspaces and who may do what in them. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


class Workspace(Base):
    """The unit of tenancy: agents, traces, samples, scans and change sets belong to one.

    deleting_at: since when it is being deleted; it cannot be entered any more.
    """

    __tablename__ = "workspace"
    __table_args__ = (sa.UniqueConstraint("account_id", "name"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(sa.String(200))
    description: Mapped[str | None] = mapped_column(sa.String(2000))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    deleting_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class WorkspaceMember(Base):
    """A person in a workspace, with a role: admin, contributor or observer."""

    __tablename__ = "workspace_member"

    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class SupportGrant(Base):
    """Operations staff may enter a customer's workspace for a while; the customer sees it and can end it."""

    __tablename__ = "support_grant"
    __table_args__ = (sa.Index(None, "workspace_id", "user_id"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"))
    role: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
