"""People of this installation: signing up, their profile, their password."""

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import User
from spectral.domains.accounts.service import AccountService, Membership
from spectral.domains.auth.attempts import Attempts
from spectral.domains.auth.errors import WrongCredentialsError
from spectral.domains.auth.letters import Letters
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.repository import ResetRepository, SessionRepository
from spectral.domains.auth.sessions import Device, Sessions, SignedIn
from spectral.domains.auth.trail import record_for_person
from spectral.domains.workspaces.errors import InviteForSomebodyElseError, InviteNotValidError
from spectral.domains.workspaces.joining import JoinService, note_refusal
from spectral.domains.workspaces.service import WorkspaceService
from spectral.domains.workspaces.standing import Standing
from spectral.platform import audit
from spectral.platform.db.session import Database, bind_account
from spectral.platform.mail.outbox import post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.secret_box import SecretBox

NOT_YET_A_PERSON = "registration"


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

    def __init__(
        self,
        identity: Database,
        sessions: Sessions,
        passwords: Passwords,
        attempts: Attempts,
        mail_box: SecretBox,
        letters: Letters,
    ) -> None:
        self._identity = identity
        self._sessions = sessions
        self._passwords = passwords
        self._attempts = attempts
        self._mail_box = mail_box
        self._letters = letters

    async def register(
        self, email: str, password: str, tenant_name: str | None, device: Device, invite_token: str | None = None
    ) -> SignedIn:
        """A person who is signed in: the owner of a new account with a workspace, or whom an invite lets into another.

        Raises ValidationFailedError, WeakPasswordError, EmailTakenError, TooManyAttemptsError and what
        `JoinService.join` raises.
        """
        if tenant_name is None and invite_token is None:
            missing = FieldError("/tenant_name", "is required unless there is an invite_token")
            raise ValidationFailedError("The request failed validation", errors=[missing])
        self._passwords.require_strong(password, "/password", email, tenant_name)
        await self._attempts.begin_registration(device.address)
        password_hash = await self._passwords.hash(password)
        await self._sessions.ready()
        if invite_token is not None:
            return await self._register_invited(email, password_hash, device, invite_token)
        return await self._register_owner(email, password_hash, tenant_name or "", device)

    async def open_session_for(
        self, user_id: UUID, *, method: str, user_agent: str | None, address: str | None
    ) -> SignedIn:
        """A session for somebody who proved elsewhere who they are. method: `sso:<provider>`."""
        await self._sessions.ready()
        async with self._identity.transaction() as session:
            device = Device(user_agent, address)
            signed_in = await self._sessions.open(session, user_id, device, method=method)
            await record_for_person(session, user_id, "auth.signed_in", detail={"method": method})
            return signed_in

    async def change_password(self, user_id: UUID, session_id: UUID, current: str, new: str) -> int:
        """The password is new and every other session has ended; answers how many did.

        Raises WeakPasswordError, WrongCredentialsError, TooManyAttemptsError.
        """
        async with self._identity.transaction(read_only=True) as session:
            known = await AccountService(session).password_hash(user_id)
            email = (await AccountService(session).read_user(user_id)).email
        self._passwords.require_strong(new, "/new_password", email)
        await self._attempts.begin_proof("password", user_id)
        if not await self._passwords.verify(known, current):
            raise WrongCredentialsError
        password_hash = await self._passwords.hash(new)
        async with self._identity.transaction() as session:
            now = utc_now()
            await AccountService(session).set_password_hash(user_id, password_hash)
            # A link that is still on its way would open the account for whoever reads the mail.
            await ResetRepository(session).void(user_id, now)
            ended = await SessionRepository(session).revoke_all(user_id, now, kept=session_id)
            await record_for_person(session, user_id, "auth.password_changed", detail={"ended_sessions": ended})
            note = self._letters.password_changed()
            await post_mail(session, self._mail_box, to=email, subject=note.subject, text=note.text)
        await self._attempts.end_proof("password", user_id)
        return ended

    async def read_profile(self, user_id: UUID) -> Profile:
        async with self._identity.transaction(read_only=True) as session:
            return await self._profile(session, user_id)

    async def rename_user(self, user_id: UUID, name: str | None) -> Profile:
        async with self._identity.transaction() as session:
            (await AccountService(session).read_user(user_id)).name = name
            await session.flush()
            return await self._profile(session, user_id)

    async def _register_owner(self, email: str, password_hash: str, tenant_name: str, device: Device) -> SignedIn:
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
            return await self._sessions.open(session, user.id, device, account_id=account.id, workspace_id=workspace.id)

    async def _register_invited(self, email: str, password_hash: str, device: Device, token: str) -> SignedIn:
        try:
            async with self._identity.transaction() as session:
                user = await AccountService(session).add_user(email, password_hash)
                account = await JoinService(session).accept(token, user.id, user.email)
                return await self._sessions.open(session, user.id, device, account_id=account.id)
        except (InviteNotValidError, InviteForSomebodyElseError) as refused:
            await note_refusal(self._identity, refused, NOT_YET_A_PERSON)
            raise

    async def _profile(self, session: AsyncSession, user_id: UUID) -> Profile:
        user = await AccountService(session).read_user(user_id)
        memberships = await AccountService(session).memberships(user_id)
        standings, _total = await WorkspaceService(session).list_workspaces(user_id)
        return Profile(user, memberships, list(standings))
