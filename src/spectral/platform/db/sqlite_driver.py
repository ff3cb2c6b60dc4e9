"""SQLite for an event loop: aiosqlite, with one trip to a connection's thread for each statement.

SQLAlchemy's own adapter makes four of a statement (cursor, execute, fetch, close), three of a BEGIN and one of a
rollback when there is nothing to roll back. Each trip wakes two threads that contend for one interpreter, which costs
more than most of our statements do.
"""

import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any, Concatenate, ParamSpec, TypeVar

import aiosqlite
from sqlalchemy.dialects.sqlite.aiosqlite import (
    AsyncAdapt_aiosqlite_connection,
    AsyncAdapt_aiosqlite_cursor,
    AsyncAdapt_aiosqlite_dbapi,
)
from sqlalchemy.util.concurrency import await_only

ITERATION_ROWS = 64

P = ParamSpec("P")
T = TypeVar("T")
Work = Callable[Concatenate[sqlite3.Connection, P], T]


class ThreadConnection(aiosqlite.Connection):
    """A connection with a thread of its own, as aiosqlite has it, to which work can be brought as a whole."""

    async def run(self, work: Work[P, T], *arguments: P.args, **options: P.kwargs) -> T:
        """What `work(connection, …)` answers, called in the connection's thread."""
        answer: T = await self._execute(work, self._conn, *arguments, **options)  # type: ignore[no-untyped-call]
        return answer

    def send(self, work: Work[[], object]) -> None:
        """Have `work(connection)` called there before whatever is asked for next; nobody waits for it."""
        self._tx.put_nowait((None, partial(work, self._conn)))


class Cursor(AsyncAdapt_aiosqlite_cursor):
    """Executes a statement and has all of its rows when it comes back."""

    __slots__ = ()

    _adapt_connection: "Connection"

    def execute(self, operation: Any, parameters: Any = None) -> None:
        self.description, rows, self.lastrowid, self.rowcount = self._adapt_connection.run(
            _execute, operation, parameters or ()
        )
        self._rows = deque(rows)

    def executemany(self, operation: Any, seq_of_parameters: Iterable[Any]) -> None:
        self.description = None
        self.lastrowid, self.rowcount = self._adapt_connection.run(_execute_many, operation, seq_of_parameters)


class Connection(AsyncAdapt_aiosqlite_connection):
    """Opens its transaction on the trip of the first statement, and ends none that was never opened."""

    __slots__ = ("_begin", "_is_open", "_only_reads")

    _connection: Any

    def __init__(self, dbapi: Any, connection: Any) -> None:
        super().__init__(dbapi, connection)
        self._begin: str | None = None
        # Not sqlite3's `in_transaction`: of a statement that was cancelled on its way that is not known yet.
        self._is_open = False
        self._only_reads = False

    def begin(self, statement: str, *, only_reads: bool) -> None:
        """A transaction is to begin with this statement, before the next one is executed."""
        self._begin = statement
        self._only_reads = only_reads

    def run(self, work: Any, *arguments: Any) -> Any:
        """What `work` answers in the connection's thread, inside the transaction."""
        begin, self._begin = self._begin, None
        self._is_open = self._is_open or begin is not None
        try:
            return self.await_(self._connection.run(_after, begin, work, *arguments))
        except Exception as error:  # noqa: BLE001 - the adapter raises it again, as what SQLAlchemy knows
            self._handle_exception(error)

    def cursor(self, server_side: bool = False) -> AsyncAdapt_aiosqlite_cursor:  # noqa: FBT001, FBT002 - SQLAlchemy's
        if not server_side:
            return Cursor(self)
        # A cursor that stays open goes SQLAlchemy's way, in a transaction that has to be there by then.
        if self._begin is not None:
            self.run(_nothing)
        return super().cursor(server_side=True)

    def commit(self) -> None:
        if self._has_to_be_ended():
            self.run(_commit)
        self._begin, self._is_open = None, False

    def rollback(self) -> None:
        if self._has_to_be_ended():
            super().rollback()
        self._begin, self._is_open = None, False

    def _has_to_be_ended(self) -> bool:
        """Whether there is a transaction and its end has to be waited for."""
        if not self._is_open or not self._only_reads:
            return self._is_open
        try:
            # It has nothing to lose, and whoever gets this connection next comes after it.
            self._connection.send(sqlite3.Connection.rollback)
        except ValueError as error:
            self._handle_exception(error)
        return False


class Driver(AsyncAdapt_aiosqlite_dbapi):
    """What `create_async_engine(…, module=…)` takes."""

    def __init__(self) -> None:
        super().__init__(aiosqlite, sqlite3)

    def connect(self, *arguments: Any, **options: Any) -> Connection:
        connection = ThreadConnection(partial(sqlite3.connect, *arguments, **options), ITERATION_ROWS)
        # A process that ends without closing its databases does end.
        connection._thread.daemon = True  # noqa: SLF001 - as SQLAlchemy's adapter does
        return Connection(self, await_only(connection))


def _after(connection: sqlite3.Connection, begin: str | None, work: Any, *arguments: Any) -> Any:
    if begin is not None:
        connection.execute(begin)
    return work(connection, *arguments)


def _execute(connection: sqlite3.Connection, operation: str, parameters: Sequence[Any]) -> tuple[Any, ...]:
    """The description, all rows, the last row's id and the number of rows; the latter -1 where there are rows."""
    cursor = connection.execute(operation, parameters)
    try:
        if cursor.description:
            return cursor.description, cursor.fetchall(), -1, -1
        return None, (), cursor.lastrowid, cursor.rowcount
    finally:
        cursor.close()


def _execute_many(
    connection: sqlite3.Connection, operation: str, parameters: Iterable[Sequence[Any]]
) -> tuple[int | None, int]:
    cursor = connection.executemany(operation, parameters)
    try:
        return cursor.lastrowid, cursor.rowcount
    finally:
        cursor.close()


def _commit(connection: sqlite3.Connection) -> None:
    try:
        connection.commit()
    except sqlite3.Error:
        # SQLAlchemy takes it for ended, but after most errors it still is open.
        connection.rollback()
        raise


def _nothing(_connection: sqlite3.Connection) -> None:
    return None
