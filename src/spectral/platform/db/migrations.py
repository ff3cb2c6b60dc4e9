"""The schema's one history, for SQLite and PostgreSQL: brought up under a lock, asked whether it is current."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError

from spectral.platform.db.roles import grant_roles
from spectral.platform.engine.dbos_adapter import migrate_jobs
from spectral.settings import Settings

ADVISORY_LOCK = 7_311_926_448_217
LOCK_TIMEOUT_MS = 10_000


def migrations_folder() -> Path:
    """Where the revisions are: in the wheel beside the package, in a checkout at its root."""
    package = Path(__file__).resolve().parents[2]
    packaged = package / "migrations"
    return packaged if packaged.is_dir() else package.parents[1] / "migrations"


def alembic_config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration; there is no alembic.ini."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(migrations_folder()))
    config.set_main_option("path_separator", "os")
    return config


@cache
def head_revision() -> str:
    """The revision that this build's code expects."""
    head = ScriptDirectory.from_config(alembic_config()).get_current_head()
    if head is None:
        message = f"no migrations in {migrations_folder()}"
        raise CommandError(message)
    return head


def migrate(settings: Settings, revision: str = "head") -> None:
    """Bring the schema to `revision`, as the tables' owner; two processes at once wait for each other.

    On PostgreSQL the application role then gets what it may use. Also brings up the engine's own tables.
    """
    engine = owner_engine(settings.owner_url)
    try:
        # First, because a process that waits for the schema takes our last revision for the sign to start.
        migrate_jobs(settings.owner_url, settings.application_role)
        with _one_at_a_time(engine, settings), engine.connect() as connection:
            if settings.uses_sqlite:
                _migrate_sqlite(connection, revision)
            else:
                connection.exec_driver_sql(f"SET lock_timeout = {LOCK_TIMEOUT_MS}")
                connection.commit()
                command.upgrade(alembic_config(connection), revision)
                connection.commit()
                grant_roles(connection, settings)
    finally:
        engine.dispose()


def downgrade(settings: Settings, revision: str) -> None:
    """Take the schema back to `revision` ("base" for nothing at all)."""
    engine = owner_engine(settings.owner_url)
    try:
        with _one_at_a_time(engine, settings), engine.connect() as connection:
            if settings.uses_sqlite:
                _without_foreign_keys(connection, lambda: command.downgrade(alembic_config(connection), revision))
            else:
                command.downgrade(alembic_config(connection), revision)
                connection.commit()
    finally:
        engine.dispose()


def current_revision(connection: sa.Connection) -> str | None:
    """The revision that the database is at; None for an empty one."""
    return MigrationContext.configure(connection).get_current_revision()


def owner_engine(url: str) -> sa.Engine:
    """Synchronous connections to the database of an asynchronous URL, for migrations."""
    parsed = sa.make_url(url)
    sqlite = parsed.get_backend_name() == "sqlite"
    if not sqlite:
        return sa.create_engine(parsed.set(drivername="postgresql+psycopg"), poolclass=sa.NullPool)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = sa.create_engine(parsed.set(drivername="sqlite"), poolclass=sa.NullPool)

    def on_connect(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA busy_timeout=15000")

    def on_begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sa.event.listen(engine, "connect", on_connect)
    sa.event.listen(engine, "begin", on_begin)
    return engine


def _migrate_sqlite(connection: sa.Connection, revision: str) -> None:
    _without_foreign_keys(connection, lambda: command.upgrade(alembic_config(connection), revision))


def _without_foreign_keys(connection: sa.Connection, work: Callable[[], None]) -> None:
    # SQLite rebuilds tables to alter them, which would fire foreign keys; they are checked as a whole instead.
    connection.exec_driver_sql("PRAGMA foreign_keys=OFF")
    connection.rollback()
    work()
    connection.commit()
    broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
    connection.rollback()
    if broken:
        message = f"rows without their parent after the migration: {broken[:5]}"
        raise CommandError(message)


@contextmanager
def _one_at_a_time(engine: sa.Engine, settings: Settings) -> Iterator[None]:
    if settings.uses_sqlite:
        path = Path(str(engine.url.database) + ".migrate.lock")
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield
        return
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": ADVISORY_LOCK})
        try:
            yield
        finally:
            connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": ADVISORY_LOCK})
