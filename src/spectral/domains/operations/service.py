"""What operations staff does about customers, each step of it in the customer's own audit log."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.operations.repository import CustomerAccount, CustomerRepository
from spectral.domains.workspaces.deletions import DeletionLog, DeletionService, Progress
from spectral.domains.workspaces.models import SupportGrant
from spectral.domains.workspaces.support import SupportService, told
from spectral.platform import audit
from spectral.platform.access.authentication import Authenticator
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import WorkspaceRole
from spectral.platform.db.session import Database
from spectral.platform.engine.engine import Engine
from spectral.platform.shared.errors import BusinessRuleViolationError, ForbiddenError
from spectral.platform.shared.pagination import Page


class CustomerService:
    """Customers' accounts from outside, and grants that let staff in.

    session: the request's, which is bound to the staff's own account.  identity: the database as the authentication
    role, which sees every account's people.  What touches a customer is a short transaction of its own.
    """

    def __init__(
        self,
        session: AsyncSession,
        database: Database,
        identity: Database,
        engine: Engine,
        authenticator: Authenticator,
    ) -> None:
        self._session = session
        self._database = database
        self._identity = identity
        self._engine = engine
        self._authenticator = authenticator

    async def list_accounts(self, page: Page) -> tuple[Sequence[CustomerAccount], int]:
        """One page of all accounts, newest first."""
        async with self._identity.transaction(read_only=True) as session:
            return await CustomerRepository(session).accounts(page)

    async def delete_account(self, staff: Principal, account_id: UUID, confirm: str | None) -> Progress:
        """As its owner would. Raises NotFoundError, InvalidTransitionError, DeletionNotConfirmedError.

        Raises BusinessRuleViolationError for an account of one's own.
        """
        async with self._identity.transaction(read_only=True) as session:
            if await CustomerRepository(session).is_member(account_id, staff.user_id):
                raise BusinessRuleViolationError("You belong to this account; its owner deletes it with DELETE account")
        async with self._database.transaction(account_id=account_id) as session:
            service = DeletionService(session, self._identity, self._engine)
            progress = await service.delete_account(account_id, confirm, staff.actor)
        self._authenticator.forget()
        return progress

    async def list_deletions(self, page: Page) -> tuple[Sequence[Progress], int]:
        """One page of every account's deletions, newest first."""
        async with self._identity.transaction(read_only=True) as session:
            return await DeletionLog(session, None).list_deletions(page)

    async def read_deletion(self, deletion_id: UUID) -> Progress:
        """Raises NotFoundError."""
        async with self._identity.transaction(read_only=True) as session:
            return await DeletionLog(session, None).read_deletion(deletion_id)

    async def list_grants(self, page: Page) -> tuple[Sequence[SupportGrant], int]:
        """One page of everybody's grants, newest first."""
        async with self._identity.transaction(read_only=True) as session:
            return await SupportService(session).list_all(page)

    async def read_grant(self, grant_id: UUID) -> SupportGrant:
        """Raises NotFoundError."""
        async with self._identity.transaction(read_only=True) as session:
            return await SupportService(session).read(grant_id)

    async def give_grant(
        self, staff: Principal, workspace_id: UUID, *, role: WorkspaceRole, reason: str, minutes: int
    ) -> SupportGrant:
        """The caller may enter this workspace for a while. Raises as `SupportService.give`."""
        if staff.user_id is None:
            raise ForbiddenError("A grant is given to a person")
        async with self._identity.transaction() as session:
            grant = await SupportService(session).give(
                workspace_id, staff.user_id, role=role, reason=reason, minutes=minutes
            )
        await self._note(staff, grant, "support_grant.taken")
        self._authenticator.forget()
        return grant

    async def end_grant(self, staff: Principal, grant_id: UUID) -> None:
        """Nobody enters by this grant any more; again is harmless. Raises NotFoundError."""
        async with self._identity.transaction() as session:
            await SupportService(session).end(grant_id, staff.actor)
        self._authenticator.forget()

    async def _note(self, staff: Principal, grant: SupportGrant, action: str) -> None:
        """The staff's own account has it on record too, in the request's transaction, which also keeps the answer."""
        if staff.account_id is not None:
            await audit.record(
                self._session,
                account_id=staff.account_id,
                actor=staff.actor,
                action=action,
                subject=f"support_grant:{grant.id}",
                detail=told(grant) | {"workspace_id": str(grant.workspace_id)},
            )
