"""What was asked of models about answers, what they said, and who pays for it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.evaluations.budget import Budget, Reservation
from spectral.domains.evaluations.errors import JudgedMeanwhileError
from spectral.domains.evaluations.models import Judgement
from spectral.domains.evaluations.repository import JudgementRepository
from spectral.domains.evaluations.scorers.base import printable
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.calls import ModelMessage

ASKED = "asked"
ANSWERED = "answered"
FAILED = "failed"

SCORED_BY_HAND = "rubric"
"""What answers belong to that somebody has scored with a stored rubric."""

LABELLED_SUBJECTS = frozenset({"scan", SCORED_BY_HAND})
"""What people may be asked about. Validations look at holdouts, whose items are never shown."""

MESSAGE_CHARACTERS = 1000


@dataclass(frozen=True, slots=True)
class Question:
    """Something to ask a model about one answer.

    digest: of everything that decides the reply; scorer_digest: of the scorer with its options.
    messages: of a judge.  texts: of an embedding, the reference and the answer.  size: of the prompt in bytes.
    shown: `{input, expected, output}`.
    """

    digest: str
    scorer_digest: str
    purpose: str
    model: str
    size: int
    shown: dict[str, Any]
    messages: tuple[ModelMessage, ...] = ()
    texts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """What came of a question: a score with its explanation, or the error why there is none.

    cost_nano_usd: of the reply; None where unknown.  unanswered: the model gave no reply at all.
    """

    score: float | None
    explanation: str
    error: str | None = None
    cost_nano_usd: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    latency_ms: float = 0.0
    unanswered: bool = False


class JudgementLedger(Protocol):
    """Remembers what was asked, and pays for it before it is asked."""

    async def recall(self, question: Question) -> Judged | None:
        """What is known of the question; None where it is to be asked."""
        ...

    async def begin(self, question: Question, ceiling: int | None) -> Reservation:
        """The call is about to be made. ceiling: what it costs at most, None where unknown.

        Raises BudgetExhaustedError, and UnpricedModelError where money is limited and the price is unknown.
        """
        ...

    async def lose(self, question: Question, reservation: Reservation, cost_nano_usd: int | None) -> None:
        """The call brought nothing and is made again. cost_nano_usd: None where it may have been billed."""
        ...

    async def end(self, question: Question, reservation: Reservation, judged: Judged) -> None:
        """The call brought this."""
        ...


@dataclass(slots=True)
class UnrecordedJudgements:
    """Nothing outlives the object: for previews, and where another row remembers (a trace's score).

    cost_nano_usd: of all calls so far; None once the cost of one is unknown.
    """

    budget: Budget = field(default_factory=lambda: Budget(0))
    cost_nano_usd: int | None = 0
    _known: dict[str, Judged] = field(default_factory=dict)

    async def recall(self, question: Question) -> Judged | None:
        return self._known.get(question.digest)

    async def begin(self, question: Question, ceiling: int | None) -> Reservation:
        return self.budget.reserve(0, ceiling, model=question.model)

    async def lose(self, question: Question, reservation: Reservation, cost_nano_usd: int | None) -> None:
        del question
        self._pay(reservation, cost_nano_usd)

    async def end(self, question: Question, reservation: Reservation, judged: Judged) -> None:
        self._pay(reservation, judged.cost_nano_usd)
        self._known[question.digest] = judged

    def _pay(self, reservation: Reservation, cost_nano_usd: int | None) -> None:
        self.budget.settle(reservation, cost_nano_usd)
        known = self.cost_nano_usd
        self.cost_nano_usd = None if known is None or cost_nano_usd is None else known + cost_nano_usd


async def _always() -> None:
    """Nobody stops the work."""


async def _ours(session: AsyncSession) -> None:
    """Nobody else does the work."""
    del session


@dataclass(frozen=True, slots=True)
class JudgementJournal:
    """Rows of one subject: a call is written down with what it may cost before it is made, its reply in one commit.

    A reply that is recorded is never asked for again, whatever was killed; a call that was in flight is made again,
    and what it may have cost stays reserved.

    checkpoint: raises when the work was cancelled.  fence: raises when another execution owns the work.
    may_be_labelled: keep what was judged, so that people can be asked about it.  asks_failed_again: a question that
    brought no verdict is asked once more by the next execution.
    unanswered: the digests of questions that a model that is away did not answer to this journal, with the error.
    """

    database: Database
    access: WorkspaceAccess
    subject_kind: str
    subject_id: UUID
    budget: Budget
    checkpoint: Callable[[], Awaitable[None]] = _always
    fence: Callable[[AsyncSession], Awaitable[None]] = _ours
    may_be_labelled: bool = False
    asks_failed_again: bool = False
    unanswered: dict[str, str] = field(default_factory=dict)

    async def recall(self, question: Question) -> Judged | None:
        async with self.database.transaction(self.access, read_only=True) as session:
            row = await JudgementRepository(session, self.access).of_question(self.subject_id, question.digest)
        if row is None or row.state == ASKED or (row.state == FAILED and self.asks_failed_again):
            return None
        return Judged(row.score, row.explanation or "", row.error, row.cost_nano_usd)

    async def begin(self, question: Question, ceiling: int | None) -> Reservation:
        await self.checkpoint()
        reservation = self.budget.reserve(0, ceiling, model=question.model)
        try:
            async with self.database.transaction(self.access) as session:
                await self.fence(session)
                judgements = JudgementRepository(session, self.access)
                row = await judgements.of_question(self.subject_id, question.digest)
                if row is None:
                    row = judgements.add(self._new(question))
                elif row.state == FAILED:
                    # What the earlier attempt cost stays paid.
                    row.reserved_nano_usd += row.cost_nano_usd or 0
                    row.cost_nano_usd = None
                row.state = ASKED
                row.attempts += 1
                row.reserved_nano_usd += ceiling or 0
                await judgements.flush({"uq_judgement_journal_key": JudgedMeanwhileError()})
        except BaseException:
            self.budget.release(reservation)
            raise
        return reservation

    async def lose(self, question: Question, reservation: Reservation, cost_nano_usd: int | None) -> None:
        if cost_nano_usd is not None:
            async with self.database.transaction(self.access) as session:
                row = await self._row(session, question)
                row.reserved_nano_usd += cost_nano_usd - reservation.cost_nano_usd
                await session.flush()
        self.budget.settle(reservation, cost_nano_usd)

    async def end(self, question: Question, reservation: Reservation, judged: Judged) -> None:
        async with self.database.transaction(self.access) as session:
            row = await self._row(session, question)
            row.state = ANSWERED if judged.score is not None else FAILED
            row.score = judged.score
            row.explanation = printable(judged.explanation)[:MESSAGE_CHARACTERS]
            row.error = None if judged.error is None else printable(judged.error)[:MESSAGE_CHARACTERS]
            row.cost_nano_usd = judged.cost_nano_usd
            row.input_tokens, row.output_tokens = judged.input_tokens, judged.output_tokens
            row.latency_ms = judged.latency_ms
            if judged.cost_nano_usd is not None:
                row.reserved_nano_usd -= reservation.cost_nano_usd
            await session.flush()
        self.budget.settle(reservation, judged.cost_nano_usd)
        if judged.unanswered:
            self.unanswered[question.digest] = judged.error or ""

    async def _row(self, session: AsyncSession, question: Question) -> Judgement:
        await self.fence(session)
        row = await JudgementRepository(session, self.access).of_question(self.subject_id, question.digest)
        if row is None:
            message = "a judgement that was begun is gone"
            raise LookupError(message)
        return row

    def _new(self, question: Question) -> Judgement:
        return Judgement(
            subject_kind=self.subject_kind,
            subject_id=self.subject_id,
            question_digest=question.digest,
            scorer_digest=question.scorer_digest,
            purpose=question.purpose,
            model=question.model,
            attempts=0,
            reserved_nano_usd=0,
            shown=question.shown if self.may_be_labelled and question.purpose == "judge" else None,
        )
