"""What executes scans and looks where a test has no application that does."""

from functools import partial
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.changesets.looks import ValidationEnding, validation_task
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.changesets.validation import TASK as VALIDATION_TASK
from spectral.domains.scans.run import KIND as SCAN
from spectral.domains.scans.run import TASK as SCAN_TASK
from spectral.domains.scans.run import ScanEnding, scan_task
from spectral.domains.workflows.definitions.model import NodeKind
from spectral.domains.workflows.execution.children import Subflows
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.scoring import RunScoring
from spectral.domains.workflows.execution.segment import Workshop, workflow_handler
from spectral.domains.workflows.nodes.standard_tasks import standard_registry
from spectral.domains.workflows.nodes.tasks import TaskWork
from spectral.domains.workflows.remote.service import RemoteQueue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.domains.workflows.runs.surroundings import RunSurroundings
from spectral.platform.db.session import Database
from spectral.platform.engine.claims import halt
from spectral.platform.engine.context import Handler, WorkItem
from spectral.platform.live import LiveChannel
from spectral.platform.llm.door import ModelDoor
from tests.domains.agents.executing import runtimes_of


class NoQueue:
    """Stands for the engine where the test itself executes: what is enqueued by a run's end is left alone."""

    async def enqueue(self, session: AsyncSession, item: WorkItem) -> bool:
        del session, item
        return True

    async def halt(self, session: AsyncSession, workspace_id: UUID, key: UUID) -> None:
        """As the engine's; nobody is interrupted."""
        await halt(session, workspace_id, key)


def scan_handler(database: Database, launcher: Launcher, door: ModelDoor) -> Handler:
    """What the engine runs for the platform's own workflows."""
    tasks = standard_registry()
    tasks.register(SCAN_TASK, scan_task(door, runtimes_of(door), launcher), public=False)
    tasks.register(VALIDATION_TASK, validation_task(door, runtimes_of(door)), public=False)
    launcher.listen(SCAN, ScanEnding())
    launcher.listen(VALIDATION, ValidationEnding())
    workshop = Workshop(
        launcher=launcher,
        works={NodeKind.TASK: TaskWork(tasks)},
        children=Subflows(launcher),
        remote=partial(RemoteSteps, RemoteQueue(LiveChannel(database), launcher)),
        surroundings=RunSurroundings(launcher),
        scoring=RunScoring(door),
    )
    return workflow_handler(workshop)
