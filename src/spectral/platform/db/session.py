"""Transactions: how they are opened on SQLite and PostgreSQL, and what runs after their commit."""

import math
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.policies import ACCOUNT_SETTING, WORKSPACE_SETTING
from spectral.platform.db.sqlite_driver import Driver, ThreadConnection

AfterCommit = Callable[[], Awaitable[None]]
T = TypeVar("T")

SQLITE_BUSY_TIMEOUT_MS = 15_000
SQLITE_CHECKPOINT_PAGES = 4_000
IDLE_LIMIT = "idle_in_transaction_session_timeout"
IDLE_TRANSACTION_LIMIT_MS = "60000"
RESTED_S = 1.0
AFTER_COMMIT = "spectral.after_commit"

log = structlog.get_logger(__name__)


def after_commit(session: AsyncSession, callback: AfterCommit) -> None:
    """Run `callback` once this session's transaction has committed; never if it rolls back.

    For wake-ups only: after the commit comes no decision, and a failing callback cannot undo it (it is logged).
    """
    session.info.setdefault(AFTER_COMMIT, []).append(callback)


async def run_after_commit(session: AsyncSession) -> None:
    """Run and clear what `after_commit` collected; failures are logged, not raised."""
    for callback in session.info.pop(AFTER_COMMIT, []):
        try:
            await callback()
        except Exception:
            log.exception("after_commit_failed")


class Database:
    """One database of an installation. Lives as long as the process; closed by `close()`.

    SQLite has two pools: readers open deferred, query-only transactions, the writer opens `BEGIN IMMEDIATE` (a
    deferred read-then-write fails at once with BUSY, whatever the timeout). Writers queue on one connection inside
    the process and on the busy timeout between processes.
    """

    def __init__(self, url: str, *, pool_size: int = 10) -> None:
        self.is_sqlite = url.startswith("sqlite")
        if self.is_sqlite:
            self.writer = _sqlite_engine(url, begin="BEGIN IMMEDIATE", query_only=False, pool_size=1)
            self.reader = _sqlite_engine(url, begin="BEGIN", query_only=True, pool_size=pool_size)
        else:
            self.writer = create_async_engine(
                url,
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_use_lifo=True,
                # A frozen process must not hold its rows for ever: others wait to take over its work.
                connect_args={"server_settings": {IDLE_LIMIT: IDLE_TRANSACTION_LIMIT_MS}},
            )
            _ask_the_rested(self.writer)
            self.reader = self.writer
        self._single = self.reader if self.is_sqlite else self.reader.execution_options(isolation_level="AUTOCOMMIT")
        self._write = async_sessionmaker(self.writer, expire_on_commit=False, autoflush=False)
        self._read = async_sessionmaker(self.reader, expire_on_commit=False, autoflush=False)

    def session(
        self,
        access: WorkspaceAccess | None = None,
        *,
        account_id: UUID | None = None,
        read_only: bool = False,
        idle_limit_ms: int | None = None,
    ) -> AsyncSession:
        """A session whose transaction opens at its first statement, bound to the workspace of `access`.

        account_id: the account it is bound to when there is no workspace.  idle_limit_ms: PostgreSQL ends the session
        when its transaction says nothing for so long, because its process is frozen; None for the database's minute.

        The caller commits or rolls back, and closes. Requests get theirs from `UnitOfWork`, everything else uses
        `transaction`.
        """
        session = self._read() if read_only else self._write()
        if not self.is_sqlite:
            _bind_settings(session, access, access.account_id if access else account_id, idle_limit_ms)
        return session

    @asynccontextmanager
    async def transaction(
        self,
        access: WorkspaceAccess | None = None,
        *,
        account_id: UUID | None = None,
        read_only: bool = False,
        idle_limit_ms: int | None = None,
    ) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block, rolled back when the block raises. Bound as `session`."""
        bound = self.session(access, account_id=account_id, read_only=read_only, idle_limit_ms=idle_limit_ms)
        async with bound as session:
            yield session
            await session.commit()
            await run_after_commit(session)

    async def look_up(self, statement: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """The rows of one SELECT on a connection of its own, with no transaction around it.

        Bound to no workspace and no account, so it is for the authentication role.
        """
        async with self._single.connect() as connection:
            return (await connection.execute(statement)).all()

    async def write_at_once(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """The answer of `work`, run in a transaction of its own on the connection that writes. SQLite only.

        One call in that connection's thread, where every statement through a session is one: for writing many rows.
        Raises the driver's own errors, and SQLAlchemy's TimeoutError when the connection stays busy.
        """
        async with self.writer.connect() as connection:
            driver: ThreadConnection = (await connection.get_raw_connection()).driver_connection  # type: ignore[assignment]
            return await driver.run(_in_transaction, work)

    async def close(self) -> None:
        """Close every connection."""
        await self.writer.dispose()
        if self.reader is not self.writer:
            await self.reader.dispose()


def _in_transaction(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> T:
    connection.execute("BEGIN IMMEDIATE")
    try:
        found = work(connection)
        connection.execute("COMMIT")
    except BaseException:
        # SQLite has rolled back by itself after some errors, as when the disk is full.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return found


def _bind_settings(
    session: AsyncSession, access: WorkspaceAccess | None, account_id: UUID | None, idle_limit_ms: int | None
) -> None:
    limit = "" if idle_limit_ms is None else f", set_config('{IDLE_LIMIT}', '{int(idle_limit_ms)}ms', true)"
    workspace = str(access.workspace_id) if access else ""
    account = str(account_id) if account_id else ""

    def bind(_session: object, _transaction: object, connection: sa.Connection) -> None:
        connection.exec_driver_sql(
            f"SELECT set_config('{WORKSPACE_SETTING}', $1::text, true), "
            f"set_config('{ACCOUNT_SETTING}', $2::text, true){limit}",
            (workspace, account),
        )

    if workspace or account:
        sa.event.listen(session.sync_session, "after_begin", bind)


async def bind_account(session: AsyncSession, account_id: UUID) -> None:
    """Let this transaction touch the account's rows; for flows that create the account they then write to."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            sa.text("SELECT set_config(:setting, :account, true)"),
            {"setting": ACCOUNT_SETTING, "account": str(account_id)},
        )


async def bind_workspace(session: AsyncSession, workspace_id: UUID) -> None:
    """Let this transaction, which is bound to the workspace's account, touch the workspace's rows from now on."""
    if session.get_bind().dialect.name == "postgresql":
        await session.execute(
            sa.text("SELECT set_config(:setting, :workspace, true)"),
            {"setting": WORKSPACE_SETTING, "workspace": str(workspace_id)},
        )


def _ask_the_rested(engine: AsyncEngine) -> None:
    """A connection that nobody has used for a while is asked whether it still is one; otherwise it is replaced.

    SQLAlchemy's `pool_pre_ping` asks each time, which takes three of the eight round trips of an ordinary request. Of
    one that was closed properly the driver knows without asking; one that has just vanished costs its request a 503.
    """
    dialect = engine.dialect

    def rests(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
        record.info["rests_since"] = time.monotonic()

    def is_wanted(connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object) -> None:
        driven: Any = record.driver_connection
        since = record.info.get("rests_since", math.inf)
        if time.monotonic() - since < RESTED_S and not driven.is_closed():
            return
        try:
            dialect.do_ping(connection)
        except dialect.loaded_dbapi.Error as error:
            if not dialect.is_disconnect(error, connection, None):
                raise
            raise sa.exc.InvalidatePoolError from error

    sa.event.listen(engine.sync_engine, "checkin", rests)
    sa.event.listen(engine.sync_engine, "checkout", is_wanted)


def _sqlite_engine(url: str, *, begin: str, query_only: bool, pool_size: int) -> AsyncEngine:
    engine = create_async_engine(
        url,
        module=Driver(),
        pool_size=pool_size,
        max_overflow=0,
        # The one that was used last has its pages and statements at hand.
        pool_use_lifo=True,
        pool_timeout=SQLITE_BUSY_TIMEOUT_MS / 1000,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_MS / 1000},
    )

    def on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        # The driver's own transaction handling is off: it would begin deferred, and not before a SELECT.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
        if query_only:
            cursor.execute("PRAGMA query_only=ON")
        else:
            # Pages that every commit touches are written back from the log less often.
            cursor.execute(f"PRAGMA wal_autocheckpoint={SQLITE_CHECKPOINT_PAGES}")
        cursor.close()

    def on_begin(connection: sa.Connection) -> None:
        driven: Any = connection.connection.dbapi_connection
        driven.begin(begin, only_reads=query_only)

    sa.event.listen(engine.sync_engine, "connect", on_connect)
    sa.event.listen(engine.sync_engine, "begin", on_begin)
    return engine
