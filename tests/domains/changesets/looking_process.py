"""A process that takes a look at a holdout until it is done or killed: `python looking_process.py <json>`.

It does what a scan's last phase does: the look that is there is gone on with, and only without one a look is started.
"""

import asyncio
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path.insert(0, str(Path(__file__).parents[3]))

from spectral.app import CONTROLLERS
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import Execution
from spectral.domains.changesets.looks import validate
from spectral.domains.changesets.validation import ValidationService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, DirectExecution, ScriptedRuntime


class SlowRuntime(ScriptedRuntime):
    """Takes its time, so that there is a middle to be killed in."""

    async def execute_many(
        self, config: ConfigDocument, inputs: Sequence[Any], seeds: Sequence[int]
    ) -> list[Execution]:
        await asyncio.to_thread(time.sleep, 0.25)
        return await super().execute_many(config, inputs, seeds)


async def main() -> None:
    given = json.loads(sys.argv[1])
    assert CONTROLLERS  # with the application every table is known, as in a server
    database = Database(given["url"])
    access = WorkspaceAccess.for_system(UUID(given["workspace_id"]), UUID(given["account_id"]), "test")
    changeset_id = UUID(given["changeset_id"])
    try:
        async with database.transaction(access) as session:
            service = ValidationService(session, access)
            look = await service.find_open(changeset_id) or await service.start_validation(changeset_id)
        print("started", flush=True)
        await validate(DirectExecution(database, access), look.id, door=DOOR, runtimes=Always(SlowRuntime()))
        print("finished", flush=True)
    finally:
        await database.close()


if __name__ == "__main__":
    asyncio.run(main())
