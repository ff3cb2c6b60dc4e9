"""HTTP of scans: `/api/v1/workspaces/{workspace_id}/scans`."""

from typing import Annotated, Any, cast
from uuid import UUID

from litestar import Controller, Request, Response, get, post
from litestar.datastructures import State
from litestar.di import Provide
from litestar.enums import MediaType
from litestar.params import HeaderParameter, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.runtime import Runtimes
from spectral.domains.scans.actions import ScanActions
from spectral.domains.scans.launch import Preview, ScanLauncher
from spectral.domains.scans.models import ScanEvent
from spectral.domains.scans.plan import FULL, SYNTHETIC_ONLY
from spectral.domains.scans.report_markdown import render_markdown
from spectral.domains.scans.report_page import render_html
from spectral.domains.scans.reporting import ReportService
from spectral.domains.scans.schemas import (
    BudgetOut,
    CandidateOut,
    CostLine,
    EventCollection,
    EventOut,
    EventPagination,
    PhaseOut,
    PlanOut,
    PreviewOut,
    ProgressOut,
    ReadinessOut,
    Report,
    ScanCostOut,
    ScanIn,
    ScanOut,
    ScanSummary,
)
from spectral.domains.scans.service import ScanService, ScanView, phase_count
from spectral.domains.scans.states import Phase, ScanStatus
from spectral.domains.scans.streams import stream_events
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.access.streams import StreamRights
from spectral.platform.db.session import Database
from spectral.platform.event_streams import EVENT_STREAM, EventStream
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Collection, Page

MARKDOWN = "text/markdown"
REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; sandbox"
)
MAXIMUM_SEQ = 2**53
COUNTED_UP_TO = 10_000


def provide_scan_service(session: AsyncSession, access: WorkspaceAccess) -> ScanService:
    return ScanService(session, access)


def provide_scan_launcher(
    session: AsyncSession, access: WorkspaceAccess, door: ModelDoor, runtimes: Runtimes, launcher: Launcher
) -> ScanLauncher:
    return ScanLauncher(session, access, door, runtimes, launcher)


def provide_scan_actions(session: AsyncSession, access: WorkspaceAccess, launcher: Launcher) -> ScanActions:
    return ScanActions(session, access, launcher)


def provide_report_service(session: AsyncSession, access: WorkspaceAccess) -> ReportService:
    return ReportService(session, access)


class ScanController(Controller):
    """The optimization loop."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/scans"
    tags = ("Scans",)
    guards = (requires(Scope.READ_WORKSPACE),)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_scan_service, sync_to_thread=False),
        "scan_launcher": Provide(provide_scan_launcher, sync_to_thread=False),
        "actions": Provide(provide_scan_actions, sync_to_thread=False),
        "reports": Provide(provide_report_service, sync_to_thread=False),
    }

    @post(
        "/preview",
        operation_id="previewScan",
        summary="See what a scan would need and could show",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=200,
    )
    async def preview_scan(self, scan_launcher: ScanLauncher, data: ScanIn) -> PreviewOut:
        return preview_out(await scan_launcher.preview_scan(data))

    @post(
        operation_id="startScan",
        summary="Start a scan",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=202,
        opt={"idempotent": True},
    )
    async def start_scan(
        self, scan_launcher: ScanLauncher, service: ScanService, data: ScanIn, workspace_id: UUID
    ) -> Response[ScanOut]:
        scan = await scan_launcher.start_scan(data)
        return Response(
            scan_out(await service.view_scan(scan.id)),
            status_code=202,
            headers={"Location": f"/api/v1/workspaces/{workspace_id}/scans/{scan.id}"},
        )

    @get(operation_id="listScans", summary="List the scans")
    async def list_scans(
        self,
        service: ScanService,
        page: Page,
        agent_id: Annotated[UUID | None, QueryParameter(description="of this agent only")] = None,
        status: Annotated[ScanStatus | None, QueryParameter(description="in this status only")] = None,
    ) -> Collection[ScanSummary]:
        scans, total = await service.list_scans(page, agent_id=agent_id, status=status)
        return Collection.of([ScanSummary.model_validate(scan) for scan in scans], total, page)

    @get("/{scan_id:uuid}", operation_id="readScan", summary="Read a scan")
    async def read_scan(self, service: ScanService, scan_id: UUID) -> ScanOut:
        return scan_out(await service.view_scan(scan_id))

    @get(
        "/{scan_id:uuid}/events",
        operation_id="listScanEvents",
        summary="List a scan's events, or follow them",
        description=(
            "With `Accept: text/event-stream` the events are streamed as they happen, after the one that "
            "`Last-Event-ID` (or `after`) names, until the scan has ended."
        ),
        media_type=MediaType.JSON,
    )
    async def list_events(
        self,
        request: Request[Principal, None, State],
        database: Database,
        access: WorkspaceAccess,
        authenticator: Authenticator,
        page: Page,
        workspace_id: UUID,
        scan_id: UUID,
        after: Annotated[
            int | None, QueryParameter(ge=0, le=MAXIMUM_SEQ, description="only events with a higher `seq`")
        ] = None,
        cursor: Annotated[
            str | None, QueryParameter(max_length=20, description="`next_cursor` of the page before; not with offset")
        ] = None,
        last_event_id: Annotated[
            str | None, HeaderParameter(name="Last-Event-ID", max_length=20, description="as `after`, for a stream")
        ] = None,
    ) -> Response[EventCollection]:
        start = _start_of(after, cursor, last_event_id, page)
        if _wanted(request, [MediaType.JSON, EVENT_STREAM]) == EVENT_STREAM:
            async with database.transaction(access, read_only=True) as session:
                await ScanService(session, access).read_scan(scan_id)
            rights = StreamRights(authenticator, request.headers, workspace_id, Scope.READ_WORKSPACE)
            events = stream_events(database, access, scan_id, after=start, rights=rights)
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return cast("Response[EventCollection]", EventStream(events, headers=headers))
        async with database.transaction(access, read_only=True) as session:
            service = ScanService(session, access)
            found, total = await service.list_events(scan_id, after=start, offset=page.offset, limit=page.limit)
        return Response(event_page(found, total, page), media_type=MediaType.JSON)

    @get("/{scan_id:uuid}/cost", operation_id="readScanCost", summary="Read what a scan has cost")
    async def read_cost(self, service: ScanService, scan_id: UUID) -> ScanCostOut:
        scan, cost = await service.read_cost(scan_id)
        return ScanCostOut(
            evaluations=cost.evaluations,
            max_evaluations=scan.max_evaluations,
            total_cost_usd=cost.total_nano_usd,
            max_cost_usd=scan.max_cost_nano_usd,
            by_model=[
                CostLine(
                    model=line.model,
                    purpose=line.purpose,
                    calls=line.calls,
                    input_tokens=line.input_tokens,
                    output_tokens=line.output_tokens,
                    cost_usd=line.cost_nano_usd,
                )
                for line in cost.lines
            ],
        )

    @get(
        "/{scan_id:uuid}/report",
        operation_id="readScanReport",
        summary="Read a scan's report",
        description="JSON, or by `Accept`: `text/markdown`, `text/html` (one page that needs nothing but itself).",
        media_type=MediaType.JSON,
    )
    async def read_report(
        self, request: Request[Principal, None, State], reports: ReportService, scan_id: UUID
    ) -> Response[Report]:
        report = await reports.read_report(scan_id)
        wanted = _wanted(request, [MediaType.JSON, MARKDOWN, MediaType.HTML])
        if wanted == MARKDOWN:
            return cast("Response[Report]", Response(render_markdown(report), media_type=MARKDOWN))
        if wanted == MediaType.HTML:
            # The report quotes customers' texts: it is shown as a page of its own, never as part of the application.
            headers = {"Content-Security-Policy": REPORT_POLICY, "X-Content-Type-Options": "nosniff"}
            return cast(
                "Response[Report]",
                Response(render_html(report), media_type=MediaType.HTML, headers=headers),
            )
        return Response(report, media_type=MediaType.JSON)

    @post(
        "/{scan_id:uuid}/cancel",
        operation_id="cancelScan",
        summary="Cancel a scan",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=200,
    )
    async def cancel_scan(self, service: ScanService, actions: ScanActions, scan_id: UUID) -> ScanOut:
        await actions.cancel_scan(scan_id)
        return scan_out(await service.view_scan(scan_id))

    @post(
        "/{scan_id:uuid}/pause",
        operation_id="pauseScan",
        summary="Pause a scan",
        description="Nothing new begins; what is in flight is recorded. A paused scan holds no slot and costs nothing.",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=200,
    )
    async def pause_scan(self, service: ScanService, actions: ScanActions, scan_id: UUID) -> ScanOut:
        await actions.pause_scan(scan_id)
        return scan_out(await service.view_scan(scan_id))

    @post(
        "/{scan_id:uuid}/resume",
        operation_id="resumeScan",
        summary="Resume a scan",
        description="A paused scan goes on where it was. A failed one begins the phase again that broke.",
        guards=[requires(Scope.WRITE_WORKSPACE)],
        status_code=200,
    )
    async def resume_scan(self, service: ScanService, actions: ScanActions, scan_id: UUID) -> ScanOut:
        await actions.resume_scan(scan_id)
        return scan_out(await service.view_scan(scan_id))


def preview_out(preview: Preview) -> PreviewOut:
    return PreviewOut(
        ready=not preview.missing,
        readiness=ReadinessOut.model_validate(preview.readiness),
        plan=None if preview.plan is None else plan_out(preview.plan.document()),
        least_evaluations=preview.least_evaluations,
        estimated_cost_usd=None if preview.cost is None else preview.cost.estimated_nano_usd,
        maximum_cost_usd=None if preview.cost is None else preview.cost.maximum_nano_usd,
        missing_credentials=list(preview.missing_credentials),
        missing=list(preview.missing),
    )


def plan_out(document: dict[str, Any]) -> PlanOut:
    values = {name: document[name] for name in PlanOut.model_fields if name != "validation"}
    return PlanOut(**values, validation=document["validate"])


def scan_out(view: ScanView) -> ScanOut:
    scan = view.scan
    return ScanOut(
        **ScanSummary.model_validate(scan).model_dump(),
        base_version=scan.base_version,
        target_environment=scan.target_environment,
        sample_set_version=scan.sample_set_version,
        mode=FULL if scan.holdout_id is not None else SYNTHETIC_ONLY,
        holdout_id=scan.holdout_id,
        rubric_version=scan.rubric_version,
        experiment_id=scan.experiment_id,
        reflection_model=scan.reflection_model,
        seed=scan.seed,
        budget=BudgetOut(max_evaluations=scan.max_evaluations, max_cost_usd=scan.max_cost_nano_usd),
        plan=plan_out(scan.plan),
        progress=ProgressOut(
            phases_finished=view.finished,
            phases=phase_count(),
            evaluations=view.cost.evaluations,
            max_evaluations=scan.max_evaluations,
        ),
        failure=scan.failure,
        phases=[
            PhaseOut(
                name=Phase(phase.name),
                started_at=phase.created_at,
                finished_at=phase.finished_at,
                result=phase.result,
            )
            for phase in view.phases
        ],
        candidates=[
            CandidateOut(
                ordinal=candidate.ordinal,
                strategy=candidate.strategy,
                rationale=candidate.rationale,
                config_hash=candidate.config_hash,
                changes=candidate.changes,
                select=candidate.select_result,
            )
            for candidate in view.candidates
        ],
        results=view.results,
    )


def event_page(events: list[ScanEvent], total: int, page: Page) -> EventCollection:
    last = events[-1].seq if events else total
    return EventCollection(
        results=[EventOut.model_validate(event) for event in events],
        pagination=EventPagination(
            total=min(total, COUNTED_UP_TO),
            limit=page.limit,
            offset=page.offset,
            next_cursor=str(last) if last < total else None,
            total_is_estimate=total > COUNTED_UP_TO,
        ),
    )


def _start_of(after: int | None, cursor: str | None, last_event_id: str | None, page: Page) -> int:
    """The number after which events are wanted. Raises ValidationFailedError (422)."""
    if cursor is not None and page.offset:
        raise ValidationFailedError("cursor and offset exclude each other", [FieldError("cursor", "is with offset")])
    for name, value in (("cursor", cursor), ("Last-Event-ID", last_event_id)):
        if value is None:
            continue
        if not value.isascii() or not value.isdecimal():
            raise ValidationFailedError(f"{name} is not one of ours", [FieldError(name, "is not a number of an event")])
        return int(value)
    return after or 0


def _wanted(request: Request[Principal, None, State], offered: list[str]) -> str:
    """The offered media type that the caller prefers; the first where nothing is said or nothing fits."""
    return request.accept.best_match(offered, default=offered[0]) or offered[0]
