"""Workspaces and who may do what in them. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, NanoUsdColumn, UtcTime, WorkspaceOwned
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
    """Operations staff may enter a customer's workspace for a while; the customer sees it and can end it.

    email: of the person when it was given; the customer cannot read people of another account.
    """

    __tablename__ = "support_grant"
    __table_args__ = (
        sa.Index(None, "workspace_id", "user_id"),
        sa.Index(
            "uq_support_grant_open",
            "workspace_id",
            "user_id",
            unique=True,
            sqlite_where=sa.text("ended_at IS NULL"),
            postgresql_where=sa.text("ended_at IS NULL"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    workspace_id: Mapped[UUID] = mapped_column(sa.ForeignKey("workspace.id", ondelete="CASCADE"))
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(sa.String(320), server_default="")
    role: Mapped[str] = mapped_column(sa.String(20))
    reason: Mapped[str] = mapped_column(sa.String(500))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    ended_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


OPEN_INVITE = sa.text("outcome IS NULL")


class Invite(Base):
    """Somebody may join the account, once, with the token that the mail to `email` holds; the token is kept as a hash.

    workspaces: `[{"workspace_id", "role"}]`, what the person becomes a member of besides.  outcome: `accepted`,
    `revoked`, or `expired` where a later invite took its place; None while it is open, whether or not it has expired.
    """

    __tablename__ = "invite"
    __table_args__ = (
        sa.Index(None, "account_id", "created_at"),
        sa.Index(
            "uq_invite_open",
            "account_id",
            "email",
            unique=True,
            sqlite_where=OPEN_INVITE,
            postgresql_where=OPEN_INVITE,
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"))
    email: Mapped[str] = mapped_column(sa.String(320))
    role: Mapped[str] = mapped_column(sa.String(20))
    workspaces: Mapped[list[Any]]
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    invited_by: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    outcome: Mapped[str | None] = mapped_column(sa.String(20))
    closed_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class Autonomy(WorkspaceOwned, Base):
    """How far a workspace may change its agents by itself; one row a workspace, none before somebody has chosen.

    The bounds belong to the mode bounded_auto and are None in every other; allow_production is one of them, and False.
    """

    __tablename__ = "autonomy"
    __table_args__ = (
        sa.UniqueConstraint("workspace_id"),
        sa.CheckConstraint("mode IN ('observe_only', 'recommend', 'manual', 'bounded_auto')", name="mode"),
    )

    mode: Mapped[str] = mapped_column(sa.String(16))
    max_cost_increase_percent: Mapped[float | None]
    allowed_change_kinds: Mapped[list[Any] | None]
    budget_per_night_nano_usd: Mapped[int | None] = mapped_column(NanoUsdColumn)
    allow_production: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())
    updated_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
