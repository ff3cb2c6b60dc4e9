"""The database was away or busy, or the work is wrong."""

import sqlite3

import psycopg
import pytest
import sqlalchemy as sa

from spectral.platform.engine.passing import is_passing


def sqlite_error(code: int) -> sa.exc.DBAPIError:
    error = sqlite3.OperationalError("whatever it says")
    error.sqlite_errorcode = code
    return sa.exc.OperationalError("SELECT 1", {}, error)


def postgres_error(error: psycopg.Error) -> sa.exc.DBAPIError:
    return sa.exc.DBAPIError("SELECT 1", {}, error)


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        sa.exc.TimeoutError("no connection free"),
        sqlite_error(sqlite3.SQLITE_BUSY),
        sqlite_error(sqlite3.SQLITE_BUSY_SNAPSHOT),
        postgres_error(psycopg.errors.SerializationFailure()),
        postgres_error(psycopg.errors.AdminShutdown()),
        psycopg.errors.TooManyConnections(),
        sa.exc.DBAPIError("SELECT 1", {}, Exception(), connection_invalidated=True),
    ],
)
def test_passing(error: Exception) -> None:
    assert is_passing(error)


@pytest.mark.parametrize(
    "error",
    [
        ValueError(),
        TimeoutError(),
        sqlite_error(sqlite3.SQLITE_ERROR),
        postgres_error(psycopg.errors.UniqueViolation()),
        postgres_error(psycopg.errors.UndefinedColumn()),
    ],
)
def test_the_works_own(error: Exception) -> None:
    assert not is_passing(error)
