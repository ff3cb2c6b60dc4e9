"""Passwords: Argon2id (19 MiB, t=2, p=1; OWASP's second recommendation), always off the event loop."""

import os
from functools import cache
from pathlib import Path

import anyio.to_thread
from anyio import CapacityLimiter
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from spectral.domains.auth.errors import WeakPasswordError

MEMORY_KIB = 19 * 1024
TIME_COST = 2
MAXIMUM_CHARACTERS = 128
COMMON_PASSWORDS = Path(__file__).with_name("common_passwords.txt")
SHORTEST_PERSONAL_WORD = 4
# Of the product and what it is about; a password of nothing else is the first that somebody tries here. They stand in
# docs/security.md.
OWN_WORDS = (
    "spectral", "password", "welcome", "admin", "owner", "member", "contributor", "observer", "operations", "account",
    "workspace", "agents", "agent", "prompts", "prompt", "traces", "trace", "changeset", "evaluation", "demo", "login",
)  # fmt: skip


@cache
def common_passwords() -> frozenset[str]:
    """Lower-case; more than 6,000 of them have the twelve characters that production asks for, the others seven.

    From the lists of leaked passwords that zxcvbn (MIT), Django (BSD) and SecLists (MIT) publish.
    """
    lines = COMMON_PASSWORDS.read_text(encoding="ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))


@cache
def _decoy() -> str:
    """Verified against when nobody is registered, so that an unknown address costs the same time."""
    return PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1).hash("no one has this password")


class Passwords:
    """Hashes and verifies; on half of the cores at most, so that sign-ins leave the others to requests."""

    def __init__(self, minimum_characters: int) -> None:
        self._minimum = minimum_characters
        self._hasher = PasswordHasher(time_cost=TIME_COST, memory_cost=MEMORY_KIB, parallelism=1)
        self._limiter = CapacityLimiter(max(1, (os.cpu_count() or 1) // 2))
        self._decoy = _decoy()

    def require_strong(self, password: str, pointer: str, *personal: str | None) -> None:
        """Raises WeakPasswordError, naming the place in the body.

        personal: what everybody knows of the person (their e-mail address, their account's name); none of these
        makes a password, not even with digits and punctuation around it.
        """
        if len(password) < self._minimum:
            raise WeakPasswordError(pointer, f"needs at least {self._minimum} characters")
        if len(password) > MAXIMUM_CHARACTERS:
            raise WeakPasswordError(pointer, f"can have at most {MAXIMUM_CHARACTERS} characters")
        if password.lower() in common_passwords():
            raise WeakPasswordError(pointer, "is one of the most common passwords")
        if made_of_own_words(password):
            raise WeakPasswordError(pointer, "is made of words that everybody thinks of here")
        if bare(password) in {bare(word) for known in personal if known for word in (known, known.partition("@")[0])}:
            raise WeakPasswordError(pointer, "is your e-mail address or your account's name")

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


def made_of_own_words(password: str) -> bool:
    """Whether nothing but digits and punctuation is left without the words of the product."""
    left = "".join(character for character in password.lower() if character.isalpha())
    if not left:
        return False
    for word in OWN_WORDS:
        left = left.replace(word, "")
    return not left


def bare(text: str) -> str:
    """Lower-case letters and digits, without digits at the ends; the text itself where little is left of it."""
    kept = "".join(character for character in text.lower() if character.isalnum())
    stripped = kept.strip("0123456789")
    return stripped if len(stripped) >= SHORTEST_PERSONAL_WORD else kept
