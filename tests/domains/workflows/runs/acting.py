"""Workflows and runs as rows, so that tests can put a run into any state without executing anything."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.state import State
from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.models import (
    RemoteTask,
    Workflow,
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowRunEvent,
    WorkflowSignal,
    WorkflowStep,
    WorkflowVersion,
)
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.events import DomainEvent
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from tests.fixtures.tenants import Tenant

PATIENCE_S = 20.0

INPUTS = {
    "type": "object",
    "properties": {"count": {"type": "integer", "minimum": 1}, "note": {"type": "string"}},
    "required": ["count"],
}


def chain(name: str, *ids: str, kind: NodeKind = NodeKind.TASK, inputs: Mapping[str, Any] = INPUTS) -> Definition:
    """A workflow whose nodes follow each other."""
    nodes = tuple(Node(each, kind, params={"function": "echo"}) for each in ids)
    edges = tuple(Edge(one, other) for one, other in pairwise(ids))
    return Definition(name=name, graph=Graph(nodes, edges), inputs=inputs)


@dataclass
class Stage:
    """One tenant's workflows and runs, written as rows and asked over HTTP."""

    client: httpx.AsyncClient
    database: Database
    tenant: Tenant

    async def define(self, definition: Definition, version: int = 1) -> UUID:
        """The workspace has this workflow in this version, which is its latest."""
        access = self.tenant.access
        async with self.database.transaction(access) as session:
            found = sa.select(Workflow).where(
                Workflow.workspace_id == access.workspace_id, Workflow.name == definition.name
            )
            workflow = (await session.scalars(found)).one_or_none()
            if workflow is None:
                workflow = Workflow(
                    workspace_id=access.workspace_id,
                    name=definition.name,
                    description="",
                    version=version,
                    origin="api",
                    updated_at=utc_now(),
                )
                session.add(workflow)
                await session.flush()
            workflow.version = version
            made = WorkflowVersion(
                workspace_id=access.workspace_id,
                id=new_id(),
                workflow_id=workflow.id,
                version=version,
                digest=f"{version:064}",
                source="{}",
                source_format="json",
                document=definition.to_document(),
                created_by=access.actor,
            )
            session.add(made)
            await session.flush()
            return made.id

    async def send(self, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        """As the workspace's owner."""
        sent = {} if body is None else {"json": body}
        return await self.client.request(
            method, self.tenant.url + path, headers={**self.tenant.client_headers, **headers}, **sent
        )

    async def post(self, path: str, body: Any = None, *, expect: int = 200) -> Any:
        """The answer's body, of the status that is expected."""
        answer = await self.send("POST", path, body)
        assert answer.status_code == expect, answer.text
        return answer.json()

    async def get(self, path: str) -> Any:
        answer = await self.send("GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def start(self, workflow: str, **body: Any) -> dict[str, Any]:
        """A run, queued."""
        started = await self.post(f"/workflows/{workflow}/runs", {"inputs": {"count": 1}, **body}, expect=202)
        assert isinstance(started, dict)
        return started

    async def set(self, run_id: Any, status: RunStatus, **columns: Any) -> None:
        """The run stands there, as if an execution had brought it there; its work is as it would be."""
        if status in {RunStatus.SUCCEEDED, RunStatus.FAILED, RunStatus.CANCELLED}:
            columns.setdefault("finished_at", utc_now())
            work = WorkState.SUCCEEDED
        else:
            work = WorkState.RUNNING if status in {RunStatus.RUNNING, RunStatus.PAUSING} else WorkState.QUEUED
        run_id = UUID(str(run_id))
        access = self.tenant.access
        async with self.database.transaction(access) as session:
            mine = (WorkflowRun.workspace_id == access.workspace_id, WorkflowRun.id == run_id)
            changed = sa.update(WorkflowRun).where(*mine).values(status=status.value, **columns)
            await session.execute(changed.execution_options(synchronize_session=False))
            owner = "somebody" if work is WorkState.RUNNING else None
            held = sa.update(EngineWork).where(EngineWork.workspace_id == access.workspace_id, EngineWork.id == run_id)
            await session.execute(
                held.values(
                    state=work.value,
                    executor_id=owner,
                    cancel_requested=False,
                    wake_at=utc_now() + timedelta(days=1),
                ).execution_options(synchronize_session=False)
            )

    async def checkpoint(self, run_id: Any, state: State, *, index: int, next_nodes: tuple[str, ...] = ()) -> None:
        """The run has this checkpoint as its last."""
        access = self.tenant.access
        async with self.database.transaction(access) as session:
            run = await session.get_one(WorkflowRun, (access.workspace_id, UUID(str(run_id))))
            session.add(
                WorkflowCheckpoint(
                    workspace_id=access.workspace_id,
                    run_id=run.id,
                    index=index,
                    generation=run.generation,
                    full=True,
                    state=state.to_document(),
                    last_node=None,
                    next_nodes=list(next_nodes),
                    steps_completed=0,
                )
            )
            run.next_index = index + 1

    async def ask(self, run_id: Any, **values: Any) -> str:
        """The run asks a person; answers the question's id."""
        asked: dict[str, Any] = {
            "generation": 1,
            "key": "approve",
            "iteration": 1,
            "position": "node",
            "kind": "decision",
            "title": "May it go on?",
            "status": "pending",
            "on_timeout": "fail",
            **values,
        }
        return str(await self.add(WorkflowInterrupt(run_id=UUID(str(run_id)), **asked)))

    async def step(self, run_id: Any, key: str, **values: Any) -> None:
        """A step of the run, waiting unless said otherwise."""
        made: dict[str, Any] = {
            "generation": 1,
            "iteration": 1,
            "node": key.rsplit("/", 1)[-1],
            "kind": "interrupt",
            "ordinal": 0,
            "status": "waiting",
            "attempts": 1,
            "max_attempts": 1,
            "started_at": utc_now(),
            **values,
        }
        await self.add(WorkflowStep(run_id=UUID(str(run_id)), key=key, **made))

    async def remote_task(self, run_id: Any, status: str = "queued") -> UUID:
        """Work that a runner is to do for the run."""
        return await self.add(
            RemoteTask(
                queue="builds",
                run_id=UUID(str(run_id)),
                generation=1,
                step_key="build",
                iteration=1,
                task={},
                status=status,
                available_at=utc_now(),
                lease_s=60.0,
                attempts=0,
                max_attempts=3,
            )
        )

    async def child(self, parent_id: Any, workflow: str, kind: str = "subflow") -> str:
        """A run that the other one has started."""
        started = await self.start(workflow)
        parent = {"run_id": str(parent_id), "kind": kind, "step": "sub"}
        await self.set(started["id"], RunStatus.RUNNING, parent_run_id=UUID(str(parent_id)), parent=parent)
        return str(started["id"])

    async def add(self, row: Any) -> UUID:
        row.workspace_id = self.tenant.workspace_id
        row.id = row.id or new_id()
        async with self.database.transaction(self.tenant.access) as session:
            session.add(row)
        return UUID(str(row.id))

    async def run(self, run_id: Any) -> WorkflowRun:
        found = await self.row(WorkflowRun, run_id)
        assert isinstance(found, WorkflowRun)
        return found

    async def until(self, run_id: Any, *statuses: str) -> WorkflowRun:
        """The run, once it is in one of these."""
        async with asyncio.timeout(PATIENCE_S):
            while (run := await self.run(run_id)).status not in statuses:  # noqa: ASYNC110 - the table tells nobody
                await asyncio.sleep(0.02)
        return run

    async def work(self, run_id: Any) -> EngineWork:
        found = await self.row(EngineWork, run_id)
        assert isinstance(found, EngineWork)
        return found

    async def row(self, model: type[Any], identifier: Any) -> Any:
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            return await session.get_one(model, (self.tenant.workspace_id, UUID(str(identifier))))

    async def rows(self, model: type[Any], run_id: Any, order: Any = None) -> list[Any]:
        """What of this table belongs to the run."""
        statement = sa.select(model).where(
            model.workspace_id == self.tenant.workspace_id, model.run_id == UUID(str(run_id))
        )
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            return list(await session.scalars(statement.order_by(model.id if order is None else order)))

    async def event_types(self, run_id: Any) -> list[str]:
        events = await self.rows(WorkflowRunEvent, run_id, WorkflowRunEvent.seq)
        assert [event.seq for event in events] == list(range(1, len(events) + 1))
        return [event.type for event in events]

    async def signals(self, run_id: Any) -> list[WorkflowSignal]:
        return await self.rows(WorkflowSignal, run_id)

    async def audited(self, subject: str) -> list[str]:
        """Actions in the audit log about this subject, in order."""
        statement = sa.select(AuditEntry.action).where(AuditEntry.subject == subject)
        access = self.tenant.access
        async with self.database.transaction(access, read_only=True) as session:
            return list(await session.scalars(statement.order_by(AuditEntry.created_at, AuditEntry.id)))

    async def told(self, type: str) -> list[dict[str, Any]]:
        """Data of the workspace's domain events of this type."""
        statement = sa.select(DomainEvent.data).where(
            DomainEvent.workspace_id == self.tenant.workspace_id, DomainEvent.type == type
        )
        async with self.database.transaction(self.tenant.access, read_only=True) as session:
            return list(await session.scalars(statement.order_by(DomainEvent.created_at)))


def launcher_of(app: Any) -> Launcher:
    """The application's own."""
    found = app.state["launcher"]
    assert isinstance(found, Launcher)
    return found
