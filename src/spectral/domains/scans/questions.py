"""What a scan asks its reflection model: each question once, reserved in the budget before and journalled after it."""

import asyncio
import hashlib
from uuid import UUID

from spectral.domains.evaluations.reserved_calls import PaidCall, ReservedCalls
from spectral.domains.evaluations.scorers.base import printable
from spectral.domains.scans.models import ScanQuestion
from spectral.domains.scans.repository import ScanQuestionRepository
from spectral.domains.scans.search import Answer
from spectral.domains.scans.work import SUBJECT, ScanWork
from spectral.platform.llm.calls import ModelMessage, ModelReply, ModelRequest, prompt_size
from spectral.platform.llm.errors import ModelUnavailableError

ASKED_FOR = "reflection"
RETRY_PAUSES_S = (0.5, 2.0, 8.0)
MAXIMUM_TOKENS = 4_096
"""The longest answer; without a limit nobody could say what a question costs at most."""


class Questions:
    """The questions of one execution of a scan, in the order in which its strategies ask them."""

    def __init__(self, work: ScanWork) -> None:
        self._work = work
        self._asked: dict[tuple[str, str], int] = {}

    async def restore(self) -> None:
        """The budget knows what the journal's questions have cost."""
        work = self._work
        async with work.database.transaction(work.access, read_only=True) as session:
            costs = await ScanQuestionRepository(session, work.access).costs(work.scan.id)
        work.budget.charge(0, sum(line.cost_nano_usd or 0 for line in costs), once=("questions", work.scan.id))

    async def ask(self, purpose: str, prompt: str) -> Answer:
        """The journal's answer where the question was asked before, else the model's, stored before it is used.

        The same prompt asked again is another question. Raises BudgetExhaustedError before anything is sent that the
        money does not cover, UnpricedModelError (400) where money is limited and the price unknown, ModelRequestError
        (400), ModelUnavailableError (503) after the last of several attempts.
        """
        work = self._work
        model = work.scan.reflection_model
        if model is None:
            message = "this scan has no reflection model"
            raise ValueError(message)
        prompt_hash = hashlib.sha256(prompt.encode()).hexdigest()
        ordinal = self._asked[purpose, prompt_hash] = self._asked.get((purpose, prompt_hash), 0) + 1
        async with work.database.transaction(work.access, read_only=True) as session:
            questions = ScanQuestionRepository(session, work.access)
            answered = await questions.answered(work.scan.id, purpose, prompt_hash, ordinal)
        if answered is not None:
            return Answer(answered.answer, answered.cost_nano_usd)
        digest = hashlib.sha256(f"{work.scan.seed}\n{prompt_hash}\n{ordinal}".encode()).digest()
        request = ModelRequest(
            model=model,
            messages=[ModelMessage("user", prompt)],
            parameters={"max_tokens": MAXIMUM_TOKENS},
            seed=int.from_bytes(digest[:4], "big"),
            access=work.access,
            purpose=ASKED_FOR,
            subject=f"{SUBJECT}:{work.scan.id}",
        )
        question_id = work.derived_id("question", purpose, prompt_hash, ordinal)
        call = PaidCall(SUBJECT, work.scan.id, prompt_hash, question_id, ordinal, ASKED_FOR, model)
        reply, reservation, kept = await self._complete(request, call)
        # What no database can hold is replaced before it is used, so that a second run reads what the first one did.
        text = printable(reply.text)
        async with work.writing() as session:
            repository = ScanQuestionRepository(session, work.access)
            repository.add(
                ScanQuestion(
                    id=question_id,
                    scan_id=work.scan.id,
                    purpose=purpose,
                    prompt_hash=prompt_hash,
                    ordinal=ordinal,
                    model=model,
                    prompt=prompt,
                    answer=text,
                    input_tokens=reply.input_tokens,
                    output_tokens=reply.output_tokens,
                    cost_nano_usd=reply.cost_nano_usd,
                    latency_ms=reply.latency_ms,
                )
            )
            await repository.flush()
            if reservation is not None:
                await ReservedCalls(session, work.access).close(reservation, kept)
        return Answer(text, reply.cost_nano_usd)

    async def _complete(self, request: ModelRequest, call: PaidCall) -> tuple[ModelReply, UUID | None, int]:
        """An answer, the row of its reservation, and what stays reserved for attempts that may have been billed.

        A model that is away is asked again a few times, each time with a part of the budget of its own.
        """
        work = self._work
        ceiling = work.door.ceiling(request.model, prompt_size(request.messages), MAXIMUM_TOKENS)
        reservation = work.budget.reserve(0, ceiling, model=request.model)
        row: UUID | None = None
        if ceiling != 0:
            async with work.writing() as session:
                row = await ReservedCalls(session, work.access).note(call, ceiling)
        kept = 0
        for pause_s in (*RETRY_PAUSES_S, None):
            await work.execution.raise_if_cancelled()
            try:
                reply = await work.door.complete(request)
            except ModelUnavailableError:
                work.budget.settle(reservation, None)
                kept += ceiling or 0
                if pause_s is None:
                    raise
                reservation = work.budget.reserve(0, ceiling, model=request.model)
                if row is not None:
                    async with work.writing() as session:
                        await ReservedCalls(session, work.access).raise_by(row, ceiling or 0)
                await asyncio.sleep(pause_s)
            else:
                work.budget.settle(reservation, reply.cost_nano_usd)
                return reply, row, kept + (0 if reply.cost_nano_usd is not None else ceiling or 0)
        raise AssertionError("the last attempt answers or raises")
