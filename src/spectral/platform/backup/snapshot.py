"""Making a backup: every table of the models out of one snapshot, while requests go on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from spectral import __version__
from spectral.platform.backup.archive import FORMAT, BackupError, BackupWriter, Manifest, whole_file
from spectral.platform.backup.values import Rows
from spectral.platform.db.base import Base
from spectral.platform.db.migrations import current_revision, head_revision, owner_engine
from spectral.platform.db.tenants import Parts
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.secret_box import secret_fingerprint
from spectral.settings import Settings

FETCH_ROWS = 200
REPORT_ROWS = 1000

Progress = Callable[[str, int], None]
"""Told the table that is worked on and how many of its rows are done."""


def back_up(settings: Settings, path: Path, progress: Progress) -> Manifest:
    """The whole installation is in `path`, as it was at one moment; whatever was there before is replaced.

    Of the engine's library nothing: what is to be done is in our own tables. Raises BackupError, OwnerNeededError,
    OSError.
    """
    with readable(), snapshot(settings.owner_url) as connection, whole_file(path) as file:
        revision = current_revision(connection)
        if revision != head_revision():
            raise BackupError(f"the schema is at {revision}, this build's is {head_revision()}: spectral migrate")
        parts = Parts(connection)
        _require_known(connection)
        writer = BackupWriter(file)
        for table in Base.metadata.sorted_tables:
            rows = Rows(table)
            written = told(table.name, _rows(connection, parts, rows), progress)
            writer.add_table(table.name, rows.signature, written)
        manifest = Manifest(
            format=FORMAT,
            version=__version__,
            revision=revision,
            made_at=utc_now().isoformat(),
            database=connection.dialect.name,
            secret_keys=[secret_fingerprint(key) for key in settings.secrets],
            tables=writer.tables,
        )
        writer.finish(manifest)
    return manifest


def _require_known(connection: sa.Connection) -> None:
    """A table that nobody imported would be missing without a word; the engine's library has a schema of its own."""
    if connection.dialect.name == "postgresql":
        found = connection.execute(sa.text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars()
        unknown = set(found) - Base.metadata.tables.keys() - {"alembic_version"}
        if unknown:
            raise BackupError(f"the database has tables that are not ours: {', '.join(sorted(unknown))}")


@contextmanager
def snapshot(owner_url: str) -> Iterator[sa.Connection]:
    """One read-only transaction, which sees what was committed when it began and nothing later."""
    engine = owner_engine(owner_url) if not owner_url.startswith("sqlite") else _sqlite_reader(owner_url)
    try:
        with engine.connect() as connection:
            if connection.dialect.name == "postgresql":
                connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            yield connection
    finally:
        engine.dispose()


@contextmanager
def readable() -> Iterator[None]:
    """The database's errors as one line each."""
    try:
        yield
    except sa.exc.DBAPIError as error:
        lines = str(error.orig).strip().splitlines()
        raise BackupError(f"the database refuses: {lines[0] if lines else type(error.orig).__name__}") from error


def _rows(connection: sa.Connection, parts: Parts, rows: Rows) -> Iterator[list[Any]]:
    statement = rows.select(connection.dialect.name).execution_options(stream_results=True, yield_per=FETCH_ROWS)
    for part in parts.of(rows.table):
        part.bind(connection)
        with connection.execute(statement.where(part.rows(rows.table))) as result:
            for row in result:
                yield rows.write(row)


def told(name: str, rows: Iterator[list[Any]], progress: Progress) -> Iterator[list[Any]]:
    """The same rows, with word of them every now and then."""
    count = 0
    progress(name, count)
    for count, row in enumerate(rows, start=1):
        if not count % REPORT_ROWS:
            progress(name, count)
        yield row
    progress(name, count)


def _sqlite_reader(url: str) -> sa.Engine:
    """Unlike the owner's connections these take no write lock: the server goes on."""
    parsed = sa.make_url(url)
    if not parsed.database or not Path(parsed.database).exists():
        raise BackupError(f"there is no database at {parsed.database}")
    engine = sa.create_engine(parsed.set(drivername="sqlite"), poolclass=sa.NullPool)

    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA busy_timeout=15000")
        connection.execute("PRAGMA query_only=ON")

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)
    return engine
