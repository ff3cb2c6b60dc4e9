"""A scan that a real server executes, followed as it happens."""

import json
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from spectral.domains.scans import streams
from spectral.platform.db.session import Database
from tests.domains.scans.test_controller import Lab
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant


@pytest.mark.slow
async def test_events_arrive_while_the_scan_runs_and_end_with_it(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "watcher"))
        await lab.prepare()
        scan_id = await lab.start()
        url = f"{lab.tenant.url}/scans/{scan_id}/events"
        arrived: list[tuple[float, dict[str, Any]]] = []
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        async with client.stream("GET", url, headers=headers) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            assert stream.headers["cache-control"] == "no-store"
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    arrived.append((time.monotonic(), event))
        events = [event for _, event in arrived]
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert events[-1]["type"] == "scan.completed"
        assert arrived[-1][0] - arrived[0][0] > 0.2, "they came one after the other, not all at the end"
        listed = (await client.get(url, headers=lab.tenant.client_headers, params={"limit": 100})).json()
        assert listed["results"] == events
        scan = (await client.get(f"{lab.tenant.url}/scans/{scan_id}", headers=lab.tenant.client_headers)).json()
        assert (scan["status"], scan["outcome"]) == ("completed", "validated")


@pytest.mark.slow
async def test_a_running_scan_is_cancelled_and_its_streams_end(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "impatient"))
        await lab.prepare(600)
        scan_id = await lab.start(budget={"max_evaluations": 100_000})
        url = f"{lab.tenant.url}/scans/{scan_id}"
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        kinds: list[str] = []
        asked_at = 0.0
        async with client.stream("GET", f"{url}/events", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
                if line == "event: scan.phase_started" and kinds.count("scan.phase_started") == 4:
                    cancelled = await client.post(f"{url}/cancel", headers=lab.tenant.client_headers)
                    assert cancelled.json()["status"] in {"cancelling", "cancelled"}
                    asked_at = time.monotonic()
        assert kinds[-2:] == ["scan.cancelling", "scan.cancelled"]
        assert time.monotonic() - asked_at < 10
        scan = (await client.get(url, headers=lab.tenant.client_headers)).json()
        assert (scan["status"], scan["phase"]) == ("cancelled", "generate")


@pytest.mark.slow
async def test_a_signed_out_reader_loses_the_stream(server: ServerProcess, database: Database) -> None:
    async with httpx.AsyncClient(base_url=server.url, timeout=60) as client:
        lab = Lab(client, database, await register_tenant(client, "gone"))
        await lab.prepare(600)
        scan_id = await lab.start(budget={"max_evaluations": 100_000})
        headers = {**lab.tenant.client_headers, "Accept": "text/event-stream"}
        kinds: list[str] = []
        async with client.stream("GET", f"{lab.tenant.url}/scans/{scan_id}/events", headers=headers) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("event: "):
                    kinds.append(line.removeprefix("event: "))
                    if len(kinds) == 1:
                        answer = await client.post("/api/v1/auth/logout", headers=lab.tenant.client_headers)
                        assert answer.is_success, answer.text
        assert "scan.completed" not in kinds


async def test_a_quiet_stream_keeps_the_connection_alive_and_ends_with_the_right_to_read(
    client: httpx.AsyncClient, database: Database, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "KEEPALIVE_S", 0.05)
    monkeypatch.setattr(streams, "POLL_S", 0.01)
    lab = Lab(client, database, tenant)
    await lab.prepare()
    scan_id = UUID(await lab.start())
    asked: list[float] = []

    async def still_allowed() -> bool:
        asked.append(time.monotonic())
        return False

    started = time.monotonic()
    stream = streams.stream_events(database, tenant.access, scan_id, after=0, still_allowed=still_allowed)
    chunks = [chunk async for chunk in stream]
    assert chunks[0] == b"retry: 1000\n\n"
    assert chunks[1].startswith(b"id: 1\nevent: scan.created\ndata: {")
    assert set(chunks[2:]) == {b": keepalive\n\n"}
    assert len(asked) == 1
    assert 1.0 <= asked[0] - started < 5.0
