"""Secrets at rest: sealed with the installation's first secret key, opened with any of them."""

import base64
import binascii
import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from spectral.platform.shared.tokens import derive_key

SEALED = "sealed"
# Begins every seal and is authenticated with it: another algorithm gets another beginning.
FORM = "v1."
NONCE_BYTES = 12


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
    """Seals for one purpose: what was sealed for another does not open (AES-256-GCM, a random nonce for each seal).

    purpose: a constant of the code ("totp", "webhook-secret"); each has a key of its own by HKDF.
    """

    def __init__(self, secret_keys: tuple[bytes, ...], purpose: str) -> None:
        self._keys = [AESGCM(derive_key(secret, f"seal:{purpose}")) for secret in secret_keys]

    def seal(self, plaintext: str) -> str:
        """ASCII text that only this installation can open; about 4/3 of the length and 45 characters."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        box = self._keys[0].encrypt(nonce, plaintext.encode(), FORM.encode())
        return FORM + base64.urlsafe_b64encode(nonce + box).decode("ascii")

    def open(self, sealed: str) -> str:
        """Raises SealBrokenError."""
        for key in self._keys:
            plaintext = _opened(key, sealed)
            if plaintext is not None:
                return plaintext
        raise SealBrokenError

    def is_current(self, sealed: str) -> bool:
        """Whether the first secret key made the seal; what it did not make is sealed again by `reseal`."""
        return _opened(self._keys[0], sealed) is not None

    def reseal(self, sealed: str) -> str:
        """The same plaintext under the first secret key. Raises SealBrokenError."""
        return self.seal(self.open(sealed))


def _opened(key: AESGCM, sealed: str) -> str | None:
    """The plaintext, or None when this key did not make the seal."""
    if not sealed.startswith(FORM):
        return None
    try:
        box = base64.b64decode(sealed[len(FORM) :], altchars=b"-_", validate=True)
        return key.decrypt(box[:NONCE_BYTES], box[NONCE_BYTES:], FORM.encode()).decode()
    except (InvalidTag, binascii.Error, ValueError):
        return None
