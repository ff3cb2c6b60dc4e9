"""JSON values as samples hold them: what is accepted, the one form in which they are stored, and their hashes."""

import hashlib
import json
import math
import re
import unicodedata
from collections.abc import Iterator
from typing import Any

MAXIMUM_DEPTH = 32
MAXIMUM_BYTES = 256 * 1024
"""Of one input, expected answer or metadata object in canonical form."""
MAXIMUM_NUMBER = 2**63 - 1
_BETWEEN = re.compile(r"[\W_]+")
_DIGITS = re.compile(r"\b\d+\b")


class UnstorableValueError(ValueError):
    """A value that one of the databases, or JSON itself, cannot hold; the text says why and at which pointer."""


def canonical(value: Any) -> Any:
    """The value in the form in which it is stored; the same on every database.

    Whole floats become integers, because JSON has one kind of number. Raises UnstorableValueError for NaN and
    infinities, numbers beyond ±(2^63 - 1), NUL and lone surrogates, more than 32 levels, more than 256 KiB.
    """
    plain = _plain(value, "")
    if len(canonical_bytes(plain)) > MAXIMUM_BYTES:
        raise UnstorableValueError(f"is larger than {MAXIMUM_BYTES // 1024} KiB")
    return plain


def canonical_bytes(value: Any) -> bytes:
    """Compact JSON with sorted members, as UTF-8; `value` is in canonical form."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def sha256_of(value: Any) -> str:
    """SHA-256 of the canonical bytes, in hex."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def text_of(value: Any) -> str:
    """Every text and number of a value, by sorted member, one space between: what near-duplicates are judged by."""
    return " ".join(_leaves(value))


def comparable(text: str) -> str:
    """The text without what makes no difference: case, punctuation, spacing; every run of digits is one `0`."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _DIGITS.sub("0", _BETWEEN.sub(" ", folded)).strip()


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key in sorted(value):
            yield from _leaves(value[key])
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, int | float):
        yield json.dumps(value)


def _plain(value: Any, pointer: str) -> Any:
    if pointer.count("/") > MAXIMUM_DEPTH:
        raise UnstorableValueError(f"is nested deeper than {MAXIMUM_DEPTH} levels")
    if isinstance(value, dict):
        return {_text(key, pointer): _plain(one, f"{pointer}/{_token(key)}") for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one, f"{pointer}/{index}") for index, one in enumerate(value)]
    if isinstance(value, str):
        return _text(value, pointer)
    if isinstance(value, float):
        return _number(value, pointer)
    if isinstance(value, int) and abs(value) > MAXIMUM_NUMBER:
        raise UnstorableValueError(f"{_at(pointer)}is a number beyond ±(2^63 - 1)")
    return value


def _number(value: float, pointer: str) -> int | float:
    if not math.isfinite(value):
        raise UnstorableValueError(f"{_at(pointer)}is not a finite number")
    if abs(value) > MAXIMUM_NUMBER:
        raise UnstorableValueError(f"{_at(pointer)}is a number beyond ±(2^63 - 1)")
    return int(value) if value.is_integer() else value


def _text(text: str, pointer: str) -> str:
    if "\x00" in text:
        raise UnstorableValueError(f"{_at(pointer)}holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnstorableValueError(f"{_at(pointer)}holds half of a surrogate pair") from None
    return text


def _token(key: str) -> str:
    # Pointers are shown to people: a member's name could be as long as the body.
    return key[:60].encode("utf-8", "replace").decode().replace("~", "~0").replace("/", "~1")


def _at(pointer: str) -> str:
    return f"{pointer} " if pointer else ""
