"""From a promotion to its rollback without a person: a real server, the real client, and traces over OTLP."""

import asyncio

from spectral.demo.api import Api
from spectral.demo.guard import Promotion, prepare_guard, watch_regression
from spectral.platform.db.session import Database
from tests.client.platform_at import tenant_of
from tests.domains.changesets.workbench import Workbench
from tests.fixtures.project import import_everything
from tests.fixtures.servers import ServerProcess


async def test_a_planted_regression_is_rolled_back_without_a_person(server: ServerProcess, database: Database) -> None:
    import_everything()
    tenant = await tenant_of(server)
    bench = await Workbench.make(database, tenant.access, items=10, frozen=False)
    changeset = await bench.propose(0.9)
    await bench.force(changeset.id, "validated")
    api = Api(server.url)
    api.sign_in(tenant.access_token, str(tenant.workspace_id))
    told: list[str] = []

    def happen() -> dict[str, object]:
        prepare_guard(api, str(bench.agent_id))
        accepted = api.post(f"W/changesets/{changeset.id}/accept", {"holdback": 0.5}, expect=200)
        assert (accepted["state"], accepted["guard"]["state"]) == ("accepted", "running")
        promotion = Promotion(str(bench.agent_id), str(changeset.id), changeset.candidate_version)
        return watch_regression(api, tenant.api_key, promotion, told.append, sessions=60)

    guard = await asyncio.to_thread(happen)
    assert (guard["state"], guard["finding"], guard["finished_by"]) == ("rolled_back", "regression", "system:guard")
    assert guard["crossovers"] == 0
    assert told
    assert "A regression is confirmed" in told[-1]
    config = await asyncio.to_thread(api.get, f"W/agents/{bench.agent_id}/config")
    assert (config["version"], config["arms"]) == (1, [])
    detail = await asyncio.to_thread(api.get, f"W/changesets/{changeset.id}")
    assert (detail["state"], detail["closed_by"]) == ("rolled_back", "system:guard")
    assert detail["guard"]["reason"] == detail["closed_reason"]
    api.close()
