"""API keys: made, listed, rotated and revoked."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.credentials import (
    API_KEY,
    already_rotated,
    new_credential,
    require_future,
    require_rotatable,
    stored,
)
from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.repository import ApiKeyRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.events import EventType, emit
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page

TOLD = {"api_key.created": EventType.KEY_CREATED, "api_key.revoked": EventType.KEY_REVOKED}
"""Which of what is audited is an event too."""


class ApiKeyService:
    """The keys of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, lifetime_days: int) -> None:
        self._session = session
        self._access = access
        self._peppers = peppers
        self._lifetime = timedelta(days=lifetime_days)
        self._repository = ApiKeyRepository(session, access)

    @property
    def default_expiry(self) -> datetime:
        return utc_now() + self._lifetime

    async def create_key(
        self,
        name: str,
        scopes: Sequence[str],
        expires_at: datetime | None,
        created_by: UUID | None,
        *,
        trusted: bool = False,
    ) -> tuple[ApiKey, str]:
        """A new key and its plaintext, which is not kept. Raises BusinessRuleViolationError for a past expiry."""
        require_future(expires_at, utc_now())
        plaintext = new_credential(API_KEY)
        key = self._repository.add(
            ApiKey(
                name=name,
                scopes=sorted(set(scopes)),
                trusted=trusted,
                created_by=created_by,
                expires_at=expires_at,
                **stored(plaintext, self._peppers),
            )
        )
        await self._repository.flush()
        detail = {"name": name, "scopes": key.scopes, "expires_at": _said(expires_at), "trusted": trusted}
        await self._audit(key, "api_key.created", detail)
        return key, plaintext

    async def list_keys(self, page: Page) -> tuple[Sequence[ApiKey], int]:
        """One page of the keys, revoked ones included, newest first."""
        return await self._repository.page(self._repository.select(), page)

    async def read_key(self, key_id: UUID) -> ApiKey:
        """Raises NotFoundError."""
        return await self._repository.get(key_id)

    async def rotate_key(
        self, key_id: UUID, overlap: timedelta, expires_at: datetime | None, created_by: UUID | None
    ) -> tuple[ApiKey, str]:
        """A successor with the same name and scopes, and its plaintext; the key ends with the overlap or before.

        Raises NotFoundError, InvalidTransitionError for a key that has ended or was rotated before, and
        BusinessRuleViolationError for a past expiry.
        """
        now = utc_now()
        require_future(expires_at, now)
        old = await self._repository.get(key_id)
        require_rotatable(old, now)
        plaintext = new_credential(API_KEY)
        successor = ApiKey(
            id=new_id(),
            name=old.name,
            scopes=old.scopes,
            trusted=old.trusted,
            created_by=created_by,
            expires_at=expires_at,
            rotated_from=old.id,
            **stored(plaintext, self._peppers),
        )
        ends_at = min(now + overlap, old.expires_at or now + overlap)
        if not await self._repository.succeed(old, successor, ends_at):
            raise already_rotated(old)
        detail = {"name": old.name, "rotated_to": str(successor.id), "ends_at": _said(ends_at)}
        await self._audit(old, "api_key.rotated", detail)
        return successor, plaintext

    async def mark_key(self, key_id: UUID, *, trusted: bool) -> ApiKey:
        """Whether feedback that comes with the key may decide something. Raises NotFoundError."""
        key = await self._repository.get(key_id)
        if key.trusted != trusted:
            before, key.trusted = key.trusted, trusted
            await self._repository.flush()
            await self._audit(key, "api_key.marked", {"before": {"trusted": before}, "after": {"trusted": trusted}})
        return key

    async def revoke_key(self, key_id: UUID) -> None:
        """The key opens nothing any more, in this process at once, elsewhere within a second; again is harmless.

        Raises NotFoundError.
        """
        key = await self._repository.get(key_id)
        if key.revoked_at is None:
            key.revoked_at = utc_now()
            await self._repository.flush()
            await self._audit(key, "api_key.revoked", {"name": key.name})

    async def _audit(self, key: ApiKey, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"api_key:{key.id}",
            detail=detail,
        )
        if (kind := TOLD.get(action)) is not None:
            told = {"name": key.name, "scopes": key.scopes}
            await emit(self._session, self._access, kind, subject=f"api_key:{key.id}", data=told)


def _said(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
