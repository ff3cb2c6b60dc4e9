"""The credentials of every workspace, as the door to models asks for them: opened, and read again after two seconds."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Final
from uuid import UUID

import structlog

from spectral.domains.inference.models import ProviderCredential
from spectral.domains.inference.repository import CredentialRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.credentials import Credential, ProviderKind
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox

FRESH_S: Final = 2.0
"""A credential that was changed or deleted in another process is used for so long at most."""
WORKSPACES_KEPT: Final = 1000

log: Final = structlog.get_logger(__name__)

Opened = Mapping[str, Credential]


class StoredCredentials:
    """Reads credentials in short transactions of its own. Lives as long as the process."""

    def __init__(self, database: Database, box: SecretBox) -> None:
        self._database = database
        self._box = box
        self._known: OrderedDict[UUID, tuple[float, Opened]] = OrderedDict()
        self._reading: dict[UUID, asyncio.Task[Opened]] = {}

    async def credentials(self, access: WorkspaceAccess) -> Opened:
        """Every readable credential of the workspace by its prefix."""
        known = self._known.get(access.workspace_id)
        if known is not None and time.monotonic() - known[0] < FRESH_S:
            return known[1]
        reading = self._reading.get(access.workspace_id)
        if reading is None:
            reading = asyncio.create_task(self._read(access), name="credentials")
            self._reading[access.workspace_id] = reading
        # One reading serves all who wait; whoever is cancelled leaves it to the others.
        return await asyncio.shield(reading)

    def forget(self, workspace_id: UUID) -> None:
        """What is known of the workspace does not hold any more."""
        self._known.pop(workspace_id, None)
        self._reading.pop(workspace_id, None)

    async def _read(self, access: WorkspaceAccess) -> Opened:
        task = asyncio.current_task()
        started = time.monotonic()
        try:
            async with self._database.transaction(access, read_only=True) as session:
                rows = await CredentialRepository(session, access).find_all()
            opened = {row.prefix: found for row in rows if (found := self._open(row)) is not None}
            if self._reading.get(access.workspace_id) is task:
                self._known[access.workspace_id] = (started, opened)
                self._known.move_to_end(access.workspace_id)
                if len(self._known) > WORKSPACES_KEPT:
                    self._known.popitem(last=False)
            return opened
        finally:
            if self._reading.get(access.workspace_id) is task:
                del self._reading[access.workspace_id]

    def _open(self, row: ProviderCredential) -> Credential | None:
        try:
            key = self._box.open(row.api_key)
        except SealBrokenError:
            log.warning("provider_credential_unreadable", credential_id=str(row.id))
            return None
        kind = ProviderKind(row.provider)
        return Credential(row.id, kind, row.prefix, row.base_url, key, row.updated_at.isoformat())
