"""Which keys of a workspace open something, how many, and which of them are trusted."""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.repository import ApiKeyRepository
from spectral.platform.access.principal import ACTOR_KINDS, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.clock import utc_now


async def count_active_keys(session: AsyncSession, access: WorkspaceAccess) -> int:
    """API keys that are neither revoked nor expired."""
    return await ApiKeyRepository(session, access).count(*_active())


async def newest_sending_key(session: AsyncSession, access: WorkspaceAccess) -> ApiKey | None:
    """The newest active key that may send traces."""
    keys = ApiKeyRepository(session, access)
    found = await keys.find_all(*_active(), order_by=(ApiKey.created_at.desc(), ApiKey.id.desc()))
    return next((key for key in found if Scope.WRITE_TRACES in key.scopes), None)


async def trusted_actors(session: AsyncSession, access: WorkspaceAccess) -> list[str]:
    """How the log names the keys that are marked as trusted; one that has ended meanwhile was trusted until then."""
    keys = await ApiKeyRepository(session, access).find_all(ApiKey.trusted.is_(True))
    return [f"{ACTOR_KINDS[PrincipalKind.API_KEY]}:{key.id}" for key in keys]


def _active() -> tuple[sa.ColumnElement[bool], ...]:
    return (ApiKey.revoked_at.is_(None), sa.or_(ApiKey.expires_at.is_(None), ApiKey.expires_at > utc_now()))
