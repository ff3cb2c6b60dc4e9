"""Counts that all processes share are exact."""

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.limits.counter import RateCounter, RateWindow, Verdict
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings


async def end_windows(identity: Database) -> None:
    async with identity.transaction() as session:
        await session.execute(sa.update(RateWindow).values(expires_at=utc_now() - timedelta(seconds=1)))


async def test_hits_count_down_and_then_are_refused(identity: Database) -> None:
    counter = RateCounter(identity)
    verdicts = [await counter.hit("sign-in:a", limit=2, window_s=60) for _ in range(3)]
    assert [(verdict.allowed, verdict.remaining) for verdict in verdicts] == [(True, 1), (True, 0), (False, 0)]
    assert all(1 <= verdict.reset_s <= 60 for verdict in verdicts)
    assert (await counter.hit("sign-in:b", limit=2, window_s=60)).allowed


async def test_a_window_that_ended_begins_again(identity: Database) -> None:
    counter = RateCounter(identity)
    await counter.hit("a", limit=5, window_s=60, cost=9)
    await end_windows(identity)
    assert await counter.hit("a", limit=5, window_s=60) == Verdict(allowed=True, remaining=4, reset_s=60)


async def test_a_cleared_bucket_is_empty(identity: Database) -> None:
    counter = RateCounter(identity)
    await counter.hit("a", limit=1, window_s=60)
    await counter.clear("a")
    assert (await counter.hit("a", limit=1, window_s=60)).allowed


async def test_many_processes_at_once_get_the_limit_and_no_more(identity: Database, settings: Settings) -> None:
    other = Database(settings.identity_url, pool_size=3)
    try:
        counters = [RateCounter(identity), RateCounter(other)]
        verdicts = await asyncio.gather(*(counters[number % 2].hit("a", limit=7, window_s=60) for number in range(20)))
    finally:
        await other.close()
    assert sum(verdict.allowed for verdict in verdicts) == 7
    assert sorted(verdict.remaining for verdict in verdicts if verdict.allowed) == list(range(7))


async def test_names_are_not_stored_and_ended_windows_are_removed(identity: Database) -> None:
    counter = RateCounter(identity)
    await counter.hit("sign-in:somebody@example.com", limit=1, window_s=60)
    async with identity.transaction(read_only=True) as session:
        [stored] = await session.scalars(sa.select(RateWindow.bucket))
    assert "somebody" not in stored
    await end_windows(identity)
    await counter.hit("open", limit=1, window_s=60)
    await counter.forget_ended()
    async with identity.transaction(read_only=True) as session:
        assert await session.scalar(sa.select(sa.func.count()).select_from(RateWindow)) == 1


@pytest.mark.databases("postgresql")
async def test_the_application_s_role_does_not_see_them(database: Database) -> None:
    async with database.transaction(read_only=True) as session:
        with pytest.raises(sa.exc.ProgrammingError, match="permission denied"):
            await session.execute(sa.select(RateWindow.bucket))
