"""What follows a promotion: arms, the guard's findings, and what they lead to in each mode of autonomy."""

from typing import Any
from uuid import UUID

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.changesets.models import Changeset
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from tests.domains.changesets.live_sessions import Live, named
from tests.domains.changesets.workbench import Workbench
from tests.fixtures.tenants import Tenant

BOUNDS = {
    "max_cost_increase_percent": 0,
    "allowed_change_kinds": ["instructions"],
    "budget_per_night_usd": "0",
    "allow_production": True,
}


@pytest.fixture
async def bench(database: Database, tenant: Tenant) -> Workbench:
    return await Workbench.make(database, tenant.access, items=10, frozen=False)


@pytest.fixture
def live(client: httpx.AsyncClient, database: Database, tenant: Tenant, bench: Workbench) -> Live:
    return Live(client, tenant, database, bench.agent_id)


async def choose(live: Live, mode: str) -> None:
    body: dict[str, Any] = {"mode": mode} | ({"bounds": BOUNDS} if mode == "bounded_auto" else {})
    answer = await live.client.put(f"{live.tenant.url}/autonomy", json=body, headers=live.tenant.client_headers)
    assert answer.status_code == 200, answer.text


async def promoted(live: Live, bench: Workbench, holdback: float | None = 0.5) -> Changeset:
    """A validated change set that was accepted with a holdback."""
    changeset = await bench.propose(0.9)
    await bench.force(changeset.id, "validated")
    await call(live, changeset.id, "POST", "/accept", {} if holdback is None else {"holdback": holdback})
    return changeset


async def call(live: Live, changeset_id: UUID, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
    answer = await live.client.request(
        method,
        f"{live.tenant.url}/changesets/{changeset_id}{path}",
        json=body,
        headers=live.tenant.client_headers,
    )
    assert answer.status_code == expect, answer.text
    return answer.json()


async def events(live: Live, kind: str) -> list[dict[str, Any]]:
    answer = await live.client.get(
        f"{live.tenant.url}/events", params={"type": kind}, headers=live.tenant.client_headers
    )
    found: list[dict[str, Any]] = answer.json()["results"]
    return found


async def audited(live: Live, action: str) -> list[AuditEntry]:
    async with live.database.transaction(live.tenant.access, read_only=True) as session:
        return list(await session.scalars(sa.select(AuditEntry).where(AuditEntry.action == action)))


async def test_accepting_keeps_a_tenth_and_release_ends_it(live: Live, bench: Workbench) -> None:
    changeset = await promoted(live, bench, holdback=None)
    url = f"{live.tenant.url}/agents/{live.agent_id}/config"
    answer = await live.client.get(url, headers=live.tenant.key_headers)
    config = answer.json()
    assert (config["version"], [(arm["version"], arm["weight"]) for arm in config["arms"]]) == (2, [(2, 0.9), (1, 0.1)])
    assert config["arms"][0]["config"] is None
    assert config["arms"][1]["config"]["prompts"]["main"]["messages"][0]["content"] == "0.5"
    assert config["salt"]
    known = {"If-None-Match": answer.headers["ETag"]}
    assert (await live.client.get(url, headers=live.tenant.key_headers | known)).status_code == 304
    guard = await call(live, changeset.id, "GET", "/guard")
    assert (guard["state"], guard["finding"], guard["holdback"], guard["history"]) == ("running", "open", 0.1, [])
    assert (await call(live, changeset.id, "GET", ""))["guard"] == guard
    released = await call(live, changeset.id, "POST", "/guard/release", {"reason": "sure enough"})
    assert (released["state"], released["reason"]) == ("released", "sure enough")
    after = await live.client.get(url, headers=live.tenant.key_headers | known)
    assert (after.status_code, after.json()["version"], after.json()["arms"], after.json()["salt"]) == (
        200,
        2,
        [],
        None,
    )
    await call(live, changeset.id, "POST", "/guard/release", expect=400)
    assert [entry.detail["version"] for entry in await audited(live, "agent.holdback_released")] == [2]
    unguarded = await bench.propose(0.7)
    await call(live, unguarded.id, "GET", "/guard", expect=404)
    await call(live, unguarded.id, "POST", "/accept", {"override_reason": "x", "holdback": 0.6}, expect=422)


async def test_a_confirmed_regression_is_rolled_back_without_a_person(live: Live, bench: Workbench) -> None:
    await choose(live, "bounded_auto")
    await live.evaluate_online()
    await live.use(named("before", 20), good={1})
    changeset = await promoted(live, bench)
    # None of these may count: an evaluation, another version, no arm at all.
    await live.use(named("evaluated", 60), good={1}, mode="evaluation")
    await live.happen([(session, 7, 0.0) for session in named("other", 60)])
    assert (await live.advance(changeset.id)).sessions == 0
    await live.use(named("first", 12), good={1})
    # A session counts once, with its first score.
    await live.use(named("first", 12), good={2})
    assert (await live.advance(changeset.id)).sessions == 12
    assert (await live.advance(changeset.id)).sessions == 12
    await live.use(named("more", 100), good={1})
    guard = await live.advance(changeset.id)
    assert (guard.state, guard.finding, guard.finished_by) == ("rolled_back", "regression", "system:guard")
    assert guard.crossovers == 0
    assert (await bench.read(changeset.id)).state == "rolled_back"
    config = await live.config()
    assert (config["version"], config["arms"]) == (1, [])
    (entry,) = await audited(live, "guard.rolled_back")
    assert (entry.actor, entry.subject) == ("system:guard", f"changeset:{changeset.id}")
    assert entry.detail["high"] <= 0
    assert (entry.detail["mean"], entry.detail["mean_previous"]) == (0, 1)
    assert "regression is confirmed with 97.5%" in entry.detail["reason"]
    (told,) = await events(live, "guard.rolled_back")
    assert told["data"]["finding"] == "regression"
    shown = await call(live, changeset.id, "GET", "/guard")
    assert [arm["version"] for arm in shown["arms"]] == [2, 1]
    assert shown["effect"]["estimate"] == -1
    assert shown["effect"]["high"] <= 0
    assert len(shown["history"]) == 2
    await live.advance(changeset.id)
    assert len(await events(live, "guard.rolled_back")) == 1


@pytest.mark.parametrize("mode", ["observe_only", "recommend", "manual"])
async def test_in_the_other_modes_it_is_an_alert_and_one_click(live: Live, bench: Workbench, mode: str) -> None:
    await live.evaluate_online()
    changeset = await promoted(live, bench)
    await choose(live, mode)
    await live.use(named("session", 100), good={1})
    guard = await live.advance(changeset.id)
    assert (guard.state, guard.finding) == ("alerting", "regression")
    assert (await live.config())["version"] == 2
    assert len(await events(live, "guard.alerted")) == 1
    health = await live.client.get(f"{live.tenant.url}/health", headers=live.tenant.client_headers)
    assert "guard_alerts" in health.json()["reasons"]
    (alert,) = health.json()["guard_alerts"]
    assert (alert["changeset_id"], alert["finding"]) == (str(changeset.id), "regression")
    if mode == "manual":
        kept = await call(live, changeset.id, "POST", "/guard/release")
        assert (kept["state"], (await live.config())["arms"]) == ("released", [])
    else:
        detail = await call(live, changeset.id, "POST", "/rollback", {"reason": "the alert is right"})
        assert (detail["state"], detail["guard"]["state"]) == ("rolled_back", "rolled_back")
        assert detail["guard"]["finished_by"] == f"user:{live.tenant.user_id}"
        assert (await live.config())["version"] == 1
    health = await live.client.get(f"{live.tenant.url}/health", headers=live.tenant.client_headers)
    assert health.json()["guard_alerts"] == []


async def test_a_good_version_is_released_to_everybody(live: Live, bench: Workbench) -> None:
    await live.evaluate_online()
    changeset = await promoted(live, bench)
    await live.use(named("session", 120), good={2})
    guard = await live.advance(changeset.id)
    assert (guard.state, guard.finding) == ("released", "no_regression")
    config = await live.config()
    assert (config["version"], config["arms"]) == (2, [])
    assert (await bench.read(changeset.id)).state == "accepted"


async def test_feedback_counts_from_people_and_trusted_keys_only(live: Live, bench: Workbench) -> None:
    changeset = await promoted(live, bench)
    key = {"name": "feedback", "trusted": True}
    made = await live.client.post(f"{live.tenant.url}/keys", json=key, headers=live.tenant.client_headers)
    trusted = {"Authorization": f"Bearer {made.json()['key']}"}
    await live.use(named("session", 6), good={1})
    for number, headers in enumerate([live.tenant.key_headers] * 3 + [trusted, live.tenant.client_headers]):
        await live.think(f"session-{number}", 1.0, headers)
    await live.think("session-5", 3.0, trusted)  # no score from 0 to 1
    guard = await live.advance(changeset.id)
    assert (guard.source, guard.sessions) == ("feedback", 2)
    marked = await live.client.patch(
        f"{live.tenant.url}/keys/{live.tenant.key_id}", json={"trusted": True}, headers=live.tenant.client_headers
    )
    assert (marked.status_code, marked.json()["trusted"]) == (200, True)
    assert (await live.advance(changeset.id)).sessions == 5


async def test_without_a_holdback_it_alerts_and_never_rolls_back(live: Live, bench: Workbench) -> None:
    await choose(live, "bounded_auto")
    await live.evaluate_online()
    await live.use(named("before", 60), good={1}, age_s=60)
    changeset = await promoted(live, bench, holdback=0)
    assert (await live.config())["arms"] == []
    await live.use(named("after", 60), good={1})
    guard = await live.advance(changeset.id)
    assert (guard.state, guard.finding, guard.share) == ("alerting", "decline", None)
    assert "may be a drift" in (guard.reason or "")
    assert (await bench.read(changeset.id)).state == "accepted"
    assert (await live.config())["version"] == 2


async def test_agents_that_do_not_follow_the_arms_prove_nothing(live: Live, bench: Workbench) -> None:
    await live.evaluate_online()
    changeset = await promoted(live, bench)
    await live.happen([(session, 2, 1.0) for session in named("session", 300)])
    guard = await live.advance(changeset.id)
    assert (guard.state, guard.finding) == ("running", "open")
    assert 100 < guard.crossovers < 200


async def test_what_is_promoted_next_ends_the_guard(live: Live, bench: Workbench) -> None:
    first = await promoted(live, bench)
    other = await bench.propose(0.7)
    await call(live, other.id, "POST", "/accept", {"override_reason": "sure", "holdback": 0.2})
    assert (await live.advance(first.id)).state == "ended"
    promotion = {"version": 1, "reason": "by hand"}
    url = f"{live.tenant.url}/agents/{live.agent_id}/promote"
    assert (await live.client.post(url, json=promotion, headers=live.tenant.client_headers)).status_code == 200
    guard = await live.advance(other.id)
    assert (guard.state, guard.reason) == ("ended", "version 1 was promoted to production")
    held = {"version": 2, "holdback": 0.3}
    answer = await live.client.post(url, json=held, headers=live.tenant.client_headers)
    assert (answer.json()["holdback"], (await live.config())["arms"][1]["weight"]) == (0.3, 0.3)
