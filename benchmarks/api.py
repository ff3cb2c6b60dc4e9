"""Requests per second: of `health`, and of an authenticated list of 20 agents."""

from benchmarks.client import get_request, percentile, repeat
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
    request = get_request(server.port, path, headers)
    one = await repeat(server.port, request, 1, WARM_UP_S)
    many = await repeat(server.port, request, CONNECTIONS, seconds)
    detail = (
        f"p50 {percentile(many, 50):.1f} ms, p99 {percentile(many, 99):.1f} ms over {CONNECTIONS} connections; "
        f"alone p50 {percentile(one, 50):.1f} ms, p99 {percentile(one, 99):.1f} ms"
    )
    return Figure(name, len(many) / seconds, "requests/s", detail)
