"""What has come for a run from outside: signals, answers, ends of child runs, results of runners."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.execution.state import NodeStatus, State
from spectral.domains.workflows.models import RemoteTask, WorkflowInterrupt, WorkflowRun, WorkflowSignal

SIGNALS_AT_ONCE = 1_000


@dataclass(slots=True)
class Mail:
    """As read in the transaction in which it is acted upon.

    signals: not consumed, oldest first.  interrupts: by (key, iteration, position).  children: ended runs by id.
    remote: finished tasks by (key, iteration).
    """

    signals: list[WorkflowSignal] = field(default_factory=list)
    interrupts: dict[tuple[str, int, str], WorkflowInterrupt] = field(default_factory=dict)
    children: dict[UUID, Any] = field(default_factory=dict)
    remote: dict[tuple[str, int], RemoteTask] = field(default_factory=dict)

    @classmethod
    async def read(cls, session: AsyncSession, run: WorkflowRun, state: State) -> "Mail":
        """What there is for the run's waiting nodes; nothing is asked for kinds that nobody waits for."""
        waits = [state.entry(key)["wait"] for key in state.with_status(NodeStatus.WAITING)]
        kinds = {wait["type"] for wait in waits}
        mail = cls()
        if "event" in kinds:
            mail.signals = await _signals(session, run)
        if kinds & {"interrupt", "suspend"}:
            mail.interrupts = {(one.key, one.iteration, one.position): one for one in await _interrupts(session, run)}
        if "subflow" in kinds:
            ids = [UUID(wait["run_id"]) for wait in waits if wait["type"] == "subflow"]
            mail.children = {one.id: one for one in await _ended_children(session, run, ids)}
        if "remote" in kinds:
            mail.remote = {(str(one.step_key), one.iteration or 0): one for one in await _finished_tasks(session, run)}
        return mail


async def _signals(session: AsyncSession, run: WorkflowRun) -> list[WorkflowSignal]:
    unread = (
        sa.select(WorkflowSignal)
        .where(
            WorkflowSignal.workspace_id == run.workspace_id,
            WorkflowSignal.run_id == run.id,
            WorkflowSignal.generation == run.generation,
            WorkflowSignal.consumed_at.is_(None),
        )
        .order_by(WorkflowSignal.received_at, WorkflowSignal.id)
        .limit(SIGNALS_AT_ONCE)
        .execution_options(populate_existing=True)
    )
    return list(await session.scalars(unread))


async def _interrupts(session: AsyncSession, run: WorkflowRun) -> Sequence[WorkflowInterrupt]:
    asked = sa.select(WorkflowInterrupt).where(
        WorkflowInterrupt.workspace_id == run.workspace_id,
        WorkflowInterrupt.run_id == run.id,
        WorkflowInterrupt.generation == run.generation,
    )
    return (await session.scalars(asked.execution_options(populate_existing=True))).all()


async def _ended_children(session: AsyncSession, run: WorkflowRun, ids: Sequence[UUID]) -> Sequence[Any]:
    ended = sa.select(WorkflowRun.id, WorkflowRun.status, WorkflowRun.outputs, WorkflowRun.error).where(
        WorkflowRun.workspace_id == run.workspace_id, WorkflowRun.id.in_(ids), WorkflowRun.finished_at.is_not(None)
    )
    return (await session.execute(ended)).all()


async def _finished_tasks(session: AsyncSession, run: WorkflowRun) -> Sequence[RemoteTask]:
    finished = sa.select(RemoteTask).where(
        RemoteTask.workspace_id == run.workspace_id,
        RemoteTask.run_id == run.id,
        RemoteTask.generation == run.generation,
        RemoteTask.status.in_(("done", "failed")),
    )
    return (await session.scalars(finished.execution_options(populate_existing=True))).all()
