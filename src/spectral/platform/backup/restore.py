"""Restoring a backup: checked as a whole, then written in one transaction into a database that holds nothing."""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa
from psycopg import sql

from spectral.platform.backup.archive import BackupError, BackupReader, DamagedBackupError, Manifest, TableEntry
from spectral.platform.backup.snapshot import Progress, readable, told
from spectral.platform.backup.values import Rows
from spectral.platform.db.base import Base
from spectral.platform.db.migrations import current_revision, head_revision, migrate, owner_engine
from spectral.platform.db.tenants import Parts
from spectral.platform.shared.secret_box import secret_fingerprint
from spectral.settings import Settings

BATCH_ROWS = 500
DAYS_AT_ONCE = 50
DAY_NS = 86_400_000_000_000
LOCK_TIMEOUT = "10s"
PARTITIONED_BY = re.compile(r"RANGE \((\w+)\)")

MakePartitions = Callable[[sa.Connection, Sequence[date]], None]
"""Makes the partitions of these days where the database has such."""


def restore(
    settings: Settings,
    path: Path,
    *,
    make_partitions: MakePartitions,
    progress: Progress,
    check_secrets: bool = True,
) -> Manifest:
    """The installation is what it was when the backup was made; or nothing happened to it.

    Without a schema it gets this build's. Raises BackupError, OwnerNeededError, OSError.
    """
    with readable(), BackupReader.opened(path) as backup:
        require_fitting(backup.manifest, settings, check_secrets=check_secrets)
        tables = _tables(backup)
        days = _verify(backup, tables, progress)
        engine = owner_engine(settings.owner_url)
        try:
            _require_schema(engine, settings)
            with engine.begin() as connection, _unguarded(connection, list(tables)):
                _require_empty(connection, list(tables))
            for first in range(0, len(days), DAYS_AT_ONCE):
                # Each takes several locks, of which one transaction can hold only so many.
                with engine.begin() as connection:
                    make_partitions(connection, days[first : first + DAYS_AT_ONCE])
            with engine.begin() as connection, _unguarded(connection, list(tables)):
                _require_empty(connection, list(tables))
                for table, entry in tables.items():
                    _fill(connection, Rows(table), told(table.name, backup.rows(entry), progress))
            if engine.dialect.name == "postgresql":
                with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("ANALYZE")
        finally:
            engine.dispose()
        return backup.manifest


def require_fitting(manifest: Manifest, settings: Settings, *, check_secrets: bool) -> None:
    """Raises BackupError when another build made the backup, or its secrets are not ours."""
    if manifest.revision != head_revision():
        raise BackupError(
            f"the backup's schema is at {manifest.revision}, this build's is {head_revision()}: restore it with "
            f"Spectral {manifest.version}, which made it, and migrate then"
        )
    ours = {secret_fingerprint(key) for key in settings.secrets}
    missing = [name for name in manifest.secret_keys if name not in ours]
    if check_secrets and missing:
        raise BackupError(
            f"{len(missing)} of the backup's {len(manifest.secret_keys)} secret keys are not in SPECTRAL_SECRET_KEYS "
            f"(fingerprints {', '.join(missing)}): what they sealed could not be read, and API keys would not work; "
            "--without-secrets-check restores all the same"
        )


def _tables(backup: BackupReader) -> dict[sa.Table, TableEntry]:
    """Our tables, parents first, with what the backup has of them."""
    entries = {entry.name: entry for entry in backup.manifest.tables}
    tables = {table: entries.pop(table.name, None) for table in Base.metadata.sorted_tables}
    found = {table: entry for table, entry in tables.items() if entry is not None}
    if entries or len(found) < len(tables):
        raise DamagedBackupError(backup.path, "its tables are not those of its revision")
    for table, entry in found.items():
        if entry.columns != Rows(table).signature:
            raise DamagedBackupError(backup.path, f"the columns of {table.name} are not those of its revision")
    return found


def _verify(backup: BackupReader, tables: dict[sa.Table, TableEntry], progress: Progress) -> list[date]:
    """Every sum and every value is right; answers the days for which rows of partitioned tables exist."""
    days: set[int] = set()
    for table, entry in tables.items():
        rows, place = Rows(table), _partition_column(table)
        for values in told(table.name, backup.rows(entry), progress):
            try:
                row = rows.read(values)
            except (ValueError, TypeError) as error:
                raise DamagedBackupError(backup.path, f"a value in {table.name} cannot be read") from error
            if place is not None:
                days.add(row[place] // DAY_NS)
    return [datetime.fromtimestamp(day * 86_400, UTC).date() for day in sorted(days)]


def _partition_column(table: sa.Table) -> int | None:
    by = PARTITIONED_BY.fullmatch(table.dialect_options["postgresql"].get("partition_by") or "")
    return None if by is None else list(table.columns.keys()).index(by[1])


def _require_schema(engine: sa.Engine, settings: Settings) -> None:
    with engine.connect() as connection:
        revision = current_revision(connection)
    if revision is None:
        migrate(settings)
    elif revision != head_revision():
        raise BackupError(
            f"the database is not empty: its schema is at {revision}, this build's is {head_revision()}; "
            "restore into a new database"
        )


def _require_empty(connection: sa.Connection, tables: list[sa.Table]) -> None:
    for table in tables:
        if connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
            raise BackupError(f"the database is not empty ({table.name} has rows): restore into a new one")


@contextmanager
def _unguarded(connection: sa.Connection, tables: list[sa.Table]) -> Iterator[None]:
    """For this transaction no trigger fires, and its owner sees and writes every row; nobody else comes in between."""
    if connection.dialect.name == "postgresql":
        with _postgresql_unguarded(connection, tables):
            yield
    else:
        with _sqlite_unguarded(connection):
            yield


@contextmanager
def _postgresql_unguarded(connection: sa.Connection, tables: list[sa.Table]) -> Iterator[None]:
    forced = Parts(connection).forced
    names = [connection.dialect.identifier_preparer.quote(table.name) for table in tables]
    connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    connection.exec_driver_sql(f"LOCK TABLE {', '.join(names)} IN ACCESS EXCLUSIVE MODE")
    for name in names:
        connection.exec_driver_sql(f"ALTER TABLE {name} DISABLE TRIGGER USER")
    for name in forced:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" NO FORCE ROW LEVEL SECURITY')
    yield
    for name in forced:
        connection.exec_driver_sql(f'ALTER TABLE "{name}" FORCE ROW LEVEL SECURITY')
    for name in names:
        connection.exec_driver_sql(f"ALTER TABLE {name} ENABLE TRIGGER USER")


@contextmanager
def _sqlite_unguarded(connection: sa.Connection) -> Iterator[None]:
    """Foreign keys are off on the owner's connections; they are checked as a whole at the end."""
    found = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").all()
    quote = connection.dialect.identifier_preparer.quote_identifier
    for name, _ in found:
        connection.exec_driver_sql(f"DROP TRIGGER {quote(name)}")
    yield
    for _, definition in found:
        connection.exec_driver_sql(definition)
    indexes = "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING fts5%'"
    for name in connection.exec_driver_sql(indexes).scalars().all():
        # Triggers keep an index of words; without them it still lacks what was written.
        connection.exec_driver_sql(f"INSERT INTO {quote(name)} ({quote(name)}) VALUES ('rebuild')")  # noqa: S608 - names from the schema itself
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    if broken:
        raise BackupError(f"the backup has rows without their parents: {broken[0]}")


def _fill(connection: sa.Connection, rows: Rows, lines: Iterator[list[Any]]) -> None:
    if connection.dialect.name == "postgresql":
        _copy(connection, rows, lines)
        return
    insert, names = rows.insert(), [column.name for column in rows.columns]
    while batch := [dict(zip(names, rows.read(line), strict=True)) for line in islice(lines, BATCH_ROWS)]:
        connection.execute(insert, batch)


def _copy(connection: sa.Connection, rows: Rows, lines: Iterator[list[Any]]) -> None:
    """COPY: several times faster, and rows that refer to others of their table may come in any order."""
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(rows.table.name),
        sql.SQL(", ").join(sql.Identifier(column.name) for column in rows.columns),
    )
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for line in lines:
                copy.write_row(rows.read(line))
    except psycopg.Error as error:
        first = str(error).strip().splitlines()[0]
        raise BackupError(f"PostgreSQL cannot hold a row of {rows.table.name}: {first}") from error
