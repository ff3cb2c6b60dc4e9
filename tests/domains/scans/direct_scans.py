"""Scans run in the test's own process, straight from their handler: everything is real but the engine's queue."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.service import AgentService
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.domains.evaluations.service import ObjectiveService, RubricService
from spectral.domains.samples.drafts import measure
from spectral.domains.samples.service import NewSet, SampleService
from spectral.domains.samples.splitting import Split
from spectral.domains.scans.launch import ScanLauncher
from spectral.domains.scans.schemas import ScanIn
from spectral.domains.scans.service import ScanService, ScanView
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext, WorkItem
from spectral.platform.engine.work import EngineWork, WorkState
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.platform.shared.clock import utc_now
from tests.domains.agents.executing import runtimes_of
from tests.domains.samples.reading import read_jsonl
from tests.domains.scans.executing import scan_handler

LEASE = 1


class ClaimedAtOnce:
    """Stands for the engine: what is enqueued counts as running under lease 1, and the test runs it."""

    async def enqueue(self, session: AsyncSession, item: WorkItem) -> bool:
        now = utc_now()
        session.add(
            EngineWork(
                workspace_id=item.workspace_id,
                id=item.key,
                account_id=item.account_id,
                kind=item.kind,
                payload=dict(item.payload),
                state=WorkState.RUNNING.value,
                lease=LEASE,
                attempts=1,
                wake_at=now,
                started_at=now,
            )
        )
        await session.flush()
        return True


@dataclass(frozen=True)
class Subject:
    """What a scan is asked for with."""

    agent_id: UUID
    rubric_id: UUID
    objective_id: UUID


class DirectScans:
    """Everything that a test needs to run scans in one workspace."""

    def __init__(self, database: Database, access: WorkspaceAccess) -> None:
        self.database = database
        self.access = access
        self.door = ModelDoor([LocalProvider()])
        self._launcher = Launcher(ClaimedAtOnce())  # type: ignore[arg-type]

    async def create_subject(
        self, name: str, config: ConfigDocument, rubric: RubricSpec, objective: ObjectiveSpec
    ) -> Subject:
        """An agent, a rubric and an objective."""
        async with self.database.transaction(self.access) as session:
            agent = await AgentService(session, self.access).create_agent(name, None, config)
            made = await RubricService(session, self.access).create_rubric(name, None, rubric)
            goal = await ObjectiveService(session, self.access).create_objective(name, None, made.rubric.id, objective)
            return Subject(agent.id, made.rubric.id, goal.id)

    async def create_samples(self, name: str, rows: Sequence[Mapping[str, Any]], shares: Mapping[Split, float]) -> UUID:
        """A sample set with these rows and a frozen holdout."""
        parsed = read_jsonl("\n".join(json.dumps(row) for row in rows).encode())
        async with self.database.transaction(self.access) as session:
            samples = SampleService(session, self.access)
            made = await samples.create_set(NewSet(name, None, 1, shares, ()))
            await samples.import_rows(made.sample_set.id, parsed, measure([row.draft for row in parsed]))
            await samples.freeze_holdout(made.sample_set.id)
            return made.sample_set.id

    async def start(self, request: ScanIn) -> UUID:
        """The scan is there and counts as claimed."""
        async with self.database.transaction(self.access) as session:
            runtimes = runtimes_of(self.door)
            launcher = ScanLauncher(session, self.access, self.door, runtimes, self._launcher)
            return (await launcher.start_scan(request)).id

    async def run(self, scan_id: UUID) -> ScanView:
        """The scan as it is when its handler has returned."""
        item = WorkItem("scan", self.access.workspace_id, self.access.account_id, scan_id)
        access = WorkspaceAccess.for_system(self.access.workspace_id, self.access.account_id, f"scan {scan_id}")
        context = WorkContext(item, database=self.database, access=access, lease=LEASE, attempt=1)
        await scan_handler(self.database, self._launcher, self.door)(context)
        return await self.view(scan_id)

    async def view(self, scan_id: UUID) -> ScanView:
        """The scan as it is now."""
        async with self.database.transaction(self.access, read_only=True) as session:
            return await ScanService(session, self.access).view_scan(scan_id)
