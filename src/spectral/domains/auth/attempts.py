"""How often somebody may try: counted exactly, across processes, before it is known whether the attempt is any good."""

from dataclasses import dataclass
from typing import Self
from uuid import UUID

from spectral.domains.accounts.service import normalised_email
from spectral.domains.auth.errors import TooManyAttemptsError
from spectral.platform.limits.counter import RateCounter
from spectral.settings import Settings

SIGN_IN_WINDOW_S = 15 * 60
MAIL_WINDOW_S = 60 * 60


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """Failures in fifteen minutes; mails and registrations in an hour."""

    failures_per_account: int = 10
    failures_per_address: int = 100
    resets_per_account: int = 5
    resets_per_address: int = 50
    registrations_per_address: int = 200

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            failures_per_account=settings.sign_in_failures_per_account,
            failures_per_address=settings.sign_in_failures_per_address,
            resets_per_account=settings.resets_per_account,
            resets_per_address=settings.resets_per_address,
            registrations_per_address=settings.registrations_per_address,
        )


class Attempts:
    """Who shows a wrong password or code too often is refused for a while, whatever they show then.

    Nothing is learnt from an attempt before it has been counted: of many at once no more are answered than one after
    the other.  address: None for what no request asked for (the command line).
    """

    def __init__(self, counter: RateCounter, limits: AttemptLimits) -> None:
        self._counter = counter
        self._limits = limits

    async def admit_sign_in(self, email: str, address: str | None) -> None:
        """Asked before the password is looked at, and before anybody is told that it was right.

        Raises TooManyAttemptsError.
        """
        for bucket, limit in self._sign_in(email, address):
            verdict = await self._counter.peek(bucket, limit=limit)
            if not verdict.allowed:
                raise TooManyAttemptsError(verdict.reset_s)

    async def count_failed_sign_in(self, email: str, address: str | None) -> None:
        """Before anybody is told that it was wrong. Raises TooManyAttemptsError in the place of that answer."""
        for bucket, limit in self._sign_in(email, address):
            await self._hit(bucket, limit, SIGN_IN_WINDOW_S)

    async def forgive(self, email: str) -> None:
        """The account's failures are forgotten."""
        await self._counter.clear(_account_bucket(email))

    async def begin_proof(self, kind: str, user_id: UUID) -> None:
        """A person whom we know shows their password (`password`) or second factor (`code`); counted as a failure.

        Raises TooManyAttemptsError.
        """
        await self._hit(f"proof:{kind}:{user_id}", self._limits.failures_per_account, SIGN_IN_WINDOW_S)

    async def end_proof(self, kind: str, user_id: UUID) -> None:
        """It was the right one: the failures are forgotten."""
        await self._counter.clear(f"proof:{kind}:{user_id}")

    async def begin_reset(self, email: str, address: str | None) -> None:
        """Raises TooManyAttemptsError."""
        await self._hit(f"reset:address:{address}", self._limits.resets_per_address, MAIL_WINDOW_S)
        await self._hit(f"reset:account:{normalised_email(email)}", self._limits.resets_per_account, MAIL_WINDOW_S)

    async def begin_registration(self, address: str | None) -> None:
        """Raises TooManyAttemptsError."""
        if address is not None:
            await self._hit(f"register:address:{address}", self._limits.registrations_per_address, MAIL_WINDOW_S)

    def _sign_in(self, email: str, address: str | None) -> list[tuple[str, int]]:
        """An address that is locked out adds nothing to the account's count, so it comes first."""
        return [
            (f"sign-in:address:{address}", self._limits.failures_per_address),
            (_account_bucket(email), self._limits.failures_per_account),
        ]

    async def _hit(self, bucket: str, limit: int, window_s: int) -> None:
        verdict = await self._counter.hit(bucket, limit=limit, window_s=window_s)
        if not verdict.allowed:
            raise TooManyAttemptsError(verdict.reset_s)


def _account_bucket(email: str) -> str:
    return f"sign-in:account:{normalised_email(email)}"
