"""Queries over API keys."""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.models import ApiKey
from spectral.domains.workspaces.models import Workspace
from spectral.platform.db.repository import WorkspaceRepository


class ApiKeyRepository(WorkspaceRepository[ApiKey]):
    """The keys of one workspace."""

    model: ClassVar[type[ApiKey]] = ApiKey
    kind = "API key"


class KeyRing:
    """Keys as authentication finds them: by their hash, before there is a workspace to be bound to."""

    def __init__(self, session: AsyncSession) -> None:
        self.session = session

    async def by_hash(self, hashes: Sequence[str]) -> tuple[ApiKey, UUID] | None:
        """The key with one of these hashes, and the account of its workspace. One indexed query."""
        row = (
            await self.session.execute(
                sa.select(ApiKey, Workspace.account_id)
                .join(Workspace, Workspace.id == ApiKey.workspace_id)
                .where(ApiKey.key_hash.in_(hashes), Workspace.deleting_at.is_(None))
            )
        ).one_or_none()
        return None if row is None else (row[0], row[1])

    async def touch(self, key: ApiKey, moment: datetime) -> None:
        """Note when the key was last used."""
        await self.session.execute(
            sa.update(ApiKey)
            .where(ApiKey.workspace_id == key.workspace_id, ApiKey.id == key.id)
            .values(last_used_at=moment)
        )
