"""The wire shapes of what many traces come to: facets, sessions, users, usage."""

from typing import Annotated, Any

import msgspec
from pydantic import BaseModel

from spectral.domains.traces.ingestion.rollup import TOKEN_COLUMNS
from spectral.domains.traces.moments import Moment, rfc3339_ns
from spectral.domains.traces.schemas import Milliseconds
from spectral.domains.traces.search.facets import Facets
from spectral.domains.traces.search.filter_fields import DEEP, DOCUMENTED
from spectral.domains.traces.search.usage import Usage, UsageCounts
from spectral.platform.shared.cursors import CursorPagination
from spectral.platform.shared.money import UsdAmount, nano_to_usd
from spectral.platform.shared.wire import WireOut


class FacetValueOut(WireOut):
    """A value, and how many of the traces have it."""

    value: str
    count: int


class FacetOut(WireOut):
    """The 50 most frequent values; `distinct` counts them all."""

    values: list[FacetValueOut]
    distinct: int


class ScoreFacetOut(WireOut):
    """How many of the traces have a score, and the mean of it."""

    traces: int
    mean: float


class FilterFieldOut(WireOut):
    """A field of the filter expression. `is_deep`: what was sent has to be searched for it."""

    name: str
    form: str
    operators: list[str]
    is_deep: bool
    description: str


class FiltersOut(WireOut):
    """The values of the newest 10,000 traces that fit; `is_sampled` says that more fit.

    kind, operation, provider and tool_name are those of the spans of the newest `span_traces` of them.
    """

    traces: int
    is_sampled: bool
    span_traces: int
    facets: dict[str, FacetOut]
    scores: dict[str, ScoreFacetOut]
    fields: list[FilterFieldOut]


_FIELDS = [
    FilterFieldOut(
        name=field.name,
        form=field.form.value,
        operators=list(field.operators),
        is_deep=field.place in DEEP,
        description=field.description,
    )
    for field in DOCUMENTED
]


def filters_out(found: Facets) -> FiltersOut:
    return FiltersOut(
        traces=found.traces,
        is_sampled=found.is_sampled,
        span_traces=found.span_traces,
        facets={
            name: FacetOut(
                values=[FacetValueOut(value=value, count=count) for value, count in facet.values],
                distinct=facet.distinct,
            )
            for name, facet in found.facets.items()
        },
        scores={name: ScoreFacetOut(traces=traces, mean=mean) for name, (traces, mean) in found.scores.items()},
        fields=_FIELDS,
    )


class GroupOut(WireOut):
    """What the traces of one session or user came to.

    `first_seen_at` and `last_seen_at`: when its first and its last trace started. `failed_traces`: with a span that
    failed. `cost_usd`: the sum of the known costs, null when none is known; `unpriced_spans` counts the others.
    `scores`: means over its traces.
    """

    traces: int
    failed_traces: int
    spans: int
    first_seen_at: Moment
    last_seen_at: Moment
    input_tokens: int
    output_tokens: int
    cost_usd: UsdAmount | None
    unpriced_spans: int
    mean_duration_ms: Milliseconds
    scores: dict[str, float]


class SessionOut(GroupOut):
    """A session. `users`: how many took part."""

    session_id: str
    users: int


class UserOut(GroupOut):
    """A user. `sessions`: how many they had."""

    user_id: str
    sessions: int


class SessionList(BaseModel):
    """One page of sessions."""

    results: list[SessionOut]
    pagination: CursorPagination


class UserList(BaseModel):
    """One page of users."""

    results: list[UserOut]
    pagination: CursorPagination


class UsageCountsOut(msgspec.Struct, frozen=True):
    """Sums over spans. Tokens and cost are those of model calls; agents and chains above them are not added again.

    `traces` counts spans without a parent. `cost_usd`: the known part, null when none is. Latencies are those of single
    spans, from a histogram whose bounds grow by √2.
    """

    spans: int
    errors: int
    traces: int
    failed_traces: int
    input_tokens: int
    output_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    audio_tokens: int
    cost_usd: Annotated[str, msgspec.Meta(description="decimal, US dollars")] | None
    unpriced_spans: int
    mean_ms: float | None
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None


class UsageBucketOut(msgspec.Struct, frozen=True):
    """One hour or day; those without spans are left out."""

    start: Annotated[str, msgspec.Meta(description="RFC 3339")]
    counts: UsageCountsOut


class UsageSeriesOut(msgspec.Struct, frozen=True):
    """One group: for each dimension of `group_by` its value, null for spans that name none."""

    group: dict[str, str | None]
    total: UsageCountsOut
    buckets: list[UsageBucketOut]


class UsageOut(msgspec.Struct, frozen=True):
    """Usage in whole hours, UTC; the series with the greatest cost first. `is_cut`: there was more than can be told."""

    searched_from: str
    searched_to: str
    bucket: str
    is_cut: bool
    series: list[UsageSeriesOut]


def usage_out(found: Usage, bucket: str) -> UsageOut:
    return UsageOut(
        searched_from=rfc3339_ns(found.start_from),
        searched_to=rfc3339_ns(found.start_to),
        bucket=bucket,
        is_cut=found.is_cut,
        series=[
            UsageSeriesOut(
                series.group,
                _counts(series.total),
                [UsageBucketOut(rfc3339_ns(start), _counts(counts)) for start, counts in series.buckets],
            )
            for series in found.series
        ],
    )


def _counts(counts: UsageCounts) -> UsageCountsOut:
    tokens: dict[str, Any] = dict(zip(TOKEN_COLUMNS, counts.tokens, strict=True))
    cost = counts.cost_nano_usd
    return UsageCountsOut(
        spans=counts.spans,
        errors=counts.errors,
        traces=counts.traces,
        failed_traces=counts.failed_traces,
        **tokens,
        cost_usd=None if cost is None else nano_to_usd(cost),
        unpriced_spans=counts.unpriced_spans,
        mean_ms=round(counts.duration_us / counts.spans / 1000, 3) if counts.spans else None,
        p50_ms=counts.latency_ms(0.50),
        p95_ms=counts.latency_ms(0.95),
        p99_ms=counts.latency_ms(0.99),
    )
