"""Work that runners outside lease, do and answer: how it is put, given out, kept and ended.

A lease is a token. Whoever shows the token of the last lease holds the task, however late; any other token is refused.
So what a runner sends is recorded once, and a runner that was taken for dead changes nothing any more.
Rows are held in the order of the house: the run first, then its task.
"""

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.errors import (
    InvalidRemoteTaskError,
    RemoteQueueFullError,
    TaskAnsweredError,
    TaskCancelledError,
    TaskLeaseLostError,
)
from spectral.domains.workflows.execution.states import OPEN as OPEN_RUNS
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import NAME_MAXIMUM, RemoteTask, WorkflowRun
from spectral.domains.workflows.remote.answers import Answer, Result, answers_topic
from spectral.domains.workflows.remote.repository import (
    CANCELLED,
    DONE,
    FAILED,
    LEASED,
    QUEUED,
    RemoteTaskRepository,
)
from spectral.domains.workflows.remote.tasks import checked_task
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError, SpectralError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.tokens import opaque_token, token_hash

MAX_OPEN = 100_000
LEASE_S = 60.0
SHORTEST_LEASE_S = 1.0
LONGEST_LEASE_S = 3600.0
MAX_ATTEMPTS = 3
MOST_ATTEMPTS = 20

LEASE_EXPIRED = "lease-expired"
"""The type of the error of a task that every lease of was lost."""

QUEUE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,119}")


class Waker(Protocol):
    """How a run is told that something came for it (`Launcher`)."""

    async def wake(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """The run looks once the transaction has committed. The run is locked."""


@dataclass(frozen=True, slots=True)
class Leased:
    """A task and the token under which its new holder answers it; the token is stored nowhere."""

    task: RemoteTask
    token: str


def agent_queue(agent_id: UUID) -> str:
    """The queue of an agent's runners; no queue that a definition names can be called so."""
    return f"agent:{agent_id}"


def named_queue(name: str) -> str:
    """The name itself. Raises NotFoundError for what cannot be the name of a queue."""
    if not QUEUE_NAME.fullmatch(name):
        raise NotFoundError("Queue", name)
    return name


def work_topic(workspace_id: UUID, queue: str) -> str:
    """Where runners that wait for work of a queue listen."""
    return f"work:{workspace_id}:{queue}"


class RemoteQueue:
    """The remote tasks of every workspace, always in the caller's transaction. Lives as long as the process."""

    def __init__(self, live: LiveChannel, waker: Waker) -> None:
        self._live = live
        self._waker = waker

    # -------------------------------------------------------------------------------------------- for the engine

    async def put(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        *,
        queue: str,
        task: Mapping[str, Any],
        run: WorkflowRun | None = None,
        step_key: str | None = None,
        iteration: int | None = None,
        generation: int | None = None,
        lease_s: float = LEASE_S,
        max_attempts: int = MAX_ATTEMPTS,
        subject: str | None = None,
        evaluation_key: str | None = None,
    ) -> RemoteTask:
        """A task that runners are offered once the transaction has committed.

        queue: `agent_queue(id)` or a name.  task: what the runner is given, ≤ 256 KiB of JSON; for an agent `{config,
        config_hash, input, seed, traceparent, max_cost_usd}`, for a named queue `{task, inputs, traceparent}`, of which
        any may be missing.  lease_s: 1 to 3,600.  max_attempts: how often it is leased at most, 1 to 20.
        subject: what waits for it where no run does.
        evaluation_key: see `RemoteTask`.  A step that puts again has done with what it put before.
        Raises InvalidRemoteTaskError and RemoteQueueFullError (400), PayloadTooLargeError (413).
        """
        if not SHORTEST_LEASE_S <= lease_s <= LONGEST_LEASE_S:
            raise InvalidRemoteTaskError(f"lease_s is {lease_s:g}, not between 1 and 3600 seconds")
        if not 1 <= max_attempts <= MOST_ATTEMPTS:
            raise InvalidRemoteTaskError(f"max_attempts is {max_attempts}, not between 1 and {MOST_ATTEMPTS}")
        document = checked_task(task)
        tasks = RemoteTaskRepository(session, access)
        if await tasks.count_open(MAX_OPEN) >= MAX_OPEN:
            raise RemoteQueueFullError(MAX_OPEN)
        now = utc_now()
        if run is not None and step_key is not None:
            await tasks.supersede(run.id, run.generation, step_key, iteration)
        made = tasks.add(
            RemoteTask(
                id=new_id(),
                created_at=now,
                queue=queue,
                run_id=None if run is None else run.id,
                generation=generation if run is None else run.generation,
                step_key=step_key,
                iteration=iteration,
                subject=subject,
                evaluation_key=evaluation_key,
                task=document,
                status=QUEUED,
                available_at=now,
                lease_s=float(lease_s),
                attempts=0,
                max_attempts=max_attempts,
            )
        )
        await tasks.flush()
        await self._live.publish(session, work_topic(access.workspace_id, queue), 1)
        return made

    async def cancel(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        run_id: UUID,
        generation: int,
        step_key: str | None = None,
    ) -> int:
        """Nobody waits for these tasks any more; their holders are told so (410). Answers how many were open."""
        return await RemoteTaskRepository(session, access).cancel(run_id, generation, step_key, utc_now())

    async def outcome(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        run_id: UUID,
        generation: int,
        step_key: str,
        iteration: int,
    ) -> RemoteTask | None:
        """The last task of a step, ended or not: `status` `done` or `failed` says that its `outcome` is there.

        outcome: `{output}` or `{error: {type, message, retryable}}`, with `usage` and `trace_id` where they were told.
        """
        return await RemoteTaskRepository(session, access).of_step(run_id, generation, step_key, iteration)

    async def refuse(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        run: WorkflowRun,
        *,
        queue: str,
        step_key: str,
        iteration: int,
        error: SpectralError,
    ) -> RemoteTask:
        """A task that has failed before anybody was given it: what `put` raised is the outcome that the step finds."""
        tasks = RemoteTaskRepository(session, access)
        await tasks.supersede(run.id, run.generation, step_key, iteration)
        now = utc_now()
        made = tasks.add(
            RemoteTask(
                id=new_id(),
                created_at=now,
                queue=queue[:NAME_MAXIMUM],
                run_id=run.id,
                generation=run.generation,
                step_key=step_key,
                iteration=iteration,
                task={},
                status=FAILED,
                available_at=now,
                lease_s=LEASE_S,
                attempts=0,
                max_attempts=1,
                outcome={"error": {"type": error.slug, "message": error.detail, "retryable": False}},
                finished_at=now,
            )
        )
        await tasks.flush()
        await self._waker.wake(session, access, run)
        return made

    async def forget(self, session: AsyncSession, access: WorkspaceAccess, run_ids: Sequence[UUID]) -> int:
        """Delete what these runs put; for retention."""
        return await RemoteTaskRepository(session, access).forget(run_ids)

    # --------------------------------------------------------------------------------------------- for runners

    async def lease(self, session: AsyncSession, access: WorkspaceAccess, queue: str, capacity: int) -> list[Leased]:
        """Up to `capacity` tasks that are this caller's from now on, each for its `lease_s` seconds."""
        now = utc_now()
        tasks = RemoteTaskRepository(session, access)
        leased = []
        for task in await tasks.hold_available(queue, capacity, now):
            token = opaque_token()
            task.status = LEASED
            task.token_digest = token_hash(token)
            task.leased_by = access.actor
            task.leased_at = now
            task.expires_at = task.available_at = now + timedelta(seconds=task.lease_s)
            task.attempts += 1
            leased.append(Leased(task, token))
        await tasks.flush()
        return leased

    async def heartbeat(
        self, session: AsyncSession, access: WorkspaceAccess, queue: str, task_id: UUID, token: str
    ) -> None:
        """The lease lasts its full time again.

        Raises NotFoundError, TaskLeaseLostError (409) and TaskCancelledError (410).
        """
        tasks = RemoteTaskRepository(session, access)
        task = await tasks.hold(task_id, queue)
        _check_holder(task, token)
        if task.status != LEASED:
            raise TaskLeaseLostError(task_id)
        task.expires_at = task.available_at = utc_now() + timedelta(seconds=task.lease_s)
        await tasks.flush()

    async def record(
        self, session: AsyncSession, access: WorkspaceAccess, queue: str, task_id: UUID, token: str, answer: Answer
    ) -> None:
        """What the holder made of the task is its result, and its run goes on; the same again changes nothing.

        Raises NotFoundError, TaskLeaseLostError and TaskAnsweredError (409), TaskCancelledError (410),
        PayloadTooLargeError (413).
        """
        digest = answer.digest()
        tasks = RemoteTaskRepository(session, access)
        run_id = await tasks.run_of(task_id, queue)
        result = {"result_digest": digest, "cost_nano_usd": answer.cost_nano_usd}
        # Most results are taken at once, hundreds a second; the rest says why one is not.
        if run_id is None and await tasks.end_leased(task_id, token_hash(token), result | _ended(answer.outcome())):
            await self._tell_answered(session, access, queue)
            return
        run = await _hold_run(session, access, run_id)
        task = await tasks.hold(task_id, queue)
        if _is_taken(task, run, token, digest):
            await self._end(session, access, task, run, result | _ended(answer.outcome()))

    async def record_all(
        self, session: AsyncSession, access: WorkspaceAccess, queue: str, results: Sequence[Result]
    ) -> list[SpectralError | None]:
        """Each as by `record`: what it would raise stands in the place of the result, and hinders no other one."""
        tasks = RemoteTaskRepository(session, access)
        run_ids = await tasks.runs_of({result.task_id for result in results}, queue)
        runs = {
            run_id: await _hold_run(session, access, run_id)
            for run_id in sorted({run_id for run_id in run_ids.values() if run_id is not None})
        }
        held = await tasks.hold_all(run_ids)
        refusals: list[SpectralError | None] = []
        woken: dict[UUID, WorkflowRun] = {}
        for result in results:
            try:
                digest = result.answer.digest()
                task = held.get(result.task_id)
                if task is None:
                    raise NotFoundError(tasks.kind, result.task_id)
                run = None if task.run_id is None else runs[task.run_id]
                taken = _is_taken(task, run, result.token, digest)
            except SpectralError as error:
                refusals.append(error)
                continue
            refusals.append(None)
            if taken:
                told = {"result_digest": digest, "cost_nano_usd": result.answer.cost_nano_usd}
                for column, value in (told | _ended(result.answer.outcome())).items():
                    setattr(task, column, value)
                if run is not None:
                    woken[run.id] = run
        await tasks.flush()
        await self._tell_answered(session, access, queue)
        for run in woken.values():
            await self._waker.wake(session, access, run)
        return refusals

    async def expire(self, session: AsyncSession, access: WorkspaceAccess, task_id: UUID) -> bool:
        """A task whose last lease has ended has failed; False where that is not so (any more)."""
        tasks = RemoteTaskRepository(session, access)
        known = await tasks.find(RemoteTask.id == task_id)
        if known is None:
            return False
        run = await _hold_run(session, access, known.run_id)
        task = await tasks.hold(task_id)
        if task.status != LEASED or task.attempts < task.max_attempts or task.available_at > utc_now():
            return False
        message = f"No runner has answered the task in {task.attempts} leases of {task.lease_s:g} s"
        error = {"type": LEASE_EXPIRED, "message": message, "retryable": True}
        await self._end(session, access, task, run, _ended({"error": error}))
        return True

    async def _end(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        task: RemoteTask,
        run: WorkflowRun | None,
        values: Mapping[str, Any],
    ) -> None:
        for column, value in values.items():
            setattr(task, column, value)
        await session.flush()
        if run is None:
            await self._tell_answered(session, access, task.queue)
        elif _is_awaited(task, run):
            await self._waker.wake(session, access, run)

    async def _tell_answered(self, session: AsyncSession, access: WorkspaceAccess, queue: str) -> None:
        """Whoever waits for tasks that are no run's looks at them once the transaction has committed."""
        await self._live.publish(session, answers_topic(access.workspace_id, queue), 1)


def _ended(outcome: dict[str, Any]) -> dict[str, Any]:
    """The columns of a task that has come to this."""
    return {"status": FAILED if "error" in outcome else DONE, "outcome": outcome, "finished_at": utc_now()}


async def _hold_run(session: AsyncSession, access: WorkspaceAccess, run_id: UUID | None) -> WorkflowRun | None:
    if run_id is None:
        return None
    try:
        return await RunRepository(session, access).lock(run_id)
    except NotFoundError:
        return None


def _is_awaited(task: RemoteTask, run: WorkflowRun | None) -> bool:
    """Whether the run that put the task still is in the generation that did, and has not ended."""
    if task.run_id is None:
        return True
    return run is not None and run.generation == task.generation and run.status in OPEN_RUNS


def _is_taken(task: RemoteTask, run: WorkflowRun | None, token: str, digest: str) -> bool:
    """Whether the result is to be recorded; False for one that is there already. Raises as `record` does."""
    _check_holder(task, token)
    if task.status in {DONE, FAILED} and task.result_digest is not None:
        if task.result_digest != digest:
            raise TaskAnsweredError(task.id)
        return False
    if task.status != LEASED:
        raise TaskLeaseLostError(task.id)
    if not _is_awaited(task, run):
        raise TaskCancelledError(task.id)
    return True


def _check_holder(task: RemoteTask, token: str) -> None:
    if task.token_digest is None or not hmac.compare_digest(task.token_digest, token_hash(token)):
        raise TaskLeaseLostError(task.id)
    if task.status == CANCELLED:
        raise TaskCancelledError(task.id)
