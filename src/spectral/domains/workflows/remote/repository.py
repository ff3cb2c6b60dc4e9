"""Queries over remote tasks, each bound to one workspace."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa

from spectral.domains.workflows.models import RemoteTask
from spectral.platform.db.repository import Condition, WorkspaceRepository
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError

QUEUED = "queued"
LEASED = "leased"
DONE = "done"
FAILED = "failed"
CANCELLED = "cancelled"


def _status_is(*statuses: str) -> Condition:
    # Spelled out in the statement: a parameter does not tell the planner that a partial index covers it.
    spelled: list[sa.ColumnElement[str]] = [sa.literal_column(f"'{status}'") for status in statuses]
    return RemoteTask.status == spelled[0] if len(spelled) == 1 else RemoteTask.status.in_(spelled)


OPEN = _status_is(QUEUED, LEASED)


class RemoteTaskRepository(WorkspaceRepository[RemoteTask]):
    """The remote tasks of one workspace."""

    model: ClassVar[type[RemoteTask]] = RemoteTask
    kind = "Task"

    async def count_open(self, up_to: int) -> int:
        """How many tasks of all queues have not ended; counts no further than `up_to`."""
        some = sa.select(sa.literal(1)).where(self._mine, OPEN).limit(up_to).subquery()
        return int((await self.session.execute(sa.select(sa.func.count()).select_from(some))).scalar_one())

    async def has_any(self, queue: str, now: datetime) -> bool:
        """Whether a runner would get something of this queue."""
        for status in (LEASED, QUEUED):
            # tenancy: by `_available`.
            available = sa.select(RemoteTask.id).where(*self._available(queue, status, now)).limit(1)
            if (await self.session.execute(available)).first() is not None:
                return True
        return False

    async def hold_available(self, queue: str, limit: int, now: datetime) -> list[RemoteTask]:
        """Up to so many tasks that may be leased, held until the transaction ends: lost leases first, then by age.

        What another transaction holds is left out (on SQLite there is only one that writes).
        """
        found: list[RemoteTask] = []
        for status in (LEASED, QUEUED):
            if len(found) < limit:
                # tenancy: by `_available`.
                statement = (
                    sa.select(RemoteTask)
                    .where(*self._available(queue, status, now))
                    .order_by(RemoteTask.available_at, RemoteTask.id)
                    .limit(limit - len(found))
                    .with_for_update(skip_locked=True)
                )
                found += (await self.session.scalars(statement)).all()
        return found

    async def run_of(self, task_id: UUID, queue: str) -> UUID | None:
        """The run that waits for the task, read without holding anything. Raises NotFoundError."""
        row = (
            await self.session.execute(
                sa.select(RemoteTask.run_id).where(self._mine, RemoteTask.id == task_id, RemoteTask.queue == queue)
            )
        ).one_or_none()
        if row is None:
            raise NotFoundError(self.kind, task_id)
        run_id: UUID | None = row[0]
        return run_id

    async def runs_of(self, task_ids: Collection[UUID], queue: str) -> dict[UUID, UUID | None]:
        """As `run_of` for many; what is not there has no entry."""
        wanted = sa.select(RemoteTask.id, RemoteTask.run_id).where(self._mine, RemoteTask.id.in_(task_ids))
        rows = await self.session.execute(wanted.where(RemoteTask.queue == queue))
        return dict(rows.tuples().all())

    async def hold_all(self, task_ids: Collection[UUID]) -> dict[UUID, RemoteTask]:
        """The tasks as they are now, held until the transaction ends."""
        # In one order, so that two transactions never wait for each other.
        statement = self.select(RemoteTask.id.in_(task_ids)).order_by(RemoteTask.id).with_for_update()
        rows = await self.session.scalars(statement.execution_options(populate_existing=True))
        return {task.id: task for task in rows}

    async def hold(self, task_id: UUID, queue: str | None = None) -> RemoteTask:
        """The task as it is now, held until the transaction ends. Raises NotFoundError, also for another queue's."""
        where = [RemoteTask.id == task_id] if queue is None else [RemoteTask.id == task_id, RemoteTask.queue == queue]
        statement = self.select(*where).with_for_update().execution_options(populate_existing=True)
        task = (await self.session.scalars(statement)).one_or_none()
        if task is None:
            raise NotFoundError(self.kind, task_id)
        return task

    async def end_leased(self, task_id: UUID, token_digest: str, values: dict[str, Any]) -> bool:
        """Whether the task was leased under this token, and now is as `values` say; for one that no run waits for."""
        mine = (
            RemoteTask.id == task_id,
            RemoteTask.token_digest == token_digest,
            RemoteTask.run_id.is_(None),
            _status_is(LEASED),
        )
        ended = self.update(*mine).values(values).execution_options(synchronize_session=False)
        return await self.execute(ended) == 1

    async def of_step(self, run_id: UUID, generation: int, step_key: str, iteration: int) -> RemoteTask | None:
        """The last task that this step put."""
        statement = (
            self.select(
                RemoteTask.run_id == run_id,
                RemoteTask.generation == generation,
                RemoteTask.step_key == step_key,
                RemoteTask.iteration == iteration,
            )
            .order_by(RemoteTask.created_at.desc(), RemoteTask.id.desc())
            .limit(1)
        )
        return (await self.session.scalars(statement)).one_or_none()

    async def supersede(self, run_id: UUID, generation: int, step_key: str, iteration: int | None) -> None:
        """What the step put before is no outcome of it any more; who holds one of them is told that it is cancelled."""
        mine = (
            RemoteTask.run_id == run_id,
            RemoteTask.generation == generation,
            RemoteTask.step_key == step_key,
            RemoteTask.iteration == iteration,
        )
        opened = self.update(*mine, OPEN).values(status=CANCELLED, finished_at=utc_now())
        await self.execute(opened.execution_options(synchronize_session=False))
        ended = self.update(*mine).values(iteration=None)
        await self.execute(ended.execution_options(synchronize_session=False))

    async def cancel(self, run_id: UUID, generation: int, step_key: str | None, now: datetime) -> int:
        """The open tasks of a run's generation, or of one of its steps, are cancelled; answers how many."""
        where = [RemoteTask.run_id == run_id, RemoteTask.generation == generation, OPEN]
        if step_key is not None:
            where.append(RemoteTask.step_key == step_key)
        cancelled = self.update(*where).values(status=CANCELLED, finished_at=now)
        return await self.execute(cancelled.execution_options(synchronize_session=False))

    async def cancel_subject(self, subject: str, now: datetime) -> int:
        """The open tasks that this subject waits for are cancelled; answers how many."""
        mine = (RemoteTask.subject == subject, RemoteTask.run_id.is_(None), OPEN)
        cancelled = self.update(*mine).values(status=CANCELLED, finished_at=now)
        return await self.execute(cancelled.execution_options(synchronize_session=False))

    async def cancel_tasks(self, task_ids: Collection[UUID], now: datetime) -> int:
        """Those of the tasks that are open are cancelled; answers how many."""
        cancelled = self.update(RemoteTask.id.in_(task_ids), OPEN).values(status=CANCELLED, finished_at=now)
        return await self.execute(cancelled.execution_options(synchronize_session=False))

    async def of_evaluations(self, keys: Collection[str]) -> list[RemoteTask]:
        """The tasks that were put under these keys before."""
        return await self.find_all(RemoteTask.evaluation_key.in_(keys))

    async def ended(self, task_ids: Collection[UUID]) -> list[RemoteTask]:
        """Those of the tasks that are not open any more."""
        return await self.find_all(RemoteTask.id.in_(task_ids), sa.not_(OPEN))

    async def free_keys(self, task_ids: Collection[UUID]) -> None:
        """Other tasks may take the evaluation keys of these."""
        freed = self.update(RemoteTask.id.in_(task_ids)).values(evaluation_key=None)
        await self.execute(freed.execution_options(synchronize_session=False))

    async def forget_ended(self, before: datetime, limit: int) -> int:
        """Delete up to so many tasks that are no run's and ended before that moment; answers how many."""
        # tenancy: by `_mine`.
        old = (
            sa.select(RemoteTask.id)
            .where(self._mine, RemoteTask.run_id.is_(None), sa.not_(OPEN), RemoteTask.finished_at < before)
            .limit(limit)
        )
        found = (await self.session.scalars(old)).all()
        deleted = self.delete(RemoteTask.id.in_(found))
        return await self.execute(deleted.execution_options(synchronize_session=False)) if found else 0

    async def exhausted(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Tasks whose last lease has ended without a result."""
        statement = sa.select(RemoteTask.id).where(self._mine, *EXHAUSTED, RemoteTask.available_at <= now)
        return (await self.session.scalars(statement.order_by(RemoteTask.available_at).limit(limit))).all()

    async def forget(self, run_ids: Sequence[UUID]) -> int:
        """Delete what these runs put; answers how many."""
        deleted = self.delete(RemoteTask.run_id.in_(run_ids))
        return await self.execute(deleted.execution_options(synchronize_session=False))

    def _available(self, queue: str, status: str, now: datetime) -> tuple[Any, ...]:
        return (
            self._mine,
            RemoteTask.queue == queue,
            _status_is(status),
            RemoteTask.available_at <= now,
            RemoteTask.attempts < RemoteTask.max_attempts,
        )


EXHAUSTED: tuple[Condition, ...] = (_status_is(LEASED), RemoteTask.attempts >= RemoteTask.max_attempts)
"""Leased for the last time; once that lease has ended, the task has failed."""
