"""Online evaluations: which rubrics score a share of the new traces, and what became of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.errors import OnlineEvaluationNameTakenError
from spectral.domains.evaluations.models import OnlineEvaluation, OnlineEvaluationDay, TraceScore
from spectral.domains.evaluations.online_repository import (
    COUNTED,
    ArrivalRepository,
    DayRepository,
    OnlineEvaluationRepository,
    TraceScoreRepository,
)
from spectral.domains.evaluations.service import RubricService
from spectral.domains.traces.lifecycle.settings import TraceSettingsService
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.service import TraceService
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.pagination import Page

AUDITED = (
    "name",
    "description",
    "rubric_id",
    "rubric_version",
    "target",
    "agent_id",
    "agent_version",
    "mode",
    "trace_name",
    "sampling_rate",
    "max_evaluations_per_day",
    "max_cost_nano_usd_per_day",
    "settle_s",
    "enabled",
)


@dataclass(frozen=True, slots=True)
class OnlineFigures:
    """What an online evaluation did since it exists, and today (UTC). Money in nano-USD.

    spent_today_nano_usd: with what is reserved for calls that have not told their cost.
    """

    evaluated: int = 0
    failed: int = 0
    skipped_by_sampling: int = 0
    skipped_by_budget: int = 0
    cost_nano_usd: int = 0
    evaluations_today: int = 0
    spent_today_nano_usd: int = 0
    last_run_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class OnlineView:
    """An online evaluation with its figures."""

    evaluation: OnlineEvaluation
    figures: OnlineFigures


class OnlineEvaluationService:
    """The online evaluations of one workspace, in the caller's transaction.

    settings: told whether the workspace watches for new traces, which it does while one of them is enabled.
    """

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, settings: TraceSettingsService, mapper: SpanMapper
    ) -> None:
        self._session = session
        self._access = access
        self._settings = settings
        self._mapper = mapper
        self._online = OnlineEvaluationRepository(session, access)
        self._days = DayRepository(session, access)
        self._arrivals = ArrivalRepository(session, access)
        self._scores = TraceScoreRepository(session, access)

    async def create_online_evaluation(self, values: Mapping[str, Any]) -> OnlineView:
        """A new online evaluation; it sees the traces that come from now on.

        values: columns.  Raises OnlineEvaluationNameTakenError (409), NotFoundError for the rubric or its version, and
        ScorerNotInstalledError (400).
        """
        await self._check_rubric(values["rubric_id"], values["rubric_version"])
        evaluation = self._online.add(
            OnlineEvaluation(account_id=self._access.account_id, created_by=self._access.actor, **values)
        )
        await self._flush(evaluation.name)
        await self._watch()
        await self._audit(evaluation, "online_evaluation.created", _said(evaluation))
        return OnlineView(evaluation, OnlineFigures())

    async def list_online_evaluations(self, page: Page) -> tuple[Sequence[OnlineView], int]:
        """One page of the online evaluations with their figures, newest first."""
        found, total = await self._online.page(self._online.select(), page)
        return await self._with_figures(found), total

    async def read_online_evaluation(self, identifier: UUID) -> OnlineView:
        """Raises NotFoundError."""
        (view,) = await self._with_figures([await self._online.get(identifier)])
        return view

    async def update_online_evaluation(self, identifier: UUID, changes: Mapping[str, Any]) -> OnlineView:
        """The online evaluation with these columns changed; what it has scored stays.

        Raises as `create_online_evaluation`, and NotFoundError.
        """
        evaluation = await self._online.lock(identifier)
        before = _said(evaluation)
        for column, value in changes.items():
            setattr(evaluation, column, value)
        if {"rubric_id", "rubric_version"} & set(changes):
            await self._check_rubric(evaluation.rubric_id, evaluation.rubric_version)
        evaluation.updated_at = utc_now()
        await self._flush(evaluation.name)
        await self._watch()
        await self._audit(evaluation, "online_evaluation.updated", {"before": before, "after": _said(evaluation)})
        return await self.read_online_evaluation(identifier)

    async def delete_online_evaluation(self, identifier: UUID) -> None:
        """It is gone with its figures; what it has scored stays with the traces. Raises NotFoundError."""
        evaluation = await self._online.lock(identifier)
        await self._online.remove(evaluation)
        await self._watch()
        await self._audit(evaluation, "online_evaluation.deleted", {"name": evaluation.name})

    async def list_scores(self, identifier: UUID, page: Page, cursor: str | None) -> Listing:
        """What an online evaluation scored, newest first. Raises NotFoundError."""
        await self._online.get(identifier)
        return await self._scores.of_evaluation(identifier, page, cursor)

    async def list_scores_of_trace(self, trace_id: str, page: Page) -> tuple[Sequence[TraceScore], int]:
        """What online evaluations made of one trace, newest first. Raises NotFoundError."""
        trace = await TraceService(self._session, self._access, self._mapper).read_trace(trace_id)
        return await self._scores.of_trace(trace.trace_id, page)

    async def _with_figures(self, found: Sequence[OnlineEvaluation]) -> list[OnlineView]:
        identifiers = [evaluation.id for evaluation in found]
        totals = await self._days.totals(identifiers)
        today = await self._days.of_day(identifiers, utc_today())
        return [
            OnlineView(evaluation, _figures(totals.get(evaluation.id), today.get(evaluation.id)))
            for evaluation in found
        ]

    async def _check_rubric(self, rubric_id: UUID, version: int | None) -> None:
        await RubricService(self._session, self._access).read_rubric_spec(rubric_id, version)

    async def _watch(self) -> None:
        # Locks the settings: of two changes at once the later one sees what the other has enabled.
        await self._settings.set_watching(watches=True)
        if not await self._online.enabled():
            await self._settings.set_watching(watches=False)
            # What nobody evaluates must not wait for whoever is enabled next.
            await self._arrivals.forget_all()

    async def _flush(self, name: str) -> None:
        taken = OnlineEvaluationNameTakenError(f"The workspace has an online evaluation called {name}")
        await self._online.flush({"uq_online_evaluation_workspace_id_name": taken})

    async def _audit(self, evaluation: OnlineEvaluation, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"online_evaluation:{evaluation.id}",
            detail=detail,
        )


def utc_today() -> date:
    """The day whose budget is spent now."""
    return utc_now().astimezone(UTC).date()


def _figures(totals: Mapping[str, Any] | None, today: OnlineEvaluationDay | None) -> OnlineFigures:
    if totals is None:
        return OnlineFigures()
    counted = {name: int(totals[name]) for name in COUNTED if name != "reserved_nano_usd"}
    return OnlineFigures(
        **counted,
        evaluations_today=0 if today is None else today.claimed,
        spent_today_nano_usd=0 if today is None else today.cost_nano_usd + today.reserved_nano_usd,
        last_run_at=totals["last_run_at"],
    )


def _said(evaluation: OnlineEvaluation) -> dict[str, Any]:
    said = {name: getattr(evaluation, name) for name in AUDITED}
    return said | {"rubric_id": str(evaluation.rubric_id)}
