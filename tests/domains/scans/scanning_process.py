"""A worker: a process that executes whatever scans the engine gives it, until it is killed."""

import asyncio

from spectral.app import CONTROLLERS
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.scans.run import KIND
from spectral.domains.workflows.execution.launching import Launcher
from spectral.domains.workflows.execution.tracing import KIND as RUN_TRACE
from spectral.platform.db.session import Database
from spectral.platform.engine.context import WorkContext
from spectral.platform.engine.engine import Engine
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.scans.executing import scan_handler


def work(url: str) -> None:
    """Executes for ever."""
    asyncio.run(_work(url))


async def _work(url: str) -> None:
    assert CONTROLLERS  # with the application every table is known, as in a server
    database = Database(url)
    engine = Engine(database)
    door = ModelDoor([LocalProvider()])
    handler = scan_handler(database, Launcher(engine), door)
    engine.register(KIND, handler)
    engine.register(VALIDATION, handler)
    engine.register(RUN_TRACE, _not_here)
    await engine.start()
    await asyncio.Event().wait()


async def _not_here(_: WorkContext) -> None:
    """The store of traces is a server's."""
