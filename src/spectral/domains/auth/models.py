"""Where people are signed in. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.secret_box import sealed

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


class PasswordReset(Base):
    """A link that sets a new password, once. Without a user it was asked for somebody who is not registered."""

    __tablename__ = "password_reset"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    user_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    used_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class SecondFactor(Base):
    """A person's authenticator app.

    secret: base32, sealed.  confirmed_at: since when it counts.  last_step: the newest time step (epoch seconds // 30)
    whose code was accepted; that code and older ones are not accepted again.
    """

    __tablename__ = "second_factor"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[str] = mapped_column(sa.String(500), info=sealed("totp"))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    last_step: Mapped[int] = mapped_column(sa.BigInteger, default=0)


class RecoveryCode(Base):
    """What stands in for the authenticator app, once."""

    __tablename__ = "recovery_code"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    used_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class StraySignIn(Base):
    """A failed sign-in with an address that is not registered; the address itself may be a mistyped password."""

    __tablename__ = "stray_sign_in"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    address: Mapped[str | None] = mapped_column(sa.String(45))
    user_agent: Mapped[str | None] = mapped_column(sa.String(300))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
