"""Remote work over HTTP: leases, heartbeats, results, and whom they are refused."""

import asyncio
from typing import Any
from uuid import UUID

import httpx
import pytest
from litestar import Litestar

from spectral.domains.workflows.execution.states import RunStatus
from spectral.domains.workflows.remote.service import RemoteQueue, agent_queue
from spectral.platform.db.session import Database
from spectral.platform.shared.ids import new_id
from tests.domains.workflows.remote.runs_of_remote import (
    change_run,
    let_leases_end,
    put,
    queue_of_tests,
    rows,
    waiting_run,
)
from tests.fixtures.tenants import Tenant

CONFIG = {"prompts": {"main": {"messages": [{"role": "user", "content": "{{q}}"}]}}, "model": "spectral-local/small"}

KEPT_OR_ANSWERED: tuple[tuple[str, dict[str, Any]], ...] = (("heartbeat", {}), ("result", {"output": 1}))


@pytest.fixture
def queue(app: Litestar) -> RemoteQueue:
    """The application's own, so that whoever waits in it hears of new work."""
    found: RemoteQueue = app.state["remote_queue"]
    return found


async def lease(client: httpx.AsyncClient, tenant: Tenant, path: str = "queues/resize", **body: Any) -> Any:
    answer = await client.post(f"{tenant.url}/{path}/lease", json=body, headers=tenant.key_headers)
    assert answer.status_code in {200, 204}, answer.text
    return answer.json()["tasks"] if answer.status_code == 200 else []


async def send(
    client: httpx.AsyncClient, tenant: Tenant, task: Any, what: str = "result", path: str = "queues/resize", **body: Any
) -> httpx.Response:
    told = {"lease_token": task["lease_token"]} | body
    return await client.post(f"{tenant.url}/{path}/{task['task_id']}/{what}", json=told, headers=tenant.key_headers)


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]


# ---------------------------------------------------------------------------------------------------- a task's life


async def test_a_task_is_leased_once_kept_and_answered_once(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    ids = await put(database, tenant, queue, count=3, lease_s=30)
    first = await lease(client, tenant, capacity=2)
    assert [UUID(task["task_id"]) for task in first] == ids[:2]
    assert first[0] | {"lease_token": "", "expires_at": ""} == {
        "task_id": str(ids[0]),
        "lease_token": "",
        "expires_at": "",
        "lease_s": 30.0,
        "attempt": 1,
        "task": "work",
        "inputs": {"number": 0},
        "idempotency_key": str(ids[0]),
        "traceparent": None,
    }
    second = await lease(client, tenant, capacity=64)
    assert [UUID(task["task_id"]) for task in second] == ids[2:]
    assert await lease(client, tenant, capacity=64) == []
    tokens = {task["lease_token"] for task in [*first, *second]}
    assert len(tokens) == 3
    stored = await rows(database, tenant)
    assert not tokens & {row.token_digest for row in stored}
    assert {row.leased_by for row in stored} == {f"key:{tenant.key_id}"}

    assert (await send(client, tenant, first[0], "heartbeat")).status_code == 204
    extended = (await rows(database, tenant))[0].expires_at
    assert extended is not None
    assert extended > (stored[0].expires_at or extended)

    result: dict[str, Any] = {
        "output": {"pixels": 12},
        "usage": {"input_tokens": 3},
        "cost_usd": "0.0042",
        "trace_id": "ab" * 16,
    }
    assert (await send(client, tenant, first[0], **result)).status_code == 204
    assert (await send(client, tenant, first[0], **result)).status_code == 204
    assert problem(await send(client, tenant, first[0], output={"pixels": 13})) == (409, "task-answered")
    assert problem(await send(client, tenant, first[0], "heartbeat")) == (409, "task-lease-lost")
    error = {"type": "no-disk", "message": "full", "retryable": False}
    assert (await send(client, tenant, first[1], error=error)).status_code == 204
    done, failed, open_ = await rows(database, tenant)
    assert (done.status, done.cost_nano_usd) == ("done", 4_200_000)
    assert done.outcome == {"output": {"pixels": 12}, "usage": {"input_tokens": 3}, "trace_id": "ab" * 16}
    assert (failed.status, failed.outcome) == ("failed", {"error": error})
    assert (open_.status, open_.outcome) == ("leased", None)


async def test_results_sent_together_are_taken_or_refused_each_by_itself(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    queue, _ = queue_of_tests()
    run = await waiting_run(database, tenant)
    first, second = await put(database, tenant, queue, count=2)
    (of_run,) = await put(database, tenant, queue, run=run, step_key="a", iteration=1)
    gone = await waiting_run(database, tenant)
    (late,) = await put(database, tenant, queue, run=gone, step_key="a", iteration=1)
    (theirs,) = await put(database, other_tenant, queue)
    tokens = {task["task_id"]: task["lease_token"] for task in await lease(client, tenant, capacity=10)}
    tokens[str(theirs)] = (await lease(client, other_tenant))[0]["lease_token"]
    await change_run(database, gone, tenant, generation=2)
    results = [
        {"task_id": str(task_id), "lease_token": tokens[str(task_id)], "output": number}
        for number, task_id in enumerate((first, theirs, of_run, late))
    ]
    results.append({"task_id": str(second), "lease_token": "another", "output": 4})
    results.append(results[0] | {"output": "changed"})
    for _ in range(2):
        answer = await client.post(
            f"{tenant.url}/queues/resize/results", json={"results": results}, headers=tenant.key_headers
        )
        assert answer.status_code == 200, answer.text
        said = answer.json()["results"]
        assert [each["task_id"] for each in said] == [each["task_id"] for each in results]
        assert [each["error"] and (each["error"]["status"], each["error"]["type"]) for each in said] == [
            None,
            (404, "not-found"),
            None,
            (410, "task-cancelled"),
            (409, "task-lease-lost"),
            (409, "task-answered"),
        ]
    kept = {row.id: (row.status, row.outcome) for row in await rows(database, tenant)}
    assert kept == {
        first: ("done", {"output": 0}),
        second: ("leased", None),
        of_run: ("done", {"output": 2}),
        late: ("leased", None),
    }
    (theirs_now,) = await rows(database, other_tenant)
    assert (theirs_now.status, theirs_now.outcome) == ("leased", None)
    nothing = await client.post(f"{tenant.url}/queues/resize/results", json={"results": []}, headers=tenant.key_headers)
    assert nothing.status_code == 422


async def test_a_lost_lease_is_offered_again_and_its_first_holder_changes_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    await put(database, tenant, queue)
    (dead,) = await lease(client, tenant)
    await let_leases_end(database, tenant)
    (alive,) = await lease(client, tenant)
    assert (alive["task_id"], alive["attempt"]) == (dead["task_id"], 2)
    assert alive["idempotency_key"] == dead["idempotency_key"]
    for what, body in KEPT_OR_ANSWERED:
        assert problem(await send(client, tenant, dead, what, **body)) == (409, "task-lease-lost")
    assert (await send(client, tenant, alive, output=None)).status_code == 204
    assert problem(await send(client, tenant, dead, output=None)) == (409, "task-lease-lost")
    (row,) = await rows(database, tenant)
    assert row.outcome == {"output": None}


async def test_who_is_late_but_still_the_last_holder_is_heard(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    """Nobody else began the task, so that its work counts."""
    await put(database, tenant, queue, count=2)
    kept, answered = await lease(client, tenant, capacity=2)
    await let_leases_end(database, tenant)
    assert (await send(client, tenant, kept, "heartbeat")).status_code == 204
    assert (await send(client, tenant, answered, output=1)).status_code == 204
    assert await lease(client, tenant, capacity=2) == []


async def test_a_cancelled_task_says_so_to_its_holder_and_is_offered_to_nobody(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    queue, woken = queue_of_tests()
    run = await waiting_run(database, tenant)
    more: dict[str, Any] = {"run": run, "iteration": 1}
    await put(database, tenant, queue, step_key="a", **more)
    (held,) = await lease(client, tenant)
    await put(database, tenant, queue, step_key="b", **more)
    await put(database, tenant, queue, step_key="c", **more)
    async with database.transaction(tenant.access) as session:
        assert await queue.cancel(session, tenant.access, run.id, 1, "b") == 1
        assert await queue.cancel(session, tenant.access, run.id, 2) == 0
        assert await queue.cancel(session, tenant.access, run.id, 1) == 2
        assert await queue.cancel(session, tenant.access, run.id, 1) == 0
    assert await lease(client, tenant, capacity=10) == []
    for what, body in KEPT_OR_ANSWERED:
        assert problem(await send(client, tenant, held, what, **body)) == (410, "task-cancelled")
        wrong = held | {"lease_token": "x" * 43}
        assert problem(await send(client, tenant, wrong, what, **body)) == (409, "task-lease-lost")
    assert woken.runs == []


@pytest.mark.parametrize("values", [{"generation": 2}, {"status": RunStatus.CANCELLED.value}], ids=["again", "ended"])
async def test_a_result_for_a_run_that_went_on_without_it_changes_nothing(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue, values: dict[str, Any]
) -> None:
    """Even where nobody has cancelled the task."""
    run = await waiting_run(database, tenant)
    await put(database, tenant, queue, run=run, step_key="a", iteration=1)
    (held,) = await lease(client, tenant)
    await change_run(database, run, tenant, **values)
    assert problem(await send(client, tenant, held, output=1)) == (410, "task-cancelled")
    (row,) = await rows(database, tenant)
    assert (row.status, row.outcome) == ("leased", None)


async def test_an_agents_runner_is_given_what_it_needs_and_nothing_that_would_bias_it(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    made = await client.post(
        f"{tenant.url}/agents", json={"name": "Router", "config": CONFIG}, headers=tenant.client_headers
    )
    agent_id = made.json()["id"]
    path = f"agents/{agent_id}/work"
    given = {"config": CONFIG, "config_hash": "ab" * 32, "input": {"q": 1}, "seed": 7, "max_cost_usd": "0.5"}
    secret = {"split": "holdout", "expected": "billing", "arm": "champion"}
    await put(database, tenant, queue, agent_queue(UUID(agent_id)), task=given | secret)
    (task,) = await lease(client, tenant, path)
    assert {name: task[name] for name in given} == given
    said = {"task_id", "lease_token", "expires_at", "lease_s", "attempt", "traceparent", "mode"}
    assert (set(task), task["mode"]) == ({*given, *said}, "live")
    assert (await send(client, tenant, task, "heartbeat", path)).status_code == 204
    # A named queue is another place.
    assert problem(await send(client, tenant, task, output=1)) == (404, "not-found")
    assert (await send(client, tenant, task, path=path, output=1)).status_code == 204


# ---------------------------------------------------------------------------------------------------------- waiting


async def test_a_runner_waits_for_work_and_hears_of_it(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    waiting = [asyncio.ensure_future(lease(client, tenant, wait_s=25)) for _ in range(3)]
    await asyncio.sleep(0.2)
    assert not any(each.done() for each in waiting)
    # One connection for reading and one for writing are free while they wait.
    (task_id,) = await put(database, tenant, queue)
    done, _ = await asyncio.wait(waiting, timeout=10, return_when=asyncio.FIRST_COMPLETED)
    assert [UUID(task["task_id"]) for each in done for task in each.result()] == [task_id]
    await put(database, tenant, queue, count=2)
    found = await asyncio.wait_for(asyncio.gather(*waiting), 10)
    assert sorted(len(tasks) for tasks in found) == [1, 1, 1]


async def test_waiting_ends_with_its_time_or_with_the_server(
    app: Litestar, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    assert await lease(client, tenant, wait_s=0.1) == []
    waiting = asyncio.ensure_future(lease(client, tenant, wait_s=30))
    await asyncio.sleep(0.1)
    app.state["work_waiting"].stop()
    assert await asyncio.wait_for(waiting, 5) == []
    assert await asyncio.wait_for(lease(client, tenant, wait_s=30), 5) == []


# --------------------------------------------------------------------------------------------------------- refusals


async def test_whose_key_it_is(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    asked = await client.get("/api/v1/runner", headers=tenant.key_headers)
    assert asked.json() == {"workspace_id": str(tenant.workspace_id), "scopes": ["read:agents", "write:traces"]}
    headers = tenant.key_headers | {"X-Workspace-Id": str(other_tenant.workspace_id)}
    assert (await client.get("/api/v1/runner", headers=headers)).status_code == 404
    assert (await client.get("/api/v1/runner")).status_code == 401


async def test_both_scopes_are_needed_and_nothing_of_others_is_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    await put(database, tenant, queue)
    (task,) = await lease(client, tenant)
    for scope in ("read:agents", "write:traces"):
        made = await client.post(
            f"{tenant.url}/keys", json={"name": scope, "scopes": [scope]}, headers=tenant.client_headers
        )
        narrow = {"Authorization": f"Bearer {made.json()['key']}"}
        answer = await client.post(f"{tenant.url}/queues/resize/lease", json={}, headers=narrow)
        assert problem(answer) == (403, "forbidden")
    assert await lease(client, other_tenant) == []
    for what, body in KEPT_OR_ANSWERED:
        assert problem(await send(client, other_tenant, task, what, **body)) == (404, "not-found")
    for agent in (new_id(), "router"):
        theirs = f"{tenant.url}/agents/{agent}/work"
        for path in ("lease", f"{task['task_id']}/heartbeat"):
            answer = await client.post(
                f"{theirs}/{path}",
                json={} if path == "lease" else {"lease_token": "x"},
                headers=tenant.key_headers,
            )
            assert answer.status_code == 404
    assert (await rows(database, tenant))[0].outcome is None


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ({}, ""),
        ({"output": 1, "error": {"type": "x"}}, ""),
        ({"output": {"a": [2**60]}}, "output"),
        ({"output": 1, "usage": {"Tokens!": 1}}, "usage"),
        ({"output": 1, "usage": {"tokens": -1}}, "usage"),
        ({"output": 1, "cost_usd": "a lot"}, "cost_usd"),
        ({"output": 1, "trace_id": "not hex"}, "trace_id"),
        ({"error": {"type": ""}}, "error"),
        ({"output": 1, "surprise": 1}, "surprise"),
    ],
    ids=["neither", "both", "number", "count-name", "count", "cost", "trace", "error-type", "unknown"],
)
async def test_a_result_that_cannot_be_kept_names_what_is_wrong(
    client: httpx.AsyncClient,
    tenant: Tenant,
    database: Database,
    queue: RemoteQueue,
    body: dict[str, Any],
    where: str,
) -> None:
    await put(database, tenant, queue)
    (task,) = await lease(client, tenant)
    answer = await send(client, tenant, task, **body)
    assert problem(answer) in {(422, "validation-error"), (400, "malformed-request")}, answer.text
    if answer.status_code == 422:
        assert any(where in error["pointer"] for error in answer.json()["errors"]), answer.text
    assert (await rows(database, tenant))[0].status == "leased"


@pytest.mark.databases("sqlite")
async def test_sizes_are_bounded(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, queue: RemoteQueue
) -> None:
    await put(database, tenant, queue)
    (task,) = await lease(client, tenant)
    for size in (1024 * 1024, 3 * 1024 * 1024):
        assert problem(await send(client, tenant, task, output="x" * size)) == (413, "payload-too-large")
    for body in ({"capacity": 65}, {"capacity": 0}, {"wait_s": 31}, {"wait_s": -1}):
        answer = await client.post(f"{tenant.url}/queues/resize/lease", json=body, headers=tenant.key_headers)
        assert answer.status_code == 422
    for name in ("agent:x", "-", "x" * 200, "%2e%2e"):
        answer = await client.post(f"{tenant.url}/queues/{name}/lease", json={}, headers=tenant.key_headers)
        assert answer.status_code == 404, name
    assert (await send(client, tenant, task, output="x" * (1024 * 1024 - 100))).status_code == 204
