"""The peppers under which credentials of machines are hashed, and how far a rotation of them has come."""

import hashlib
from dataclasses import dataclass

import sqlalchemy as sa

from spectral.domains.keys.models import ApiKey, ServiceAccount
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.tokens import derive_key, keyed_hash

PEPPER_ID_CHARACTERS = 8


@dataclass(frozen=True, slots=True)
class Peppers:
    """The installation's peppers, newest first: the first hashes, all are looked up."""

    keys: tuple[bytes, ...]

    @classmethod
    def from_secrets(cls, secret_keys: tuple[bytes, ...]) -> "Peppers":
        return cls(tuple(derive_key(secret, "api-key-pepper") for secret in secret_keys))

    @property
    def newest_id(self) -> str:
        """Names the pepper that hashes now, without telling anything about it."""
        return hashlib.sha256(self.keys[0]).hexdigest()[:PEPPER_ID_CHARACTERS]

    def hash(self, plaintext: str) -> str:
        return keyed_hash(self.keys[0], plaintext)

    def hashes(self, plaintext: str) -> list[str]:
        return [keyed_hash(pepper, plaintext) for pepper in self.keys]


@dataclass(frozen=True, slots=True)
class OlderHashes:
    """How many credentials that still open something would stop doing so without the older peppers."""

    api_keys: int
    service_accounts: int

    @property
    def total(self) -> int:
        return self.api_keys + self.service_accounts


async def count_older_hashes(identity: Database, peppers: Peppers) -> OlderHashes:
    """What is not yet hashed under the newest pepper, in all accounts: each is hashed again when it is next used.

    identity: the database as the authentication role.
    """
    now = utc_now()
    counted = []
    for model in (ApiKey, ServiceAccount):
        statement = sa.select(sa.func.count(model.id)).where(
            model.revoked_at.is_(None),
            sa.or_(model.expires_at.is_(None), model.expires_at > now),
            # Without an id it was hashed before peppers were named, so nobody knows by which.
            sa.or_(model.pepper_id.is_(None), model.pepper_id != peppers.newest_id),
        )
        rows = await identity.look_up(statement)
        counted.append(int(rows[0][0]))
    return OlderHashes(*counted)
