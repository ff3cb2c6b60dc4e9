"""Cron expressions: what they mean, what is refused, and what daylight saving does to them."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spectral.platform.shared.cron import Cron, CronError, moment_of

pytestmark = pytest.mark.databases("sqlite")
BERLIN = ZoneInfo("Europe/Berlin")


def times(expression: str, zone: str, after: str, count: int = 1) -> list[str]:
    """The next times, as the zone's people write them."""
    cron, where, moment = Cron.parse(expression), ZoneInfo(zone), datetime.fromisoformat(after)
    found = []
    for _ in range(count):
        moment = cron.next_after(moment, where)
        found.append(moment.astimezone(where).isoformat(timespec="minutes"))
    return found


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("*/15 * * * *", "2026-01-01T00:00:00+00:00", ["2026-01-01T00:15+00:00", "2026-01-01T00:30+00:00"]),
        ("0 2 * * *", "2026-01-01T02:00:00+00:00", ["2026-01-02T02:00+00:00", "2026-01-03T02:00+00:00"]),
        ("30 4 1,15 * 5", "2026-01-01T05:00:00+00:00", ["2026-01-02T04:30+00:00", "2026-01-09T04:30+00:00"]),
        ("0 0 29 2 *", "2026-01-01T00:00:00+00:00", ["2028-02-29T00:00+00:00", "2032-02-29T00:00+00:00"]),
        ("0 9 * JAN-MAR mon-fri", "2026-03-31T10:00:00+00:00", ["2027-01-01T09:00+00:00", "2027-01-04T09:00+00:00"]),
        ("0 6 * * 7", "2026-01-01T00:00:00+00:00", ["2026-01-04T06:00+00:00", "2026-01-11T06:00+00:00"]),
        ("0 6 * * fri-sun/2", "2026-01-01T00:00:00+00:00", ["2026-01-02T06:00+00:00", "2026-01-04T06:00+00:00"]),
        ("50/5 23 31 12 *", "2026-01-01T00:00:00+00:00", ["2026-12-31T23:50+00:00", "2026-12-31T23:55+00:00"]),
        ("0 0 */10 * *", "2026-01-02T00:00:00+00:00", ["2026-01-11T00:00+00:00", "2026-01-21T00:00+00:00"]),
    ],
)
def test_times(expression: str, after: str, expected: list[str]) -> None:
    assert times(expression, "UTC", after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # 29 March 2026: 02:00 becomes 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T03:00+02:00", "2026-03-30T02:30+02:00"]),
        ("*/30 * * * *", "Europe/Berlin", "2026-03-29T00:20Z", ["2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"]),
        ("15,45 2,3 * * *", "Europe/Berlin", "2026-03-28T12:00Z", ["2026-03-29T03:00+02:00", "2026-03-29T03:15+02:00"]),
        # 25 October 2026: 03:00 becomes 02:00, so 02:30 happens twice.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00Z", ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
        ("0 * * * *", "Europe/Berlin", "2026-10-24T23:59Z", ["2026-10-25T02:00+02:00", "2026-10-25T03:00+01:00"]),
        # Half an hour, at another time of the year, and a day that Samoa never had.
        ("9 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00Z", ["2026-10-04T02:30+11:00", "2026-10-05T02:09+11:00"]),
        ("0 12 30 12 *", "Pacific/Apia", "2011-12-29T12:00Z", ["2011-12-31T00:00+14:00", "2012-12-30T12:00+14:00"]),
    ],
    ids=["gap", "gap-every-half-hour", "gap-twice", "overlap", "overlap-hourly", "half-an-hour", "lost-day"],
)
def test_daylight_saving(expression: str, zone: str, after: str, expected: list[str]) -> None:
    assert times(expression, zone, after, len(expected)) == expected


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("", "needs 5 fields"),
        ("* * * *", "has 4"),
        ("@daily", "has 1"),
        ("60 * * * *", "minute: 60 is not from 0 to 59"),
        ("* 24 * * *", "hour: 24"),
        ("* * 0 * *", "day of month: 0"),
        ("* * * 13 *", "month: 13"),
        ("* * * * 8", "day of week: 8"),
        ("* * * foo *", "month: foo"),
        ("5-1 * * * *", "ends before it begins"),
        ("*/0 * * * *", "at least 1"),
        ("1,,2 * * * *", "minute: ''"),
        ("*-5 * * * *", r"minute: '\*-5'"),
        ("٣ * * * *", "minute"),
        ("*/100 * * * *", "minute"),
        ("0 0 30 2 *", "no day fits"),
        ("0 0 31 4,6,9,11 *", "no day fits"),
    ],
)
def test_what_is_refused(expression: str, says: str) -> None:
    with pytest.raises(CronError, match=says):
        Cron.parse(expression)


@settings(max_examples=60, deadline=None)
@given(
    minute=st.integers(0, 59),
    hour=st.integers(0, 23),
    hours=st.integers(0, 3 * 365 * 24),
    zone=st.sampled_from(["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca", "UTC"]),
)
def test_a_daily_time_comes_once_a_day_and_never_goes_back(minute: int, hour: int, hours: int, zone: str) -> None:
    moment = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    cron, where = Cron.parse(f"{minute} {hour} * * *"), ZoneInfo(zone)
    days = []
    for _ in range(5):
        following = cron.next_after(moment, where)
        assert moment < following <= moment + timedelta(hours=26)
        moment = following
        days.append(moment.astimezone(where).date())
    assert days == [days[0] + timedelta(days=number) for number in range(5)]


def test_a_time_that_never_was_is_the_end_of_its_gap() -> None:
    for local in ("2026-03-29T02:00", "2026-03-29T02:59", "2026-03-29T03:00"):
        assert moment_of(datetime.fromisoformat(local), BERLIN) == datetime(2026, 3, 29, 1, tzinfo=UTC)
