"""What a signed token must be to be believed, and the checksum of keys."""

import base64
import json
import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from spectral.platform.shared.tokens import (
    BASE62,
    InvalidTokenError,
    checksum_base62,
    derive_key,
    key_id,
    key_set,
    private_key,
    private_text,
    public_key,
    public_text,
    sign_token,
    token_key_id,
    verify_token,
)

OLD, NEW = b"the-old-secret-of-32-characters!", b"the-new-secret-of-32-characters!"
KEY = Ed25519PrivateKey.generate()
KID = key_id(KEY.public_key())


def claims(**changes: Any) -> dict[str, Any]:
    now = int(time.time())
    good = {"iss": "spectral", "aud": "api", "typ": "access", "iat": now, "exp": now + 60, "sub": "me", "jti": "1"}
    return {name: value for name, value in (good | changes).items() if value is not None}


def accepted(token: str) -> dict[str, Any]:
    assert token_key_id(token) == KID
    return verify_token(token, KEY.public_key(), issuer="spectral", audience="api", kind="access")


def test_a_good_token_is_accepted() -> None:
    assert accepted(sign_token(KEY, claims()))["sub"] == "me"
    assert accepted(sign_token(KEY, claims(nbf=int(time.time()))))["sub"] == "me"


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "somebody-else"},
        {"aud": "other"},
        {"aud": ["api", "other"]},
        {"typ": "refresh"},
        {"typ": None},
        {"exp": 1},
        {"exp": None},
        {"exp": "soon"},
        {"iat": 10**10},
        {"iat": None},
        {"nbf": 10**10},
        {"nbf": "later"},
        {"sub": None},
        {"sub": 7},
        {"jti": None},
        {"iss": None},
        {"aud": None},
    ],
    ids=str,
)
def test_a_claim_that_is_wrong_or_missing_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidTokenError):
        accepted(sign_token(KEY, claims(**changes)))


@pytest.mark.parametrize(
    "header",
    [
        {"kid": "../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": ["list"]},
        {"kid": None},
        {"typ": "at+jwt"},
        {"typ": None},
        {"crit": ["exp"]},
        {"jku": "https://example.com/jwks.json"},
        {"jwk": {"kty": "OKP"}},
        {"x5u": "https://example.com/cert"},
        {"b64": False},
        {"alg": "none"},
        {"alg": "HS256"},
    ],
    ids=str,
)
def test_a_header_that_is_not_exactly_ours_is_refused(header: dict[str, Any]) -> None:
    complete = {"alg": "EdDSA", "typ": "JWT", "kid": KID} | header
    parts = [{name: value for name, value in complete.items() if value is not None}, claims()]
    text = b".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in parts)
    signature = base64.urlsafe_b64encode(KEY.sign(text)).rstrip(b"=")
    with pytest.raises((InvalidTokenError, AssertionError)):
        accepted(f"{text.decode()}.{signature.decode()}")


def test_the_public_key_is_no_secret_to_sign_with() -> None:
    """The classic confusion: an HMAC over the public key, under the right `kid`."""
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    with pytest.raises(InvalidTokenError):
        accepted(jwt.encode(claims(), raw, algorithm="HS256", headers={"kid": KID}))
    with pytest.raises(InvalidTokenError):
        accepted(jwt.encode(claims(), "", algorithm="none", headers={"kid": KID}))


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "é.é.é", "x" * 9000, "bnVsbA.bnVsbA.AA"])
def test_what_is_no_token_is_refused(token: str) -> None:
    with pytest.raises(InvalidTokenError):
        token_key_id(token)


def test_another_keys_signature_is_refused() -> None:
    other = Ed25519PrivateKey.generate()
    forged = jwt.encode(claims(), other, algorithm="EdDSA", headers={"kid": KID})
    with pytest.raises(InvalidTokenError):
        accepted(forged)
    head, body, signature = sign_token(KEY, claims()).split(".")
    with pytest.raises(InvalidTokenError):
        accepted(f"{head}.{sign_token(KEY, claims(sub='you')).split('.')[1]}.{signature}")
    with pytest.raises(InvalidTokenError):
        accepted(f"{head}.{body}.")


def test_keys_come_back_from_their_text_and_out_of_the_published_set() -> None:
    assert private_key(private_text(KEY)).private_bytes_raw() == KEY.private_bytes_raw()
    assert key_id(public_key(public_text(KEY.public_key()))) == KID
    (published,) = jwt.PyJWKSet.from_dict(key_set([KEY.public_key()])).keys
    assert published.key_id == KID
    assert jwt.decode(sign_token(KEY, claims()), published.key, algorithms=["EdDSA"], audience="api")["sub"] == "me"


def test_purposes_do_not_share_a_key() -> None:
    assert derive_key(NEW, "one") != derive_key(NEW, "two") != derive_key(OLD, "two")


@given(st.text(BASE62, min_size=1, max_size=40), st.data())
def test_the_checksum_notices_every_single_typo(body: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    typo = body[:place] + data.draw(st.sampled_from([c for c in BASE62 if c != body[place]])) + body[place + 1 :]
    assert checksum_base62(typo) != checksum_base62(body)
