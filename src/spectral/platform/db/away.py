"""Errors that say nothing about a request: the database cannot be reached, starts, or has no room."""

import socket

import asyncpg
from sqlalchemy.exc import DBAPIError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

# The dialect lets what goes wrong while connecting through as the driver and the system raise it.
_RAW = (
    PoolTimeoutError,
    ConnectionError,
    TimeoutError,
    socket.gaierror,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
_SQLITE = ("database is locked", "disk is full", "disk I/O error", "unable to open database file")


def database_is_away(error: BaseException) -> bool:
    """Whether the same request may well succeed a little later.

    SQLSTATE classes 08 (connection), 53 (insufficient resources: disk full, too many connections) and 57 (shutdown,
    recovery) of PostgreSQL; a busy, full or failing disk of SQLite; nobody who listens.
    """
    if isinstance(error, _RAW):
        return True
    if not isinstance(error, DBAPIError):
        return False
    if error.connection_invalidated or isinstance(getattr(error.orig, "__cause__", None), _RAW):
        return True
    return isinstance(error, OperationalError) and any(words in str(error.orig) for words in _SQLITE)
