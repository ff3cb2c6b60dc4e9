"""Putting work, leasing it side by side, and what becomes of leases that end."""

import asyncio
from typing import Any
from uuid import UUID

import pytest

from spectral.domains.workflows.definitions.model import Node, NodeKind
from spectral.domains.workflows.errors import InvalidRemoteTaskError, RemoteQueueFullError
from spectral.domains.workflows.execution.scheduler import Ready
from spectral.domains.workflows.remote import service
from spectral.domains.workflows.remote.answers import Answer
from spectral.domains.workflows.remote.expiry import LeaseExpiry
from spectral.domains.workflows.remote.service import RemoteQueue, agent_queue
from spectral.domains.workflows.remote.steps import RemoteSteps
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import PayloadTooLargeError
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


async def lease(database: Database, tenant: Tenant, queue: RemoteQueue, capacity: int = 10) -> list[service.Leased]:
    async with database.transaction(tenant.access) as session:
        return await queue.lease(session, tenant.access, "resize", capacity)


async def test_runners_side_by_side_never_get_the_same_task(
    tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    queue, _ = queue_of_tests()
    ids = await put(database, tenant, queue, count=60)
    theirs = await put(database, other_tenant, queue, count=5)
    # Some were lost before, and are offered among the others.
    await lease(database, tenant, queue, 20)
    await let_leases_end(database, tenant)
    found = await asyncio.gather(*(lease(database, tenant, queue, 7) for _ in range(20)))
    leased = [each.task.id for some in found for each in some]
    assert sorted(leased) == sorted(ids)
    assert [each.task.id for each in await lease(database, other_tenant, queue, 64)] == theirs


async def test_a_result_wakes_the_run_that_waits_once(tenant: Tenant, database: Database) -> None:
    queue, woken = queue_of_tests()
    run = await waiting_run(database, tenant)
    (task_id,) = await put(database, tenant, queue, run=run, step_key="each[3]/fetch", iteration=2)
    (leased,) = await lease(database, tenant, queue)
    for _ in range(3):
        async with database.transaction(tenant.access) as session:
            await queue.record(session, tenant.access, "resize", task_id, leased.token, Answer(output=[1]))
    assert woken.runs == [run.id]
    async with database.transaction(tenant.access, read_only=True) as session:
        of_step = await queue.outcome(session, tenant.access, run.id, 1, "each[3]/fetch", 2)
        assert of_step is not None
        assert (of_step.id, of_step.status, of_step.outcome) == (task_id, "done", {"output": [1]})
        assert await queue.outcome(session, tenant.access, run.id, 1, "each[3]/fetch", 1) is None
        assert await queue.outcome(session, tenant.access, run.id, 2, "each[3]/fetch", 2) is None


async def test_a_task_nobody_answers_fails_after_its_last_lease(
    tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    queue, woken = queue_of_tests()
    expiry = LeaseExpiry(database, identity, queue)
    run = await waiting_run(database, tenant)
    await put(database, tenant, queue, run=run, step_key="a", iteration=1, max_attempts=2)
    await put(database, other_tenant, queue, max_attempts=1, subject="something else")
    gone = await waiting_run(database, other_tenant)
    await put(database, other_tenant, queue, run=gone, step_key="a", iteration=1, max_attempts=1)
    await change_run(database, gone, other_tenant, generation=2)
    for attempt in (1, 2):
        await lease(database, tenant, queue)
        await lease(database, other_tenant, queue)
        await expiry.run()
        assert {row.status for row in await rows(database, tenant)} == {"leased"}
        await let_leases_end(database, tenant)
        if attempt == 2:
            await let_leases_end(database, other_tenant)
    assert await lease(database, tenant, queue) == []
    await expiry.run()
    await expiry.run()
    (failed,) = await rows(database, tenant)
    assert failed.status == "failed"
    assert failed.outcome is not None
    assert failed.outcome["error"]["type"] == "lease-expired"
    assert {row.status for row in await rows(database, other_tenant)} == {"failed"}
    # The other tenant's run is in another generation by now.
    assert woken.runs == [run.id]


async def test_what_is_put_is_bounded(
    tenant: Tenant, other_tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    queue, _ = queue_of_tests()
    wrong: list[tuple[dict[str, Any], type[Exception], str]] = [
        ({"lease_s": 0.5}, InvalidRemoteTaskError, "lease_s"),
        ({"lease_s": float("nan")}, InvalidRemoteTaskError, "lease_s"),
        ({"max_attempts": 0}, InvalidRemoteTaskError, "max_attempts"),
        ({"max_attempts": 21}, InvalidRemoteTaskError, "max_attempts"),
        ({"task": {"inputs": "a\x00b"}}, InvalidRemoteTaskError, "inputs"),
        ({"task": {"inputs": "x" * (256 * 1024)}}, PayloadTooLargeError, "bytes"),
    ]
    for more, error, said in wrong:
        with pytest.raises(error, match=said):
            await put(database, tenant, queue, **more)
    monkeypatch.setattr(service, "MAX_OPEN", 3)
    await put(database, tenant, queue, count=2)
    await put(database, tenant, queue, "other")
    with pytest.raises(RemoteQueueFullError, match="3 remote tasks"):
        await put(database, tenant, queue, "third")
    # What has ended does not count, and neither does anybody else's.
    await put(database, other_tenant, queue)
    (first, *_) = await lease(database, tenant, queue)
    async with database.transaction(tenant.access) as session:
        await queue.record(session, tenant.access, "resize", first.task.id, first.token, Answer(output=1))
    await put(database, tenant, queue)


# -------------------------------------------------------------------------------------------------------- of a step


def ready(params: dict[str, Any], inputs: Any = None) -> Ready:
    node = Node(id="resize", kind=NodeKind.REMOTE, params=params)
    return Ready(key="all[left]/resize", node=node, iteration=1, attempt=1, params=params, inputs=inputs)


async def test_a_step_is_put_for_a_queue_or_for_an_agent(tenant: Tenant, database: Database, client: Any) -> None:
    queue, woken = queue_of_tests()
    run = await waiting_run(database, tenant)
    config = {
        "prompts": {"main": {"messages": [{"role": "user", "content": "{{q}}"}]}},
        "model": "spectral-local/small",
    }
    made = await client.post(
        f"{tenant.url}/agents", json={"name": "Router", "config": config}, headers=tenant.client_headers
    )
    agent_id = UUID(made.json()["id"])
    steps = RemoteSteps(queue, tenant.access)
    cases: list[tuple[str, dict[str, Any]]] = [
        ("resize", {"queue": "resize", "task": "shrink", "lease_s": 5, "max_attempts": 1}),
        ("agent:Router", {"agent": "Router"}),
        (f"agent:{agent_id}", {"agent": str(agent_id)}),
    ]
    for name, params in cases:
        async with database.transaction(tenant.access) as session:
            await steps.put(session, run, ready(params, {"q": 1}), queue=name, options=params)
    named, by_name, by_id = await rows(database, tenant)
    assert (named.queue, named.lease_s, named.max_attempts) == ("resize", 5.0, 1)
    assert (named.task["task"], named.task["inputs"]) == ("shrink", {"q": 1})
    assert named.task["traceparent"].startswith("00-0af7651916cd43dd8448eb211c80319c-")
    for row in (by_name, by_id):
        assert row.queue == agent_queue(agent_id)
        assert row.task["config"]["model"] == config["model"]
        assert (row.task["input"], len(row.task["config_hash"])) == ({"q": 1}, 64)
    assert woken.runs == []


@pytest.mark.parametrize(
    ("name", "params", "said"),
    [
        ("agent:nobody", {"agent": "nobody"}, "nobody"),
        ("a b", {"queue": "a b"}, "a b"),
        ("resize", {"queue": "resize", "lease_s": 0}, "lease_s"),
        ("resize", {"queue": "resize", "max_attempts": "many"}, "max_attempts"),
    ],
    ids=["agent", "queue", "lease", "attempts"],
)
async def test_a_step_that_cannot_be_put_has_failed_and_its_run_goes_on(
    tenant: Tenant, database: Database, name: str, params: dict[str, Any], said: str
) -> None:
    queue, woken = queue_of_tests()
    run = await waiting_run(database, tenant)
    async with database.transaction(tenant.access) as session:
        await RemoteSteps(queue, tenant.access).put(session, run, ready(params), queue=name, options=params)
    (row,) = await rows(database, tenant)
    assert row.status == "failed"
    assert row.outcome is not None
    assert row.outcome["error"]["type"] == "invalid-remote-task"
    assert said in row.outcome["error"]["message"]
    assert woken.runs == [run.id]


async def test_a_step_that_tries_again_waits_for_its_new_task_only(tenant: Tenant, database: Database) -> None:
    queue, _ = queue_of_tests()
    run = await waiting_run(database, tenant)
    more: dict[str, Any] = {"run": run, "step_key": "a", "iteration": 1}
    (first,) = await put(database, tenant, queue, **more)
    (leased,) = await lease(database, tenant, queue)
    failure = Answer(error={"type": "busy", "message": "", "retryable": True})
    async with database.transaction(tenant.access) as session:
        await queue.record(session, tenant.access, "resize", first, leased.token, failure)
    (second,) = await put(database, tenant, queue, **more)
    (third,) = await put(database, tenant, queue, **more)
    async with database.transaction(tenant.access) as session:
        of_step = await queue.outcome(session, tenant.access, run.id, 1, "a", 1)
        assert of_step is not None
        assert of_step.id == third
    assert [row.status for row in await rows(database, tenant)] == ["failed", "cancelled", "queued"]
    assert [row.iteration for row in await rows(database, tenant)] == [None, None, 1]
    assert second != third
    # The runner whose answer was lost may send it again all the same.
    async with database.transaction(tenant.access) as session:
        await queue.record(session, tenant.access, "resize", first, leased.token, failure)
        assert await queue.forget(session, tenant.access, [run.id, new_id()]) == 3
    assert await rows(database, tenant) == []
