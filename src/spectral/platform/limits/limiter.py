"""Limits on the request path: each process spends tokens that it has leased from the shared count, from memory.

A process may spend one block of a window (a tenth of its limit) before it books anything, so a caller who asks little
costs the database nothing. It books that block and one more when half of it is gone, and each further block when half
of the last is gone, in the background; a request waits only when it is faster than that. So a limit is overshot by at
most one block a process, and never by a single one. Blocks that a process has booked and not spent end with the window.
"""

import asyncio
import math
import time
from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta

import structlog

from spectral.platform.limits.counter import RateCounter
from spectral.platform.shared.clock import utc_now

BLOCKS = 10
REMEMBERED = 20_000
PATIENCE_S = 1.0

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class RatePolicy:
    """So many requests in a window; 0 is no limit. `name` stands in the `RateLimit` headers."""

    name: str
    limit: int
    window_s: int = 60

    @property
    def block(self) -> int:
        """How many a process books at once."""
        return max(1, self.limit // BLOCKS)


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of one request under one policy, and what is left, as far as this process knows."""

    policy: RatePolicy
    allowed: bool
    remaining: int
    reset_s: int


class _Share:
    """What this process holds of one bucket's window."""

    __slots__ = ("booking", "elsewhere", "ends_at", "is_spent", "tokens", "unbooked")

    def __init__(self, policy: RatePolicy, ends_at: float) -> None:
        self.tokens = policy.block
        self.unbooked = policy.block
        self.elsewhere = policy.limit - policy.block
        self.ends_at = ends_at
        self.is_spent = False
        self.booking: asyncio.Task[None] | None = None


class RateLimiter:
    """The limits of one process. Never fails: while the count cannot be reached, everybody is let through."""

    def __init__(self, counter: RateCounter) -> None:
        self._counter = counter
        self._shares: OrderedDict[tuple[str, str], _Share] = OrderedDict()
        self._bookings: set[asyncio.Task[None]] = set()
        self._is_blind = False

    async def spend(self, policy: RatePolicy, who: str) -> Standing:
        """Count one request of `who`. Touches no database itself, and waits for one only when the block is used up."""
        now = time.monotonic()
        share = self._share(policy, who, now)
        if share.tokens * 2 <= policy.block:
            await self._refill(share, policy, who)
        allowed = share.tokens > 0 or not share.is_spent
        if allowed:
            share.tokens -= 1
        return Standing(
            policy=policy,
            allowed=allowed,
            remaining=max(0, share.tokens) + share.elsewhere,
            reset_s=max(1, math.ceil(share.ends_at - now)),
        )

    async def close(self) -> None:
        """Give up what is being booked; to be called before the database is closed."""
        for booking in self._bookings:
            booking.cancel()
        await asyncio.gather(*self._bookings, return_exceptions=True)

    def _share(self, policy: RatePolicy, who: str, now: float) -> _Share:
        key = (policy.name, who)
        share = self._shares.get(key)
        if share is None or share.ends_at <= now:
            share = self._shares[key] = _Share(policy, now + policy.window_s)
            self._shares.move_to_end(key)
            while len(self._shares) > REMEMBERED:
                self._shares.popitem(last=False)
        return share

    async def _refill(self, share: _Share, policy: RatePolicy, who: str) -> None:
        patient_until = time.monotonic() + PATIENCE_S
        while not share.is_spent:
            if share.booking is None:
                share.booking = asyncio.create_task(self._book(share, policy, f"{policy.name}:{who}"))
                self._bookings.add(share.booking)
                share.booking.add_done_callback(self._bookings.discard)
            patience = patient_until - time.monotonic()
            if share.tokens > 0 or patience <= 0:
                return
            # A database that is slow to answer makes nobody wait longer than this.
            await asyncio.wait({share.booking}, timeout=patience)

    async def _book(self, share: _Share, policy: RatePolicy, bucket: str) -> None:
        cost = share.unbooked + policy.block
        now = utc_now()
        ends_at = now + timedelta(seconds=share.ends_at - time.monotonic())
        try:
            used, ends_at = await self._counter.add(bucket, cost, now, ends_at)
        except Exception:
            if not self._is_blind:
                log.exception("rate_limits_unreadable")
            self._is_blind = True
            share.tokens += policy.block
            share.unbooked = cost
        else:
            self._is_blind = False
            # What others had left for this process, less what it has given out on credit.
            granted = min(policy.block, policy.limit - (used - cost) - share.unbooked)
            share.tokens += granted
            share.unbooked = 0
            share.elsewhere = max(0, policy.limit - used)
            share.is_spent = granted < policy.block
            # The shared window may have begun earlier, with another process's first booking.
            share.ends_at = time.monotonic() + (ends_at - utc_now()).total_seconds()
        finally:
            share.booking = None
