"""Cron: five fields, read in a time zone. Pure.

Source of the fields and of the rule about days: crontab(5), Vixie cron. What daylight saving does to a time is ours,
and the same for every expression: each local time that fits comes exactly once. One that is skipped in spring comes at
the moment the clock is put forward (several of them together, once); one that happens twice in autumn comes the first
time.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, available_timezones

YEARS_AHEAD = 9
"""The longest wait that an expression can ask for: 29 February, over a year that is no leap year (2096 to 2104)."""

_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_PART = re.compile(r"(?P<star>\*)|(?P<low>[0-9]{1,2}|[a-z]{3})(?:-(?P<high>[0-9]{1,2}|[a-z]{3}))?", re.ASCII)


class CronError(ValueError):
    """The text is no cron expression; the message says which field is wrong, and how."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    low: int
    high: int
    words: Mapping[str, int]


_FIELDS = (
    _Field("minute", 0, 59, {}),
    _Field("hour", 0, 23, {}),
    _Field("day of month", 1, 31, {}),
    _Field("month", 1, 12, _MONTHS),
    _Field("day of week", 0, 7, _DAYS),
)


@dataclass(frozen=True, slots=True)
class Cron:
    """Local times at which something is due. weekdays: 0 is Sunday.

    either_day: both the day of month and the day of week are restricted; a day that fits one of them fits.
    """

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, text: str) -> "Cron":
        """Five fields: numbers, `*`, ranges, lists, steps; names of months and days in English.

        Raises CronError, also for an expression that no day fits.
        """
        fields = text.lower().split()
        if len(fields) != len(_FIELDS):
            message = f"needs {len(_FIELDS)} fields (minute, hour, day of month, month, day of week), has {len(fields)}"
            raise CronError(message)
        minutes, hours, days, months, weekdays = (
            _read(field, written) for field, written in zip(_FIELDS, fields, strict=True)
        )
        cron = cls(
            minutes=tuple(sorted(minutes)),
            hours=tuple(sorted(hours)),
            days=frozenset(days),
            months=frozenset(months),
            weekdays=frozenset(day % 7 for day in weekdays),
            either_day=not fields[2].startswith("*") and not fields[4].startswith("*"),
        )
        # Every day of every month exists in a leap year; only a day of month alone can rule all of them out.
        if not any(cron.fits(date(2024, 1, 1) + timedelta(days=day)) for day in range(366)):
            raise CronError("no day fits it")
        return cron

    def fits(self, day: date) -> bool:
        """Whether anything is due on this day."""
        if day.month not in self.months:
            return False
        of_month, of_week = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return of_month or of_week if self.either_day else of_month and of_week

    def next_after(self, moment: datetime, zone: ZoneInfo) -> datetime:
        """The first time after `moment` (aware) that something is due, in UTC. Raises CronError where there is none."""
        day = moment.astimezone(zone).date()
        for _ in range(YEARS_AHEAD * 366):
            if self.fits(day):
                for hour in self.hours:
                    for minute in self.minutes:
                        due = moment_of(datetime.combine(day, time(hour, minute)), zone)
                        if due > moment:
                            return due
            try:
                day += timedelta(days=1)
            except OverflowError:
                break
        raise CronError("no day fits it")


def moment_of(local: datetime, zone: ZoneInfo) -> datetime:
    """When a local time (naive) is, in UTC: the first of two, and the end of the gap for one that never is."""
    moment = local.replace(tzinfo=zone).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) == local:
        return moment
    # With the offset before the gap it is a moment after the gap, and the other way round: the change lies between.
    low, high = local.replace(tzinfo=zone, fold=1).astimezone(UTC), moment
    offset = high.astimezone(zone).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        low, high = (low, middle) if middle.astimezone(zone).utcoffset() == offset else (middle, high)
    return high.replace(microsecond=0)


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Names of the IANA time zones of this machine, or of the `tzdata` package."""
    return frozenset(available_timezones())


def _read(field: _Field, written: str) -> set[int]:
    numbers: set[int] = set()
    for part in written.split(","):
        span, slash, step_text = part.partition("/")
        match = _PART.fullmatch(span)
        if match is None or (slash and not (step_text.isascii() and step_text.isdecimal() and len(step_text) <= 2)):
            raise CronError(f"{field.name}: {part!r} is no number, range, list or step")
        step = int(step_text) if slash else 1
        if step < 1:
            raise CronError(f"{field.name}: a step is at least 1")
        low, high = _span(field, match, stepped=bool(slash))
        if low > high:
            raise CronError(f"{field.name}: the range {part!r} ends before it begins")
        numbers |= set(range(low, high + 1, step))
    return numbers


def _span(field: _Field, match: re.Match[str], *, stepped: bool) -> tuple[int, int]:
    if match["star"]:
        # 7 is another name of Sunday and must not be counted twice by a step.
        return field.low, min(field.high, 6) if field.words is _DAYS else field.high
    low = _number(field, match["low"])
    if match["high"] is not None:
        high = _number(field, match["high"])
        # As in crontab(5): a week may end with its Sunday.
        return low, 7 if field.words is _DAYS and high == 0 and low > 0 else high
    # `5/10` means from 5 on, every 10.
    return low, field.high if stepped else low


def _number(field: _Field, written: str) -> int:
    number = field.words.get(written)
    if number is None:
        number = int(written) if written.isdecimal() else -1
    if not field.low <= number <= field.high:
        raise CronError(f"{field.name}: {written} is not from {field.low} to {field.high}")
    return number
