"""Reading at a million spans over HTTP: lists, a trace, facets, a dashboard, a rare word."""

import asyncio
import gc
import random
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks.client import deliver, exchange, export_request, get_request, percentile
from benchmarks.figures import Figure
from benchmarks.server import BenchServer
from benchmarks.traffic import RARE_WORD, SECOND_NS, request_with, templates

SPANS_A_REQUEST = 500
DAYS = 13
"""The spans of the million lie in so many days, so that a day holds about 75,000."""

LARGE_TRACE_SPANS = 500
ROUNDS = 60
EXPRESSION = 'tokens > 9000 and agent_id = "support-1"'


async def fill(server: BenchServer, spans: int) -> float:
    """Send so many spans of the last days; the seconds that took."""
    dice = random.Random(3)  # noqa: S311
    made = templates(16, SPANS_A_REQUEST, seed=3)
    now = time.time_ns()
    started = time.perf_counter()
    left = spans // SPANS_A_REQUEST
    while left:
        count = min(left, 64)
        requests = []
        for number in range(count):
            start = now - dice.randrange(60, DAYS * 86_400) * SECOND_NS
            body = made[number % len(made)].restamped(start)
            requests.append(export_request(server.api_key, body, compressed=False))
        await deliver(server.port, requests, 8)
        left -= count
    rare = export_request(server.api_key, request_with(RARE_WORD), compressed=False)
    await deliver(server.port, [rare], 1)
    return time.perf_counter() - started


async def measure_reads(server: BenchServer, spans: int) -> list[Figure]:
    """p95 of each read, one after the other over one connection, at so many stored spans."""
    gc.collect()
    traces = f"/api/v1/workspaces/{server.workspace_id}/traces"
    async with httpx.AsyncClient(base_url=server.url, headers=server.headers, timeout=120) as client:
        large = await _large_trace(server)
        newest = (await client.get(traces, params={"limit": 100})).raise_for_status().json()
    cursor = newest["pagination"]["next_cursor"]
    week = (datetime.now(UTC) - timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    at = f"{spans:,} spans: "
    reads = [
        (at + "newest 50 traces", f"{traces}?limit=50", ROUNDS),
        (at + "the next 100", f"{traces}?limit=100&cursor={quote(cursor)}", ROUNDS),
        (at + "one agent's traces", f"{traces}?limit=50&agent_id=support-3", ROUNDS),
        (at + "slowest traces of a week", f"{traces}?limit=50&sort=-duration_ms&from={week}", ROUNDS),
        (at + "filter expression", f"{traces}?limit=50&filter={quote(EXPRESSION)}", 30),
        (at + "full text, two words", f"{traces}?limit=50&q={quote('many requests')}", 30),
        (f"{LARGE_TRACE_SPANS}-span trace, all rows", f"{traces}/{large}/tree", ROUNDS),
        (at + "facets", f"{traces}/filters", 30),
        (at + "7-day dashboard", f"{traces}/usage?from={week}&bucket=hour", 30),
        (at + "sessions", f"{traces}/sessions?limit=50&from={week}", 30),
        (at + "rare word in 24 h, in all content", f"{traces}?content={RARE_WORD}", 5),
    ]
    return [await _p95(server, name, path, rounds) for name, path, rounds in reads]


async def _large_trace(server: BenchServer) -> str:
    """A trace of 500 spans, sent as one request."""
    request = ExportTraceServiceRequest.FromString(templates(1, LARGE_TRACE_SPANS, seed=5)[0].body)
    found = request.resource_spans[0].scope_spans[0].spans
    trace_id, root = found[0].trace_id, found[0].span_id
    for span in found:
        span.trace_id = trace_id
        if span.span_id != root:
            span.parent_span_id = root
    await deliver(server.port, [export_request(server.api_key, request.SerializeToString(), compressed=False)], 1)
    return str(trace_id.hex())


async def _p95(server: BenchServer, name: str, path: str, rounds: int) -> Figure:
    request = get_request(server.port, path, server.headers)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    durations, size = [], 0
    try:
        for _ in range(rounds + 2):
            started = time.perf_counter()
            status, answer = await exchange(reader, writer, request)
            if status != 200:
                message = f"{path}: {status} {answer[:300]!r}"
                raise RuntimeError(message)
            durations.append((time.perf_counter() - started) * 1000)
            size = len(answer)
    finally:
        writer.close()
        await writer.wait_closed()
    durations = durations[2:]
    detail = f"p50 {percentile(durations, 50):.1f} ms, {size:,} B, {rounds} times"
    return Figure(name, percentile(durations, 95), "ms, p95", detail)
