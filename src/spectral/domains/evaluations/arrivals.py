"""Evaluation on arrival: a schedule finds workspaces whose new traces have settled, engine work scores them.

What was decided about a trace, and what its budget gives, is written in one transaction before anything is scored; so
a trace is scored at most once by each version of a rubric, and no budget is exceeded, whatever is killed in between.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.arrival_scoring import ArrivalScorer, ScoredTrace, read_case
from spectral.domains.evaluations.errors import ScorerNotInstalledError
from spectral.domains.evaluations.models import OnlineEvaluation, OnlineEvaluationDay, TraceScore
from spectral.domains.evaluations.online import utc_today
from spectral.domains.evaluations.online_repository import (
    CLAIMED,
    FAILED,
    SCORED,
    ArrivalRepository,
    DayRepository,
    OnlineEvaluationRepository,
    TraceScoreRepository,
)
from spectral.domains.evaluations.sampling import is_for, is_sampled
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService, spec_of
from spectral.domains.traces.evaluated import EvaluatedTraces
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import Trace, TraceArrival
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import Handler, WorkContext, WorkItem
from spectral.platform.engine.discovery import look_across_workspaces
from spectral.platform.engine.engine import Engine
from spectral.platform.engine.work import OPEN_STATES, EngineWork
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id

KIND = "evaluations.arrivals"
SCHEDULE = "evaluations.arrivals"
INTERVAL_S = 2.0
WORKSPACES_A_RUN = 200
ARRIVALS_A_BATCH = 200
BATCHES_A_WORK = 50
RESULTS_A_COMMIT = 25

SOURCE_PREFIX = "eval/"
"""What the names of these scores on a trace begin with: `eval/<name>`, and `eval/<name>/<dimension>`."""

log = structlog.get_logger(__name__)


class ArrivalSchedule:
    """Starts work where new traces have settled. Runs in one process of the installation at a time."""

    def __init__(self, database: Database, engine: Engine) -> None:
        self._database = database
        self._engine = engine

    async def run(self) -> None:
        """Every workspace with settled arrivals has work under way; the longest waiting first."""
        for workspace_id, account_id in await self._due():
            access = WorkspaceAccess.for_system(workspace_id, account_id, KIND)
            async with self._database.transaction(access) as session:
                if not await _is_under_way(session, workspace_id):
                    await self._engine.enqueue(session, WorkItem(KIND, workspace_id, account_id, new_id()))

    async def _due(self) -> Sequence[tuple[UUID, UUID]]:
        oldest = (
            sa.select(sa.func.min(TraceArrival.seen_at, type_=TraceArrival.seen_at.type))
            .where(TraceArrival.workspace_id == OnlineEvaluation.workspace_id)
            .scalar_subquery()
        )
        settle = sa.func.max(OnlineEvaluation.settle_s)
        statement = (
            sa.select(OnlineEvaluation.workspace_id, OnlineEvaluation.account_id, settle, oldest)
            .where(OnlineEvaluation.enabled)
            .group_by(OnlineEvaluation.workspace_id, OnlineEvaluation.account_id)
        )
        now = utc_now()
        due = [
            (seen_at, workspace_id, account_id)
            for workspace_id, account_id, settle_s, seen_at in await look_across_workspaces(self._database, statement)
            if seen_at is not None and seen_at <= now - timedelta(seconds=settle_s)
        ]
        return [(workspace_id, account_id) for _, workspace_id, account_id in sorted(due)[:WORKSPACES_A_RUN]]


async def _is_under_way(session: AsyncSession, workspace_id: UUID) -> bool:
    statement = sa.select(EngineWork.id).where(
        EngineWork.workspace_id == workspace_id, EngineWork.kind == KIND, EngineWork.state.in_(OPEN_STATES)
    )
    return (await session.execute(statement.limit(1))).first() is not None


def arrival_handler(mapper: SpanMapper, scorer: ArrivalScorer) -> Handler:
    """Does the work of this kind; at most one of it at a time in a workspace."""

    async def evaluate(context: WorkContext) -> None:
        work = _ArrivalWork(context, mapper, scorer)
        # What an earlier execution claimed and did not finish goes first.
        await work.finish_claimed()
        for _ in range(BATCHES_A_WORK):
            await context.raise_if_cancelled()
            if not await work.claim_batch():
                return
            await work.finish_claimed()

    return evaluate


@dataclass(frozen=True, slots=True)
class _Rubric:
    """The version of a rubric that scores now; `spec` is None where this installation cannot run it."""

    id: UUID
    version: int
    spec: RubricSpec | None
    error: str | None = None


class _ArrivalWork:
    """One execution of the work."""

    def __init__(self, context: WorkContext, mapper: SpanMapper, scorer: ArrivalScorer) -> None:
        self._context = context
        self._database = context.database
        self._access = context.access
        self._mapper = mapper
        self._scorer = scorer
        self._rubrics: dict[tuple[UUID, int], _Rubric] = {}

    # ------------------------------------------------------------------------------------------------------ claiming

    async def claim_batch(self) -> bool:
        """Decide about the next settled traces; False when there were none.

        Their arrivals are removed, and those to be scored are claimed from the budgets, all in one transaction.
        """
        async with self._database.transaction(self._access) as session:
            await self._context.fence(session)
            enabled = await OnlineEvaluationRepository(session, self._access).enabled()
            if not enabled:
                return False
            settled_before = utc_now() - timedelta(seconds=max(evaluation.settle_s for evaluation in enabled))
            arrivals = ArrivalRepository(session, self._access)
            waiting = await arrivals.settled(settled_before, ARRIVALS_A_BATCH)
            if not waiting:
                return False
            traces = EvaluatedTraces(session, self._access, self._mapper)
            # Traces before arrivals, as ingestion locks them; afterwards nothing of them changes until the commit.
            await traces.hold(waiting)
            taken = await arrivals.take(waiting, settled_before)
            found = await traces.find(taken)
            claims = [claim for evaluation in enabled for claim in await self._claims_of(session, evaluation, found)]
            if claims:
                # In the order of the traces, whose rows the foreign key locks.
                await TraceScoreRepository(session, self._access).claim(
                    sorted(claims, key=lambda claim: claim["trace_id"])
                )
            return bool(taken)

    async def _claims_of(
        self, session: AsyncSession, evaluation: OnlineEvaluation, traces: Sequence[Trace]
    ) -> list[dict[str, object]]:
        fitting = [trace for trace in traces if is_for(evaluation, trace)]
        if not fitting:
            return []
        rubric = await self._rubric_of(session, evaluation)
        scores = TraceScoreRepository(session, self._access)
        known = await scores.known(evaluation.id, rubric.version, [trace.trace_id for trace in fitting])
        fresh = [trace for trace in fitting if trace.trace_id not in known]
        sampled = [trace for trace in fresh if is_sampled(trace.trace_id, evaluation.id, evaluation.sampling_rate)]
        day = await DayRepository(session, self._access).lock_day(evaluation.id, utc_today())
        ceiling = 0 if rubric.spec is None else self._scorer.ceiling(rubric.spec)
        allowed = _room(evaluation, day, ceiling)
        granted = sampled[:allowed]
        day.last_run_at = utc_now()
        day.skipped_by_sampling += len(fresh) - len(sampled)
        day.skipped_by_budget += len(sampled) - len(granted)
        day.claimed += len(granted)
        day.reserved_nano_usd += len(granted) * (ceiling or 0)
        await session.flush()
        return [
            {
                "trace_id": trace.trace_id,
                "online_evaluation_id": evaluation.id,
                "name": evaluation.name,
                "rubric_id": rubric.id,
                "rubric_version": rubric.version,
                "state": CLAIMED,
                "attempts": 0,
                "day": day.day,
                "reserved_nano_usd": ceiling or 0,
                "span_count": trace.span_count,
                "dimensions": {},
            }
            for trace in granted
        ]

    async def _rubric_of(self, session: AsyncSession, evaluation: OnlineEvaluation) -> _Rubric:
        found = await RubricService(session, self._access).read_rubric(evaluation.rubric_id, evaluation.rubric_version)
        try:
            spec, error = spec_of(found), None
        except ScorerNotInstalledError as refusal:
            spec, error = None, str(refusal)
        rubric = _Rubric(found.rubric.id, found.version.version, spec, error)
        self._rubrics[rubric.id, rubric.version] = rubric
        return rubric

    # ------------------------------------------------------------------------------------------------------- scoring

    async def finish_claimed(self) -> None:
        """Everything that is claimed in this workspace has its result."""
        while True:
            async with self._database.transaction(self._access, read_only=True) as session:
                claimed = await TraceScoreRepository(session, self._access).claimed(RESULTS_A_COMMIT)
            if not claimed:
                return
            results: dict[UUID, ScoredTrace] = {}
            for row in claimed:
                await self._context.raise_if_cancelled()
                results[row.id] = await self._score(row)
                if row.reserved_nano_usd:
                    # What was paid for is written before anything else is.
                    await self._record(results)
                    results = {}
            await self._record(results)

    async def _score(self, row: TraceScore) -> ScoredTrace:
        rubric = await self._known_rubric(row)
        if rubric.spec is None:
            return ScoredTrace.failed("scorer", "scorer_not_installed", rubric.error or "the rubric is gone")
        async with self._database.transaction(self._access, read_only=True) as session:
            evaluation = await OnlineEvaluationRepository(session, self._access).find(
                OnlineEvaluation.id == row.online_evaluation_id
            )
            traces = EvaluatedTraces(session, self._access, self._mapper)
            found = await traces.find([row.trace_id])
            if not found:
                return ScoredTrace.failed("trace", "trace_deleted", "the trace is gone")
            of_model_call = evaluation is not None and evaluation.target == "model_call"
            content = await traces.read_content(row.trace_id, of_model_call=of_model_call)
        if row.reserved_nano_usd and not await self._may_pay(row, rubric.spec):
            return ScoredTrace.failed("budget", "budget_exhausted", "an attempt was interrupted; no budget for another")
        case = read_case(rubric.spec, found[0], content)
        subject = f"online:{row.online_evaluation_id}"
        return await self._scorer.score(rubric.spec, case, access=self._access, subject=subject)

    async def _may_pay(self, row: TraceScore, spec: RubricSpec) -> bool:
        """Whether a paid attempt is covered: the first by what was claimed, a later one by more of its day's budget.

        An earlier attempt that was interrupted may have been billed: its part of the budget is gone.
        """
        async with self._database.transaction(self._access) as session:
            await self._context.fence(session)
            held = (await TraceScoreRepository(session, self._access).lock_claimed([row.id])).get(row.id)
            if held is None:
                return False
            if held.attempts:
                evaluation = await OnlineEvaluationRepository(session, self._access).find(
                    OnlineEvaluation.id == row.online_evaluation_id
                )
                ceiling = self._scorer.ceiling(spec)
                if evaluation is None or ceiling is None:
                    return False
                day = await DayRepository(session, self._access).lock_day(evaluation.id, row.day)
                if not _has_money(evaluation, day, ceiling):
                    return False
                day.reserved_nano_usd += ceiling
                held.reserved_nano_usd += ceiling
            held.attempts += 1
            return True

    async def _known_rubric(self, row: TraceScore) -> _Rubric:
        known = self._rubrics.get((row.rubric_id, row.rubric_version))
        if known is not None:
            return known
        async with self._database.transaction(self._access, read_only=True) as session:
            try:
                spec = await RubricService(session, self._access).read_rubric_spec(row.rubric_id, row.rubric_version)
            except (NotFoundError, ScorerNotInstalledError) as refusal:
                return _Rubric(row.rubric_id, row.rubric_version, None, str(refusal))
        rubric = self._rubrics[row.rubric_id, row.rubric_version] = _Rubric(row.rubric_id, row.rubric_version, spec)
        return rubric

    async def _record(self, results: Mapping[UUID, ScoredTrace]) -> None:
        """Results, the figures of their days and the traces' scores, in one transaction."""
        if not results:
            return
        async with self._database.transaction(self._access) as session:
            await self._context.fence(session)
            held = await TraceScoreRepository(session, self._access).lock_claimed(results)
            traces = EvaluatedTraces(session, self._access, self._mapper)
            for row in sorted(held.values(), key=lambda row: row.trace_id):
                _write_result(row, results[row.id])
                if row.state == SCORED:
                    await traces.write_scores(row.trace_id, source_of(row), _values_of(row))
            for evaluation_id in sorted({row.online_evaluation_id for row in held.values()}):
                await self._count(
                    session, [row for row in held.values() if row.online_evaluation_id == evaluation_id], results
                )

    async def _count(
        self, session: AsyncSession, rows: Sequence[TraceScore], results: Mapping[UUID, ScoredTrace]
    ) -> None:
        first = rows[0]
        online = OnlineEvaluationRepository(session, self._access)
        if await online.find(OnlineEvaluation.id == first.online_evaluation_id) is None:
            return
        for moment in sorted({row.day for row in rows}):
            day = await DayRepository(session, self._access).lock_day(first.online_evaluation_id, moment)
            for row in rows:
                if row.day != moment:
                    continue
                scored = row.state == SCORED
                day.evaluated += scored
                day.failed += not scored
                day.reserved_nano_usd -= row.reserved_nano_usd
                day.cost_nano_usd += results[row.id].spent_of(row.reserved_nano_usd, row.attempts)
            day.last_run_at = utc_now()
        await session.flush()


def source_of(row: TraceScore) -> str:
    """The name of the total on the trace."""
    return f"{SOURCE_PREFIX}{row.name}"


def _values_of(row: TraceScore) -> dict[str, float]:
    values = {source_of(row): float(row.total or 0.0)}
    for name, dimension in row.dimensions.items():
        if dimension["score"] is not None:
            values[f"{source_of(row)}/{name}"] = float(dimension["score"])
    return values


def _write_result(row: TraceScore, result: ScoredTrace) -> None:
    score = result.score
    row.state = FAILED if score.total is None else SCORED
    row.total = score.total
    row.passed = None if score.total is None else score.passed
    row.dimensions = {name: asdict(dimension) for name, dimension in score.dimensions.items()}
    row.cost_nano_usd = result.cost_nano_usd
    row.missing_reason = result.missing_reason
    row.error_type = None if score.error_type is None else score.error_type[:200]
    row.error_message = score.error_message
    row.scored_at = utc_now()


def _room(evaluation: OnlineEvaluation, day: OnlineEvaluationDay, ceiling: int | None) -> int:
    """How many more evaluations the day's budget covers; the day's row must be locked."""
    room = max(0, evaluation.max_evaluations_per_day - day.claimed)
    if evaluation.max_cost_nano_usd_per_day is None:
        return room
    if ceiling is None:
        # A budget in money cannot be kept where a price is unknown.
        return 0
    if ceiling == 0:
        return room
    left = evaluation.max_cost_nano_usd_per_day - day.cost_nano_usd - day.reserved_nano_usd
    return max(0, min(room, left // ceiling))


def _has_money(evaluation: OnlineEvaluation, day: OnlineEvaluationDay, ceiling: int) -> bool:
    limit = evaluation.max_cost_nano_usd_per_day
    return limit is None or day.cost_nano_usd + day.reserved_nano_usd + ceiling <= limit
