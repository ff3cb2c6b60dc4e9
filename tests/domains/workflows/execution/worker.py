"""A worker process for tests: executes runs until its input ends; says when it is ready, and what it lost.

Arguments: database URL, workspace id, account id, file of effects, seconds that a node takes.
"""

import asyncio
import json
import sys
from pathlib import Path
from uuid import UUID

import structlog

from spectral.domains.workflows.execution.segment import Segment
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError
from tests.domains.workflows.execution.conftest import Runs
from tests.domains.workflows.execution.crashing import TASKS, Effects

# Half of what is started, so that a second worker gets its share however fast the first one is.
AT_ONCE = 5


def say(**what: str) -> None:
    print(json.dumps(what), flush=True)


async def main(url: str, workspace_id: UUID, account_id: UUID, effects: Effects) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    run_segment = Segment.run

    async def run_and_tell(self: Segment) -> None:
        try:
            await run_segment(self)
        except (LeaseLostError, asyncio.CancelledError):
            say(lost=str(self._context.key))
            raise

    Segment.run = run_and_tell  # type: ignore[method-assign]
    database = Database(url, pool_size=5)
    runs = Runs(database, WorkspaceAccess.for_system(workspace_id, account_id, "tests"), at_once=AT_ONCE)
    runs.functions = dict.fromkeys(TASKS, effects.work)
    await runs.live.start()
    say(ready="")
    await asyncio.to_thread(sys.stdin.readline)
    await runs.engine.start()
    say(started="")
    await asyncio.to_thread(sys.stdin.read)
    await runs.engine.stop()
    await runs.live.stop()
    await database.close()


if __name__ == "__main__":
    given = Effects(Path(sys.argv[4]), float(sys.argv[5]))
    asyncio.run(main(sys.argv[1], UUID(sys.argv[2]), UUID(sys.argv[3]), given))
