"""Durable spans per second: pre-encoded GenAI traces over OTLP/HTTP, each acknowledged after its commit.

What counts are spans acknowledged with 200; afterwards the server's own statistics must agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import httpx

from benchmarks.client import Outcome, deliver, export_request, percentile
from benchmarks.figures import Figure
from benchmarks.server import BenchServer, cpu_seconds, resident_bytes
from benchmarks.traffic import bodies

CONNECTIONS = 8
OFFERED_SPANS_A_SECOND = 10_000
MANY_CONNECTIONS = 64
SMALL_QUEUE = 8
MEBIBYTE = 1024**2


@dataclass(frozen=True)
class Load:
    """A fixed amount of work: so many requests of so many spans each, sent as fast as they are answered."""

    spans_a_request: int
    requests: int
    compressed: bool

    @property
    def name(self) -> str:
        return f"{self.spans_a_request} spans a request, {'gzip' if self.compressed else 'plain'}"


WARM_UP = Load(500, 20, compressed=True)
MAIN = Load(500, 240, compressed=True)
LOADS = (
    MAIN,
    Load(500, 120, compressed=False),
    Load(100, 400, compressed=True),
    Load(10, 2_000, compressed=True),
    Load(1, 6_000, compressed=True),
)


async def measure_ingestion(server: BenchServer, raw_rate: float, database_pid: int = 0) -> list[Figure]:
    """The closed loops, then the open one.

    raw_rate: spans a second of the raw store in this run.  database_pid: whose processor time counts as well.
    """
    await _closed(server, WARM_UP, database_pid)
    figures = []
    for load in LOADS:
        outcome, cpu, body_bytes = await _closed(server, load, database_pid)
        spans = load.spans_a_request * load.requests
        rate = spans / outcome.elapsed_s
        detail = [
            f"{load.requests / outcome.elapsed_s:,.0f} requests/s",
            f"p50 {percentile(outcome.durations, 50):.0f} ms, p99 {percentile(outcome.durations, 99):.0f} ms",
            f"{body_bytes / spans:,.0f} B a span sent",
        ]
        if cpu:
            detail.append(f"{spans / cpu:,.0f} spans a CPU-second")
        if load is MAIN:
            detail.append(f"{rate / raw_rate:.1%} of the raw store")
        figures.append(Figure(load.name, rate, "durable spans/s", ", ".join(detail)))
    figures.append(await _open(server))
    memory = resident_bytes(server.pid) / MEBIBYTE
    figures.append(Figure("memory of the server after these", memory, "MiB", "resident"))
    return figures


async def _closed(server: BenchServer, load: Load, database_pid: int) -> tuple[Outcome, float, int]:
    made = bodies(load.requests, load.spans_a_request, compressed=load.compressed)
    requests = [export_request(server.api_key, body, compressed=load.compressed) for body in made]
    pids = [pid for pid in (server.pid, database_pid) if pid]
    before, cpu = await _accepted(server), cpu_seconds(*pids)
    outcome = await deliver(server.port, requests, CONNECTIONS)
    cpu = cpu_seconds(*pids) - cpu
    await _agree(server, before, load.spans_a_request * load.requests)
    return outcome, cpu, sum(map(len, made))


async def _open(server: BenchServer, spans_a_request: int = 100, seconds: int = 8) -> Figure:
    per_second = OFFERED_SPANS_A_SECOND / spans_a_request
    made = bodies(round(per_second * seconds), spans_a_request, compressed=True)
    requests = [export_request(server.api_key, body, compressed=True) for body in made]
    before = await _accepted(server)
    outcome = await deliver(server.port, requests, 4 * CONNECTIONS, per_second)
    await _agree(server, before, spans_a_request * len(requests))
    detail = (
        f"p50 {percentile(outcome.durations, 50):.0f} ms, {spans_a_request} spans a request, "
        f"{len(requests) * spans_a_request / outcome.elapsed_s:,.0f} spans/s came through, {outcome.refused} × 503"
    )
    name = f"acknowledged at {OFFERED_SPANS_A_SECOND:,} spans/s offered"
    return Figure(name, percentile(outcome.durations, 99), "ms, p99", detail)


async def measure_overload(server: BenchServer) -> Figure:
    """Many connections against a server that holds few requests: who obeys `Retry-After` ends with everything taken."""
    made = bodies(30 * MANY_CONNECTIONS, 50, compressed=True)
    requests = [export_request(server.api_key, body, compressed=True) for body in made]
    before = await _accepted(server)
    outcome = await deliver(server.port, requests, MANY_CONNECTIONS)
    await _agree(server, before, 50 * len(requests))
    detail = (
        f"{len(requests)} requests of 50 spans, {outcome.refused} × 503 on the way, "
        f"p99 {percentile(outcome.durations, 99):,.0f} ms with the waiting"
    )
    share = 100 * len(outcome.durations) / len(requests)
    return Figure(f"{MANY_CONNECTIONS} connections, room for {SMALL_QUEUE} requests", share, "% acknowledged", detail)


async def _agree(server: BenchServer, before: int, spans: int) -> None:
    stored = await _accepted(server) - before
    if stored != spans:
        message = f"{spans} spans were acknowledged, the server counted {stored}"
        raise RuntimeError(message)


async def _accepted(server: BenchServer) -> int:
    headers = {"Authorization": f"Bearer {server.api_key}"}
    async with httpx.AsyncClient(base_url=server.url, headers=headers, timeout=60) as client:
        stats = (await client.get("/otel/v1/traces/stats")).raise_for_status().json()
    return int(stats["accepted_spans"])


def shares(figures: Sequence[Figure], raw_rate: float, name: str) -> Figure:
    """The raw store's own line, with what ingestion made of it."""
    best = max(figure.value for figure in figures if figure.unit == "durable spans/s")
    detail = f"no HTTP, no decoding, no rollups; the best load below reached {best / raw_rate:.1%} of it"
    return Figure(f"raw store, {name}", raw_rate, "spans/s", detail)


def ceiling(rate: float) -> Figure:
    """What the database of this machine does with the same rows when it is asked for nothing else."""
    return Figure("rows without key, index or sync", rate, "spans/s", "the most that any schema can reach here")
