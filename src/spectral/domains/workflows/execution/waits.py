"""Nodes that wait: how each kind begins, and what ends it.

`begin` and `settle` decide on the scheduler; what they want written are effects, which the caller runs in the
transaction that stores the decision.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.definitions.json_schemas import schema_failures
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.launching import NewRun
from spectral.domains.workflows.execution.mail import Mail
from spectral.domains.workflows.execution.scheduler import Ready, Scheduler
from spectral.domains.workflows.execution.state import Entry, NodeStatus
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workflows.models import WorkflowInterrupt, WorkflowRun, WorkflowSignal
from spectral.domains.workflows.nodes.calls import NodeError, Suspend
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.events import EventType, emit
from spectral.platform.shared.errors import SpectralError
from spectral.platform.shared.ids import new_id

DEPTH_MAXIMUM = 8
SLEEP_MAXIMUM = timedelta(days=366)

Effect = Callable[[AsyncSession], Awaitable[None]]


class Children(Protocol):
    """Where the runs of other workflows come from, inside the transaction of the run that asks for them."""

    async def prepare(
        self, session: AsyncSession, access: WorkspaceAccess, workflow: str, version: int | None, inputs: Any
    ) -> NewRun:
        """The child as it would be. Raises NotFoundError, and InvalidInputsError for inputs that it does not take."""

    async def launch(self, session: AsyncSession, access: WorkspaceAccess, child: NewRun) -> None:
        """The child begins if the transaction commits."""


class RemotePort(Protocol):
    """Where work for runners goes."""

    async def put(
        self, session: AsyncSession, run: WorkflowRun, ready: Ready, *, queue: str, options: Mapping[str, Any]
    ) -> None:
        """The task waits for a runner if the transaction commits; one that cannot be put is there as failed."""


class Waits:
    """The waits of one execution of a run."""

    def __init__(
        self,
        scheduler: Scheduler,
        run: WorkflowRun,
        access: WorkspaceAccess,
        children: Children,
        remote: RemotePort,
    ) -> None:
        self._scheduler = scheduler
        self._run = run
        self._access = access
        self._children = children
        self._remote = remote
        self.effects: list[Effect] = []
        # Taken, and perhaps not written yet.
        self._taken: set[UUID] = set()

    async def begin(self, session: AsyncSession, ready: Ready) -> None:
        """The node waits from now on, or has failed."""
        try:
            if ready.question is not None:
                self._ask_around(ready)
            elif ready.node.kind is NodeKind.INTERRUPT:
                self._ask(ready)
            elif ready.node.kind is NodeKind.WAIT_EVENT:
                self._wait(ready, {"type": "event", "event": ready.params["event"]}, ready.params.get("timeout_s"))
            elif ready.node.kind is NodeKind.SLEEP:
                self._sleep(ready)
            elif ready.node.kind is NodeKind.SUBFLOW:
                await self._start_child(session, ready)
            else:
                self._put_remote(ready)
        except NodeError as error:
            self._scheduler.fail(ready.key, error)
        except SpectralError as error:
            self._scheduler.fail(ready.key, NodeError(error.slug, error.detail, retryable=False))

    def suspend(self, key: str, iteration: int, suspend: Suspend) -> None:
        """The node's work asked for data; it runs again with the answer."""
        payload = suspend.data
        schema = None if suspend.resume_schema is None else dict(suspend.resume_schema)
        self._request(
            key,
            iteration,
            "node",
            wait_type="suspend",
            kind="input",
            title=suspend.reason,
            payload=payload,
            schema=schema,
            timeout_s=suspend.timeout_s,
        )

    def settle(self, mail: Mail) -> bool:
        """Whether any wait has come to its end."""
        settled = False
        state = self._scheduler.state
        # Who began first is served first; a state that was read back has lost the order of its keys.
        waiting = state.with_status(NodeStatus.WAITING)
        for key in sorted(waiting, key=lambda one: state.entry(one).get("ordinal", 0)):
            if self._scheduler.state.status(key) is NodeStatus.WAITING:
                # An end before this one may have cancelled it.
                entry = self._scheduler.state.entry(key)
                settled |= self._settle_one(key, entry, mail)
        return settled

    def wake_at(self) -> datetime | None:
        """When the next wait ends by itself."""
        moments = []
        for entry in self._scheduler.state.nodes.values():
            waits = entry.get("status") == NodeStatus.WAITING
            if waits and entry["wait"].get("wake_at"):
                moments.append(datetime.fromisoformat(entry["wait"]["wake_at"]))
            elif entry.get("rests_until"):
                moments.append(datetime.fromisoformat(entry["rests_until"]))
        return min(moments, default=None)

    def suspension(self) -> tuple[RunStatus, dict[str, Any] | None]:
        """What a run that has nothing else to do is, and `{at, reason, step, index, data, type}` of its first wait."""
        order = {"suspend": 0, "interrupt": 0, "event": 1, "subflow": 2, "remote": 2, "timer": 3, "retry": 3}
        state = self._scheduler.state
        waiting = [(key, state.entry(key)) for key in state.with_status(NodeStatus.WAITING)]
        if not waiting:
            return RunStatus.WAITING, None
        key, entry = min(waiting, key=lambda one: (order[one[1]["wait"]["type"]], one[1].get("ordinal", 0)))
        wait = entry["wait"]
        told = {
            "at": wait["since"],
            "reason": wait.get("reason"),
            "step": key,
            "index": entry.get("ordinal", 0),
            "data": wait.get("data"),
            "type": wait["type"],
        }
        if wait["type"] not in {"suspend", "interrupt"}:
            return RunStatus.WAITING, told
        return (RunStatus.AWAITING_INPUT if wait.get("asks") == "input" else RunStatus.INTERRUPTED), told

    # How each begins ---------------------------------------------------------------------------------------------

    def _wait(self, ready: Ready, wait: dict[str, Any], timeout_s: float | None) -> None:
        if timeout_s is not None:
            wait["wake_at"] = (self._scheduler.now + timedelta(seconds=timeout_s)).isoformat()
        self._scheduler.wait(ready.key, wait)
        self._tell("step.waiting", ready.key, wait)

    def _sleep(self, ready: Ready) -> None:
        now = self._scheduler.now
        until = ready.params.get("until")
        if until is None:
            seconds = ready.params["seconds"]
            if isinstance(seconds, bool) or not isinstance(seconds, (int, float)):
                raise NodeError("invalid-time", f"{seconds!r} is no number of seconds", retryable=False)
            seconds = min(float(seconds), SLEEP_MAXIMUM.total_seconds() + 1)
            wake_at = now + timedelta(seconds=max(0.0, seconds))
        else:
            try:
                wake_at = datetime.fromisoformat(str(until))
            except ValueError as error:
                raise NodeError("invalid-time", f"{until!r} is no moment (RFC 3339)", retryable=False) from error
            wake_at = wake_at if wake_at.tzinfo else wake_at.replace(tzinfo=UTC)
        if wake_at - now > SLEEP_MAXIMUM:
            raise NodeError("invalid-time", f"A sleep is at most {SLEEP_MAXIMUM.days} days", retryable=False)
        self._wait(ready, {"type": "timer", "wake_at": wake_at.isoformat()}, None)

    async def _start_child(self, session: AsyncSession, ready: Ready) -> None:
        depth = (self._run.parent or {}).get("depth", 0) + 1
        if depth > DEPTH_MAXIMUM:
            raise NodeError("too-deep", f"Runs start others at most {DEPTH_MAXIMUM} deep", retryable=False)
        given = ready.params.get("inputs", ready.inputs)
        workflow, version = ready.params["workflow"], ready.params.get("version")
        child = await self._children.prepare(session, self._access, workflow, version, given)
        parent = {
            "run_id": str(self._run.id),
            "name": self._run.name,
            "kind": "subflow",
            "step": ready.key,
            "depth": depth,
        }
        child = replace(
            child,
            user_id=self._run.user_id,
            conversation_id=self._run.conversation_id,
            context=self._run.context,
            adapter=self._run.adapter,
            parent_run_id=self._run.id,
            parent=parent,
        )

        async def launch(session: AsyncSession) -> None:
            await self._children.launch(session, self._access, child)

        self.effects.append(launch)
        self._wait(ready, {"type": "subflow", "run_id": str(child.id)}, ready.params.get("timeout_s"))

    def _put_remote(self, ready: Ready) -> None:
        queue = str(ready.params.get("queue") or f"agent:{ready.params.get('agent')}")

        async def put(session: AsyncSession) -> None:
            await self._remote.put(session, self._run, ready, queue=queue, options=ready.params)

        self.effects.append(put)
        self._wait(ready, {"type": "remote", "queue": queue}, ready.node.timeout_s or ready.params.get("timeout_s"))

    def _ask(self, ready: Ready) -> None:
        params = ready.params
        self._request(
            ready.key,
            ready.iteration,
            "node",
            wait_type="interrupt",
            kind="input" if params.get("schema") else "decision",
            title=str(params["title"]),
            description=params.get("description"),
            reason=params.get("reason"),
            payload=params.get("payload"),
            schema=params.get("schema"),
            timeout_s=params.get("timeout_s"),
            on_timeout=params.get("on_timeout", "fail"),
        )

    def _ask_around(self, ready: Ready) -> None:
        question = ready.question
        assert question is not None  # noqa: S101  # The caller looked.
        self._request(
            ready.key,
            ready.iteration,
            ready.position,
            wait_type="interrupt",
            kind="decision",
            title=question.title,
            description=question.description,
            timeout_s=question.timeout_s,
            on_timeout=question.on_timeout,
        )

    def _request(
        self,
        key: str,
        iteration: int,
        position: str,
        *,
        wait_type: str,
        kind: str,
        title: str,
        description: Any = None,
        reason: Any = None,
        payload: Any = None,
        schema: dict[str, Any] | None = None,
        timeout_s: float | None = None,
        on_timeout: str = "fail",
    ) -> None:
        now = self._scheduler.now
        expires_at = None if timeout_s is None else now + timedelta(seconds=timeout_s)
        turn = self._scheduler.state.entry(key).get("asked_times", 0) + 1
        # A node may ask more than once in one iteration (it suspends, is resumed, and suspends again).
        place = position if turn == 1 else f"{position}{turn}"
        identifier = new_id()
        row = {
            "workspace_id": self._run.workspace_id,
            "id": identifier,
            "created_at": now,
            "run_id": self._run.id,
            "generation": self._run.generation,
            "key": key,
            "iteration": iteration,
            "position": place,
            "kind": kind,
            "reason": None if reason is None else str(reason),
            "title": title,
            "description": None if description is None else str(description),
            "payload": payload,
            "answer_schema": schema,
            "status": "pending",
            "expires_at": expires_at,
            "on_timeout": on_timeout,
        }

        async def insert(session: AsyncSession) -> None:
            # tenancy: the row says its workspace.
            await session.execute(sa.insert(WorkflowInterrupt).values(row))
            told = {
                "run_id": str(self._run.id),
                "run": self._run.name,
                "workflow": self._run.workflow_name,
                "kind": kind,
            }
            subject = f"interrupt:{identifier}"
            await emit(session, self._access, EventType.WORKFLOW_INTERRUPT_REQUESTED, subject=subject, data=told)

        self.effects.append(insert)
        wait = {
            "type": wait_type,
            "position": place,
            "interrupt_id": str(identifier),
            "asks": kind,
            "reason": title,
            "data": payload,
            "on_timeout": on_timeout,
        }
        if expires_at is not None:
            wait["wake_at"] = expires_at.isoformat()
        self._scheduler.state.put(key, asked_times=turn)
        self._scheduler.wait(key, wait)
        self._tell("interrupt.requested", key, wait, title=title, kind=kind, schema=schema)

    # How each ends -----------------------------------------------------------------------------------------------

    def _settle_one(self, key: str, entry: Entry, mail: Mail) -> bool:
        wait = entry["wait"]
        wake_at = datetime.fromisoformat(wait["wake_at"]) if wait.get("wake_at") else None
        due = wake_at is not None and wake_at <= self._scheduler.now
        kind = wait["type"]
        if kind == "retry":
            if due:
                self._scheduler.again(key)
            return due
        if kind == "timer":
            if due:
                self._scheduler.succeed(key, {"slept_until": wait["wake_at"]})
            return due
        if kind == "event":
            return self._settle_event(key, wait, mail, wake_at) or (due and self._event_timed_out(key))
        if kind in {"interrupt", "suspend"}:
            found = mail.interrupts.get((key, entry.get("iteration", 1), wait["position"]))
            return found is not None and self._settle_question(key, wait, found, due=due)
        if kind == "subflow":
            child = mail.children.get(UUID(wait["run_id"]))
            if child is not None:
                self._settle_child(key, child)
                return True
        elif (
            (task := mail.remote.get((key, entry.get("iteration", 1)))) is not None
            # The mail was read before this turn put another: the outcome of the try before is none of this one.
            and task.created_at >= datetime.fromisoformat(wait["since"])
        ):
            self._settle_task(key, task.status, task.outcome or {})
            return True
        if due:
            self._scheduler.release(key)
            self._scheduler.fail(key, NodeError("timeout", "Nothing came back in time", retryable=False))
        return due

    def _settle_event(self, key: str, wait: Mapping[str, Any], mail: Mail, deadline: datetime | None) -> bool:
        node = self._scheduler.node_at(key)
        for signal in mail.signals:
            if signal.id in self._taken or signal.type != wait["event"]:
                continue
            if deadline is not None and signal.received_at > deadline:
                return False
            self._taken.add(signal.id)
            by = f"{key}#{self._scheduler.state.entry(key).get('iteration', 1)}"
            self.effects.append(_consume(signal, by, self._scheduler.now))
            wrong = _mistake(signal.payload, node.params.get("schema"))
            if wrong is not None:
                # It cannot be what was waited for; whoever sent it may send another.
                self._tell("signal.refused", key, {}, signal=signal.signal_key, message=wrong)
                continue
            self._tell("signal.consumed", key, {}, signal=signal.signal_key)
            outputs = {
                "event": signal.type,
                "payload": signal.payload,
                "signal_id": signal.signal_key,
                "received_at": signal.received_at.isoformat(),
                "timed_out": False,
            }
            self._scheduler.succeed(key, outputs)
            return True
        return False

    def _event_timed_out(self, key: str) -> bool:
        node = self._scheduler.node_at(key)
        if node.params.get("on_timeout", "fail") == "continue":
            event = node.params["event"]
            self._scheduler.succeed(key, {"event": event, "payload": None, "signal_id": None, "timed_out": True})
        else:
            self._scheduler.fail(key, NodeError("timeout", "The event did not come in time", retryable=False))
        return True

    def _settle_question(self, key: str, wait: Mapping[str, Any], found: WorkflowInterrupt, *, due: bool) -> bool:
        status = found.status
        if status == "pending":
            if not due:
                return False
            self.effects.append(_expire(found))
            self._tell("interrupt.expired", key, {}, interrupt_id=str(found.id))
            by_default = {"approve": "approved", "reject": "rejected", "continue": "expired"}
            status = by_default.get(wait["on_timeout"], "failed")
        if status in {"failed", "cancelled"}:
            self._scheduler.fail(key, NodeError("timeout", "Nobody answered in time", retryable=False))
            return True
        answer = {
            "status": status,
            "approved": status in {"approved", "answered"},
            "comment": found.comment,
            "data": found.answer,
            "answered_by": found.answered_by,
            "claimed_by": found.claimed_by,
        }
        if wait["type"] == "suspend":
            self._scheduler.again(key, resume={"data": found.answer, **answer})
        elif wait["position"].startswith("before"):
            if answer["approved"]:
                self._scheduler.again(key, asked=True)
            else:
                self._reject(key, found)
        elif wait["position"].startswith("after"):
            if answer["approved"]:
                self._scheduler.end(key, NodeStatus.SUCCEEDED, self._scheduler.state.entry(key).get("outputs"))
            else:
                self._reject(key, found)
        else:
            self._scheduler.succeed(key, answer)
        return True

    def _reject(self, key: str, found: WorkflowInterrupt) -> None:
        said = f": {found.comment}" if found.comment else ""
        self._scheduler.fail(key, NodeError("rejected", f"Rejected by {found.answered_by}{said}", retryable=False))

    def _settle_child(self, key: str, child: Any) -> None:
        if child.status == RunStatus.SUCCEEDED:
            self._scheduler.succeed(key, child.outputs)
        else:
            error = child.error or {"type": child.status, "message": f"The sub-workflow was {child.status}"}
            self._scheduler.fail(key, NodeError(error["type"], error["message"]))

    def _settle_task(self, key: str, status: str, outcome: Mapping[str, Any]) -> None:
        if status == "done":
            self._scheduler.succeed(key, outcome.get("output"))
            return
        error = outcome.get("error") or {"type": "remote-failed", "message": "The runner reported no reason"}
        failure = NodeError(error["type"], error["message"], retryable=bool(error.get("retryable")))
        self._scheduler.fail(key, failure)

    def _tell(self, type: str, key: str, wait: Mapping[str, Any], **told: Any) -> None:
        about = {name: wait[name] for name in ("type", "wake_at", "interrupt_id", "run_id", "event") if name in wait}
        data = {"wait": about, **told} if about else told
        waiting = NodeStatus.WAITING.value if wait else None
        self._scheduler.events.append(NewEvent(type, node=key, status=waiting, data=data))


def _mistake(payload: Any, schema: Mapping[str, Any] | None) -> str | None:
    failures = [] if schema is None else schema_failures(schema, payload)
    return f"The payload does not fit: {failures[0].pointer} {failures[0].detail}" if failures else None


def _consume(signal: WorkflowSignal, by: str, at: datetime) -> Effect:
    async def write(session: AsyncSession) -> None:
        await session.execute(
            sa.update(WorkflowSignal)
            .where(WorkflowSignal.workspace_id == signal.workspace_id, WorkflowSignal.id == signal.id)
            .values(consumed_at=at, consumed_by=by)
            .execution_options(synchronize_session=False)
        )

    return write


def _expire(found: WorkflowInterrupt) -> Effect:
    async def write(session: AsyncSession) -> None:
        await session.execute(
            sa.update(WorkflowInterrupt)
            .where(
                WorkflowInterrupt.workspace_id == found.workspace_id,
                WorkflowInterrupt.id == found.id,
                WorkflowInterrupt.status == "pending",
            )
            .values(status="expired")
            .execution_options(synchronize_session=False)
        )

    return write
