"""Processes share a limit: together they overshoot it by at most one block each, and from memory."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from spectral.platform.db.session import Database
from spectral.platform.limits.counter import RateCounter
from spectral.platform.limits.limiter import RateLimiter, RatePolicy, Standing
from spectral.platform.shared.clock import utc_now

HUNDRED = RatePolicy("credential", 100)


class MemoryCounter(RateCounter):
    """One shared window without a database; says how often it was asked, and fails while it is told to."""

    def __init__(self) -> None:
        self.used = 0
        self.asked = 0
        self.fails = False
        self.ends_at: datetime | None = None

    async def add(self, bucket: str, cost: int, now: datetime, expires_at: datetime) -> tuple[int, datetime]:
        del bucket
        self.asked += 1
        await asyncio.sleep(0)
        if self.fails:
            raise ConnectionRefusedError
        if self.ends_at is None or self.ends_at <= now:
            self.used, self.ends_at = 0, expires_at
        self.used += cost
        return self.used, self.ends_at


async def ask(limiter: RateLimiter, times: int, policy: RatePolicy = HUNDRED) -> list[Standing]:
    return [await limiter.spend(policy, "a") for _ in range(times)]


async def test_one_process_gives_out_the_limit_exactly() -> None:
    limiter = RateLimiter(MemoryCounter())
    standings = await ask(limiter, 120)
    assert [standing.allowed for standing in standings] == [True] * 100 + [False] * 20
    assert standings[0].remaining == 99
    assert standings[99].remaining == 0
    assert all(1 <= standing.reset_s <= 60 for standing in standings)
    await limiter.close()


@pytest.mark.parametrize("limit", [1, 2, 3, 10, 15, 99])
async def test_small_limits_are_exact_too(limit: int) -> None:
    limiter = RateLimiter(MemoryCounter())
    standings = await ask(limiter, limit + 5, RatePolicy("credential", limit))
    assert sum(standing.allowed for standing in standings) == limit


async def test_many_at_once_get_no_more_than_one_after_another() -> None:
    limiter = RateLimiter(MemoryCounter())
    standings = await asyncio.gather(*(limiter.spend(HUNDRED, "a") for _ in range(150)))
    assert sum(standing.allowed for standing in standings) == 100


async def test_processes_overshoot_by_at_most_one_block_each() -> None:
    counter = MemoryCounter()
    processes = [RateLimiter(counter) for _ in range(3)]
    allowed = 0
    for number in range(200):
        standing = await processes[number % 3].spend(HUNDRED, "a")
        allowed += standing.allowed
    assert 100 - 2 * HUNDRED.block <= allowed <= 100 + 3 * HUNDRED.block
    # One that comes when everything is gone has its block, and no more.
    late = RateLimiter(counter)
    assert sum(standing.allowed for standing in await ask(late, 50)) <= HUNDRED.block


async def test_who_asks_little_costs_the_database_nothing() -> None:
    counter = MemoryCounter()
    limiter = RateLimiter(counter)
    await ask(limiter, HUNDRED.block // 2)
    await asyncio.sleep(0)
    assert counter.asked == 0
    await ask(limiter, 90)
    assert counter.asked <= 10


async def test_a_new_window_begins_with_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    limiter, now, wall = RateLimiter(MemoryCounter()), 1000.0, utc_now()
    monkeypatch.setattr("spectral.platform.limits.limiter.time.monotonic", lambda: now)
    monkeypatch.setattr("spectral.platform.limits.limiter.utc_now", lambda: wall + timedelta(seconds=now - 1000.0))
    assert not (await ask(limiter, 101))[-1].allowed
    now += 61
    assert sum(standing.allowed for standing in await ask(limiter, 101)) == 100


async def test_while_the_count_cannot_be_reached_everybody_is_let_through_and_it_is_said_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[Any] = []
    monkeypatch.setattr("spectral.platform.limits.limiter.log.exception", said.append)
    counter = MemoryCounter()
    counter.fails = True
    limiter = RateLimiter(counter)
    assert all(standing.allowed for standing in await ask(limiter, 300))
    assert len(said) == 1
    # What was let through is counted once the count is back.
    counter.fails = False
    assert not (await ask(limiter, 50))[-1].allowed


async def test_what_one_process_booked_another_reads_in_the_database(identity: Database) -> None:
    first, second = RateLimiter(RateCounter(identity)), RateLimiter(RateCounter(identity))
    used = sum(standing.allowed for standing in await ask(first, 200))
    assert used == 100
    assert sum(standing.allowed for standing in await ask(second, 200)) <= HUNDRED.block
    await first.close()
    await second.close()
