"""What the engine below does by itself: DBOS with the database of the same run, its own steps, nothing of ours.

The yardstick for workflows. In a process of its own, because one process holds one DBOS:
`python -m benchmarks.bare_engine URL` prints the figures as JSON.
"""

import asyncio
import json
import subprocess
import sys
import time
from statistics import median
from typing import Any

from dbos import DBOS, DBOSConfig

STEPS = 50
AT_ONCE = 8
STARTS = 100


@DBOS.step()
async def step(number: int) -> int:
    """Nothing but what the engine writes about it."""
    return number + 1


@DBOS.workflow()
async def chain(steps: int) -> float:
    """Steps one after the other."""
    number = 0
    for _ in range(steps):
        number = await step(number)
    return float(number)


@DBOS.workflow()
async def first_step(_: int) -> float:
    """When its first step began."""
    return await moment()


@DBOS.step()
async def moment() -> float:
    """Now."""
    return time.perf_counter()


async def measure(url: str) -> dict[str, float]:
    """Steps a second of eight workflows at once, starts a second, and milliseconds from a start to its first step."""
    configuration: DBOSConfig = {
        "name": "bare",
        "system_database_url": url,
        # On PostgreSQL not among the jobs of a server that runs.
        "dbos_system_schema": "bare_engine",
        "log_level": "ERROR",
    }
    DBOS(config=configuration)
    DBOS.launch()
    try:
        await (await DBOS.start_workflow_async(chain, 5)).get_result()
        started = time.perf_counter()
        handles = [await DBOS.start_workflow_async(chain, STEPS) for _ in range(AT_ONCE)]
        for handle in handles:
            await handle.get_result()
        steps = AT_ONCE * STEPS / (time.perf_counter() - started)
        delays = []
        for _ in range(STARTS):
            began = time.perf_counter()
            handle = await DBOS.start_workflow_async(first_step, 1)
            delays.append(((await handle.get_result()) - began) * 1e3)
        started = time.perf_counter()
        ended = [(await DBOS.start_workflow_async(chain, 1)) for _ in range(STARTS)]
        for handle in ended:
            await handle.get_result()
        starts = STARTS / (time.perf_counter() - started)
    finally:
        DBOS.destroy()
    delays.sort()
    return {
        "steps_a_second": steps,
        "starts_a_second": starts,
        "first_step_p50_ms": median(delays),
        "first_step_p95_ms": delays[int(len(delays) * 0.95)],
    }


def bare_engine(url: str) -> dict[str, float]:
    """The figures, from a process that has nothing else to do."""
    command = [sys.executable, "-m", "benchmarks.bare_engine", url]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    print(json.dumps(asyncio.run(measure(sys.argv[1]))))
