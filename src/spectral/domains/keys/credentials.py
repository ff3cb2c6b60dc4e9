"""Credentials of machines: what they look like, what is stored of one, and whether it still opens anything. Pure.

`sk_live_` (API key) or `st_live_` (service account), 30 random base62 characters, 6 of checksum.
"""

import re
from datetime import datetime

from spectral.domains.keys.models import WorkspaceCredential
from spectral.domains.keys.peppers import Peppers
from spectral.platform.shared.errors import BusinessRuleViolationError, InvalidTransitionError
from spectral.platform.shared.tokens import CHECKSUM_CHARACTERS, checksum_base62, random_base62

API_KEY = "sk_live_"
SERVICE_ACCOUNT = "st_live_"
RANDOM_CHARACTERS = 30
SHOWN_CHARACTERS = 4

FORM = re.compile(rf"(?:{API_KEY}|{SERVICE_ACCOUNT})[0-9A-Za-z]{{{RANDOM_CHARACTERS + CHECKSUM_CHARACTERS}}}")
"""What secret scanners look for, too (docs/secret-scanning.md)."""


def new_credential(prefix: str) -> str:
    """A credential that nobody has seen before."""
    body = prefix + random_base62(RANDOM_CHARACTERS)
    return body + checksum_base62(body)


def is_well_formed(credential: str) -> bool:
    """Whether form and checksum fit, which needs no database."""
    if FORM.fullmatch(credential) is None:
        return False
    return checksum_base62(credential[:-CHECKSUM_CHARACTERS]) == credential[-CHECKSUM_CHARACTERS:]


def stored(plaintext: str, peppers: Peppers) -> dict[str, str]:
    """The columns that are kept of a credential: enough to recognise it, not enough to use it."""
    return {
        "key_hash": peppers.hash(plaintext),
        "pepper_id": peppers.newest_id,
        "prefix": plaintext[: len(API_KEY) + SHOWN_CHARACTERS],
        "last_four": plaintext[-SHOWN_CHARACTERS:],
    }


def status_at(moment: datetime, *, expires_at: datetime | None, revoked_at: datetime | None) -> str:
    """`active`, `expired` or `revoked`."""
    if revoked_at is not None:
        return "revoked"
    if expires_at is not None and expires_at <= moment:
        return "expired"
    return "active"


def require_future(expires_at: datetime | None, moment: datetime) -> None:
    """Raises BusinessRuleViolationError for an expiry that has passed; None is no expiry."""
    if expires_at is not None and expires_at <= moment:
        raise BusinessRuleViolationError("expires_at lies in the past")


def require_rotatable(credential: WorkspaceCredential, moment: datetime) -> None:
    """Raises InvalidTransitionError for what has ended or already has a successor."""
    status = status_at(moment, expires_at=credential.expires_at, revoked_at=credential.revoked_at)
    if status != "active":
        raise InvalidTransitionError(f"It is {status}; create a new one instead of rotating it")
    if credential.rotated_to is not None:
        raise already_rotated(credential)


def already_rotated(credential: WorkspaceCredential) -> InvalidTransitionError:
    message = "It was rotated before; rotate its successor instead"
    if credential.rotated_to is None:
        return InvalidTransitionError(message)
    return InvalidTransitionError(message, rotated_to=str(credential.rotated_to))
