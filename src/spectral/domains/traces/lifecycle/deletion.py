"""Deleting traces because somebody wants them to be gone: one at once, more of them as engine work.

The work finds its place by itself: what is deleted is gone. What was asked for is kept until the end only, because it
may name a person.
"""

import asyncio
import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.traces.lifecycle.deletion_slices import Removed, TraceRemover
from spectral.domains.traces.lifecycle.models import TraceDeletion
from spectral.domains.traces.lifecycle.repository import TraceDeletionRepository
from spectral.domains.traces.lifecycle.schemas import DeletionWindow
from spectral.domains.traces.models import SpanRecord, Trace
from spectral.domains.traces.otlp.requests import TRACE_ID_BYTES
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.engine.context import Handler, WorkContext, WorkItem
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

KIND = "traces.delete"
MAX_PER_WORKSPACE = 1
PAUSE_S = 0.02
"""Between slices, so that on SQLite others come to write."""

UNFINISHED = ("pending", "running")


class TraceDeletionService:
    """Deletes traces of one workspace, in the caller's transaction or beginning with it."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, engine: Engine) -> None:
        self._session = session
        self._access = access
        self._engine = engine
        self._repository = TraceDeletionRepository(session, access)

    async def delete_trace(self, trace_id: str) -> None:
        """Raises NotFoundError, also for what is not a trace id."""
        identifier = _trace_id(trace_id)
        removed = await TraceRemover(self._session, self._access).undo([identifier]) if identifier else Removed()
        if not removed.traces:
            raise NotFoundError("Trace", trace_id[:64])
        await self._record("trace.deleted", f"trace:{trace_id.lower()}", {"spans": removed.spans})

    async def request_deletion(self, selection: Mapping[str, Any]) -> TraceDeletion:
        """The traces are being deleted from the commit on.

        selection: one of `session_id`, `user_id`, `trace_ids` (hexadecimal) and `window`, as `TraceDeletionIn` says it.
        """
        (by, _), *_ = selection.items()
        digest = hashlib.sha256(json.dumps(selection, sort_keys=True).encode()).hexdigest()
        deletion = self._repository.add(
            TraceDeletion(
                id=new_id(),
                by=by,
                selection=dict(selection),
                selection_digest=digest,
                state="pending",
                traces_deleted=0,
                spans_deleted=0,
                requested_by=self._access.actor,
                created_at=utc_now(),
                finished_at=None,
            )
        )
        await self._repository.flush()
        access = self._access
        # Without a payload: the engine keeps its rows for a while after the end.
        await self._engine.enqueue(self._session, WorkItem(KIND, access.workspace_id, access.account_id, deletion.id))
        detail = {"by": by, "selection_digest": digest}
        await self._record("traces.deletion_requested", f"trace_deletion:{deletion.id}", detail)
        return deletion

    async def list_deletions(self, page: Page) -> tuple[Sequence[TraceDeletion], int]:
        """One page, newest first, and how many there are."""
        return await self._repository.page(self._repository.select(), page)

    async def read_deletion(self, deletion_id: UUID) -> TraceDeletion:
        """Raises NotFoundError."""
        return await self._repository.get(deletion_id)

    async def retry_failed(self, failed_before: datetime) -> None:
        """What failed before that moment goes on: whoever was told that it is under way must not wait for ever."""
        for deletion in await self._repository.find_all(TraceDeletion.state.in_(UNFINISHED)):
            await self._engine.retry(self._session, self._access.workspace_id, deletion.id, failed_before)

    async def _record(self, action: str, subject: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=subject,
            detail=detail,
        )


def trace_deletion_handler() -> Handler:
    """Does the work of this kind, a slice to a transaction."""

    async def delete_traces(context: WorkContext) -> None:
        while True:
            await context.raise_if_cancelled()
            async with context.database.transaction(context.access) as session:
                await context.fence(session)
                deletion = await TraceDeletionRepository(session, context.access).get(context.key)
                if deletion.state == "done":
                    return
                remover = TraceRemover(session, context.access)
                removed = await remover.undo(await _next_slice(remover, deletion))
                deletion.state = "running"
                deletion.traces_deleted += removed.traces
                deletion.spans_deleted += removed.spans
                await session.flush()
            if not removed.traces:
                break
            await asyncio.sleep(PAUSE_S)
        await _forget_words(context)
        async with context.database.transaction(context.access) as session:
            await context.fence(session)
            await _finish(session, context, await TraceDeletionRepository(session, context.access).get(context.key))

    return delete_traces


async def _forget_words(context: WorkContext) -> None:
    first, goes_on = True, True
    while goes_on:
        await context.raise_if_cancelled()
        async with context.database.transaction(context.access) as session:
            await context.fence(session)
            goes_on = await TraceRemover(session, context.access).forget_words(first=first)
        first = False
        await asyncio.sleep(PAUSE_S)


async def _next_slice(remover: TraceRemover, deletion: TraceDeletion) -> list[bytes]:
    value = deletion.selection[deletion.by]
    if deletion.by == "trace_ids":
        return await remover.some(Trace.trace_id.in_([bytes.fromhex(text) for text in value]))
    if deletion.by == "window":
        window = DeletionWindow.model_validate(value)
        first, last = window.nanoseconds
        where = [Trace.started_at >= first, Trace.started_at < last]
        if window.agent_id is not None:
            where.append(Trace.agent_id == window.agent_id)
        return await remover.some(*where)
    trace_column, span_column = (
        (Trace.session_id, SpanRecord.session_id)
        if deletion.by == "session_id"
        else (Trace.user_id, SpanRecord.user_id)
    )
    # By the index as long as it finds any, then among all spans: a trace has the session and user of one of them.
    return await remover.some(trace_column == value) or await remover.some_with_span(span_column == value)


async def _finish(session: AsyncSession, context: WorkContext, deletion: TraceDeletion) -> None:
    deletion.state, deletion.finished_at = "done", utc_now()
    deletion.selection = {}
    await audit.record(
        session,
        account_id=context.account_id,
        workspace_id=context.workspace_id,
        actor=context.access.actor,
        action="traces.deleted",
        subject=f"trace_deletion:{deletion.id}",
        detail={
            "by": deletion.by,
            "selection_digest": deletion.selection_digest,
            "requested_by": deletion.requested_by,
            "traces": deletion.traces_deleted,
            "spans": deletion.spans_deleted,
        },
    )


def _trace_id(text: str) -> bytes | None:
    try:
        identifier = bytes.fromhex(text)
    except ValueError:
        return None
    return identifier if len(identifier) == TRACE_ID_BYTES and len(text) == 2 * TRACE_ID_BYTES else None
