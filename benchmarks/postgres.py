"""A PostgreSQL of the benchmark's own, with full durability, on loopback, gone afterwards.

From the wheel that the tests use (requirements/dev.txt), or an administrator's at `SPECTRAL_BENCH_POSTGRES_URL`.
"""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlsplit

import psycopg

from spectral.platform.db.role_setup import RoleNames, make_database, make_roles
from tests.fixtures.postgres import ADMIN, accepts, binaries, free_port

START_LIMIT_S = 60.0
ADDRESS = "SPECTRAL_BENCH_POSTGRES_URL"
DATABASE = "spectral_bench"
NAMES = RoleNames("bench_owner", "bench_app", "bench_auth", "bench_ingest")
PASSWORD = "spectral"
# As an operator would set it up for a machine of this size; nothing of it gives up durability.
CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "checkpoint_timeout": "15min",
    "jit": "off",
}


@dataclass(frozen=True)
class BenchPostgres:
    """A running cluster with the installation's roles and an empty database. `pid`: 0 where it is somebody else's."""

    admin_url: str
    pid: int

    @property
    def database_url(self) -> str:
        """The administrator's address of the benchmark's database."""
        return urlsplit(self.admin_url)._replace(path=f"/{DATABASE}").geturl()

    @property
    def environment(self) -> dict[str, str]:
        """What a server needs to be told."""
        return {
            "SPECTRAL_DATABASE_URL": self._url(NAMES.application),
            "SPECTRAL_APPLICATION_ROLE": NAMES.application,
            "SPECTRAL_MIGRATION_DATABASE_URL": self._url(NAMES.owner),
            "SPECTRAL_AUTHENTICATION_DATABASE_URL": self._url(NAMES.authentication),
            "SPECTRAL_AUTHENTICATION_ROLE": NAMES.authentication,
            "SPECTRAL_INGESTION_DATABASE_URL": self._url(NAMES.ingestion),
            "SPECTRAL_INGESTION_ROLE": NAMES.ingestion,
        }

    def size(self) -> int:
        """Bytes of the span tables with their indexes."""
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0) FROM pg_class c JOIN pg_namespace n "
            "ON n.oid = c.relnamespace WHERE c.relkind = 'r' AND (n.nspname = 'spectral_partitions' "
            "OR (n.nspname = 'public' AND c.relname IN ('trace', 'usage_hourly')))"
        )
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute(query).fetchone()
        return int(row[0]) if row else 0

    def total_size(self) -> int:
        """Bytes of the whole database."""
        with psycopg.connect(self.database_url) as connection:
            row = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        return int(row[0]) if row else 0

    def _url(self, role: str) -> str:
        parts = urlsplit(self.admin_url)
        return f"postgresql+asyncpg://{role}:{quote(PASSWORD)}@{parts.hostname}:{parts.port or 5432}/{DATABASE}"


@contextmanager
def running_postgres() -> Iterator[BenchPostgres]:
    """Started on an empty folder, or the one that the environment names, whose database of ours is made anew."""
    given = os.environ.get(ADDRESS)
    if given:
        _prepare(given)
        yield BenchPostgres(given, 0)
        return
    with tempfile.TemporaryDirectory(prefix="spectral-bench-pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        programs, user = binaries(folder)
        data = folder / "data"
        data.mkdir()
        if user is not None:
            os.chown(data, user.pw_uid, user.pw_gid)
        uid, gid = (user.pw_uid, user.pw_gid) if user else (None, None)
        groups: list[int] | None = [] if user else None
        environment = {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}
        initdb: list[str | Path] = [programs / "initdb", "-D", data, "-U", ADMIN, "-A", "trust", "-E", "UTF8"]
        subprocess.run(
            initdb,
            check=True,
            cwd=data,
            env=environment,
            user=uid,
            group=gid,
            extra_groups=groups,
            stdout=subprocess.DEVNULL,
        )
        port = free_port()
        command: list[str | Path] = [programs / "postgres", "-D", data, "-p", str(port)]
        command += [part for key, value in CONFIGURATION.items() for part in ("-c", f"{key}={value}")]
        with (folder / "postgres.log").open("ab") as log:
            process = subprocess.Popen(
                command,
                cwd=data,
                env=environment,
                user=uid,
                group=gid,
                extra_groups=groups,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            _wait(port, process)
            url = f"postgresql://{ADMIN}@127.0.0.1:{port}/postgres"
            _prepare(url)
            yield BenchPostgres(url, process.pid)
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            shutil.rmtree(folder, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + START_LIMIT_S
    while not accepts(port):
        if process.poll() is not None or time.monotonic() > deadline:
            message = "PostgreSQL did not start"
            raise RuntimeError(message)
        time.sleep(0.05)


def _prepare(admin_url: str) -> None:
    with psycopg.connect(admin_url, autocommit=True) as admin:
        make_roles(admin, NAMES, passwords=dict.fromkeys(NAMES.all, PASSWORD))
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        make_database(admin, DATABASE, NAMES)
