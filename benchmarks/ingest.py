"""Durable spans per second: pre-encoded GenAI traces over OTLP/HTTP, each acknowledged after its commit.

`python -m benchmarks.ingest` measures a server of its own, or with `--url` and `--api-key` one that is already running.
What counts are spans acknowledged with 200; afterwards the server's own statistics must agree.
"""

import argparse
import asyncio
import gzip
import json
import os
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from benchmarks.figures import Figure, print_table
from benchmarks.server import BenchServer, running_server

CONNECTIONS = 8
SPANS_A_TRACE = 10
WORDS = Path(__file__).read_text().split()


@dataclass(frozen=True)
class Load:
    """A fixed amount of work: so many requests of so many spans each."""

    spans_a_request: int
    requests: int
    compressed: bool

    @property
    def name(self) -> str:
        return f"{self.spans_a_request} spans a request, {'gzip' if self.compressed else 'plain'}"


LOADS = (
    Load(500, 60, compressed=True),
    Load(500, 60, compressed=False),
    Load(100, 200, compressed=True),
    Load(10, 600, compressed=True),
    Load(1, 1500, compressed=True),
)


async def measure_ingestion(server: BenchServer, loads: Sequence[Load] = LOADS) -> list[Figure]:
    """One figure per load, over 8 connections that are kept open."""
    figures = []
    dice = random.Random(7)  # noqa: S311 - the same traces every time
    async with httpx.AsyncClient(base_url=server.url, headers={"Authorization": f"Bearer {server.api_key}"}) as client:
        for load in loads:
            bodies = [encode_request(dice, load) for _ in range(load.requests)]
            before = await _accepted(client)
            cpu = cpu_seconds(server.pid)
            started = time.perf_counter()
            durations = await send_all(server.port, server.api_key, bodies, compressed=load.compressed)
            elapsed = time.perf_counter() - started
            cpu = cpu_seconds(server.pid) - cpu
            spans = load.spans_a_request * load.requests
            stored = await _accepted(client) - before
            if stored != spans:
                message = f"{spans} spans were acknowledged, the server counted {stored}"
                raise RuntimeError(message)
            detail = (
                f"{load.requests / elapsed:,.0f} requests/s, p50 {_percentile(durations, 50):.0f} ms, "
                f"p99 {_percentile(durations, 99):.0f} ms, {sum(map(len, bodies)) / spans:,.0f} B a span sent"
            )
            if cpu:
                detail += f", {spans / cpu:,.0f} spans a CPU-second of the server"
            figures.append(Figure(load.name, spans / elapsed, "durable spans/s", detail))
    return figures


def encode_request(dice: random.Random, load: Load) -> bytes:
    """One export request with traces of ten spans: an agent, its tools, and model calls with their messages."""
    request = ExportTraceServiceRequest()
    resource_spans = request.resource_spans.add()
    resource_spans.resource.attributes.extend(
        [_pair("service.name", "shop"), _pair("telemetry.sdk.language", "python")]
    )
    scope_spans = resource_spans.scope_spans.add()
    scope_spans.scope.name = "benchmarks"
    left = load.spans_a_request
    while left:
        size = min(SPANS_A_TRACE, left)
        _add_trace(dice, scope_spans, size)
        left -= size
    body = request.SerializeToString()
    return gzip.compress(body, 6) if load.compressed else body


def _add_trace(dice: random.Random, scope_spans: ScopeSpans, size: int) -> None:
    trace_id, root_id = dice.randbytes(16), dice.randbytes(8)
    start = time.time_ns() - dice.randrange(3_600) * 10**9
    for number in range(size):
        span = scope_spans.spans.add(trace_id=trace_id, span_id=root_id if number == 0 else dice.randbytes(8))
        span.start_time_unix_nano = start + number * 10**8
        span.end_time_unix_nano = span.start_time_unix_nano + dice.randrange(10**8, 5 * 10**9)
        if number:
            span.parent_span_id = root_id
        if number == 0:
            span.name = "invoke_agent support"
            attributes: dict[str, str | int] = {
                "gen_ai.operation.name": "invoke_agent",
                "spectral.agent.id": "support",
                "spectral.agent.version": "7",
                "session.id": f"session-{dice.randrange(10_000)}",
                "user.id": f"user-{dice.randrange(1_000)}",
            }
        elif number % 3 == 0:
            span.name = "execute_tool find_order"
            attributes = {
                "gen_ai.operation.name": "execute_tool",
                "gen_ai.tool.name": "find_order",
                "gen_ai.tool.call.arguments": json.dumps({"query": _text(dice, 12)}),
                "gen_ai.tool.call.result": _text(dice, 120),
            }
        else:
            span.name = "chat small"
            attributes = {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "small",
                "gen_ai.response.model": "small-2026-01-01",
                "gen_ai.request.temperature": 1,
                "gen_ai.usage.input_tokens": dice.randrange(100, 4000),
                "gen_ai.usage.output_tokens": dice.randrange(10, 900),
                "gen_ai.response.id": f"reply-{dice.randrange(10**9)}",
                "gen_ai.input.messages": _messages("user", _text(dice, 140)),
                "gen_ai.output.messages": _messages("assistant", _text(dice, 70)),
            }
        span.attributes.extend(_pair(key, value) for key, value in attributes.items())


def _messages(role: str, content: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": content}]}])


def _text(dice: random.Random, words: int) -> str:
    return " ".join(dice.choices(WORDS, k=words))


def _pair(key: str, value: str | int) -> KeyValue:
    return KeyValue(
        key=key, value=AnyValue(string_value=value) if isinstance(value, str) else AnyValue(int_value=value)
    )


async def send_all(port: int, api_key: str, bodies: list[bytes], *, compressed: bool) -> list[float]:
    """Send every body once and answer how long each took in milliseconds; a 503 is sent again."""
    waiting = list(reversed(bodies))

    async def connection() -> list[float]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        durations = []
        try:
            while waiting:
                body = waiting.pop()
                started = time.perf_counter()
                taken = False
                while not taken:
                    taken = await _post(reader, writer, api_key, body, compressed=compressed)
                    if not taken:
                        await asyncio.sleep(0.05)
                durations.append((time.perf_counter() - started) * 1000)
        finally:
            writer.close()
            await writer.wait_closed()
        return durations

    parts = await asyncio.gather(*(connection() for _ in range(CONNECTIONS)))
    return [duration for part in parts for duration in part]


async def _post(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, api_key: str, body: bytes, *, compressed: bool
) -> bool:
    """Whether the spans were taken; False when the server is overloaded."""
    encoding = "Content-Encoding: gzip\r\n" if compressed else ""
    writer.write(
        f"POST /otel/v1/traces HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {api_key}\r\n"
        f"Content-Type: application/x-protobuf\r\n{encoding}Content-Length: {len(body)}\r\n\r\n".encode()
    )
    writer.write(body)
    await writer.drain()
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    start = head.index(b"content-length:") + len(b"content-length:")
    await reader.readexactly(int(head[start : head.index(b"\r\n", start)]))
    status = int(head.split(b" ", 2)[1])
    if status not in {200, 503}:
        message = f"the server answered {status}"
        raise RuntimeError(message)
    return status == 200


async def _accepted(client: httpx.AsyncClient) -> int:
    stats = (await client.get("/otel/v1/traces/stats", timeout=30)).raise_for_status().json()
    return int(stats["accepted_spans"])


def cpu_seconds(group: int) -> float:
    """Processor time of a process group so far, 0 where /proc does not tell."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[2]) == group:
            ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _percentile(durations: Sequence[float], percent: float) -> float:
    ordered = sorted(durations)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ingest", description=__doc__)
    parser.add_argument("--url", help="a running server on this machine; without it one is started")
    parser.add_argument("--api-key", default=os.environ.get("SPECTRAL_API_KEY"), help="with write:traces")
    options = parser.parse_args()
    if options.url is None:
        with running_server() as server:
            figures = asyncio.run(measure_ingestion(server))
        print_table(
            figures, f"one server process, SQLite (FULL), {CONNECTIONS} connections, client on the same machine"
        )
        return
    if not options.api_key:
        parser.error("--api-key or SPECTRAL_API_KEY is needed with --url")
    port = urlsplit(options.url).port or 80
    server = BenchServer(options.url, port, 0, Path(), "", "", options.api_key)
    print_table(asyncio.run(measure_ingestion(server)), f"{options.url}, {CONNECTIONS} connections")


if __name__ == "__main__":
    main()
