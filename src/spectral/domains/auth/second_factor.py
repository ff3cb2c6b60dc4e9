"""The second factor: an authenticator app (TOTP, RFC 6238) and recovery codes in its place."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import pyotp
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.accounts.models import User
from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.attempts import Attempts
from spectral.domains.auth.errors import (
    NoSecondFactorError,
    SecondFactorExistsError,
    SecondFactorRefusedError,
    WrongCredentialsError,
)
from spectral.domains.auth.letters import Letters, Note
from spectral.domains.auth.models import SecondFactor
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.repository import SecondFactorRepository, SessionRepository
from spectral.domains.auth.trail import record_for_person
from spectral.platform.db.session import Database
from spectral.platform.mail.outbox import post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, ValidationFailedError
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.shared.tokens import token_hash

PURPOSE = "totp"
ISSUER = "Spectral"
SECRET_BYTES = 20  # as long as the hash (RFC 4226, section 4)
STEP_S = 30
DIGITS = 6
# One step to either side for clocks that are off (RFC 6238, section 5.2).
DRIFT_STEPS = (0, -1, 1)
RECOVERY_CODES = 10
RECOVERY_BYTES = 16  # 128 random bits: too many to guess, also against plain hashes (OWASP ASVS 5.0, 6.5.2)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What the authenticator app is given: the secret in base32, and the same as a link that a QR code holds."""

    secret: str
    uri: str


@dataclass(frozen=True, slots=True)
class SecondFactorState:
    """enabled_at: None while signing in takes a password only."""

    enabled_at: datetime | None
    recovery_codes_left: int


class SecondFactors:
    """identity: the database as the authentication role.  box: seals the apps' secrets, mail_box: mail."""

    def __init__(
        self,
        identity: Database,
        box: SecretBox,
        passwords: Passwords,
        attempts: Attempts,
        mail_box: SecretBox,
        letters: Letters,
    ) -> None:
        self._identity = identity
        self._box = box
        self._passwords = passwords
        self._attempts = attempts
        self._mail_box = mail_box
        self._letters = letters

    async def read_state(self, user_id: UUID) -> SecondFactorState:
        async with self._identity.transaction(read_only=True) as session:
            user = await AccountService(session).read_user(user_id)
            left = await SecondFactorRepository(session).codes_left(user_id)
        return SecondFactorState(user.second_factor_at, left if user.second_factor_at else 0)

    async def start(self, user_id: UUID, current_password: str | None) -> Enrolment:
        """A secret for the authenticator app; it counts once a code of it has come back (`confirm`).

        Whoever has a password shows it. Raises SecondFactorExistsError, ValidationFailedError,
        WrongCredentialsError, TooManyAttemptsError.
        """
        async with self._identity.transaction(read_only=True) as session:
            user = await AccountService(session).read_user(user_id)
            known = await AccountService(session).password_hash(user_id)
        if user.second_factor_at is not None:
            raise SecondFactorExistsError
        if known is not None:
            await self._require_password(user_id, known, current_password)
        secret = base64.b32encode(secrets.token_bytes(SECRET_BYTES)).decode("ascii")
        sealed = self._box.seal(secret)
        async with self._identity.transaction() as session:
            repository = SecondFactorRepository(session)
            factor = await repository.factor(user_id)
            if factor is None:
                await repository.add_factor(SecondFactor(user_id=user_id, secret=sealed), SecondFactorExistsError())
            elif factor.confirmed_at is not None:
                raise SecondFactorExistsError
            else:
                factor.secret, factor.created_at, factor.last_step = sealed, utc_now(), 0
        uri = pyotp.TOTP(secret).provisioning_uri(name=user.email, issuer_name=ISSUER)
        return Enrolment(secret, uri)

    async def confirm(self, user_id: UUID, session_id: UUID, code: str) -> list[str]:
        """The second factor counts from now on; answers the recovery codes, which cannot be read again.

        Raises NoSecondFactorError, SecondFactorExistsError, SecondFactorRefusedError, TooManyAttemptsError.
        """
        await self._attempts.begin_proof("code", user_id)
        now = utc_now()
        codes = new_recovery_codes()
        async with self._identity.transaction() as session:
            repository = SecondFactorRepository(session)
            factor = await repository.factor(user_id)
            if factor is None:
                raise NoSecondFactorError("Begin with POST /api/v1/auth/second-factor")
            step = matching_step(self._box.open(factor.secret), code, now)
            accepted = step is not None and await repository.spend_step(user_id, step)
            if accepted:
                if not await repository.confirm(user_id, now):
                    raise SecondFactorExistsError
                user = await AccountService(session).read_user(user_id)
                user.second_factor_at = now
                await repository.replace_codes(user_id, [token_hash(each) for each in codes])
                await SessionRepository(session).step_up(user_id, session_id, now)
                await record_for_person(session, user_id, "auth.second_factor_added")
                await self._tell(session, user, self._letters.second_factor_added())
        await self._end(user_id, accepted=accepted)
        return [readable(each) for each in codes]

    async def remove(self, user_id: UUID, code: str) -> None:
        """Signing in takes a password only. Raises NoSecondFactorError, SecondFactorRefusedError."""
        await self._attempts.begin_proof("code", user_id)
        async with self._identity.transaction() as session:
            user = await AccountService(session).read_user(user_id)
            accepted = await self.use_code(session, user, code)
            if accepted:
                user.second_factor_at = None
                await SecondFactorRepository(session).remove(user_id)
                await record_for_person(session, user_id, "auth.second_factor_removed")
                await self._tell(session, user, self._letters.second_factor_removed())
        await self._end(user_id, accepted=accepted)

    async def renew_recovery_codes(self, user_id: UUID, code: str) -> list[str]:
        """New recovery codes; the former ones do not work any more.

        Raises NoSecondFactorError, SecondFactorRefusedError, TooManyAttemptsError.
        """
        await self._attempts.begin_proof("code", user_id)
        codes = new_recovery_codes()
        async with self._identity.transaction() as session:
            user = await AccountService(session).read_user(user_id)
            accepted = await self.use_code(session, user, code)
            if accepted:
                await SecondFactorRepository(session).replace_codes(user_id, [token_hash(each) for each in codes])
                await record_for_person(session, user_id, "auth.recovery_codes_renewed")
        await self._end(user_id, accepted=accepted)
        return [readable(each) for each in codes]

    async def step_up(self, user_id: UUID, session_id: UUID, code: str) -> datetime:
        """The second factor was shown in this session; answers when.

        Raises NoSecondFactorError, SecondFactorRefusedError, TooManyAttemptsError.
        """
        await self._attempts.begin_proof("code", user_id)
        now = utc_now()
        async with self._identity.transaction() as session:
            user = await AccountService(session).read_user(user_id)
            accepted = await self.use_code(session, user, code)
            if accepted:
                await SessionRepository(session).step_up(user_id, session_id, now)
                await record_for_person(session, user_id, "auth.stepped_up", subject=f"session:{session_id}")
        await self._end(user_id, accepted=accepted)
        return now

    async def use_code(self, session: AsyncSession, user: User, code: str) -> bool:
        """Accept a code of the app or a recovery code, once, in the caller's transaction; False for any other.

        Raises NoSecondFactorError.
        """
        now = utc_now()
        repository = SecondFactorRepository(session)
        factor = await repository.factor(user.id)
        if factor is None or factor.confirmed_at is None:
            raise NoSecondFactorError
        given = "".join(code.split()).replace("-", "").upper()
        if len(given) == DIGITS:
            step = matching_step(self._box.open(factor.secret), given, now)
            return step is not None and await repository.spend_step(user.id, step)
        if not await repository.use_code(user.id, token_hash(given), now):
            return False
        left = await repository.codes_left(user.id)
        await record_for_person(session, user.id, "auth.recovery_code_used", detail={"left": left})
        await self._tell(session, user, self._letters.recovery_code_used(left))
        return True

    async def _require_password(self, user_id: UUID, known: str, given: str | None) -> None:
        if given is None:
            message = "is required"
            raise ValidationFailedError(
                "Show your password to add a second factor", errors=[FieldError("/current_password", message)]
            )
        await self._attempts.begin_proof("password", user_id)
        if not await self._passwords.verify(known, given):
            raise WrongCredentialsError
        await self._attempts.end_proof("password", user_id)

    async def _end(self, user_id: UUID, *, accepted: bool) -> None:
        """After the transaction: forget the attempts, or write the failure down and refuse."""
        if accepted:
            await self._attempts.end_proof("code", user_id)
            return
        async with self._identity.transaction() as session:
            await record_for_person(session, user_id, "auth.second_factor_failed")
        raise SecondFactorRefusedError

    async def _tell(self, session: AsyncSession, user: User, note: Note) -> None:
        await post_mail(session, self._mail_box, to=user.email, subject=note.subject, text=note.text)


def matching_step(secret: str, code: str, moment: datetime) -> int | None:
    """The time step whose code this is: the present one or a neighbour; None for any other code."""
    if not (code.isascii() and code.isdigit()):
        return None
    totp = pyotp.TOTP(secret, digits=DIGITS, interval=STEP_S)
    present = int(moment.timestamp()) // STEP_S
    steps = [present + drift for drift in DRIFT_STEPS]
    # Every candidate is compared, so that the time taken says nothing about which one it was.
    found = [step for step in steps if hmac.compare_digest(totp.generate_otp(step), code)]
    return found[0] if found else None


def new_recovery_codes() -> list[str]:
    """Twenty-six characters of base32 each."""
    return [
        base64.b32encode(secrets.token_bytes(RECOVERY_BYTES)).decode("ascii").rstrip("=") for _ in range(RECOVERY_CODES)
    ]


def readable(code: str) -> str:
    """In groups of four, as it is shown."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))
