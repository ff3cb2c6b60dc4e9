"""Near-duplicates are found, near misses are not, and a signature is the same on every machine."""

import pytest

from spectral.domains.samples.near_duplicates import NearDuplicateIndex, packed, signature_of, unpacked

TEXT = "Hello, my parcel from order 12345 was delivered to the wrong house and my neighbour does not have it either."


@pytest.mark.parametrize(
    "other",
    [
        TEXT.upper(),
        TEXT.replace("12345", "98765"),
        TEXT.replace(",", " !!"),
        TEXT.replace("neighbour", "neighbor"),
        TEXT + " Thanks!",
    ],
)
def test_a_text_with_small_changes_is_a_near_duplicate(other: str) -> None:
    index = NearDuplicateIndex()
    index.add("first", "kind", signature_of(TEXT))

    assert index.find("kind", signature_of(other)) == "first"


@pytest.mark.parametrize(
    "other",
    [
        "Hello, my parcel from order 12345 has not been delivered yet, could you check where it is right now please?",
        "I forgot my password and cannot log in any more, please reset it for me as soon as you can manage to.",
        TEXT[: len(TEXT) // 2],
    ],
)
def test_another_text_is_not(other: str) -> None:
    index = NearDuplicateIndex()
    index.add("first", "kind", signature_of(TEXT))

    assert index.find("kind", signature_of(other)) is None


def test_only_texts_of_one_kind_are_compared() -> None:
    index = NearDuplicateIndex()
    index.add("first", "refund", signature_of(TEXT))

    assert index.find("late", signature_of(TEXT)) is None


def test_the_first_of_several_is_named() -> None:
    index = NearDuplicateIndex()
    for key in ("first", "second"):
        index.add(key, "kind", signature_of(TEXT))

    assert index.find("kind", signature_of(TEXT)) == "first"


def test_short_texts_have_no_signature() -> None:
    index = NearDuplicateIndex()
    index.add("short", "kind", signature_of("2 + 2 = 4"))

    assert signature_of("too short!") is None
    assert index.find("kind", signature_of("2 + 2 = 4")) is None
    assert packed(None) is None
    assert unpacked(None) is None


def test_a_signature_survives_being_stored_and_never_changes() -> None:
    signature = signature_of(TEXT)
    stored = packed(signature)

    assert signature is not None
    assert stored is not None
    assert len(stored) == 512
    read = unpacked(stored)
    assert read is not None
    assert (read == signature).all()
    # Signatures are kept in databases: another value here would make every stored one worthless.
    assert stored[:8].hex() == "9a37e000a7ed0702"


def test_a_very_long_text_has_a_signature() -> None:
    assert signature_of(" ".join(f"word{number}x" for number in range(30_000))) is not None
