"""Passwords: Argon2id (19 MiB, t=2, p=1; OWASP's second recommendation), always off the event loop."""

from functools import cache

import anyio.to_thread
from anyio import CapacityLimiter
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from spectral.domains.auth.errors import WeakPasswordError

MEMORY_KIB = 19 * 1024
TIME_COST = 2
MAXIMUM_CHARACTERS = 128
# Frequent in every published list of leaked passwords and long enough to pass the length rule.
COMMON = frozenset(
    {
        "1234567", "12345678", "123456789", "1234567890", "123123123", "1q2w3e4r", "1qaz2wsx", "11111111", "00000000",
        "abc12345", "abcd1234", "admin123", "administrator", "baseball", "changeme", "computer", "football",
        "iloveyou", "letmein1", "master123", "password", "password1", "password12", "password123", "password1234",
        "passw0rd", "princess", "qwerty123", "qwertyui", "qwertyuiop", "starwars", "sunshine", "superman",
        "trustno1", "welcome1", "welcome123", "whatever", "zaq12wsx", "123456789012", "qwerty123456",
        "passwordpassword",
    }
)  # fmt: skip


@cache
def _decoy() -> str:
    """Verified against when nobody is registered, so that an unknown address costs the same time."""
    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1).hash("no one has this password")


class Passwords:
    """Hashes and verifies; at most two at a time, so that sign-ins cannot take every core and thread."""

    def __init__(self, minimum_characters: int) -> None:
        self._minimum = minimum_characters
        self._hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)
        self._limiter = CapacityLimiter(2)
        self._decoy = _decoy()

    def require_strong(self, password: str, pointer: str) -> None:
        """Raises WeakPasswordError, naming the place in the body."""
        if len(password) < self._minimum:
            raise WeakPasswordError(pointer, f"needs at least {self._minimum} characters")
        if len(password) > MAXIMUM_CHARACTERS:
            raise WeakPasswordError(pointer, f"can have at most {MAXIMUM_CHARACTERS} characters")
        if password.lower() in COMMON:
            raise WeakPasswordError(pointer, "is one of the most common passwords")

    async def hash(self, password: str) -> str:
        """The Argon2id hash, with parameters and salt in it."""
        return await anyio.to_thread.run_sync(self._hasher.hash, password, limiter=self._limiter)

    async def verify(self, password_hash: str | None, password: str) -> bool:
        """Whether the password fits; exactly one Argon2 verification, also without a hash to compare with."""
        fits = await anyio.to_thread.run_sync(
            self._verify, password_hash or self._decoy, password, limiter=self._limiter
        )
        return fits and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether the hash was made with older parameters and should be renewed at this sign-in."""
        return self._hasher.check_needs_rehash(password_hash)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False
