"""A replica is compared with what its agent was seen to say; until then nothing can be proven about the agent."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.models import Agent
from spectral.domains.agents.service import AgentService
from spectral.domains.changesets.errors import TooFewRecordedOutputsError
from spectral.domains.changesets.looks import validate
from spectral.domains.changesets.replica_checks import ReplicaCheckService
from spectral.domains.changesets.replica_models import ReplicaCheck
from spectral.domains.changesets.replica_runs import run_check
from spectral.domains.samples.models import SampleItem
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import BusinessRuleViolationError
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, CrashError, DirectExecution, ScriptedRuntime, Workbench, config
from tests.domains.scans.executing import NoQueue
from tests.fixtures.tenants import Tenant


class Bench:
    """A replica that is right on a share of the samples, all of which were made of the agent's traces."""

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench

    @classmethod
    async def make(cls, database: Database, tenant: Tenant, share: float) -> "Bench":
        bench = cls(await Workbench.make(database, tenant.access, champion=share, items=900))
        await bench.change(Agent, Agent.id == bench.bench.agent_id, runtime_settings={"replica": True})
        return bench

    async def change(self, model: Any, where: Any, **values: Any) -> None:
        async with self.bench.database.transaction(self.bench.access) as session:
            mine = model.workspace_id == self.bench.access.workspace_id
            await session.execute(sa.update(model).where(mine, where).values(**values))

    async def start(self) -> ReplicaCheck:
        launcher = Launcher(NoQueue())  # type: ignore[arg-type]
        async with self.bench.database.transaction(self.bench.access) as session:
            return await ReplicaCheckService(session, self.bench.access).start_check(
                self.bench.agent_id,
                self.bench.set_id,
                None,
                max_cost_nano_usd=None,
                launcher=launcher,
                runtimes=Always(ScriptedRuntime()),
            )

    async def run(self, check: ReplicaCheck, runtime: ScriptedRuntime) -> ReplicaCheck:
        execution = DirectExecution(self.bench.database, self.bench.access)
        return await run_check(execution, check.id, door=DOOR, runtimes=Always(runtime))

    async def looked(self, share: float) -> tuple[str | None, list[str]]:
        """What a look at the holdout comes to with a candidate that is right so often."""
        changeset = await self.bench.propose(share, execution="replica")
        started = await self.bench.start(changeset.id)
        execution = DirectExecution(self.bench.database, self.bench.access)
        ended = await validate(execution, started.id, door=DOOR, runtimes=Always(ScriptedRuntime()))
        return ended.verdict, list(ended.reasons)


async def test_a_replica_proves_nothing_until_it_agrees_with_what_was_recorded(
    database: Database, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    bench = await Bench.make(database, tenant, 0.5)
    of_agent, of_set = Agent.id == bench.bench.agent_id, SampleItem.set_id == bench.bench.set_id
    await bench.change(Agent, of_agent, runtime_settings={})
    with pytest.raises(BusinessRuleViolationError, match="not executed as a replica"):
        await bench.start()
    await bench.change(Agent, of_agent, runtime_settings={"replica": True})
    await bench.change(SampleItem, of_set, source_trace_id=None)
    with pytest.raises(TooFewRecordedOutputsError, match="at least 100 recorded outputs"):
        await bench.start()
    await bench.change(SampleItem, of_set, source_trace_id="ab" * 16)

    check = await bench.start()
    with pytest.raises(CrashError):
        await bench.run(check, ScriptedRuntime(crash_after=0))
    done = await bench.run(check, ScriptedRuntime())
    assert (done.status, done.missing, done.finished_at is not None) == ("completed", 0, True)
    assert done.compared is not None
    assert 100 <= done.compared <= 500
    assert done.lower is not None
    assert done.lower < 0.6
    again = ScriptedRuntime()
    assert (await bench.run(check, again)).lower == done.lower
    assert again.calls == []
    assert await bench.looked(0.9) == ("inconclusive", ["replica"])
    url = f"{tenant.url}/agents/{bench.bench.agent_id}/replica-checks"
    shown = (await client.get(f"{url}/{check.id}", headers=tenant.client_headers)).json()
    assert (shown["agrees"], shown["outputs"], shown["compared"]) == (False, done.compared, done.compared)
    listed = (await client.get(url, headers=tenant.client_headers)).json()
    assert [one["id"] for one in listed["results"]] == [str(check.id)]


async def test_a_replica_that_agrees_lets_the_holdout_speak(database: Database, tenant: Tenant) -> None:
    bench = await Bench.make(database, tenant, 1.0)
    assert await bench.looked(0.5) == ("inconclusive", ["replica"])
    done = await bench.run(await bench.start(), ScriptedRuntime())
    assert (done.agreed, done.lower is not None and done.lower > 0.95) == (done.compared, True)
    verdict, reasons = await bench.looked(0.4)
    assert (verdict, "replica" in reasons) == ("refuted", False)


async def test_an_observed_agent_that_gets_a_config_is_a_replica(database: Database, tenant: Tenant) -> None:
    async with database.transaction(tenant.access) as session:
        service = AgentService(session, tenant.access)
        agent = await service.create_agent("Seen", None, None, runtime="observed")
        await service.add_config(agent.id, config("0.5"), origin="user", note=None)
        assert (agent.runtime, agent.runtime_settings) == ("prompt", {"replica": True})
        changed = await service.update_agent(agent.id, {"runtime_settings": {}})
        assert changed.runtime_settings == {"replica": False}
