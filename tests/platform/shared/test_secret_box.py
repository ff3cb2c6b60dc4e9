"""Secrets at rest: authenticated, one key a purpose, replaceable."""

import base64

import pytest

from spectral.platform.shared.secret_box import SealBrokenError, SecretBox

OLD, NEW = b"the former secret key of a test ...", b"the present secret key of a test .."


def test_what_was_sealed_comes_back_and_every_seal_is_another() -> None:
    box = SecretBox((NEW,), "totp")
    for text in ("", "hunter2", "Grüße ✓", "x" * 10_000):
        seal = box.seal(text)
        assert (box.open(seal), seal.isascii()) == (text, True)
        assert seal != box.seal(text)
        assert not text or text not in base64.urlsafe_b64decode(seal[3:]).decode("latin-1")


def test_a_seal_that_was_changed_anywhere_does_not_open() -> None:
    box = SecretBox((NEW,), "totp")
    seal = box.seal("hunter2")
    wrong = [seal[:place] + ("A" if seal[place] != "A" else "B") + seal[place + 1 :] for place in range(len(seal) - 2)]
    for changed in (*wrong, seal[:-4], seal + "AAAA", seal[3:], "v2." + seal[3:], "", "v1.", "v1.AAAA", "v1.é"):
        with pytest.raises(SealBrokenError):
            box.open(changed)


def test_another_purpose_and_another_key_open_nothing() -> None:
    seal = SecretBox((NEW,), "totp").seal("hunter2")
    for other in (SecretBox((NEW,), "mail"), SecretBox((OLD,), "totp")):
        assert not other.is_current(seal)
        with pytest.raises(SealBrokenError):
            other.open(seal)


def test_the_first_key_seals_and_every_key_opens() -> None:
    former = SecretBox((OLD,), "totp").seal("hunter2")
    both = SecretBox((NEW, OLD), "totp")
    assert (both.open(former), both.is_current(former)) == ("hunter2", False)
    renewed = both.reseal(former)
    assert both.is_current(renewed)
    assert SecretBox((NEW,), "totp").open(renewed) == "hunter2"
