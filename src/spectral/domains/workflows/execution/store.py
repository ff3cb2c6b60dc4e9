"""Rows of runs: the run itself under its lock, its numbered events, its checkpoints."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.states import EXECUTING
from spectral.domains.workflows.models import WorkflowCheckpoint, WorkflowRun, WorkflowRunEvent
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.live import LiveChannel
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id


def topic_of(run_id: UUID) -> str:
    """Where watchers of a run listen; the value is the number of its last event."""
    return f"run:{run_id}"


def rest_topic_of(run_id: UUID) -> str:
    """As `topic_of`, for those who only want to know when nothing executes any more."""
    return f"rest:{run_id}"


Statements = list[tuple[sa.Executable, Any]]


async def execute_together(session: AsyncSession, statements: Statements) -> None:
    """All of them in one go, on the session's connection: what they say of the session's objects is the caller's."""

    def execute(connection: sa.Connection) -> None:
        for statement, values in statements:
            connection.execute(statement, values)

    await (await session.connection()).run_sync(execute)


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that has no number yet. What is None is left out of its data; level and category: of logs only."""

    type: str
    node: str | None = None
    status: str | None = None
    input: Any = None
    output: Any = None
    error: dict[str, Any] | None = None
    data: dict[str, Any] = field(default_factory=dict)
    level: str | None = None
    category: str | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def row(self, run: WorkflowRun, seq: int, now: datetime) -> dict[str, Any]:
        """The values of its row."""
        told = {"status": self.status, "input": self.input, "output": self.output, "error": self.error}
        return {
            "workspace_id": run.workspace_id,
            "id": new_id(),
            "created_at": now,
            "run_id": run.id,
            "seq": seq,
            "generation": run.generation,
            "type": self.type,
            "node": self.node,
            "level": self.level,
            "category": self.category,
            "started_at": self.started_at or now,
            "ended_at": self.ended_at,
            "data": {key: value for key, value in told.items() if value is not None} | self.data,
        }


class RunRepository(WorkspaceRepository[WorkflowRun]):
    """The runs of one workspace."""

    model: ClassVar[type[WorkflowRun]] = WorkflowRun
    kind = "Run"

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, live: LiveChannel | None = None) -> None:
        """live: where watchers are told of new events; without it they find them a little later."""
        super().__init__(session, access)
        self._live = live

    async def find_by_name(self, name: str) -> WorkflowRun:
        """The run that people know by this name. Raises NotFoundError."""
        return await self._read(name, self.select(_is(name)))

    async def lock(self, name: str | UUID) -> WorkflowRun:
        """As it is now, held against other writers until the transaction ends. Raises NotFoundError."""
        held = self.select(_is(name)).with_for_update().execution_options(populate_existing=True)
        return await self._read(name, held)

    async def append(self, run: WorkflowRun, events: Sequence[NewEvent]) -> None:
        """Add events with the next numbers and write what was changed in the run. The run must be locked."""
        run.updated_at = now = utc_now()
        first = run.last_seq + 1
        run.last_seq += len(events)
        await self.session.flush()
        if events:
            rows = [event.row(run, seq, now) for seq, event in enumerate(events, start=first)]
            # tenancy: every row says its workspace.
            await self.session.execute(sa.insert(WorkflowRunEvent), rows)
            if self._live is not None:
                await self._live.publish(self.session, topic_of(run.id), run.last_seq)
                if run.status not in EXECUTING:
                    await self._live.publish(self.session, rest_topic_of(run.id), run.last_seq)

    async def checkpoints(self, run: WorkflowRun, up_to: int | None = None) -> list[WorkflowCheckpoint]:
        """What one state is made of: the last full checkpoint at or before `up_to` and the changes since.

        up_to: an index; None for the present state. Raises NotFoundError when there is no such checkpoint.
        """
        mine = (
            WorkflowCheckpoint.workspace_id == self.access.workspace_id,
            WorkflowCheckpoint.run_id == run.id,
        )
        wanted = run.next_index - 1 if up_to is None else up_to
        # tenancy: by `mine`.
        full = (
            sa.select(sa.func.max(WorkflowCheckpoint.index))
            .where(*mine, WorkflowCheckpoint.full.is_(True), WorkflowCheckpoint.index <= wanted)
            .scalar_subquery()
        )
        # tenancy: by `mine`.
        found = await self.session.scalars(
            sa.select(WorkflowCheckpoint)
            .where(*mine, WorkflowCheckpoint.index >= full, WorkflowCheckpoint.index <= wanted)
            .order_by(WorkflowCheckpoint.index)
        )
        rows = list(found)
        if not rows or rows[-1].index != wanted:
            raise NotFoundError("Checkpoint", wanted)
        return rows

    async def _read(self, name: str | UUID, statement: sa.Select[tuple[WorkflowRun]]) -> WorkflowRun:
        run = (await self.session.scalars(statement)).one_or_none()
        if run is None:
            raise NotFoundError(self.kind, name)
        return run


def _is(name: str | UUID) -> sa.ColumnElement[bool]:
    return WorkflowRun.id == name if isinstance(name, UUID) else WorkflowRun.name == name
