"""HTTP of traces: `/api/v1/workspaces/{workspace_id}/traces`, for everybody but exporters."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.bodies import SpanBody
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.moments import parse_query_ns
from spectral.domains.traces.repository import TraceFilter
from spectral.domains.traces.schemas import (
    FeedbackIn,
    FeedbackOut,
    SpanBodyOut,
    SpanList,
    SpanOut,
    TraceList,
    TraceOut,
)
from spectral.domains.traces.service import (
    NEWEST_FIRST,
    FeedbackDraft,
    Listing,
    TraceService,
)
from spectral.domains.traces.vocabulary import SpanStatus
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.cursors import CursorPagination, refuse_offset
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/traces"
NANOSECONDS_A_MILLISECOND = 1_000_000

Text = Annotated[str | None, QueryParameter(max_length=512)]
CursorText = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before; not with offset")
]


def provide_trace_service(session: AsyncSession, access: WorkspaceAccess, span_mapper: SpanMapper) -> TraceService:
    return TraceService(session, access, span_mapper)


def trace_out(trace: Trace) -> TraceOut:
    members = {name: getattr(trace, name) for name in TraceOut.model_fields if name in _TRACE_COLUMNS}
    return TraceOut.model_validate(
        members | {"cost_usd": trace.cost_nano_usd, "duration_ms": trace.duration_ns / NANOSECONDS_A_MILLISECOND}
    )


def span_out(span: SpanRecord, body: SpanBody | None = None) -> SpanOut:
    members = {name: getattr(span, name) for name in SpanOut.model_fields if name in _SPAN_COLUMNS}
    return SpanOut.model_validate(
        members
        | {
            "cost_usd": span.cost_nano_usd,
            "duration_ms": (span.ended_at - span.started_at) / NANOSECONDS_A_MILLISECOND,
            "body": None if body is None else SpanBodyOut.model_validate(body),
        }
    )


_TRACE_COLUMNS = frozenset(Trace.__table__.columns.keys())
_SPAN_COLUMNS = frozenset(SpanRecord.__table__.columns.keys())


def pagination_of(listing: Listing, page: Page) -> CursorPagination:
    return CursorPagination(
        total=listing.total,
        total_is_estimate=listing.is_estimate,
        limit=page.limit,
        offset=page.offset,
        next_cursor=listing.next_cursor,
    )


def provide_trace_filter(
    start_from: Annotated[
        str | None, QueryParameter(name="from", max_length=64, description="RFC 3339; started then or later")
    ] = None,
    start_to: Annotated[
        str | None, QueryParameter(name="to", max_length=64, description="RFC 3339; started before")
    ] = None,
    status: Literal["unset", "ok", "error"] | None = None,
    has_error: Annotated[bool | None, QueryParameter(description="whether any span failed")] = None,
    agent_id: Text = None,
    agent_version: Text = None,
    session_id: Text = None,
    user_id: Text = None,
    mode: Text = None,
    service: Text = None,
    name: Annotated[str | None, QueryParameter(max_length=512, description="part of the name, in any case")] = None,
    min_duration_ms: Annotated[float | None, QueryParameter(ge=0, le=1e12)] = None,
) -> TraceFilter:
    """The traces that a query asks for. Raises ValidationFailedError (422)."""
    return TraceFilter(
        start_from=parse_query_ns("from", start_from),
        start_to=parse_query_ns("to", start_to),
        status=None if status is None else SpanStatus.NAMES.index(status),
        has_error=has_error,
        agent_id=agent_id,
        agent_version=agent_version,
        session_id=session_id,
        user_id=user_id,
        mode=mode,
        service=service,
        name_contains=name,
        minimum_duration_ns=None if min_duration_ms is None else round(min_duration_ms * NANOSECONDS_A_MILLISECOND),
    )


class TraceController(Controller):
    """The traces of a workspace. Trace and span ids are lower-case hexadecimal."""

    path = PATH
    tags = ("Traces",)
    dependencies = {  # noqa: RUF012
        "trace_service": Provide(provide_trace_service, sync_to_thread=False),
        "wanted": Provide(provide_trace_filter, sync_to_thread=False),
    }

    @get(operation_id="listTraces", summary="List traces", guards=[requires(Scope.READ_WORKSPACE)])
    async def list_traces(
        self,
        trace_service: TraceService,
        wanted: TraceFilter,
        page: Page,
        sort: Annotated[str, QueryParameter(max_length=32, description="see the 422 for what is possible")] = (
            NEWEST_FIRST
        ),
        cursor: CursorText = None,
    ) -> TraceList:
        refuse_offset(cursor, page.offset)
        listing = await trace_service.list_traces(wanted, sort, page, cursor)
        return TraceList(results=[trace_out(trace) for trace in listing.rows], pagination=pagination_of(listing, page))

    @get("/{trace_id:str}", operation_id="readTrace", summary="Read a trace", guards=[requires(Scope.READ_WORKSPACE)])
    async def read_trace(self, trace_service: TraceService, trace_id: str) -> TraceOut:
        return trace_out(await trace_service.read_trace(trace_id))

    @get(
        "/{trace_id:str}/spans",
        operation_id="listSpans",
        summary="List the spans of a trace",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_spans(
        self,
        trace_service: TraceService,
        trace_id: str,
        page: Page,
        cursor: CursorText = None,
        include: Annotated[
            Literal["body"] | None, QueryParameter(description="`body`: with what was sent for each span")
        ] = None,
    ) -> SpanList:
        refuse_offset(cursor, page.offset)
        listing = await trace_service.list_spans(trace_id, page, cursor)
        bodies = await trace_service.read_bodies(listing.rows if include == "body" else ())
        return SpanList(
            results=[span_out(span, bodies.get(span.span_id)) for span in listing.rows],
            pagination=pagination_of(listing, page),
        )

    @get(
        "/{trace_id:str}/spans/{span_id:str}",
        operation_id="readSpan",
        summary="Read a span with everything that was sent for it",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_span(
        self,
        trace_service: TraceService,
        trace_id: str,
        span_id: str,
    ) -> SpanOut:
        span = await trace_service.read_span(trace_id, span_id)
        bodies = await trace_service.read_bodies((span,))
        return span_out(span, bodies.get(span.span_id))


class FeedbackController(Controller):
    """Feedback on the traces of a workspace."""

    path = PATH + "/{trace_id:str}/feedback"
    tags = ("Traces",)
    dependencies = {"trace_service": Provide(provide_trace_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listFeedback", summary="List the feedback on a trace", guards=[requires(Scope.READ_WORKSPACE)])
    async def list_feedback(self, trace_service: TraceService, trace_id: str, page: Page) -> Collection[FeedbackOut]:
        rows, total = await trace_service.list_feedback(trace_id, page)
        return Collection.of([FeedbackOut.model_validate(row) for row in rows], total, page)

    @post(
        operation_id="giveFeedback",
        summary="Give feedback on a trace or one of its spans",
        guards=[requires(Scope.WRITE_WORKSPACE, Scope.WRITE_TRACES)],
        opt={"idempotent": True},
    )
    async def give_feedback(
        self, trace_service: TraceService, workspace_id: UUID, trace_id: str, data: FeedbackIn
    ) -> Response[FeedbackOut]:
        feedback = await trace_service.give_feedback(
            trace_id, FeedbackDraft(data.name, data.span_id, data.score, data.label, data.comment)
        )
        path = PATH.replace("{workspace_id:uuid}", str(workspace_id))
        location = f"{path}/{feedback.trace_id.hex()}/feedback/{feedback.id}"
        return Response(FeedbackOut.model_validate(feedback), status_code=201, headers={"Location": location})

    @delete(
        operation_id="withdrawAllFeedback",
        summary="Delete all feedback on a trace",
        guards=[requires(Scope.WRITE_WORKSPACE, Scope.WRITE_TRACES)],
    )
    async def withdraw_all(self, trace_service: TraceService, trace_id: str) -> None:
        await trace_service.withdraw_feedback(trace_id)

    @delete(
        "/{feedback_id:uuid}",
        operation_id="withdrawFeedback",
        summary="Delete one feedback",
        guards=[requires(Scope.WRITE_WORKSPACE, Scope.WRITE_TRACES)],
    )
    async def withdraw_one(self, trace_service: TraceService, trace_id: str, feedback_id: UUID) -> None:
        await trace_service.withdraw_feedback(trace_id, feedback_id)
