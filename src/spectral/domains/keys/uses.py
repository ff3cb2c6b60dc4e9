"""What the use of a credential changes about it: when it was last used, and under which pepper it is stored."""

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import structlog

from spectral.domains.keys.models import WorkspaceCredential
from spectral.domains.keys.repository import note_use, renew_hash
from spectral.platform.db.session import Database

THROTTLE = timedelta(minutes=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Renewal:
    """The hash that a credential was found by, the one under the newest pepper, and that pepper's id."""

    known: str
    renewed: str
    pepper_id: str


@dataclass(frozen=True, slots=True)
class Use:
    """A credential that has just opened something; `renewal` where it was found under an older pepper."""

    model: type[WorkspaceCredential]
    workspace_id: UUID
    credential_id: UUID
    moment: datetime
    renewal: Renewal | None


class UseNotes:
    """Writes uses down beside the requests that they belong to: no request waits for it or fails by it.

    Lives as long as the process; `drain` waits for what is still being written.
    """

    def __init__(self, identity: Database) -> None:
        self._identity = identity
        self._writing: dict[UUID, asyncio.Task[None]] = {}

    def note(self, use: Use) -> None:
        """Start writing; nothing when a use of the same credential is being written."""
        if use.credential_id in self._writing:
            return
        task = asyncio.create_task(self._write(use))
        self._writing[use.credential_id] = task
        task.add_done_callback(lambda _done: self._writing.pop(use.credential_id, None))

    async def drain(self) -> None:
        """Everything that was noted is written, or its failure logged."""
        while self._writing:
            await asyncio.wait(self._writing.values())

    async def _write(self, use: Use) -> None:
        try:
            async with self._identity.transaction() as session:
                where = (session, use.model, use.workspace_id, use.credential_id)
                await note_use(*where, moment=use.moment, throttle=THROTTLE)
                if use.renewal is not None:
                    known, renewed, pepper_id = use.renewal.known, use.renewal.renewed, use.renewal.pepper_id
                    await renew_hash(*where, known=known, renewed=renewed, pepper_id=pepper_id)
        except Exception:
            # The next use writes it.
            log.exception("use_not_noted", credential=str(use.credential_id))
