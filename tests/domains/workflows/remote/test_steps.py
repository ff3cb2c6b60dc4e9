"""Remote steps of real runs, from the workflow's document to the runner's function and back."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx

from spectral.client import TaskFailed, current_task
from tests.client.platform_at import client_of, tenant_of
from tests.fixtures.servers import ServerProcess

SOURCE = """
name: shrinking
inputs: {type: object, properties: {widths: {type: array}}}
steps:
  - id: each
    kind: foreach
    items: ${inputs.widths}
    as: width
    body:
      - id: shrink
        kind: remote
        queue: pictures
        task: shrink
        inputs: {width: "${width}"}
        retries: {limit: 1, delay: 0.1}
  - id: ask
    kind: remote
    agent: Critic
    inputs: {widths: "${steps.each.outputs.results}"}
outputs: {widths: "${steps.each.outputs.results}", verdict: "${steps.ask.outputs}"}
"""
CONFIG = {"prompts": {"main": {"messages": [{"role": "user", "content": "{{widths}}"}]}}, "model": "a model"}


async def test_a_runner_does_the_remote_steps_of_a_run(
    start_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    server = start_server()
    tenant = await tenant_of(server)
    told: list[tuple[str, str | None]] = []
    with client_of(server, tenant, tmp_path) as client:

        @client.work("pictures")
        def shrink(task: str, inputs: Any) -> int:
            assert task == "shrink"
            context = current_task()
            told.append((context.idempotency_key, context.traceparent))
            if inputs["width"] == 7 and sum(key == context.idempotency_key for key, _ in told) == 1:
                raise TaskFailed("not yet", type="busy", retryable=True)
            return int(inputs["width"]) // 2

        @client.agent("Critic").run
        async def criticise(config: dict[str, Any], input: Any) -> str:
            return f"{config['model']} likes {len(input['widths'])}"

        base = {"base_url": server.url + tenant.url, "headers": tenant.client_headers, "timeout": 60}
        async with httpx.AsyncClient(**base) as http:  # type: ignore[arg-type]
            made = await http.post("/agents", json={"name": "Critic", "config": CONFIG})
            made.raise_for_status()
            stored = await http.post("/workflows", json={"source": SOURCE})
            assert stored.is_success, stored.text
            session = client.runner(capacity=3)
            running = asyncio.ensure_future(session.run())
            try:
                body = {"inputs": {"widths": [10, 7, 4, 2]}, "wait": 30}
                run = await http.post("/workflows/shrinking/runs", json=body)
                assert run.is_success, run.text
                found = run.json()
                async with asyncio.timeout(60):
                    while found["status"] not in {"succeeded", "failed", "cancelled"}:
                        await asyncio.sleep(0.1)
                        found = (await http.get(f"/runs/{found['id']}")).json()
            finally:
                session.stop()
                await running
    assert (found["status"], found.get("error")) == ("succeeded", None)
    assert found["outputs"] == {"widths": [5, 3, 2, 1], "verdict": "a model likes 4"}
    # One retry of one step; the same key for both of its attempts, and one trace.
    assert len(told) == 5
    assert len({key for key, _ in told}) == 4
    assert len({str(traceparent)[:35] for _, traceparent in told}) == 1
