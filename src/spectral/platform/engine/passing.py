"""Which errors say that the database was away or busy, and not that the work is wrong."""

import sqlite3

import sqlalchemy as sa

# SQLite says OperationalError for a missing column as for a locked file; its result code tells them apart.
PASSING_SQLITE_CODES = frozenset(
    {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN}
)
# Connection lost or refused, resources, operator's intervention, system; serialization, deadlock, lock not available.
PASSING_SQLSTATE_CLASSES = frozenset({"08", "53", "57", "58"})
PASSING_SQLSTATES = frozenset({"40001", "40P01", "55P03", "25P03"})


def is_passing(error: BaseException) -> bool:
    """Whether the same work may well succeed a little later.

    Source: PostgreSQL, "Appendix A. PostgreSQL Error Codes"; SQLite, "Result and Error Codes".
    """
    if isinstance(error, (ConnectionError, sa.exc.TimeoutError)):
        return True
    if isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated:
        return True
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int):
        # Extended codes carry the primary one in their low byte.
        return code & 0xFF in PASSING_SQLITE_CODES
    state = getattr(cause, "sqlstate", None)
    return isinstance(state, str) and (state in PASSING_SQLSTATES or state[:2] in PASSING_SQLSTATE_CLASSES)
