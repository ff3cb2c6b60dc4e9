"""Scoring with rubrics whose dimensions may ask a model: the asking, the paying and the reading of replies.

A scorer that cannot be asked, or whose reply is no verdict, makes the item missing: never 0.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakValueDictionary

from spectral.domains.evaluations.errors import BudgetExhaustedError
from spectral.domains.evaluations.judgements import Judged, JudgementLedger, Question, UnrecordedJudgements
from spectral.domains.evaluations.scorers.base import (
    Answer,
    ModelScorer,
    ScoredCase,
    ScorerError,
    Verdict,
    canonical_json,
    printable,
)
from spectral.domains.evaluations.scorers.embedding import MOST_BYTES, EmbeddingSimilarity
from spectral.domains.evaluations.scorers.judge import Judge
from spectral.domains.evaluations.scorers.models import LOCAL_EMBEDDING
from spectral.domains.evaluations.scoring import (
    Dimension,
    DimensionScore,
    Executed,
    ItemScore,
    RubricSpec,
    answer_of,
    failed_score,
    score_item,
    scored,
)
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.llm.calls import (
    EmbeddingReply,
    EmbeddingRequest,
    ModelFault,
    ModelReply,
    ModelRequest,
    prompt_size,
)
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.errors import MissingCredentialError, UnknownModelError
from spectral.platform.llm.local.embedding import embed_texts

CALLS_IN_FLIGHT = 8
ATTEMPTS = 3
RETRY_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0

CUT = frozenset({"length", "max_tokens"})
"""How providers say that a reply ended for want of tokens."""

ToolCalls = Sequence[tuple[str, ...] | None]
Asked = dict[str, DimensionScore | Question]


@dataclass(frozen=True, slots=True)
class Judging:
    """Scores answers by one rubric for one subject. Lives as long as the subject's work; used from one event loop.

    access: whose credentials pay.  subject: what the calls belong to (`scan:<id>`).  ledger: what remembers and pays.
    """

    rubric: RubricSpec
    door: ModelDoor
    access: WorkspaceAccess
    subject: str
    ledger: JudgementLedger = field(default_factory=UnrecordedJudgements)
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(CALLS_IN_FLIGHT))
    _locks: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)

    async def score_items(
        self, cases: Sequence[ScoredCase], executions: Sequence[Executed], tool_calls: ToolCalls | None = None
    ) -> list[ItemScore]:
        """The scores of executions, each with its case, in their order.

        tool_calls: for each execution, the names of the tools called; None where nobody reported them.
        Raises BudgetExhaustedError and UnpricedModelError (400) before a call that the budget does not cover, and
        whatever the ledger raises; what was asked until then stays recorded.
        """
        reported = tool_calls or [None] * len(executions)
        if not self.rubric.asking:
            return await asyncio.to_thread(_scores, self.rubric, cases, executions, reported, [{}] * len(cases))
        asked = await asyncio.to_thread(_questions, self.rubric, cases, executions, reported)
        answered = await self._answered(asked)
        return await asyncio.to_thread(_scores, self.rubric, cases, executions, reported, answered)

    async def _answered(self, asked: Sequence[Asked]) -> list[dict[str, DimensionScore]]:
        """Every question with its score in its place; a question that stands there twice is asked once."""
        dimensions = {dimension.name: dimension for dimension in self.rubric.asking}
        waiting: dict[str, tuple[ModelScorer, Question]] = {}
        for each in asked:
            for name, question in each.items():
                scorer = dimensions[name].built
                if isinstance(question, Question) and isinstance(scorer, ModelScorer):
                    waiting[question.digest] = (scorer, question)
        local = [each for each in waiting.values() if each[1].model == LOCAL_EMBEDDING]
        judged = await asyncio.to_thread(_compare_here, local)
        distant = [(scorer, question) for digest, (scorer, question) in waiting.items() if digest not in judged]
        outcomes = await asyncio.gather(
            *(self._ask(scorer, question) for scorer, question in distant), return_exceptions=True
        )
        # Calls in flight are paid for, so the others were waited for. What stops the work outranks a spent budget.
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:
            raise min(failures, key=lambda error: isinstance(error, BudgetExhaustedError))
        judged |= {
            question.digest: outcome
            for (_, question), outcome in zip(distant, outcomes, strict=True)
            if not isinstance(outcome, BaseException)
        }
        return [
            {
                name: _dimension_score(dimensions[name], judged[each.digest]) if isinstance(each, Question) else each
                for name, each in one.items()
            }
            for one in asked
        ]

    async def _ask(self, scorer: ModelScorer, question: Question) -> Judged:
        # One call for a question, however many answers raise it at the same time.
        async with self._locks.setdefault(question.digest, asyncio.Lock()):
            known = await self.ledger.recall(question)
            if known is not None:
                return known
            async with self._slots:
                return await self._ask_until_told(scorer, question)

    async def _ask_until_told(self, scorer: ModelScorer, question: Question) -> Judged:
        """A fault that may pass is tried again, each attempt with its own part of the budget."""
        try:
            ceiling = _ceiling(self.door, scorer, question.size)
        except UnknownModelError as error:
            # Taken out of the catalogue since the rubric was written: nothing is asked, nothing was learned.
            return Judged(None, "", error.detail, 0)
        reservation = await self.ledger.begin(question, ceiling)
        attempt = 1
        while True:
            outcome = await self._call(scorer, question)
            if not isinstance(outcome, ModelFault) or not outcome.retryable or attempt == ATTEMPTS:
                break
            await asyncio.sleep(min(outcome.retry_after_s or RETRY_DELAY_S * 4 ** (attempt - 1), LONGEST_DELAY_S))
            try:
                following = await self.ledger.begin(question, ceiling)
            except BudgetExhaustedError:
                break
            await self.ledger.lose(question, reservation, outcome.cost_nano_usd)
            reservation, attempt = following, attempt + 1
        judged = await asyncio.to_thread(_read, scorer, outcome)
        await self.ledger.end(question, reservation, judged)
        return judged

    async def _call(self, scorer: ModelScorer, question: Question) -> ModelReply | EmbeddingReply | ModelFault:
        try:
            if isinstance(scorer, Judge):
                request = ModelRequest(
                    question.model,
                    question.messages,
                    scorer.parameters,
                    access=self.access,
                    purpose=question.purpose,
                    subject=self.subject,
                )
                return (await self.door.complete_many([request]))[0]
            embedding = EmbeddingRequest(question.model, question.texts, access=self.access, subject=self.subject)
            return (await self.door.embed([embedding]))[0]
        except UnknownModelError as error:
            return ModelFault("provider_error", error.detail, cost_nano_usd=0)


async def score_items(
    rubric: RubricSpec,
    cases: Sequence[ScoredCase],
    executions: Sequence[Executed],
    *,
    door: ModelDoor,
    access: WorkspaceAccess,
    subject: str,
    ledger: JudgementLedger | None = None,
    tool_calls: ToolCalls | None = None,
) -> list[ItemScore]:
    """The scores of executions, each with its case, in their order; see `Judging`.

    Without a ledger nothing of what models say is remembered, and their cost is not limited.
    """
    judging = Judging(rubric, door, access, subject, ledger or UnrecordedJudgements())
    return await judging.score_items(cases, executions, tool_calls)


def asks_afar(rubric: RubricSpec) -> bool:
    """Whether scoring asks a model that does not run in this process."""
    return bool(rubric.models - {LOCAL_EMBEDDING})


def judging_ceilings(rubric: RubricSpec, door: ModelDoor) -> list[tuple[str, int | None]]:
    """For each dimension that asks a model: its name, and what asking about one answer costs at most, in nano-USD.

    None where the price is unknown. Raises UnknownModelError (400).
    """
    scorers = [dimension.built for dimension in rubric.asking]
    return [
        (scorer.model, _ceiling(door, scorer, most_bytes(scorer)))
        for scorer in scorers
        if isinstance(scorer, ModelScorer)
    ]


def judging_ceiling(rubric: RubricSpec, door: ModelDoor) -> int | None:
    """What the models can cost at most for scoring one answer, in nano-USD and one attempt each.

    None where a price is unknown; 0 where nothing is asked over the network. Raises UnknownModelError (400).
    """
    ceilings = [ceiling for _, ceiling in judging_ceilings(rubric, door)]
    known = [ceiling for ceiling in ceilings if ceiling is not None]
    return sum(known) if len(known) == len(ceilings) else None


def most_bytes(scorer: ModelScorer) -> int:
    """How large a question of this scorer can be."""
    return scorer.max_question_bytes if isinstance(scorer, Judge) else MOST_BYTES


async def require_models(rubric: RubricSpec, door: ModelDoor, access: WorkspaceAccess) -> None:
    """The workspace can call every model that the rubric asks.

    Raises UnknownModelError (400), ModelDisabledError (400), MissingCredentialError (400).
    """
    distant = rubric.models - {LOCAL_EMBEDDING}
    if not distant:
        return
    missing = await door.missing_credentials(access, sorted(distant))
    if missing:
        raise MissingCredentialError(missing)


def _ceiling(door: ModelDoor, scorer: ModelScorer, size: int) -> int | None:
    if scorer.model == LOCAL_EMBEDDING:
        return 0
    return door.ceiling(scorer.model, size, scorer.max_output_tokens if isinstance(scorer, Judge) else 0)


def _questions(
    rubric: RubricSpec, cases: Sequence[ScoredCase], executions: Sequence[Executed], reported: ToolCalls
) -> list[Asked]:
    asked: list[Asked] = []
    for case, execution, calls in zip(cases, executions, reported, strict=True):
        answer = answer_of(execution, calls)
        asked.append({} if answer is None else {each.name: _question(each, case, answer) for each in rubric.asking})
    return asked


def _question(dimension: Dimension, case: ScoredCase, answer: Answer) -> Question | DimensionScore:
    scorer = dimension.built
    values = {"input": case.input, "expected": case.expected, "output": answer.output}
    try:
        if isinstance(scorer, Judge):
            messages = scorer.question(case, answer)
            texts: tuple[str, ...] = ()
            size, said = prompt_size(messages), [list(message) for message in messages]
        elif isinstance(scorer, EmbeddingSimilarity):
            messages, texts = (), scorer.texts(case, answer)
            size, said = sum(len(text.encode("utf-8", "replace")) for text in texts), [list(texts)]
        else:
            return failed_score(dimension, f"{dimension.scorer} is not a scorer that can be asked")
        shown = {name: _storable(value) for name, value in values.items()}
    except ScorerError as error:
        return failed_score(dimension, str(error))
    except (ValueError, RecursionError):
        return failed_score(dimension, "the item cannot be written as JSON")
    scorer_digest = scorer.digest(dimension.scorer)
    digest = hashlib.sha256(canonical_json([scorer_digest, said]).encode()).hexdigest()
    return Question(digest, scorer_digest, scorer.purpose, scorer.model, size, shown, messages, texts)


def _compare_here(asked: Sequence[tuple[ModelScorer, Question]]) -> dict[str, Judged]:
    """What the local vectors say; each text is turned into one once."""
    texts = list(dict.fromkeys(text for _, question in asked for text in question.texts))
    vectors = dict(zip(texts, embed_texts(texts), strict=True))
    return {
        question.digest: _compared(scorer, [vectors[text] for text in question.texts]) for scorer, question in asked
    }


def _compared(scorer: ModelScorer, vectors: Sequence[Sequence[float]]) -> Judged:
    try:
        if not isinstance(scorer, EmbeddingSimilarity) or len(vectors) != 2:
            message = f"{scorer.model} gave {len(vectors)} vectors for 2 texts"
            raise ScorerError(message)
        verdict = scorer.verdict(vectors[0], vectors[1])
    except ScorerError as error:
        return Judged(None, "", str(error), 0)
    return Judged(verdict.score, verdict.explanation, None, 0)


def _read(scorer: ModelScorer, outcome: ModelReply | EmbeddingReply | ModelFault) -> Judged:
    """What a reply says, with what it took; a fault says why there is none."""
    if isinstance(outcome, ModelFault):
        return Judged(None, "", f"{scorer.model}: {outcome.message}", outcome.cost_nano_usd, unanswered=True)
    cost, latency_ms = outcome.cost_nano_usd, outcome.latency_ms
    if isinstance(outcome, EmbeddingReply):
        compared = _compared(scorer, outcome.vectors)
        return replace(compared, cost_nano_usd=cost, input_tokens=outcome.input_tokens, latency_ms=latency_ms)
    score, explanation, error = _verdict_of(scorer, outcome)
    return Judged(score, explanation, error, cost, outcome.input_tokens, outcome.output_tokens, latency_ms)


def _verdict_of(scorer: ModelScorer, reply: ModelReply) -> tuple[float | None, str, str | None]:
    if not isinstance(scorer, Judge):
        return None, "", "the scorer reads no text"
    try:
        verdict = scorer.verdict(reply.text)
    except ScorerError as error:
        cut = reply.finish_reason in CUT
        return None, "", f"{error}{f' (it was cut at {scorer.max_output_tokens} tokens)' if cut else ''}"
    return verdict.score, verdict.explanation, None


def _dimension_score(dimension: Dimension, judged: Judged) -> DimensionScore:
    if judged.score is None:
        return failed_score(dimension, judged.error or "the model gave no verdict")
    return scored(dimension, Verdict(judged.score, judged.explanation))


def _storable(value: Any) -> Any:
    """The value as a database can hold it."""
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, Mapping):
        return {printable(str(name)): _storable(member) for name, member in value.items()}
    return [_storable(each) for each in value] if isinstance(value, list | tuple) else value


def _scores(
    rubric: RubricSpec,
    cases: Sequence[ScoredCase],
    executions: Sequence[Executed],
    reported: ToolCalls,
    asked: Sequence[Mapping[str, DimensionScore]],
) -> list[ItemScore]:
    return [
        score_item(rubric, case, execution, tool_calls=calls, asked=said)
        for case, execution, calls, said in zip(cases, executions, reported, asked, strict=True)
    ]
