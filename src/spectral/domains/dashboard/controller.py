"""HTTP of overviews: what an account uses, and how a workspace is."""

from dataclasses import asdict
from typing import Any

from litestar import Controller, Request, get
from litestar.datastructures import State
from litestar.di import Provide
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.observed import LIMIT as OBSERVED_AGENTS_LIMIT
from spectral.domains.dashboard.schemas import (
    AccountUsageOut,
    ConnectionOut,
    FailedScanOut,
    FiguresOut,
    GuardAlertOut,
    MissingContentOut,
    ObservedAgentsOut,
    RefusedScheduleOut,
    StaleHoldoutOut,
    WorkspaceHealthOut,
    WorkspaceUsageOut,
)
from spectral.domains.dashboard.service import HealthService, UsageService
from spectral.domains.traces.mapping import SpanMapper
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import Principal, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Page, Pagination
from spectral.settings import Settings


def provide_usage_service(session: AsyncSession, database: Database, span_mapper: SpanMapper) -> UsageService:
    return UsageService(session, database, span_mapper)


def provide_health_service(
    session: AsyncSession, access: WorkspaceAccess, span_mapper: SpanMapper, settings: Settings
) -> HealthService:
    return HealthService(session, access, span_mapper, settings.address)


class AccountUsageController(Controller):
    """What an account uses."""

    path = "/api/v1/account/usage"
    tags = ("Accounts",)
    dependencies = {"service": Provide(provide_usage_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readAccountUsage",
        summary="Read what the account uses, by workspace",
        guards=[requires(Scope.ADMIN_ACCOUNT)],
    )
    async def read_usage(
        self, service: UsageService, request: Request[Principal, None, State], page: Page
    ) -> AccountUsageOut:
        usage = await service.read_usage(request.user, page)
        return AccountUsageOut(
            since=usage.since,
            members=usage.members,
            total=FiguresOut.model_validate(usage.total),
            results=[
                WorkspaceUsageOut(workspace_id=workspace.id, name=workspace.name, **asdict(figures))
                for workspace, figures in usage.workspaces
            ],
            pagination=Pagination(total=usage.workspace_count, limit=page.limit, offset=page.offset),
        )


class WorkspaceHealthController(Controller):
    """How a workspace is."""

    path = "/api/v1/workspaces/{workspace_id:uuid}/health"
    tags = ("Dashboard",)
    dependencies = {"service": Provide(provide_health_service, sync_to_thread=False)}  # noqa: RUF012

    @get(
        operation_id="readWorkspaceHealth",
        summary="Read how the workspace is and what needs attention",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def read_health(self, service: HealthService) -> WorkspaceHealthOut:
        health = await service.read_health()
        return WorkspaceHealthOut.model_validate(
            {
                "status": health.status,
                "reasons": health.reasons,
                "connection": ConnectionOut.model_validate(health.connection),
                "missing_content": [MissingContentOut.model_validate(found) for found in health.missing_content],
                "observed_agents": ObservedAgentsOut(count=health.observed_agents, limit=OBSERVED_AGENTS_LIMIT),
                "last_trace_seen_at": health.last_trace_seen_at,
                "ingestion_errors": health.ingestion_errors,
                "failing_scans": [
                    FailedScanOut(scan_id=scan.id, type=(scan.failure or {}).get("type"), finished_at=scan.finished_at)
                    for scan in health.failing_scans
                ],
                "refused_schedules": [
                    RefusedScheduleOut(
                        schedule_id=schedule.id, name=schedule.name, due_at=firing.due_at, **_problem(firing.problem)
                    )
                    for schedule, firing in health.refused_schedules
                ],
                "stale_holdouts": [StaleHoldoutOut.model_validate(holdout) for holdout in health.stale_holdouts],
                "guard_alerts": [GuardAlertOut.model_validate(guard) for guard in health.guard_alerts],
                "open_support_grants": health.open_support_grants,
            }
        )


def _problem(problem: dict[str, Any] | None) -> dict[str, Any]:
    return {name: (problem or {}).get(name) for name in ("type", "title", "detail")}
