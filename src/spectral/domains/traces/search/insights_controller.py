"""HTTP of what many traces come to: facets, sessions, users, usage over time."""

from typing import Annotated, Any, Literal, get_args

from litestar import Controller, get
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.controller import PATH, CursorText
from spectral.domains.traces.moments import parse_query_ns
from spectral.domains.traces.search.facets import FacetReader
from spectral.domains.traces.search.insights_schemas import (
    FiltersOut,
    SessionList,
    SessionOut,
    UsageOut,
    UserList,
    UserOut,
    filters_out,
    usage_out,
)
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.search.trace_groups import GroupListing, GroupReader, TraceGroup
from spectral.domains.traces.search.trace_query import Text, provide_trace_filter
from spectral.domains.traces.search.usage import Bucket, Dimension, UsageFilter, UsageReader
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.cursors import COUNTED, CursorPagination, refuse_offset
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

GroupSort = Annotated[
    str, QueryParameter(max_length=32, description="last_seen_at, traces or cost_usd; with - for descending")
]


def provide_facets(session: AsyncSession, access: WorkspaceAccess) -> FacetReader:
    return FacetReader(session, access)


def provide_sessions(session: AsyncSession, access: WorkspaceAccess) -> GroupReader:
    return GroupReader(session, access, "session_id")


def provide_users(session: AsyncSession, access: WorkspaceAccess) -> GroupReader:
    return GroupReader(session, access, "user_id")


def provide_usage(session: AsyncSession, access: WorkspaceAccess) -> UsageReader:
    return UsageReader(session, access)


def provide_usage_filter(
    start_from: Annotated[
        str | None,
        QueryParameter(name="from", max_length=64, description="RFC 3339; by default 24 hours or 7 days before `to`"),
    ] = None,
    start_to: Annotated[
        str | None, QueryParameter(name="to", max_length=64, description="RFC 3339; now by default")
    ] = None,
    bucket: Literal["hour", "day"] = "hour",
    group_by: Annotated[
        str | None,
        QueryParameter(max_length=128, description="agent_id, agent_version, model, operation, mode; with commas"),
    ] = None,
    agent_id: Text = None,
    agent_version: Text = None,
    model: Text = None,
    operation: Text = None,
    mode: Text = None,
) -> UsageFilter:
    """The usage that a query asks for. Raises ValidationFailedError (422)."""
    equal: dict[Dimension, str | None] = {
        "agent_id": agent_id,
        "agent_version": agent_version,
        "model": model,
        "operation": operation,
        "mode": mode,
    }
    return UsageFilter(
        bucket=bucket,
        start_from=parse_query_ns("from", start_from),
        start_to=parse_query_ns("to", start_to),
        group_by=_dimensions(group_by),
        equal={name: value for name, value in equal.items() if value is not None},
    )


def _dimensions(text: str | None) -> tuple[Dimension, ...]:
    known: tuple[Dimension, ...] = get_args(Dimension)
    names = [name.strip() for name in text.split(",")] if text else []
    if not set(names) <= set(known):
        wrong = [FieldError("group_by", f"must be of {', '.join(known)}, with commas between them")]
        raise ValidationFailedError("The query failed validation", wrong)
    return tuple(name for name in known if name in names)


def _pagination(listing: GroupListing, page: Page) -> CursorPagination:
    return CursorPagination(
        total=listing.total,
        total_is_estimate=listing.total >= COUNTED,
        limit=page.limit,
        offset=page.offset,
        next_cursor=listing.next_cursor,
    )


def _members(group: TraceGroup) -> dict[str, Any]:
    return {
        "traces": group.traces,
        "failed_traces": group.failed_traces,
        "spans": group.spans,
        "first_seen_at": group.first_seen_at,
        "last_seen_at": group.last_seen_at,
        "input_tokens": group.input_tokens,
        "output_tokens": group.output_tokens,
        "cost_usd": group.cost_nano_usd,
        "unpriced_spans": group.unpriced_spans,
        "mean_duration_ms": group.mean_duration_ns / 1_000_000,
        "scores": group.scores,
    }


class TraceInsightsController(Controller):
    """What the traces of a workspace come to."""

    path = PATH
    tags = ("Traces",)
    dependencies = {  # noqa: RUF012
        "facets": Provide(provide_facets, sync_to_thread=False),
        "sessions": Provide(provide_sessions, sync_to_thread=False),
        "users": Provide(provide_users, sync_to_thread=False),
        "usage": Provide(provide_usage, sync_to_thread=False),
        "wanted": Provide(provide_trace_filter, sync_to_thread=False),
        "hours": Provide(provide_usage_filter, sync_to_thread=False),
    }

    @get(
        "/filters",
        operation_id="readTraceFilters",
        summary="Values to narrow a list of traces by, and the fields of the filter expression",
        description="Over the newest 10,000 traces that fit the same parameters as the list's, except for deep ones.",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_filters(self, facets: FacetReader, wanted: TraceFilter) -> FiltersOut:
        return filters_out(await facets.read(wanted))

    @get(
        "/sessions",
        operation_id="listTraceSessions",
        summary="List sessions with what their traces came to",
        description="Of the traces that fit the same parameters as the list's, except for deep ones. The traces of a "
        "session are the list with its `session_id`.",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_sessions(
        self,
        sessions: GroupReader,
        wanted: TraceFilter,
        page: Page,
        sort: GroupSort = "-last_seen_at",
        cursor: CursorText = None,
    ) -> SessionList:
        refuse_offset(cursor, page.offset)
        listing = await sessions.page(wanted, sort, page, cursor)
        return SessionList(
            results=[
                SessionOut.model_validate(_members(group) | {"session_id": group.identifier, "users": group.others})
                for group in listing.groups
            ],
            pagination=_pagination(listing, page),
        )

    @get(
        "/users",
        operation_id="listTraceUsers",
        summary="List users with what their traces came to",
        description="Of the traces that fit the same parameters as the list's, except for deep ones. The traces of a "
        "user are the list with their `user_id`.",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_users(
        self,
        users: GroupReader,
        wanted: TraceFilter,
        page: Page,
        sort: GroupSort = "-last_seen_at",
        cursor: CursorText = None,
    ) -> UserList:
        refuse_offset(cursor, page.offset)
        listing = await users.page(wanted, sort, page, cursor)
        return UserList(
            results=[
                UserOut.model_validate(_members(group) | {"user_id": group.identifier, "sessions": group.others})
                for group in listing.groups
            ],
            pagination=_pagination(listing, page),
        )

    @get(
        "/usage",
        operation_id="readTraceUsage",
        summary="Read usage over time",
        description="Counts, errors, tokens, cost and latencies of spans by hour or day, from hourly sums.",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_usage(self, usage: UsageReader, hours: UsageFilter) -> UsageOut:
        bucket: Bucket = hours.bucket
        return usage_out(await usage.read(hours), bucket)
