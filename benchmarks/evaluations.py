"""Measurement: how many journalled evaluations a second, and how busy a language model is kept."""

import asyncio
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from benchmarks.figures import Figure
from spectral.demo.dataset import demo_config, generate_tickets
from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.runtime import AgentRuntime, PromptRuntime
from spectral.domains.evaluations.budget import Budget
from spectral.domains.evaluations.measurement import Measurement
from spectral.domains.evaluations.scoring import RubricSpec
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.migrations import migrate
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from spectral.settings import load_settings
from tests.fixtures.model_stub import model_stub
from tests.platform.engine.conftest import new_place
from tests.platform.llm.remote.calling import Bench

EVALUATIONS = 15_000
TICKETS = 1_500
CALLS = 600
LATENCY_S = 0.2
BUSY = (8, 32)
RUBRIC = RubricSpec.model_validate({"dimensions": [{"name": "intent", "scorer": "label"}]})


@dataclass(frozen=True, slots=True)
class Item:
    """What a measurement reads of a sample."""

    id: UUID
    input: Any
    expected: Any
    group_key: str | None = None


def measure_evaluations() -> list[Figure]:
    """On a SQLite file with full durability, in this process."""
    with tempfile.TemporaryDirectory(prefix="spectral-bench-") as folder:
        settings = load_settings(data_dir=Path(folder), engine_executes=False, log_level="ERROR")
        migrate(settings)
        return asyncio.run(_measure(settings.url))


async def _measure(url: str) -> list[Figure]:
    database = Database(url, pool_size=5)
    try:
        access = (await new_place(database)).access
        figures = [await _local(database, access)]
        for in_flight in BUSY:
            figures.append(await _busy(database, access, in_flight))  # noqa: PERF401 - one after the other
        return figures
    finally:
        await database.close()


async def _local(database: Database, access: WorkspaceAccess) -> Figure:
    """Ten configurations on the demo's tickets, every evaluation a row."""
    items = [Item(uuid4(), ticket.as_sample()["input"], ticket.intent) for ticket in generate_tickets(1, TICKETS)]
    door = ModelDoor([LocalProvider()])
    measurement = _measurement(database, access, PromptRuntime(door), door, EVALUATIONS)
    started = time.perf_counter()
    for number in range(EVALUATIONS // TICKETS):
        document = demo_config()
        document["prompts"]["main"]["messages"][0]["content"] += f"\nShop number {number}."
        await measurement.measure(ConfigDocument.model_validate(document), items, purpose="agent")
    took = time.perf_counter() - started
    return Figure(f"{EVALUATIONS:,} evaluations on spectral-local", took, "s", f"{EVALUATIONS / took:,.0f}/s; aim 20 s")


class Occupied:
    """Counts the calls that the stub is working on, weighted by time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = 0
        self._since = time.perf_counter()
        self.area = 0.0

    def move(self, by: int) -> None:
        """So many more, or fewer, from now on."""
        with self._lock:
            moment = time.perf_counter()
            self.area += self._now * (moment - self._since)
            self._now, self._since = self._now + by, moment


async def _busy(database: Database, access: WorkspaceAccess, in_flight: int) -> Figure:
    """One configuration on a model behind HTTP that takes its time; each answer is paid, reserved and recorded."""
    occupied = Occupied()

    def say(prompt: str) -> str:
        occupied.move(1)
        time.sleep(LATENCY_S)
        occupied.move(-1)
        return prompt

    with model_stub() as stub:
        stub.say = say
        bench = Bench(stub, access=access)
        runtime = PromptRuntime(bench.door, access=access, in_flight=in_flight)
        measurement = _measurement(database, access, runtime, bench.door, 2 * CALLS)
        document = {
            "model": "openai/gpt-4o-mini",
            "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}},
            "parameters": {"max_tokens": 10},
        }
        config = ConfigDocument.model_validate(document)
        warm = [Item(uuid4(), {"text": f"warm {number}"}, "x") for number in range(in_flight)]
        await measurement.measure(config, warm, purpose="agent")
        items = [Item(uuid4(), {"text": f"item {number}"}, f"item {number}") for number in range(CALLS)]
        occupied.area, started = 0.0, time.perf_counter()
        await measurement.measure(config, items, purpose="agent")
        took = time.perf_counter() - started
        await bench.door.close()
    share = 100 * occupied.area / (took * in_flight)
    detail = (
        f"{CALLS} calls of {LATENCY_S * 1000:.0f} ms, {CALLS / took:,.0f}/s of {in_flight / LATENCY_S:,.0f}; aim 90 %"
    )
    return Figure(f"of {in_flight} allowed calls in flight, on average", share, "%", detail)


def _measurement(
    database: Database, access: WorkspaceAccess, runtime: AgentRuntime, door: ModelDoor, evaluations: int
) -> Measurement:
    async def nothing(*_: object) -> None: ...

    return Measurement(
        database,
        access,
        runtime,
        RUBRIC,
        subject_kind="scan",
        subject_id=uuid4(),
        budget=Budget(evaluations, None),
        checkpoint=nothing,
        fence=nothing,
        door=door,
    )
