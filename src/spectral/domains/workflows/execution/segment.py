"""One execution of a run, from wherever its rows say it is until it has ended or has nothing to do but wait.

Nothing here outlives a transaction without being in a row: killed anywhere, the next execution does again only the
nodes that were in flight.
"""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, Self

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.json_values import storable_json
from spectral.domains.workflows.definitions.expressions import Scope
from spectral.domains.workflows.definitions.model import WAITS, Definition, Evaluation, NodeKind
from spectral.domains.workflows.execution.journal import RunJournal
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.mail import Mail
from spectral.domains.workflows.execution.rows import RunRows
from spectral.domains.workflows.execution.scheduler import DEFAULT, Ended, Ready, Scheduler
from spectral.domains.workflows.execution.scope import RunScope, Tree
from spectral.domains.workflows.execution.state import NodeStatus, State
from spectral.domains.workflows.execution.states import FINAL, RunAction, RunStatus, next_status
from spectral.domains.workflows.execution.store import NewEvent, topic_of
from spectral.domains.workflows.execution.waits import Children, RemotePort, Waits
from spectral.domains.workflows.models import WorkflowRun
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError, NodeResult, NodeWork, Suspend, Usage
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import Handler, WorkContext
from spectral.platform.engine.errors import LeaseLostError, WorkCancelledError
from spectral.platform.engine.passing import is_passing
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import SpectralError

OUTPUT_LIMIT_BYTES = 1024 * 1024
STATE_LIMIT_BYTES = 4 * 1024 * 1024
LISTEN_AFTER_S = 0.05
LOOK_AGAIN_S = 2.0
TIMED_LATE_S = 0.005
FROZEN_AFTER_MS = 5_000

log = structlog.get_logger(__name__)

Outcome = NodeResult | Suspend | NodeError


class Surroundings(Protocol):
    """What stands around a run: questions, tasks of runners, subflows, and whoever wants to know of its end."""

    async def release(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        run: WorkflowRun,
        waits: Sequence[tuple[str, Mapping[str, Any]]],
    ) -> None:
        """What these waits, by the keys of their nodes, waited for is not wanted any more."""

    async def close(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """Its questions, tasks and subflows end, whoever waits for it is told, and those who asked to know of it."""


class Scoring(Protocol):
    """How the outputs of a run are judged."""

    async def __call__(
        self,
        database: Database,
        access: WorkspaceAccess,
        evaluation: Evaluation,
        run: WorkflowRun,
        outputs: Any,
        scope: Scope,
    ) -> dict[str, Any]:
        """Scores as JSON; what goes wrong is part of it. scope: what `expected` may ask for."""


@dataclass(frozen=True)
class Workshop:
    """What every execution of the process shares."""

    launcher: Launcher
    works: Mapping[NodeKind, NodeWork]
    children: Children
    remote: Callable[[WorkspaceAccess], RemotePort]
    surroundings: Surroundings
    scoring: Scoring


def workflow_handler(workshop: Workshop) -> Handler:
    """What the engine runs for work of kind "workflow"; the work's key is the run's id."""

    async def handle(context: WorkContext) -> None:
        await Segment(workshop, context).run()

    return handle


class Segment:
    """One execution of one run."""

    def __init__(self, workshop: Workshop, context: WorkContext) -> None:
        self._workshop = workshop
        self._context = context
        self._rows = RunRows(context, workshop.launcher)
        self._journal = RunJournal(self._write_journal)
        self._tasks: dict[asyncio.Task[Outcome], Ready] = {}
        self._run: WorkflowRun
        self._definition: Definition
        self._scheduler: Scheduler
        self._waits: Waits
        self._inbox = -1
        self._kept: dict[str, Any] = {}
        self._scored: Any = None
        # What nodes say is never written after what follows from their ends.
        self._writing = asyncio.Lock()

    async def run(self) -> None:
        """Raises LeaseLostError when another execution owns the run, and what the engine should try again."""
        try:
            await self._run_turns()
        except LeaseLostError:
            raise
        except Exception as error:
            if is_passing(error):
                raise  # a database that is away is not the run's failure: the engine tries again
            log.exception("workflow_run_broke", run_id=str(self._context.key))
            await self._abandon()
            await self._give_up()
            raise
        finally:
            await self._abandon()

    async def _run_turns(self) -> None:
        goes_on = await self._turn([], first=True)
        while goes_on:
            outcomes = await self._next_outcomes()
            goes_on = await self._turn(outcomes)

    async def _give_up(self) -> None:
        """The run met an error that we were not built for; it has failed, and nobody waits for it in vain."""
        access = self._context.access
        async with self._transaction() as session:
            run = await self._rows.hold(session)
            if run is None or RunStatus(run.status) in FINAL or (self._rows.lease and run.lease != self._rows.lease):
                return
            run.status = RunStatus.FAILED.value
            run.error = {"type": "internal-error", "message": "The run met an error that it was not built for"}
            run.finished_at = utc_now()
            run.wake_at = run.suspension = run.pause = None
            await self._rows.tell(session, run, NewEvent("run.failed", status=run.status, error=run.error))
        # By itself: what broke may be among what is around the run, and the run has ended all the same.
        async with self._transaction() as session:
            run = await self._rows.hold(session)
            if run is not None:
                await self._workshop.surroundings.close(session, access, run)

    # One transaction ---------------------------------------------------------------------------------------------

    async def _turn(self, outcomes: Sequence[tuple[Ready, Outcome]], *, first: bool = False) -> bool:
        """Store what ended, decide what follows and store that too, as one; whether the execution goes on."""
        async with self._writing, self._transaction() as session:
            if first:
                if not await self._take(session):
                    return False
            else:
                await self._rows.hold_own(session, self._run)
            self._scheduler.now = utc_now()
            said = self._journal.take()
            for ready, outcome in outcomes:
                self._apply(ready, outcome)
            try:
                begun = await self._decide(session, first=first)
                goes_on = await self._store(session, said)
            except BaseException:
                self._journal.put_back(said)
                raise
        self._cancel_unwanted()
        if self._scheduler.ended is None and goes_on:
            self._start(begun)
        elif goes_on:
            await self._score()
        return goes_on

    def _transaction(self) -> AbstractAsyncContextManager[AsyncSession]:
        # It holds the run's row; a process that freezes in it must not keep the run from who takes it over.
        return self._context.database.transaction(self._context.access, idle_limit_ms=FROZEN_AFTER_MS)

    async def _take(self, session: AsyncSession) -> bool:
        """The run is this execution's from now on; False where there is nothing to be executed."""
        run = await self._rows.hold(session)
        if run is None:
            await self._context.finish(session)
            return False
        status = RunStatus(run.status)
        if status in FINAL:
            await self._context.finish(session)
            return False
        if status is RunStatus.PAUSED:
            await self._context.park(session, None)
            return False
        await self._context.fence(session)
        run.lease += 1
        run.segment_no += 1
        run.status = next_status(status, RunAction.START)
        self._run = run
        self._rows.lease = run.lease
        launcher, access = self._workshop.launcher, self._context.access
        self._definition = await launcher.read_definition(session, access, run.version_id)
        state = await self._rows.load(session, run)
        allowance = self._context.allowance
        self._scheduler = Scheduler(Tree(self._definition), state, _facts(run), utc_now(), allowance)
        for key in state.with_status(NodeStatus.RUNNING):
            if "container" not in state.entry(key):
                # The execution before died with it; what its inputs were is known.
                self._scheduler.again(key)
        self._waits = Waits(self._scheduler, run, access, self._workshop.children, self._workshop.remote(access))
        if run.started_at is None:
            run.started_at = utc_now()
            self._scheduler.events.append(NewEvent("run.started", status=run.status))
        return True

    async def _decide(self, session: AsyncSession, *, first: bool) -> list[Ready]:
        """Everything that can be decided now; nodes that execute."""
        scheduler, begun = self._scheduler, list[Ready]()
        mail: Mail | None = None
        while scheduler.ended is None:
            if first or mail is not None or self._run.inbox != self._inbox or self._is_due():
                mail = await Mail.read(session, self._run, scheduler.state)
                self._waits.settle(mail)
                first = False
            if self._run.status == RunStatus.PAUSING:
                break
            began_to_wait = False
            for ready in scheduler.advance(self._room(begun)):
                if ready.question is not None or ready.node.kind in WAITS:
                    await self._waits.begin(session, ready)
                    began_to_wait = True
                else:
                    begun.append(ready)
            if not began_to_wait:
                break
            # What begins to wait may be there already, or may have failed.
            mail = Mail()
        self._inbox = self._run.inbox
        return [ready for ready in begun if ready.key not in scheduler.cancelled]

    def _apply(self, ready: Ready, outcome: Outcome) -> None:
        if self._scheduler.state.status(ready.key) is not NodeStatus.RUNNING:
            return
        if isinstance(outcome, NodeResult):
            self._spend(outcome.usage)
            self._scheduler.succeed(ready.key, outcome.outputs)
            self._check_budget(ready.key)
        elif isinstance(outcome, Suspend):
            self._waits.suspend(ready.key, ready.iteration, outcome)
        else:
            self._spend(getattr(outcome, "usage", None) or Usage())
            self._scheduler.fail(ready.key, outcome)
            self._check_budget(ready.key)

    async def _store(self, session: AsyncSession, said: list[NewEvent]) -> bool:
        """Write the decision; whether the execution goes on after it."""
        run, scheduler = self._run, self._scheduler
        for effect in self._waits.effects:
            await effect(session)
        self._waits.effects.clear()
        if scheduler.released:
            await self._workshop.surroundings.release(session, self._context.access, run, scheduler.released)
            scheduler.released.clear()
        if self._rows.size > STATE_LIMIT_BYTES and scheduler.ended is None:
            message = f"The state is {self._rows.size} bytes; at most {STATE_LIMIT_BYTES} are kept"
            scheduler.fail_run({"type": "state-too-large", "message": message})
        ended = scheduler.ended
        if ended is not None and ended.error is None and self._definition.evaluation is not None and not self._scored:
            # The outputs are judged outside of any transaction; the run ends in the next turn.
            if "evaluation" not in scheduler.state.document:
                scheduler.state.document["evaluation"] = {"status": "started"}
                told = {"rubric": self._definition.evaluation.rubric_id}
                scheduler.events.append(NewEvent("evaluation.started", data=told))
            await self._rows.write(session, run, scheduler, said)
            return True
        if ended is not None:
            await self._end(session, ended, said)
            return False
        in_flight = any("container" not in scheduler.state.entry(key) for key in _running(scheduler.state))
        run.current_nodes = scheduler.next_nodes()
        run.wake_at = self._waits.wake_at()
        if in_flight:
            run.suspension = None
            await self._rows.write(session, run, scheduler, said)
            return True
        await self._park(session, said)
        return False

    async def _park(self, session: AsyncSession, said: list[NewEvent]) -> None:
        run = self._run
        pausing = run.status == RunStatus.PAUSING
        if self._scheduler.held_back and not pausing:
            await self._yield(session, said)
            return
        status, suspension = self._waits.suspension()
        action = {
            RunStatus.WAITING: RunAction.WAIT,
            RunStatus.INTERRUPTED: RunAction.INTERRUPT,
            RunStatus.AWAITING_INPUT: RunAction.AWAIT_INPUT,
        }[status]
        run.status = next_status(run.status, RunAction.REACH_BOUNDARY if pausing else action)
        run.suspension = suspension
        told = {"suspension": suspension, "wake_at": run.wake_at and run.wake_at.isoformat()}
        self._scheduler.events.append(NewEvent(f"run.{run.status}", status=run.status, data=told))
        await self._rows.write(session, run, self._scheduler, said)
        await self._context.park(session, None if pausing else run.wake_at)

    async def _yield(self, session: AsyncSession, said: list[NewEvent]) -> None:
        """Something could begin and may not: the run is due, behind those that are due already."""
        self._run.status = next_status(self._run.status, RunAction.YIELD)
        self._run.suspension = None
        await self._rows.write(session, self._run, self._scheduler, said)
        await self._context.park(session, utc_now())

    async def _end(self, session: AsyncSession, ended: Ended, said: list[NewEvent]) -> None:
        run, scheduler = self._run, self._scheduler
        run.status = next_status(run.status, RunAction.SUCCEED if ended.error is None else RunAction.FAIL)
        run.outputs, run.error = ended.outputs, ended.error
        run.finished_at = scheduler.now
        run.current_nodes = []
        run.wake_at = run.suspension = run.pause = None
        if self._scored:
            scheduler.state.document["evaluation"] = self._scored
            scheduler.events.append(NewEvent("evaluation.completed", data=self._scored))
        scheduler.events.append(
            NewEvent(
                f"run.{run.status}",
                status=run.status,
                output=run.outputs,
                error=run.error,
                started_at=run.started_at,
                ended_at=run.finished_at,
            )
        )
        await self._rows.write(session, run, scheduler, said)
        await self._workshop.surroundings.close(session, self._context.access, run)
        await self._context.finish(session)

    # Nodes that execute ------------------------------------------------------------------------------------------

    def _start(self, begun: Sequence[Ready]) -> None:
        for ready in begun:
            task = asyncio.get_running_loop().create_task(self._execute(ready))
            self._tasks[task] = ready

    async def _execute(self, ready: Ready) -> Outcome:
        """The node's work, with its time limit; whatever goes wrong is an outcome."""
        node = ready.node
        timeout_s = node.timeout_s or self._definition.default_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                outcome = await self._workshop.works[node.kind](self._call(ready))
        except NodeError as error:
            return error
        except TimeoutError:
            return NodeError("timeout", f"Not done within {timeout_s:g} seconds" if timeout_s else "Not done in time")
        except LeaseLostError:
            raise
        except WorkCancelledError:
            return NodeError("cancelled", "What the node works for has ended", retryable=False)
        except SpectralError as error:
            return NodeError(error.slug, error.detail, retryable=error.status >= 500)
        except Exception as error:
            if is_passing(error):
                raise  # a database that is away is not the node's failure: the engine tries the run again
            log.exception("workflow_node_failed", run_id=str(self._context.key), node=ready.key)
            return DEFAULT
        return _checked(outcome) if isinstance(outcome, NodeResult) else outcome

    def _call(self, ready: Ready) -> NodeCall:
        run = self._run
        return NodeCall(
            run_id=run.id,
            run_name=run.name,
            account_id=run.account_id,
            trace_id=run.trace_id,
            definition=self._definition,
            node=ready.node,
            key=ready.key,
            iteration=ready.iteration,
            attempt=ready.attempt,
            params=ready.params,
            inputs=ready.inputs,
            idempotency_key=f"{run.id}:{run.generation}:{ready.key}:{ready.iteration}",
            database=self._context.database,
            access=self._context.access,
            journal=self._journal.of(ready.key),
            fence=self._rows.fence,
            resume_data=ready.resume_data,
            left=self._left(),
            kept=self._kept,
        )

    async def _next_outcomes(self) -> list[tuple[Ready, Outcome]]:
        """What ended since; empty when something came for the run meanwhile. Raises what a node's work raised."""
        if self._scheduler.ended is not None:
            return []
        done, _ = await asyncio.wait(self._tasks, timeout=LISTEN_AFTER_S, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            done = await self._listen()
        return [(self._tasks.pop(task), task.result()) for task in done if task in self._tasks]

    async def _listen(self) -> set[asyncio.Task[Outcome]]:
        """Ends of nodes; nothing once the run's row says that something is there, or that a wait is over."""
        async with self._listening() as subscription:
            while True:
                if await self._rows.has_news(self._inbox):
                    return set()
                limit_s = LOOK_AGAIN_S
                wake_at = self._wake_at()
                if wake_at is not None:
                    limit_s = min(limit_s, max(0.0, (wake_at - utc_now()).total_seconds() + TIMED_LATE_S))
                heard = asyncio.ensure_future(subscription.wait(limit_s))
                try:
                    waited: set[asyncio.Future[Any]] = {heard, *self._tasks}
                    await asyncio.wait(waited, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    heard.cancel()
                    with suppress(asyncio.CancelledError):
                        await heard
                done = {task for task in self._tasks if task.done()}
                if done or self._is_due():
                    return done

    def _listening(self) -> Any:
        live = self._workshop.launcher.live
        return live.subscribe(topic_of(self._context.key)) if live is not None else _Silence()

    async def _write_journal(self) -> None:
        """What nodes have said so far, in a transaction of its own."""
        async with self._writing:
            said = self._journal.take()
            try:
                async with self._transaction() as session:
                    await self._rows.hold_own(session, self._run)
                    await self._rows.tell(session, self._run, *said)
            except LeaseLostError:
                return  # the next turn finds it out, and ends the execution
            except Exception:
                self._journal.put_back(said)
                log.warning("workflow_journal_not_written", run_id=str(self._context.key), exc_info=True)

    def _cancel_unwanted(self) -> None:
        for task, ready in list(self._tasks.items()):
            if ready.key in self._scheduler.cancelled:
                task.cancel()
                del self._tasks[task]
        self._scheduler.cancelled.clear()

    async def _abandon(self) -> None:
        """Whatever is still in flight is not ours any more."""
        await self._journal.close()
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _score(self) -> None:
        evaluation, ended = self._definition.evaluation, self._scheduler.ended
        if evaluation is not None and ended is not None:
            database, access = self._context.database, self._context.access
            scheduler = self._scheduler
            scope = RunScope(scheduler.tree, scheduler.state, scheduler.facts, "", output=ended.outputs)
            scored = await self._workshop.scoring(database, access, evaluation, self._run, ended.outputs, scope)
            self._scored = {**scored, "status": "completed"}

    # Limits ------------------------------------------------------------------------------------------------------

    def _room(self, begun: Sequence[Ready]) -> int:
        return self._definition.max_concurrency - len(self._tasks) - len(begun)

    def _is_due(self) -> bool:
        wake_at = self._wake_at()
        return wake_at is not None and wake_at <= utc_now()

    def _wake_at(self) -> datetime | None:
        # A run that is to pause goes on with nothing; what is due then is due when it is resumed.
        return None if self._run.status == RunStatus.PAUSING else self._waits.wake_at()

    def _spend(self, usage: Usage) -> None:
        spent = dict(self._run.spent)
        spent["tokens"] = spent.get("tokens", 0) + usage.tokens
        if usage.cost_nano_usd is None:
            spent["unknown_cost_calls"] = spent.get("unknown_cost_calls", 0) + 1
        else:
            spent["cost_nano_usd"] = spent.get("cost_nano_usd", 0) + usage.cost_nano_usd
        if spent != self._run.spent:
            self._run.spent = spent

    def _left(self) -> Usage:
        budget, spent = self._definition.budget, self._run.spent
        tokens = -1 if budget.max_tokens is None else max(0, budget.max_tokens - spent.get("tokens", 0))
        if budget.max_cost_nano_usd is None:
            return Usage(tokens=tokens, cost_nano_usd=None)
        return Usage(tokens=tokens, cost_nano_usd=max(0, budget.max_cost_nano_usd - spent.get("cost_nano_usd", 0)))

    def _check_budget(self, key: str) -> None:
        """A run that has spent more than it may ends; one that has spent all of it is refused at its next call."""
        budget, spent = self._definition.budget, self._run.spent
        over = []
        if budget.max_tokens is not None and spent.get("tokens", 0) > budget.max_tokens:
            over.append(f"{spent['tokens']} of {budget.max_tokens} tokens")
        if budget.max_cost_nano_usd is not None and spent.get("cost_nano_usd", 0) > budget.max_cost_nano_usd:
            over.append(f"{spent['cost_nano_usd'] / 1e9:.6f} of {budget.max_cost_nano_usd / 1e9:.6f} USD")
        if over and self._scheduler.ended is None:
            message = f"The run has spent {' and '.join(over)}"
            self._scheduler.fail_run({"type": "budget-exhausted", "message": message, "node": key})


class _Silence:
    """Where nobody is told of anything: the table is looked at now and then."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return None

    async def wait(self, timeout_s: float) -> int | None:
        await asyncio.sleep(timeout_s)
        return None


def _checked(result: NodeResult) -> Outcome:
    """The result, unless it cannot be kept."""
    try:
        text = json.dumps(result.outputs, allow_nan=False, ensure_ascii=False)
        size = len(text.encode("utf-8", "strict"))
        if "\\u0000" in text:
            # As it may stand for itself, or for the character that a database does not hold.
            storable_json(result.outputs)
    except (TypeError, ValueError, RecursionError):
        return NodeError("invalid-output", "The outputs are no JSON", retryable=False)
    if size > OUTPUT_LIMIT_BYTES:
        message = f"The outputs are {size} bytes; at most {OUTPUT_LIMIT_BYTES} are kept"
        return NodeError("output-too-large", message, retryable=False)
    return result


def _running(state: State) -> list[str]:
    return state.with_status(NodeStatus.RUNNING)


def _facts(run: WorkflowRun) -> dict[str, Any]:
    """What expressions see as `run`: nothing that a second execution would see otherwise."""
    return {
        "id": run.name,
        "name": run.name,
        "workflow": run.workflow_name,
        "generation": run.generation,
        "user_id": run.user_id,
        "conversation_id": run.conversation_id,
        "context": run.context,
        "created_at": run.created_at.isoformat(),
    }
