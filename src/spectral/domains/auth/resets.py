"""A new password for whoever reads the mail of the address."""

from datetime import timedelta

from spectral.domains.accounts.service import AccountService
from spectral.domains.auth.attempts import Attempts
from spectral.domains.auth.errors import ResetRefusedError
from spectral.domains.auth.letters import Letters
from spectral.domains.auth.models import PasswordReset
from spectral.domains.auth.passwords import Passwords
from spectral.domains.auth.repository import ResetRepository, SessionRepository
from spectral.domains.auth.trail import record_for_person
from spectral.platform.db.session import Database
from spectral.platform.mail.outbox import post_mail
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.shared.tokens import opaque_token, token_hash

LIFETIME = timedelta(minutes=15)


class PasswordResets:
    """identity: the database as the authentication role."""

    def __init__(
        self,
        identity: Database,
        passwords: Passwords,
        attempts: Attempts,
        mail_box: SecretBox,
        letters: Letters,
    ) -> None:
        self._identity = identity
        self._passwords = passwords
        self._attempts = attempts
        self._mail_box = mail_box
        self._letters = letters

    async def ask(self, email: str, address: str | None) -> None:
        """A link is on its way to the address if somebody is registered with it; the caller is not told.

        For an unknown address the same rows are written, and nothing is sent. Raises TooManyAttemptsError, for
        unknown addresses as for known ones.
        """
        await self._attempts.begin_reset(email, address)
        token = opaque_token()
        note = self._letters.reset(token, int(LIFETIME.total_seconds() // 60))
        async with self._identity.transaction() as session:
            user = await AccountService(session).find_user_by_email(email)
            await ResetRepository(session).add(
                PasswordReset(
                    user_id=user.id if user else None, token_hash=token_hash(token), expires_at=utc_now() + LIFETIME
                )
            )
            await post_mail(
                session,
                self._mail_box,
                to=user.email if user else email.strip(),
                subject=note.subject,
                text=note.text,
                deliver=user is not None,
            )

    async def confirm(self, token: str, password: str) -> int:
        """The password is new, every session has ended and the address is proved; answers how many sessions ended.

        The token is spent by success only, and by one of several that try at once. A second factor stays.
        Raises WeakPasswordError, ResetRefusedError.
        """
        self._passwords.require_strong(password, "/password")
        async with self._identity.transaction(read_only=True) as session:
            found = await ResetRepository(session).usable(token_hash(token), utc_now())
            if found is None or found.user_id is None:
                raise ResetRefusedError
            user = await AccountService(session).read_user(found.user_id)
        self._passwords.require_strong(password, "/password", user.email)
        password_hash = await self._passwords.hash(password)
        now = utc_now()
        async with self._identity.transaction() as session:
            resets = ResetRepository(session)
            if not await resets.use(token_hash(token), now):
                raise ResetRefusedError
            await resets.void(user.id, now)
            accounts = AccountService(session)
            await accounts.set_password_hash(user.id, password_hash)
            person = await accounts.read_user(user.id)
            person.email_verified_at = person.email_verified_at or now
            ended = await SessionRepository(session).revoke_all(user.id, now)
            await record_for_person(session, user.id, "auth.password_reset", detail={"ended_sessions": ended})
            note = self._letters.password_changed()
            await post_mail(session, self._mail_box, to=person.email, subject=note.subject, text=note.text)
        await self._attempts.forgive(user.email)
        return ended
