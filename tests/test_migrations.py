"""The schema's history: up, down, up; killed anywhere, it starts again cleanly."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.script import ScriptDirectory

from spectral.platform.db.migrations import (
    alembic_config,
    current_revision,
    downgrade,
    head_revision,
    migrate,
    owner_engine,
)
from spectral.settings import Settings
from tests.fixtures.databases import POSTGRESQL, SQLITE, PostgresTemplate, make_settings
from tests.fixtures.exemptions import ENGINE_LIBRARY
from tests.fixtures.project import ROOT

Snapshot = set[tuple[str, str, str | None]]

# Ends this process with SIGKILL before the statement with the given number.
KILLED = """
import os, signal, sys
from pathlib import Path
import sqlalchemy as sa
from spectral.platform.db.migrations import migrate
from tests.fixtures.databases import make_settings

left = int(sys.argv[1])

def count(*_):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)

sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
urls = dict(zip(("database_url", "migration_database_url"), sys.argv[3:]))
migrate(make_settings(Path(sys.argv[2]), **urls))
"""


@pytest.fixture
def empty(database_kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    with another(database_kind, tmp_path / "data", request) as settings:
        yield settings


def test_there_is_one_history() -> None:
    script = ScriptDirectory.from_config(alembic_config())
    assert len(script.get_heads()) == 1
    assert len(script.get_bases()) == 1


def test_up_down_and_up_again_end_with_the_same_schema(empty: Settings) -> None:
    migrate(empty)
    first = schema(empty)
    assert first
    downgrade(empty, "base")
    assert {table for table, _, _ in schema(empty)} <= {"alembic_version"}
    migrate(empty)
    assert schema(empty) == first


def test_each_step_down_and_up_is_possible(empty: Settings) -> None:
    migrate(empty)
    complete = schema(empty)
    for revision in [step.revision for step in ScriptDirectory.from_config(alembic_config()).walk_revisions()][1:]:
        downgrade(empty, revision)
        with connected(empty) as connection:
            assert current_revision(connection) == revision
    migrate(empty)
    assert schema(empty) == complete


def test_a_second_migration_changes_nothing(empty: Settings) -> None:
    migrate(empty)
    before = schema(empty)
    migrate(empty)
    assert schema(empty) == before


@pytest.mark.slow
def test_a_migration_killed_between_two_statements_starts_again(
    database_kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    with another(database_kind, tmp_path / "whole", request) as settings:
        statements = count_statements(settings)
        complete = schema(settings)
    kills = KILLS[database_kind]
    for part in range(1, kills + 1):
        point = statements * part // (kills + 1)
        with another(database_kind, tmp_path / f"killed-{point}", request) as settings:
            urls = [url for url in (settings.database_url, settings.migration_database_url) if url]
            command = [sys.executable, "-c", KILLED, str(point), str(settings.data_dir), *urls]
            killed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
            assert killed.returncode == -signal.SIGKILL, killed.stderr
            migrate(settings)
            with connected(settings) as connection:
                assert current_revision(connection) == head_revision()
            assert schema(settings) == complete, f"killed before statement {point} of {statements}"


KILLS = {SQLITE: 4, POSTGRESQL: 3}


def count_statements(settings: Settings) -> int:
    """How many statements a whole migration of this database executes; it is migrated afterwards."""
    counted = 0

    def count(*_: object) -> None:
        nonlocal counted
        counted += 1

    sa.event.listen(sa.engine.Engine, "before_cursor_execute", count)
    try:
        migrate(settings)
    finally:
        sa.event.remove(sa.engine.Engine, "before_cursor_execute", count)
    return counted


@contextmanager
def another(kind: str, data_dir: Path, request: pytest.FixtureRequest) -> Iterator[Settings]:
    """The settings of a database without a schema."""
    if kind == POSTGRESQL:
        template: PostgresTemplate = request.getfixturevalue("postgres_template")
        with template.empty(data_dir) as settings:
            yield settings
    else:
        yield make_settings(data_dir)


@contextmanager
def connected(settings: Settings) -> Iterator[sa.Connection]:
    engine = owner_engine(settings.owner_url)
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def schema(settings: Settings) -> Snapshot:
    """Every table of ours with its columns, keys, indexes and policies, in a form that can be compared."""
    with connected(settings) as connection:
        if settings.uses_sqlite:
            rows = connection.execute(sa.text("SELECT tbl_name, name, sql FROM sqlite_master"))
        else:
            rows = connection.execute(sa.text(POSTGRESQL_SCHEMA))
        return {(table, name, in_order(what)) for table, name, what in rows if table not in ENGINE_LIBRARY}


def in_order(what: str | None) -> str | None:
    """The statement with its constraints sorted: Alembic copies them to a rebuilt table in the order of a set."""
    if what is None:
        return None
    lines = [line.strip().removesuffix(",") for line in what.splitlines()]
    constraints = sorted(line for line in lines if line.startswith("CONSTRAINT "))
    return "\n".join([*(line for line in lines if not line.startswith("CONSTRAINT ")), *constraints])


POSTGRESQL_SCHEMA = """
SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod) || CASE WHEN a.attnotnull THEN ' not null' ELSE '' END
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
 WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
UNION ALL SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
  FROM pg_constraint WHERE connamespace = 'public'::regnamespace
UNION ALL SELECT tablename, policyname, qual || ' / ' || with_check FROM pg_policies WHERE schemaname = 'public'
UNION ALL SELECT event_object_table, trigger_name, action_statement FROM information_schema.triggers
UNION ALL SELECT table_name, grantee, privilege_type
  FROM information_schema.role_table_grants WHERE table_schema = 'public'
"""
