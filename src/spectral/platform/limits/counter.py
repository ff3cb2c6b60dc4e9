"""Counts that all processes share: fixed windows in one table, each hit committed in a transaction of its own."""

import hashlib
import math
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

CLEANUP = "limits.cleanup"
CLEANUP_INTERVAL_S = 300.0


class RateWindow(Base):
    """What has been used of one bucket since its window began.

    `bucket` is the SHA-256 of the bucket's name, because names hold addresses and e-mails.
    """

    __tablename__ = "rate_window"

    bucket: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    started_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    used: Mapped[int] = mapped_column(sa.BigInteger)
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), index=True)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one hit was within its limit, what is left of the window, and in how many seconds it ends (≥ 1)."""

    allowed: bool
    remaining: int
    reset_s: int


class RateCounter:
    """Exact counts of one installation, whatever process asks.

    A window begins with the first hit after the former one ended. A hit stays counted whatever becomes of the request
    that made it, also when it was refused.
    """

    def __init__(self, identity: Database) -> None:
        self._identity = identity

    async def hit(self, bucket: str, *, limit: int, window_s: int, cost: int = 1) -> Verdict:
        """Add `cost` to the bucket; refused when that is more than `limit` within `window_s` seconds."""
        now = utc_now()
        used, expires_at = await self.add(bucket, cost, now, now + timedelta(seconds=window_s))
        return Verdict(
            allowed=used <= limit,
            remaining=max(0, limit - used),
            reset_s=max(1, math.ceil((expires_at - now).total_seconds())),
        )

    async def peek(self, bucket: str, *, limit: int) -> Verdict:
        """Whether one more hit would be within the limit; counts nothing."""
        now = utc_now()
        statement = sa.select(RateWindow.used, RateWindow.expires_at).where(
            RateWindow.bucket == bucket_key(bucket), RateWindow.expires_at > now
        )
        rows = await self._identity.look_up(statement)
        used, expires_at = rows[0] if rows else (0, now)
        return Verdict(
            allowed=used < limit,
            remaining=max(0, limit - used),
            reset_s=max(1, math.ceil((expires_at - now).total_seconds())),
        )

    async def add(self, bucket: str, cost: int, now: datetime, expires_at: datetime) -> tuple[int, datetime]:
        """What the bucket holds with `cost` added, and when its window ends: at `expires_at` if it begins now."""
        insert = (sqlite.insert if self._identity.is_sqlite else postgresql.insert)(RateWindow)
        ended = RateWindow.expires_at <= now
        statement = (
            insert.values(bucket=bucket_key(bucket), started_at=now, used=cost, expires_at=expires_at)
            .on_conflict_do_update(
                index_elements=["bucket"],
                set_={
                    "used": sa.case((ended, cost), else_=RateWindow.used + cost),
                    "started_at": sa.case((ended, now), else_=RateWindow.started_at),
                    "expires_at": sa.case((ended, expires_at), else_=RateWindow.expires_at),
                },
            )
            .returning(RateWindow.used, RateWindow.expires_at)
        )
        async with self._identity.transaction() as session:
            row = (await session.execute(statement)).one()
        return row.used, row.expires_at

    async def clear(self, bucket: str) -> None:
        """The bucket is empty, as if nobody had hit it."""
        async with self._identity.transaction() as session:
            await session.execute(sa.delete(RateWindow).where(RateWindow.bucket == bucket_key(bucket)))

    async def forget_ended(self) -> None:
        """Remove windows that have ended; done at intervals, correctness does not need it."""
        async with self._identity.transaction() as session:
            await session.execute(sa.delete(RateWindow).where(RateWindow.expires_at <= utc_now()))


def bucket_key(bucket: str) -> str:
    """How a bucket is stored: the SHA-256 of its name, hex."""
    return hashlib.sha256(bucket.encode("utf-8", "replace")).hexdigest()
