"""API keys and service accounts: workspace-owned, but looked up by hash before a principal exists (ADR 0004)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned


class WorkspaceCredential(WorkspaceOwned):
    """What API keys and service accounts have in common: a secret that is shown once and never stored.

    `key_hash` is HMAC-SHA-256, hex, under the pepper that `pepper_id` names (None: made before that was noted).
    `rotated_from` and `rotated_to` name the credential that this one follows, and the one that follows it.
    """

    name: Mapped[str] = mapped_column(sa.String(200))
    key_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    pepper_id: Mapped[str | None] = mapped_column(sa.String(8))
    prefix: Mapped[str] = mapped_column(sa.String(20))
    last_four: Mapped[str] = mapped_column(sa.String(4))
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    rotated_from: Mapped[UUID | None]
    rotated_to: Mapped[UUID | None]


class ApiKey(WorkspaceCredential, Base):
    """One key of a workspace, with one scope or both of those that keys may have.

    trusted: feedback that is sent with it may decide something; without the mark it is kept and shown only.
    """

    __tablename__ = "api_key"

    scopes: Mapped[list[Any]]
    trusted: Mapped[bool] = mapped_column(sa.Boolean, default=False, server_default=sa.false())


class ServiceAccount(WorkspaceCredential, Base):
    """A machine that works in a workspace with the scopes of a role; `approve` adds the right to approve agents."""

    __tablename__ = "service_account"

    role: Mapped[str] = mapped_column(sa.String(20))
    approve: Mapped[bool]
