"""Waiting for work: a runner's request is held until there is a task, without a transaction or a thread."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any
from uuid import UUID

from spectral.domains.workflows.remote.repository import RemoteTaskRepository
from spectral.domains.workflows.remote.service import Leased, RemoteQueue, work_topic
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel, Subscription
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import RateLimitedError

POLL_S = 2.0
"""A wake-up may be missed, and a lease that ends wakes nobody."""
MAX_WAITING = 500

Disconnected = Callable[[], Awaitable[None]]
"""Ends when the client is gone."""


class WorkWaiting:
    """Leases for runners. Lives as long as the process."""

    def __init__(self, database: Database, live: LiveChannel, queue: RemoteQueue) -> None:
        self._database = database
        self._live = live
        self._queue = queue
        self._waiting: Counter[UUID] = Counter()
        self._stopped = asyncio.Event()

    def stop(self) -> None:
        """Whoever waits is answered now; from now on nobody waits."""
        self._stopped.set()

    async def lease(
        self, access: WorkspaceAccess, queue: str, capacity: int, wait_s: float, disconnected: Disconnected
    ) -> list[Leased]:
        """Up to `capacity` tasks; none after `wait_s` seconds without one, or when the client left or the server stops.

        Raises RateLimitedError (429) where too many runners of the workspace wait already.
        """
        if found := await self._try(access, queue, capacity):
            return found
        if wait_s <= 0 or self._stopped.is_set():
            return []
        if self._waiting[access.workspace_id] >= MAX_WAITING:
            raise RateLimitedError(f"{MAX_WAITING} runners of the workspace wait for work already", 1)
        self._waiting[access.workspace_id] += 1
        try:
            return await self._wait(access, queue, capacity, wait_s, disconnected)
        finally:
            self._waiting[access.workspace_id] -= 1
            if not self._waiting[access.workspace_id]:
                del self._waiting[access.workspace_id]

    async def _wait(
        self, access: WorkspaceAccess, queue: str, capacity: int, wait_s: float, disconnected: Disconnected
    ) -> list[Leased]:
        until = time.monotonic() + wait_s
        async with self._live.subscribe(work_topic(access.workspace_id, queue)) as subscription:
            ends = [asyncio.ensure_future(disconnected()), asyncio.ensure_future(self._stopped.wait())]
            try:
                while True:
                    # One that came before the subscription did is found by looking first.
                    if await self._has_any(access, queue) and (found := await self._try(access, queue, capacity)):
                        return found
                    left = until - time.monotonic()
                    if left <= 0 or await _ended_while_waiting(subscription, min(left, POLL_S), ends):
                        return []
            finally:
                for end in ends:
                    end.cancel()
                    with suppress(asyncio.CancelledError, Exception):
                        await end

    async def _try(self, access: WorkspaceAccess, queue: str, capacity: int) -> list[Leased]:
        async with self._database.transaction(access) as session:
            return await self._queue.lease(session, access, queue, capacity)

    async def _has_any(self, access: WorkspaceAccess, queue: str) -> bool:
        # Reading first: of many that wait for one task all but one would only keep writers waiting.
        async with self._database.transaction(access, read_only=True) as session:
            return await RemoteTaskRepository(session, access).has_any(queue, utc_now())


async def _ended_while_waiting(
    subscription: Subscription, timeout_s: float, ends: Sequence[asyncio.Future[Any]]
) -> bool:
    """Whether one of these ended while nothing was heard; hearing something or the time's end is False."""
    heard = asyncio.ensure_future(subscription.wait(timeout_s))
    try:
        done, _ = await asyncio.wait({heard, *ends}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        if not heard.done():
            heard.cancel()
            with suppress(asyncio.CancelledError):
                await heard
    return heard not in done
