"""What runs remember, for people: to look at, and to forget."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.workflows.models import WorkflowMemory
from spectral.domains.workflows.settings.repository import MemoryRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


class MemoryService:
    """What the runs of one workspace remember, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._memory = MemoryRepository(session, access)

    async def list_namespaces(self, page: Page) -> tuple[Sequence[sa.Row[Any]], int]:
        """One page of `(namespace, keys, updated_at)`, by name."""
        return await self._memory.namespaces(page)

    async def list_memory(self, namespace: str, page: Page) -> tuple[Sequence[WorkflowMemory], int]:
        """One page of a namespace, by key; an empty one where nothing was stored."""
        return await self._memory.page_of(namespace, page)

    async def forget(self, namespace: str, key: str | None) -> None:
        """The key is gone, or where it is None the whole namespace. Raises NotFoundError where there is nothing."""
        forgotten = await self._memory.forget(namespace, key)
        if not forgotten:
            raise NotFoundError("Memory", namespace if key is None else f"{namespace}/{key}")
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action="workflow_memory.forgotten",
            subject=f"workflow_memory:{namespace}",
            detail={"key": key, "keys": forgotten},
        )
