"""Results of a long benchmark, kept batch by batch, so that a run that was stopped goes on where it was."""

import json
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, as_completed
from pathlib import Path
from typing import Any


class Kept:
    """One JSON line for each batch that ended. Without a path nothing is kept.

    Whoever changes what a batch does starts a new file: a kept result is believed.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._known: dict[str, Any] = {}
        if path is not None and path.exists():
            # A line that was being written when the run was stopped is done again.
            lines = [line for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
            self._known = dict(json.loads(line) for line in lines)
            path.write_text("".join(lines))

    def run(self, pool: Executor, work: Mapping[str, Callable[[], Any]]) -> list[Any]:
        """What each piece of work answers, in its order; those whose name is known are not done again.

        The pieces must be picklable, their answers JSON.
        """
        futures = {pool.submit(piece): name for name, piece in work.items() if name not in self._known}
        for done in as_completed(futures):
            self._keep(futures[done], done.result())
        return [self._known[name] for name in work]

    def _keep(self, name: str, answer: Any) -> None:
        self._known[name] = answer
        if self._path is not None:
            with self._path.open("a") as file:
                file.write(json.dumps([name, answer]) + "\n")
        if sys.stderr.isatty():
            print(f"\r\033[K{name}", end="", file=sys.stderr)
