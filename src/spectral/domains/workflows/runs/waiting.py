"""Waiting for a run to end or to be suspended, without a transaction. The table is the truth, wake-ups save time."""

import time
from uuid import UUID

from spectral.domains.workflows.execution.states import FINAL, RunStatus
from spectral.domains.workflows.execution.store import rest_topic_of
from spectral.domains.workflows.runs.reading import RunReading, RunView
from spectral.domains.workflows.runs.repository import RunActRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel

LOOK_S = 1.0
"""A wake-up may be lost; so often the table is read without one."""

SETTLED = FINAL | {RunStatus.PAUSED, RunStatus.INTERRUPTED, RunStatus.AWAITING_INPUT}
"""Nothing happens in such a run until somebody acts on it. One that waits for a time or an event is not among them."""


class RunWaiter:
    """Waits for runs on behalf of requests. Lives as long as the process."""

    def __init__(self, database: Database, live: LiveChannel) -> None:
        self._database = database
        self._live = live

    async def wait(self, access: WorkspaceAccess, run_id: UUID, seconds: float) -> RunView:
        """The run once it has settled, or after so many seconds as it is then. Raises NotFoundError."""
        deadline = time.monotonic() + seconds
        async with self._live.subscribe(rest_topic_of(run_id)) as heard:
            while True:
                async with self._database.transaction(access, read_only=True) as session:
                    status = await RunActRepository(session, access).status_of(run_id)
                    left = deadline - time.monotonic()
                    if status in SETTLED or left <= 0:
                        return await RunReading(session, access).view_run(str(run_id))
                await heard.wait(min(left, LOOK_S))


def has_settled(status: str) -> bool:
    """Whether nothing happens in a run of this status until somebody does something."""
    return status in SETTLED
