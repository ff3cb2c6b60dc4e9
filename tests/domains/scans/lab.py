"""A workspace that is ready for scans, over HTTP; the test itself stands for the engine's worker."""

import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import httpx
import sqlalchemy as sa

from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.scans.executing import NoQueue, scan_handler
from tests.domains.scans.toy_tickets import champion, tickets
from tests.fixtures.tenants import Tenant

HOSTILE = '<script>alert("x")</script> | `y` & ![img](http://evil.example/)'


class Lab:
    """See above; `ids` fill the paths."""

    def __init__(self, client: httpx.AsyncClient, database: Database, tenant: Tenant) -> None:
        self.client = client
        self.database = database
        self.tenant = tenant
        self.ids: dict[str, str] = {}

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: Mapping[str, str] | None = None,
        params: Mapping[str, Any] | None = None,
        below: str = "/scans",
    ) -> httpx.Response:
        """A request as the owner."""
        content = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        sent = {**kind, **self.tenant.client_headers, **(headers or {})}
        address = f"{self.tenant.url}{below}{path.format_map(self.ids)}"
        return await self.client.request(method, address, content=content, headers=sent, params=params)

    async def make(self, below: str, body: Any) -> Any:
        """The answer of a POST that must succeed."""
        answer = await self.call("POST", "", body, below=below)
        assert answer.is_success, answer.text
        return answer.json()

    async def prepare(self, count: int = 250) -> None:
        """An agent, samples with a frozen holdout, a rubric and an objective."""
        config = champion().as_json()
        self.ids["agent_id"] = (await self.make("/agents", {"name": f"sorter {HOSTILE}", "config": config}))["id"]
        self.ids["sample_set_id"] = await self.create_set("tickets", count)
        await self.make(f"/samples/{self.ids['sample_set_id']}/holdouts", {})
        rubric = {"name": "right", "dimensions": [{"name": "label", "scorer": "label"}]}
        self.ids["rubric_id"] = (await self.make("/evaluations/rubrics", rubric))["id"]
        objective = {"name": "be right", "rubric_id": self.ids["rubric_id"]}
        self.ids["objective_id"] = (await self.make("/evaluations/objectives", objective))["id"]

    async def create_set(self, name: str, count: int) -> str:
        shares = {"reflect": 0.4, "select": 0.3, "holdout": 0.3}
        set_id: str = (await self.make("/samples", {"name": name, "shares": shares}))["id"]
        rows = [json.dumps({"input": item.input, "expected": item.expected}) for item in tickets(count)]
        answer = await self.client.post(
            f"{self.tenant.url}/samples/{set_id}/import",
            content="\n".join(rows),
            headers={**self.tenant.client_headers, "Content-Type": "application/x-ndjson"},
        )
        assert answer.is_success, answer.text
        return set_id

    def request(self, **changes: Any) -> dict[str, Any]:
        """The body of a scan."""
        names = ("agent_id", "sample_set_id", "objective_id")
        body: dict[str, Any] = {name: self.ids[name] for name in names}
        return {**body, "seed": 7, "budget": {"max_evaluations": 2500}, **changes}

    async def start(self, **changes: Any) -> str:
        answer = await self.call("POST", "", self.request(**changes))
        assert answer.status_code == 202, answer.text
        self.ids["scan_id"] = answer.json()["id"]
        return str(self.ids["scan_id"])

    async def claim(self, scan_id: str) -> WorkContext:
        """What the engine would give the handler: the work is running, under a new lease."""
        access = self.tenant.access
        mine = (EngineWork.workspace_id == access.workspace_id, EngineWork.id == UUID(scan_id))
        async with self.database.transaction(access) as session:
            claimed = (
                sa.update(EngineWork)
                .where(*mine)
                .values(state=WorkState.RUNNING.value, lease=EngineWork.lease + 1)
                .returning(EngineWork.lease)
            )
            lease = (await session.execute(claimed)).scalar_one()
        item = WorkItem("scan", access.workspace_id, access.account_id, UUID(scan_id))
        system = WorkspaceAccess.for_system(access.workspace_id, access.account_id, f"scan {scan_id}")
        return WorkContext(item, database=self.database, access=system, lease=lease, attempt=1)

    async def execute(self, context: WorkContext, door: ModelDoor | None = None) -> None:
        """What the engine does with it."""
        launcher = Launcher(NoQueue())  # type: ignore[arg-type]
        await scan_handler(self.database, launcher, door or ModelDoor([LocalProvider()]))(context)

    async def run(self, scan_id: str, door: ModelDoor | None = None) -> dict[str, Any]:
        """The scan as it is when its handler has returned."""
        await self.execute(await self.claim(scan_id), door)
        answer = await self.call("GET", "/{scan_id}")
        assert answer.status_code == 200, answer.text
        scan: dict[str, Any] = answer.json()
        return scan
