"""Runs begin here, whoever starts them: people, schedules, other runs. And here they are told that something came."""

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import make_transient_to_detached

from spectral.domains.workflows.definitions.model import Definition
from spectral.domains.workflows.errors import DuplicateRunError
from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import RunAction, RunStatus, next_status
from spectral.domains.workflows.execution.store import NewEvent, Statements, execute_together, topic_of
from spectral.domains.workflows.execution.tracing import trace_id_of
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowRunEvent, WorkflowVersion
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.engine.context import WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id

KIND = "workflow"
PLATFORM_ADAPTERS = frozenset({"scan", "validation", "experiment", "replica-check"})
"""Runs that are the platform's own work: of an engine kind, and with a limit for each workspace, of their own."""
REMEMBERED_DEFINITIONS = 256
REMEMBERED_NEW_RUNS = 64
"""Between its launch and its first execution in the same process a run is read from memory, if it is still the same."""
RUN = cast("sa.Table", WorkflowRun.__table__)
ADD_RUN = sa.insert(RUN)
# tenancy: the rows say their workspace.
ADD_CHECKPOINT = sa.insert(cast("sa.Table", WorkflowCheckpoint.__table__))
# tenancy: as above.
ADD_EVENT = sa.insert(cast("sa.Table", WorkflowRunEvent.__table__))


@dataclass(frozen=True, slots=True)
class NewRun:
    """A run that is to be. inputs: checked by the caller.

    version: what it runs.  name: None takes the id.  state: where it begins, None at the beginning.
    next_nodes: keys, shown until the first execution.  parent: see `WorkflowRun`.
    """

    version: WorkflowVersion
    workflow_name: str | None
    inputs: Mapping[str, Any]
    name: str | None = None
    user_id: str | None = None
    conversation_id: str | None = None
    context: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, Any] = field(default_factory=dict)
    tags: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    adapter: str = "spectral"
    parent_run_id: UUID | None = None
    parent: Mapping[str, Any] | None = None
    state: State | None = None
    next_nodes: Sequence[str] = ()
    id: UUID = field(default_factory=new_id)


class RunListener(Protocol):
    """A part of the platform whose own work is a run."""

    async def run_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """The run has succeeded, failed or was cancelled; in the transaction that ends it."""


class Launcher:
    """Begins and wakes runs. Lives as long as the engine; remembers the definitions it has read."""

    def __init__(self, engine: Engine, live: LiveChannel | None = None) -> None:
        self.engine = engine
        self.live = live
        self._definitions: OrderedDict[UUID, Definition] = OrderedDict()
        self._listeners: dict[str, RunListener] = {}
        self._new: OrderedDict[UUID, tuple[dict[str, Any], dict[str, Any]]] = OrderedDict()

    def listen(self, adapter: str, listener: RunListener) -> None:
        """The listener is told of the ends of that adapter's runs; one for each, before anything runs."""
        self._listeners[adapter] = listener

    async def tell_ended(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """Whoever the run belongs to hears that it has ended."""
        listener = self._listeners.get(run.adapter)
        if listener is not None:
            await listener.run_ended(session, access, run)

    async def launch(self, session: AsyncSession, access: WorkspaceAccess, new: NewRun, created_by: str) -> WorkflowRun:
        """The run will be done if, and only if, the caller's transaction commits.

        Raises DuplicateRunError (409) where the workspace has a run of that name.
        """
        now = utc_now()
        run = _row(access, new, created_by)
        state = new.state or State.new(new.inputs)
        document = state.to_document()
        first = {
            "workspace_id": run.workspace_id,
            "id": new_id(),
            "created_at": now,
            "run_id": run.id,
            "index": 0,
            "generation": 1,
            "full": True,
            "state": document,
            "last_node": None,
            "next_nodes": list(new.next_nodes),
            "steps_completed": 0,
        }
        queued = NewEvent("run.queued", status=run.status, input=run.inputs)
        values = {column.name: getattr(run, column.key) for column in RUN.columns}
        rest: Statements = [(ADD_CHECKPOINT, first), (ADD_EVENT, queued.row(run, 1, now))]
        if run.name == str(run.id):
            # Nobody else has this name. A plain INSERT is compiled once, one with ON CONFLICT each time.
            await execute_together(session, [(ADD_RUN, values), *rest])
        else:
            await self._insert_named(session, values)
            await execute_together(session, rest)
        self._remember_new(values, document)
        if self.live is not None:
            await self.live.publish(session, topic_of(run.id), 1)
        await self.engine.enqueue(session, work_of(run))
        # The row was written by a statement of its own; from here on the session knows it as stored.
        make_transient_to_detached(run)
        session.add(run)
        return run

    async def _insert_named(self, session: AsyncSession, values: Mapping[str, Any]) -> None:
        insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
        added = await session.execute(insert(RUN).values(values).on_conflict_do_nothing().returning(RUN.c.id))
        if added.first() is None:
            raise DuplicateRunError(values["name"])

    def _remember_new(self, values: Mapping[str, Any], state: Mapping[str, Any]) -> None:
        # Copies: what the caller does with its values is no business of the run's. Through JSON, as the rows are.
        kept = {name: _copied(value) if isinstance(value, dict | list) else value for name, value in values.items()}
        self._new[values["id"]] = (kept, _copied(state))
        if len(self._new) > REMEMBERED_NEW_RUNS:
            self._new.popitem(last=False)

    def take_new(self, run_id: UUID) -> tuple[WorkflowRun, dict[str, Any]] | None:
        """A run with its state as `launch` wrote them here; the caller finds out whether they are still so.

        None where another process did, or too many were launched since. Given once.
        """
        known = self._new.pop(run_id, None)
        if known is None:
            return None
        values, state = known
        run = WorkflowRun(**values)
        make_transient_to_detached(run)
        return run, state

    async def wake(self, session: AsyncSession, access: WorkspaceAccess, run: WorkflowRun) -> None:
        """Something came for the run; it looks at it once the transaction has committed. The run must be locked.

        A run that was only waiting is queued; in every other state it notices in its own time, a paused one when it is
        resumed. Nothing happens to one that has ended.
        """
        del access
        if run.status in {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}:
            return
        run.inbox += 1
        run.status = next_status(run.status, RunAction.SIGNAL)
        run.updated_at = utc_now()
        await session.flush()
        if self.live is not None:
            # An execution that has the run listens where its watchers do.
            await self.live.publish(session, topic_of(run.id), run.last_seq)
        if run.status == RunStatus.QUEUED:
            await self.engine.wake(session, work_of(run))

    async def read_definition(self, session: AsyncSession, access: WorkspaceAccess, version_id: UUID) -> Definition:
        """What the version says. Raises NotFoundError."""
        known = self._definitions.get(version_id)
        if known is not None:
            self._definitions.move_to_end(version_id)
            return known
        read = sa.select(WorkflowVersion.document).where(
            WorkflowVersion.workspace_id == access.workspace_id, WorkflowVersion.id == version_id
        )
        document = (await session.execute(read)).scalar_one_or_none()
        if document is None:
            raise NotFoundError("Workflow version", version_id)
        definition = self._definitions[version_id] = Definition.from_document(document)
        if len(self._definitions) > REMEMBERED_DEFINITIONS:
            self._definitions.popitem(last=False)
        return definition


def _copied(value: Any) -> Any:
    return json.loads(json.dumps(value))


def work_of(run: WorkflowRun) -> WorkItem:
    """The engine's work that looks after the run."""
    kind = run.adapter if run.adapter in PLATFORM_ADAPTERS else KIND
    return WorkItem(kind, run.workspace_id, run.account_id, run.id)


def _row(access: WorkspaceAccess, new: NewRun, created_by: str) -> WorkflowRun:
    now = utc_now()
    return WorkflowRun(
        workspace_id=access.workspace_id,
        id=new.id,
        created_at=now,
        updated_at=now,
        account_id=access.account_id,
        name=new.name or str(new.id),
        version_id=new.version.id,
        workflow_name=new.workflow_name,
        workflow_version=new.version.version,
        adapter=new.adapter,
        status=RunStatus.QUEUED.value,
        generation=1,
        lease=0,
        inbox=0,
        last_seq=1,
        next_index=1,
        segment_no=0,
        inputs=dict(new.inputs),
        outputs=None,
        error=None,
        current_nodes=list(new.next_nodes),
        suspension=None,
        pause=None,
        wake_at=None,
        spent={},
        user_id=new.user_id,
        conversation_id=new.conversation_id,
        context=dict(new.context),
        labels=dict(new.labels),
        tags=list(new.tags),
        options=dict(new.options),
        parent_run_id=new.parent_run_id,
        parent=None if new.parent is None else dict(new.parent),
        trace_id=trace_id_of(new.id, 1),
        created_by=created_by,
        started_at=None,
        finished_at=None,
    )
