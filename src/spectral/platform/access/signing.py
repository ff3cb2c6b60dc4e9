"""The keys that access tokens are signed with: rows, published before they sign and until their last token ended."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import asyncpg
import sqlalchemy as sa
import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.db.base import Base, UtcTime
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import SealBrokenError, SecretBox, sealed
from spectral.platform.shared.tokens import (
    InvalidTokenError,
    key_id,
    key_set,
    private_key,
    private_text,
    public_key,
    public_text,
    sign_token,
    token_key_id,
    verify_token,
)
from spectral.settings import Settings

PURPOSE = "signing-key"
ROTATION = "signing_keys.rotation"
ROTATION_INTERVAL_S = 3600.0
RELOADS_BEFORE_SIGNING = 2
UNKNOWN_KEY_PAUSE_S = 1.0
# Other short-lived tokens than access tokens are signed too; none may outlive its key.
SHORTEST_REACH_S = 3600
# A driver raises its own errors while it connects, and those of the operating system.
DATABASE_ERRORS = (SQLAlchemyError, OSError, asyncpg.PostgresError)

log = structlog.get_logger(__name__)


class SigningKey(Base):
    """One key. Published from `created_at` until `expires_at`, signs between `signs_from` and `signs_until`.

    generation: 1, 2, 3 …; unique, so that two processes cannot both make the next.
    """

    __tablename__ = "signing_key"

    kid: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    generation: Mapped[int] = mapped_column(unique=True)
    public_key: Mapped[str] = mapped_column(sa.String(43))
    sealed_private_key: Mapped[str] = mapped_column(sa.Text, info=sealed(PURPOSE))
    created_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    signs_from: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    signs_until: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))
    expires_at: Mapped[datetime | None] = mapped_column(UtcTime(timezone=True))


class SigningKeysMissingError(Exception):
    """Nothing was loaded yet: `TokenSigner.ready` was not awaited, or the schema is not there."""


@dataclass(frozen=True, slots=True)
class LoadedKey:
    """A key of the ring. `private` is None when no secret key of this process opens it: then it only verifies."""

    public: Ed25519PublicKey
    private: Ed25519PrivateKey | None
    signs_from: datetime
    expires_at: datetime | None

    def expired(self, now: datetime) -> bool:
        return self.expires_at is not None and self.expires_at <= now


@dataclass(frozen=True, slots=True)
class KeyTimes:
    """reload: how old a process's copy of the keys may be.  reach: the longest life of a token.

    lifetime: how long a key signs before the next is made.
    """

    reload: timedelta
    reach: timedelta
    lifetime: timedelta

    @property
    def lead(self) -> timedelta:
        """For how long a new key is published before it signs: every process has seen it by then, and every cache."""
        return RELOADS_BEFORE_SIGNING * self.reload


class TokenSigner:
    """Signs and verifies with a copy of the rows that is at most one reload period old. Lives as long as the process.

    Signs with the newest key that is due and that this process can open. A token that names an unknown key makes the
    copy be renewed, at most once a second.
    """

    def __init__(
        self,
        identity: Database,
        box: SecretBox,
        issuer: str,
        times: KeyTimes,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._identity = identity
        self._box = box
        self._issuer = issuer
        self._times = times
        self._clock = clock
        self._keys: dict[str, LoadedKey] = {}
        self._loaded_at = float("-inf")
        self._loading = asyncio.Lock()

    @classmethod
    def of(cls, identity: Database, settings: Settings) -> Self:
        """The signer of this installation; `identity` is its database as the authentication role."""
        times = KeyTimes(
            reload=timedelta(seconds=settings.signing_key_reload_s),
            reach=timedelta(seconds=max(settings.access_token_lifetime_s, SHORTEST_REACH_S)),
            lifetime=timedelta(days=settings.signing_key_lifetime_days),
        )
        return cls(identity, SecretBox(settings.secrets, PURPOSE), settings.token_issuer, times)

    @property
    def reload_s(self) -> int:
        """For how many seconds the published keys may be kept by those who read them."""
        return int(self._times.reload.total_seconds())

    # ------------------------------------------------------------------------------------------------------ tokens

    def sign(self, *, audience: str, kind: str, issued_at: int, lifetime_s: int, claims: dict[str, Any]) -> str:
        """A JWT with `iss aud typ iat exp` and the given claims; `issued_at` in seconds since the epoch.

        Raises SigningKeysMissingError before `ready`, ValueError for a token that would outlive its key.
        """
        if lifetime_s > self._times.reach.total_seconds():
            raise ValueError(f"a token lives at most {self._times.reach.total_seconds():.0f} s, not {lifetime_s}")
        payload = claims | {
            "iss": self._issuer,
            "aud": audience,
            "typ": kind,
            "iat": issued_at,
            "exp": issued_at + lifetime_s,
        }
        key = self.signing_key()
        if key is None:
            raise SigningKeysMissingError
        return sign_token(key, payload)

    def verify(self, token: str, *, audience: str, kind: str) -> dict[str, Any]:
        """The claims of a token that is ours, for this audience and of this kind, and valid now.

        The key is looked up by `kid` among the loaded ones only, and its one algorithm is the only one accepted.
        Raises InvalidTokenError.
        """
        key = self._keys.get(token_key_id(token))
        if key is None or key.expired(self._clock()):
            raise InvalidTokenError
        return verify_token(token, key.public, issuer=self._issuer, audience=audience, kind=kind)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """Every key whose tokens are accepted or soon will be, newest first."""
        now = self._clock()
        return key_set(key.public for key in self._keys.values() if not key.expired(now))

    def signing_key(self) -> Ed25519PrivateKey | None:
        """What signs now: the newest key that is due and open. None when there is none."""
        now = self._clock()
        usable = [key for key in self._keys.values() if key.private is not None and not key.expired(now)]
        due = (key for key in usable if key.signs_from <= now)
        # A first key that is a moment ahead of this machine's clock is better than a second one.
        key = next(due, usable[-1] if usable else None)
        return None if key is None else key.private

    # --------------------------------------------------------------------------------------------------------- copy

    async def ready(self, token: str | None = None) -> None:
        """The copy is there, not older than the reload period, and knows the key that `token` names if there is one.

        Awaited before a transaction opens: the first key of an installation is made here.
        """
        age_s = time.monotonic() - self._loaded_at
        if age_s > self._times.reload.total_seconds() or (age_s > UNKNOWN_KEY_PAUSE_S and self._names_unknown(token)):
            await self._refresh_once(self._loaded_at)

    async def refresh(self) -> None:
        """The copy is of now. An installation without a key that can sign gets one, which signs at once."""
        async with self._identity.transaction(read_only=True) as session:
            self._take(await _all(session))
        while self.signing_key() is None:
            async with self._identity.transaction() as session:
                # Another process may have been faster: then the key that we see, or fail to make, is its.
                rows = await _all(session)
                self._take(rows)
                if self.signing_key() is None:
                    await self._insert(session, rows[0] if rows else None, timedelta(0))
                    self._take(await _all(session))
        self._loaded_at = time.monotonic()

    async def keep_fresh(self) -> None:
        """Reload for as long as the process lives; a database that is away is asked again a period later."""
        while True:
            await asyncio.sleep(self._times.reload.total_seconds())
            try:
                await self.refresh()
            except DATABASE_ERRORS:
                log.warning("signing_keys_not_reloaded", exc_info=True)

    def _names_unknown(self, token: str | None) -> bool:
        if token is None:
            return False
        try:
            return token_key_id(token) not in self._keys
        except InvalidTokenError:
            return False

    async def _refresh_once(self, seen: float) -> None:
        async with self._loading:
            if self._loaded_at > seen:
                return
            try:
                await self.refresh()
            except DATABASE_ERRORS:
                if not self._keys:
                    raise
                # What is known goes on serving, and the database is not asked by every request.
                self._loaded_at = time.monotonic()
                log.warning("signing_keys_not_reloaded", exc_info=True)

    def _take(self, rows: Sequence[SigningKey]) -> None:
        now = self._clock()
        loaded = {row.kid: self._load(row) for row in rows}
        self._keys = {kid: key for kid, key in loaded.items() if not key.expired(now)}

    def _load(self, row: SigningKey) -> LoadedKey:
        known = self._keys.get(row.kid)
        private = known.private if known else None
        if private is None:
            try:
                private = private_key(self._box.open(row.sealed_private_key))
            except SealBrokenError:
                log.warning("signing_key_sealed_by_unknown_secret", kid=row.kid)
        return LoadedKey(public_key(row.public_key), private, row.signs_from, row.expires_at)

    # ----------------------------------------------------------------------------------------------------- rotation

    async def rotate(self) -> SigningKey:
        """The newest key of the installation, which signs from `signs_from` on; made now unless it is still to sign.

        The former keys verify until everything that they signed has expired, and one reload period longer.
        """
        async with self._identity.transaction() as session:
            newest = await _newest(session)
            if newest is None or newest.signs_from <= self._clock():
                await self._insert(session, newest, self._times.lead)
            # Ours, or that of a process that was faster.
            made = await _newest(session)
        assert made is not None  # noqa: S101 - one of the two has made it
        await self.refresh()
        return made

    async def replace_at_once(self) -> SigningKey:
        """For a key that became known: the new one signs at once, and no token of the former ones is good any more.

        Other processes follow within a reload period, or with the first new token that they meet.
        """
        async with self._identity.transaction() as session:
            key = None
            while key is None:
                # Somebody's planned successor may come in between.
                key = await self._insert(session, await _newest(session), timedelta(0))
            await session.execute(
                sa.update(SigningKey)
                .where(SigningKey.generation < key.generation)
                .values(signs_until=key.signs_from, expires_at=key.signs_from)
            )
        await self.refresh()
        return key

    async def rotate_when_due(self) -> None:
        """The next key is on its way once the newest has signed for its lifetime; expired rows are gone."""
        now = self._clock()
        async with self._identity.transaction() as session:
            await session.execute(sa.delete(SigningKey).where(SigningKey.expires_at <= now))
            newest = await _newest(session)
        if newest is not None and newest.signs_from <= now - self._times.lifetime:
            key = await self.rotate()
            log.info("signing_key_rotated", kid=key.kid, signs_from=key.signs_from.isoformat())

    async def _insert(self, session: AsyncSession, newest: SigningKey | None, lead: timedelta) -> SigningKey | None:
        """The key that follows `newest`, committed by the caller; None when another process has made that one.

        The caller has decided on `newest`, so it must not be read again here: two would each follow the other.
        """
        now = self._clock()
        private = Ed25519PrivateKey.generate()
        key = SigningKey(
            kid=key_id(private.public_key()),
            generation=1 if newest is None else newest.generation + 1,
            public_key=public_text(private.public_key()),
            sealed_private_key=self._box.seal(private_text(private)),
            created_at=now,
            signs_from=now + lead,
        )
        values = {name: getattr(key, name) for name in VALUES}
        insert = sqlite.insert if self._identity.is_sqlite else postgresql.insert
        made = await session.execute(
            insert(SigningKey)
            .values(values)
            .on_conflict_do_nothing(index_elements=["generation"])
            .returning(SigningKey.kid)
        )
        if made.first() is None:
            return None
        await session.execute(
            sa.update(SigningKey)
            .where(SigningKey.generation < key.generation, SigningKey.signs_until.is_(None))
            .values(
                signs_until=key.signs_from,
                expires_at=key.signs_from + self._times.reach + self._times.reload,
            )
        )
        return key


VALUES = ("kid", "generation", "public_key", "sealed_private_key", "created_at", "signs_from")


async def _all(session: AsyncSession) -> Sequence[SigningKey]:
    return (await session.scalars(sa.select(SigningKey).order_by(SigningKey.generation.desc()))).all()


async def _newest(session: AsyncSession) -> SigningKey | None:
    found = await session.scalars(sa.select(SigningKey).order_by(SigningKey.generation.desc()).limit(1))
    return found.one_or_none()
