"""The audit log: who did what to which thing, written in the transaction that did it, never changed."""

from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.logs import masked
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.origin import ORIGIN

SYSTEM = "system:"


class AuditEntry(Base):
    """One fact. `detail` holds before and after, never a secret.

    account_id: no foreign key, because the log outlives its account.  credential_id: the session, key or service
    account that was shown; it, the address and the request are None for what the installation did by itself.
    """

    __tablename__ = "audit_entry"
    __table_args__ = (sa.Index(None, "account_id", "created_at"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    account_id: Mapped[UUID]
    workspace_id: Mapped[UUID | None]
    actor: Mapped[str] = mapped_column(sa.String(100))
    action: Mapped[str] = mapped_column(sa.String(100))
    subject: Mapped[str] = mapped_column(sa.String(200))
    detail: Mapped[dict[str, Any]]
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), default=utc_now, index=True)
    credential_id: Mapped[UUID | None]
    address: Mapped[str | None] = mapped_column(sa.String(45))
    request_id: Mapped[str | None] = mapped_column(sa.String(64))


class AuditSeal(Base):
    """An entry's place in its account's chain; `sealing.py` says what is hashed."""

    __tablename__ = "audit_seal"

    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    entry_id: Mapped[UUID] = mapped_column(unique=True)
    prev: Mapped[str] = mapped_column(sa.String(64))
    hash: Mapped[str] = mapped_column(sa.String(64))
    sealed_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))


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
    """Add one entry to the caller's transaction; it is sealed within a few seconds of the commit.

    action: `resource.verb` ("changeset.accepted"); subject: `kind:id`.  detail: members that are named or look like
    secrets are masked.
    """
    # Work that a request started runs in a copy of its context, and is not the request.
    origin = None if actor.startswith(SYSTEM) else ORIGIN.get()
    session.add(
        AuditEntry(
            account_id=account_id,
            workspace_id=workspace_id,
            actor=actor,
            action=action,
            subject=subject,
            detail=_storable(masked(detail or {})),
            credential_id=origin.credential_id if origin else None,
            address=origin.address if origin else None,
            request_id=origin.request_id if origin else None,
        )
    )
    await session.flush()


def _storable(value: Any) -> Any:
    """The value as every database gives it back: JSONB turns a float without a fraction into an integer at will."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {str(name): _storable(member) for name, member in value.items()}
    if isinstance(value, list):
        return [_storable(member) for member in value]
    return value
