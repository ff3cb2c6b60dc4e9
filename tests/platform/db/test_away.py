"""What is a matter of time is told from what is wrong."""

import sqlite3

import asyncpg
import pytest
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from spectral.platform.db.away import database_is_away


class DriverError(Exception):
    """As the dialect wraps what asyncpg raises: the original is its cause."""

    def __init__(self, cause: Exception | None = None, text: str = "") -> None:
        super().__init__(text)
        self.__cause__ = cause


@pytest.mark.parametrize(
    "error",
    [
        PoolTimeoutError(),
        ConnectionRefusedError(111, "Connection refused"),
        TimeoutError(),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        DBAPIError("INSERT", None, DriverError(asyncpg.DiskFullError("No space left on device"))),
        DBAPIError("SELECT", None, DriverError(asyncpg.AdminShutdownError("terminating connection"))),
        DBAPIError("SELECT", None, DriverError(), connection_invalidated=True),
        OperationalError("BEGIN", None, sqlite3.OperationalError("database is locked")),
        OperationalError("INSERT", None, sqlite3.OperationalError("database or disk is full")),
        OperationalError("INSERT", None, sqlite3.OperationalError("disk I/O error")),
    ],
    ids=lambda error: type(error).__name__,
)
def test_the_same_request_may_succeed_later(error: Exception) -> None:
    assert database_is_away(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError("wrong"),
        FileNotFoundError(2, "No such file or directory"),
        OperationalError("SELECT", None, sqlite3.OperationalError("no such table: span")),
        IntegrityError("INSERT", None, DriverError(asyncpg.UniqueViolationError("duplicate key"))),
        ProgrammingError("SELECT", None, DriverError(asyncpg.UndefinedTableError("no such table"))),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_wrong_stays_wrong(error: Exception) -> None:
    assert not database_is_away(error)
