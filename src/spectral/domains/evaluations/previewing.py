"""Rubrics tried on examples: outside of any transaction, off the event loop, within a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from spectral.domains.agents.runtime import ExecutionMode
from spectral.domains.evaluations.arrival_scoring import TraceCase, read_case
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.errors import PreviewTooSlowError, UnpricedModelError
from spectral.domains.evaluations.judgements import (
    SCORED_BY_HAND,
    JudgementJournal,
    JudgementLedger,
    UnrecordedJudgements,
)
from spectral.domains.evaluations.judging import Judging, judging_ceilings, require_models
from spectral.domains.evaluations.previews import Example, ExampleFault, Scores, score_examples
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import RubricService
from spectral.domains.traces.evaluated import EvaluatedTraces
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.search.trace_filter import TraceFilter
from spectral.domains.traces.service import TraceService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.shared.pagination import Page

PREVIEW_SECONDS = 10.0
JUDGED_SECONDS = 90.0
"""Longer where models are asked."""

NEWEST_FIRST = "-started_at"
LOOKED_THROUGH = 5
"""So many times the traces asked for are looked through for some that can be scored."""


class PreviewService:
    """Scores examples. door: to the models that rubrics ask.  mapper: reads what traces say."""

    def __init__(self, database: Database, access: WorkspaceAccess, door: ModelDoor, mapper: SpanMapper) -> None:
        self._database = database
        self._access = access
        self._door = door
        self._mapper = mapper

    async def preview_rubric(
        self, rubric: RubricSpec, examples: Sequence[Example], *, max_cost_nano_usd: int | None = None
    ) -> Scores:
        """What a rubric that need not be saved makes of the examples; nothing is remembered.

        Raises PreviewTooSlowError (400), and where models are asked UnknownModelError, MissingCredentialError,
        UnpricedModelError and BudgetExhaustedError (400).
        """
        budget = Budget(0, max_cost_nano_usd)
        return await self._score(rubric, examples, "preview", budget, UnrecordedJudgements(budget))

    async def score_with(
        self,
        rubric_id: UUID,
        version: int | None,
        examples: Sequence[Example],
        *,
        max_cost_nano_usd: int | None = None,
    ) -> Scores:
        """What a stored rubric makes of the examples. What its models say is kept, and not asked again.

        Raises NotFoundError, ScorerNotInstalledError (400), and as `preview_rubric`.
        """
        async with self._database.transaction(self._access, read_only=True) as session:
            rubric = await RubricService(session, self._access).read_rubric_spec(rubric_id, version)
        budget = Budget(0, max_cost_nano_usd)
        journal = JudgementJournal(
            self._database,
            self._access,
            SCORED_BY_HAND,
            rubric_id,
            budget,
            may_be_labelled=True,
            asks_failed_again=True,
        )
        return await self._score(rubric, examples, f"{SCORED_BY_HAND}:{rubric_id}", budget, journal)

    async def read_examples(
        self, rubric: RubricSpec, agent_id: str | None, most: int
    ) -> tuple[list[Example], list[str]]:
        """The newest live traces that can be scored, as examples, and their ids in hexadecimal.

        agent_id: as spans name the agent; None for any.  A trace whose spans came without content is passed over.
        """
        examples: list[Example] = []
        trace_ids: list[str] = []
        async with self._database.transaction(self._access, read_only=True) as session:
            listing = await TraceService(session, self._access, self._mapper).list_traces(
                TraceFilter(agent_id=agent_id), NEWEST_FIRST, Page(limit=most * LOOKED_THROUGH), None
            )
            traces = EvaluatedTraces(session, self._access, self._mapper)
            for trace in listing.rows:
                if len(examples) == most:
                    break
                if trace.mode == ExecutionMode.EVALUATION:
                    continue
                case = read_case(rubric, trace, await traces.read_content(trace.trace_id))
                if case.output is not None or case.error is not None:
                    examples.append(_example_of(case))
                    trace_ids.append(trace.trace_id.hex())
        return examples, trace_ids

    async def _score(
        self, rubric: RubricSpec, examples: Sequence[Example], subject: str, budget: Budget, ledger: JudgementLedger
    ) -> Scores:
        if not rubric.asking:
            return await asyncio.to_thread(score_examples, rubric, examples, seconds=PREVIEW_SECONDS)
        await require_models(rubric, self._door, self._access)
        ceilings = judging_ceilings(rubric, self._door)
        unpriced = [model for model, ceiling in ceilings if ceiling is None]
        if unpriced and budget.max_cost_nano_usd is not None:
            raise UnpricedModelError(unpriced[0])
        judging = Judging(rubric, self._door, self._access, subject, ledger)
        try:
            async with asyncio.timeout(JUDGED_SECONDS):
                cases = await judging.score_items(
                    [example.case for example in examples], examples, [example.tool_calls for example in examples]
                )
        except TimeoutError as error:
            raise PreviewTooSlowError(
                f"Scoring {len(examples)} cases took over {JUDGED_SECONDS:g} s; send fewer or shorter ones"
            ) from error
        scores = Scores(cases, rubric.weights, rubric.threshold)
        return replace(scores, cost_nano_usd=None if unpriced else budget.spent.cost_nano_usd)


def _example_of(case: TraceCase) -> Example:
    error = None if case.error is None else ExampleFault(case.error.type, case.error.message)
    return Example(case.case, case.output, error, case.latency_ms, case.cost_nano_usd, case.tool_calls)
