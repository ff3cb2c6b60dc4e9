"""Operations staff in a customer's workspace: for a while, for a reason, seen and ended by the customer."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import AccountMember
from spectral.domains.accounts.service import AccountService
from spectral.domains.workspaces.errors import SupportGrantOpenError
from spectral.domains.workspaces.models import SupportGrant, Workspace
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import WorkspaceRole
from spectral.platform.db.constraints import translating
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, NotFoundError
from spectral.platform.shared.pagination import Page

LONGEST_MINUTES = 480


class SupportService:
    """Support grants; every one, and its end, stands in the customer's audit log.

    session: the authentication role's where staff gives a grant or looks across accounts, else one that is bound to
    the customer's account.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def give(
        self, workspace_id: UUID, user_id: UUID, *, role: WorkspaceRole, reason: str, minutes: int
    ) -> SupportGrant:
        """This person may enter the workspace for as many minutes.

        Raises NotFoundError, SupportGrantOpenError, and BusinessRuleViolationError in an account of their own, where
        its owners decide what they may do.
        """
        now = utc_now()
        account_id = await self._customer(workspace_id)
        if await self._session.get(AccountMember, (account_id, user_id)) is not None:
            raise BusinessRuleViolationError("You belong to this account: its owners decide what you may do in it")
        user = await AccountService(self._session).read_user(user_id)
        await self._session.execute(
            sa.update(SupportGrant)
            .where(
                SupportGrant.workspace_id == workspace_id,
                SupportGrant.user_id == user_id,
                SupportGrant.ended_at.is_(None),
                SupportGrant.expires_at <= now,
            )
            .values(ended_at=SupportGrant.expires_at)
            .execution_options(synchronize_session=False)
        )
        grant = SupportGrant(
            account_id=account_id,
            workspace_id=workspace_id,
            user_id=user_id,
            email=user.email,
            role=role,
            reason=reason,
            created_at=now,
            expires_at=now + timedelta(minutes=minutes),
        )
        self._session.add(grant)
        async with translating({"uq_support_grant_open": SupportGrantOpenError()}):
            await self._session.flush()
        await self._audit(grant, f"user:{user_id}", "support_grant.given")
        return grant

    async def list_all(self, page: Page) -> tuple[Sequence[SupportGrant], int]:
        """One page of every account's grants, newest first; for staff."""
        return await self._page(sa.select(SupportGrant), page)

    async def list_in(self, access: WorkspaceAccess, page: Page) -> tuple[Sequence[SupportGrant], int]:
        """One page of a workspace's grants, newest first."""
        return await self._page(sa.select(SupportGrant).where(_of(access)), page)

    async def read_in(self, access: WorkspaceAccess, grant_id: UUID) -> SupportGrant:
        """Raises NotFoundError."""
        return await self._find(grant_id, _of(access))

    async def end_in(self, access: WorkspaceAccess, grant_id: UUID) -> None:
        """The customer ends a grant; again is harmless. Raises NotFoundError."""
        await self._end(await self._find(grant_id, _of(access)), access.actor)

    async def read(self, grant_id: UUID) -> SupportGrant:
        """Any account's grant; for staff. Raises NotFoundError."""
        return await self._find(grant_id)

    async def end(self, grant_id: UUID, actor: str) -> SupportGrant:
        """Staff ends a grant; again is harmless. Raises NotFoundError."""
        grant = await self._find(grant_id)
        await self._end(grant, actor)
        return grant

    async def count_open(self, access: WorkspaceAccess) -> int:
        """How many people of the operations staff may enter the workspace now."""
        statement = (
            sa.select(sa.func.count())
            .select_from(SupportGrant)
            .where(_of(access), SupportGrant.ended_at.is_(None), SupportGrant.expires_at > utc_now())
        )
        return int((await self._session.execute(statement)).scalar_one())

    async def _customer(self, workspace_id: UUID) -> UUID:
        """The account of a workspace that is not being deleted."""
        found = sa.select(Workspace.account_id).where(Workspace.id == workspace_id, Workspace.deleting_at.is_(None))
        account_id = (await self._session.execute(found)).scalar_one_or_none()
        if account_id is None:
            raise NotFoundError("Workspace", workspace_id)
        return account_id

    async def _page(self, found: sa.Select[tuple[SupportGrant]], page: Page) -> tuple[Sequence[SupportGrant], int]:
        counted = sa.select(sa.func.count()).select_from(found.subquery())
        total = (await self._session.execute(counted)).scalar_one()
        newest = found.order_by(SupportGrant.created_at.desc(), SupportGrant.id.desc())
        rows = (await self._session.scalars(newest.limit(page.limit).offset(page.offset))).all()
        return rows, total

    async def _find(self, grant_id: UUID, *where: sa.ColumnElement[bool]) -> SupportGrant:
        found = sa.select(SupportGrant).where(SupportGrant.id == grant_id, *where)
        grant = (await self._session.scalars(found)).one_or_none()
        if grant is None:
            raise NotFoundError("Support grant", grant_id)
        return grant

    async def _end(self, grant: SupportGrant, actor: str) -> None:
        if status_of(grant, utc_now()) == "open":
            grant.ended_at = utc_now()
            await self._session.flush()
            await self._audit(grant, actor, "support_grant.ended")

    async def _audit(self, grant: SupportGrant, actor: str, action: str) -> None:
        await audit.record(
            self._session,
            account_id=grant.account_id,
            workspace_id=grant.workspace_id,
            actor=actor,
            action=action,
            subject=f"support_grant:{grant.id}",
            detail=told(grant),
        )


def told(grant: SupportGrant) -> dict[str, object]:
    """Who, why and until when, for audit logs."""
    return {
        "email": grant.email,
        "role": str(grant.role),
        "reason": grant.reason,
        "expires_at": grant.expires_at.isoformat(),
    }


def status_of(grant: SupportGrant, moment: datetime) -> str:
    """`open`, `expired` or `ended` at that moment."""
    if grant.ended_at is not None:
        # One that was closed because its time was over had expired.
        return "ended" if grant.ended_at < grant.expires_at else "expired"
    return "open" if grant.expires_at > moment else "expired"


def _of(access: WorkspaceAccess) -> sa.ColumnElement[bool]:
    return SupportGrant.workspace_id == access.workspace_id
