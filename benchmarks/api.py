"""Requests per second: of `health`, and of an authenticated list of 20 agents.

The client speaks HTTP/1.1 over plain sockets: a client library would cost more than the server that is measured.
"""

import asyncio
import time
from collections.abc import Sequence

from benchmarks.figures import Figure
from benchmarks.server import BenchServer

CONNECTIONS = 16
WARM_UP_S = 1.0


async def measure_api(server: BenchServer, seconds: float) -> list[Figure]:
    """One figure per route, each measured for so many seconds over 16 connections that are kept open."""
    token = {"Authorization": f"Bearer {server.access_token}"}
    key = {"Authorization": f"Bearer {server.api_key}"}
    agents = f"/api/v1/workspaces/{server.workspace_id}/agents"
    return [
        await _measure(server, "health", "/api/v1/health", {}, seconds),
        await _measure(server, "list of 20 agents, JWT", agents, token, seconds),
        await _measure(server, "list of 20 agents, API key", agents, key, seconds),
    ]


async def _measure(server: BenchServer, name: str, path: str, headers: dict[str, str], seconds: float) -> Figure:
    request = request_bytes(server.port, path, headers)
    one = await load(server.port, request, 1, WARM_UP_S)
    many = await load(server.port, request, CONNECTIONS, seconds)
    detail = (
        f"p50 {percentile(many, 50):.1f} ms, p99 {percentile(many, 99):.1f} ms over {CONNECTIONS} connections; "
        f"alone p50 {percentile(one, 50):.1f} ms, p99 {percentile(one, 99):.1f} ms"
    )
    return Figure(name, len(many) / seconds, "requests/s", detail)


def request_bytes(port: int, path: str, headers: dict[str, str], body: bytes | None = None) -> bytes:
    """A GET as it goes over the wire, or with a JSON body a POST."""
    lines = [f"{'GET' if body is None else 'POST'} {path} HTTP/1.1", f"Host: 127.0.0.1:{port}"]
    lines += [f"{key}: {headers[key]}" for key in headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


async def load(port: int, request: bytes, connections: int, seconds: float) -> list[float]:
    """The duration of every request in milliseconds."""
    end = time.perf_counter() + seconds
    durations = await asyncio.gather(*(_connection(port, request, end) for _ in range(connections)))
    return [duration for part in durations for duration in part]


async def _connection(port: int, request: bytes, end: float) -> list[float]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    durations = []
    try:
        while (started := time.perf_counter()) < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                message = f"the server answered {head[:200]!r}"
                raise RuntimeError(message)
            await reader.readexactly(_content_length(head))
            durations.append((time.perf_counter() - started) * 1000)
    finally:
        writer.close()
        await writer.wait_closed()
    return durations


def _content_length(head: bytes) -> int:
    lower = head.lower()
    start = lower.index(b"content-length:") + len(b"content-length:")
    return int(lower[start : lower.index(b"\r\n", start)])


def percentile(durations: Sequence[float], percent: float) -> float:
    """The duration that so many percent of them do not exceed."""
    ordered = sorted(durations)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]
