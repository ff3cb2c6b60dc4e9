"""`python -m benchmarks`: starts a server, measures it, prints one table."""

import argparse
import asyncio

from benchmarks.api import measure_api
from benchmarks.figures import Figure, print_table
from benchmarks.identity import measure_identity
from benchmarks.ingest import measure_ingestion
from benchmarks.server import BenchServer, running_server


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each figure is measured (default: 5)")
    options = parser.parse_args()
    with running_server() as server:
        print_table(
            asyncio.run(measure(server, options.seconds)),
            "one server process, SQLite, default settings; client on the same machine",
        )


async def measure(server: BenchServer, seconds: float) -> list[Figure]:
    """Every figure, one benchmark after the other."""
    return [
        *await measure_api(server, seconds),
        *await measure_identity(server, seconds),
        *await measure_ingestion(server),
    ]


if __name__ == "__main__":
    main()
