"""A worker: a process that executes whatever scans the engine gives it, until it is killed."""

import asyncio

from spectral.app import CONTROLLERS
from spectral.domains.changesets.looks import validation_handler
from spectral.domains.changesets.validation import KIND as VALIDATION
from spectral.domains.scans.run import KIND, scan_handler
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider


def work(url: str) -> None:
    """Executes for ever."""
    asyncio.run(_work(url))


async def _work(url: str) -> None:
    assert CONTROLLERS  # with the application every table is known, as in a server
    database = Database(url)
    engine = Engine(database)
    door = ModelDoor([LocalProvider()])
    engine.register(KIND, scan_handler(door))
    engine.register(VALIDATION, validation_handler(door))
    await engine.start()
    await asyncio.Event().wait()
