"""HTTP of online evaluations: `/api/v1/workspaces/{workspace_id}/evaluations/online`, and the scores of a trace."""

from typing import Annotated
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post
from litestar.di import Provide
from litestar.params import QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.models import TraceScore
from spectral.domains.evaluations.online import OnlineEvaluationService, OnlineView
from spectral.domains.evaluations.online_schemas import (
    OnlineBudgetOut,
    OnlineEvaluationIn,
    OnlineEvaluationOut,
    OnlineEvaluationPatch,
    OnlineFiguresOut,
    OnlineFilterOut,
    TraceScoreList,
    TraceScoreOut,
)
from spectral.domains.traces.ingestion.policy import PolicyBook
from spectral.domains.traces.lifecycle.settings import TraceSettingsService
from spectral.domains.traces.mapping import SpanMapper
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Collection, Page

PATH = "/api/v1/workspaces/{workspace_id:uuid}/evaluations/online"
TRACE_SCORES = "/api/v1/workspaces/{workspace_id:uuid}/traces/{trace_id:str}/scores"

READ = requires(Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)


def provide_online_service(
    session: AsyncSession, access: WorkspaceAccess, policy_book: PolicyBook, span_mapper: SpanMapper
) -> OnlineEvaluationService:
    return OnlineEvaluationService(session, access, TraceSettingsService(session, access, policy_book), span_mapper)


class OnlineEvaluationController(Controller):
    """Rubrics that run on new traces: a sampling rate, a budget a day, figures."""

    path = PATH
    tags = ("Online evaluation",)
    dependencies = {"service": Provide(provide_online_service, sync_to_thread=False)}  # noqa: RUF012

    @post(
        operation_id="createOnlineEvaluation",
        summary="Run a rubric on new traces",
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def create_online_evaluation(
        self, service: OnlineEvaluationService, data: OnlineEvaluationIn, workspace_id: UUID
    ) -> Response[OnlineEvaluationOut]:
        made = await service.create_online_evaluation(data.columns())
        location = f"{PATH}/{made.evaluation.id}".replace("{workspace_id:uuid}", str(workspace_id))
        return Response(online_out(made), status_code=201, headers={"Location": location})

    @get(operation_id="listOnlineEvaluations", summary="List the online evaluations with their figures", guards=[READ])
    async def list_online_evaluations(
        self, service: OnlineEvaluationService, page: Page
    ) -> Collection[OnlineEvaluationOut]:
        found, total = await service.list_online_evaluations(page)
        return Collection.of([online_out(each) for each in found], total, page)

    @get("/{online_id:uuid}", operation_id="readOnlineEvaluation", summary="Read an online evaluation", guards=[READ])
    async def read_online_evaluation(self, service: OnlineEvaluationService, online_id: UUID) -> OnlineEvaluationOut:
        return online_out(await service.read_online_evaluation(online_id))

    @patch(
        "/{online_id:uuid}",
        operation_id="updateOnlineEvaluation",
        summary="Change, enable or disable an online evaluation",
        guards=[WRITE],
    )
    async def update_online_evaluation(
        self, service: OnlineEvaluationService, online_id: UUID, data: OnlineEvaluationPatch
    ) -> OnlineEvaluationOut:
        return online_out(await service.update_online_evaluation(online_id, data.columns()))

    @delete(
        "/{online_id:uuid}",
        operation_id="deleteOnlineEvaluation",
        summary="Delete an online evaluation; what it scored stays with the traces",
        guards=[WRITE],
    )
    async def delete_online_evaluation(self, service: OnlineEvaluationService, online_id: UUID) -> None:
        await service.delete_online_evaluation(online_id)

    @get(
        "/{online_id:uuid}/scores",
        operation_id="listOnlineScores",
        summary="List what an online evaluation scored, newest first",
        guards=[READ],
    )
    async def list_scores(
        self,
        service: OnlineEvaluationService,
        online_id: UUID,
        page: Page,
        cursor: Annotated[
            str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before")
        ] = None,
    ) -> TraceScoreList:
        listing = await service.list_scores(online_id, page, cursor)
        return TraceScoreList(results=[score_out(row[0]) for row in listing.rows], pagination=listing.pagination)


class TraceScoreController(Controller):
    """What online evaluations made of one trace."""

    path = TRACE_SCORES
    tags = ("Online evaluation",)
    dependencies = {"service": Provide(provide_online_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listTraceScores", summary="List what online evaluations made of a trace", guards=[READ])
    async def list_trace_scores(
        self, service: OnlineEvaluationService, trace_id: str, page: Page
    ) -> Collection[TraceScoreOut]:
        scores, total = await service.list_scores_of_trace(trace_id, page)
        return Collection.of([score_out(score) for score in scores], total, page)


def online_out(view: OnlineView) -> OnlineEvaluationOut:
    """The wire shape of an online evaluation."""
    evaluation, figures = view.evaluation, view.figures
    made = {"filter", "budget", "figures"}
    return OnlineEvaluationOut(
        **{name: getattr(evaluation, name) for name in OnlineEvaluationOut.model_fields if name not in made},
        filter=OnlineFilterOut(
            agent_id=evaluation.agent_id,
            agent_version=evaluation.agent_version,
            mode=evaluation.mode,
            name=evaluation.trace_name,
        ),
        budget=OnlineBudgetOut(
            max_evaluations=evaluation.max_evaluations_per_day, max_cost_usd=evaluation.max_cost_nano_usd_per_day
        ),
        figures=OnlineFiguresOut(
            evaluated=figures.evaluated,
            failed=figures.failed,
            skipped_by_sampling=figures.skipped_by_sampling,
            skipped_by_budget=figures.skipped_by_budget,
            cost_usd=figures.cost_nano_usd,
            evaluations_today=figures.evaluations_today,
            spent_today_usd=figures.spent_today_nano_usd,
            last_run_at=figures.last_run_at,
        ),
    )


def score_out(score: TraceScore) -> TraceScoreOut:
    """The wire shape of a trace's score."""
    renamed = {"trace_id", "cost_usd", "error"}
    return TraceScoreOut(
        **{name: getattr(score, name) for name in TraceScoreOut.model_fields if name not in renamed},
        trace_id=score.trace_id.hex(),
        cost_usd=score.cost_nano_usd,
        error=score.error_message,
    )
