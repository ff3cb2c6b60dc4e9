"""API keys: workspace-owned, but looked up by hash before a principal exists (ADR 0004)."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime, WorkspaceOwned


class ApiKey(WorkspaceOwned, Base):
    """One key of a workspace. The key itself is shown once and never stored: `key_hash` is HMAC-SHA-256, hex."""

    __tablename__ = "api_key"

    name: Mapped[str] = mapped_column(sa.String(200))
    key_hash: Mapped[str] = mapped_column(sa.String(64), unique=True)
    prefix: Mapped[str] = mapped_column(sa.String(20))
    last_four: Mapped[str] = mapped_column(sa.String(4))
    scopes: Mapped[list[Any]]
    created_by: Mapped[UUID | None]
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    revoked_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    last_used_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
