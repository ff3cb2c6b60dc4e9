"""Signed tokens over a rotation of the secret, and the checksum of keys."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spectral.platform.shared.tokens import BASE62, InvalidTokenError, TokenSigner, checksum_base62, derive_key

OLD, NEW = b"the-old-secret-of-32-characters!", b"the-new-secret-of-32-characters!"
CLAIMS = {"sub": "me", "sid": "here", "jti": "1"}


def signed(signer: TokenSigner, *, issued_at: float | None = None) -> str:
    moment = int(time.time() if issued_at is None else issued_at)
    return signer.sign(audience="api", kind="access", issued_at=moment, lifetime_s=60, claims=CLAIMS)


def test_a_rotated_secret_signs_with_the_new_key_and_accepts_the_old_ones_tokens() -> None:
    before, after = TokenSigner((OLD,), "spectral"), TokenSigner((NEW, OLD), "spectral")
    assert after.verify(signed(before), audience="api", kind="access")["sub"] == "me"
    with pytest.raises(InvalidTokenError):
        before.verify(signed(after), audience="api", kind="access")
    assert len(after.jwks()["keys"]) == 2


@pytest.mark.parametrize(("audience", "kind"), [("other", "access"), ("api", "refresh")])
def test_a_token_is_good_for_its_own_purpose_only(audience: str, kind: str) -> None:
    signer = TokenSigner((NEW,), "spectral")
    with pytest.raises(InvalidTokenError):
        signer.verify(signed(signer), audience=audience, kind=kind)


@pytest.mark.parametrize("shift_s", [-61, 120])
def test_expired_and_not_yet_valid_tokens_are_refused(shift_s: int) -> None:
    signer = TokenSigner((NEW,), "spectral")
    with pytest.raises(InvalidTokenError):
        signer.verify(signed(signer, issued_at=time.time() + shift_s), audience="api", kind="access")


def test_purposes_do_not_share_a_key() -> None:
    assert derive_key(NEW, "one") != derive_key(NEW, "two") != derive_key(OLD, "two")


@given(st.text(BASE62, min_size=1, max_size=40), st.data())
def test_the_checksum_notices_every_single_typo(body: str, data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(body) - 1))
    typo = body[:place] + data.draw(st.sampled_from([c for c in BASE62 if c != body[place]])) + body[place + 1 :]
    assert checksum_base62(typo) != checksum_base62(body)
