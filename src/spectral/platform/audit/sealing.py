"""Each account's entries are one chain: every seal holds the hash of the one before it, so none can change unseen.

Entries are written unsealed in the transactions that they describe (a chain there would make an account's writes wait
for each other); a few seconds later the sealer appends them.
"""

import hashlib
import json
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.audit import AuditEntry, AuditSeal
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.wire import rfc3339

SEAL = "audit.seal"
SEAL_INTERVAL_S = 2.0
GENESIS = "0" * 64
BATCH = 500
SEALER_LOCK = 0x5350_4543_0002
LOOK_BACK = timedelta(hours=1)
SWEEP_INTERVAL_S = 3600.0
LATE = timedelta(minutes=5)


def sealed_document(entry: AuditEntry, *, seq: int, prev: str, sealed_at: datetime) -> dict[str, Any]:
    """What the hash is taken over: the place in the chain and every column of the entry, as the export shows them."""
    return {
        "seq": seq,
        "prev": prev,
        "sealed_at": rfc3339(sealed_at),
        "id": str(entry.id),
        "account_id": str(entry.account_id),
        "workspace_id": _text(entry.workspace_id),
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "detail": entry.detail,
        "created_at": rfc3339(entry.created_at),
        "credential_id": _text(entry.credential_id),
        "address": entry.address,
        "request_id": entry.request_id,
    }


def hash_of(document: dict[str, Any]) -> str:
    """SHA-256, hex, of the document as ASCII JSON with sorted names and without spaces."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


class Sealer:
    """Appends what is not sealed yet, oldest first, across accounts; lives as long as the process.

    Looks an hour back, and once an hour at everything: so an entry whose transaction took longer is late, never lost.
    """

    def __init__(self, identity: Database) -> None:
        self._identity = identity
        self._next_sweep = 0.0

    async def seal(self) -> int:
        """Seal everything that is committed now; answers how many entries that were. Two at once take turns."""
        started = time.monotonic()
        sweeps = started >= self._next_sweep
        since = None if sweeps else utc_now() - LOOK_BACK
        sealed = 0
        while await self._has_unsealed(since):
            async with self._identity.transaction() as session:
                await _one_at_a_time(session)
                sealed += await _seal_batch(session, since)
        if sweeps:
            self._next_sweep = started + SWEEP_INTERVAL_S
        return sealed

    async def run(self) -> None:
        """For the engine's schedule."""
        await self.seal()

    async def _has_unsealed(self, since: datetime | None) -> bool:
        async with self._identity.transaction(read_only=True) as session:
            return (await session.scalars(_unsealed(since).limit(1))).first() is not None


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a walk along one account's chain found. broken_at: the first seal that does not fit, and why."""

    account_id: UUID
    sealed: int
    broken_at: int | None = None
    reason: str = ""


async def verify_chain(identity: Database, account_id: UUID) -> ChainReport:
    """Walk the account's chain from its first seal, in short transactions; ends at the first that does not fit.

    Entries that were cut off at the end together with their seals leave no trace here: a kept head shows them.
    """
    prev, seq = GENESIS, 0
    while rows := await _read_seals(identity, account_id, after=seq):
        for seal, entry in rows:
            reason = _fault(seal, entry, prev, seq + 1)
            if reason:
                return ChainReport(account_id, seq, seq + 1, reason)
            prev, seq = seal.hash, seal.seq
    return ChainReport(account_id, seq)


async def sealed_accounts(identity: Database, after: UUID | None) -> UUID | None:
    """The account with a chain that follows `after`, in the order of their ids; None at the end."""
    statement = sa.select(AuditSeal.account_id).order_by(AuditSeal.account_id).limit(1)
    if after is not None:
        statement = statement.where(AuditSeal.account_id > after)
    async with identity.transaction(read_only=True) as session:
        return (await session.scalars(statement)).one_or_none()


async def count_late(identity: Database) -> int:
    """How many entries have waited for their seal for more than five minutes."""
    waiting = _unsealed(None).where(AuditEntry.created_at < utc_now() - LATE).subquery()
    async with identity.transaction(read_only=True) as session:
        return int((await session.execute(sa.select(sa.func.count()).select_from(waiting))).scalar_one())


def _fault(seal: AuditSeal, entry: AuditEntry | None, prev: str, seq: int) -> str:
    if seal.seq != seq:
        return "a seal is missing"
    if entry is None:
        return "the entry is missing"
    if entry.account_id != seal.account_id:
        return "the entry belongs to another account"
    if seal.prev != prev:
        return "it does not follow the seal before it"
    if hash_of(sealed_document(entry, seq=seal.seq, prev=seal.prev, sealed_at=seal.sealed_at)) != seal.hash:
        return "the entry was changed"
    return ""


async def _read_seals(identity: Database, account_id: UUID, *, after: int) -> list[tuple[AuditSeal, AuditEntry | None]]:
    statement = (
        sa.select(AuditSeal, AuditEntry)
        .outerjoin(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
        .where(AuditSeal.account_id == account_id, AuditSeal.seq > after)
        .order_by(AuditSeal.seq)
        .limit(BATCH)
    )
    async with identity.transaction(read_only=True) as session:
        return [(seal, entry) for seal, entry in (await session.execute(statement)).all()]


def _unsealed(since: datetime | None) -> sa.Select[tuple[AuditEntry]]:
    statement = sa.select(AuditEntry).where(~sa.exists().where(AuditSeal.entry_id == AuditEntry.id))
    return statement if since is None else statement.where(AuditEntry.created_at >= since)


async def _seal_batch(session: AsyncSession, since: datetime | None) -> int:
    statement = _unsealed(since).order_by(AuditEntry.created_at, AuditEntry.id).limit(BATCH)
    entries = (await session.scalars(statement)).all()
    heads = {account_id: await _head(session, account_id) for account_id in {entry.account_id for entry in entries}}
    now = utc_now()
    seals = []
    for entry in entries:
        seq, prev = heads[entry.account_id]
        seq += 1
        hash = hash_of(sealed_document(entry, seq=seq, prev=prev, sealed_at=now))
        heads[entry.account_id] = (seq, hash)
        seals.append(
            {
                "account_id": entry.account_id,
                "seq": seq,
                "entry_id": entry.id,
                "prev": prev,
                "hash": hash,
                "sealed_at": now,
            }
        )
    if seals:
        await session.execute(sa.insert(AuditSeal), seals)
    return len(seals)


async def _head(session: AsyncSession, account_id: UUID) -> tuple[int, str]:
    statement = (
        sa.select(AuditSeal.seq, AuditSeal.hash)
        .where(AuditSeal.account_id == account_id)
        .order_by(AuditSeal.seq.desc())
        .limit(1)
    )
    row = (await session.execute(statement)).one_or_none()
    return (0, GENESIS) if row is None else (row.seq, row.hash)


async def _one_at_a_time(session: AsyncSession) -> None:
    """SQLite has one write transaction anyway."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(sa.text("SELECT pg_advisory_xact_lock(:key)"), {"key": SEALER_LOCK})


def _text(identifier: UUID | None) -> str | None:
    return None if identifier is None else str(identifier)
