"""What is said about this process, and for how long it is believed."""

import asyncio
from types import SimpleNamespace

import pytest

from spectral.platform import health
from spectral.platform.health import CheckOut, Health, Status


class Counted:
    """A check that says what it was told to and counts who asks."""

    def __init__(self, status: Status) -> None:
        self.status = status
        self.asked = 0

    async def check(self) -> CheckOut:
        self.asked += 1
        await asyncio.sleep(0)
        return CheckOut(status=self.status)


@pytest.mark.parametrize("status", ["ok", "degraded"])
async def test_that_it_is_ready_is_believed_for_a_second(status: Status, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(health, "time", SimpleNamespace(monotonic=lambda: now))
    check = Counted(status)
    told = Health("1", {"database": check})
    assert (await told.report()).status == status
    check.status = "unavailable"
    now += 0.99
    assert (await told.report()).status == status
    assert check.asked == 1
    now += 0.02
    assert (await told.report()).status == "unavailable"


async def test_that_it_is_not_ready_is_asked_about_each_time() -> None:
    check = Counted("unavailable")
    told = Health("1", {"database": check, "engine": Counted("ok")})
    assert (await told.report()).status == "unavailable"
    check.status = "ok"
    assert (await told.report()).status == "ok"


async def test_who_asks_at_the_same_time_shares_one_look() -> None:
    check = Counted("unavailable")
    told = Health("1", {"database": check})
    asking = [asyncio.create_task(told.report()) for _ in range(5)]
    await asyncio.sleep(0)
    asking.pop().cancel()
    assert {(await one).status for one in asking} == {"unavailable"}
    assert check.asked == 1
