"""What a session may do, read in one indexed query."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from spectral.domains.accounts.models import Account, AccountMember, User
from spectral.domains.auth.models import PASSWORD, UserSession
from spectral.domains.workspaces.models import SupportGrant, Workspace, WorkspaceMember
from spectral.domains.workspaces.standing import Roles
from spectral.platform.access.authentication import Target
from spectral.platform.access.principal import Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import ACCOUNT_SCOPES, AccountRole
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotAuthenticatedError


@dataclass(frozen=True, slots=True)
class Found:
    """One row of the query; the account's members are None where the person belongs to none that is meant."""

    method: str
    stepped_up_at: datetime | None
    second_factor_at: datetime | None
    account_id: UUID | None
    sso_provider: str | None
    second_factor_required_at: datetime | None
    account_role: str | None
    workspace_id: UUID | None
    workspace_role: str | None
    support_role: str | None
    account_deleting_at: datetime | None = None


async def read_rights(
    identity: Database,
    user_id: UUID,
    session_id: UUID,
    target: Target,
    *,
    now: datetime,
    step_up_lifetime: timedelta,
    second_factor_required: bool = False,
) -> Principal:
    """The principal behind a live session. Raises NotAuthenticatedError when the session has ended.

    second_factor_required: by the whole installation, whatever the account demands.
    """
    statement = _in_workspace(target.workspace_id, now) if target.workspace_id else _in_account(target.account_id)
    statement = statement.where(
        UserSession.id == session_id, UserSession.user_id == user_id, UserSession.revoked_at.is_(None)
    )
    rows = [Found(*row) for row in await identity.look_up(statement)]
    if not rows:
        raise NotAuthenticatedError("This session has ended; sign in again")
    return _principal(rows, user_id, session_id, now - step_up_lifetime, always_demanded=second_factor_required)


def _principal(
    rows: list[Found], user_id: UUID, session_id: UUID, stepped_up_after: datetime, *, always_demanded: bool
) -> Principal:
    first = rows[0]
    needs_step_up = first.second_factor_at is not None and (
        first.stepped_up_at is None or first.stepped_up_at < stepped_up_after
    )
    # Whoever comes from an identity provider has met that one's demands.
    lacks_factor = first.second_factor_at is None and first.method == PASSWORD
    if always_demanded and lacks_factor:
        # Wherever they want to go, so that it says nothing about what is there.
        return Principal(PrincipalKind.USER, session_id, None, user_id, second_factor_missing=True)
    # Without a named account or workspace, the only account there is; with several, none.
    found = first if len(rows) == 1 else None
    if found is None or found.account_id is None:
        return Principal(PrincipalKind.USER, session_id, None, user_id, needs_step_up=needs_step_up)
    if found.sso_provider is not None and found.method != f"sso:{found.sso_provider}":
        return Principal(
            PrincipalKind.USER,
            session_id,
            None,
            user_id,
            sso_provider=found.sso_provider,
            needs_step_up=needs_step_up,
        )
    if found.second_factor_required_at is not None and lacks_factor:
        return Principal(PrincipalKind.USER, session_id, None, user_id, second_factor_missing=True)
    return Principal(
        PrincipalKind.USER,
        session_id,
        found.account_id if found.account_role else None,
        user_id,
        ACCOUNT_SCOPES[AccountRole(found.account_role)] if found.account_role else frozenset(),
        _access(found, user_id),
        needs_step_up=needs_step_up,
        account_deleting=found.account_deleting_at is not None,
    )


def _access(found: Found, user_id: UUID) -> WorkspaceAccess | None:
    scopes = Roles(found.account_role, found.workspace_role, found.support_role).scopes
    if not scopes or found.workspace_id is None or found.account_id is None:
        return None
    return WorkspaceAccess(found.workspace_id, found.account_id, scopes, f"user:{user_id}")


_SESSION = (UserSession.method, UserSession.stepped_up_at, User.second_factor_at)


def _in_workspace(workspace_id: UUID, now: datetime) -> sa.Select[Any]:
    """A row for the session, with the person's standing in this workspace where they have one."""
    member = sa.and_(AccountMember.account_id == Workspace.account_id, AccountMember.user_id == UserSession.user_id)
    inside = sa.and_(WorkspaceMember.workspace_id == Workspace.id, WorkspaceMember.user_id == UserSession.user_id)
    staff = aliased(AccountMember)
    support = sa.and_(
        SupportGrant.workspace_id == Workspace.id,
        SupportGrant.user_id == UserSession.user_id,
        SupportGrant.ended_at.is_(None),
        SupportGrant.expires_at > now,
        # Whoever is not staff any more has lost every grant.
        sa.select(staff.user_id)
        .where(staff.user_id == SupportGrant.user_id, staff.role == AccountRole.OPERATIONS)
        .exists(),
    )
    entered = sa.and_(Workspace.id == workspace_id, Workspace.deleting_at.is_(None))
    return (
        sa.select(
            *_SESSION,
            Account.id,
            # A stranger to the account is told nothing about it.
            sa.case((AccountMember.role.is_not(None), Account.sso_provider)),
            sa.case((AccountMember.role.is_not(None), Account.second_factor_required_at)),
            AccountMember.role,
            Workspace.id,
            WorkspaceMember.role,
            SupportGrant.role,
        )
        .select_from(UserSession)
        .join(User, User.id == UserSession.user_id)
        .outerjoin(Workspace, entered)
        .outerjoin(Account, sa.and_(Account.id == Workspace.account_id, Account.deleting_at.is_(None)))
        .outerjoin(AccountMember, member)
        .outerjoin(WorkspaceMember, inside)
        .outerjoin(SupportGrant, support)
        .limit(1)
    )


def _in_account(account_id: UUID | None) -> sa.Select[Any]:
    """A row for each account of the person, of which there are two at most; only the named one where one is named."""
    member = AccountMember.user_id == UserSession.user_id
    if account_id is not None:
        member = sa.and_(member, AccountMember.account_id == account_id)
    nothing = sa.null()
    account = (Account.id, Account.sso_provider, Account.second_factor_required_at)
    return (
        sa.select(*_SESSION, *account, AccountMember.role, nothing, nothing, nothing, Account.deleting_at)
        .select_from(UserSession)
        .join(User, User.id == UserSession.user_id)
        .outerjoin(AccountMember, member)
        .outerjoin(Account, Account.id == AccountMember.account_id)
        .limit(2)
    )
