"""How many keys of a workspace open something."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.repository import ApiKeyRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.clock import utc_now


async def count_active_keys(session: AsyncSession, access: WorkspaceAccess) -> int:
    """API keys that are neither revoked nor expired."""
    unexpired = sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now())
    return await ApiKeyRepository(session, access).count(ApiKey.revoked_at.is_(None), unexpired)
