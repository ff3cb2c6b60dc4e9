"""Runs that no engine has executed: rows as an execution leaves them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.accounts.models import Account
from spectral.domains.workflows.execution.state import State, changes_between
from spectral.domains.workflows.execution.states import FINAL
from spectral.domains.workflows.execution.store import NewEvent, RunRepository
from spectral.domains.workflows.models import (
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowStep,
    WorkflowVersion,
)
from spectral.domains.workspaces.models import Workspace
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id


async def new_place(database: Database) -> WorkspaceAccess:
    """A new account and its workspace, of which there is nothing but the rows."""
    account, workspace = new_id(), new_id()
    async with database.transaction(account_id=account) as session:
        session.add(Account(id=account, name="account"))
        await session.flush()
        session.add(Workspace(id=workspace, account_id=account, name="workspace"))
    return WorkspaceAccess.for_system(workspace, account, "tests")


class Recorder:
    """Writes runs of one workspace in transactions of its own. live: where watchers in other places are told."""

    def __init__(self, database: Database, access: WorkspaceAccess, live: LiveChannel | None = None) -> None:
        self.database = database
        self.access = access
        self.live = live

    async def run(self, **columns: Any) -> WorkflowRun:
        """A queued run with its first event and checkpoint, but for these columns."""
        async with self.database.transaction(self.access) as session:
            version = await self._version(session)
            identifier = columns.pop("id", None) or new_id()
            now = columns.get("created_at") or utc_now()
            given: dict[str, Any] = {
                "account_id": self.access.account_id,
                "name": str(identifier),
                "version_id": version,
                "workflow_name": "orders",
                "workflow_version": 1,
                "adapter": "spectral",
                "status": "queued",
                "generation": 1,
                "lease": 0,
                "inbox": 0,
                "last_seq": 0,
                "next_index": 1,
                "segment_no": 0,
                "inputs": {"order": 7},
                "current_nodes": [],
                "spent": {},
                "context": {},
                "labels": {},
                "tags": [],
                "options": {},
                "created_by": self.access.actor,
                "created_at": now,
                "updated_at": now,
                **columns,
            }
            run = WorkflowRun(workspace_id=self.access.workspace_id, id=identifier, **given)
            session.add(run)
            await session.flush()
            session.add(self._checkpoint(run, 0, State.new(run.inputs).to_document(), full=True))
            await RunRepository(session, self.access, self.live).append(run, [NewEvent("run.queued", status="queued")])
        return run

    async def tell(self, run: WorkflowRun | UUID, *events: NewEvent, **changes: Any) -> WorkflowRun:
        """These events, and these changes of the run, in one transaction."""
        identifier = run if isinstance(run, UUID) else run.id
        async with self.database.transaction(self.access) as session:
            runs = RunRepository(session, self.access, self.live)
            held = await runs.lock(identifier)
            for name, value in changes.items():
                setattr(held, name, value)
            if held.status in FINAL:
                held.finished_at = held.finished_at or utc_now()
            await runs.append(held, events)
        return held

    async def end(self, run: WorkflowRun | UUID, status: str = "succeeded", *events: NewEvent) -> WorkflowRun:
        """The run's last events."""
        return await self.tell(run, *events, NewEvent(f"run.{status}", status=status), status=status)

    async def steps(self, run: WorkflowRun, *keys: str, generation: int = 1, **columns: Any) -> None:
        """Steps with these keys, in this order."""
        async with self.database.transaction(self.access) as session:
            for ordinal, key in enumerate(keys):
                given: dict[str, Any] = {
                    "iteration": 1,
                    "kind": "task",
                    "status": "succeeded",
                    "attempts": 1,
                    "max_attempts": 1,
                    "outputs": {"of": key},
                    "started_at": utc_now(),
                    **columns,
                }
                step = WorkflowStep(
                    workspace_id=self.access.workspace_id,
                    run_id=run.id,
                    generation=generation,
                    key=key,
                    node=key.rpartition("/")[2],
                    ordinal=ordinal,
                    **given,
                )
                session.add(step)

    async def checkpoints(self, run: WorkflowRun, states: Sequence[dict[str, Any]], *, full_every: int = 4) -> None:
        """States after the first one, of which each so many is kept as a whole and the others as what changed."""
        async with self.database.transaction(self.access) as session:
            held = await RunRepository(session, self.access).lock(run.id)
            before = State.new(run.inputs).to_document()
            for state in states:
                index = held.next_index
                full = index % full_every == 0
                kept = state if full else changes_between(before, state)
                session.add(self._checkpoint(held, index, kept, full=full))
                held.next_index, before = index + 1, state

    async def question(self, run: WorkflowRun, key: str, *, status: str = "pending", generation: int = 1) -> None:
        """A question that the run asks."""
        async with self.database.transaction(self.access) as session:
            session.add(
                WorkflowInterrupt(
                    workspace_id=self.access.workspace_id,
                    run_id=run.id,
                    generation=generation,
                    key=key,
                    iteration=1,
                    position="node",
                    kind="decision",
                    title="May it?",
                    status=status,
                    on_timeout="fail",
                )
            )

    def _checkpoint(self, run: WorkflowRun, index: int, state: dict[str, Any], *, full: bool) -> WorkflowCheckpoint:
        return WorkflowCheckpoint(
            workspace_id=self.access.workspace_id,
            run_id=run.id,
            index=index,
            generation=run.generation,
            full=full,
            state=state,
            last_node=f"n{index}" if index else None,
            next_nodes=[f"n{index + 1}"],
            steps_completed=index,
        )

    async def _version(self, session: Any) -> UUID:
        mine = WorkflowVersion.workspace_id == self.access.workspace_id
        found: UUID | None = (await session.scalars(sa.select(WorkflowVersion.id).where(mine).limit(1))).first()
        if found is not None:
            return found
        version = WorkflowVersion(
            workspace_id=self.access.workspace_id,
            id=new_id(),
            digest="0" * 64,
            source="name: orders",
            source_format="yaml",
            document={},
            created_by=self.access.actor,
        )
        session.add(version)
        await session.flush()
        return version.id


def log_line(message: str, level: str = "info", category: str | None = None, at: datetime | None = None) -> NewEvent:
    """A line of a run's log as an event."""
    return NewEvent("log", level=level, category=category, data={"message": message}, started_at=at)
