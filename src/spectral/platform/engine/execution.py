"""Executing work on the application's loop: claim, run the handler, record how it ended, take the next."""

import asyncio
import time
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import sqlalchemy as sa
import structlog

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.claims import claim, wait_to_count_alone
from spectral.platform.engine.context import Allowance, Handler, Settlement, WorkContext, WorkItem
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.engine.timers import DueWork, Timers
from spectral.platform.engine.work import WorkState
from spectral.platform.shared.clock import utc_now

MAX_ATTEMPTS = 100
FIRST_BACKOFF_S = 0.25
MAX_BACKOFF_S = 60.0
STOP_GRACE_S = 5.0
WRITE_RETRIES_S = (0.1, 0.5, 2.0)
MAX_PER_CLAIM = 16
# A driver raises its own errors while it connects, and those of the operating system.
DATABASE_ERRORS = (sa.exc.SQLAlchemyError, OSError, asyncpg.PostgresError)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Registration:
    """A kind of work: who does it, and how much of it a workspace and a process may have running at once."""

    handler: Handler
    max_per_workspace: int
    max_per_process: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a handler's end makes of its work. retry_at: when it is tried again; then it has not ended."""

    state: WorkState = WorkState.SUCCEEDED
    error: str | None = None
    retry_at: datetime | None = None


@dataclass(slots=True)
class Share:
    """What this process does of one kind of work.

    taken: slots in use, those included that a claim on its way may fill.  wanted: workspaces with work to take, in the
    order of their turns, by the account they belong to.  claiming: those whose turn it is, and whether they were wanted
    once more meanwhile.
    """

    taken: int = 0
    wanted: OrderedDict[UUID, UUID] = field(default_factory=OrderedDict)
    claiming: dict[UUID, bool] = field(default_factory=dict)


class Execution:
    """What this process is executing. Methods run on the loop that started the engine, unless they say otherwise.

    Whoever knows of work to do says so (`want`); workspaces are served in turns, as slots of this process get free.
    takes: whether work is begun so at all; else only what `run_due` is called for executes here.
    """

    def __init__(
        self, database: Database, executor_id: str, registrations: Mapping[str, Registration], *, takes: bool = True
    ) -> None:
        self._database = database
        self._executor_id = executor_id
        self._registrations = registrations
        self.takes = takes
        self._contexts: dict[UUID, WorkContext] = {}
        # Every task of ours; with its work while the handler runs, which is when it may be interrupted.
        self._tasks: dict[asyncio.Task[Any], WorkContext | None] = {}
        self._shares: defaultdict[str, Share] = defaultdict(Share)
        # How much of each workspace runs here, and whether it is known to have more.
        self._busy: Counter[tuple[UUID, str]] = Counter()
        self._more: set[tuple[UUID, str]] = set()
        self.timers = Timers(self.want)
        self.stopping = False

    def has_capacity(self, kind: str) -> bool:
        """Whether this process should take more work of the kind."""
        return self.takes and not self.stopping and self._free(kind) > 0

    @property
    def contexts(self) -> dict[UUID, WorkContext]:
        """A copy of what is running, by key; for any thread."""
        return self._contexts.copy()

    def want(self, work: DueWork) -> None:
        """The workspace has work of this kind; it is claimed when it is the workspace's turn."""
        if self.stopping or not self.takes or work.kind not in self._registrations:
            return
        share = self._shares[work.kind]
        if work.workspace_id in share.claiming:
            share.claiming[work.workspace_id] = True
            return
        share.wanted[work.workspace_id] = work.account_id
        self._serve(work.kind)

    def want_later(self, work: DueWork) -> None:
        """As `want`, for work that found its workspace's slots taken: the next end of work frees one."""
        slot = (work.workspace_id, work.kind)
        if self._busy[slot]:
            self._more.add(slot)
        else:
            self.want(work)

    async def run_due(self, work: DueWork, at_most: int, allowance: Allowance | None) -> int:
        """Claim up to so much of the workspace's oldest due work and run it; answers how much, once that is over.

        A caller that goes away does not stop it.
        """
        if self.stopping:
            return 0
        contexts = await self._claim(work, at_most)
        executions = []
        for context in contexts:
            context.allowance = allowance
            self._count_in(context)
            executions.append(asyncio.get_running_loop().create_task(self._execute(context)))
            self._keep(executions[-1])
        if executions:
            await asyncio.wait(executions)
        return len(executions)

    def context(self, item: WorkItem, lease: int, attempt: int) -> WorkContext:
        """What the handler gets for work that this process has claimed."""
        access = WorkspaceAccess.for_system(item.workspace_id, item.account_id, f"{item.kind} {item.key}")
        return WorkContext(
            item, database=self._database, access=access, lease=lease, attempt=attempt, on_settled=self._settled
        )

    def begin(self, context: WorkContext) -> None:
        """Run work that is claimed for this process: the claim has committed."""
        self._count_in(context)
        self._spawn(self._execute(context))

    def interrupt(self, key: UUID, lease: int) -> None:
        """An execution of this work under an earlier lease than this one is over, and ends at its next await."""
        context = self._contexts.get(key)
        if context is None or context.lease >= lease:
            return
        context.note_lost()
        for task, running in self._tasks.items():
            if running is context:
                task.cancel()
        self._ended(context, more_due=False)

    async def stop(self) -> None:
        """Hand everything back: handlers are cancelled and their work is waiting again when this returns.

        A handler that does not end within five seconds keeps its work until the executor's heartbeat is removed.
        """
        self.stopping = True
        self.timers.stop()
        for task, context in list(self._tasks.items()):
            if context is not None:
                task.cancel()
        until = time.monotonic() + STOP_GRACE_S
        # A claim that was on its way begins one more, which is handed back at once.
        while self._tasks and (left_s := until - time.monotonic()) > 0:
            await asyncio.wait(list(self._tasks), timeout=left_s)

    def _count_in(self, context: WorkContext) -> None:
        self._contexts[context.key] = context
        self._shares[context.kind].taken += 1
        self._busy[context.workspace_id, context.kind] += 1

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._keep(asyncio.get_running_loop().create_task(work))

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks[task] = None
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("engine_execution_broke", exc_info=error)

    def _free(self, kind: str) -> int:
        return self._registrations[kind].max_per_process - self._shares[kind].taken

    def _serve(self, kind: str) -> None:
        """Claims for the workspaces whose turn it is, as far as this process has slots."""
        share = self._shares[kind]
        while not self.stopping and share.wanted and (free := self._free(kind)) > 0:
            # Those that wait for their turn are left a slot each, if there are as many.
            at_most = max(1, min(MAX_PER_CLAIM, free // len(share.wanted)))
            workspace_id, account_id = share.wanted.popitem(last=False)
            share.claiming[workspace_id] = False
            share.taken += at_most
            self._spawn(self._take(DueWork(workspace_id, account_id, kind), at_most))

    async def _take(self, work: DueWork, at_most: int) -> None:
        """Claim up to so much of the workspace's oldest due work, and run it; go to the end of the line for more."""
        contexts: list[WorkContext] = []
        try:
            contexts = await self._claim(work, at_most)
        except DATABASE_ERRORS:
            # The sweep finds it again.
            log.warning("engine_claim_failed", kind=work.kind, exc_info=True)
        finally:
            share = self._shares[work.kind]
            share.taken -= at_most
            again = share.claiming.pop(work.workspace_id)
            for context in contexts:
                self.begin(context)
            if again or len(contexts) == at_most:
                self.want(work)
            self._serve(work.kind)

    async def _claim(self, work: DueWork, at_most: int) -> list[WorkContext]:
        limit = self._registrations[work.kind].max_per_workspace
        access = WorkspaceAccess.for_system(work.workspace_id, work.account_id, work.kind)
        async with self._database.transaction(access) as session:
            await wait_to_count_alone(session, work.workspace_id, work.kind)
            rows = await claim(
                session,
                work.workspace_id,
                work.kind,
                utc_now(),
                executor_id=self._executor_id,
                limit=limit,
                at_most=at_most,
            )
        return [
            self.context(
                WorkItem(work.kind, work.workspace_id, row.account_id, row.id, row.payload), row.lease, row.attempts
            )
            for row in rows
        ]

    async def _execute(self, context: WorkContext) -> None:
        more_due = False
        try:
            if not context.lost:
                outcome = Outcome(retry_at=utc_now()) if self.stopping else await self._outcome(context)
                if not context.lost and not context.settled:
                    more_due = await self._record(context, outcome)
                    if outcome.retry_at is not None and not self.stopping:
                        self.timers.arm(_due(context), context.key, outcome.retry_at)
        finally:
            self._ended(context, more_due=more_due)

    def _settled(self, context: WorkContext, settlement: Settlement) -> None:
        """The handler has parked or finished its work: its slots are free, whatever it still does."""
        if settlement.wake_at is not None and not self.stopping:
            self.timers.arm(_due(context), context.key, settlement.wake_at)
        self._ended(context, more_due=settlement.more_due)

    def _ended(self, context: WorkContext, *, more_due: bool) -> None:
        """The work's slots are free, and used at once: by the workspace itself when it is its turn."""
        if context.ended:
            return
        context.ended = True
        if self._contexts.get(context.key) is context:
            del self._contexts[context.key]
        slot = (context.workspace_id, context.kind)
        self._shares[context.kind].taken -= 1
        self._busy[slot] -= 1
        if not self._busy[slot]:
            del self._busy[slot]
        if more_due or slot in self._more:
            self._more.discard(slot)
            self.want(_due(context))
        self._serve(context.kind)

    async def _outcome(self, context: WorkContext) -> Outcome:
        """What the handler's end makes of the work, unless the row is no longer ours."""
        try:
            await self._handle(context)
        except WorkCancelledError:
            return Outcome(WorkState.CANCELLED)
        except LeaseLostError:
            log.warning("engine_lease_lost", kind=context.kind, key=str(context.key))
            context.note_lost()
            return Outcome()
        except asyncio.CancelledError:
            return Outcome(retry_at=utc_now())
        except Exception as error:
            if self.stopping:
                # Our own interruption may have come back as this error; a real one will come again.
                return Outcome(retry_at=utc_now())
            if is_passing(error) and context.attempt < MAX_ATTEMPTS:
                log.warning("engine_work_postponed", kind=context.kind, key=str(context.key), exc_info=True)
                backoff_s = min(FIRST_BACKOFF_S * 2.0 ** (context.attempt - 1), MAX_BACKOFF_S)
                return Outcome(retry_at=utc_now() + timedelta(seconds=backoff_s))
            log.exception("engine_work_failed", kind=context.kind, key=str(context.key))
            return Outcome(WorkState.FAILED, type(error).__name__)
        return Outcome()

    async def _handle(self, context: WorkContext) -> None:
        """The handler, interruptible by `stop` and `interrupt` for exactly as long as it runs."""
        task = asyncio.current_task()
        assert task is not None  # noqa: S101  # A coroutine runs in a task.
        self._tasks[task] = context
        try:
            await self._registrations[context.kind].handler(context)
        finally:
            self._tasks[task] = None
            while task.cancelling():
                task.uncancel()

    async def _record(self, context: WorkContext, outcome: Outcome) -> bool:
        """Under our lease the row says how it ended. A database that stays away leaves it to the upkeep.

        Whether the workspace has more work of the kind that is due.
        """
        for pause_s in (*WRITE_RETRIES_S, None):
            try:
                async with self._database.transaction(context.access) as session:
                    if outcome.retry_at is None:
                        more_due = await context.holding.end(session, outcome.state, outcome.error)
                    else:
                        more_due = await context.holding.hand_back(session, outcome.retry_at)
            except DATABASE_ERRORS:
                log.warning("engine_outcome_not_written", kind=context.kind, key=str(context.key), exc_info=True)
                if pause_s is not None:
                    await asyncio.sleep(pause_s)
            else:
                return bool(more_due)
        return True


def _due(context: WorkContext) -> DueWork:
    return DueWork(context.workspace_id, context.account_id, context.kind)
