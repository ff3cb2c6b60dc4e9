"""Invites into an account: sent, listed, taken back. Accepting one is `joining.py`."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.errors import AlreadyMemberError
from spectral.domains.accounts.members import MemberService
from spectral.domains.accounts.models import Account
from spectral.domains.accounts.service import AccountService, normalised_email
from spectral.domains.workspaces.errors import InvitePendingError, TooManyInvitesError
from spectral.domains.workspaces.models import Invite
from spectral.domains.workspaces.people_repository import InviteRepository
from spectral.platform import audit
from spectral.platform.access.principal import Principal
from spectral.platform.access.scopes import AccountRole, WorkspaceRole
from spectral.platform.mail.outbox import one_line, post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import InvalidTransitionError, NotFoundError
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.shared.tokens import opaque_token, token_hash

ACCEPTED = "accepted"
REVOKED = "revoked"
EXPIRED = "expired"
PENDING = "pending"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class InviteTerms:
    """How long an invite can be accepted, and how many an account may mail within a day."""

    lifetime: timedelta
    per_day: int


class InviteService:
    """The invites of the caller's account, in the caller's transaction.

    mail_box: seals what is mailed until it is sent.  address: where the link in the mail leads, without a slash at
    its end.
    """

    def __init__(self, session: AsyncSession, mail_box: SecretBox, address: str, terms: InviteTerms) -> None:
        self._session = session
        self._mail_box = mail_box
        self._address = address
        self._terms = terms
        self._repository = InviteRepository(session)

    async def create_invite(
        self, principal: Principal, email: str, role: AccountRole, workspaces: Sequence[tuple[UUID, WorkspaceRole]]
    ) -> tuple[Invite, str]:
        """An open invite and its token, which is mailed and not kept.

        Raises AlreadyMemberError, InvitePendingError, TooManyInvitesError; NotFoundError for a workspace that is not
        the account's.
        """
        account = await AccountService(self._session).read_chosen_account(principal)
        if await MemberService(self._session).is_member(account.id, email):
            raise AlreadyMemberError("Somebody with this e-mail address belongs to the account already")
        await self._require_workspaces(account.id, [workspace_id for workspace_id, _ in workspaces])
        now = utc_now()
        await self._require_moderation(account.id, now)
        token = opaque_token()
        invite = Invite(
            account_id=account.id,
            email=normalised_email(email),
            role=role,
            workspaces=[{"workspace_id": str(workspace_id), "role": inside} for workspace_id, inside in workspaces],
            token_hash=token_hash(token),
            invited_by=principal.user_id,
            created_at=now,
            expires_at=now + self._terms.lifetime,
        )
        await self._repository.close_expired(account.id, invite.email, now)
        pending = InvitePendingError("There is an open invite for this e-mail address; revoke it to send another")
        await self._repository.add(invite, pending)
        await self._audit(
            invite, principal, "invite.created", {"email": invite.email, "role": role, "workspaces": invite.workspaces}
        )
        await self._mail(account, invite, token)
        return invite, token

    async def list_invites(self, principal: Principal, page: Page) -> tuple[Sequence[Invite], int]:
        """One page of the account's invites, closed ones included, newest first."""
        account = await AccountService(self._session).read_chosen_account(principal)
        return await self._repository.page(account.id, page)

    async def read_invite(self, principal: Principal, invite_id: UUID) -> Invite:
        """Raises NotFoundError."""
        account = await AccountService(self._session).read_chosen_account(principal)
        invite = await self._repository.find(account.id, invite_id)
        if invite is None:
            raise NotFoundError("Invite", invite_id)
        return invite

    async def revoke_invite(self, principal: Principal, invite_id: UUID) -> None:
        """The invite cannot be accepted any more; again is harmless.

        Raises NotFoundError; InvalidTransitionError when it was accepted.
        """
        invite = await self.read_invite(principal, invite_id)
        if await self._repository.close(invite.account_id, invite.id, REVOKED, utc_now()):
            await self._audit(invite, principal, "invite.revoked", {"email": invite.email})
            return
        await self._session.refresh(invite)
        if invite.outcome == ACCEPTED:
            raise InvalidTransitionError("The invite was accepted; remove the member instead")

    async def _require_moderation(self, account_id: UUID, now: datetime) -> None:
        """Invites go to addresses of strangers: nobody shall mail as many as they like from here."""
        made, first = await self._repository.made_since(account_id, now - DAY)
        if made >= self._terms.per_day and first is not None:
            raise TooManyInvitesError(self._terms.per_day, math.ceil((first + DAY - now).total_seconds()))

    async def _require_workspaces(self, account_id: UUID, wanted: Sequence[UUID]) -> None:
        known = await self._repository.workspaces_of(account_id, wanted)
        for workspace_id in wanted:
            if workspace_id not in known:
                raise NotFoundError("Workspace", workspace_id)

    async def _mail(self, account: Account, invite: Invite, token: str) -> None:
        # A customer's name may hold anything; in a mail it stays on its line.
        name = one_line(account.name)
        await post_mail(
            self._session,
            self._mail_box,
            to=invite.email,
            subject=f"You are invited to {name} on Spectral",
            text=(
                f"You are invited to join {name} on Spectral as {_article(invite.role)}.\n\n"
                f"Accept until {invite.expires_at:%d %B %Y, %H:%M} UTC:\n"
                f"{self._address}/invites/accept#token={token}\n\n"
                "The link works once, for whoever signs in with this e-mail address. If you did not expect it, "
                "ignore this mail.\n"
            ),
        )

    async def _audit(self, invite: Invite, principal: Principal, action: str, detail: dict[str, object]) -> None:
        await audit.record(
            self._session,
            account_id=invite.account_id,
            actor=principal.actor,
            action=action,
            subject=f"invite:{invite.id}",
            detail=detail,
        )


def status_of(invite: Invite, moment: datetime) -> str:
    """`pending`, `accepted`, `expired` or `revoked` at that moment."""
    if invite.outcome is not None:
        return invite.outcome
    return EXPIRED if invite.expires_at <= moment else PENDING


def _article(role: str) -> str:
    return f"an {role}" if role == AccountRole.OWNER else f"a {role}"
