"""People and the accounts they belong to. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


class Account(Base):
    """A customer: owns workspaces."""

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class User(Base):
    """A person who can sign in. `email` is stored lower-cased; `password_hash` is Argon2id."""

    __tablename__ = "app_user"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)
    name: Mapped[str | None] = mapped_column(sa.String(200))
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class AccountMember(Base):
    """A person in an account, with a role: owner, operations or member."""

    __tablename__ = "account_member"

    account_id: Mapped[UUID] = mapped_column(sa.ForeignKey("account.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[UUID] = mapped_column(
        sa.ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    role: Mapped[str] = mapped_column(sa.String(20))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
