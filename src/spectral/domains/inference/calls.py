"""Finished calls become rows a moment later, many at once: a call of 200 ms does not wait for a commit."""

import asyncio
from collections import defaultdict
from typing import Any, Final

import structlog
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from spectral.domains.inference.models import CODE_MAXIMUM, MODEL_MAXIMUM, SUBJECT_MAXIMUM
from spectral.domains.inference.repository import ModelCallRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.records import CallRecord
from spectral.platform.shared.ids import new_id

DELAY_S: Final = 0.25
BATCH: Final = 500
PENDING_MAXIMUM: Final = 10_000
PAUSE_S: Final = 1.0
CLOSING_ATTEMPTS: Final = 3

log: Final = structlog.get_logger(__name__)

_Pending = tuple[WorkspaceAccess, dict[str, Any]]


class CallJournal:
    """The rows of `model_call`. A process that is killed loses those of its last quarter of a second.

    Lives as long as the process; used from one event loop.
    """

    def __init__(self, database: Database, *, delay_s: float = DELAY_S) -> None:
        self._database = database
        self._delay_s = delay_s
        self._pending: list[_Pending] = []
        self._writing: asyncio.Task[None] | None = None
        self._closing = False

    async def record(self, call: CallRecord) -> None:
        """Waits only while 10,000 calls are not stored yet, because the database is away."""
        while len(self._pending) >= PENDING_MAXIMUM and not self._closing:  # noqa: ASYNC110 - the database is away
            await asyncio.sleep(self._delay_s)
        self._pending.append((call.access, _row(call)))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="model-calls")

    async def flush(self) -> None:
        """Waits until what was recorded so far is stored."""
        while self._writing is not None:
            await asyncio.shield(self._writing)

    async def close(self) -> None:
        """As `flush`, but does not wait for ever; what is lost is counted in the log."""
        self._closing = True
        await self.flush()

    async def _write(self) -> None:
        failures = 0
        try:
            await asyncio.sleep(0 if self._closing else self._delay_s)
            while self._pending:
                batch, self._pending = self._pending[:BATCH], self._pending[BATCH:]
                left = await self._store(batch)
                if not left:
                    continue
                failures += 1
                if self._closing and failures >= CLOSING_ATTEMPTS:
                    log.error("model_calls_lost", calls=len(left) + len(self._pending))
                    self._pending = []
                    return
                self._pending = left + self._pending
                await asyncio.sleep(PAUSE_S)
        finally:
            self._writing = None

    async def _store(self, batch: list[_Pending]) -> list[_Pending]:
        """Answers what could not be stored and may be later."""
        groups: dict[WorkspaceAccess, list[dict[str, Any]]] = defaultdict(list)
        for access, row in batch:
            groups[access].append(row)
        left: list[_Pending] = []
        for access, rows in groups.items():
            try:
                async with self._database.transaction(access) as session:
                    await ModelCallRepository(session, access).store(rows)
            except IntegrityError:
                # The workspace was deleted meanwhile, or a commit that seemed to fail did not.
                log.warning("model_calls_of_nobody", workspace_id=str(access.workspace_id), calls=len(rows))
            except (SQLAlchemyError, OSError) as error:
                log.warning("model_calls_not_stored", calls=len(rows), error=type(error).__name__)
                left += [(access, row) for row in rows]
        return left


def _row(call: CallRecord) -> dict[str, Any]:
    return {
        "id": new_id(),
        "created_at": call.ended_at,
        "kind": call.kind,
        "purpose": call.purpose,
        "subject": None if call.subject is None else call.subject[:SUBJECT_MAXIMUM],
        "provider": call.provider,
        "model": call.model[:MODEL_MAXIMUM],
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
        "cached_tokens": call.cached_tokens,
        "reasoning_tokens": call.reasoning_tokens,
        "cost_nano_usd": call.cost_nano_usd,
        "latency_ms": call.latency_ms,
        "error_type": None if call.error_type is None else call.error_type[:CODE_MAXIMUM],
    }
