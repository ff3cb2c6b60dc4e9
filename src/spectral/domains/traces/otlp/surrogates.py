"""Half surrogate pairs in JSON, which JavaScript writes where text was cut in the middle of one."""

import re

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(u[dD][89a-fA-F][0-9a-fA-F]{2})|.)", re.DOTALL
)


def without_half_pairs(encoded: bytes) -> bytes:
    """The JSON with U+FFFD for each escaped half of a surrogate pair: no database and no encoder takes those."""
    return _ESCAPE.sub(_whole, encoded) if b"\\u" in encoded else encoded


def _whole(escape: re.Match[bytes]) -> bytes:
    return b"\\ufffd" if escape.group(1) is not None else escape.group()
