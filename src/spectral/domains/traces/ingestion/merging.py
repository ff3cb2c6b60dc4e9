"""Chunks of finished traces are merged: spans that came one by one lie together then, and are compressed together.

What a reader sees does not change: of copies of a span the one that counts is kept, with the bytes that it was stored
with, and the rollup stays as it is.
"""

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DBAPIError

from spectral.domains.traces.ingestion.chunks import (
    CODEC_ZSTD_OTLP,
    Chunk,
    ChunkBuilder,
    ResourceFrame,
    ScopeFrame,
    winners,
)
from spectral.domains.traces.lifecycle.retention import workspaces
from spectral.domains.traces.mapping import SpanMapper
from spectral.domains.traces.models import SpanChunk, Trace
from spectral.domains.traces.moments import NANOSECONDS
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

SCHEDULE = "traces.merge_chunks"
INTERVAL_S = 600.0
QUIET = timedelta(minutes=10)
"""A trace that ended longer ago is taken for finished; where it is not, it is merged once more."""

CHUNK_SPANS = 500
LARGEST_SPANS = 20_000
LARGEST_BYTES = 32 * 1024 * 1024
"""Traces with more spans, or more bytes in their chunks, stay as they are: one is merged in memory."""

SLICE = 200
PAUSE_S = 0.01

log = structlog.get_logger(__name__)

_CHUNK = SpanChunk.__table__.c


@dataclass(frozen=True, slots=True)
class Merged:
    """How many traces were merged, and what their chunks took before and after."""

    traces: int = 0
    chunks_before: int = 0
    chunks_after: int = 0
    bytes_before: int = 0
    bytes_after: int = 0

    def __add__(self, other: "Merged") -> "Merged":
        return Merged(
            self.traces + other.traces,
            self.chunks_before + other.chunks_before,
            self.chunks_after + other.chunks_after,
            self.bytes_before + other.bytes_before,
            self.bytes_after + other.bytes_after,
        )


class _Key(NamedTuple):
    """What identifies a chunk within its trace."""

    start_ns: int
    digest: bytes


class ChunkMerger:
    """Merges the chunks of finished traces, in any process of the installation, several at once included."""

    def __init__(self, database: Database, identity: Database, mapper: SpanMapper) -> None:
        self._database = database
        self._identity = identity
        self._mapper = mapper

    async def run(self) -> None:
        """Once through every workspace; due every ten minutes."""
        now = utc_now()
        for access in await workspaces(self._identity, SCHEDULE):
            try:
                merged = await self.merge_workspace(access, now)
            except DBAPIError as error:
                log.warning("chunks_not_merged", workspace_id=str(access.workspace_id), error=type(error).__name__)
            else:
                if merged.traces:
                    log.info(
                        "chunks_merged",
                        workspace_id=str(access.workspace_id),
                        traces=merged.traces,
                        bytes_before=merged.bytes_before,
                        bytes_after=merged.bytes_after,
                    )

    async def merge_workspace(self, access: WorkspaceAccess, now: datetime) -> Merged:
        """Merge the chunks of every trace of the workspace that had ended ten minutes ago."""
        total = Merged()
        quiet_ns = int((now - QUIET).timestamp()) * NANOSECONDS
        after = (-1, b"")
        while True:
            found = await self._find(access, quiet_ns, after)
            if not found:
                return total
            for trace_id, _ in found:
                total += await self.merge_trace(access, trace_id)
                await asyncio.sleep(PAUSE_S)
            trace_id, ended_at = found[-1]
            after = (ended_at, trace_id)

    async def merge_trace(self, access: WorkspaceAccess, trace_id: bytes) -> Merged:
        """Merge the chunks of one trace; nothing where spans come in between, which is for the next time."""
        chunks = await self._read(access, trace_id)
        before = {_Key(chunk.start_ns, chunk.digest) for chunk in chunks}
        size = sum(len(chunk.payload) for chunk in chunks)
        if not chunks or size > LARGEST_BYTES:
            return Merged()
        # No transaction is open meanwhile.
        merged = await asyncio.to_thread(merge_chunks, trace_id, chunks, self._mapper)
        if not await self._replace(access, trace_id, before, merged):
            return Merged()
        return Merged(1, len(chunks), len(merged), size, sum(len(chunk.payload) for chunk in merged))

    async def _find(
        self, access: WorkspaceAccess, quiet_ns: int, after: tuple[int, bytes]
    ) -> Sequence[tuple[bytes, int]]:
        """Traces in more chunks than they need, in the order of their end."""
        place = sa.tuple_(Trace.ended_at, Trace.trace_id)
        statement = (
            sa.select(Trace.trace_id, Trace.ended_at)
            .where(
                Trace.workspace_id == access.workspace_id,
                Trace.chunk_count > 1,
                Trace.ended_at < quiet_ns,
                Trace.span_count.between(1, LARGEST_SPANS),
                (Trace.chunk_count - 1) * CHUNK_SPANS >= Trace.span_count,
                place > sa.tuple_(sa.literal(after[0], sa.BigInteger), sa.literal(after[1], sa.LargeBinary)),
            )
            .order_by(Trace.ended_at, Trace.trace_id)
            .limit(SLICE)
        )
        async with self._database.transaction(access, read_only=True) as session:
            return [(row[0], row[1]) for row in await session.execute(statement)]

    async def _read(self, access: WorkspaceAccess, trace_id: bytes) -> list[Chunk]:
        """The chunks of spans of a trace; those of log events are another codec's and stay."""
        statement = (
            sa.select(*(_CHUNK[name] for name in Chunk._fields))
            .where(_CHUNK.workspace_id == access.workspace_id, _CHUNK.trace_id == trace_id)
            .where(_CHUNK.codec == CODEC_ZSTD_OTLP)
        )
        async with self._database.transaction(access, read_only=True) as session:
            return [Chunk(*row) for row in await session.execute(statement)]

    async def _replace(
        self, access: WorkspaceAccess, trace_id: bytes, before: set[_Key], merged: Sequence[Chunk]
    ) -> bool:
        """Put the merged chunks in the place of exactly those that they were made of; False where these are not all."""
        mine = (_CHUNK.workspace_id == access.workspace_id, _CHUNK.trace_id == trace_id)
        of_spans = (*mine, _CHUNK.codec == CODEC_ZSTD_OTLP)
        async with self._database.transaction(access) as session:
            # As ingestion does, first of all: whoever adds spans to the trace waits for the commit.
            trace = sa.select(Trace.trace_id).where(
                Trace.workspace_id == access.workspace_id, Trace.trace_id == trace_id
            )
            if (await session.execute(trace.with_for_update())).one_or_none() is None:
                return False
            found = await session.execute(sa.select(_CHUNK.start_ns, _CHUNK.digest).where(*of_spans))
            if {_Key(*row) for row in found} != before:
                return False
            await session.execute(
                sa.delete(SpanChunk)
                .where(SpanChunk.workspace_id == access.workspace_id, *of_spans)
                .execution_options(synchronize_session=False)
            )
            await session.execute(
                sa.insert(SpanChunk), [{"workspace_id": access.workspace_id} | chunk._asdict() for chunk in merged]
            )
            await session.execute(
                sa.update(Trace)
                .where(Trace.workspace_id == access.workspace_id, Trace.trace_id == trace_id)
                .values(chunk_count=len(merged))
                .execution_options(synchronize_session=False)
            )
        return True


def merge_chunks(trace_id: bytes, chunks: Iterable[Chunk], mapper: SpanMapper) -> list[Chunk]:
    """Chunks of at most 500 spans with the span of each set of copies that counts; the same whatever the order."""
    spans = winners([(chunk.payload, chunk.codec) for chunk in chunks], mapper).values()
    resources: dict[tuple[bytes, str], ResourceFrame] = {}
    # By resource too: the builder takes a scope for one that stands in one resource.
    scopes: dict[tuple[tuple[bytes, str], bytes, str], ScopeFrame] = {}
    sortable = []
    for mapped, raw in spans:
        resource_key = (_encoded(raw.resource), raw.resource_schema_url)
        scope_key = (resource_key, _encoded(raw.scope), raw.scope_schema_url)
        resource = resources.get(resource_key)
        if resource is None:
            resource = resources[resource_key] = ResourceFrame(raw.resource, raw.resource_schema_url)
        scope = scopes.get(scope_key)
        if scope is None:
            scope = scopes[scope_key] = ScopeFrame(raw.scope, raw.scope_schema_url)
        row = mapped.row
        order = (row.started_at, row.span_id)
        sortable.append((order, scope_key, raw.span.SerializeToString(), resource, scope))
    sortable.sort(key=lambda item: item[0])
    merged = []
    for start in range(0, len(sortable), CHUNK_SPANS):
        builder = ChunkBuilder(trace_id)
        # Together what shares a resource and a scope, which then stand there once.
        for order, _, encoded, resource, scope in sorted(
            sortable[start : start + CHUNK_SPANS], key=lambda item: (item[1], item[0])
        ):
            builder.add(encoded, order[0], resource, scope)
        merged.append(builder.build())
    return merged


def _encoded(message: object) -> bytes:
    # What was not sent sorts before what was sent empty.
    return b"" if message is None else b"\x01" + message.SerializeToString()  # type: ignore[attr-defined]
