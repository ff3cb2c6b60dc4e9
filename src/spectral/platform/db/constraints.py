"""Which named constraint a database refused: the only database errors that become a caller's problem."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from spectral.platform.db.base import Base
from spectral.platform.shared.errors import SpectralError

_SQLITE_UNIQUE = re.compile(r"UNIQUE constraint failed: (?P<columns>.+)")
_SQLITE_FOREIGN_KEY = "FOREIGN KEY constraint failed"

FOREIGN_KEY = "foreign key"
"""Stands for any foreign key: SQLite does not say which one."""


@asynccontextmanager
async def translating(errors: Mapping[str, SpectralError]) -> AsyncIterator[None]:
    """Inside the block a violation of a constraint named in `errors` is raised as that error.

    Keys are constraint names, or `FOREIGN_KEY` for any foreign key. Every other violation goes on as it is: a 500.
    """
    try:
        yield
    except IntegrityError as error:
        name, is_foreign_key = violated(error)
        if name is not None and name in errors:
            raise errors[name] from error
        if is_foreign_key and FOREIGN_KEY in errors:
            raise errors[FOREIGN_KEY] from error
        raise


def violated(error: IntegrityError) -> tuple[str | None, bool]:
    """The name of the violated constraint where the database tells it, and whether it is a foreign key."""
    cause = getattr(error.orig, "__cause__", None)
    if name := getattr(cause, "constraint_name", None):
        return str(name), getattr(cause, "sqlstate", "") in {"23503", "23001"}
    text = str(error.orig)
    if _SQLITE_FOREIGN_KEY in text:
        return None, True
    if match := _SQLITE_UNIQUE.search(text):
        return _named(match["columns"]), False
    return None, False


def _named(listed: str) -> str | None:
    """The unique constraint or index over the columns that SQLite lists ("agent.workspace_id, agent.name")."""
    columns = [part.strip() for part in listed.split(",")]
    table = Base.metadata.tables.get(columns[0].partition(".")[0])
    if table is None:
        return None
    wanted = {column.partition(".")[2] for column in columns}
    for constraint in table.constraints:
        if (
            isinstance(constraint, sa.UniqueConstraint | sa.PrimaryKeyConstraint)
            and {column.name for column in constraint.columns} == wanted
        ):
            return str(constraint.name)
    for index in table.indexes:
        if index.unique and {column.name for column in index.columns} == wanted:
            return str(index.name)
    return None
