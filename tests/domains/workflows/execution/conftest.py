"""An installation that executes runs in this process, with work that a test makes up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

import spectral.domains.accounts.models
import spectral.domains.workspaces.models  # The tables that others refer to.  # noqa: F401
from spectral.domains.workflows.definitions.expressions import Scope
from spectral.domains.workflows.definitions.model import Definition, Evaluation, NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import KIND, Launcher, NewRun
from spectral.domains.workflows.execution.segment import Workshop, workflow_handler
from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.execution.store import RunRepository
from spectral.domains.workflows.models import (
    Workflow,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowSignal,
    WorkflowStep,
    WorkflowVersion,
)
from spectral.domains.workflows.nodes.calls import NodeCall, NodeResult, Suspend
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.engine import Engine
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from tests.platform.engine.conftest import new_place

Function = Callable[[NodeCall], Awaitable[Any]]


class Runs:
    """Starts runs and tells how they went."""

    def __init__(self, database: Database, access: WorkspaceAccess, *, at_once: int = 24) -> None:
        """at_once: how many runs execute here at once."""
        self.database = database
        self.access = access
        self.functions: dict[str, Function] = {}
        self.calls: list[str] = []
        self.scores: dict[str, Any] = {"scores": {}}
        self.live = LiveChannel(database)
        self.engine = Engine(database)
        self.launcher = Launcher(self.engine, self.live)
        self.remote = RemoteQueue(self.live, self.launcher)
        workshop = Workshop(
            launcher=self.launcher,
            works={NodeKind.TASK: self._work},
            children=Subflows(self.launcher),
            remote=partial(RemoteSteps, self.remote),
            surroundings=RunSurroundings(self.launcher),
            scoring=self._score,
        )
        self.engine.register(KIND, workflow_handler(workshop), max_per_workspace=16, max_per_process=at_once)
        self.engine.register("workflow.trace", _nothing)

    async def _work(self, call: NodeCall) -> NodeResult | Suspend:
        self.calls.append(call.key)
        function = self.functions.get(call.node.params["function"])
        outputs = call.inputs if function is None else await function(call)
        return outputs if isinstance(outputs, (NodeResult, Suspend)) else NodeResult(outputs)

    async def _score(
        self,
        database: Database,
        access: WorkspaceAccess,
        evaluation: Evaluation,
        run: WorkflowRun,
        outputs: Any,
        scope: Scope,
    ) -> dict[str, Any]:
        del database, access, evaluation, run, outputs, scope
        return self.scores

    async def define(self, definition: Definition) -> WorkflowVersion:
        """The definition as the only version of a workflow of its name."""
        async with self.database.transaction(self.access) as session:
            now = utc_now()
            owned = {"workspace_id": self.access.workspace_id}
            workflow = Workflow(
                **owned, id=new_id(), name=definition.name, description="", version=1, origin="api", updated_at=now
            )
            session.add(workflow)
            await session.flush()
            version = WorkflowVersion(
                **owned,
                id=new_id(),
                workflow_id=workflow.id,
                version=1,
                digest="0" * 64,
                source="",
                source_format="yaml",
                document=definition.to_document(),
                created_by="tests",
            )
            session.add(version)
        return version

    async def start(self, definition: Definition | WorkflowVersion, inputs: Mapping[str, Any] | None = None) -> UUID:
        version = definition if isinstance(definition, WorkflowVersion) else await self.define(definition)
        async with self.database.transaction(self.access) as session:
            new = NewRun(version, version.document["name"], inputs or {})
            run = await self.launcher.launch(session, self.access, new, "tests")
        return run.id

    async def read(self, run_id: UUID) -> WorkflowRun:
        async with self.database.transaction(self.access, read_only=True) as session:
            return await RunRepository(session, self.access).get(run_id)

    async def until(self, run_id: UUID, *statuses: RunStatus, within_s: float = 15.0) -> WorkflowRun:
        """The run, once it is one of these; once it has ended where none is named."""
        try:
            async with asyncio.timeout(within_s):
                while (run := await self.read(run_id)).status not in (statuses or FINAL):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
        except TimeoutError:
            run = await self.read(run_id)
            raise AssertionError(f"still {run.status}: {run.current_nodes} {run.error} {run.suspension}") from None
        return run

    async def state(self, run_id: UUID) -> State:
        async with self.database.transaction(self.access, read_only=True) as session:
            runs = RunRepository(session, self.access)
            return State.load(await runs.checkpoints(await runs.get(run_id)))

    async def events(self, run_id: UUID) -> list[WorkflowRunEvent]:
        return await self._rows(WorkflowRunEvent, run_id, WorkflowRunEvent.seq)

    async def steps(self, run_id: UUID) -> list[WorkflowStep]:
        return await self._rows(WorkflowStep, run_id, WorkflowStep.ordinal)

    async def interrupts(self, run_id: UUID) -> list[WorkflowInterrupt]:
        return await self._rows(WorkflowInterrupt, run_id, WorkflowInterrupt.created_at)

    async def _rows(self, model: Any, run_id: UUID, order: Any) -> list[Any]:
        mine = sa.select(model).where(model.workspace_id == self.access.workspace_id, model.run_id == run_id)
        async with self.database.transaction(self.access, read_only=True) as session:
            return list(await session.scalars(mine.order_by(order)))

    async def signal(self, run_id: UUID, type: str, payload: Any = None) -> None:
        async with self.database.transaction(self.access) as session:
            run = await RunRepository(session, self.access).lock(run_id)
            identifier = new_id()
            signal = WorkflowSignal(
                workspace_id=self.access.workspace_id,
                id=identifier,
                run_id=run_id,
                generation=run.generation,
                signal_key=str(identifier),
                type=type,
                payload=payload,
                sent_by="tests",
                received_at=utc_now(),
            )
            session.add(signal)
            await self.launcher.wake(session, self.access, run)

    async def answer(self, run_id: UUID, status: str = "approved", data: Any = None) -> None:
        async with self.database.transaction(self.access) as session:
            run = await RunRepository(session, self.access).lock(run_id)
            await session.execute(
                sa.update(WorkflowInterrupt)
                .where(
                    WorkflowInterrupt.workspace_id == self.access.workspace_id,
                    WorkflowInterrupt.run_id == run_id,
                    WorkflowInterrupt.status == "pending",
                )
                .values(status=status, answer=data, answered_by="user:x")
            )
            await self.launcher.wake(session, self.access, run)


async def _nothing(_: WorkContext) -> None:
    return None


@pytest.fixture
async def runs(database: Database) -> AsyncIterator[Runs]:
    """An installation that executes."""
    place = await new_place(database)
    runs = Runs(database, place.access)
    await runs.live.start()
    await runs.engine.start()
    yield runs
    await runs.engine.stop()
    await runs.live.stop()
