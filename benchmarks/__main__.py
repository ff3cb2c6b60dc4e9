"""`python -m benchmarks`: starts servers of its own, measures them, prints one table for each database."""

import argparse
import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.api import measure_api
from benchmarks.bare_engine import bare_engine
from benchmarks.clusters import measure_clusters
from benchmarks.evaluations import measure_evaluations
from benchmarks.figures import Figure, print_table
from benchmarks.guard import measure_guard
from benchmarks.identity import measure_identity
from benchmarks.ingest import MEBIBYTE, SMALL_QUEUE, ceiling, measure_ingestion, measure_overload, shares
from benchmarks.page import measure_page
from benchmarks.postgres import BenchPostgres, running_postgres
from benchmarks.raw_store import bare_postgres, bare_sqlite, raw_postgres, raw_sqlite
from benchmarks.reads import fill, measure_reads
from benchmarks.runner import measure_runner
from benchmarks.samples import measure_samples
from benchmarks.server import BenchServer, resident_bytes, running_server
from benchmarks.statistics import SCANS, measure_statistics
from benchmarks.workflows import measure_workflows

SPANS = 1_000_000
SERVED = ("api", "ingest", "reads", "workflows", "runner", "samples", "page")
APART: dict[str, tuple[str, Callable[[], list[Figure]]]] = {
    "clusters": ("failure clusters in this process, no database", measure_clusters),
    "evaluations": ("measurement in this process, SQLite (synchronous=FULL)", measure_evaluations),
    "guard": ("the live guard on simulated sessions, no database", measure_guard),
    "statistics": ("whole scans in two processes, SQLite in memory", measure_statistics),
}
"""What is measured without a server."""

SMALL = {"SPECTRAL_OTLP_PENDING_REQUESTS": str(SMALL_QUEUE)}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each figure of the API is measured")
    parser.add_argument("--spans", type=int, default=SPANS, help="stored before reading is measured")
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--scans", type=int, default=SCANS, help="of equal arms, for the statistics")
    parser.add_argument("--keep", type=Path, help="file for the statistics' batches; a stopped run goes on from it")
    parser.add_argument("--only", choices=[*SERVED, *APART], help="one part instead of all")
    options = parser.parse_args()
    for name, (where, measure) in APART.items():
        if options.only in {None, name}:
            figures = measure_statistics(options.scans, keep=options.keep) if name == "statistics" else measure()
            print_table(figures, where)
    if options.only in APART:
        return
    if options.database != "postgresql":
        sqlite(options.only, options.seconds, options.spans)
    if options.database != "sqlite":
        with running_postgres() as postgres:
            postgresql(postgres, options.only, options.seconds, options.spans)


def sqlite(only: str | None, seconds: float, spans: int) -> None:
    """Everything on a SQLite file."""
    figures: list[Figure] = []
    if only in {None, "ingest"}:
        with tempfile.TemporaryDirectory(prefix="spectral-bench-") as folder:
            raw, bare_rows = raw_sqlite(Path(folder)), bare_sqlite(Path(folder))
        with running_server() as server:
            found = asyncio.run(measure_ingestion(server, raw))
        figures += [ceiling(bare_rows), shares(found, raw, "SQLite FULL"), *found]
        with running_server(**SMALL) as server:
            figures.append(asyncio.run(measure_overload(server)))
    if only in {None, "api"}:
        with running_server() as server:
            figures += asyncio.run(_api(server, seconds))
    if only in {None, "reads"}:
        with running_server() as server:
            figures += asyncio.run(_reads(server, spans, lambda: _sqlite_size(server)))
    if only in {None, "workflows"}:
        with tempfile.TemporaryDirectory(prefix="spectral-bench-") as folder:
            bare = bare_engine(f"sqlite:///{folder}/bare.db")
        with running_server() as server:
            figures += asyncio.run(measure_workflows(server, bare, lambda: _sqlite_size(server)))
    if only in {None, "runner"}:
        with running_server() as server:
            url = f"sqlite+aiosqlite:///{server.data_dir / 'spectral.db'}"
            figures += asyncio.run(measure_runner(server, url))
    if only in {None, "samples"}:
        with running_server() as server:
            figures += asyncio.run(measure_samples(server))
    if only in {None, "page"}:
        with running_server() as server:
            figures += asyncio.run(measure_page(server))
    print_table(figures, "one server process, SQLite (synchronous=FULL); client on the same machine")


def postgresql(postgres: BenchPostgres, only: str | None, seconds: float, spans: int) -> None:
    """The same on PostgreSQL with full durability; identity and the page are measured once, on SQLite."""
    figures: list[Figure] = []
    with running_server(**postgres.environment) as server:
        if only in {None, "ingest"}:
            raw = asyncio.run(raw_postgres(postgres.database_url))
            bare_rows = asyncio.run(bare_postgres(postgres.database_url))
            found = asyncio.run(measure_ingestion(server, raw, postgres.pid))
            figures += [ceiling(bare_rows), shares(found, raw, "PostgreSQL COPY"), *found]
        if only in {None, "api"}:
            figures += asyncio.run(measure_api(server, seconds))
        if only in {None, "reads"}:
            figures += asyncio.run(_reads(server, spans, postgres.size))
        if only in {None, "workflows"}:
            bare = bare_engine(postgres.database_url)
            figures += asyncio.run(measure_workflows(server, bare, postgres.total_size))
        if only in {None, "runner"}:
            url = postgres.environment["SPECTRAL_DATABASE_URL"]
            figures += asyncio.run(measure_runner(server, url))
        if only in {None, "samples"}:
            figures += asyncio.run(measure_samples(server))
    print_table(figures, "one server process, PostgreSQL 18 (fsync on) on the same machine; client as well")


async def _api(server: BenchServer, seconds: float) -> list[Figure]:
    return [*await measure_api(server, seconds), *await measure_identity(server, seconds)]


async def _reads(server: BenchServer, spans: int, size: Callable[[], int]) -> list[Figure]:
    before = size()
    took = await fill(server, spans)
    stored = size() - before
    figures = await measure_reads(server, spans)
    return [
        Figure("bytes a span on disk", stored / spans, "B", f"{spans:,} spans with rollups and indexes, {took:,.0f} s"),
        *figures,
        Figure("memory of the server after these", resident_bytes(server.pid) / MEBIBYTE, "MiB", "resident"),
    ]


def _sqlite_size(server: BenchServer) -> int:
    return (server.data_dir / "spectral.db").stat().st_size


if __name__ == "__main__":
    main()
