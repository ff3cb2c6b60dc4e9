"""Signing in with e-mail and password, and a second factor where there is one."""

from uuid import UUID

from spectral.domains.accounts.models import User
from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.attempts import Attempts
from spectral.domains.auth.errors import SecondFactorRequiredError, WrongCredentialsError
from spectral.domains.auth.models import StraySignIn
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.repository import SessionRepository
from spectral.domains.auth.second_factor import SecondFactors
from spectral.domains.auth.sessions import Device, Sessions, SignedIn
from spectral.domains.auth.trail import record_for_person
from spectral.platform.db.session import Database

NOBODY = UUID(int=0)


class SignIn:
    """Takes the same steps for known and unknown addresses: the same statements, one Argon2 verification.

    Facts that must outlive a refusal commit before the error is raised; hashing happens with no transaction open.
    """

    def __init__(
        self,
        identity: Database,
        sessions: Sessions,
        passwords: Passwords,
        second_factors: SecondFactors,
        attempts: Attempts,
    ) -> None:
        self._identity = identity
        self._sessions = sessions
        self._passwords = passwords
        self._second_factors = second_factors
        self._attempts = attempts

    async def log_in(self, email: str, password: str, code: str | None, device: Device) -> SignedIn:
        """Raises WrongCredentialsError, SecondFactorRequiredError, TooManyAttemptsError.

        Each of them says the same whether the address is registered or not; the second tells whoever has the right
        password only.
        """
        await self._attempts.admit_sign_in(email, device.address)
        async with self._identity.transaction(read_only=True) as session:
            accounts = AccountService(session)
            user = await accounts.find_user_by_email(email)
            known = await accounts.password_hash(user.id if user else NOBODY)
        fits = await self._passwords.verify(known, password)
        if user is None or known is None or not fits:
            await self._note_failure(user, "auth.sign_in_failed", device)
            await self._attempts.count_failed_sign_in(email, device.address)
            raise WrongCredentialsError
        await self._attempts.admit_sign_in(email, device.address)
        if user.second_factor_at is not None:
            if code is None:
                raise SecondFactorRequiredError
            await self._attempts.begin_proof("code", user.id)
        renewed = await self._passwords.hash(password) if self._passwords.outdated(known) else None
        signed_in = await self._open(user, renewed, code, device)
        if signed_in is None:
            await self._note_failure(user, "auth.second_factor_failed", device)
            await self._attempts.count_failed_sign_in(email, device.address)
            raise SecondFactorRequiredError("The code is wrong, or was used before")
        await self._attempts.forgive(email)
        if user.second_factor_at is not None:
            await self._attempts.end_proof("code", user.id)
        return signed_in

    async def _open(self, user: User, renewed_hash: str | None, code: str | None, device: Device) -> SignedIn | None:
        """A session; None when the second factor does not fit."""
        await self._sessions.ready()
        async with self._identity.transaction() as session:
            if user.second_factor_at is not None and not await self._second_factors.use_code(session, user, code or ""):
                return None
            if renewed_hash is not None:
                await AccountService(session).set_password_hash(user.id, renewed_hash)
            signed_in = await self._sessions.open(
                session, user.id, device, stepped_up=user.second_factor_at is not None
            )
            await record_for_person(session, user.id, "auth.signed_in", detail={"method": "password"})
            return signed_in

    async def _note_failure(self, user: User | None, action: str, device: Device) -> None:
        async with self._identity.transaction() as session:
            person = user.id if user else NOBODY
            if not await record_for_person(session, person, action):
                # Without an account to tell, the installation remembers it, which is as much work.
                stray = StraySignIn(address=device.address, user_agent=(device.user_agent or "")[:300] or None)
                await SessionRepository(session).add_stray(stray)
