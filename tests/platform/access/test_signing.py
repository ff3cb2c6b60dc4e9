"""Signing keys over their lives: made once, published before they sign, kept until their tokens have ended."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.platform.access.signing import (
    KeyTimes,
    SigningKey,
    SigningKeysMissingError,
    TokenSigner,
)
from spectral.platform.db.migrations import migrate
from spectral.platform.db.session import Database
from spectral.platform.shared.secret_box import SecretBox
from spectral.platform.shared.tokens import InvalidTokenError, token_key_id
from spectral.settings import Settings
from tests.fixtures.databases import make_settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import register_tenant

OLD, NEW = b"the-old-secret-of-32-characters!", b"the-new-secret-of-32-characters!"
TIMES = KeyTimes(reload=timedelta(seconds=30), reach=timedelta(seconds=900), lifetime=timedelta(days=90))


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, **interval: float) -> None:
        self.now += timedelta(**interval)


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC))


@pytest.fixture
def process(identity: Database, clock: Clock) -> Callable[..., TokenSigner]:
    """What another process of the installation has for a signer."""

    def start(*secrets: bytes) -> TokenSigner:
        return TokenSigner(identity, SecretBox(secrets or (NEW,), "signing-key"), "spectral", TIMES, clock)

    return start


def signed(signer: TokenSigner) -> str:
    # PyJWT has a clock of its own, so tokens are always of now.
    claims = {"sub": "me", "sid": "here", "jti": "1"}
    return signer.sign(audience="api", kind="access", issued_at=int(time.time()), lifetime_s=60, claims=claims)


def accepts(signer: TokenSigner, token: str) -> bool:
    try:
        return bool(signer.verify(token, audience="api", kind="access")["sub"] == "me")
    except InvalidTokenError:
        return False


def published(signer: TokenSigner) -> set[str]:
    return {key["kid"] for key in signer.jwks()["keys"]}


async def test_processes_that_start_at_once_agree_on_one_key_that_signs_at_once(
    process: Callable[..., TokenSigner], identity: Database
) -> None:
    signers = [process() for _ in range(6)]
    await asyncio.gather(*(signer.ready() for signer in signers))
    assert len({token_key_id(signed(signer)) for signer in signers}) == 1
    assert all(accepts(other, signed(signers[0])) for other in signers)
    async with identity.transaction(read_only=True) as session:
        assert (await session.execute(sa.select(sa.func.count()).select_from(SigningKey))).scalar_one() == 1


async def test_nothing_is_signed_before_the_keys_are_there(process: Callable[..., TokenSigner]) -> None:
    with pytest.raises(SigningKeysMissingError):
        signed(process())


async def test_a_new_key_is_published_before_it_signs_and_the_former_stays_until_its_tokens_ended(
    process: Callable[..., TokenSigner], clock: Clock
) -> None:
    ours, theirs = process(), process()
    await ours.ready()
    await theirs.ready()
    former = signed(ours)
    key = await ours.rotate()
    assert published(ours) == {token_key_id(former), key.kid}
    assert token_key_id(signed(ours)) == token_key_id(former)
    assert (await ours.rotate()).kid == key.kid, "a key that is still to sign is not followed by another"
    clock.pass_by(seconds=59)
    await theirs.refresh()
    assert published(theirs) == published(ours)
    assert token_key_id(signed(theirs)) == token_key_id(former)
    clock.pass_by(seconds=1)
    assert token_key_id(signed(ours)) == token_key_id(signed(theirs)) == key.kid
    clock.pass_by(seconds=900 + 29)
    assert accepts(theirs, former)
    assert token_key_id(former) in published(theirs)
    clock.pass_by(seconds=1)
    assert not accepts(theirs, former)
    assert published(theirs) == {key.kid}
    assert accepts(theirs, signed(ours))


async def test_two_rotations_at_once_make_one_key(process: Callable[..., TokenSigner]) -> None:
    signers = [process() for _ in range(4)]
    await signers[0].ready()
    keys = await asyncio.gather(*(signer.rotate() for signer in signers))
    assert len({key.kid for key in keys}) == 1
    assert len(published(signers[0])) == 2


async def test_a_key_is_followed_after_its_lifetime_and_expired_rows_go(
    process: Callable[..., TokenSigner], clock: Clock, identity: Database
) -> None:
    signer = process()
    await signer.ready()
    first = token_key_id(signed(signer))
    clock.pass_by(days=89)
    await signer.rotate_when_due()
    assert published(signer) == {first}
    clock.pass_by(days=1)
    await signer.rotate_when_due()
    await signer.rotate_when_due()
    assert len(published(signer)) == 2
    clock.pass_by(days=1)
    await signer.rotate_when_due()
    assert token_key_id(signed(signer)) != first
    async with identity.transaction(read_only=True) as session:
        assert first not in (await session.scalars(sa.select(SigningKey.kid))).all()


async def test_a_token_of_an_unknown_key_makes_the_keys_be_looked_up_at_most_once_a_second(
    process: Callable[..., TokenSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = process(), process()
    await ours.ready()
    await theirs.ready()
    await ours.replace_at_once()
    token = signed(ours)
    reads = 0
    refresh = theirs.refresh

    async def counted() -> None:
        nonlocal reads
        reads += 1
        await refresh()

    monkeypatch.setattr(theirs, "refresh", counted)
    await theirs.ready(token)
    assert (reads, accepts(theirs, token)) == (0, False), "it was looked up a moment ago"
    theirs._loaded_at -= 1.1
    await asyncio.gather(*(theirs.ready(token) for _ in range(10)))
    assert (reads, accepts(theirs, token)) == (1, True)
    theirs._loaded_at -= 1.1
    await theirs.ready("a.b.c")
    await theirs.ready(token)
    assert reads == 1


async def test_a_key_that_became_known_is_replaced_and_its_tokens_open_nothing(
    process: Callable[..., TokenSigner],
) -> None:
    signer = process()
    await signer.ready()
    planned, stolen = await signer.rotate(), signed(signer)
    key = await signer.replace_at_once()
    assert not accepts(signer, stolen)
    assert published(signer) == {key.kid} != {planned.kid}
    assert accepts(signer, signed(signer))


async def test_a_process_that_lacks_the_secret_verifies_and_signs_with_a_key_of_its_own(
    process: Callable[..., TokenSigner],
) -> None:
    """In the middle of a change of SPECTRAL_SECRET_KEYS, or after a restore with other secrets."""
    ahead = process(NEW, OLD)
    await ahead.ready()
    token = signed(ahead)
    behind = process(OLD)
    await behind.ready()
    assert accepts(behind, token)
    assert token_key_id(signed(behind)) != token_key_id(token)
    await ahead.refresh()
    assert accepts(ahead, signed(behind))
    await behind.refresh()
    assert len(published(behind)) == 2


async def test_the_keys_of_the_database_are_sealed(process: Callable[..., TokenSigner], identity: Database) -> None:
    signer = process()
    await signer.ready()
    key = signer.signing_key()
    assert key is not None
    async with identity.transaction(read_only=True) as session:
        row = (await session.scalars(sa.select(SigningKey))).one()
    assert key.private_bytes_raw().hex() not in row.sealed_private_key
    assert SecretBox((NEW,), "signing-key").open(row.sealed_private_key)


async def test_a_database_that_is_away_does_not_end_what_is_known(
    process: Callable[..., TokenSigner], monkeypatch: pytest.MonkeyPatch
) -> None:
    signer = process()
    await signer.ready()
    token = signed(signer)

    async def away() -> None:
        raise sa.exc.OperationalError("SELECT", {}, OSError("away"))

    monkeypatch.setattr(signer, "refresh", away)
    signer._loaded_at -= 31
    await signer.ready()
    assert accepts(signer, token)
    unstarted = process()
    monkeypatch.setattr(unstarted, "refresh", away)
    with pytest.raises(sa.exc.OperationalError):
        await unstarted.ready()


@pytest.mark.databases("sqlite")
async def test_an_application_that_starts_before_its_schema_signs_when_that_is_there(
    database_kind: str, tmp_path: Path, create_app: Callable[[Settings], Litestar]
) -> None:
    settings = make_settings(tmp_path / "data")
    async with in_process(create_app(settings)) as client:
        assert (await client.get("/api/v1/health", params={"ready": 1})).status_code == 503
        await asyncio.to_thread(migrate, settings)
        tenant = await register_tenant(client, "first")
        assert (await client.get("/api/v1/auth/me", headers=tenant.client_headers)).status_code == 200
        assert len((await client.get("/.well-known/jwks.json")).json()["keys"]) == 1


async def test_no_token_outlives_its_key(process: Callable[..., TokenSigner], settings: Settings) -> None:
    signer = process()
    await signer.ready()
    with pytest.raises(ValueError, match="at most 900 s"):
        signer.sign(audience="api", kind="access", issued_at=0, lifetime_s=901, claims={})
    assert TokenSigner.of(signer._identity, settings)._times.reach >= timedelta(
        seconds=settings.access_token_lifetime_s
    )
