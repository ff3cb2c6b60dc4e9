"""Spans on their way into the store: read off the event loop, committed in groups, acknowledged after the commit."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import ClassVar, Protocol
from uuid import UUID

import asyncpg
import structlog
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from spectral.domains.traces.ingestion.batch import PreparedBatch, read_batch, read_events, read_metrics, take_batch
from spectral.domains.traces.ingestion.partitions import PartitionWindow, make_partitions
from spectral.domains.traces.ingestion.policy import IngestionPolicy, PolicyBook
from spectral.domains.traces.ingestion.storage import Part, SpanWriter
from spectral.domains.traces.ingestion.storage_postgres import PostgresSpanWriter
from spectral.domains.traces.ingestion.storage_sqlite import SqliteSpanWriter
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.otlp.requests import Rejections, content_type_of
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError, PayloadTooLargeError, SpectralError, UnavailableError

INLINE_BYTES = 16 * 1024
"""Up to this size a request is read where it came in: handing it to another thread and back would cost more."""

GROUP_SPANS = 4_000
GROUP_BYTES = 16 * 1024 * 1024
DISCARDED_BYTES = 8 * 1024 * 1024
COMMIT_LIMIT_S = 30.0
PARTITION_INTERVAL_S = 6 * 3600.0
PARTITION_LIMIT_S = 10.0

log = structlog.get_logger(__name__)


class IngestionOverloadedError(UnavailableError):
    """More is on its way into the store than this process holds at once."""

    slug = "ingestion-overloaded"
    title = "Ingestion Overloaded"


@dataclass(frozen=True, slots=True)
class IngestionLimits:
    """What one process takes in at once. Sizes are bytes; `body_bytes` counts after decompression."""

    body_bytes: int = 64 * 1024 * 1024
    pending_bytes: int = 128 * 1024 * 1024
    pending_requests: int = 512
    partitions: PartitionWindow = field(default_factory=PartitionWindow)


class Reader(Protocol):
    """Makes a request body ready to be stored, off the event loop."""

    def __call__(
        self, body: bytes, content_type: str, encoding: str | None, limit: int, /, *, policy: IngestionPolicy
    ) -> PreparedBatch:
        """As `batch.read_batch`."""
        ...


class StoredListener(Protocol):
    """Is told what was stored."""

    def stored(self, access: WorkspaceAccess, agents: frozenset[str]) -> None:
        """Spans of the workspace are durable; `agents`: the ids of the agents that they name.

        Called on the event loop, after the commit. Must not block, must not raise.
        """
        ...


@dataclass(slots=True)
class _Pending:
    access: WorkspaceAccess
    batch: PreparedBatch
    done: asyncio.Future[None]


class _Admission:
    """What one request occupies until it is answered."""

    __slots__ = ("size",)

    def __init__(self) -> None:
        self.size = 0


class TraceIngestor:
    """Takes export requests and stores their spans. One per process, between `start()` and `stop()`.

    Concurrent requests share a transaction: one writer takes whatever is waiting, commits it, and only then are its
    requests answered. A group that fails is stored again request by request, so one bad request fails alone.
    """

    RETRY_AFTER_S: ClassVar[int] = 1

    def __init__(
        self,
        database: Database,
        mapper: SpanMapper,
        limits: IngestionLimits | None = None,
        *,
        policies: PolicyBook,
        listeners: Sequence[StoredListener] = (),
    ) -> None:
        self._database = database
        self._limits = limits or IngestionLimits()
        self._mapper = mapper
        self._policies = policies
        self._listeners = tuple(listeners)
        self._store: SpanWriter = (
            SqliteSpanWriter(database, mapper) if database.is_sqlite else PostgresSpanWriter(database, mapper)
        )
        self._queue: asyncio.Queue[_Pending | None] = asyncio.Queue()
        # One thread reads: a second one spends its time, and the first one's, on the interpreter's lock (measured: a
        # fifth fewer spans). Masking has one of its own, because a workspace's patterns decide how long it takes.
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="otlp")
        self._masking_reader = ThreadPoolExecutor(1, thread_name_prefix="otlp-masking")
        self._requests = 0
        self._bytes = 0
        self._accepts = False
        self._writer: asyncio.Task[None] | None = None
        self._upkeep: asyncio.Task[None] | None = None

    @property
    def depth(self) -> int:
        """Requests of this process that are being read or wait for their commit."""
        return self._requests

    async def start(self) -> None:
        """Make the coming days' partitions where there are none, and start the writer."""
        if not self._database.is_sqlite:
            # Before the first span: a day whose spans are in the default partition gets no partition of its own.
            await self._make_partitions()
            self._upkeep = asyncio.create_task(self._make_partitions_forever(), name="trace-partitions")
        self._writer = asyncio.create_task(self._write_forever(), name="trace-writer")
        self._accepts = True

    async def stop(self) -> None:
        """Commit what is waiting, then end."""
        if self._upkeep is not None:
            self._upkeep.cancel()
        self._accepts = False
        if self._writer is not None:
            await self._queue.put(None)
            await self._writer
            self._writer = None
            await self._store.close()
        self._reader.shutdown(wait=False)
        self._masking_reader.shutdown(wait=False)

    async def receive(
        self, access: WorkspaceAccess, stream: AsyncIterator[bytes], content_type: str | None, encoding: str | None
    ) -> Rejections:
        """Store the spans of one OTLP request; answers what was rejected, once the rest is durable.

        stream: the body as it came.  content_type, encoding: the headers.  Raises UnsupportedMediaTypeError (415),
        MalformedOtlpError (400), PayloadTooLargeError (413), IngestionOverloadedError and UnavailableError (503).
        """
        return await self._receive(access, stream, content_type, encoding, partial(read_batch, mapper=self._mapper))

    async def receive_logs(
        self, access: WorkspaceAccess, stream: AsyncIterator[bytes], content_type: str | None, encoding: str | None
    ) -> Rejections:
        """As `receive`, for log records: content events of spans are kept, all others are rejected."""
        return await self._receive(access, stream, content_type, encoding, read_events)

    async def refuse_metrics(
        self, access: WorkspaceAccess, stream: AsyncIterator[bytes], content_type: str | None, encoding: str | None
    ) -> Rejections:
        """As `receive`, for metrics: every data point is rejected, and nothing stored."""
        return await self._receive(access, stream, content_type, encoding, read_metrics, keeps=False)

    async def _receive(
        self,
        access: WorkspaceAccess,
        stream: AsyncIterator[bytes],
        content_type: str | None,
        encoding: str | None,
        read: Reader,
        *,
        keeps: bool = True,
    ) -> Rejections:
        access.require(Scope.WRITE_TRACES)
        kind = content_type_of(content_type)
        try:
            with self._admitted() as admission:
                try:
                    body = await self._read_body(stream, admission)
                    policy = await self._policies.policy(access)
                    batch = await self._read_batch(body, kind, encoding, policy, read)
                except SpectralError as refusal:
                    await self._count_refusal(access, refusal)
                    raise
                return await self._keep(access, batch, admission) if keeps else batch.rejections
        except UnavailableError:
            # Who is still writing when the connection closes sees it break, and never the answer to come again.
            await _discard(stream)
            raise

    async def take(
        self, access: WorkspaceAccess, request: ExportTraceServiceRequest, received_bytes: int
    ) -> Rejections:
        """Store the spans of a request that was made inside the server, exactly as if it had come in.

        request: the caller gives it away; masking may change it.  received_bytes: what it was made from had so many.
        Raises IngestionOverloadedError and UnavailableError (503).
        """
        access.require(Scope.WRITE_TRACES)
        with self._admitted() as admission:
            self._grow(admission, request.ByteSize())
            policy = await self._policies.policy(access)
            batch = await self._in_thread(policy, lambda: take_batch(request, received_bytes, self._mapper, policy))
            return await self._keep(access, batch, admission)

    async def _keep(self, access: WorkspaceAccess, batch: PreparedBatch, admission: _Admission) -> Rejections:
        self._grow(admission, batch.weight)
        if not batch.is_empty:
            await self._commit_with_others(access, batch)
        return batch.rejections

    async def _read_body(self, stream: AsyncIterator[bytes], admission: _Admission) -> bytes:
        parts = []
        async for part in stream:
            parts.append(part)
            self._grow(admission, len(part))
            if admission.size > self._limits.body_bytes:
                limit = self._limits.body_bytes
                raise PayloadTooLargeError(f"The body has more than {limit} bytes", limit_bytes=limit)
        return b"".join(parts)

    async def _read_batch(
        self, body: bytes, content_type: str, encoding: str | None, policy: IngestionPolicy, read: Reader
    ) -> PreparedBatch:
        limit = self._limits.body_bytes
        if len(body) <= INLINE_BYTES <= limit and policy.masker is None:
            # Larger than it looked: that is found out before anything of it is decoded.
            with suppress(PayloadTooLargeError):
                return read(body, content_type, encoding, INLINE_BYTES, policy=policy)
        return await self._in_thread(policy, lambda: read(body, content_type, encoding, limit, policy=policy))

    async def _in_thread(self, policy: IngestionPolicy, work: Callable[[], PreparedBatch]) -> PreparedBatch:
        reader = self._reader if policy.masker is None else self._masking_reader
        return await asyncio.get_running_loop().run_in_executor(reader, work)

    async def _commit_with_others(self, access: WorkspaceAccess, batch: PreparedBatch) -> None:
        self._require_running()
        pending = _Pending(access, batch, asyncio.get_running_loop().create_future())
        self._queue.put_nowait(pending)
        await pending.done

    async def _count_refusal(self, access: WorkspaceAccess, refusal: SpectralError) -> None:
        """Count a refused request with the next commit; where that fails, the refusal counts for more."""
        if refusal.status < 500:
            rejections = Rejections()
            rejections.add(refusal.slug.replace("-", "_"))
            with suppress(SpectralError):
                await self._commit_with_others(access, PreparedBatch(rejections=rejections))

    # ----------------------------------------------------------------------------------------------------- admission

    @contextmanager
    def _admitted(self) -> Iterator[_Admission]:
        self._require_running()
        if self._requests >= self._limits.pending_requests or self._bytes >= self._limits.pending_bytes:
            raise self._overloaded()
        admission = _Admission()
        self._requests += 1
        try:
            yield admission
        finally:
            self._requests -= 1
            self._bytes -= admission.size

    def _grow(self, admission: _Admission, size: int) -> None:
        """A lone request always fits: it is bounded by the limit of a body."""
        admission.size += size
        self._bytes += size
        if self._bytes > self._limits.pending_bytes and self._bytes > admission.size:
            raise self._overloaded()

    def _require_running(self) -> None:
        if not self._accepts:
            raise UnavailableError("This server is stopping", retry_after_s=self.RETRY_AFTER_S)

    def _overloaded(self) -> IngestionOverloadedError:
        return IngestionOverloadedError("Too much is waiting to be stored", retry_after_s=self.RETRY_AFTER_S)

    # ------------------------------------------------------------------------------------------------------- writing

    async def _write_forever(self) -> None:
        running = True
        while running:
            first = await self._queue.get()
            if first is None:
                break
            group = [first]
            spans, size = first.batch.accepted, first.batch.weight
            while spans < GROUP_SPANS and size < GROUP_BYTES and not self._queue.empty():
                following = self._queue.get_nowait()
                if following is None:
                    running = False
                    break
                group.append(following)
                spans += following.batch.accepted
                size += following.batch.weight
            await self._commit(group)

    async def _commit(self, group: list[_Pending]) -> None:
        failure = await self._try(group)
        if failure is None or isinstance(failure, UnavailableError) or len(group) == 1:
            self._answer(group, failure)
            return
        for pending in group:
            self._answer([pending], await self._try([pending]))

    async def _try(self, group: Sequence[_Pending]) -> Exception | None:
        """Store a group in one transaction; answers why that failed, as its senders are told."""
        try:
            async with asyncio.timeout(COMMIT_LIMIT_S):
                await self._write(group)
        except Exception as error:  # noqa: BLE001 - the writer must outlive whatever a request brings along
            return _refusal_of(error, group)
        return None

    async def _write(self, group: Sequence[_Pending]) -> None:
        by_workspace: dict[UUID, list[PreparedBatch]] = {}
        for pending in group:
            by_workspace.setdefault(pending.access.workspace_id, []).append(pending.batch)
        await self._store.write([Part(*item) for item in sorted(by_workspace.items())], utc_now())

    def _answer(self, group: Sequence[_Pending], failure: Exception | None) -> None:
        for pending in group:
            if pending.done.done():
                continue
            if failure is None:
                pending.done.set_result(None)
            else:
                pending.done.set_exception(failure)
        if failure is None and self._listeners:
            self._tell(group)

    def _tell(self, group: Sequence[_Pending]) -> None:
        stored: dict[UUID, tuple[WorkspaceAccess, set[str]]] = {}
        for pending in group:
            if pending.batch.accepted:
                stored.setdefault(pending.access.workspace_id, (pending.access, set()))[1].update(pending.batch.agents)
        for access, agents in stored.values():
            for listener in self._listeners:
                listener.stored(access, frozenset(agents))

    async def _make_partitions_forever(self) -> None:
        while True:
            await asyncio.sleep(PARTITION_INTERVAL_S)
            await self._make_partitions()

    async def _make_partitions(self) -> None:
        try:
            async with asyncio.timeout(PARTITION_LIMIT_S):
                made = await make_partitions(self._database, self._limits.partitions)
        except _AWAY as error:
            # Spans go to the default partition until it succeeds; a database without a schema answers here too.
            log.warning("span_partitions_not_made", error=type(error).__name__)
        else:
            if made:
                log.info("span_partitions_made", count=made)


async def _discard(stream: AsyncIterator[bytes]) -> None:
    """Read what is left of a body that is not taken, so far as that is bearable."""
    left = DISCARDED_BYTES
    async for part in stream:
        left -= len(part)
        if left < 0:
            return


_AWAY = (
    DBAPIError,
    PoolTimeoutError,
    TimeoutError,
    OSError,
    sqlite3.Error,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)

_OF_THE_DATA = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.ProgrammingError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.DataError,
    asyncpg.CardinalityViolationError,
    asyncpg.ProgramLimitExceededError,
    ValueError,  # what asyncpg cannot encode
)
"""What a request brings along, and would bring along again."""


def _refusal_of(error: Exception, group: Sequence[_Pending]) -> Exception:
    """What the senders are told: a database that is away is a 503, which exporters retry; a 500 they do not."""
    if isinstance(error, asyncpg.ForeignKeyViolationError) or (
        isinstance(error, sqlite3.IntegrityError) and "FOREIGN KEY" in str(error)
    ):
        return NotFoundError("Workspace", group[0].access.workspace_id)
    if isinstance(error, _AWAY) and not isinstance(error, _OF_THE_DATA):
        log.warning("spans_not_stored", error=type(error).__name__, requests=len(group))
        return UnavailableError("The spans could not be stored right now", retry_after_s=2)
    return error
