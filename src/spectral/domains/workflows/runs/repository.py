"""Queries over what stands around runs: signals, questions, steps, remote tasks, families."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar, cast
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from spectral.domains.workflows.execution.states import FINAL, OPEN
from spectral.domains.workflows.models import (
    Workflow,
    WorkflowCheckpoint,
    WorkflowInterrupt,
    WorkflowRun,
    WorkflowSignal,
    WorkflowStep,
    WorkflowVersion,
)
from spectral.domains.workflows.remote.repository import RemoteTaskRepository
from spectral.platform.db.keyset import Listing, list_newest_first
from spectral.platform.db.repository import WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

PENDING = "pending"
CANCELLED = "cancelled"
SUBFLOW = "subflow"
FAMILY_DEPTH = 64


class SignalRepository(WorkspaceRepository[WorkflowSignal]):
    """The signals of one workspace's runs."""

    model: ClassVar[type[WorkflowSignal]] = WorkflowSignal
    kind = "Signal"

    async def of_key(self, run: WorkflowRun, key: str) -> WorkflowSignal | None:
        """What was sent to the run's present generation under this id."""
        return await self.find(
            WorkflowSignal.run_id == run.id,
            WorkflowSignal.generation == run.generation,
            WorkflowSignal.signal_key == key,
        )

    async def kept(self, run: WorkflowRun) -> int:
        """How many signals of the present generation nothing has taken."""
        return await self.count(
            WorkflowSignal.run_id == run.id,
            WorkflowSignal.generation == run.generation,
            WorkflowSignal.consumed_at.is_(None),
        )

    async def of_run(self, run: WorkflowRun, page: Page, cursor: str | None) -> Listing:
        """What was sent to the run in all its generations, newest first."""
        return await list_newest_first(
            self.session, self.select(WorkflowSignal.run_id == run.id), WorkflowSignal, page, cursor
        )


class InterruptRepository(WorkspaceRepository[WorkflowInterrupt]):
    """The questions of one workspace's runs."""

    model: ClassVar[type[WorkflowInterrupt]] = WorkflowInterrupt
    kind = "Interrupt"

    async def lock(self, identifier: UUID) -> WorkflowInterrupt:
        """As it is now, held until the transaction ends; its run must be locked before. Raises NotFoundError."""
        statement = self.select(WorkflowInterrupt.id == identifier)
        held = statement.with_for_update().execution_options(populate_existing=True)
        found = (await self.session.scalars(held)).one_or_none()
        if found is None:
            raise NotFoundError(self.kind, identifier)
        return found

    async def pending(self, run: WorkflowRun) -> list[WorkflowInterrupt]:
        """What the run's present generation asks now, oldest first."""
        return await self.find_all(
            WorkflowInterrupt.run_id == run.id,
            WorkflowInterrupt.generation == run.generation,
            WorkflowInterrupt.status == PENDING,
        )

    async def read(self, identifier: UUID) -> tuple[WorkflowInterrupt, WorkflowRun]:
        """A question and its run. Raises NotFoundError."""
        row = (await self.session.execute(self._with_runs(WorkflowInterrupt.id == identifier))).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, identifier)
        return row[0], row[1]

    async def listed(
        self, page: Page, cursor: str | None, *, run: WorkflowRun | None = None, status: str | None = None
    ) -> Listing:
        """Questions with their runs, newest first."""
        statement = self._with_runs()
        if run is not None:
            statement = statement.where(WorkflowInterrupt.run_id == run.id)
        if status is not None:
            statement = statement.where(WorkflowInterrupt.status == status)
        return await list_newest_first(self.session, statement, WorkflowInterrupt, page, cursor)

    async def cancel_pending(self, run: WorkflowRun) -> list[WorkflowInterrupt]:
        """Nobody is asked any more; answers what was."""
        asked = await self.pending(run)
        for interrupt in asked:
            interrupt.status = CANCELLED
        return asked

    async def withdraw(self, identifier: UUID) -> None:
        """Nobody is asked this any more, unless it is answered already."""
        pending = (WorkflowInterrupt.id == identifier, WorkflowInterrupt.status == PENDING)
        await self.execute(self.update(*pending).values(status=CANCELLED).execution_options(synchronize_session=False))

    def _with_runs(self, *where: sa.ColumnElement[bool]) -> sa.Select[Any]:
        same = sa.and_(
            WorkflowRun.workspace_id == WorkflowInterrupt.workspace_id, WorkflowRun.id == WorkflowInterrupt.run_id
        )
        return (
            sa.select(WorkflowInterrupt, WorkflowRun)
            .join(WorkflowRun, same)
            .where(WorkflowInterrupt.workspace_id == self.access.workspace_id, *where)
        )


class StepRepository(WorkspaceRepository[WorkflowStep]):
    """The steps of one workspace's runs."""

    model: ClassVar[type[WorkflowStep]] = WorkflowStep
    kind = "Step"

    async def cancel_open(self, run: WorkflowRun) -> Sequence[sa.Row[Any]]:
        """What was in flight or waited is cancelled; answers key, iteration and start of each."""
        statement = (
            self.update(
                WorkflowStep.run_id == run.id,
                WorkflowStep.generation == run.generation,
                WorkflowStep.status.in_(("pending", "running", "waiting")),
            )
            .values(status=CANCELLED, finished_at=utc_now(), wait_type=None, wake_at=None, next_retry_at=None)
            .returning(WorkflowStep.key, WorkflowStep.iteration, WorkflowStep.started_at, WorkflowStep.ordinal)
            .execution_options(synchronize_session=False)
        )
        return sorted((await self.session.execute(statement)).all(), key=lambda row: row.ordinal)

    async def keys(self, run: WorkflowRun) -> list[str]:
        """Keys of the present generation's steps, in the order of their first start."""
        statement = (
            sa.select(WorkflowStep.key)
            .where(self._mine, WorkflowStep.run_id == run.id, WorkflowStep.generation == run.generation)
            .group_by(WorkflowStep.key)
            .order_by(sa.func.min(WorkflowStep.ordinal))
        )
        return list(await self.session.scalars(statement))

    async def kind_of(self, interrupt: WorkflowInterrupt) -> str | None:
        """The kind of the step that asks."""
        statement = sa.select(WorkflowStep.kind).where(
            self._mine,
            WorkflowStep.run_id == interrupt.run_id,
            WorkflowStep.generation == interrupt.generation,
            WorkflowStep.key == interrupt.key,
            WorkflowStep.iteration == interrupt.iteration,
        )
        return (await self.session.scalars(statement)).one_or_none()


class RunActRepository(WorkspaceRepository[WorkflowRun]):
    """The runs of one workspace, as what is done to them needs them."""

    model: ClassVar[type[WorkflowRun]] = WorkflowRun
    kind = "Run"

    async def status_of(self, run_id: UUID) -> str:
        """Raises NotFoundError."""
        statement = sa.select(WorkflowRun.status).where(self._mine, WorkflowRun.id == run_id)
        found = (await self.session.scalars(statement)).one_or_none()
        if found is None:
            raise NotFoundError(self.kind, run_id)
        return found

    async def taken(self, names: Collection[str]) -> set[str]:
        """Those of the names that runs have."""
        statement = sa.select(WorkflowRun.name).where(self._mine, WorkflowRun.name.in_(names))
        return set(await self.session.scalars(statement))

    async def lock_named(self, name: str) -> WorkflowRun | None:
        """The run that has this name, held until the transaction ends; not one that has it for its id only."""
        held = self.select(WorkflowRun.name == name).with_for_update().execution_options(populate_existing=True)
        return (await self.session.scalars(held)).one_or_none()

    async def lock_open_descendants(self, run_id: UUID, *, apart_from: Collection[UUID] = ()) -> list[WorkflowRun]:
        """The subflows under a run that have not ended, the deepest first, each held until the transaction ends."""
        found: list[UUID] = []
        parents = [run_id]
        for _ in range(FAMILY_DEPTH):
            children = await self._open_children(parents)
            if not children:
                break
            found += children
            parents = children
        held = []
        for identifier in reversed(found):
            if identifier in apart_from:
                continue
            statement = self.select(WorkflowRun.id == identifier, WorkflowRun.status.in_(OPEN)).with_for_update()
            row = (await self.session.scalars(statement.execution_options(populate_existing=True))).one_or_none()
            if row is not None:
                held.append(row)
        return held

    async def finished_before(self, moment: datetime, limit: int) -> list[UUID]:
        """Runs that ended before that moment, the oldest first; not those that somebody holds just now.

        A subflow stays while the run that started it has not ended: that one may have to read how it ended.
        """
        parent = aliased(WorkflowRun)
        awaited = sa.exists().where(
            parent.workspace_id == WorkflowRun.workspace_id,
            parent.id == WorkflowRun.parent_run_id,
            parent.status.in_(OPEN),
        )
        statement = (
            sa.select(WorkflowRun.id)
            .where(self._mine, WorkflowRun.status.in_(FINAL), WorkflowRun.finished_at < moment, ~awaited)
            .order_by(WorkflowRun.finished_at)
            .limit(limit)
            .with_for_update(of=WorkflowRun, skip_locked=True)
        )
        return list(await self.session.scalars(statement))

    async def forget(self, run_ids: Sequence[UUID]) -> int:
        """Delete these runs and everything that they left behind; answers how many there were."""
        await RemoteTaskRepository(self.session, self.access).forget(run_ids)
        statement = self.delete(WorkflowRun.id.in_(run_ids)).execution_options(synchronize_session=False)
        return await self.execute(statement)

    async def _open_children(self, parents: Sequence[UUID]) -> list[UUID]:
        statement = (
            sa.select(WorkflowRun.id)
            .where(
                self._mine,
                WorkflowRun.parent_run_id.in_(parents),
                WorkflowRun.parent["kind"].as_string() == SUBFLOW,
                WorkflowRun.status.in_(OPEN),
            )
            .order_by(WorkflowRun.id)
        )
        return list(await self.session.scalars(statement))


class CheckpointRepository(WorkspaceRepository[WorkflowCheckpoint]):
    """The checkpoints of one workspace's runs."""

    model: ClassVar[type[WorkflowCheckpoint]] = WorkflowCheckpoint
    kind = "Checkpoint"

    async def changes_of(self, run: WorkflowRun, key: str, gone: str) -> Sequence[sa.Row[Any]]:
        """index, full, and what each of the present generation's checkpoints says of one node, in order.

        gone: the mark of a change that replaces all nodes.
        """
        nodes = cast("Any", WorkflowCheckpoint.state)["nodes"]
        statement = (
            sa.select(WorkflowCheckpoint.index, WorkflowCheckpoint.full, nodes[key], nodes[gone])
            .where(self._mine, WorkflowCheckpoint.run_id == run.id, WorkflowCheckpoint.generation == run.generation)
            .order_by(WorkflowCheckpoint.index)
        )
        return (await self.session.execute(statement)).all()

    async def add_whole(self, run: WorkflowRun, state: dict[str, Any], next_nodes: Sequence[str]) -> None:
        """The run's next checkpoint, with the whole state. The run must be locked."""
        self.add(
            WorkflowCheckpoint(
                run_id=run.id,
                index=run.next_index,
                generation=run.generation,
                full=True,
                state=state,
                last_node=None,
                next_nodes=list(next_nodes),
                steps_completed=0,
            )
        )
        run.next_index += 1
        await self.flush()


class VersionRepository(WorkspaceRepository[WorkflowVersion]):
    """The versions that one workspace's runs are of."""

    model: ClassVar[type[WorkflowVersion]] = WorkflowVersion
    kind = "Workflow version"

    async def of_workflow(self, name: str, version: int | None) -> WorkflowVersion:
        """The version of a workflow, None for its latest. Raises NotFoundError, which says what is missing."""
        same = sa.and_(
            Workflow.workspace_id == WorkflowVersion.workspace_id, Workflow.id == WorkflowVersion.workflow_id
        )
        wanted = Workflow.version if version is None else sa.literal(version)
        statement = self.select(
            Workflow.name == name, Workflow.deleted_at.is_(None), WorkflowVersion.version == wanted
        ).join(Workflow, same)
        found = (await self.session.scalars(statement)).one_or_none()
        if found is None:
            raise NotFoundError("Workflow", name if version is None else f"{name} in version {version}")
        return found

    async def hold(self, identifier: UUID) -> None:
        """The version is not forgotten before the transaction ends. Raises NotFoundError where it was just now."""
        held = self.select(WorkflowVersion.id == identifier).with_only_columns(WorkflowVersion.id)
        held = held.with_for_update(read=True, key_share=True)
        if (await self.session.execute(held)).first() is None:
            raise NotFoundError(self.kind, identifier)

    async def forget_unused_inline(self, before: datetime, limit: int) -> int:
        """Delete inline documents from before that moment that no run is of; answers how many.

        One that a run is being started with just now is held by its foreign key, and left.
        """
        used = sa.exists().where(
            WorkflowRun.workspace_id == WorkflowVersion.workspace_id, WorkflowRun.version_id == WorkflowVersion.id
        )
        unused = (
            sa.select(WorkflowVersion.id)
            .where(self._mine, WorkflowVersion.workflow_id.is_(None), WorkflowVersion.created_at < before, ~used)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
        found = list(await self.session.scalars(unused))
        if not found:
            return 0
        # Once more under the lock: a run that was started in between shows now.
        statement = self.delete(WorkflowVersion.id.in_(found), ~used).execution_options(synchronize_session=False)
        return await self.execute(statement)
