"""HTTP of traces: `/api/v1/workspaces/{workspace_id}/traces`, for everybody but exporters."""

from typing import Annotated, Any, Literal
from uuid import UUID

from litestar import Controller, Response, delete, get, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.bodies import SpanBody
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.schemas import (
    FeedbackIn,
    FeedbackOut,
    FoundTraceOut,
    SearchedOut,
    SpanBodyOut,
    SpanList,
    SpanOut,
    TraceList,
    TraceOut,
)
from spectral.domains.traces.search.deep_search import DeepSearch
from spectral.domains.traces.search.trace_filter import NEWEST_FIRST, TraceFilter
from spectral.domains.traces.search.trace_query import FILTER_DESCRIPTION, provide_trace_filter
from spectral.domains.traces.search.trace_tree import TraceTree
from spectral.domains.traces.service import FeedbackDraft, Listing, TraceService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.cursors import CursorPagination, refuse_offset
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/traces"
NANOSECONDS_A_MILLISECOND = 1_000_000

CursorText = Annotated[
    str | None, QueryParameter(max_length=512, description="`next_cursor` of the page before; not with offset")
]


def provide_trace_service(session: AsyncSession, access: WorkspaceAccess, span_mapper: SpanMapper) -> TraceService:
    return TraceService(session, access, span_mapper)


def provide_deep_search(database: Database, access: WorkspaceAccess, span_mapper: SpanMapper) -> DeepSearch:
    return DeepSearch(database, access, span_mapper)


def _members(trace: Trace) -> dict[str, Any]:
    members = {name: getattr(trace, name) for name in _SHOWN_OF_TRACE}
    return members | {"cost_usd": trace.cost_nano_usd, "duration_ms": trace.duration_ns / NANOSECONDS_A_MILLISECOND}


def trace_out(trace: Trace) -> TraceOut:
    return TraceOut.model_validate(_members(trace))


def found_out(trace: Trace, matched: list[bytes] | None = None) -> FoundTraceOut:
    return FoundTraceOut.model_validate(_members(trace) | {"matched_span_ids": matched})


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


_SHOWN_OF_TRACE = tuple(name for name in TraceOut.model_fields if name in Trace.__table__.columns)
_SPAN_COLUMNS = frozenset(SpanRecord.__table__.columns.keys())


def pagination_of(listing: Listing, page: Page) -> CursorPagination:
    return CursorPagination(
        total=listing.total,
        total_is_estimate=listing.is_estimate,
        limit=page.limit,
        offset=page.offset,
        next_cursor=listing.next_cursor,
    )


class TraceController(Controller):
    """The traces of a workspace. Trace and span ids are lower-case hexadecimal."""

    path = PATH
    tags = ("Traces",)
    dependencies = {  # noqa: RUF012
        "trace_service": Provide(provide_trace_service, sync_to_thread=False),
        "deep_search": Provide(provide_deep_search, sync_to_thread=False),
        "wanted": Provide(provide_trace_filter, sync_to_thread=False),
    }

    @get(
        operation_id="listTraces",
        summary="List, filter and search traces",
        description=FILTER_DESCRIPTION,
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_traces(
        self,
        trace_service: TraceService,
        wanted: TraceFilter,
        page: Page,
        deep_search: DeepSearch,
        sort: Annotated[
            str,
            QueryParameter(
                max_length=300,
                description="started_at, duration_ms, cost_usd, tokens, error_count, span_count or score:<name>; "
                "with - for descending",
            ),
        ] = NEWEST_FIRST,
        cursor: CursorText = None,
    ) -> TraceList:
        refuse_offset(cursor, page.offset)
        if wanted.is_deep:
            found = await deep_search.page(wanted, sort, page, cursor)
            return TraceList(
                results=[found_out(trace, matched) for trace, matched in found.rows],
                pagination=CursorPagination(
                    total=len(found.rows),
                    total_is_estimate=True,
                    limit=page.limit,
                    offset=page.offset,
                    next_cursor=found.next_cursor,
                ),
                search=SearchedOut.model_validate(found),
            )
        listing = await trace_service.list_traces(wanted, sort, page, cursor)
        return TraceList(results=[found_out(trace) for trace in listing.rows], pagination=pagination_of(listing, page))

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
        "/{trace_id:str}/tree",
        operation_id="readTraceTree",
        summary="Read all spans of a trace as a tree, without their bodies",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_tree(self, trace_service: TraceService, trace_id: str) -> TraceTree:
        return await trace_service.read_tree(trace_id)

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
