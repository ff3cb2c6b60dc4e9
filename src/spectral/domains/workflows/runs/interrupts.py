"""Questions that runs ask people, and steps that wait for data: how they are answered."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.json_values import json_text
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.errors import InterruptSettledError, NothingSuspendedError
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scope import Tree
from spectral.domains.workflows.execution.state import NodeStatus, State, node_id_of
from spectral.domains.workflows.execution.states import RunAction, RunStatus, next_status
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.models import WorkflowInterrupt, WorkflowRun
from spectral.domains.workflows.runs.actions import RunActions
from spectral.domains.workflows.runs.authority import RunAct, RunAuthority
from spectral.domains.workflows.runs.checks import check_against, check_size
from spectral.domains.workflows.runs.reading_repository import RunReadRepository
from spectral.domains.workflows.runs.repository import PENDING, InterruptRepository, StepRepository
from spectral.domains.workflows.runs.signals import SignalService
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.keyset import Listing
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.pagination import Page

APPROVED = "approved"
REJECTED = "rejected"
ANSWERED = "answered"
EXPIRED = "expired"
DECISION = "decision"
MAXIMUM_ANSWER_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says to a question. status: `approved`, `rejected`, `answered` or None for what data alone says."""

    status: str | None = None
    comment: str | None = None
    data: Any = None
    claimed_by: str | None = None


@dataclass(frozen=True, slots=True)
class Answered:
    """A question with its answer, and its run. is_new: False where the same answer was there already."""

    interrupt: WorkflowInterrupt
    run: WorkflowRun
    is_new: bool = True


class InterruptService:
    """The questions of one workspace's runs, in the caller's transaction."""

    def __init__(
        self, session: AsyncSession, access: WorkspaceAccess, launcher: Launcher, authority: RunAuthority
    ) -> None:
        self._session = session
        self._access = access
        self._launcher = launcher
        self._authority = authority
        self._runs = RunRepository(session, access, launcher.live)
        self._interrupts = InterruptRepository(session, access)

    async def list_interrupts(self, page: Page, cursor: str | None, *, status: str | None) -> Listing:
        """What is or was asked in the workspace, newest first, each with its run."""
        return await self._interrupts.listed(page, cursor, status=status)

    async def list_of_run(self, name: str, page: Page, cursor: str | None, *, status: str | None) -> Listing:
        """As `list_interrupts`, of one run. Raises NotFoundError."""
        run = await RunReadRepository(self._session, self._access).find_by_name(name)
        return await self._interrupts.listed(page, cursor, run=run, status=status)

    async def read_interrupt(self, identifier: UUID) -> tuple[WorkflowInterrupt, WorkflowRun]:
        """A question and its run. Raises NotFoundError."""
        return await self._interrupts.read(identifier)

    async def answer(self, identifier: UUID, answer: Answer) -> Answered:
        """The question is answered, once, and its run goes on; the same answer again changes nothing.

        Raises NotFoundError, ForbiddenError, InterruptSettledError (409) where it has another answer, has expired or
        is not asked any more, and ValidationFailedError (422) for an answer that does not fit the question.
        """
        _, run = await self._interrupts.read(identifier)
        # The run before its question, as everybody locks them.
        run = await self._runs.lock(run.id)
        await self._authority.authorize(RunAct.ANSWER, run)
        interrupt = await self._interrupts.lock(identifier)
        return await self._answer(run, interrupt, answer)

    async def resume_step(self, name: str, step: str | None, data: Any) -> WorkflowRun:
        """A suspended step has the data that it waits for; a paused run goes on as well.

        step: its key or node, None where only one waits.  Raises NotFoundError, ForbiddenError, InvalidTransitionError
        (400) for a run that has ended, NothingSuspendedError (400), and ValidationFailedError (422) for data that does
        not fit. Questions to people are answered too, by whoever may: `{"approved": false}` rejects.
        """
        found = await RunReadRepository(self._session, self._access).find_by_name(name)
        run = await self._runs.lock(found.id)
        await self._authority.authorize(RunAct.RESUME, run)
        next_status(run.status, RunAction.ANSWER)
        asked = await self._interrupts.pending(run)
        state = State.load(await self._runs.checkpoints(run))
        events = _waits_for_events(state)
        key = _chosen(step, [one.key for one in asked], events)
        interrupt = next((one for one in asked if one.key == key), None)
        if interrupt is not None:
            if await self._is_question(interrupt):
                await self._authority.authorize(RunAct.ANSWER, run)
            await self._answer(run, interrupt, _as_answer(interrupt, data))
        else:
            await self._send_event(run, state, key, data)
        if run.status in {RunStatus.PAUSED, RunStatus.PAUSING}:
            await RunActions(self._session, self._access, self._launcher, self._authority).unpause(run)
        return run

    async def _answer(self, run: WorkflowRun, interrupt: WorkflowInterrupt, answer: Answer) -> Answered:
        status = _status_of(interrupt, answer)
        if interrupt.status != PENDING:
            if _is_same(interrupt, answer, status):
                return Answered(interrupt, run, is_new=False)
            raise _settled(interrupt.status)
        now = utc_now()
        if interrupt.expires_at is not None and interrupt.expires_at <= now:
            # The run finds out for itself, a moment later.
            raise _settled(EXPIRED)
        next_status(run.status, RunAction.ANSWER)
        check_size(answer.data, MAXIMUM_ANSWER_BYTES, "/data")
        if status != REJECTED:
            await check_against(interrupt.answer_schema, answer.data, "/data")
        interrupt.status = status
        interrupt.comment, interrupt.answer = answer.comment, answer.data
        interrupt.answered_by, interrupt.claimed_by = self._access.actor, answer.claimed_by
        interrupt.answered_at = now
        await self._interrupts.flush()
        told = {
            "interrupt_id": str(interrupt.id),
            "comment": answer.comment,
            "answered_by": self._access.actor,
            "claimed_by": answer.claimed_by,
        }
        event = NewEvent("interrupt.answered", node=interrupt.key, status=status, output=answer.data, data=told)
        await self._runs.append(run, [event])
        await self._launcher.wake(self._session, self._access, run)
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="interrupt.answered",
            subject=f"interrupt:{interrupt.id}",
            detail={
                "run_id": str(run.id),
                "step": interrupt.key,
                "status": status,
                "comment": answer.comment,
                "claimed_by": answer.claimed_by,
            },
        )
        return Answered(interrupt, run)

    async def _is_question(self, interrupt: WorkflowInterrupt) -> bool:
        """Whether a person is asked; otherwise it is a step's work that asked for data while it ran."""
        if not interrupt.position.startswith("node"):
            return True
        kind = await StepRepository(self._session, self._access).kind_of(interrupt)
        return kind is None or kind == NodeKind.INTERRUPT

    async def _send_event(self, run: WorkflowRun, state: State, key: str, data: Any) -> None:
        definition = await self._launcher.read_definition(self._session, self._access, run.version_id)
        prefix = key[: len(key) - len(node_id_of(key))]
        node = Tree(definition).graph(prefix).by_id[node_id_of(key)]
        check_size(data, MAXIMUM_ANSWER_BYTES, "/data")
        await check_against(node.params.get("schema"), data, "/data")
        signals = SignalService(self._session, self._access, self._launcher, self._authority)
        await signals.keep(run, state.entry(key)["wait"]["event"], data)
        await self._launcher.wake(self._session, self._access, run)


def _waits_for_events(state: State) -> list[str]:
    waiting = state.with_status(NodeStatus.WAITING)
    return [key for key in waiting if state.entry(key)["wait"]["type"] == "event"]


def _chosen(step: str | None, asked: list[str], events: list[str]) -> str:
    """The key of the step that is meant. Raises NothingSuspendedError."""
    waiting = [*asked, *events]
    if step is not None:
        fitting = [key for key in waiting if key == step] or [key for key in waiting if node_id_of(key) == step]
    else:
        # A question comes before an event, which somebody else may send.
        fitting = asked or events
    if len(fitting) == 1:
        return fitting[0]
    if not waiting:
        raise NothingSuspendedError("No step of the run waits for data", waiting)
    known = ", ".join(waiting)
    if not fitting:
        raise NothingSuspendedError(f"The step {step} does not wait for data; these do: {known}", waiting)
    raise NothingSuspendedError(f"Several steps wait for data, so name one: {known}", waiting)


def _as_answer(interrupt: WorkflowInterrupt, data: Any) -> Answer:
    approved = data.get("approved") if isinstance(data, dict) else None
    if interrupt.kind == DECISION:
        return Answer(REJECTED if approved is False else APPROVED, data=data)
    return Answer(ANSWERED, data=data)


def _status_of(interrupt: WorkflowInterrupt, answer: Answer) -> str:
    """Raises ValidationFailedError (422) for an answer of the wrong kind."""
    if interrupt.kind == DECISION:
        if answer.status in {APPROVED, REJECTED}:
            return answer.status
        wrong = FieldError("/approved", "is needed: this question is approved or rejected")
        raise ValidationFailedError("The body failed validation", [wrong])
    return REJECTED if answer.status == REJECTED else ANSWERED


def _is_same(interrupt: WorkflowInterrupt, answer: Answer, status: str) -> bool:
    kept = (interrupt.status, interrupt.comment, json_text(interrupt.answer), interrupt.claimed_by)
    return kept == (status, answer.comment, json_text(answer.data), answer.claimed_by)


def _settled(status: str) -> InterruptSettledError:
    told = {EXPIRED: "The question has expired", "cancelled": "The question is not asked any more"}
    return InterruptSettledError(told.get(status, f"The question was {status} already, with another answer"), status)
