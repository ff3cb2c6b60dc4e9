"""When parked work is due, to the millisecond: a call of the loop for each, for what the next seconds bring."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from spectral.platform.engine.work import NEVER
from spectral.platform.shared.clock import utc_now

# The upkeep looks once a second; a second look that comes late must still be in time.
LOOK_AHEAD = timedelta(seconds=2.5)
ARMED_MAXIMUM = 5_000
MARGIN_S = 0.002


@dataclass(frozen=True, slots=True)
class DueWork:
    """That a workspace has, or will have, work of a kind to do."""

    workspace_id: UUID
    account_id: UUID
    kind: str


class Timers:
    """Armed timers of this process. They are only a reminder: the row says when its work is due. For the loop."""

    def __init__(self, ring: Callable[[DueWork], None]) -> None:
        self._ring = ring
        self._armed: dict[tuple[UUID, UUID], tuple[datetime, asyncio.TimerHandle]] = {}

    def arm(self, work: DueWork, key: UUID, wake_at: datetime) -> None:
        """`ring` is called at that moment, if it is near; what is further away is seen again by the upkeep."""
        ahead = wake_at - utc_now()
        name = (work.workspace_id, key)
        armed = self._armed.get(name)
        if wake_at == NEVER or ahead > LOOK_AHEAD or (armed is not None and armed[0] == wake_at):
            return
        if armed is not None:
            armed[1].cancel()
        elif len(self._armed) >= ARMED_MAXIMUM:
            return
        # A call that comes a moment early would find nothing due.
        after_s = max(0.0, ahead.total_seconds()) + MARGIN_S
        self._armed[name] = (wake_at, asyncio.get_running_loop().call_later(after_s, self._fire, name, work))

    def stop(self) -> None:
        """Nothing rings any more."""
        for _, handle in self._armed.values():
            handle.cancel()
        self._armed.clear()

    def _fire(self, name: tuple[UUID, UUID], work: DueWork) -> None:
        del self._armed[name]
        self._ring(work)
