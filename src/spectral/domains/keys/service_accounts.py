"""Service accounts: machines that work in a workspace with the scopes of a role."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.credentials import (
    SERVICE_ACCOUNT,
    already_rotated,
    new_credential,
    require_future,
    require_rotatable,
    stored,
)
from spectral.domains.keys.models import ServiceAccount
from spectral.domains.keys.peppers import Peppers
from spectral.domains.keys.repository import ServiceAccountRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page


class ServiceAccountService:
    """The service accounts of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, lifetime_days: int) -> None:
        self._session = session
        self._access = access
        self._peppers = peppers
        self._lifetime = timedelta(days=lifetime_days)
        self._repository = ServiceAccountRepository(session, access)

    @property
    def default_expiry(self) -> datetime:
        return utc_now() + self._lifetime

    async def create_service_account(
        self, name: str, role: str, expires_at: datetime | None, created_by: UUID | None, *, approve: bool
    ) -> tuple[ServiceAccount, str]:
        """A new service account and its key, which is not kept.

        Raises BusinessRuleViolationError for a past expiry, and ForbiddenError for `approve` by somebody who may not
        approve themselves.
        """
        require_future(expires_at, utc_now())
        if approve:
            self._access.require(Scope.APPROVE_AGENTS)
        plaintext = new_credential(SERVICE_ACCOUNT)
        made = ServiceAccount(
            id=new_id(),
            name=name,
            role=role,
            approve=approve,
            created_by=created_by,
            expires_at=expires_at,
            **stored(plaintext, self._peppers),
        )
        self._repository.add(made)
        await self._repository.flush()
        ends = expires_at.isoformat() if expires_at else None
        await self._audit(made, "service_account.created", {"name": name, "role": role, "expires_at": ends})
        if approve:
            await self._audit(made, "service_account.approval_granted", {"name": name})
        return made, plaintext

    async def list_service_accounts(self, page: Page) -> tuple[Sequence[ServiceAccount], int]:
        """One page of them, revoked ones included, newest first."""
        return await self._repository.page(self._repository.select(), page)

    async def read_service_account(self, service_account_id: UUID) -> ServiceAccount:
        """Raises NotFoundError."""
        return await self._repository.get(service_account_id)

    async def rotate_service_account(
        self, service_account_id: UUID, overlap: timedelta, expires_at: datetime | None, created_by: UUID | None
    ) -> tuple[ServiceAccount, str]:
        """A successor with the same name and rights, and its key; the old one ends with the overlap or before.

        Raises NotFoundError, InvalidTransitionError for one that has ended or was rotated before,
        BusinessRuleViolationError for a past expiry, and ForbiddenError where it may approve and the caller may not.
        """
        now = utc_now()
        require_future(expires_at, now)
        old = await self._repository.get(service_account_id)
        require_rotatable(old, now)
        if old.approve:
            # Whoever rotates holds the new key, and with it the right.
            self._access.require(Scope.APPROVE_AGENTS)
        plaintext = new_credential(SERVICE_ACCOUNT)
        successor = ServiceAccount(
            id=new_id(),
            name=old.name,
            role=old.role,
            approve=old.approve,
            created_by=created_by,
            expires_at=expires_at,
            rotated_from=old.id,
            **stored(plaintext, self._peppers),
        )
        ends_at = min(now + overlap, old.expires_at or now + overlap)
        if not await self._repository.succeed(old, successor, ends_at):
            raise already_rotated(old)
        detail = {"name": old.name, "rotated_to": str(successor.id), "ends_at": ends_at.isoformat()}
        await self._audit(old, "service_account.rotated", detail)
        return successor, plaintext

    async def revoke_service_account(self, service_account_id: UUID) -> None:
        """It opens nothing any more, in this process at once, elsewhere within a second; again is harmless.

        Raises NotFoundError.
        """
        found = await self._repository.get(service_account_id)
        if found.revoked_at is None:
            found.revoked_at = utc_now()
            await self._repository.flush()
            await self._audit(found, "service_account.revoked", {"name": found.name})

    async def _audit(self, found: ServiceAccount, action: str, detail: dict[str, Any]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"service_account:{found.id}",
            detail=detail,
        )
