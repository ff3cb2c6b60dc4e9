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
"""Characters of a secret up to which it is known in every mixture of plain and percent-encoded ones."""


class Mask:
    """Replaces every occurrence of some secrets by `***`.

    Known forms: the text itself, JSON-escaped, HTML-escaped, percent-encoded, hexadecimal, and base64, also as a part
    of something longer that was encoded (`user:secret`). What a server makes of a secret in any other way, a digest or
    an encryption, is not recognised.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = [secret for secret in secrets if len(secret) >= SHORTEST]
        forms = {form for secret in known for form in _forms(secret) if len(form) >= SHORTEST}
        # The longest first, so that what contains another is replaced as a whole.
        self._forms = sorted(forms, key=lambda form: (-len(form), form))
        self._escaped = [_escaped(form) for form in self._forms]
        self._percents = [re.compile(_percent_pattern(secret)) for secret in known if len(secret) <= LONGEST_PATTERN]

    def text(self, text: str) -> str:
        """The text without the secrets."""
        for form in self._forms:
            if form in text:
                text = text.replace(form, STARS)
        if "%" in text:
            for pattern in self._percents:
                text = pattern.sub(STARS, text)
        return text

    def apply(self, value: Any) -> Any:
        """The JSON value without the secrets, in names of members too."""
        if not self._forms:
            return value
        # Most values hold none, and one text is looked through much faster than many.
        document = json.dumps(value, ensure_ascii=False)
        if "%" not in document and not any(form in document for form in self._escaped):
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
    forms = {secret, _escaped(secret), json.dumps(secret)[1:-1], _escaped(secret).replace("/", "\\/")}
    forms |= {html.escape(secret), html.escape(secret, quote=False), html.escape(secret).replace("&#x27;", "&#39;")}
    for encoded in (quote(secret), quote(secret, safe=""), quote_plus(secret)):
        forms |= {encoded, re.sub("%..", lambda found: found[0].lower(), encoded)}
    forms |= {raw.hex(), raw.hex().upper()}
    for core in _base64_cores(raw):
        forms |= {core, core.replace("+", "-").replace("/", "_")}
    return forms


def _escaped(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


def _percent_pattern(secret: str) -> str:
    """Every character as it is or encoded: which ones must be is decided differently by every server."""
    return "".join(f"(?:{re.escape(one)}|{_percents(one)}{'|[+]' if one == ' ' else ''})" for one in secret)


def _percents(one: str) -> str:
    encoded = (f"{byte:02x}" for byte in one.encode())
    return "".join("%" + "".join(f"[{digit}{digit.upper()}]" for digit in byte) for byte in encoded)


def _base64_cores(raw: bytes) -> Iterable[str]:
    """What is always there of the base64 of anything that holds these bytes, wherever in it they begin."""
    for offset in range(3):
        encoded = base64.b64encode(b"\0" * offset + raw).decode("ascii").rstrip("=")
        first = -(-offset * 8 // 6)
        last = (offset + len(raw)) * 8 // 6
        yield encoded[first:last]
