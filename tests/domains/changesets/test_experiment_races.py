"""Cancelling an experiment while it is measured, ends, or is cancelled: one outcome, noted once, and nobody stuck."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution
from spectral.domains.changesets.models import Experiment
from spectral.domains.workflows.models import WorkflowRun
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.events import DomainEvent
from tests.domains.changesets.experimenting_process import experimenting
from tests.domains.changesets.test_experiments import Laboratory
from tests.domains.changesets.workbench import DOOR, ScriptedRuntime, Workbench
from tests.fixtures.tenants import Tenant

pytestmark = pytest.mark.databases("postgresql")
LIMIT_S = 20.0


@dataclass
class GatedRuntime(ScriptedRuntime):
    """Begins, and answers once it is let go."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        self.begun.set()
        await self.go_on.wait()
        return await super().execute_many(config, inputs, seeds)


@dataclass
class Race:
    """An experiment that is being measured; whoever writes can be made to wait for its run, or for itself."""

    lab: Laboratory
    database: Database
    experiment: dict[str, Any]
    runtime: GatedRuntime

    async def cancel(self) -> tuple[int, str]:
        """The status of the answer, and the experiment's or the problem's."""
        answer = await self.lab.call("POST", f"/{self.experiment['id']}/cancel")
        found = answer.json()
        return answer.status_code, found["status"] if answer.is_success else found["type"].rsplit("/", 1)[-1]

    @asynccontextmanager
    async def holding(self, model: type[Any]) -> AsyncIterator[None]:
        """Until the end nobody else writes to the row of this model that is the experiment's."""
        access = self.lab.tenant.access
        async with self.database.transaction(access) as session:
            held = sa.select(model.id).where(
                model.workspace_id == access.workspace_id, model.id == UUID(self.experiment["id"])
            )
            assert (await session.execute(held.with_for_update())).one()
            yield

    async def waiting(self, count: int) -> None:
        """So many transactions wait for another one's row."""
        async with asyncio.timeout(LIMIT_S):
            while await self._waiting() != count:  # noqa: ASYNC110 - a lock tells nobody
                await asyncio.sleep(0.01)

    async def _waiting(self) -> int:
        async with self.database.transaction(read_only=True) as session:
            found = sa.text(
                "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND locktype IN ('transactionid', 'tuple')"
            )
            return int((await session.execute(found)).scalar_one())

    async def ended(self) -> tuple[str, str]:
        """The statuses of the experiment and of its run, once both have ended."""
        access, key = self.lab.tenant.access, UUID(self.experiment["id"])
        async with asyncio.timeout(LIMIT_S):
            while True:
                async with self.database.transaction(access, read_only=True) as session:
                    experiment = await session.get_one(Experiment, (access.workspace_id, key))
                    run = await session.get_one(WorkflowRun, (access.workspace_id, key))
                if run.finished_at is not None:
                    return experiment.status, run.status
                await asyncio.sleep(0.02)

    async def noted(self) -> tuple[list[str], int]:
        """What the audit log says was done to the experiment since it was created, and how often its end was told."""
        access, subject = self.lab.tenant.access, f"experiment:{self.experiment['id']}"
        async with self.database.transaction(access, read_only=True) as session:
            actions = await session.scalars(sa.select(AuditEntry.action).where(AuditEntry.subject == subject))
            told = await session.scalar(
                sa.select(sa.func.count())
                .select_from(DomainEvent)
                .where(DomainEvent.workspace_id == access.workspace_id, DomainEvent.subject == subject)
            )
            return [one for one in actions if one != "experiment.created"], int(told or 0)


@pytest.fixture
async def race(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> AsyncIterator[Race]:
    lab = Laboratory(client, tenant, await Workbench.make(database, tenant.access, items=330))
    runtime = GatedRuntime()
    engine = experimenting(database, DOOR, runtime)
    await engine.start()
    race = Race(lab, database, await lab.create(0.9), runtime)
    async with asyncio.timeout(LIMIT_S):
        await runtime.begun.wait()
    yield race
    runtime.go_on.set()
    await engine.stop()


async def test_two_cancels_at_once_are_one(race: Race) -> None:
    async with race.holding(WorkflowRun):
        cancels = [asyncio.create_task(race.cancel()) for _ in range(2)]
        await race.waiting(2)
    assert await asyncio.gather(*cancels) == [(200, "cancelled")] * 2
    race.runtime.go_on.set()
    assert await race.ended() == ("cancelled", "cancelled")
    assert await race.noted() == (["experiment.cancelled"], 1)


async def test_a_cancel_that_comes_before_what_was_measured_is_stored_ends_it(race: Race) -> None:
    async with race.holding(WorkflowRun):
        cancels = [asyncio.create_task(race.cancel())]
        await race.waiting(1)
        race.runtime.go_on.set()
        await race.waiting(2)  # what was measured comes after the cancel
        cancels.append(asyncio.create_task(race.cancel()))
        await race.waiting(3)
    assert await asyncio.gather(*cancels) == [(200, "cancelled")] * 2
    assert await race.ended() == ("cancelled", "cancelled")
    assert await race.noted() == (["experiment.cancelled"], 1)
    assert {arm["objective"] for arm in (await race.lab.read(race.experiment))["arms"]} == {None}


async def test_a_cancel_that_comes_after_the_end_is_refused(race: Race) -> None:
    async with race.holding(Experiment):
        race.runtime.go_on.set()
        await race.waiting(1)  # it is about to be completed
        cancels = [asyncio.create_task(race.cancel()) for _ in range(2)]
        await race.waiting(3)
    assert await asyncio.gather(*cancels) == [(400, "invalid-transition")] * 2
    assert await race.ended() == ("completed", "succeeded")
    assert await race.noted() == ([], 1)
