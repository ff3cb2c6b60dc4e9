"""People and the accounts they belong to. Read before a principal exists, so outside row-level security (ADR 0004)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


class Account(Base):
    """A customer: owns workspaces.

    sso_provider: sessions that this identity provider did not open have no rights here.  second_factor_required_at:
    since when people who sign in with a password need a second factor to have rights here.  deleting_at: since when
    it is being deleted; it cannot be entered any more.
    """

    __tablename__ = "account"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(sa.String(200))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    sso_provider: Mapped[str | None] = mapped_column(sa.String(50))
    second_factor_required_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    deleting_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class User(Base):
    """A person who can sign in. `email` is stored lower-cased. Holds no secret: the application's role may read it.

    second_factor_at: since when signing in and sensitive actions take a second factor.
    """

    __tablename__ = "app_user"

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(sa.String(320), unique=True)
    name: Mapped[str | None] = mapped_column(sa.String(200))
    email_verified_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    second_factor_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
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


class UserCredential(Base):
    """A person's password, Argon2id; people who only ever signed in elsewhere have none. Authentication role only."""

    __tablename__ = "user_credential"

    user_id: Mapped[UUID] = mapped_column(sa.ForeignKey("app_user.id", ondelete="CASCADE"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(sa.String(200))
    changed_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)


class Deletion(Base):
    """A workspace or account that is being deleted, or was. No foreign keys: it outlives what it is about.

    parent_id: the account's deletion that this workspace's belongs to.  subject_id: what is deleted; name: what it was
    called.  state: pending, running or done.  tables_done of tables_total: how far; an account's own row counts none,
    those of its workspaces do.
    """

    __tablename__ = "deletion"
    __table_args__ = (
        sa.CheckConstraint("kind IN ('workspace', 'account')", name="kind"),
        sa.CheckConstraint("state IN ('pending', 'running', 'done')", name="state"),
        sa.Index(None, "account_id", "created_at"),
        sa.Index(None, "parent_id"),
        sa.Index(
            "ix_deletion_open",
            "kind",
            sqlite_where=sa.text("state <> 'done'"),
            postgresql_where=sa.text("state <> 'done'"),
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    parent_id: Mapped[UUID | None]
    kind: Mapped[str] = mapped_column(sa.String(16))
    subject_id: Mapped[UUID]
    name: Mapped[str] = mapped_column(sa.String(200))
    requested_by: Mapped[str] = mapped_column(sa.String(100))
    state: Mapped[str] = mapped_column(sa.String(16), default="pending")
    tables_done: Mapped[int] = mapped_column(default=0)
    tables_total: Mapped[int] = mapped_column(default=0)
    rows_deleted: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now)
    finished_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
