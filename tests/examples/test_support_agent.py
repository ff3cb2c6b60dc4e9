"""`examples/support_agent`: a process of its own, optimised through the runner with ten lines changed."""

import asyncio
import difflib
import json
import re
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.demo.dataset import generate_tickets
from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import Tenant, register_tenant

EXAMPLE = ROOT / "examples" / "support_agent"
TICKETS = 170
PATIENCE_S = 240


def changed_lines() -> list[str]:
    """What `before.py` and `agent.py` differ in, without what is empty."""
    before, after = ((EXAMPLE / name).read_text().splitlines() for name in ("before.py", "agent.py"))
    lines = difflib.unified_diff(before, after, "before.py", "agent.py", n=0, lineterm="")
    return [line for line in lines if not line.startswith(("---", "+++", "@@")) and line[1:].strip()]


def test_ten_lines_are_changed_and_the_readme_shows_them() -> None:
    changed = changed_lines()
    assert sum(line.startswith("+") for line in changed) <= 10, "\n".join(changed)
    shown = re.search(r"```diff\n(.*?)```", (EXAMPLE / "README.md").read_text(), re.DOTALL)
    assert shown is not None
    assert [line for line in shown[1].splitlines() if line[:1] in {"+", "-"} and line[1:].strip()] == changed


def test_the_agent_works_by_itself() -> None:
    tickets = "\n".join(
        json.dumps({"ticket": text})
        for text in ("Tracing said it was delivered, but there is no parcel.", "Please cancel order H-83737.", "Hello")
    )
    done = subprocess.run(
        [sys.executable, "before.py"],
        cwd=EXAMPLE,
        input=tickets,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert [json.loads(line)["intent"] for line in done.stdout.splitlines()] == [
        "missing_parcel",
        "cancel_order",
        "a person",
    ]


def config(**custom: Any) -> dict[str, Any]:
    """The agent's config, as its README shows it."""
    document: dict[str, Any] = json.loads((EXAMPLE / "config.json").read_text())
    document["custom"] |= custom
    return document


class Runner:
    """The example as its README starts it."""

    def __init__(self, server: ServerProcess, tenant: Tenant, folder: Path) -> None:
        self.log = folder / "runner.log"
        environment = {
            **server.environment,
            "SPECTRAL_URL": server.url,
            "SPECTRAL_API_KEY": tenant.api_key,
            "XDG_CACHE_HOME": str(folder),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{server.url}/otel",
            "OTEL_EXPORTER_OTLP_HEADERS": f"Authorization=Bearer%20{tenant.api_key}",
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "spectral", "runner", "agent:under_config", "--agent", "Support"],
                cwd=EXAMPLE,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)


@pytest.fixture
async def tenant(server: ServerProcess) -> Tenant:
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as http:
        return await register_tenant(http, "support")


@pytest.fixture
async def http(server: ServerProcess, tenant: Tenant) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=server.url + tenant.url, headers=tenant.client_headers, timeout=60) as client:
        yield client


@pytest.fixture
def runner(server: ServerProcess, tenant: Tenant, tmp_path: Path) -> Iterator[list[Runner]]:
    started: list[Runner] = []
    yield started
    for each in started:
        if each.process.poll() is None:
            each.process.kill()
            each.process.wait()


async def made(http: httpx.AsyncClient, path: str, document: Any, expect: int = 201) -> dict[str, Any]:
    answer = await http.post(path, json=document)
    assert answer.status_code == expect, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def scan_of(http: httpx.AsyncClient, agent_id: str) -> dict[str, Any]:
    """A scan over the example's search space, as a request."""
    shares = {"reflect": 0.1, "select": 0.3, "holdout": 0.6}
    tickets = await made(http, "/samples", {"name": "Tickets", "shares": shares})
    rows = "\n".join(json.dumps(ticket.as_sample()) for ticket in generate_tickets(11, TICKETS))
    imported = await http.post(
        f"/samples/{tickets['id']}/import", content=rows, headers={"Content-Type": "application/x-ndjson"}
    )
    assert imported.status_code == 200, imported.text
    await made(http, f"/samples/{tickets['id']}/holdouts", {})
    dimensions = [{"name": "intent", "scorer": "label", "weight": 1}]
    rubric = await made(http, "/evaluations/rubrics", {"name": "Intent", "dimensions": dimensions})
    objective = await made(http, "/evaluations/objectives", {"name": "Right team", "rubric_id": rubric["id"]})
    return {
        "agent_id": agent_id,
        "sample_set_id": tickets["id"],
        "objective_id": objective["id"],
        "strategies": ["template"],
        "candidates": [config(top_k=8, threshold=0.1, stemming=True)],
        "budget": {"max_evaluations": 2000},
    }


async def test_the_runner_takes_it_to_a_verdict_and_live_figures_never_hear_of_it(
    http: httpx.AsyncClient, server: ServerProcess, tenant: Tenant, runner: list[Runner], tmp_path: Path
) -> None:
    body = {"name": "Support", "runtime": "runner", "config": config()}
    agent = await made(http, "/agents", body)
    request = await scan_of(http, agent["id"])
    refused = await http.post("/scans", json=request)
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "agent-not-executable")
    said = {"runtime_settings": {"side_effects": "none", "max_cost_usd": "0.001"}}
    patched = await http.patch(f"/agents/{agent['id']}", json=said)
    assert patched.status_code == 200, patched.text
    outside = await http.post("/scans", json=request | {"candidates": [config(top_k=99)]})
    assert (outside.status_code, outside.json()["type"].rpartition("/")[2]) in {
        (400, "search-space-violation"), (422, "validation-error"),
    }  # fmt: skip
    scan = await made(http, "/scans", request, 202)
    runner.append(Runner(server, tenant, tmp_path))
    async with asyncio.timeout(PATIENCE_S):
        while (found := (await http.get(f"/scans/{scan['id']}")).json())["status"] in {"queued", "running"}:
            assert runner[0].process.poll() is None, runner[0].log.read_text()
            await asyncio.sleep(0.3)
    why = (found["failure"], runner[0].log.read_text())
    assert (found["status"], found["outcome"]) == ("completed", "validated"), why
    changeset = (await http.get(f"/changesets/{found['changeset_id']}")).json()
    assert changeset["execution"] == "runner"
    # What it exports when it ends is everything: each execution is a trace of its own, and none of them is live.
    assert runner[0].stop() == 0
    traces = (await http.get("/traces", params={"mode": "evaluation", "limit": 5})).json()["results"]
    live = (await http.get("/traces", params={"mode": "live"})).json()["results"]
    assert live == []
    assert {trace["name"] for trace in traces} == {"sort_ticket"}
    spans = (await http.get(f"/traces/{traces[0]['trace_id']}/spans")).json()["results"]
    assert {"sort_ticket", "search"} <= {span["name"] for span in spans}
