"""Secrets that callers carry: signed access tokens, opaque random tokens, and the keys derived for each purpose."""

import base64
import binascii
import hashlib
import hmac
import secrets
import string
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

ALGORITHM = "EdDSA"
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
REFRESH_TOKEN_BYTES = 32
CHECKSUM_CHARACTERS = 6


class InvalidTokenError(Exception):
    """The token is not one of ours, not for this purpose, or not valid now. Says nothing more on purpose."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, by HKDF-SHA-256 (RFC 5869); no purpose can be computed from another."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"spectral:{purpose}".encode()).derive(secret)


class TokenSigner:
    """Signs with the first secret's Ed25519 key and accepts every secret's, found by `kid`.

    Prepending a secret rotates the signing key; tokens of the former one stay valid until they expire.
    """

    def __init__(self, secret_keys: tuple[bytes, ...], issuer: str) -> None:
        private = [Ed25519PrivateKey.from_private_bytes(derive_key(key, "access-token")) for key in secret_keys]
        self._signing_key = private[0]
        self._public_keys = {key_id(key): key.public_key() for key in private}
        self._kid = key_id(private[0])
        self._issuer = issuer

    def sign(self, *, audience: str, kind: str, issued_at: int, lifetime_s: int, claims: dict[str, Any]) -> str:
        """A JWT with `iss aud typ iat exp` and the given claims; `issued_at` in seconds since the epoch."""
        payload = claims | {
            "iss": self._issuer,
            "aud": audience,
            "typ": kind,
            "iat": issued_at,
            "exp": issued_at + lifetime_s,
        }
        return jwt.encode(payload, self._signing_key, algorithm=ALGORITHM, headers={"kid": self._kid})

    def verify(self, token: str, *, audience: str, kind: str) -> dict[str, Any]:
        """The claims of a token that is ours, for this audience and of this kind, and valid now.

        The key is looked up by `kid` among our own only, and its one algorithm is the only one accepted.
        Raises InvalidTokenError.
        """
        try:
            key = self._public_keys[jwt.get_unverified_header(token)["kid"]]
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[ALGORITHM],
                audience=audience,
                issuer=self._issuer,
                options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"]},
            )
        except (jwt.InvalidTokenError, KeyError, TypeError, ValueError) as error:
            raise InvalidTokenError from error
        if claims.get("typ") != kind:
            raise InvalidTokenError
        return claims

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
        return {
            "keys": [
                {
                    "kty": "OKP",
                    "crv": "Ed25519",
                    "use": "sig",
                    "alg": ALGORITHM,
                    "kid": kid,
                    "x": _base64url(key.public_bytes(Encoding.Raw, PublicFormat.Raw)),
                }
                for kid, key in self._public_keys.items()
            ]
        }


def key_id(key: Ed25519PrivateKey) -> str:
    """The id under which the public half is published: the first 16 hex digits of its SHA-256."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return hashlib.sha256(raw).hexdigest()[:16]


def _base64url(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def opaque_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(REFRESH_TOKEN_BYTES)


def token_hash(token: str) -> str:
    """How an opaque token is stored: SHA-256, hex. Enough for 256 random bits."""
    return hashlib.sha256(token.encode()).hexdigest()


def keyed_hash(pepper: bytes, token: str) -> str:
    """How an API key is stored: HMAC-SHA-256 with the installation's pepper, hex."""
    return hmac.new(pepper, token.encode(), hashlib.sha256).hexdigest()


def random_base62(characters: int) -> str:
    """Random base62 characters (5.95 bits each)."""
    return "".join(secrets.choice(BASE62) for _ in range(characters))


def checksum_base62(text: str) -> str:
    """Six base62 characters of the CRC-32 of `text`: typos and truncations are refused without a database look-up."""
    rest = binascii.crc32(text.encode())
    digits = ""
    for _ in range(CHECKSUM_CHARACTERS):
        rest, digit = divmod(rest, 62)
        digits = BASE62[digit] + digits
    return digits
