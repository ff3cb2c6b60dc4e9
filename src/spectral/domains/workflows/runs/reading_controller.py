"""HTTP of reading runs: `/api/v1/workspaces/{workspace_id}/runs`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, cast
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import MediaType
from litestar.params import HeaderParameter, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.runs.answers import (
    checkpoint_detail,
    checkpoint_out,
    event_out,
    history_out,
    log_out,
    run_out,
    run_state_out,
    run_summary,
    step_out,
    summary_out,
)
from spectral.domains.workflows.runs.fanout import RunFanout
from spectral.domains.workflows.runs.reading import HistoryQuery, RunReading
from spectral.domains.workflows.runs.reading_repository import LOG, EventFilter, RunFilter
from spectral.domains.workflows.runs.reading_schemas import (
    CheckpointDetail,
    CheckpointOut,
    CursorPage,
    EventOut,
    HistoryOut,
    LogOut,
    RunOut,
    RunsSummary,
    RunStateOut,
    RunSummary,
    StepOut,
    TicketOut,
)
from spectral.domains.workflows.runs.streams import stream_events
from spectral.domains.workflows.runs.tickets import RunTicketService
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import principal_of, requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.event_streams import EVENT_STREAM, STREAM_HEADERS, EventStream
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.moments import query_moment
from spectral.platform.shared.pagination import Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/runs"
MAXIMUM_SEQ = 2**53
MAXIMUM_NUMBER = 2**31 - 1
MAXIMUM_VALUES = 20
METADATA = "metadata."

Text = Annotated[str | None, QueryParameter(max_length=200)]
CursorText = Annotated[
    str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before; not with offset")
]
OrderText = Annotated[
    Literal["asc", "desc"], QueryParameter(description="`asc`: as it happened; `desc`: the last first")
]
Generation = Annotated[int | None, QueryParameter(ge=1, le=MAXIMUM_NUMBER, description="by default the present one")]
AnyGeneration = Annotated[int | None, QueryParameter(ge=1, le=MAXIMUM_NUMBER, description="by default all of them")]
Level = Literal["debug", "info", "warn", "error"]
Levels = Annotated[list[Level] | None, QueryParameter(max_items=4, description="of these levels only")]
Category = Annotated[str | None, QueryParameter(max_length=64, description="of this category only")]


def provide_run_reading(session: AsyncSession, access: WorkspaceAccess) -> RunReading:
    return RunReading(session, access)


def provide_ticket_service(session: AsyncSession, access: WorkspaceAccess) -> RunTicketService:
    return RunTicketService(session, access)


def provide_run_filter(
    request: Request[Principal, None, State],
    workflow: Annotated[str | None, QueryParameter(max_length=128, description="of this workflow only")] = None,
    version: Annotated[
        int | None, QueryParameter(ge=1, le=MAXIMUM_NUMBER, description="of this version of the workflow only")
    ] = None,
    status: Annotated[
        list[RunStatus] | None, QueryParameter(max_items=MAXIMUM_VALUES, description="in one of these only")
    ] = None,
    start: Annotated[
        str | None, QueryParameter(name="from", max_length=64, description="RFC 3339; created then or later")
    ] = None,
    end: Annotated[str | None, QueryParameter(name="to", max_length=64, description="RFC 3339; created before")] = None,
    user_id: Text = None,
    conversation_id: Text = None,
    tag: Annotated[
        list[str] | None, QueryParameter(max_items=MAXIMUM_VALUES, description="with every one of these")
    ] = None,
    parent: Annotated[
        str | None, QueryParameter(max_length=128, description="children of this run only: its name or id")
    ] = None,
) -> RunFilter:
    """What the query asks for; `metadata.<key>=<value>` compares the value as text. Raises ValidationFailedError."""
    return RunFilter(
        workflow=workflow,
        version=version,
        statuses=status or (),
        start=query_moment("from", start),
        end=query_moment("to", end),
        user_id=user_id,
        conversation_id=conversation_id,
        tags=tag or (),
        metadata=_metadata_of(request),
        parent=parent,
    )


@dataclass(frozen=True, slots=True)
class EventQuery:
    """What a query says about events, for the list and for the stream."""

    wanted: EventFilter
    cursor: str | None
    newest_first: bool
    is_resumed: bool


def provide_event_query(
    after: Annotated[
        int | None, QueryParameter(ge=0, le=MAXIMUM_SEQ, description="only events with a higher `seq`")
    ] = None,
    generation: AnyGeneration = None,
    type: Annotated[
        list[str] | None,
        QueryParameter(max_items=MAXIMUM_VALUES, description="of these types only; `step.*` for all that begin so"),
    ] = None,
    order: OrderText = "asc",
    cursor: CursorText = None,
    last_event_id: Annotated[
        str | None, HeaderParameter(name="Last-Event-ID", max_length=20, description="as `after`, for a stream")
    ] = None,
) -> EventQuery:
    """Raises ValidationFailedError (422)."""
    for each in type or ():
        if not _is_type(each):
            raise _refused("type", "is no type of event, and no beginning of one with `.*`")
    if last_event_id is not None and not (last_event_id.isascii() and last_event_id.isdecimal()):
        raise _refused("Last-Event-ID", "is not the number of an event")
    start = int(last_event_id) if last_event_id is not None else after or 0
    wanted = EventFilter(after=min(start, MAXIMUM_SEQ), generation=generation, types=tuple(type or ()))
    return EventQuery(wanted, cursor, order == "desc", last_event_id is not None)


READ = requires(Scope.READ_WORKSPACE)
TAGS = ("Runs",)
READING = {"reading": Provide(provide_run_reading, sync_to_thread=False)}
NARROWING = READING | {"run_filter": Provide(provide_run_filter, sync_to_thread=False)}


# Not in a controller, this one and the next: their paths belong to the one that writes, too.
@get(
    PATH,
    operation_id="listRuns",
    summary="List runs, newest first",
    description="`metadata.<key>=<value>`, several times if need be, narrows to runs with that in their metadata.",
    guards=[READ],
    dependencies=NARROWING,
    tags=TAGS,
)
async def list_runs(
    reading: RunReading,
    run_filter: RunFilter,
    page: Page,
    sort: Annotated[Literal["created_at", "-created_at"], QueryParameter(description="`-` for newest first")] = (
        "-created_at"
    ),
    cursor: CursorText = None,
) -> CursorPage[RunSummary]:
    found = await reading.list_runs(run_filter, page, cursor, newest_first=sort.startswith("-"))
    return CursorPage(results=[run_summary(run, steps) for run, steps in found.rows], pagination=found.pagination)


@get(
    f"{PATH}/{{run_id:str}}",
    operation_id="readRun",
    summary="Read a run",
    guards=[READ],
    dependencies=READING,
    tags=TAGS,
)
async def read_run(reading: RunReading, run_id: str) -> RunOut:
    return run_out(await reading.view_run(run_id))


class RunReadingController(Controller):
    """Runs of workflows, and what they leave behind. A run is named by its name or its id."""

    path = PATH
    tags = TAGS
    guards = (READ,)
    dependencies = NARROWING | {
        "tickets": Provide(provide_ticket_service, sync_to_thread=False),
        "event_query": Provide(provide_event_query, sync_to_thread=False),
    }

    @get("/summary", operation_id="summariseRuns", summary="Count runs, and see how they ended and how long they took")
    async def summarise_runs(self, reading: RunReading, run_filter: RunFilter) -> RunsSummary:
        return summary_out(await reading.summarise_runs(run_filter))

    @get("/{run_id:str}/steps", operation_id="listRunSteps", summary="List the steps of a run")
    async def list_steps(
        self,
        reading: RunReading,
        page: Page,
        run_id: str,
        generation: Generation = None,
        order: OrderText = "asc",
        cursor: CursorText = None,
    ) -> CursorPage[StepOut]:
        found = await reading.list_steps(run_id, generation, page, cursor, newest_first=order == "desc")
        return CursorPage(results=[step_out(step) for step in found.rows], pagination=found.pagination)

    @get(
        "/{run_id:str}/history",
        operation_id="readRunHistory",
        summary="Read what one generation of a run did",
        description="Steps, events and logs side by side; each goes on from its own cursor.",
    )
    async def read_history(
        self,
        reading: RunReading,
        page: Page,
        run_id: str,
        generation: Generation = None,
        include_logs: Annotated[bool, QueryParameter(description="with the run's log")] = False,  # noqa: FBT002
        log_level: Levels = None,
        log_category: Category = None,
        order: OrderText = "asc",
        steps_cursor: CursorText = None,
        events_cursor: CursorText = None,
        logs_cursor: CursorText = None,
    ) -> HistoryOut:
        if page.offset:
            raise _refused("offset", "goes with no history; each part has a cursor")
        wanted = HistoryQuery(
            generation=generation,
            include_logs=include_logs,
            levels=log_level or (),
            category=log_category,
            newest_first=order == "desc",
            limit=page.limit,
            steps_cursor=steps_cursor,
            events_cursor=events_cursor,
            logs_cursor=logs_cursor,
        )
        return history_out(await reading.read_history(run_id, wanted))

    @get("/{run_id:str}/logs", operation_id="listRunLogs", summary="List the log of a run")
    async def list_logs(
        self,
        reading: RunReading,
        page: Page,
        run_id: str,
        generation: AnyGeneration = None,
        level: Levels = None,
        category: Category = None,
        order: OrderText = "asc",
        cursor: CursorText = None,
    ) -> CursorPage[LogOut]:
        wanted = EventFilter(generation=generation, types=(LOG,), levels=level or (), category=category)
        found = await reading.list_events(run_id, wanted, page, cursor, newest_first=order == "desc")
        return CursorPage(results=[log_out(event) for event in found.rows], pagination=found.pagination)

    @get("/{run_id:str}/checkpoints", operation_id="listRunCheckpoints", summary="List the checkpoints of a run")
    async def list_checkpoints(
        self,
        reading: RunReading,
        page: Page,
        run_id: str,
        generation: AnyGeneration = None,
        order: OrderText = "asc",
        cursor: CursorText = None,
    ) -> CursorPage[CheckpointOut]:
        found = await reading.list_checkpoints(run_id, generation, page, cursor, newest_first=order == "desc")
        return CursorPage(results=[checkpoint_out(each) for each in found.rows], pagination=found.pagination)

    @get(
        "/{run_id:str}/checkpoints/{index:int}",
        operation_id="readRunCheckpoint",
        summary="Read a checkpoint with the whole state",
    )
    async def read_checkpoint(self, reading: RunReading, run_id: str, index: int) -> CheckpointDetail:
        return checkpoint_detail(await reading.read_state(run_id, index))

    @get("/{run_id:str}/state", operation_id="readRunState", summary="Read where a run stands, with its state")
    async def read_state(self, reading: RunReading, run_id: str) -> RunStateOut:
        return run_state_out(await reading.read_state(run_id))

    @get(
        "/{run_id:str}/events",
        operation_id="listRunEvents",
        summary="List a run's events, or follow them",
        description=(
            "With `Accept: text/event-stream` the events are streamed as they happen, after the one that "
            "`Last-Event-ID` (or `after`) names: over every suspension, until the run has ended. Who comes back with "
            "`Last-Event-ID` to a run that has ended and has nothing more to tell gets 204, and need not come again."
        ),
        media_type=MediaType.JSON,
    )
    async def list_events(
        self,
        request: Request[Principal, None, State],
        database: Database,
        access: WorkspaceAccess,
        authenticator: Authenticator,
        run_fanout: RunFanout,
        event_query: EventQuery,
        page: Page,
        workspace_id: UUID,
        run_id: str,
    ) -> Response[CursorPage[EventOut]]:
        wanted = event_query.wanted
        if _wanted(request, [MediaType.JSON, EVENT_STREAM]) != EVENT_STREAM:
            async with database.transaction(access, read_only=True) as session:
                found = await RunReading(session, access).list_events(
                    run_id, wanted, page, event_query.cursor, newest_first=event_query.newest_first
                )
            listed = CursorPage(results=[event_out(event) for event in found.rows], pagination=found.pagination)
            return Response(listed, media_type=MediaType.JSON)
        if event_query.newest_first or event_query.cursor is not None or page.offset:
            raise _refused("order", "a stream tells events as they happen, after `Last-Event-ID` or `after`")
        async with database.transaction(access, read_only=True) as session:
            run = await RunReading(session, access).find_run(run_id)
        if event_query.is_resumed and run.status in FINAL and run.last_seq <= wanted.after:
            # The only answer that keeps a browser's EventSource from coming back for ever.
            return cast("Response[CursorPage[EventOut]]", Response(None, status_code=204))
        run_fanout.require_room(access)
        rights = StreamRights(authenticator, request.headers, workspace_id, Scope.READ_WORKSPACE)
        events = stream_events(run_fanout, access, run, wanted, rights)
        return cast("Response[CursorPage[EventOut]]", EventStream(events, headers=STREAM_HEADERS))

    @post(
        "/{run_id:str}/ticket",
        operation_id="createRunTicket",
        summary="Get a ticket that opens one WebSocket",
        description="Single use, 60 seconds: for browsers, which cannot send a header with `/ws/runs/{run_id}`.",
        opt={"secret_answer": True},
    )
    async def create_ticket(
        self, request: Request[Principal, None, State], tickets: RunTicketService, run_id: str
    ) -> TicketOut:
        made = await tickets.issue_ticket(run_id, principal_of(request))
        url = f"/ws/runs/{made.run_id}?ticket={made.text}"
        return TicketOut(ticket=made.text, expires_at=made.expires_at, url=url)


def _metadata_of(request: Request[Principal, None, State]) -> dict[str, str]:
    named = [
        (key.removeprefix(METADATA), value)
        for key, value in request.query_params.multi_items()
        if key.startswith(METADATA)
    ]
    found = dict(named)
    if len(found) < len(named) or len(found) > MAXIMUM_VALUES:
        raise _refused("metadata", f"takes each key once, and at most {MAXIMUM_VALUES}")
    return found


def _is_type(text: str) -> bool:
    words = text.removesuffix(".*").split(".")
    return len(text) <= 64 and all(word.isascii() and word.replace("_", "a").isalpha() for word in words)


def _refused(parameter: str, detail: str) -> ValidationFailedError:
    return ValidationFailedError("The query failed validation", [FieldError(parameter, detail)])


def _wanted(request: Request[Principal, None, State], offered: Sequence[str]) -> str:
    """The offered media type that the caller prefers; the first where nothing is said or nothing fits."""
    return cast("Any", request).accept.best_match(list(offered), default=offered[0]) or offered[0]
