"""A repeated POST with the same `Idempotency-Key` gets the first answer again and does nothing.

The key is reserved in a transaction of its own, with a lease that a crash lets run out; the rendered answer is
stored in the business transaction, 2xx only. Scope: caller (or address, where nobody signs in), route, key; lifetime
24 hours. A caller who has lost the right to ask is refused, also for what was answered before.
"""

import hashlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from litestar import Request
from litestar.enums import ScopeType
from litestar.types import ASGIApp, HTTPResponseStartEvent, Receive, Scope, Send
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from spectral.platform.access.principal import Principal
from spectral.platform.db.base import Base, UtcTime
from spectral.platform.db.session import Database
from spectral.platform.dependencies import service_of
from spectral.platform.request_context import client_address
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import (
    ConflictError,
    FieldError,
    MalformedRequestError,
    ValidationFailedError,
)
from spectral.platform.shared.ids import new_id

KEYS = "idempotency_keys"
"""What the application has `IdempotencyKeys` under."""
MAXIMUM_KEY_CHARACTERS = 255
CLEANUP = "idempotency.cleanup"
CLEANUP_INTERVAL_S = 3600.0
ROUTE_CHARACTERS = 400
REPLAYED_HEADERS = frozenset({b"content-type", b"location", b"etag"})


class IdempotencyRecord(Base):
    """One reserved key and, once the request succeeded, its answer."""

    __tablename__ = "idempotency_record"
    __table_args__ = (sa.UniqueConstraint("caller", "route", "key"),)

    id: Mapped[UUID] = mapped_column(primary_key=True, default=new_id)
    caller: Mapped[str] = mapped_column(sa.String(100))
    route: Mapped[str] = mapped_column(sa.String(500))
    key: Mapped[str] = mapped_column(sa.String(MAXIMUM_KEY_CHARACTERS))
    body_hash: Mapped[str] = mapped_column(sa.String(64))
    lease_until: Mapped[datetime] = mapped_column(UtcTime(timezone=True))
    expires_at: Mapped[datetime] = mapped_column(UtcTime(timezone=True), index=True)
    status: Mapped[int | None]
    headers: Mapped[dict[str, Any] | None]
    body: Mapped[bytes | None]


class IdempotencyMiddleware:
    """Honours `Idempotency-Key` on routes marked `opt={"idempotent": True}`.

    Same key and body replays the stored answer, another body is 422, still running is 409. Routes that answer with a
    secret (`opt={"secret_answer": True}`) refuse the header with 400, because a stored answer would keep the secret.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opt = scope["route_handler"].opt
        if ("idempotent" not in opt and "secret_answer" not in opt) or (key := _key_of(scope)) is None:
            await self.app(scope, receive, send)
            return
        if opt.get("secret_answer"):
            raise MalformedRequestError("This route answers with a secret and takes no Idempotency-Key")
        if not key or len(key) > MAXIMUM_KEY_CHARACTERS or not key.isprintable():
            raise MalformedRequestError(f"Idempotency-Key must be 1 to {MAXIMUM_KEY_CHARACTERS} printable characters")
        request: Request[Any, Any, Any] = Request(scope, receive=receive, send=send)
        await scope["route_handler"].authorize_connection(request)
        body_hash = hashlib.sha256(await request.body()).hexdigest()
        keys: IdempotencyKeys = service_of(scope, KEYS)
        record = await keys.reserve(caller_of(scope), route_of(scope), key, body_hash)
        if record.status is not None:
            await _replay(record, send)
            return

        async def keep(session: AsyncSession, start: HTTPResponseStartEvent, body: bytes) -> None:
            kept = {
                name.decode("latin-1"): value.decode("latin-1")
                for name, value in start["headers"]
                if name.lower() in REPLAYED_HEADERS
            }
            await session.execute(
                sa.update(IdempotencyRecord)
                .where(IdempotencyRecord.id == record.id)
                .values(status=start["status"], headers=kept, body=body)
            )
            scope["state"]["answer_kept"] = True

        scope["state"]["keep_answer"] = keep
        try:
            await self.app(scope, receive, send)
        finally:
            if not scope["state"].get("answer_kept"):
                await keys.release(record.id)


class IdempotencyKeys:
    """The keys of an installation, each in transactions of its own."""

    def __init__(self, database: Database, lease_s: int, lifetime_s: int) -> None:
        self._database = database
        self._lease = timedelta(seconds=lease_s)
        self._lifetime = timedelta(seconds=lifetime_s)

    async def reserve(self, caller: str, route: str, key: str, body_hash: str) -> IdempotencyRecord:
        """The key is this request's until its lease ends; a record with a status has the answer already.

        Raises ValidationFailedError (422) for another body, ConflictError (409) while the first request runs.
        """
        now = utc_now()
        try:
            async with self._database.transaction() as session:
                mine = (
                    IdempotencyRecord.caller == caller,
                    IdempotencyRecord.route == route,
                    IdempotencyRecord.key == key,
                )
                await session.execute(sa.delete(IdempotencyRecord).where(*mine, IdempotencyRecord.expires_at <= now))
                record = (
                    await session.scalars(sa.select(IdempotencyRecord).where(*mine).with_for_update())
                ).one_or_none()
                if record is None:
                    record = IdempotencyRecord(caller=caller, route=route, key=key, body_hash=body_hash)
                    session.add(record)
                elif record.body_hash != body_hash:
                    raise ValidationFailedError(
                        "This Idempotency-Key was used with another body",
                        errors=[FieldError("Idempotency-Key", "was used with another body")],
                    )
                elif record.status is not None:
                    return record
                elif record.lease_until > now:
                    raise _still_running()
                record.lease_until = now + self._lease
                record.expires_at = now + self._lifetime
                await session.flush()
                return record
        except IntegrityError as error:
            # Two first requests met: the other one holds the key now.
            raise _still_running() from error

    async def release(self, record_id: UUID) -> None:
        """A key whose request has no answer to keep is free again."""
        async with self._database.transaction() as session:
            await session.execute(
                sa.delete(IdempotencyRecord).where(
                    IdempotencyRecord.id == record_id, IdempotencyRecord.status.is_(None)
                )
            )


def caller_of(scope: Scope) -> str:
    """Whose key it is: the person or machine in the account that it acts for, else the address."""
    principal = scope.get("user")
    if isinstance(principal, Principal):
        return f"{principal.actor}@{principal.account_id}"
    return f"address:{client_address(scope)}"


def route_of(scope: Scope) -> str:
    """What is asked for: the route, and a hash of path, query and workspace, which may stand in a header."""
    request: Request[Any, Any, Any] = Request(scope)
    principal = scope.get("user")
    workspace = principal.workspace if isinstance(principal, Principal) else None
    asked = f"{scope['path']}?{scope['query_string'].decode('latin-1')} {workspace and workspace.workspace_id}"
    route = f"{request.method} {scope['path_template']}"
    return f"{route[:ROUTE_CHARACTERS]} {hashlib.sha256(asked.encode()).hexdigest()}"


def _key_of(scope: Scope) -> str | None:
    if scope["type"] != ScopeType.HTTP or scope.get("method") != "POST":
        return None
    for name, value in scope["headers"]:
        if name.lower() == b"idempotency-key":
            return value.decode("latin-1")
    return None


def _still_running() -> ConflictError:
    error = ConflictError("A request with this Idempotency-Key is still running")
    error.headers = {"Retry-After": "1"}
    return error


async def forget_expired(database: Database) -> None:
    """Remove the keys and answers whose time is over; done at intervals."""
    async with database.transaction() as session:
        await session.execute(sa.delete(IdempotencyRecord).where(IdempotencyRecord.expires_at <= utc_now()))


async def _replay(record: IdempotencyRecord, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in (record.headers or {}).items()]
    headers += [(b"content-length", str(len(record.body or b"")).encode()), (b"idempotent-replayed", b"true")]
    await send({"type": "http.response.start", "status": record.status or 200, "headers": headers})
    await send({"type": "http.response.body", "body": record.body or b"", "more_body": False})
