"""Settings and deletions of a workspace's traces."""

from typing import ClassVar

from spectral.domains.traces.lifecycle.models import TraceDeletion, TraceSettings
from spectral.platform.db.repository import WorkspaceRepository


class TraceSettingsRepository(WorkspaceRepository[TraceSettings]):
    """What a workspace decided about its traces: one row, or none."""

    model: ClassVar[type[TraceSettings]] = TraceSettings
    kind = "Trace settings"

    async def lock(self) -> TraceSettings | None:
        """The row, locked until the commit."""
        return (await self.session.scalars(self.select().with_for_update())).one_or_none()


class TraceDeletionRepository(WorkspaceRepository[TraceDeletion]):
    """Which traces a workspace wanted to be gone."""

    model: ClassVar[type[TraceDeletion]] = TraceDeletion
    kind = "Trace deletion"
