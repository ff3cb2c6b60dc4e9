"""Accepting an invite: the one way into an account that somebody else opened."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.members import MemberService
from spectral.domains.accounts.models import Account
from spectral.domains.accounts.service import AccountService, normalised_email
from spectral.domains.workspaces.errors import InviteForSomebodyElseError, InviteNotValidError
from spectral.domains.workspaces.invites import ACCEPTED, EXPIRED, PENDING, REVOKED, status_of
from spectral.domains.workspaces.models import Invite
from spectral.domains.workspaces.people_repository import InviteRepository
from spectral.platform import audit
from spectral.platform.access.scopes import AccountRole, WorkspaceRole
from spectral.platform.db.session import Database, bind_account
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.tokens import token_hash

REFUSALS = {
    ACCEPTED: "The invite was used already",
    EXPIRED: "The invite has expired; ask for another",
    REVOKED: "The invite was taken back",
}


@dataclass(frozen=True, slots=True)
class Joined:
    """What somebody belongs to now, by an invite."""

    account: Account
    role: AccountRole
    workspaces: list[tuple[UUID, WorkspaceRole]]


class JoinService:
    """Lets people into accounts. The transaction is the authentication role's: its bearer belongs nowhere yet.

    Whoever calls this lets a refusal out of the transaction, so that nothing of it stays, and then calls
    `note_refusal`.
    """

    def __init__(self, session: AsyncSession) -> None:
        self._session = session
        self._repository = InviteRepository(session)

    async def accept(self, token: str, user_id: UUID, email: str) -> Account:
        """As `join`; answers the account."""
        return (await self.join(token, user_id, email)).account

    async def join(self, token: str, user_id: UUID, email: str) -> Joined:
        """The person belongs to the account of the invite, and to the workspaces it names that still exist.

        email: the person's own, as their sign-in proved it. Accepting says nothing about the mailbox: who sent the
        invite knows its token too.
        Raises InviteNotValidError, InviteForSomebodyElseError, AlreadyMemberError.
        """
        now = utc_now()
        invite = await self._repository.by_token(token_hash(token))
        if invite is None:
            raise InviteNotValidError("There is no invite with this token")
        account = await AccountService(self._session).find_account(invite.account_id)
        status = status_of(invite, now)
        if status != PENDING:
            raise InviteNotValidError(REFUSALS[status], invite.account_id, invite.id)
        if account is None or account.deleting_at is not None:
            raise InviteNotValidError("The account of the invite is being deleted")
        if normalised_email(email) != invite.email:
            raise InviteForSomebodyElseError(invite.account_id, invite.id)
        # Several may have come this far with the same token; one of them closes it.
        if not await self._repository.close(account.id, invite.id, ACCEPTED, now):
            await self._session.refresh(invite)
            raise InviteNotValidError(REFUSALS[status_of(invite, now)], account.id, invite.id)
        await bind_account(self._session, account.id)
        role = AccountRole(invite.role)
        await MemberService(self._session).add_member(account.id, user_id, role)
        entered = await self._enter(invite, user_id)
        await audit.record(
            self._session,
            account_id=account.id,
            actor=f"user:{user_id}",
            action="invite.accepted",
            subject=f"invite:{invite.id}",
            detail={"email": invite.email, "role": role, "workspaces": [str(found) for found, _ in entered]},
        )
        return Joined(account, role, entered)

    async def _enter(self, invite: Invite, user_id: UUID) -> list[tuple[UUID, WorkspaceRole]]:
        named = [(UUID(entry["workspace_id"]), WorkspaceRole(entry["role"])) for entry in invite.workspaces]
        there = await self._repository.workspaces_of(invite.account_id, [workspace_id for workspace_id, _ in named])
        entered = [(workspace_id, role) for workspace_id, role in named if workspace_id in there]
        for workspace_id, role in entered:
            await self._repository.enter(workspace_id, user_id, role)
        return entered


async def accept_invite(identity: Database, token: str, user_id: UUID) -> Joined:
    """As `JoinService.join` for somebody who is signed in, in a transaction of its own; refusals are in the audit log.

    identity: the database as the authentication role.
    """
    try:
        async with identity.transaction() as session:
            user = await AccountService(session).read_user(user_id)
            return await JoinService(session).join(token, user_id, user.email)
    except (InviteNotValidError, InviteForSomebodyElseError) as refused:
        await note_refusal(identity, refused, f"user:{user_id}")
        raise


async def note_refusal(
    identity: Database, refused: InviteNotValidError | InviteForSomebodyElseError, actor: str
) -> None:
    """The account's audit log holds that its invite was tried in vain; a token of no invite concerns no account."""
    if refused.account_id is None:
        return
    async with identity.transaction() as session:
        await bind_account(session, refused.account_id)
        await audit.record(
            session,
            account_id=refused.account_id,
            actor=actor,
            action="invite.refused",
            subject=f"invite:{refused.invite_id}",
            detail={"reason": refused.detail},
        )
