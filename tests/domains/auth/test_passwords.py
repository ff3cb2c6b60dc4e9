"""Hashing and the password rules."""

import pytest
from argon2 import PasswordHasher

from spectral.domains.auth.errors import WeakPasswordError
from spectral.domains.auth.passwords import Passwords, common_passwords


async def test_a_hash_fits_its_password_only() -> None:
    passwords = Passwords(7)
    hashed = await passwords.hash("correct horse")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert await passwords.verify(hashed, "correct horse")
    assert not await passwords.verify(hashed, "wrong horse")
    assert not await passwords.verify("not a hash", "correct horse")


async def test_nobody_has_the_decoys_password() -> None:
    assert not await Passwords(7).verify(None, "no one has this password")


async def test_older_parameters_are_outdated() -> None:
    passwords = Passwords(7)
    assert passwords.outdated(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("x"))
    assert not passwords.outdated(await passwords.hash("x"))


def test_thousands_of_common_passwords_are_refused_in_production_and_in_development() -> None:
    """OWASP ASVS 5.0, 6.2.4: at least the 3,000 most common ones that the length rule would admit."""
    common = common_passwords()
    assert len([password for password in common if len(password) >= 12]) >= 3000
    assert all(len(password) >= 7 and password == password.lower() for password in common)
    for password in ("password1234", "qwertyuiop123", "iloveyouiloveyou", "123456789012"):
        assert password in common
    assert "devpass" not in common, "the one of the documentation's examples"


@pytest.mark.parametrize(
    ("password", "known"),
    [
        ("ada.lovelace@example.com", "ada.lovelace@example.com"),
        ("ADA-Lovelace-1815", "ada.lovelace@example.com"),
        ("1815 Analytical Engines", "Analytical Engines"),
        ("20262026", "2026-2026"),
    ],
)
def test_what_everybody_knows_is_no_password(password: str, known: str) -> None:
    with pytest.raises(WeakPasswordError):
        Passwords(7).require_strong(password, "/password", "somebody@else.test", None, known)
    Passwords(7).require_strong(f"{password} and more", "/password", known)


@pytest.mark.parametrize(
    "password", ["Spectral-2026!", "SPECTRALspectral", "spectral_admin_1", "agent.trace.prompt", "Welcome2Spectral"]
)
def test_words_of_the_product_alone_are_no_password(password: str) -> None:
    with pytest.raises(WeakPasswordError) as refused:
        Passwords(7).require_strong(password, "/password")
    assert "words" in refused.value.errors[0].detail
    Passwords(7).require_strong(f"{password} otter", "/password")


def test_digits_alone_are_judged_by_the_other_rules() -> None:
    Passwords(12).require_strong("7391 0462 8815", "/password")


@pytest.mark.parametrize("password", ["x" * 64, "ünï cødé ✓ ✓ ✓ ✓", "            . ", "aaaa aaaa bbbb b", "a" * 128])
async def test_any_characters_make_a_password_and_every_one_of_them_counts(password: str) -> None:
    """No composition rules, nothing is trimmed, folded or cut off."""
    passwords = Passwords(12)
    passwords.require_strong(password, "/password")
    hashed = await passwords.hash(password)
    assert await passwords.verify(hashed, password)
    for other in (password[:-1], password + " ", password.upper(), password.strip()):
        assert other == password or not await passwords.verify(hashed, other)


@pytest.mark.parametrize("password", ["elevenchars", "PASSWORD1234", "x" * 129])
def test_production_refuses_short_common_and_overlong_passwords(password: str) -> None:
    with pytest.raises(WeakPasswordError) as refused:
        Passwords(12).require_strong(password, "/password")
    assert refused.value.errors[0].pointer == "/password"
    assert password not in refused.value.errors[0].detail
