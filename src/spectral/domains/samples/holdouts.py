"""The holdouts of a workspace at a glance."""

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.samples.models import Holdout
from spectral.domains.samples.repository import HoldoutRepository
from spectral.platform.access.principal import WorkspaceAccess


async def latest_holdouts(session: AsyncSession, access: WorkspaceAccess) -> list[Holdout]:
    """The newest holdout of every set that ever had one, retired or not; oldest first."""
    return await HoldoutRepository(session, access).latest()
