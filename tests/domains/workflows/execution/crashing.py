"""Processes that die, and work that leaves a trace outside of every database."""

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from spectral.domains.workflows.definitions.model import Definition, Edge, Graph, Node, NodeKind, Retries
from spectral.domains.workflows.nodes.calls import NodeCall, NodeError
from tests.domains.workflows.execution.conftest import Runs
from tests.domains.workflows.execution.test_scheduler import chain, task


async def die(runs: Runs) -> None:
    """This process is gone: it hands nothing back and writes nothing more."""
    execution = runs.engine._execution
    for context in execution.contexts.values():
        context.note_lost()
    for running, held in list(execution._tasks.items()):
        if held is not None:
            running.cancel()
    await runs.engine.stop()
    await runs.live.stop()


class Effects:
    """What nodes did to the world: a line per begin and end, in a file that processes append to."""

    def __init__(self, path: Path, work_s: float) -> None:
        self.path = path
        self.work_s = work_s

    async def work(self, call: NodeCall) -> Any:
        """Takes a moment; `flaky` fails at its first attempt ever, `slow` takes for ever."""
        self._note(call, "begin")
        await asyncio.sleep(60 if call.node.id == "slow" else self.work_s)
        self._note(call, "end")
        if call.node.id == "flaky" and self.of(call.idempotency_key, "end") == 1:
            raise NodeError("flaky", "not yet")
        return {"attempt": call.attempt}

    def _note(self, call: NodeCall, what: str) -> None:
        line = json.dumps({"key": call.idempotency_key, "what": what, "pid": os.getpid()}) + "\n"
        descriptor = os.open(self.path, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.path.read_text().splitlines()] if self.path.exists() else []

    def of(self, key: str, what: str) -> int:
        return sum(1 for line in self.lines() if (line["key"], line["what"]) == (key, what))

    def begins(self, pid: int | None = None) -> Counter[str]:
        """How often each step was begun, by one process or by all."""
        return Counter(line["key"] for line in self.lines() if line["what"] == "begin" and pid in {None, line["pid"]})


CHILD = Definition("child", chain(task("first"), Node("nap", NodeKind.SLEEP, params={"seconds": 0.1}), task("second")))
PARENT = Definition(
    "parent",
    Graph(
        (
            task("begin"),
            Node(
                "each",
                NodeKind.FOREACH,
                params={"items": [1, 2, 3]},
                bodies={"body": chain(task("flaky", retries=Retries(2, 0.05)), task("then"))},
            ),
            Node("race", NodeKind.RACE, bodies={"fast": chain(task("fast")), "slow": chain(task("slow"))}),
            Node("sub", NodeKind.SUBFLOW, params={"workflow": "child"}),
            Node("go", NodeKind.WAIT_EVENT, params={"event": "go"}),
            Node("nap", NodeKind.SLEEP, params={"seconds": 0.3}),
            task("end"),
        ),
        (
            *(Edge("begin", one) for one in ("each", "race", "sub", "go", "nap")),
            *(Edge(one, "end") for one in ("each", "race", "sub", "go", "nap")),
        ),
    ),
)
TASKS = ("begin", "flaky", "then", "fast", "slow", "first", "second", "end")
