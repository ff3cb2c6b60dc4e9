"""What nodes say while they work: log lines and pieces of text, gathered and written as events in small batches."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from spectral.domains.workflows.execution.store import NewEvent
from spectral.domains.workflows.nodes.masking import masked_inputs
from spectral.platform.shared.clock import utc_now

COALESCE_S = 0.05
TEXT_MAXIMUM = 16_384
PENDING_MAXIMUM = 1_000
LEVELS = frozenset({"debug", "info", "warn", "error"})


class RunJournal:
    """Everything that the nodes of one execution say, in order; `write` is called at most every 50 ms.

    Written with the next transaction of the run where that comes first. A node that says more than can be written is
    cut short: the line that says so is the last one until there is room.
    """

    def __init__(self, write: Callable[[], Awaitable[None]]) -> None:
        self._write = write
        self._pending: list[NewEvent] = []
        self._writing: asyncio.Task[None] | None = None

    def of(self, key: str) -> "NodeJournal":
        """The journal of one node."""
        return NodeJournal(self, key)

    def take(self) -> list[NewEvent]:
        """What has been said and not yet written; the caller writes it."""
        taken, self._pending = self._pending, []
        return taken

    def put_back(self, events: list[NewEvent]) -> None:
        """These were taken and could not be written."""
        self._pending = events + self._pending

    def say(self, event: NewEvent) -> None:
        """Keep an event until it is written."""
        if len(self._pending) >= PENDING_MAXIMUM:
            return
        if len(self._pending) == PENDING_MAXIMUM - 1:
            event = NewEvent("log", node=event.node, level="warn", data={"message": "Lines were left out here"})
        last = self._pending[-1] if self._pending else None
        if last is not None and last.type == event.type == "token" and last.node == event.node:
            text = last.data["text"] + event.data["text"]
            if len(text) <= TEXT_MAXIMUM:
                self._pending[-1] = NewEvent("token", node=event.node, data={"text": text}, started_at=last.started_at)
                return
        self._pending.append(event)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.get_running_loop().create_task(self._write_soon())

    async def close(self) -> None:
        """Nothing more is written by itself."""
        if self._writing is not None:
            self._writing.cancel()
            await asyncio.wait({self._writing})

    async def _write_soon(self) -> None:
        while self._pending:
            await asyncio.sleep(COALESCE_S)
            if self._pending:
                await self._write()


class NodeJournal:
    """What one node says."""

    def __init__(self, journal: RunJournal, key: str) -> None:
        self._journal = journal
        self._key = key

    def log(self, message: str, *, level: str = "info", category: str | None = None, data: Any = None) -> None:
        """A line of the run's log. Raises ValueError for a level that there is not."""
        if level not in LEVELS:
            raise ValueError(f"a level is one of {', '.join(sorted(LEVELS))}, not {level}")
        told: dict[str, Any] = {"message": message[:TEXT_MAXIMUM]}
        if data is not None:
            told["data"] = masked_inputs(data)
        event = NewEvent("log", node=self._key, level=level, category=category, data=told, started_at=utc_now())
        self._journal.say(event)

    def token(self, text: str) -> None:
        """A piece of text as a model gives it."""
        for start in range(0, len(text), TEXT_MAXIMUM):
            piece = text[start : start + TEXT_MAXIMUM]
            self._journal.say(NewEvent("token", node=self._key, data={"text": piece}, started_at=utc_now()))
