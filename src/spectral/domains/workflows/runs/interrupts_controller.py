"""HTTP of questions to people: a run's, and the workspace's inbox."""

from typing import Annotated, Literal
from uuid import UUID

from litestar import Controller, get, post
from litestar.di import Provide
from litestar.params import QueryParameter

from spectral.domains.workflows.runs.answers import interrupt_out
from spectral.domains.workflows.runs.controller import DEPENDENCIES, WORKSPACE, provide_interrupts
from spectral.domains.workflows.runs.interrupts import Answer, InterruptService
from spectral.domains.workflows.runs.reading_schemas import CursorPage, InterruptOut
from spectral.domains.workflows.runs.responding import RunResponder
from spectral.domains.workflows.runs.schemas import AnsweredOut, AnswerIn
from spectral.platform.access.guards import requires
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.pagination import Page

READ = requires(Scope.READ_WORKSPACE)

Status = Literal["pending", "approved", "rejected", "answered", "expired", "cancelled"]
StatusQuery = Annotated[Status | None, QueryParameter(description="in this status only")]
CursorQuery = Annotated[str | None, QueryParameter(max_length=500, description="`next_cursor` of the page before")]


class RunInterruptController(Controller):
    """What a run asks."""

    path = f"{WORKSPACE}/runs/{{run_id:str}}/interrupts"
    tags = ("Interrupts",)
    guards = (READ,)
    dependencies = DEPENDENCIES | {"interrupts": Provide(provide_interrupts, sync_to_thread=False)}

    @get(operation_id="listRunInterrupts", summary="List what a run asks and asked, newest first")
    async def list_run_interrupts(
        self,
        interrupts: InterruptService,
        run_id: str,
        page: Page,
        status: StatusQuery = None,
        cursor: CursorQuery = None,
    ) -> CursorPage[InterruptOut]:
        listing = await interrupts.list_of_run(run_id, page, cursor, status=status)
        results = [interrupt_out(row[0], row[1]) for row in listing.rows]
        return CursorPage(results=results, pagination=listing.pagination)


class InterruptController(Controller):
    """The inbox: what the workspace's runs ask people."""

    path = f"{WORKSPACE}/interrupts"
    tags = ("Interrupts",)
    dependencies = DEPENDENCIES | {"interrupts": Provide(provide_interrupts, sync_to_thread=False)}

    @get(operation_id="listInterrupts", summary="List what runs ask and asked, newest first", guards=[READ])
    async def list_interrupts(
        self, interrupts: InterruptService, page: Page, status: StatusQuery = None, cursor: CursorQuery = None
    ) -> CursorPage[InterruptOut]:
        listing = await interrupts.list_interrupts(page, cursor, status=status)
        results = [interrupt_out(row[0], row[1]) for row in listing.rows]
        return CursorPage(results=results, pagination=listing.pagination)

    @get("/{interrupt_id:uuid}", operation_id="readInterrupt", summary="Read a question", guards=[READ])
    async def read_interrupt(self, interrupts: InterruptService, interrupt_id: UUID) -> InterruptOut:
        return interrupt_out(*await interrupts.read_interrupt(interrupt_id))

    @post(
        "/{interrupt_id:uuid}/answer",
        operation_id="answerInterrupt",
        summary="Answer a question, once",
        description=(
            "`approved` or `status` decide, `data` is checked against the question's `answer_schema`. The same answer "
            "again is 200 as well, another one 409. `wait` holds the answer back until the run has ended or asks again."
        ),
        guards=[requires(Scope.APPROVE_AGENTS)],
        status_code=200,
        opt={"idempotent": True},
    )
    async def answer_interrupt(
        self, interrupts: InterruptService, responder: RunResponder, interrupt_id: UUID, data: AnswerIn
    ) -> AnsweredOut:
        answer = Answer(data.decision, data.comment, data.data, data.responded_by)
        answered = await interrupts.answer(interrupt_id, answer)
        interrupt = interrupt_out(answered.interrupt, answered.run)
        return AnsweredOut(interrupt=interrupt, run=await responder.changed(answered.run, data.wait))
