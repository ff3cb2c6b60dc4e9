"""API keys: made, listed, revoked, and recognised."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.repository import ApiKeyRepository, KeyRing
from spectral.platform import audit
from spectral.platform.access.authentication import Target
from spectral.platform.access.principal import Principal, PrincipalKind, WorkspaceAccess
from spectral.platform.access.scopes import API_KEY_SCOPES, Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, NotAuthenticatedError
from spectral.platform.shared.pagination import Page
from spectral.platform.shared.tokens import CHECKSUM_CHARACTERS, checksum_base62, derive_key, keyed_hash, random_base62

PREFIX = "sk_live_"
RANDOM_CHARACTERS = 30
SHOWN_PREFIX_CHARACTERS = len(PREFIX) + 4
LAST_USED_THROTTLE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Peppers:
    """The installation's peppers for API keys, newest first: the first hashes, all are looked up."""

    keys: tuple[bytes, ...]

    @classmethod
    def from_secrets(cls, secret_keys: tuple[bytes, ...]) -> "Peppers":
        return cls(tuple(derive_key(secret, "api-key-pepper") for secret in secret_keys))

    def hash(self, plaintext: str) -> str:
        return keyed_hash(self.keys[0], plaintext)

    def hashes(self, plaintext: str) -> list[str]:
        return [keyed_hash(pepper, plaintext) for pepper in self.keys]


class ApiKeyService:
    """The keys of one workspace, in the caller's transaction."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess, peppers: Peppers, lifetime_days: int) -> None:
        self._session = session
        self._access = access
        self._peppers = peppers
        self._lifetime = timedelta(days=lifetime_days)
        self._repository = ApiKeyRepository(session, access)

    @property
    def default_expiry(self) -> datetime:
        return utc_now() + self._lifetime

    async def create_key(
        self, name: str, scopes: Sequence[str], expires_at: datetime | None, created_by: UUID | None
    ) -> tuple[ApiKey, str]:
        """A new key and its plaintext, which is not kept. Raises BusinessRuleViolationError for a past expiry."""
        if expires_at is not None and expires_at <= utc_now():
            raise BusinessRuleViolationError("expires_at lies in the past")
        plaintext = new_key()
        key = self._repository.add(
            ApiKey(
                name=name,
                key_hash=self._peppers.hash(plaintext),
                prefix=plaintext[:SHOWN_PREFIX_CHARACTERS],
                last_four=plaintext[-4:],
                scopes=sorted(set(scopes)),
                created_by=created_by,
                expires_at=expires_at,
            )
        )
        await self._repository.flush()
        await self._audit(key, "api_key.created", {"name": name, "scopes": key.scopes})
        return key, plaintext

    async def list_keys(self, page: Page) -> tuple[Sequence[ApiKey], int]:
        """One page of the keys, revoked ones included, newest first."""
        return await self._repository.page(self._repository.select(), page)

    async def read_key(self, key_id: UUID) -> ApiKey:
        """Raises NotFoundError."""
        return await self._repository.get(key_id)

    async def revoke_key(self, key_id: UUID) -> None:
        """The key opens nothing any more, in this process at once, elsewhere within a second; again is harmless.

        Raises NotFoundError.
        """
        key = await self._repository.get(key_id)
        if key.revoked_at is None:
            key.revoked_at = utc_now()
            await self._repository.flush()
            await self._audit(key, "api_key.revoked", {"name": key.name})

    async def _audit(self, key: ApiKey, action: str, detail: dict[str, object]) -> None:
        await audit.record(
            self._session,
            account_id=self._access.account_id,
            workspace_id=self._access.workspace_id,
            actor=self._access.actor,
            action=action,
            subject=f"api_key:{key.id}",
            detail=detail,
        )


class ApiKeyVerifier:
    """Recognises API keys, for the platform's `CredentialVerifier`."""

    def __init__(self, identity: Database, peppers: Peppers) -> None:
        self._identity = identity
        self._peppers = peppers

    def recognises(self, credential: str) -> bool:
        return credential.startswith(PREFIX)

    async def principal(self, credential: str, target: Target) -> Principal:
        """The key's workspace is the only one it may touch. Raises NotAuthenticatedError."""
        if not is_well_formed(credential):
            raise NotAuthenticatedError
        async with self._identity.transaction(read_only=True) as session:
            found = await KeyRing(session).by_hash(self._peppers.hashes(credential))
        now = utc_now()
        if found is None or status_of(found[0], now) != "active":
            raise NotAuthenticatedError
        key, account_id = found
        if key.last_used_at is None or now - key.last_used_at >= LAST_USED_THROTTLE:
            async with self._identity.transaction() as session:
                await KeyRing(session).touch(key, now)
        access = WorkspaceAccess(
            key.workspace_id,
            account_id,
            frozenset(Scope(scope) for scope in key.scopes) & API_KEY_SCOPES,
            f"key:{key.id}",
        )
        mine = target.workspace_id in {None, key.workspace_id}
        return Principal(
            kind=PrincipalKind.API_KEY,
            credential_id=key.id,
            account_id=account_id,
            workspace=access if mine else None,
        )


def new_key() -> str:
    """`sk_live_`, 30 random base62 characters, 6 of checksum."""
    body = PREFIX + random_base62(RANDOM_CHARACTERS)
    return body + checksum_base62(body)


def is_well_formed(key: str) -> bool:
    """Whether length and checksum fit, which needs no database."""
    if len(key) != len(PREFIX) + RANDOM_CHARACTERS + CHECKSUM_CHARACTERS or not key.isascii():
        return False
    return checksum_base62(key[:-CHECKSUM_CHARACTERS]) == key[-CHECKSUM_CHARACTERS:]


def status_of(key: ApiKey, moment: datetime) -> str:
    """`active`, `expired` or `revoked` at that moment."""
    if key.revoked_at is not None:
        return "revoked"
    if key.expires_at is not None and key.expires_at <= moment:
        return "expired"
    return "active"
