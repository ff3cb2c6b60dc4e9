"""What is recognised in text without a rule of one's own, over bytes of UTF-8.

A `pattern` finds candidates; a `check`, where there is one, says which parts of a candidate are meant. A `trigger` is
found in every text that holds a candidate, whatever stands around it, and many triggers are searched at once.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address

import re2

from spectral.domains.traces.masking.rules import Detector, compiled_pattern

Span = tuple[int, int]
Check = Callable[[bytes, int, int], Sequence[Span]]

_DIGITS = frozenset(b"0123456789")
_WORD = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")
_JOINED = _WORD | frozenset(b"-.")
_HEX_OR_COLON = frozenset(b"0123456789ABCDEFabcdef:")

SHORTEST_CARD, LONGEST_CARD = 13, 19
SHORTEST_PHONE, LONGEST_PHONE = 8, 15

_IBANS = """
AD:24 AE:23 AL:28 AT:20 AZ:28 BA:20 BE:16 BG:22 BH:22 BI:27 BR:29 BY:28 CH:21 CR:22 CY:28 CZ:24 DE:22 DJ:27 DK:18 DO:28
EE:20 EG:29 ES:24 FI:18 FK:18 FO:18 FR:27 GB:22 GE:22 GI:23 GL:18 GR:27 GT:28 HN:28 HR:21 HU:28 IE:22 IL:23 IQ:23 IS:26
IT:27 JO:30 KW:30 KZ:20 LB:28 LC:32 LI:21 LT:20 LU:20 LV:21 LY:25 MC:27 MD:24 ME:22 MK:19 MN:20 MR:27 MT:31 MU:30 NI:28
NL:18 NO:15 OM:23 PK:24 PL:28 PS:29 PT:25 QA:29 RO:24 RS:22 RU:33 SA:24 SC:31 SD:18 SE:24 SI:19 SK:24 SM:27 SO:23 ST:25
SV:28 TL:23 TN:24 TR:26 UA:29 VA:22 VG:24 XK:20 YE:30
"""
IBAN_LENGTHS = {item[:2]: int(item[3:]) for item in _IBANS.split()}
"""Characters of an IBAN by country. Source: SWIFT, IBAN Registry."""

_COUNTRIES = "|".join(IBAN_LENGTHS)


@dataclass(frozen=True, slots=True)
class Recogniser:
    """One thing that is recognised. The last group of `pattern`, where it has any, is what is meant by a match."""

    detector: Detector
    placeholder: bytes
    pattern: "re2._Regexp"
    trigger: str
    check: Check | None = None


def _cards(data: bytes, start: int, end: int) -> list[Span]:
    """Payment card numbers in a run of digits with single separators: 13 to 19 digits that pass Luhn's check."""
    if _touches(data, start, end, _WORD):
        return []
    groups: list[Span] = []
    position = start
    for index in range(start, end + 1):
        if index == end or data[index] not in _DIGITS:
            groups.append((position, index))
            position = index + 1
    found: list[Span] = []
    first = 0
    while first < len(groups):
        digits, last, match = b"", first, None
        while last < len(groups) and len(digits) <= LONGEST_CARD:
            digits += data[slice(*groups[last])]
            if SHORTEST_CARD <= len(digits) <= LONGEST_CARD and digits[:1] in b"23456" and _luhn(digits):
                match = last
            last += 1
        if match is None:
            first += 1
        else:
            found.append((groups[first][0], groups[match][1]))
            first = match + 1
    return found


def _luhn(digits: bytes) -> bool:
    """Source: ISO/IEC 7812-1, annex B."""
    if len(set(digits)) == 1:
        return False
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = (digit - 48) * (1 + place % 2)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def _ibans(data: bytes, start: int, end: int) -> list[Span]:
    """International bank account numbers: as long as their country's, modulo 97. Source: ISO 13616."""
    if start and data[start - 1] in _WORD:
        return []
    length = IBAN_LENGTHS[data[start : start + 2].decode("ascii").upper()]
    characters = bytearray()
    for index in range(start, end):
        if data[index] == 0x20:
            continue
        characters.append(data[index])
        if len(characters) == length:
            if index + 1 < len(data) and data[index + 1] in _WORD:
                return []
            text = bytes(characters[4:] + characters[:4]).decode("ascii").upper()
            if int("".join(str(int(character, 36)) for character in text)) % 97 == 1:
                return [(start, index + 1)]
            return []
    return []


def _phones(data: bytes, start: int, end: int) -> list[Span]:
    count = sum(1 for byte in data[start:end] if byte in _DIGITS)
    if not SHORTEST_PHONE <= count <= LONGEST_PHONE or _touches(data, start, end, _WORD):
        return []
    # Parts of ids, versions and dates are joined to more of the same.
    if start and data[start - 1] in b"-./" and start > 1 and data[start - 2] in _WORD:
        return []
    if end + 1 < len(data) and data[end] in b"-./" and data[end + 1] in _WORD:
        return []
    return [(start, end)]


def _ipv4(data: bytes, start: int, end: int) -> list[Span]:
    if start and data[start - 1] in _JOINED:
        return []
    if end < len(data) and (data[end] in _WORD or (data[end] in b"-." and data[end + 1 : end + 2].isdigit())):
        return []
    try:
        IPv4Address(data[start:end].decode("ascii"))
    except AddressValueError:
        return []
    return [(start, end)]


def _ipv6(data: bytes, start: int, end: int) -> list[Span]:
    # A full stop or colon after the address ends a sentence.
    while end > start and (data[end - 1] == 0x2E or (data[end - 1] == 0x3A and data[end - 2 : end] != b"::")):
        end -= 1
    text = data[start:end]
    if not any(byte in _DIGITS for byte in text) or _touches(data, start, end, _WORD | _HEX_OR_COLON):
        return []
    try:
        IPv6Address(text.decode("ascii"))
    except AddressValueError:
        return []
    return [(start, end)]


def _touches(data: bytes, start: int, end: int, these: frozenset[int]) -> bool:
    return bool((start and data[start - 1] in these) or (end < len(data) and data[end] in these))


_PHONE = (
    r"\+[1-9](?:[ ().\-/]{0,2}[0-9]){7,14}",
    r"\([0-9]{2,5}\)[ -]?[0-9]{3,5}(?:[ .-]?[0-9]{2,6}){0,2}",
    r"[0-9]{3}[.-][0-9]{3}[.-][0-9]{4}",
    r"0[0-9]{2,4}[ /-][0-9]{3,}(?:[ -]?[0-9]{2,}){0,3}",
)
_PEM = "[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?"
_KEYS = (
    r"\b(?:sk|rk|st|whsec)_(?:live|test)_[A-Za-z0-9_-]{10,}",
    r"\bsk-[A-Za-z0-9_-]{16,}",
    r"\bgh[pousr]_[A-Za-z0-9]{20,}",
    r"\bgithub_pat_[A-Za-z0-9_]{20,}",
    r"\bglpat-[A-Za-z0-9_-]{16,}",
    r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}",
    r"\b(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b",
    r"\bAIza[0-9A-Za-z_-]{35}",
    r"\bya29\.[0-9A-Za-z_-]{20,}",
    r"\bhf_[A-Za-z0-9]{20,}",
    r"\bgsk_[A-Za-z0-9]{20,}",
    r"\bnpm_[A-Za-z0-9]{30,}",
    r"\bpypi-[A-Za-z0-9_-]{30,}",
    r"\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"\beyJ[A-Za-z0-9_-]{5,}\.eyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]*",
    rf"-----BEGIN {_PEM}-----(?s:.*?)(?:-----END {_PEM}-----|\z)",
    r"(?i:\bbearer) +([A-Za-z0-9._~+/-]{16,}=*)",
    r"(?i:aws_?secret_?(?:access_?)?key)[\"' ]*[:=][\"' ]*([A-Za-z0-9/+]{40})",
)
_KEY_TRIGGER = (
    r"(?:sk|rk|st|whsec)_(?:live|test)_|sk-[A-Za-z0-9]|gh[pousr]_|github_pat_|glpat-|xox[a-z]-|A[KSBC][IC]A[A-Z2-7]|"
    r"AIza|ya29\.|hf_|gsk_|npm_|pypi-|SG\.|eyJ|-----BEGIN|(?i:bearer) |(?i:aws_?secret)"
)
_LOCAL = r"[\pL\pN_%+-]+(?:\.[\pL\pN_%+-]+)*"
_HOST = r"(?:[\pL\pN](?:[\pL\pN-]{0,61}[\pL\pN])?\.)+\pL[\pL\pN-]{0,61}[\pL\pN]"

RECOGNISERS = (
    # Before e-mail addresses, which `password@host` looks like.
    Recogniser(
        Detector.SECRETS,
        b"[credentials]",
        compiled_pattern(r"[A-Za-z][A-Za-z0-9+.-]{0,30}://([^\s/?#\"'@:]*:[^\s/?#\"'@]+)@"),
        r"://[^\s/?#\"'@:]*:[^\s/?#\"'@]+@",
    ),
    Recogniser(Detector.SECRETS, b"[secret]", compiled_pattern("|".join(_KEYS)), _KEY_TRIGGER),
    # Before payment cards and phone numbers, whose digits they hold.
    Recogniser(
        Detector.IBAN,
        b"[iban]",
        compiled_pattern(rf"(?i)(?:{_COUNTRIES})[0-9]{{2}}(?: ?[A-Z0-9]){{11,30}}"),
        rf"(?i:{_COUNTRIES})[0-9]{{2}}(?: ?[A-Za-z0-9]){{11}}",
        _ibans,
    ),
    Recogniser(
        Detector.CREDIT_CARD,
        b"[credit_card]",
        compiled_pattern(r"[0-9](?:[ -]?[0-9]){12,40}"),
        r"[0-9](?:[ -]?[0-9]){12}",
        _cards,
    ),
    Recogniser(Detector.EMAIL, b"[email]", compiled_pattern(f"{_LOCAL}@{_HOST}"), "@"),
    Recogniser(
        Detector.IP_ADDRESS,
        b"[ip_address]",
        compiled_pattern(r"(?:[0-9]{1,3}\.){3}[0-9]{1,3}"),
        r"[0-9]\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]",
        _ipv4,
    ),
    Recogniser(
        Detector.IP_ADDRESS,
        b"[ip_address]",
        compiled_pattern(r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]{0,40}"),
        r"[0-9A-Fa-f]{0,4}:[0-9A-Fa-f]{0,4}:",
        _ipv6,
    ),
    Recogniser(
        Detector.PHONE,
        b"[phone]",
        compiled_pattern("|".join(_PHONE)),
        r"\+[1-9](?:[ ().\-/]{0,2}[0-9]){7}|\([0-9]{2,5}\)[ -]?[0-9]{3}|[0-9]{3}[.-][0-9]{3}[.-][0-9]{4}|"
        r"0[0-9]{2,4}[ /-][0-9]{3}",
        _phones,
    ),
)
"""In the order in which they are applied."""
