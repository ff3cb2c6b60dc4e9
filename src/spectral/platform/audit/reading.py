"""The audit log as the account's owners read it."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.platform.audit import AuditEntry, AuditSeal
from spectral.platform.audit.sealing import BATCH, sealed_document
from spectral.platform.db.keyset import Listing, list_newest_first
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which entries are asked for; None does not narrow. `action` is a prefix, `until` is exclusive."""

    actor: str | None = None
    action: str | None = None
    subject: str | None = None
    workspace_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None

    def conditions(self) -> list[sa.ColumnElement[bool]]:
        """The WHERE clause."""
        conditions: list[sa.ColumnElement[bool]] = []
        if self.actor is not None:
            conditions.append(AuditEntry.actor == self.actor)
        if self.action is not None:
            conditions.append(AuditEntry.action.startswith(self.action, autoescape=True))
        if self.subject is not None:
            conditions.append(AuditEntry.subject == self.subject)
        if self.workspace_id is not None:
            conditions.append(AuditEntry.workspace_id == self.workspace_id)
        if self.since is not None:
            conditions.append(AuditEntry.created_at >= self.since)
        if self.until is not None:
            conditions.append(AuditEntry.created_at < self.until)
        return conditions


class AuditLog:
    """One account's entries with their seals, in the caller's transaction."""

    def __init__(self, session: AsyncSession, account_id: UUID) -> None:
        self._session = session
        self._account_id = account_id

    async def list_entries(self, wanted: AuditFilter, page: Page, cursor: str | None) -> Listing:
        """Rows of an entry and its seal (None until it is sealed), newest first.

        Raises ValidationFailedError for a bad cursor.
        """
        statement = (
            sa.select(AuditEntry, AuditSeal)
            .outerjoin(AuditSeal, AuditSeal.entry_id == AuditEntry.id)
            .where(AuditEntry.account_id == self._account_id, *wanted.conditions())
        )
        return await list_newest_first(self._session, statement, AuditEntry, page, cursor)

    async def read_head(self) -> AuditSeal:
        """The last seal of the account's chain. Raises NotFoundError before the first."""
        statement = (
            sa.select(AuditSeal).where(AuditSeal.account_id == self._account_id).order_by(AuditSeal.seq.desc()).limit(1)
        )
        seal = (await self._session.scalars(statement)).one_or_none()
        if seal is None:
            raise NotFoundError("Audit head")
        return seal


class AuditExport:
    """Sealed entries as JSON Lines in the order of the chain, read in short transactions."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def stream(
        self, account_id: UUID, *, since: datetime | None = None, until: datetime | None = None
    ) -> AsyncIterator[bytes]:
        """One line an entry: what was hashed, and `hash`.

        since, until: by the time of the seal, so that nothing is left out in between.
        """
        seq = 0
        while rows := await self._read(account_id, seq, since, until):
            lines = []
            for seal, entry in rows:
                document = sealed_document(entry, seq=seal.seq, prev=seal.prev, sealed_at=seal.sealed_at)
                lines.append(json.dumps(document | {"hash": seal.hash}, separators=(",", ":")))
                seq = seal.seq
            yield "".join(f"{line}\n" for line in lines).encode()

    async def _read(
        self, account_id: UUID, after: int, since: datetime | None, until: datetime | None
    ) -> list[tuple[AuditSeal, AuditEntry]]:
        statement = (
            sa.select(AuditSeal, AuditEntry)
            .join(AuditEntry, AuditEntry.id == AuditSeal.entry_id)
            .where(AuditSeal.account_id == account_id, AuditEntry.account_id == account_id, AuditSeal.seq > after)
        )
        if since is not None:
            statement = statement.where(AuditSeal.sealed_at >= since)
        if until is not None:
            statement = statement.where(AuditSeal.sealed_at < until)
        async with self._database.session(account_id=account_id, read_only=True) as session:
            rows = await session.execute(statement.order_by(AuditSeal.seq).limit(BATCH))
            return [(seal, entry) for seal, entry in rows.all()]
