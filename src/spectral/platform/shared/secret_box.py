"""Secrets at rest: sealed with the installation's first secret key, opened with any of them."""

import base64

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from spectral.platform.shared.tokens import derive_key

SEALED = "sealed"


def sealed(purpose: str) -> dict[str, str]:
    """Says of a column that `SecretBox` of this purpose sealed it: `mapped_column(sa.Text, info=sealed("totp"))`.

    `spectral rotate-secrets` finds by it what has to be sealed again.
    """
    return {SEALED: purpose}


def secret_fingerprint(secret_key: bytes) -> str:
    """Names a secret key without telling anything about it: 16 hex digits of a key that is derived for this alone."""
    return derive_key(secret_key, "fingerprint").hex()[:16]


class SealBrokenError(Exception):
    """The sealed text was changed, or none of the installation's secret keys made it."""


class SecretBox:
    """Seals for one purpose: what was sealed for another does not open (Fernet: AES-128-CBC and HMAC-SHA-256).

    purpose: a constant of the code ("totp", "webhook-secret"); each has a key of its own by HKDF.
    """

    def __init__(self, secret_keys: tuple[bytes, ...], purpose: str) -> None:
        keys = [base64.urlsafe_b64encode(derive_key(secret, f"seal:{purpose}")) for secret in secret_keys]
        self._first = Fernet(keys[0])
        self._all = MultiFernet([Fernet(key) for key in keys])

    def seal(self, plaintext: str) -> str:
        """ASCII text that only this installation can open; about 4/3 of the length and 100 characters."""
        return self._all.encrypt(plaintext.encode()).decode("ascii")

    def open(self, sealed: str) -> str:
        """Raises SealBrokenError."""
        try:
            return self._all.decrypt(sealed.encode()).decode()
        except (InvalidToken, UnicodeError) as error:
            raise SealBrokenError from error

    def is_current(self, sealed: str) -> bool:
        """Whether the first secret key made the seal; what it did not make is sealed again by `reseal`."""
        try:
            self._first.decrypt(sealed.encode())
        except InvalidToken:
            return False
        return True

    def reseal(self, sealed: str) -> str:
        """The same plaintext under the first secret key. Raises SealBrokenError."""
        return self.seal(self.open(sealed))
