"""Where items came from: what links evidence about items with the traces that they were made of."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.models import SampleItem
from spectral.domains.samples.repository import SampleItemRepository
from spectral.platform.access.principal import WorkspaceAccess


class SampleOrigins:
    """The traces behind the items of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._items = SampleItemRepository(session, access)

    async def trace_ids(self, item_ids: Sequence[UUID]) -> dict[UUID, str]:
        """The trace of each item that has one; an item that is gone has none."""
        wanted = self._items.select(SampleItem.id.in_(item_ids), SampleItem.source_trace_id.is_not(None))
        rows = await self._items.session.execute(wanted.with_only_columns(SampleItem.id, SampleItem.source_trace_id))
        return {item_id: str(trace_id) for item_id, trace_id in rows}
