"""Hashing and the password rules."""

import pytest
from argon2 import PasswordHasher

from spectral.domains.auth.errors import WeakPasswordError
from spectral.domains.auth.passwords import Passwords


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


@pytest.mark.parametrize("password", ["elevenchars", "PASSWORD1234", "x" * 129])
def test_production_refuses_short_common_and_overlong_passwords(password: str) -> None:
    with pytest.raises(WeakPasswordError) as refused:
        Passwords(12).require_strong(password, "/password")
    assert refused.value.errors[0].pointer == "/password"
    assert password not in refused.value.errors[0].detail
