"""Signing up, signing in and out; who a person's token stands for."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import User
from spectral.domains.accounts.service import AccountService, Membership
from spectral.domains.auth.errors import RefreshRefusedError, WrongCredentialsError
from spectral.domains.auth.models import RefreshToken, UserSession
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.repository import SessionRepository
from spectral.domains.auth.rights import read_rights
from spectral.domains.workspaces.service import WorkspaceService
from spectral.domains.workspaces.standing import Standing
from spectral.platform import audit
from spectral.platform.access.authentication import Target
from spectral.platform.access.principal import Principal
from spectral.platform.db.session import Database, bind_account
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import NotAuthenticatedError
from spectral.platform.shared.ids import new_id
from spectral.platform.shared.tokens import InvalidTokenError, TokenSigner, opaque_token, token_hash

AUDIENCE = "spectral-api"
TOKEN_KIND = "access"  # noqa: S105 - the `typ` claim, not a secret


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """How long tokens live, in seconds."""

    access_s: int
    refresh_s: int


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Tokens and where they lead: the person's first account and newest workspace, where there are any."""

    access_token: str
    refresh_token: str
    expires_in: int
    user_id: UUID
    account_id: UUID | None
    workspace_id: UUID | None


@dataclass(frozen=True, slots=True)
class Profile:
    """A person with everything they may enter."""

    user: User
    memberships: list[Membership]
    standings: list[Standing]


class AuthService:
    """Hashing happens with no transaction open; facts that must outlive a refusal commit before the error is raised.

    identity: the database as the authentication role.
    """

    def __init__(self, identity: Database, signer: TokenSigner, passwords: Passwords, lifetimes: Lifetimes) -> None:
        self._identity = identity
        self._signer = signer
        self._passwords = passwords
        self._lifetimes = lifetimes

    async def register(self, email: str, password: str, tenant_name: str, user_agent: str | None) -> SignedIn:
        """An account, its owner and its first workspace. Raises WeakPasswordError, EmailTakenError."""
        self._passwords.require_strong(password, "/password")
        password_hash = await self._passwords.hash(password)
        async with self._identity.transaction() as session:
            account, user = await AccountService(session).open_account(tenant_name, email, password_hash)
            await bind_account(session, account.id)
            workspace = await WorkspaceService(session).create_first_workspace(account.id, f"user:{user.id}")
            await audit.record(
                session,
                account_id=account.id,
                actor=f"user:{user.id}",
                action="account.created",
                subject=f"account:{account.id}",
                detail={"name": tenant_name},
            )
            return await self._open_session(session, user.id, user_agent, account.id, workspace.id)

    async def log_in(self, email: str, password: str, user_agent: str | None) -> SignedIn:
        """Raises WrongCredentialsError, the same for a wrong password and an unknown address."""
        async with self._identity.transaction(read_only=True) as session:
            user = await AccountService(session).find_user_by_email(email)
            known = await AccountService(session).password_hash(user.id) if user else None
        if not await self._passwords.verify(known, password) or user is None or known is None:
            raise WrongCredentialsError
        renewed = await self._passwords.hash(password) if self._passwords.outdated(known) else None
        async with self._identity.transaction() as session:
            if renewed is not None:
                await AccountService(session).set_password_hash(user.id, renewed)
            return await self._open_session(session, user.id, user_agent)

    async def refresh(self, refresh_token: str) -> SignedIn:
        """New tokens for a refresh token, which is spent by this.

        A spent token that comes back was stolen, or its successor was: the whole session ends, and that is committed
        before RefreshRefusedError is raised.
        """
        now = utc_now()
        async with self._identity.transaction() as session:
            repository = SessionRepository(session)
            found = await repository.token(token_hash(refresh_token))
            if found is not None:
                token, signed_in = found
                usable = token.expires_at > now and signed_in.revoked_at is None
                if usable and await repository.spend(token.id, now):
                    return await self._issue(session, signed_in)
                if token.spent_at is not None or usable:
                    await repository.revoke(signed_in.id, now)
        raise RefreshRefusedError

    async def log_out(self, session_id: UUID) -> int:
        """End the session of this access token; answers how many ended."""
        async with self._identity.transaction() as session:
            await SessionRepository(session).revoke(session_id, utc_now())
        return 1

    async def change_password(self, user_id: UUID, session_id: UUID, current: str, new: str) -> int:
        """The password is new and every other session has ended; answers how many did.

        Raises WeakPasswordError, WrongCredentialsError.
        """
        self._passwords.require_strong(new, "/new_password")
        async with self._identity.transaction(read_only=True) as session:
            known = await AccountService(session).password_hash(user_id)
        if not await self._passwords.verify(known, current):
            raise WrongCredentialsError
        password_hash = await self._passwords.hash(new)
        async with self._identity.transaction() as session:
            await AccountService(session).set_password_hash(user_id, password_hash)
            return await SessionRepository(session).revoke_others(user_id, session_id, utc_now())

    async def read_profile(self, user_id: UUID) -> Profile:
        async with self._identity.transaction(read_only=True) as session:
            return await self._profile(session, user_id)

    async def rename_user(self, user_id: UUID, name: str | None) -> Profile:
        async with self._identity.transaction() as session:
            (await AccountService(session).read_user(user_id)).name = name
            await session.flush()
            return await self._profile(session, user_id)

    async def _profile(self, session: AsyncSession, user_id: UUID) -> Profile:
        user = await AccountService(session).read_user(user_id)
        memberships = await AccountService(session).memberships(user_id)
        standings, _total = await WorkspaceService(session).list_workspaces(user_id)
        return Profile(user, memberships, list(standings))

    async def _open_session(
        self,
        session: AsyncSession,
        user_id: UUID,
        user_agent: str | None,
        account_id: UUID | None = None,
        workspace_id: UUID | None = None,
    ) -> SignedIn:
        signed_in = UserSession(user_id=user_id, user_agent=user_agent[:300] if user_agent else None)
        await SessionRepository(session).add_session(signed_in)
        return await self._issue(session, signed_in, account_id, workspace_id)

    async def _issue(
        self,
        session: AsyncSession,
        signed_in: UserSession,
        account_id: UUID | None = None,
        workspace_id: UUID | None = None,
    ) -> SignedIn:
        now = utc_now()
        if account_id is None:
            memberships = await AccountService(session).memberships(signed_in.user_id)
            account_id = memberships[0].account.id if memberships else None
            standings, _total = await WorkspaceService(session).list_workspaces(signed_in.user_id)
            workspace_id = standings[0].workspace.id if standings else None
        refresh_token = opaque_token()
        await SessionRepository(session).add_token(
            RefreshToken(
                session_id=signed_in.id,
                token_hash=token_hash(refresh_token),
                expires_at=now + timedelta(seconds=self._lifetimes.refresh_s),
            )
        )
        access_token = self._signer.sign(
            audience=AUDIENCE,
            kind=TOKEN_KIND,
            issued_at=int(now.timestamp()),
            lifetime_s=self._lifetimes.access_s,
            claims={"sub": str(signed_in.user_id), "sid": str(signed_in.id), "jti": str(new_id())},
        )
        return SignedIn(
            access_token, refresh_token, self._lifetimes.access_s, signed_in.user_id, account_id, workspace_id
        )


class AccessTokenVerifier:
    """Recognises access tokens, for the platform's `CredentialVerifier`. Asked last: takes whatever no other knows."""

    def __init__(self, identity: Database, signer: TokenSigner, step_up_lifetime_s: int) -> None:
        self._identity = identity
        self._signer = signer
        self._step_up_lifetime = timedelta(seconds=step_up_lifetime_s)

    def recognises(self, credential: str) -> bool:
        return credential.count(".") == 2

    async def principal(self, credential: str, target: Target) -> Principal:
        """The person, with the rights that the database gives them now. Raises NotAuthenticatedError."""
        try:
            claims = self._signer.verify(credential, audience=AUDIENCE, kind=TOKEN_KIND)
            user_id, session_id = UUID(claims["sub"]), UUID(claims["sid"])
        except (InvalidTokenError, KeyError, TypeError, ValueError, AttributeError) as error:
            raise NotAuthenticatedError("The access token is not valid or has expired") from error
        return await read_rights(
            self._identity, user_id, session_id, target, now=utc_now(), step_up_lifetime=self._step_up_lifetime
        )
