"""Where people are signed in. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id

PASSWORD = "password"  # noqa: S105 - a way of signing in


class UserSession(Base):
    """One sign-in: the family of refresh tokens that descends from it. Revoked means signed out at once.

    method: `password`, or the identity provider as `sso:<name>`.  address: where it was opened from.  last_seen_at:
    when it was opened or last refreshed.  stepped_up_at: when the second factor was last shown in it.
    """

    __tablename__ = "user_session"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"), index=True)
    user_agent: Mapped[str | None] = mapped_column(sa.String(300))
    address: Mapped[str | None] = mapped_column(sa.String(45))
    method: Mapped[str] = mapped_column(sa.String(60), default=PASSWORD)
    last_seen_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    stepped_up_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class RefreshToken(Base):
    """One link of a session's chain; spent by the refresh that made the next one."""

    __tablename__ = "refresh_token"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    session_id: Mapped[UUID] = mapped_column(sa.ForeignKey("user_session.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    spent_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
