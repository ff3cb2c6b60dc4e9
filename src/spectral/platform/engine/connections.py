"""Synchronous connections for the engine's own threads and for the queue, on the database that the requests use."""

import math
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import Any

import psycopg
import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry

from spectral.platform.db.policies import ENGINE_SETTING
from spectral.platform.db.session import SQLITE_BUSY_TIMEOUT_MS
from spectral.platform.shared.clock import utc_now

SUBSECOND_UNIXEPOCH = (3, 42)
POOL_SIZE = 8
IDLE_TRANSACTION_TIMEOUT_MS = 5_000
# A frozen process may hold a row; the upkeep of the others must not wait for it with their heartbeats.
LOCK_TIMEOUT_MS = 1_000


def synchronous_url(url: str) -> sa.URL:
    """The same database under its synchronous driver."""
    parsed = sa.make_url(url)
    return parsed.set(drivername="sqlite" if parsed.get_backend_name() == "sqlite" else "postgresql+psycopg")


def synchronous_engine(url: str) -> sa.Engine:
    """Connections for threads. On SQLite to the same file as everything else, in the same journal mode."""
    target = synchronous_url(url)
    if target.get_backend_name() != "sqlite":
        engine = sa.create_engine(target, pool_size=POOL_SIZE, max_overflow=POOL_SIZE, pool_pre_ping=True)
        sa.event.listen(engine, "connect", _let_go_when_frozen)
        return engine
    engine = sa.create_engine(target, pool_size=POOL_SIZE, max_overflow=POOL_SIZE)

    def on_connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        # The queue reads before it writes in one transaction; the driver's IMMEDIATE begins at the first write and
        # its updates are guarded by the state they read, so no snapshot is upgraded.
        connection.isolation_level = "IMMEDIATE"
        connection.execute("PRAGMA journal_mode=WAL")
        # What only the queue knows may be lost with the machine's power: the sweep finds it again in our tables.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute(f"PRAGMA busy_timeout={SQLITE_BUSY_TIMEOUT_MS}")
        install_unixepoch(connection)

    sa.event.listen(engine, "connect", on_connect)
    return engine


def _let_go_when_frozen(connection: psycopg.Connection[Any], _record: ConnectionPoolEntry) -> None:
    """A process that stops in the middle of a transaction (SIGSTOP, a paused machine) keeps no lock from the others."""
    connection.execute(f"SET idle_in_transaction_session_timeout = {IDLE_TRANSACTION_TIMEOUT_MS}")
    # Committed: the pool rolls a connection back on return, which would undo the setting.
    connection.commit()


def install_unixepoch(connection: Any) -> None:
    """`unixepoch('subsec')` answers on this SQLite connection, as the queue's column defaults expect.

    SQLite knows the modifier since 3.42; a table made by a newer library is also written by older ones.
    """
    if sqlite3.sqlite_version_info >= SUBSECOND_UNIXEPOCH:
        return
    connection.create_function("unixepoch", 1, _unixepoch)


def _unixepoch(modifier: str) -> float | int | None:
    if modifier == "subsec":
        return time.time()
    return math.floor(time.time()) if modifier == "now" else None


def install_on_connect(engine: sa.Engine) -> None:
    """Every connection that this pool makes from now on knows `unixepoch('subsec')`."""

    def on_connect(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
        install_unixepoch(connection)

    sa.event.listen(engine, "connect", on_connect)


@contextmanager
def across_workspaces(engine: sa.Engine) -> Iterator[sa.Connection]:
    """One transaction of the engine itself, which sees the work of every workspace; for this package only.

    On PostgreSQL the policy of `engine_work` admits it by a transaction-local setting of its own.
    """
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            settings = sa.text("SELECT set_config(:name, 'on', true), set_config('lock_timeout', :limit, true)")
            connection.execute(settings, {"name": ENGINE_SETTING, "limit": f"{LOCK_TIMEOUT_MS}ms"})
        yield connection


def database_now(connection: sa.Connection) -> datetime:
    """The time by which heartbeats are compared: the server's, because machines' clocks differ."""
    if connection.dialect.name != "postgresql":
        return utc_now()
    moment: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return moment


@contextmanager
def leadership(engine: sa.Engine, key: int) -> Iterator[bool]:
    """Whether this process leads; never waits. Saves work, and is not relied on: the steps inside are guarded.

    A leader that freezes loses its session, and with it the lock, after a few seconds. On SQLite everyone leads.
    """
    if engine.dialect.name != "postgresql":
        yield True
        return
    with engine.connect() as connection:
        leads = connection.execute(sa.text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar_one()
        try:
            yield bool(leads)
        finally:
            # The session may be the one that was ended.
            with suppress(sa.exc.DBAPIError):
                connection.rollback()
