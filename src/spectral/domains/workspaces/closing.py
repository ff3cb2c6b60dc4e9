"""The end of an account whose workspaces are gone: its people who belong to no other one go with it."""

from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from spectral.domains.accounts.models import Account, AccountMember, Deletion, User
from spectral.domains.workspaces.models import Workspace
from spectral.platform import audit
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now

ACTOR = "system:account.delete"


async def close_account(identity: Database, account_id: UUID) -> bool:
    """Whether the account is gone now: it is being deleted, and has no workspace any more. Its audit log stays.

    identity: the database as the authentication role; people and their credentials are not the application's to delete.
    """
    async with identity.transaction() as session:
        # Of two workspaces that end at once the later one finds the earlier one gone.
        found = sa.select(Account).where(Account.id == account_id, Account.deleting_at.is_not(None))
        account = (await session.scalars(found.with_for_update())).one_or_none()
        if account is None or await _has_workspace(session, account_id):
            return False
        people = await _delete_people(session, account_id)
        deletion = await _open_deletion(session, account_id)
        if deletion is not None:
            deletion.state, deletion.finished_at = "done", utc_now()
            deletion.rows_deleted = people
        await audit.record(
            session,
            account_id=account_id,
            actor=ACTOR,
            action="account.deleted",
            subject=f"account:{account_id}",
            detail={"name": account.name, "people_deleted": people}
            | ({"requested_by": deletion.requested_by} if deletion else {}),
        )
        await session.execute(sa.delete(Account).where(Account.id == account_id))
    return True


async def accounts_being_deleted(identity: Database) -> list[Deletion]:
    """The deletions of accounts that have not ended, oldest first."""
    return await _unfinished(identity, "account")


async def workspaces_being_deleted(identity: Database) -> list[Deletion]:
    """The deletions of workspaces that have not ended, oldest first."""
    return await _unfinished(identity, "workspace")


async def _unfinished(identity: Database, kind: str) -> list[Deletion]:
    async with identity.transaction(read_only=True) as session:
        found = sa.select(Deletion).where(Deletion.kind == kind, Deletion.state != "done")
        return list((await session.scalars(found.order_by(Deletion.created_at))).all())


async def _has_workspace(session: AsyncSession, account_id: UUID) -> bool:
    found = sa.select(Workspace.id).where(Workspace.account_id == account_id).limit(1)
    return (await session.execute(found)).first() is not None


async def _delete_people(session: AsyncSession, account_id: UUID) -> int:
    """Delete who belongs to this account only, with their sessions and credentials; answers how many they were."""
    members = sa.select(AccountMember.user_id).where(AccountMember.account_id == account_id)
    # Two accounts that end at once must not each leave a common member to the other.
    await session.execute(sa.select(User.id).where(User.id.in_(members)).order_by(User.id).with_for_update())
    other = aliased(AccountMember)
    elsewhere = sa.select(other.user_id).where(other.user_id == User.id, other.account_id != account_id)
    deleted = await session.execute(
        sa.delete(User)
        .where(User.id.in_(members), ~elsewhere.exists())
        .returning(User.id)
        .execution_options(synchronize_session=False)
    )
    return len(deleted.all())


async def _open_deletion(session: AsyncSession, account_id: UUID) -> Deletion | None:
    found = sa.select(Deletion).where(
        Deletion.kind == "account", Deletion.subject_id == account_id, Deletion.state != "done"
    )
    return (await session.scalars(found)).one_or_none()
