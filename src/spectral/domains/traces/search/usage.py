"""Usage over time, from hourly counters: no span and no trace is read for it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.conventions import gen_ai
from spectral.domains.traces.ingestion.rollup import HOUR_NS, LATENCY_BOUNDS_US, LATENCY_BUCKETS, TOKEN_COLUMNS
from spectral.domains.traces.models import USAGE_HOURLY
from spectral.domains.traces.moments import NANOSECONDS
from spectral.domains.traces.vocabulary import AGGREGATING
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError

Bucket = Literal["hour", "day"]
Dimension = Literal["agent_id", "agent_version", "model", "operation", "mode"]

BUCKET_NS = {"hour": HOUR_NS, "day": 24 * HOUR_NS}
DEFAULT_BUCKETS = {"hour": 24, "day": 7}
MAXIMUM_BUCKETS = 1_000
MAXIMUM_ROWS = 20_000

AGGREGATING_OPERATIONS = frozenset(map(str, AGGREGATING)) | {
    name for name, kind in gen_ai.OPERATIONS.items() if kind in AGGREGATING
}
"""Operations of agents and chains: their tokens and cost repeat those of the model calls below them."""

LATENCIES = tuple(f"latency_{index:02d}" for index in range(LATENCY_BUCKETS))
COUNTS = ("span_count", "error_count", "root_count", "root_error_count", "duration_us")
SPENT = (*TOKEN_COLUMNS, "cost_nano_usd", "priced_count", "unpriced_count")


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which hours are asked for (nanoseconds, `start_to` exclusive), of what; "" is what names none."""

    bucket: Bucket = "hour"
    start_from: int | None = None
    start_to: int | None = None
    group_by: tuple[Dimension, ...] = ()
    equal: dict[Dimension, str] = field(default_factory=dict)


@dataclass(slots=True)
class UsageCounts:
    """Sums over spans. Tokens and cost are those of model calls, never again those of the agents above them.

    `traces` and `failed_traces` count spans without a parent.  cost_nano_usd: None when no call's cost is known.
    latency: how many spans lasted below each of `rollup.LATENCY_BOUNDS_US`, the last is open.
    """

    spans: int = 0
    errors: int = 0
    traces: int = 0
    failed_traces: int = 0
    duration_us: int = 0
    tokens: list[int] = field(default_factory=lambda: [0] * len(TOKEN_COLUMNS))
    cost: int = 0
    priced: int = 0
    unpriced_spans: int = 0
    latency: list[int] = field(default_factory=lambda: [0] * LATENCY_BUCKETS)

    def add(self, row: Any) -> None:
        """Add a row of sums."""
        self.spans += int(row.span_count)
        self.errors += int(row.error_count)
        self.traces += int(row.root_count)
        self.failed_traces += int(row.root_error_count)
        self.duration_us += int(row.duration_us)
        self.tokens = [mine + int(getattr(row, name)) for mine, name in zip(self.tokens, TOKEN_COLUMNS, strict=True)]
        self.cost += int(row.cost_nano_usd)
        self.priced += int(row.priced_count)
        self.unpriced_spans += int(row.unpriced_count)
        self.latency = [mine + int(getattr(row, name)) for mine, name in zip(self.latency, LATENCIES, strict=True)]

    @property
    def cost_nano_usd(self) -> int | None:
        return self.cost if self.priced else None

    def latency_ms(self, share: float) -> float | None:
        """The duration that this share of the spans stays below, to within the histogram's √2; None without spans."""
        total = sum(self.latency)
        if not total:
            return None
        wanted, below = share * total, 0
        for index, count in enumerate(self.latency):
            if count and below + count >= wanted:
                low = LATENCY_BOUNDS_US[index - 1] if index else 0
                high = LATENCY_BOUNDS_US[index] if index < len(LATENCY_BOUNDS_US) else 2 * low
                return round((low + (high - low) * (wanted - below) / count) / 1000, 3)
            below += count
        return None


@dataclass(frozen=True, slots=True)
class UsageSeries:
    """The buckets of one group, oldest first, without empty ones; and their sum."""

    group: dict[str, str | None]
    buckets: list[tuple[int, UsageCounts]]
    total: UsageCounts


@dataclass(frozen=True, slots=True)
class Usage:
    """Series in the order of their cost, then of their spans. `is_cut`: there was more than can be told at once."""

    start_from: int
    start_to: int
    series: list[UsageSeries]
    is_cut: bool


class UsageReader:
    """Hourly usage of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access

    async def read(self, wanted: UsageFilter) -> Usage:
        """Raises ValidationFailedError for a window without an hour in it, or with too many buckets."""
        size = BUCKET_NS[wanted.bucket]
        now = int(utc_now().timestamp()) * NANOSECONDS
        start_to = now if wanted.start_to is None else wanted.start_to
        start_from = wanted.start_from
        if start_from is None:
            start_from = max(0, start_to - start_to % size - (DEFAULT_BUCKETS[wanted.bucket] - 1) * size)
        start_from -= start_from % HOUR_NS
        if start_from >= start_to:
            raise _refused("from", "must be before `to`")
        if (start_to - start_from) // size > MAXIMUM_BUCKETS:
            raise _refused("from", f"there are more than {MAXIMUM_BUCKETS} buckets until `to`")
        rows = (await self._session.execute(self._statement(wanted, start_from, start_to, size))).all()
        return Usage(start_from, start_to, _series(rows[:MAXIMUM_ROWS], wanted.group_by), len(rows) > MAXIMUM_ROWS)

    def _statement(self, wanted: UsageFilter, start_from: int, start_to: int, size: int) -> sa.Select[Any]:
        table = USAGE_HOURLY.c
        bucket = (table.hour - table.hour % sa.literal(size, sa.BigInteger)).label("bucket")
        groups = [table[name] for name in wanted.group_by]
        is_call = table.operation.not_in(sorted(AGGREGATING_OPERATIONS))
        sums = [sa.func.sum(table[name]).label(name) for name in (*COUNTS, *LATENCIES)]
        spent = [sa.func.sum(sa.case((is_call, table[name]), else_=0)).label(name) for name in SPENT]
        return (
            sa.select(bucket, *groups, *sums, *spent)
            .where(
                table.workspace_id == self._access.workspace_id,
                table.hour >= start_from,
                table.hour < start_to,
                *(table[name] == value for name, value in wanted.equal.items()),
            )
            .group_by(bucket, *groups)
            .order_by(bucket, *groups)
            .limit(MAXIMUM_ROWS + 1)
        )


def _series(rows: Sequence[Any], group_by: tuple[Dimension, ...]) -> list[UsageSeries]:
    found: dict[tuple[str, ...], UsageSeries] = {}
    for row in rows:
        key = tuple(getattr(row, name) for name in group_by)
        series = found.get(key)
        if series is None:
            named: dict[str, str | None] = {name: value or None for name, value in zip(group_by, key, strict=True)}
            series = found[key] = UsageSeries(named, [], UsageCounts())
        counts = UsageCounts()
        counts.add(row)
        series.buckets.append((int(row.bucket), counts))
        series.total.add(row)
    return sorted(found.values(), key=lambda series: (-series.total.cost, -series.total.spans))


def _refused(parameter: str, detail: str) -> ValidationFailedError:
    return ValidationFailedError("The query failed validation", [FieldError(parameter, detail)])
