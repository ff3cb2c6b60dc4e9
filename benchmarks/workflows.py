"""Workflows over HTTP: steps, starts, waits and watchers of a real server, beside the bare engine of the same run."""

import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from statistics import median
from typing import Any

import httpx

from benchmarks.client import percentile
from benchmarks.figures import Figure
from benchmarks.server import PASSWORD, BenchServer, cpu_seconds

STEPS = 50
AT_ONCE = 8
STARTS = 200
WAITING = 10_000
WAKES = 100
WATCHERS = 500
QUEUED = 1_000
REST_S = 10.0
LIMIT_S = 300.0

ONE = "name: one\nsteps:\n  - {id: at, kind: task, function: spectral.now}\n"
WAITER = (
    "name: waiter\nsteps:\n"
    "  - {id: go, kind: wait_event, event: go}\n"
    "  - {id: at, kind: task, function: spectral.now}\n"
)


def _chain(name: str, steps: int) -> str:
    return f"name: {name}\nsteps:\n" + "".join(
        f"  - {{id: s{number}, kind: task, function: spectral.pass}}\n" for number in range(steps)
    )


async def measure_workflows(server: BenchServer, bare: dict[str, float], size: Callable[[], int]) -> list[Figure]:
    """Everything, in order. bare: of `bare_engine` in the same run.  size: bytes of the database now."""
    limits = httpx.Limits(max_connections=WATCHERS + 50, max_keepalive_connections=50)
    async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=90, limits=limits) as client:
        workspace = f"/api/v1/workspaces/{server.workspace_id}"
        for source in (_chain("chain", STEPS), _chain("short", 3), ONE, WAITER):
            (await client.post(f"{workspace}/workflows", json={"source": source})).raise_for_status()
        return [
            await _steps(client, workspace, bare),
            await _starts(client, workspace, bare),
            await _first_step(client, workspace, bare),
            *await _waits(client, workspace, server, size),
            await _watchers(client, workspace),
            await _fairness(client, workspace, server),
        ]


async def _start(client: httpx.AsyncClient, workspace: str, name: str, wait: float = 0) -> dict[str, Any]:
    answer = await client.post(f"{workspace}/workflows/{name}/runs", json={"inputs": {}, "wait": wait})
    answer.raise_for_status()
    run: dict[str, Any] = answer.json()
    return run


async def _steps(client: httpx.AsyncClient, workspace: str, bare: dict[str, float]) -> Figure:
    await _start(client, workspace, "chain", 60)
    started = time.perf_counter()
    runs = await asyncio.gather(*(_start(client, workspace, "chain", 60) for _ in range(AT_ONCE)))
    rate = AT_ONCE * STEPS / (time.perf_counter() - started)
    assert all(run["status"] == "succeeded" for run in runs)
    share = 100 * rate / bare["steps_a_second"]
    detail = (
        f"{AT_ONCE} runs of {STEPS}, each with step, events and checkpoint; bare engine {bare['steps_a_second']:,.0f}: "
    )
    return Figure("workflow steps", rate, "steps/s", detail + f"{share:.0f}%")


async def _starts(client: httpx.AsyncClient, workspace: str, bare: dict[str, float]) -> Figure:
    started = time.perf_counter()
    room = asyncio.Semaphore(16)

    async def one() -> None:
        async with room:
            await _start(client, workspace, "one", 60)

    await asyncio.gather(*(one() for _ in range(STARTS)))
    rate = STARTS / (time.perf_counter() - started)
    detail = f"over HTTP, one step each, started and ended; bare engine, no HTTP: {bare['starts_a_second']:,.0f}"
    return Figure("workflow runs", rate, "runs/s", detail)


async def _first_step(client: httpx.AsyncClient, workspace: str, bare: dict[str, float]) -> Figure:
    delays = []
    for _ in range(100):
        before = time.time()
        run = await _start(client, workspace, "one", 30)
        delays.append((run["outputs"]["unix"] - before) * 1e3)
    detail = (
        f"p50 {percentile(delays, 50):.1f} ms, from the request being sent to the step running; bare engine, no HTTP: "
        f"p50 {bare['first_step_p50_ms']:.1f}, p95 {bare['first_step_p95_ms']:.1f} ms"
    )
    return Figure("start to first step", percentile(delays, 95), "ms, p95", detail)


async def _waits(
    client: httpx.AsyncClient, workspace: str, server: BenchServer, size: Callable[[], int]
) -> list[Figure]:
    idle = await _at_rest(server)
    before = size()
    names = [f"waiter-{number}" for number in range(WAITING)]
    for start in range(0, WAITING, 100):
        body = {"runs": [{"inputs": {}, "run_id": name} for name in names[start : start + 100]]}
        (await client.post(f"{workspace}/workflows/waiter/runs/batch", json=body)).raise_for_status()
    await _until(client, workspace, "waiting", WAITING)
    bytes_each = (size() - before) / WAITING
    at_rest = await _at_rest(server)
    delays = []
    for name in names[:WAKES]:
        sent = time.time()
        (await client.post(f"{workspace}/runs/{name}/signals", json={"type": "go"})).raise_for_status()
        run = await _ended(client, workspace, name)
        delays.append((run["outputs"]["unix"] - sent) * 1e3)
    return [
        Figure("waiting run", bytes_each, "B on disk", f"{WAITING:,} of them"),
        Figure(
            "10,000 waiting runs", at_rest, "% of a core", f"the server's CPU over {REST_S:.0f} s; {idle:.1f}% before"
        ),
        Figure(
            "signal to next step",
            percentile(delays, 95),
            "ms, p95",
            f"p50 {percentile(delays, 50):.1f} ms, beside {WAITING:,} waiting runs",
        ),
    ]


async def _at_rest(server: BenchServer) -> float:
    used = cpu_seconds(server.pid)
    await asyncio.sleep(REST_S)
    return (cpu_seconds(server.pid) - used) / REST_S * 100


async def _watchers(client: httpx.AsyncClient, workspace: str) -> Figure:
    name = "waiter-9999"
    ready, seen = asyncio.Semaphore(0), list[float]()

    async def watch() -> None:
        headers = {"Accept": "text/event-stream"}
        async with client.stream("GET", f"{workspace}/runs/{name}/events", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line == "event: run.waiting":
                    ready.release()
                if line == "event: run.succeeded":
                    seen.append(time.time())
                    return

    tasks = [asyncio.create_task(watch()) for _ in range(WATCHERS)]
    for _ in range(WATCHERS):
        await asyncio.wait_for(ready.acquire(), LIMIT_S)
    (await client.post(f"{workspace}/runs/{name}/signals", json={"type": "go"})).raise_for_status()
    await asyncio.wait_for(asyncio.gather(*tasks), LIMIT_S)
    run = await _ended(client, workspace, name)
    ended = _unix(run["finished_at"])
    delays = [(moment - ended) * 1e3 for moment in seen]
    detail = f"p50 {median(delays):.1f} ms after the run's end; the client reads {WATCHERS} streams in one process"
    return Figure(f"last event at {WATCHERS} watchers", max(delays), "ms, the slowest", detail)


async def _fairness(client: httpx.AsyncClient, workspace: str, server: BenchServer) -> Figure:
    async with httpx.AsyncClient(base_url=server.url, timeout=90) as other:
        body = {"email": "other@example.com", "password": PASSWORD, "tenant_name": "Other"}
        account = (await other.post("/api/v1/auth/register", json=body)).raise_for_status().json()
        other.headers["Authorization"] = f"Bearer {account['access_token']}"
        theirs = f"/api/v1/workspaces/{account['workspace_id']}"
        (await other.post(f"{theirs}/workflows", json={"source": ONE})).raise_for_status()
        for start in range(0, QUEUED, 100):
            runs = {"runs": [{"inputs": {}, "run_id": f"q-{number}"} for number in range(start, start + 100)]}
            (await client.post(f"{workspace}/workflows/short/runs/batch", json=runs)).raise_for_status()
        delays = []
        for _ in range(5):
            before = time.time()
            run = await _start(other, theirs, "one", 60)
            delays.append((run["outputs"]["unix"] - before) * 1e3)
        queued = (await client.get(f"{workspace}/runs", params={"status": "queued", "limit": 1})).json()
        detail = (
            f"to another tenant's first step, five times, while one has {QUEUED:,} runs queued "
            f"({queued['pagination']['total']} left at the end)"
        )
        return Figure("start beside a long queue", max(delays), "ms, the slowest", detail)


async def _until(client: httpx.AsyncClient, workspace: str, status: str, count: int) -> None:
    async with asyncio.timeout(LIMIT_S):
        while True:
            summary = (await client.get(f"{workspace}/runs/summary", params={"workflow": "waiter"})).json()
            if summary["by_status"].get(status, 0) >= count:
                return
            await asyncio.sleep(0.5)


async def _ended(client: httpx.AsyncClient, workspace: str, name: str) -> dict[str, Any]:
    async with asyncio.timeout(LIMIT_S):
        while True:
            run: dict[str, Any] = (await client.get(f"{workspace}/runs/{name}")).raise_for_status().json()
            if run["finished_at"]:
                return run
            await asyncio.sleep(0.005)


def _unix(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
