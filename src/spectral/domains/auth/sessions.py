"""Sessions: opened for whoever has proved who they are, refreshed, listed and ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Self
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.errors import RefreshRefusedError
from spectral.domains.auth.models import PASSWORD, RefreshToken, UserSession
from spectral.domains.auth.repository import SessionRepository
from spectral.domains.auth.trail import record_for_person
from spectral.domains.workspaces.service import WorkspaceService
from spectral.platform.access.signing import TokenSigner
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.tokens import opaque_token, token_hash
from spectral.settings import Settings

AUDIENCE = "spectral-api"
TOKEN_KIND = "access"  # noqa: S105 - the `typ` claim, not a secret


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens live, in seconds; session_s: how long a session does, however often it is refreshed."""

    access_s: int
    refresh_s: int
    session_s: int

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(settings.access_token_lifetime_s, settings.refresh_token_lifetime_s, settings.session_lifetime_s)


@dataclass(frozen=True, slots=True)
class Device:
    """Where a request came from, as far as the request tells."""

    user_agent: str | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Tokens and where they lead: the person's first account and newest workspace, where there are any.

    Lifetimes are seconds.
    """

    access_token: str
    refresh_token: str
    expires_in: int
    user_id: UUID
    account_id: UUID | None
    workspace_id: UUID | None
    refresh_expires_in: int


class Sessions:
    """identity: the database as the authentication role."""

    def __init__(self, identity: Database, signer: TokenSigner, lifetimes: Lifetimes) -> None:
        self._identity = identity
        self._signer = signer
        self._lifetimes = lifetimes

    async def ready(self) -> None:
        """There is a key to sign with; awaited before a transaction in which `open` is called."""
        await self._signer.ready()

    async def open(
        self,
        session: AsyncSession,
        user_id: UUID,
        device: Device,
        *,
        method: str = PASSWORD,
        stepped_up: bool = False,
        account_id: UUID | None = None,
        workspace_id: UUID | None = None,
    ) -> SignedIn:
        """A session of this person, in the caller's transaction. stepped_up: they have shown their second factor."""
        now = utc_now()
        opened = UserSession(
            user_id=user_id,
            user_agent=device.user_agent[:300] if device.user_agent else None,
            address=device.address[:45] if device.address else None,
            method=method,
            created_at=now,
            last_seen_at=now,
            stepped_up_at=now if stepped_up else None,
        )
        await SessionRepository(session).add_session(opened)
        return await self._issue(session, opened, now, account_id, workspace_id)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """New tokens for a refresh token, which is spent by this.

        A spent token that comes back was stolen, or its successor was: the whole session ends, and that is committed
        before RefreshRefusedError is raised.
        """
        await self.ready()
        now = utc_now()
        async with self._identity.transaction() as session:
            repository = SessionRepository(session)
            found = await repository.token(token_hash(refresh_token))
            if found is not None:
                token, opened = found
                usable = token.expires_at > now and opened.revoked_at is None and self.ends_at(opened) > now
                if usable and await repository.spend(token.id, now):
                    await repository.touch(opened.id, now)
                    return await self._issue(session, opened, now)
                reused = token.spent_at is not None or usable
                if reused and await repository.revoke(opened.user_id, opened.id, now):
                    await record_for_person(
                        session, opened.user_id, "auth.refresh_reused", subject=f"session:{opened.id}"
                    )
        raise RefreshRefusedError

    async def list_sessions(self, user_id: UUID, page: Page) -> tuple[Sequence[UserSession], int]:
        """One page of the person's sessions that go on, lately used first."""
        now = utc_now()
        seen_after = now - timedelta(seconds=self._lifetimes.refresh_s)
        opened_after = now - timedelta(seconds=self._lifetimes.session_s)
        async with self._identity.transaction(read_only=True) as session:
            return await SessionRepository(session).live(user_id, seen_after, opened_after, page)

    async def log_out(self, user_id: UUID, session_id: UUID) -> int:
        """End the session of this access token; answers how many ended."""
        async with self._identity.transaction() as session:
            if not await SessionRepository(session).revoke(user_id, session_id, utc_now()):
                return 0
            await record_for_person(session, user_id, "auth.signed_out", subject=f"session:{session_id}")
        return 1

    async def end_session(self, user_id: UUID, session_id: UUID) -> None:
        """End one of the person's sessions. Raises NotFoundError, also for one that has ended."""
        async with self._identity.transaction() as session:
            if not await SessionRepository(session).revoke(user_id, session_id, utc_now()):
                raise NotFoundError("Session", session_id)
            await record_for_person(session, user_id, "auth.session_revoked", subject=f"session:{session_id}")

    async def end_others(self, user_id: UUID, kept: UUID) -> int:
        """End every session of the person but this one; answers how many."""
        async with self._identity.transaction() as session:
            ended = await SessionRepository(session).revoke_all(user_id, utc_now(), kept=kept)
            await record_for_person(session, user_id, "auth.sessions_revoked", detail={"ended": ended})
        return ended

    async def end_all(self, user_id: UUID, actor: str) -> int:
        """End every session of the person, as whoever runs the installation may; answers how many."""
        async with self._identity.transaction() as session:
            ended = await SessionRepository(session).revoke_all(user_id, utc_now())
            if ended:
                detail = {"ended": ended}
                await record_for_person(session, user_id, "auth.sessions_revoked", detail=detail, actor=actor)
        return ended

    async def end_everyones(self, actor: str) -> int:
        """End every session of everybody; answers how many."""
        async with self._identity.transaction(read_only=True) as session:
            people = await SessionRepository(session).signed_in()
        return sum([await self.end_all(user_id, actor) for user_id in people])

    def ends_at(self, opened: UserSession) -> datetime:
        """When the session ends, however often it is refreshed."""
        return opened.created_at + timedelta(seconds=self._lifetimes.session_s)

    async def _issue(
        self,
        session: AsyncSession,
        opened: UserSession,
        now: datetime,
        account_id: UUID | None = None,
        workspace_id: UUID | None = None,
    ) -> SignedIn:
        if account_id is None:
            memberships = await AccountService(session).memberships(opened.user_id)
            account_id = memberships[0].account.id if memberships else None
        if workspace_id is None:
            standings, _total = await WorkspaceService(session).list_workspaces(opened.user_id)
            workspace_id = standings[0].workspace.id if standings else None
        expires_at = min(now + timedelta(seconds=self._lifetimes.refresh_s), self.ends_at(opened))
        refresh_token = opaque_token()
        await SessionRepository(session).add_token(
            RefreshToken(session_id=opened.id, token_hash=token_hash(refresh_token), expires_at=expires_at)
        )
        access_token = self._signer.sign(
            audience=AUDIENCE,
            kind=TOKEN_KIND,
            issued_at=int(now.timestamp()),
            lifetime_s=self._lifetimes.access_s,
            claims={"sub": str(opened.user_id), "sid": str(opened.id), "jti": str(new_id())},
        )
        return SignedIn(
            access_token=access_token,
            refresh_token=refresh_token,
            expires_in=self._lifetimes.access_s,
            user_id=opened.user_id,
            account_id=account_id,
            workspace_id=workspace_id,
            refresh_expires_in=int((expires_at - now).total_seconds()),
        )
