"""`python -m benchmarks`: starts a server, measures it, prints one table."""

import argparse
import asyncio

from benchmarks.api import measure_api
from benchmarks.figures import print_table
from benchmarks.server import running_server


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each figure is measured (default: 5)")
    options = parser.parse_args()
    with running_server() as server:
        figures = asyncio.run(measure_api(server, options.seconds))
        print_table(figures, "one server process, SQLite, default settings; client on the same machine")


if __name__ == "__main__":
    main()
