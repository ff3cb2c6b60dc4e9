"""Secret values out of what is stored: as they are, and in the forms that servers give them back in."""

import base64
import html
import json
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import quote, quote_plus

STARS = "***"
SHORTEST = 4
"""Shorter texts occur everywhere; no secret is shorter."""
LONGEST_PATTERN = 256
"""Characters of a secret up to which it is known in every mixture of plain and escaped ones."""

_ESCAPES = ("%", "\\", "&", "+")
_SHORT_ESCAPES = {'"': '"', "\\": "\\", "/": "/", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t"}
_ENTITIES = {"&": "amp", "<": "lt", ">": "gt", '"': "quot", "'": "apos"}


class Mask:
    """Replaces every occurrence of some secrets by `***`.

    Known forms: the text itself, any of its characters escaped as in URLs, JSON or HTML, hexadecimal, and base64, also
    as a part of something longer that was encoded (`user:secret`). What a server makes of a secret in any other way, a
    digest or an encryption, is not recognised.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = [secret for secret in secrets if len(secret) >= SHORTEST]
        forms = {form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}
        # The longest first, so that what contains another is replaced as a whole.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._escaped = [_escaped(form) for form in self._forms]
        self._patterns = [re.compile(_pattern(secret)) for secret in known if len(secret) <= LONGEST_PATTERN]

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, STARS)
        if any(escape in text for escape in _ESCAPES):
            for pattern in self._patterns:
                text = pattern.sub(STARS, text)
        return text

    def apply(self, value: Any) -> Any:
        """The JSON value without the secrets, in names of members too."""
        if not self._forms:
            return value
        # Most values hold none, and one text is looked through much faster than many.
        document = json.dumps(value, ensure_ascii=False)
        if not any(part in document for part in (*_ESCAPES, *self._escaped)):
            return value
        return _each_text(value, self.text)


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {change(name): _each_text(member, change) for name, member in value.items()}
    if isinstance(value, list):
        return [_each_text(member, change) for member in value]
    return value


def _forms(secret: str) -> set[str]:
    raw = secret.encode()
    forms = {secret, raw.hex(), raw.hex().upper()}
    # The shorter ones have a pattern, which knows these and all that lies between them.
    forms |= {_escaped(secret), json.dumps(secret)[1:-1], html.escape(secret), quote(secret), quote_plus(secret)}
    for core in _base64_cores(raw):
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _pattern(secret: str) -> str:
    """Every character as it is or escaped: which ones must be is decided differently by every server."""
    return "".join(f"(?:{'|'.join(_spellings(one))})" for one in secret)


def _spellings(one: str) -> Iterable[str]:
    yield re.escape(one)
    yield "".join(f"%{_any_case(f'{byte:02x}')}" for byte in one.encode())
    units = one.encode("utf-16-be")
    yield "".join(rf"\\u{_any_case(units[at : at + 2].hex())}" for at in range(0, len(units), 2))
    yield rf"&\#(?:{ord(one)}|[xX]0*{_any_case(f'{ord(one):x}')});"
    if one in _SHORT_ESCAPES:
        yield rf"\\{re.escape(_SHORT_ESCAPES[one])}"
    if one in _ENTITIES:
        yield f"&{_ENTITIES[one]};"
    if one == " ":
        yield "[+]"


def _any_case(digits: str) -> str:
    return "".join(f"[{digit}{digit.upper()}]" if digit.isalpha() else digit for digit in digits)


def _base64_cores(raw: bytes) -> Iterable[str]:
    """What is always there of the base64 of anything that holds these bytes, wherever in it they begin."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        first = -(-offset * 8 // 6)
        last = (offset + len(raw)) * 8 // 6
        yield encoded[first:last]
