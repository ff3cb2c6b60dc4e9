"""The runtime `runner`: what an evaluation wants executed is put into the queue of the agent's runners.

Nothing is held while runners work: no transaction and no connection. A task is found again by its key, so after a crash
what was answered is read, what is under way is waited for, and only what nobody has answered is put again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from uuid import UUID

import structlog
from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, canonical_hash
from spectral.domains.agents.executing import Call, call_of, executed, missing
from spectral.domains.agents.models import Agent
from spectral.domains.agents.runtime import RUNNER, Execution, ExecutionMode
from spectral.domains.agents.settings import RunnerSettings, require_side_effects, runner_settings
from spectral.domains.workflows.execution.states import FINAL
from spectral.domains.workflows.models import RemoteTask, WorkflowRun
from spectral.domains.workflows.remote.answers import answers_topic
from spectral.domains.workflows.remote.repository import CANCELLED, FAILED, RemoteTaskRepository
from spectral.domains.workflows.remote.service import RemoteQueue, agent_queue
from spectral.domains.workflows.runs.repository import RunActRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel, Subscription
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.money import nano_to_usd

POLL_S = 2.0
"""A wake-up may be missed, and a lease that ends wakes nobody."""
PUT_TOGETHER = 50
"""Tasks that one transaction puts: others want to write as well."""

log = structlog.get_logger(__name__)


class RunnerRuntimes:
    """Agents whose own processes fetch the work. Lives as long as the application."""

    def __init__(self, database: Database, live: LiveChannel, queue: RemoteQueue) -> None:
        self._database = database
        self._live = live
        self._queue = queue

    def check(self, agent: Agent) -> None:
        """Raises NotExecutableError (400) until somebody has said what executing the agent does to the world."""
        require_side_effects(agent, runner_settings(agent).side_effects)

    def of(
        self, access: WorkspaceAccess, agent: Agent, mode: ExecutionMode, *, subject: str | None = None
    ) -> "RunnerRuntime":
        """The queue of the agent's runners."""
        runners = _Runners(self._database, self._live, self._queue, access, agent.id, runner_settings(agent))
        return RunnerRuntime(runners, mode, subject)


@dataclass(eq=False, slots=True)
class _Asked:
    """An execution that somebody waits for. since: monotonic seconds, from when a task of it was there."""

    call: Call
    future: asyncio.Future[Execution]
    looked_up: bool = False
    task_id: UUID | None = None
    since: float = field(default_factory=time.monotonic)


@dataclass(frozen=True, slots=True)
class _Runners:
    """One agent's runners, and the way to them."""

    database: Database
    live: LiveChannel
    queue: RemoteQueue
    access: WorkspaceAccess
    agent_id: UUID
    settings: RunnerSettings

    @property
    def queue_name(self) -> str:
        return agent_queue(self.agent_id)


class RunnerRuntime:
    """Has one agent's work done by its runners, at most `in_flight` executions at a time, whoever asks for them.

    subject: what the executions belong to; whose id a run has is taken to be that run.
    """

    def __init__(self, runners: _Runners, mode: ExecutionMode, subject: str | None) -> None:
        self._runners = runners
        self._access = runners.access
        self._settings = runners.settings
        self._mode = mode
        self._subject = subject
        self.in_flight = runners.settings.in_flight
        self._queued: deque[_Asked] = deque()
        self._open: dict[UUID, _Asked] = {}
        self._something_asked = asyncio.Event()
        self._pumping: asyncio.Task[None] | None = None

    @property
    def ceiling_nano_usd(self) -> int | None:
        """The most that one execution may cost, None where nobody has said."""
        return self._settings.max_cost_usd

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[JsonValue], seeds: Sequence[int]
    ) -> list[Execution]:
        """One execution for each input, in their order.

        What no runner answered in time, or in as many leases as there are, is missing. Raises RemoteQueueFullError and
        InvalidRemoteTaskError (400), PayloadTooLargeError (413).
        """
        config_hash = canonical_hash(config)
        loop = asyncio.get_running_loop()
        asked = [
            _Asked(
                call_of(self._runners.agent_id, self._subject, self._mode, config, config_hash, value, seed),
                loop.create_future(),
            )
            for value, seed in zip(inputs, seeds, strict=True)
        ]
        self._queued.extend(asked)
        self._something_asked.set()
        if self._pumping is None:
            self._pumping = asyncio.create_task(self._pump(), name="runner-runtime")
        try:
            return list(await asyncio.gather(*(each.future for each in asked)))
        finally:
            left = [each for each in asked if not each.future.done() or each.future.cancelled()]
            if left:
                await asyncio.shield(self._let_go(left))

    # ------------------------------------------------------------------------------------- one task for all who ask

    async def _pump(self) -> None:
        """Puts what is asked for and hands out what was answered, until nobody waits any more."""
        topic = answers_topic(self._access.workspace_id, self._runners.queue_name)
        try:
            async with self._runners.live.subscribe(topic) as answers:
                while self._queued or self._open:
                    self._something_asked.clear()
                    await self._find_earlier()
                    await self._put_more()
                    await self._collect()
                    await self._give_up_late()
                    if self._open and not self._has_room:
                        await self._wait(answers)
                self._pumping = None
        except Exception as error:  # noqa: BLE001 - whoever waits must hear of it, and nobody else can
            self._pumping = None
            for each in (*self._queued, *self._open.values()):
                if not each.future.done():
                    each.future.set_exception(error)
            self._queued.clear()
            self._open.clear()

    @property
    def _has_room(self) -> bool:
        return bool(self._queued) and len(self._open) < self.in_flight

    async def _wait(self, answers: Subscription) -> None:
        """Until something was answered or asked for, or it is time to look anyway."""
        ends = [
            asyncio.ensure_future(answers.wait(min(POLL_S, self._settings.timeout_s))),
            asyncio.ensure_future(self._something_asked.wait()),
        ]
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in ends:
                each.cancel()
            await asyncio.gather(*ends, return_exceptions=True)

    async def _find_earlier(self) -> None:
        """What the same evaluation has put before is not put again."""
        wanted = {each.call.key: each for each in self._queued if not each.looked_up and each.call.key is not None}
        for each in self._queued:
            if not each.looked_up and each.call.key is not None and wanted[each.call.key] is not each:
                # The same thing asked for twice at once is executed twice; only one of the two can be found again.
                each.call = replace(each.call, key=None)
            each.looked_up = True
        if not wanted:
            return
        async with self._runners.database.transaction(self._access, read_only=True) as session:
            found = await RemoteTaskRepository(session, self._access).of_evaluations(list(wanted))
        await self._free([task for task in found if _was_not_answered(task)])
        for task in found:
            if _was_not_answered(task) or task.evaluation_key is None:
                continue
            each = wanted[task.evaluation_key]
            if task.id in self._open:
                each.call = replace(each.call, key=None)
                continue
            self._queued.remove(each)
            self._note_put(each, task.id)

    async def _put_more(self) -> None:
        while self._has_room:
            room = min(PUT_TOGETHER, self.in_flight - len(self._open), len(self._queued))
            chosen = [self._queued.popleft() for _ in range(room)]
            try:
                async with self._runners.database.transaction(self._access) as session:
                    put = [await self._put(session, each.call) for each in chosen]
            except BaseException:
                self._queued.extendleft(reversed(chosen))
                raise
            for each, task_id in zip(chosen, put, strict=True):
                self._note_put(each, task_id)

    async def _put(self, session: AsyncSession, call: Call) -> UUID:
        ceiling = self._settings.max_cost_usd
        told = {"mode": self._mode.value, "max_cost_usd": None if ceiling is None else nano_to_usd(ceiling)}
        task = await self._runners.queue.put(
            session,
            self._access,
            queue=self._runners.queue_name,
            task=call.document() | told,
            lease_s=self._settings.lease_s,
            max_attempts=self._settings.max_attempts,
            subject=self._subject,
            evaluation_key=call.key,
        )
        return task.id

    def _note_put(self, each: _Asked, task_id: UUID) -> None:
        each.task_id, each.since = task_id, time.monotonic()
        self._open[task_id] = each

    async def _collect(self) -> None:
        async with self._runners.database.transaction(self._access, read_only=True) as session:
            ended = await RemoteTaskRepository(session, self._access).ended(list(self._open))
        # Who asks for the same again is to have it executed.
        await self._free([task for task in ended if _was_not_answered(task)])
        for task in ended:
            each = self._open.pop(task.id, None)
            if each is not None and not each.future.done():
                each.future.set_result(self._execution(task))

    async def _free(self, unanswered: Sequence[RemoteTask]) -> None:
        if unanswered:
            async with self._runners.database.transaction(self._access) as session:
                await RemoteTaskRepository(session, self._access).free_keys([task.id for task in unanswered])

    async def _give_up_late(self) -> None:
        until = time.monotonic() - self._settings.timeout_s
        late = [task_id for task_id, each in self._open.items() if each.since <= until]
        if late:
            async with self._runners.database.transaction(self._access) as session:
                await RemoteTaskRepository(session, self._access).cancel_tasks(late, utc_now())
            await self._collect()

    # ------------------------------------------------------------------------------------------------------- the end

    async def _let_go(self, left: Collection[_Asked]) -> None:
        """Nobody waits for these any more. Raises nothing: what made that so is on its way already."""
        for each in left:
            with suppress(ValueError):
                self._queued.remove(each)
            if each.task_id is not None:
                self._open.pop(each.task_id, None)
        self._something_asked.set()
        put = {each.task_id: each.call.key for each in left if each.task_id is not None}
        with suppress(Exception):
            async with self._runners.database.transaction(self._access) as session:
                # Who goes on with an evaluation finds what is under way; with one that has ended nobody does.
                over = await self._has_ended(session)
                abandoned = [task_id for task_id, key in put.items() if over or key is None]
                await RemoteTaskRepository(session, self._access).cancel_tasks(abandoned, utc_now())

    async def _has_ended(self, session: AsyncSession) -> bool:
        """Whether the run that the subject is has ended."""
        try:
            run_id = UUID((self._subject or "").rpartition(":")[2])
        except ValueError:
            return True
        run = await RunActRepository(session, self._access).find(WorkflowRun.id == run_id)
        return run is None or run.status in FINAL

    def _execution(self, task: RemoteTask) -> Execution:
        settings = self._settings
        if task.status == CANCELLED:
            message = f"No runner of the agent has answered within {settings.timeout_s:g} s"
            return missing(RUNNER, self._mode, message, retryable=False, cost_nano_usd=_cost_of_lost(task))
        outcome = task.outcome or {}
        if _was_not_answered(task):
            message = str((outcome.get("error") or {}).get("message"))
            return missing(RUNNER, self._mode, message, retryable=True, cost_nano_usd=_cost_of_lost(task))
        if settings.max_cost_usd is not None and (task.cost_nano_usd or 0) > settings.max_cost_usd:
            told = {
                "cost_usd": nano_to_usd(task.cost_nano_usd or 0),
                "max_cost_usd": nano_to_usd(settings.max_cost_usd),
            }
            log.warning("runner_overran_its_budget", task_id=str(task.id), subject=self._subject, **told)
        return executed(
            RUNNER,
            self._mode,
            outcome,
            cost_nano_usd=task.cost_nano_usd,
            latency_ms=_latency_ms(task),
            trace_id=outcome.get("trace_id"),
        )


def _was_not_answered(task: RemoteTask) -> bool:
    """Cancelled, or every lease of it was lost: the task says nothing about the agent."""
    return task.status == CANCELLED or (task.status == FAILED and task.result_digest is None)


def _cost_of_lost(task: RemoteTask) -> int | None:
    # What was leased may have been executed, and paid for; what never was has cost nothing.
    return None if task.attempts else 0


def _latency_ms(task: RemoteTask) -> float:
    told = (task.outcome or {}).get("latency_ms")
    if isinstance(told, int | float):
        return float(told)
    if task.leased_at is None or task.finished_at is None:
        return 0.0
    return max(0.0, (task.finished_at - task.leased_at).total_seconds() * 1000)
