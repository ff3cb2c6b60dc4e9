"""Requests per second: of `health` and of an authenticated list of 20 agents; how soon an agent has its config."""

import httpx

from benchmarks.client import deliver, get_request, percentile, repeat
from benchmarks.figures import Figure
from benchmarks.server import BenchServer

CONNECTIONS = 16
FETCHES_A_SECOND = 100.0
CONFIG = {
    "prompts": {
        "main": {
            "messages": [
                {"role": "system", "content": "Sort the ticket into one of: billing, login, shipping. " * 40},
                {"role": "user", "content": "Ticket: {{text}}"},
            ]
        }
    },
    "model": "spectral-local/small",
}
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
        *await _measure_config(server, seconds),
    ]


async def _measure_config(server: BenchServer, seconds: float) -> list[Figure]:
    """The config of an agent with a holdback: whole, and as the 304 that most fetches are."""
    workspace = f"/api/v1/workspaces/{server.workspace_id}"
    async with httpx.AsyncClient(base_url=server.url + workspace, headers=server.headers, timeout=30) as client:
        made = (await client.post("/agents", json={"name": "Live", "config": CONFIG})).raise_for_status().json()
        path = f"/agents/{made['id']}"
        second = CONFIG | {"parameters": {"temperature": 0.5}}
        (await client.post(f"{path}/configs", json={"config": second})).raise_for_status()
        (await client.post(f"{path}/promote", json={"version": 2, "holdback": 0.1})).raise_for_status()
        tag = (await client.get(f"{path}/config")).raise_for_status().headers["ETag"]
    key = {"Authorization": f"Bearer {server.api_key}"}
    figures = []
    for name, headers in (("whole", key), ("304", key | {"If-None-Match": tag})):
        request = get_request(server.port, f"{workspace}{path}/config", headers)
        alone = await repeat(server.port, request, 1, WARM_UP_S)
        paced = await deliver(server.port, [request] * int(FETCHES_A_SECOND * seconds), CONNECTIONS, FETCHES_A_SECOND)
        many = await repeat(server.port, request, CONNECTIONS, seconds)
        detail = (
            f"p99 at {FETCHES_A_SECOND:.0f} a second, p50 {percentile(paced.durations, 50):.1f} ms; alone p50 "
            f"{percentile(alone, 50):.1f} ms, p99 {percentile(alone, 99):.1f} ms; at most {len(many) / seconds:,.0f}/s"
        )
        figures.append(Figure(f"config fetch, {name}", percentile(paced.durations, 99), "ms", detail))
    return figures


async def _measure(server: BenchServer, name: str, path: str, headers: dict[str, str], seconds: float) -> Figure:
    request = get_request(server.port, path, headers)
    one = await repeat(server.port, request, 1, WARM_UP_S)
    many = await repeat(server.port, request, CONNECTIONS, seconds)
    detail = (
        f"p50 {percentile(many, 50):.1f} ms, p99 {percentile(many, 99):.1f} ms over {CONNECTIONS} connections; "
        f"alone p50 {percentile(one, 50):.1f} ms, p99 {percentile(one, 99):.1f} ms"
    )
    return Figure(name, len(many) / seconds, "requests/s", detail)
