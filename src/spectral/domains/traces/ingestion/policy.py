"""What a workspace decides about its spans before they are stored, as ingestion looks it up."""

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from spectral.domains.traces.lifecycle.models import TraceSettings
from spectral.domains.traces.masking.masker import Masker
from spectral.domains.traces.masking.rules import MaskingRules
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import UnavailableError

LIFETIME_S = 1.0
REMEMBERED_WORKSPACES = 4_096


@dataclass(frozen=True, slots=True)
class IngestionPolicy:
    """The decisions of one workspace.

    masker: None where nothing is masked.  retention_days: older spans are not taken; None takes them all.
    watches: its new traces are noted for evaluation on arrival.
    """

    masker: Masker | None = None
    retention_days: int | None = None
    watches: bool = False


@dataclass(slots=True)
class _Remembered:
    policy: IngestionPolicy
    masking: dict[str, Any] | None
    read_at: float


@dataclass(slots=True)
class PolicyBook:
    """The policies of all workspaces, each read at most once a second. One per process.

    database: as the ingestion role.  retention_days: the installation's, which no workspace exceeds.
    """

    database: Database
    retention_days: int | None = None
    _remembered: OrderedDict[UUID, _Remembered] = field(default_factory=OrderedDict)
    _reading: dict[UUID, asyncio.Task[IngestionPolicy]] = field(default_factory=dict)

    async def policy(self, access: WorkspaceAccess) -> IngestionPolicy:
        """What holds now, at most a second old. Raises UnavailableError (503) where it must be read and cannot be."""
        workspace_id = access.workspace_id
        known = self._remembered.get(workspace_id)
        if known is not None and time.monotonic() - known.read_at < LIFETIME_S:
            return known.policy
        # Of many requests at once one reads, and one that is cancelled does not take the others along.
        task = self._reading.get(workspace_id)
        if task is None:
            task = asyncio.create_task(self._read(access))
            self._reading[workspace_id] = task
            task.add_done_callback(lambda done: self._ended(workspace_id, done))
        return await asyncio.shield(task)

    def forget(self, workspace_id: UUID) -> None:
        """The next look reads again; called after a change has committed."""
        self._remembered.pop(workspace_id, None)
        # What is being read may be from before the change: nobody new waits for it, and it is not remembered.
        self._reading.pop(workspace_id, None)

    def _ended(self, workspace_id: UUID, task: asyncio.Task[IngestionPolicy]) -> None:
        if self._reading.get(workspace_id) is task:
            del self._reading[workspace_id]
        if not task.cancelled():
            # Those who wait are told; where nobody waits any more nobody needs to be.
            task.exception()

    async def _read(self, access: WorkspaceAccess) -> IngestionPolicy:
        workspace_id = access.workspace_id
        task = asyncio.current_task()
        read_at = time.monotonic()
        statement = sa.select(TraceSettings.retention_days, TraceSettings.masking, TraceSettings.watches).where(
            TraceSettings.workspace_id == workspace_id
        )
        try:
            async with self.database.transaction(access, read_only=True) as session:
                row = (await session.execute(statement)).one_or_none()
        except (DBAPIError, PoolTimeoutError, OSError) as error:
            raise UnavailableError("The workspace's settings cannot be read right now", retry_after_s=2) from error
        known = self._remembered.get(workspace_id)
        if row is None:
            policy, masking = IngestionPolicy(None, self.retention_days), None
        else:
            retention_days, masking, watches = row
            # Patterns are compiled again only when they have changed.
            same = known is not None and known.masking == masking
            masker = known.policy.masker if known is not None and same else masker_of(masking)
            policy = IngestionPolicy(masker, shorter(retention_days, self.retention_days), watches)
        if self._reading.get(workspace_id) is task:
            self._remembered[workspace_id] = _Remembered(policy, masking, read_at)
            self._remembered.move_to_end(workspace_id)
            while len(self._remembered) > REMEMBERED_WORKSPACES:
                self._remembered.popitem(last=False)
        return policy


def masker_of(masking: dict[str, Any]) -> Masker | None:
    """The masker of stored rules; None where they change nothing."""
    rules = MaskingRules.model_validate(masking)
    return Masker(rules) if rules.are_active else None


def shorter(first: int | None, second: int | None) -> int | None:
    """The shorter of two retentions in days; None keeps everything."""
    known = [days for days in (first, second) if days is not None]
    return min(known, default=None)
