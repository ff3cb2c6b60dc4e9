"""The wire shapes of schedules."""

from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import AfterValidator, Field, StringConstraints

from spectral.domains.scans.schemas import ScanIn
from spectral.platform.shared.cron import Cron, zone_names
from spectral.platform.shared.wire import Timestamp, WireIn, WireOut


def _cron(text: str) -> str:
    Cron.parse(text)
    return " ".join(text.split())


def _zone(name: str) -> str:
    if name not in zone_names():
        message = "is no IANA time zone, such as Europe/Berlin or UTC"
        raise ValueError(message)
    return name


ScheduleName = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100)]
CronText = Annotated[
    str,
    StringConstraints(min_length=1, max_length=100),
    AfterValidator(_cron),
    Field(
        description="Minute, hour, day of month, month, day of week, in `time_zone`. A time that daylight saving skips "
        "comes when the clock is put forward; one that it repeats comes the first time.",
        examples=["0 2 * * *", "30 22 * * mon-fri"],
    ),
]
ZoneName = Annotated[
    str, StringConstraints(min_length=1, max_length=64), AfterValidator(_zone), Field(examples=["Europe/Berlin"])
]


class ScheduleIn(WireIn):
    """A scan to be started again and again."""

    name: ScheduleName
    cron: CronText
    time_zone: ZoneName = "UTC"
    request: ScanIn = Field(
        description="As the body of `startScan`, checked anew each time. Without a `seed` every scan has its own."
    )
    enabled: bool = True


class SchedulePatch(WireIn):
    """What can be changed about a schedule; members that are left out stay as they are."""

    name: ScheduleName | None = None
    cron: CronText | None = None
    time_zone: ZoneName | None = None
    request: ScanIn | None = None
    enabled: bool | None = None


class FiringOut(WireOut):
    """What came of a schedule at one of its times.

    `skipped`: the scan that it started before, `scan_id`, had not ended. `refused`: see `problem`.
    """

    id: UUID
    due_at: Timestamp
    outcome: Literal["started", "skipped", "refused"]
    scan_id: UUID | None
    problem: dict[str, Any] | None = Field(description="`type`, `title` and `detail` of what was refused.")
    created_at: Timestamp


class ScheduleOut(WireOut):
    """A schedule, and what came of it last."""

    id: UUID
    name: str
    cron: str
    time_zone: str
    request: dict[str, Any]
    enabled: bool
    next_run_at: Timestamp | None = Field(description="Null while it is not enabled.")
    last_firing: FiringOut | None
    created_by: str
    created_at: Timestamp
    updated_at: Timestamp
