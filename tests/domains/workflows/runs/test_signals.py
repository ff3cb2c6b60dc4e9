import asyncio

import httpx
import pytest

from spectral.domains.workflows.execution.states import FINAL, SUSPENDED, RunStatus
from spectral.domains.workflows.runs import signals
from spectral.platform.db.session import Database
from tests.domains.workflows.runs.acting import Stage, chain
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def stage(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Stage:
    stage = Stage(client, database, tenant)
    await stage.define(chain("flow", "a"))
    return stage


async def test_a_signal_is_kept_in_every_open_state_and_wakes_what_waits(stage: Stage) -> None:
    run_id = (await stage.start("flow"))["id"]
    for status in RunStatus:
        await stage.set(run_id, status, finished_at=None)
        before = await stage.run(run_id)
        answer = await stage.send("POST", f"/runs/{run_id}/signals", {"type": "paid", "payload": {"by": status}})
        after = await stage.run(run_id)
        if status in FINAL:
            assert answer.status_code == 400
            assert answer.json()["current"] == status
            assert after.inbox == before.inbox
            continue
        assert answer.status_code == 202, answer.text
        assert after.status == ("queued" if status in SUSPENDED else status)
        assert after.inbox == before.inbox + 1
    kept = [(signal.payload or {})["by"] for signal in await stage.signals(run_id)]
    assert kept == [status for status in RunStatus if status not in FINAL]
    listed = await stage.get(f"/runs/{run_id}/signals?limit=2")
    assert [one["payload"]["by"] for one in listed["results"]] == kept[:-3:-1]
    assert listed["pagination"]["total"] == len(kept)
    rest = await stage.get(f"/runs/{run_id}/signals?cursor={listed['pagination']['next_cursor']}")
    assert [one["payload"]["by"] for one in rest["results"]] == kept[-3::-1]
    assert (await stage.event_types(run_id)).count("signal.received") == len(kept)


async def test_the_same_signal_again_is_the_same_one(stage: Stage) -> None:
    run_id = (await stage.start("flow"))["id"]
    body = {"type": "paid", "payload": {"sum": 1.0, "items": ["a"]}, "id": "payment:17"}
    sent = await stage.post(f"/runs/{run_id}/signals", body, expect=202)
    assert sent.items() >= {"id": "payment:17", "type": "paid", "consumed_at": None}.items()
    again = {"id": "payment:17", "payload": {"items": ["a"], "sum": 1}, "type": "paid"}
    assert await stage.post(f"/runs/{run_id}/signals", again) == sent
    for other in ({"type": "refused"}, {"payload": {"sum": True, "items": ["a"]}}, {"payload": None}):
        refused = await stage.send("POST", f"/runs/{run_id}/signals", body | other)
        assert refused.status_code == 409
        assert refused.json()["type"].endswith("/signal-conflict")
    await stage.set(run_id, RunStatus.SUCCEEDED)
    # It did arrive; that the run has ended since does not change it.
    assert await stage.post(f"/runs/{run_id}/signals", body) == sent
    assert len(await stage.signals(run_id)) == 1


async def test_of_the_same_signal_sent_at_once_one_is_kept(stage: Stage) -> None:
    run_id = (await stage.start("flow"))["id"]
    body = {"type": "paid", "id": "once"}
    answers = await asyncio.gather(*(stage.send("POST", f"/runs/{run_id}/signals", body) for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 200, 200, 202]
    assert len(await stage.signals(run_id)) == 1
    assert (await stage.run(run_id)).inbox == 1


async def test_a_run_keeps_only_so_many_signals_that_nothing_takes(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "KEPT_MAXIMUM", 2)
    run_id = (await stage.start("flow"))["id"]
    for _ in range(2):
        await stage.post(f"/runs/{run_id}/signals", {"type": "noise"}, expect=202)
    refused = await stage.send("POST", f"/runs/{run_id}/signals", {"type": "noise"})
    assert refused.status_code == 409
    assert refused.json()["type"].endswith("/signal-buffer-full")
    assert len(await stage.signals(run_id)) == 2


UNFIT: list[tuple[dict[str, object], str]] = [
    ({}, "/type"),
    ({"type": ""}, "/type"),
    ({"type": "x" * 129}, "/type"),
    ({"type": "line\nbreak"}, "/type"),
    ({"type": "paid", "id": "no/slash"}, "/id"),
    ({"type": "paid", "payload": {"deep": 1e300}}, "/payload/deep"),
    ({"type": "paid", "payload": "x" * (256 * 1024)}, "/payload"),
    ({"type": "paid", "sent_by": "me"}, "/sent_by"),
]


async def test_a_signal_that_cannot_be_kept_says_why(stage: Stage) -> None:
    run_id = (await stage.start("flow"))["id"]
    for body, pointer in UNFIT:
        refused = await stage.send("POST", f"/runs/{run_id}/signals", body)
        assert refused.status_code == 422, refused.text
        assert [one["pointer"] for one in refused.json()["errors"]] == [pointer]
    assert await stage.signals(run_id) == []
    assert (await stage.run(run_id)).inbox == 0


async def test_nobody_sends_signals_to_runs_of_others(
    stage: Stage, client: httpx.AsyncClient, database: Database, other_tenant: Tenant
) -> None:
    run_id = (await stage.start("flow", run_id="mine"))["id"]
    theirs = Stage(client, database, other_tenant)
    for name in ("mine", run_id):
        assert (await theirs.send("POST", f"/runs/{name}/signals", {"type": "paid"})).status_code == 404
        assert (await theirs.send("GET", f"/runs/{name}/signals")).status_code == 404
    keyed = await client.post(
        f"{stage.tenant.url}/runs/mine/signals", json={"type": "paid"}, headers=stage.tenant.key_headers
    )
    assert keyed.status_code == 403
    assert await stage.signals(run_id) == []
