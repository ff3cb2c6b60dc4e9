"""Secrets that callers carry: signed access tokens, opaque random tokens, and the keys derived for each purpose."""

import base64
import binascii
import hashlib
import hmac
import secrets
import string
from collections.abc import Iterable
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

ALGORITHM = "EdDSA"
TOKEN_TYPE = "JWT"  # noqa: S105 - the header's `typ`
BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase
REFRESH_TOKEN_BYTES = 32
CHECKSUM_CHARACTERS = 6


class InvalidTokenError(Exception):
    """The token is not one of ours, not for this purpose, or not valid now. Says nothing more on purpose."""


def derive_key(secret: bytes, purpose: str) -> bytes:
    """32 bytes for one purpose, by HKDF-SHA-256 (RFC 5869); no purpose can be computed from another."""
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=f"spectral:{purpose}".encode()).derive(secret)


def sign_token(key: Ed25519PrivateKey, payload: dict[str, Any]) -> str:
    """A JWT of the claims in `payload`, whose `kid` names the public half of `key`."""
    return jwt.encode(payload, key, algorithm=ALGORITHM, headers={"kid": key_id(key.public_key())})


def token_key_id(token: str) -> str:
    """The `kid` of a token whose header holds what ours hold and nothing else. Raises InvalidTokenError.

    What a header may also hold chooses a key or changes the rules (`jku`, `jwk`, `x5u`, `crit`): whoever sends the
    token would choose.  Source: RFC 8725 §3.
    """
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.InvalidTokenError, TypeError, ValueError) as error:
        raise InvalidTokenError from error
    kid = header.get("kid")
    if header != {"alg": ALGORITHM, "typ": TOKEN_TYPE, "kid": kid} or not isinstance(kid, str):
        raise InvalidTokenError
    return kid


def verify_token(token: str, key: Ed25519PublicKey, *, issuer: str, audience: str, kind: str) -> dict[str, Any]:
    """The claims of a token that `key` signed, for this audience and of this kind, and valid now.

    Raises InvalidTokenError.
    """
    try:
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[ALGORITHM],
            audience=audience,
            issuer=issuer,
            options={"require": ["exp", "iat", "iss", "aud", "sub", "jti"], "strict_aud": True},
        )
    except (jwt.InvalidTokenError, TypeError, ValueError, OverflowError) as error:
        raise InvalidTokenError from error
    if claims.get("typ") != kind:
        raise InvalidTokenError
    return claims


def key_set(keys: Iterable[Ed25519PublicKey]) -> dict[str, list[dict[str, str]]]:
    """Public keys as a JSON Web Key Set (RFC 7517, RFC 8037)."""
    return {
        "keys": [
            {"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": ALGORITHM, "kid": key_id(key), "x": public_text(key)}
            for key in keys
        ]
    }


def key_id(key: Ed25519PublicKey) -> str:
    """The id under which a key is published: the first 16 hex digits of its SHA-256."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def public_text(key: Ed25519PublicKey) -> str:
    """The key's 32 bytes as 43 characters of base64url."""
    return base64.urlsafe_b64encode(key.public_bytes_raw()).rstrip(b"=").decode("ascii")


def public_key(text: str) -> Ed25519PublicKey:
    """What `public_text` was made of. Raises ValueError."""
    return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(text + "="))


def private_text(key: Ed25519PrivateKey) -> str:
    """The private key as text, to be sealed."""
    return base64.urlsafe_b64encode(key.private_bytes_raw()).decode("ascii")


def private_key(text: str) -> Ed25519PrivateKey:
    """What `private_text` was made of. Raises ValueError."""
    return Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode(text))


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
