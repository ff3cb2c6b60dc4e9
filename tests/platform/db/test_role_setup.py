"""`spectral database roles`, as an administrator runs it."""

import os
import stat
import subprocess
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.fixtures.databases import PostgresTemplate

SPECTRAL = Path(sys.executable).with_name("spectral")


def run(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SPECTRAL, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_roles_are_made_once_and_a_server_can_be_migrated_with_them(
    postgres_template: PostgresTemplate, tmp_path: Path
) -> None:
    tag = uuid.uuid4().hex[:8]
    database = f"{postgres_template.prefix}_{tag}"
    names = {kind: f"spectral_{kind}_{tag}" for kind in ("owner", "application", "authentication", "ingestion")}
    options = [part for kind, name in names.items() for part in (f"--{kind}", name)]
    command = ["database", "roles", "--admin-url", postgres_template.admin_url, "--database", database, *options]
    try:
        first = run(*command, "--output", ".env", cwd=tmp_path)
        assert first.returncode == 0, first.stderr
        assert stat.S_IMODE((tmp_path / ".env").stat().st_mode) == 0o600
        lines = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().splitlines())
        assert set(lines) == {
            "SPECTRAL_DATABASE_URL",
            "SPECTRAL_MIGRATION_DATABASE_URL",
            "SPECTRAL_AUTHENTICATION_DATABASE_URL",
            "SPECTRAL_INGESTION_DATABASE_URL",
        }
        roles = {f"SPECTRAL_{kind.upper()}_ROLE": name for kind, name in names.items() if kind != "owner"}
        migrated = run("migrate", cwd=tmp_path, **roles)
        assert migrated.returncode == 0, migrated.stderr
        made = run("user", "create", "root@example.com", "--password", "a long enough one", cwd=tmp_path, **roles)
        assert made.returncode == 0, made.stderr
        looked = run("doctor", cwd=tmp_path, **roles)
        assert looked.returncode == 0, looked.stdout
        assert "bound by row-level" in looked.stdout
        # The owner could lift every policy, so nothing may be served as that role.
        wrong = run("doctor", cwd=tmp_path, **roles, SPECTRAL_DATABASE_URL=lines["SPECTRAL_MIGRATION_DATABASE_URL"])
        assert (wrong.returncode, f"{names['owner']} owns" in wrong.stdout) == (1, True), wrong.stdout

        again = run(*command, cwd=tmp_path)
        assert (again.returncode, again.stdout) == (0, ""), "roles that exist keep their passwords"
        with psycopg.connect(lines["SPECTRAL_DATABASE_URL"].replace("+asyncpg", "")) as connection:
            assert connection.execute("SELECT count(*) FROM agent").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("SELECT * FROM user_credential")
    finally:
        postgres_template._execute("DROP DATABASE IF EXISTS {} WITH (FORCE)", database)
        for name in names.values():
            if postgres_template.admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (name,)).fetchone():
                postgres_template.admin.execute(sql.SQL("DROP OWNED BY {}").format(sql.Identifier(name)))
                postgres_template.admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_wrong_administrator_is_one_line_and_leaves_no_file(tmp_path: Path) -> None:
    failed = run(
        "database", "roles", "--admin-url", "postgresql://nobody@127.0.0.1:1/x", "--output", "roles.env", cwd=tmp_path
    )
    assert failed.returncode == 1
    assert failed.stderr.startswith("spectral: ")
    assert "Traceback" not in failed.stderr
    assert not (tmp_path / "roles.env").exists()


def test_an_existing_file_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "roles.env").write_text("mine")
    failed = run(
        "database", "roles", "--admin-url", "postgresql://nobody@127.0.0.1:1/x", "--output", "roles.env", cwd=tmp_path
    )
    assert failed.returncode == 1
    assert "roles.env" in failed.stderr
    assert (tmp_path / "roles.env").read_text() == "mine"
