"""Queries over API keys and service accounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar, TypeVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import Account
from spectral.domains.keys.models import ApiKey, ServiceAccount, WorkspaceCredential
from spectral.domains.workspaces.models import Workspace
from spectral.platform.db.repository import WorkspaceRepository

C = TypeVar("C", bound=WorkspaceCredential)


class CredentialRepository(WorkspaceRepository[C]):
    """The credentials of one kind in one workspace."""

    async def succeed(self, old: C, successor: C, ends_at: datetime) -> bool:
        """Put the successor beside the old one, which ends at `ends_at`; False when another one was faster."""
        waiting = (self.model.id == old.id, self.model.rotated_to.is_(None), self.model.revoked_at.is_(None))
        values = {"rotated_to": successor.id, "expires_at": ends_at}
        if await self.execute(self.update(*waiting).values(values)) == 0:
            return False
        self.add(successor)
        await self.flush()
        return True


class ApiKeyRepository(CredentialRepository[ApiKey]):
    """The keys of one workspace."""

    model: ClassVar[type[ApiKey]] = ApiKey
    kind = "API key"


class ServiceAccountRepository(CredentialRepository[ServiceAccount]):
    """The service accounts of one workspace."""

    model: ClassVar[type[ServiceAccount]] = ServiceAccount
    kind = "Service account"


def by_hash(model: type[WorkspaceCredential], hashes: Sequence[str]) -> sa.Select[Any]:
    """The credential with one of these hashes and the account of its workspace, unless that is being deleted.

    Its columns and `account_id`; found before there is a workspace to be bound to.
    """
    return _with_account(model).where(model.key_hash.in_(hashes))


def by_id(model: type[WorkspaceCredential], credential_id: UUID) -> sa.Select[Any]:
    """As `by_hash`, of a credential that was shown before."""
    return _with_account(model).where(model.id == credential_id)


def _with_account(model: type[WorkspaceCredential]) -> sa.Select[Any]:
    return (
        sa.select(model.__table__, Workspace.account_id)  # type: ignore[attr-defined]
        .join(Workspace, Workspace.id == model.workspace_id)
        .join(Account, Account.id == Workspace.account_id)
        .where(Workspace.deleting_at.is_(None), Account.deleting_at.is_(None))
        .limit(1)
    )


async def note_use(
    session: AsyncSession,
    model: type[WorkspaceCredential],
    workspace_id: UUID,
    credential_id: UUID,
    *,
    moment: datetime,
    throttle: timedelta,
) -> None:
    """Note when it was last used, unless another process did so less than `throttle` ago."""
    await session.execute(
        sa.update(model)
        .where(
            model.workspace_id == workspace_id,
            model.id == credential_id,
            sa.or_(model.last_used_at.is_(None), model.last_used_at <= moment - throttle),
        )
        .values(last_used_at=moment)
    )


async def renew_hash(
    session: AsyncSession,
    model: type[WorkspaceCredential],
    workspace_id: UUID,
    credential_id: UUID,
    *,
    known: str,
    renewed: str,
    pepper_id: str,
) -> None:
    """Store it under another pepper; nothing where `known` is not its hash any more."""
    await session.execute(
        sa.update(model)
        .where(model.workspace_id == workspace_id, model.id == credential_id, model.key_hash == known)
        .values(key_hash=renewed, pepper_id=pepper_id)
    )
