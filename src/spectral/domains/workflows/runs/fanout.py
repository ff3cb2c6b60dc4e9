"""One reader per watched run and process: an event is read once, however many watch.

A watcher first reads what it has missed from the table, in short transactions of its own, then takes what the reader
shares. Events are numbered without gaps, so a watcher's place is one number, and nothing is lost or repeated where it
changes over. Whoever is too slow for what the reader keeps reads the table again from its place on.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from spectral.domains.workflows.execution.states import FINAL
from spectral.domains.workflows.execution.store import topic_of
from spectral.domains.workflows.models import WorkflowRun, WorkflowRunEvent
from spectral.domains.workflows.runs.answers import event_out
from spectral.domains.workflows.runs.reading_repository import EventReadRepository, Tail
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.live import LiveChannel
from spectral.platform.shared.errors import RateLimitedError

POLL_S = 1.5
"""How long a reader waits for a wake-up before it looks at the table all the same."""
BATCH = 200
BATCH_CHARACTERS = 1024 * 1024
"""What is read at once, in events and in JSON: a run may hold many times of what fits into memory."""
KEPT_EVENTS = 512
KEPT_BYTES = 4 * 1024 * 1024
MAXIMUM_WATCHERS = 2000
"""Of one workspace, in one process."""
RETRY_AFTER_S = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """An event as every watcher is sent it; `document` is the JSON of an `EventOut`."""

    seq: int
    type: str
    generation: int
    document: bytes

    @classmethod
    def of(cls, event: WorkflowRunEvent) -> "SeenEvent":
        return cls(event.seq, event.type, event.generation, event_out(event).model_dump_json().encode())


class RunReader:
    """Reads the new events of one run as long as anybody watches it, and keeps the last of them for all.

    head: the number of the last event that was read.  base: events with a higher number are kept here.
    """

    def __init__(self, database: Database, live: LiveChannel, run: WorkflowRun) -> None:
        self._database = database
        self._live = live
        self._run_id = run.id
        self._access = WorkspaceAccess.for_system(run.workspace_id, run.account_id, f"watching run {run.id}")
        self.head = self.base = run.last_seq
        self.generation = run.generation
        self.ended = run.status in FINAL
        self.gone = False
        self.watchers = 0
        self._kept: deque[SeenEvent] = deque()
        self._kept_bytes = 0
        self._changed = asyncio.Event()
        self._reading = asyncio.Lock()
        self._stopped = False
        self._idle = False
        self.leaves = False
        self.task = asyncio.create_task(self._read_on(), name=f"watch run {run.id}")

    def kept_after(self, seq: int) -> list[SeenEvent] | None:
        """What is kept of the events after that number, in order; None when some of them are not kept any more."""
        if seq < self.base:
            return None
        behind = self.head - seq
        if behind <= 0:
            return []
        return [self._kept[place] for place in range(len(self._kept) - behind, len(self._kept))]

    async def changed(self, timeout_s: float) -> None:
        """Until something was read, or the time is over."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()

    async def catch_up(self, seq: int) -> None:
        """Read the table unless that event has been read."""
        if self.head >= seq:
            return
        async with self._reading:
            if self.head < seq and not self.gone:
                await self._read()

    def stop(self) -> None:
        """Nobody watches any more. A read that has begun ends properly, with its transaction."""
        self._stopped = True
        if self._idle:
            self.task.cancel()

    def leave(self) -> None:
        """Watchers are told that nothing more will come from this process."""
        self.leaves = True
        self._tell()

    async def _read_on(self) -> None:
        async with self._live.subscribe(topic_of(self._run_id)) as subscription:
            # The first time for what happened between the reading of the run's row and the subscription.
            last_seq: int | None = None
            while not (self._stopped or self.gone):
                # A run is also woken without an event.
                if last_seq is None or last_seq > self.head:
                    await self._look()
                self._idle = True
                last_seq = await subscription.wait(POLL_S)
                self._idle = False

    async def _look(self) -> None:
        try:
            async with self._reading:
                await self._read()
        except Exception:
            # The database may be away for a while; watchers wait, and lose nothing.
            log.exception("run_reader_failed", run_id=str(self._run_id))

    async def _read(self) -> None:
        while not self._stopped:
            tail = await read_tail(self._database, self._access, self._run_id, self.head)
            self._take(tail)
            if tail is None or self.head >= tail.last_seq:
                return

    def _take(self, tail: Tail | None) -> None:
        if tail is None:
            self.gone = True
        else:
            for row in tail.events:
                event = SeenEvent.of(row)
                self._kept.append(event)
                self._kept_bytes += len(event.document)
                self.head = event.seq
            while len(self._kept) > KEPT_EVENTS or (self._kept_bytes > KEPT_BYTES and len(self._kept) > 1):
                forgotten = self._kept.popleft()
                self._kept_bytes -= len(forgotten.document)
                self.base = forgotten.seq
            self.generation = tail.generation
            self.ended = tail.status in FINAL and self.head >= tail.last_seq
        self._tell()

    def _tell(self) -> None:
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


class Watch:
    """One watcher's place in a run's events.

    position: the number of the last event that it was given.
    """

    def __init__(
        self, database: Database, access: WorkspaceAccess, reader: RunReader, run: WorkflowRun, *, after: int
    ) -> None:
        self._database = database
        self._access = access
        self._reader = reader
        self._run_id = run.id
        # The reader may not have heard yet of what the watcher's own look at the run has shown.
        self._known = run.last_seq
        self.position = after

    async def next(self, timeout_s: float, generation: int | None = None) -> Sequence[SeenEvent] | None:
        """The next events, in order; none when nothing came in time; None when nothing more will come.

        That is after the last event of a run that has ended, or of the generation where one is given, when the run is
        gone, and when this process is about to end.
        """
        events = await self._ready(generation)
        if events is not None and not events:
            await self._reader.changed(timeout_s)
            events = await self._ready(generation)
        if events:
            self.position = events[-1].seq
        return events

    async def _ready(self, generation: int | None) -> Sequence[SeenEvent] | None:
        reader = self._reader
        if reader.leaves:
            return None
        await reader.catch_up(self._known)
        kept = reader.kept_after(self.position)
        if kept is None:
            tail = await read_tail(self._database, self._access, self._run_id, self.position)
            return None if tail is None else [SeenEvent.of(event) for event in tail.events]
        is_over = reader.gone or reader.ended or (generation is not None and reader.generation > generation)
        return kept or (None if is_over else [])


class RunFanout:
    """The watchers of this process. Lives as long as it; `stop` ends every reader."""

    def __init__(self, database: Database, live: LiveChannel) -> None:
        self._database = database
        self._live = live
        self._readers: dict[UUID, RunReader] = {}
        self._stopping: set[asyncio.Task[None]] = set()
        self._watchers: Counter[UUID] = Counter()
        self.is_closing = False
        """Whether this process is about to end."""

    @property
    def watched(self) -> int:
        """How many runs have a reader."""
        return len(self._readers)

    def require_room(self, access: WorkspaceAccess) -> None:
        """Raises RateLimitedError (429) when the workspace has as many watchers in this process as it may."""
        if self._watchers[access.workspace_id] >= MAXIMUM_WATCHERS:
            message = f"The runs of this workspace have {MAXIMUM_WATCHERS} watchers here already; try again later"
            raise RateLimitedError(message, RETRY_AFTER_S)

    @asynccontextmanager
    async def watch(self, access: WorkspaceAccess, run: WorkflowRun, *, after: int) -> AsyncIterator[Watch]:
        """A place in the run's events after that number; `run`: as just read."""
        reader = self._readers.get(run.id)
        if reader is None or reader.task.done():
            reader = self._readers[run.id] = RunReader(self._database, self._live, run)
            reader.leaves = self.is_closing
        reader.watchers += 1
        self._watchers[run.workspace_id] += 1
        try:
            yield Watch(self._database, access, reader, run, after=after)
        finally:
            self._watchers -= Counter([run.workspace_id])
            reader.watchers -= 1
            if not reader.watchers:
                self._let_go(run.id, reader)

    def close(self) -> None:
        """This process is about to end: every watch is over, and watchers go on elsewhere or later.

        The server waits for open streams before it ends.
        """
        self.is_closing = True
        for reader in self._readers.values():
            reader.leave()

    def _let_go(self, run_id: UUID, reader: RunReader) -> None:
        if self._readers.get(run_id) is reader:
            del self._readers[run_id]
        reader.stop()
        self._stopping.add(reader.task)
        reader.task.add_done_callback(self._stopping.discard)

    async def stop(self) -> None:
        """No reader is left; watchers that are still there hear nothing more."""
        for run_id, reader in list(self._readers.items()):
            self._let_go(run_id, reader)
        await asyncio.gather(*self._stopping, return_exceptions=True)


async def read_tail(database: Database, access: WorkspaceAccess, run_id: UUID, after: int) -> Tail | None:
    """The run's next events after that number, in a transaction of their own; None when the run is gone."""
    async with database.transaction(access, read_only=True) as session:
        return await EventReadRepository(session, access).tail(run_id, after, BATCH, BATCH_CHARACTERS)
