"""Schedules over HTTP, and what comes of their times: started once, skipped, refused; nothing half done."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest

from spectral.domains.scans.launch import ScanLauncher
from spectral.domains.scans.models import ScanFiring, ScanSchedule
from spectral.domains.scans.repository import ScanFiringRepository, ScanScheduleRepository
from spectral.domains.scans.schedules_firing import ScheduleFiring
from spectral.domains.workflows.execution.launching import Launcher
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.session import Database
from spectral.platform.llm.door import ModelDoor
from spectral.platform.llm.local.provider import LocalProvider
from tests.domains.agents.executing import runtimes_of
from tests.domains.scans.executing import NoQueue
from tests.domains.scans.lab import Lab
from tests.fixtures.tenants import Tenant


@pytest.fixture
async def lab(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Lab:
    made = Lab(client, database, tenant)
    await made.prepare(115)
    return made


def firing_of(lab: Lab, now: datetime) -> ScheduleFiring:
    """What a process does at an interval, at that moment."""
    door = ModelDoor([LocalProvider()])

    def launching(session: Any, access: WorkspaceAccess) -> ScanLauncher:
        return ScanLauncher(session, access, door, runtimes_of(door), Launcher(NoQueue()))  # type: ignore[arg-type]

    return ScheduleFiring(lab.database, launching, lambda: now)


async def create(lab: Lab, **changes: Any) -> dict[str, Any]:
    body = {"name": "nightly", "cron": "0 2 * * *", "time_zone": "Europe/Berlin", "request": lab.request(), **changes}
    answer = await lab.call("POST", "/schedules", body)
    assert answer.status_code == 201, answer.text
    lab.ids["schedule_id"] = answer.json()["id"]
    made: dict[str, Any] = answer.json()
    return made


async def firings(lab: Lab) -> list[dict[str, Any]]:
    """The last first."""
    listed: list[dict[str, Any]] = (await lab.call("GET", "/schedules/{schedule_id}/firings")).json()["results"]
    return listed


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


async def test_a_schedule_is_kept_changed_and_removed(lab: Lab) -> None:
    request = lab.request(budget={"max_evaluations": 2500, "max_cost_usd": "0.5"})
    del request["seed"]
    made = await create(lab, request=request)
    assert (made["request"], made["enabled"], made["last_firing"]) == (request, True, None)
    next_run = moment(made["next_run_at"])
    assert next_run > datetime.now(UTC)
    assert (next_run.astimezone().minute, next_run <= datetime.now(UTC) + timedelta(hours=26)) == (0, True)
    assert (await lab.call("GET", "/schedules")).json()["results"] == [made]

    off = await lab.call("PATCH", "/schedules/{schedule_id}", {"enabled": False})
    assert (off.status_code, off.json()["next_run_at"]) == (200, None)
    on = (await lab.call("PATCH", "/schedules/{schedule_id}", {"enabled": True, "time_zone": "UTC"})).json()
    assert moment(on["next_run_at"]).hour == 2
    twin = await lab.call("POST", "/schedules", {"name": "nightly", "cron": "0 2 * * *", "request": request})
    assert (twin.status_code, twin.json()["type"].rpartition("/")[2]) == (409, "duplicate-schedule")

    assert (await lab.call("DELETE", "/schedules/{schedule_id}")).status_code == 204
    assert (await lab.call("GET", "/schedules/{schedule_id}")).status_code == 404
    await refuses_bad_schedules(lab)


BAD: list[tuple[dict[str, Any], int, str | None]] = [
    ({"cron": "61 * * * *"}, 422, "/cron"),
    ({"cron": "0 0 30 2 *"}, 422, "/cron"),
    ({"time_zone": "Mars/Olympus"}, 422, "/time_zone"),
    ({"time_zone": "../../etc/passwd"}, 422, "/time_zone"),
    ({"name": " "}, 422, "/name"),
    ({"surprise": 1}, 422, "/surprise"),
    ({"request": {"agent_id": "x"}}, 422, "/request/agent_id"),
    ({"request": {"strategies": ["nonsense"]}}, 422, "/strategies/0"),
    ({"request": {"agent_id": "0191d3a0-0000-7000-8000-000000000000"}}, 404, None),
]


async def refuses_bad_schedules(lab: Lab) -> None:
    for changes, status, pointer in BAD:
        request = lab.request(**changes.get("request", {}))
        body = {"name": "bad", "cron": "0 2 * * *", **changes, "request": request}
        answer = await lab.call("POST", "/schedules", body)
        assert answer.status_code == status, answer.text
        if pointer is not None:
            assert pointer in {error["pointer"] for error in answer.json()["errors"]}, answer.text
    assert (await lab.call("GET", "/schedules")).json()["pagination"]["total"] == 0


async def test_each_time_is_answered_once_by_whoever_looks(lab: Lab) -> None:
    request = lab.request(strategies=["few_shot"])
    del request["seed"]
    made = await create(lab, request=request)
    due = moment(made["next_run_at"])
    await firing_of(lab, due - timedelta(seconds=1)).run()
    assert await firings(lab) == []

    # Two processes at once: one of them finds nothing to do.
    await asyncio.gather(firing_of(lab, due).run(), firing_of(lab, due + timedelta(seconds=1)).run())
    (started,) = await firings(lab)
    assert (started["outcome"], moment(started["due_at"]), started["problem"]) == ("started", due, None)
    scan = (await lab.call("GET", f"/{started['scan_id']}")).json()
    assert (scan["status"], scan["created_by"]) == ("queued", f"system:schedule {made['id']}")

    # It has not ended the next night, so that one is skipped; of two nights nobody looked, one is made up for.
    await firing_of(lab, due + timedelta(days=1)).run()
    lab.ids["scan_id"] = started["scan_id"]
    assert (await lab.call("POST", "/{scan_id}/cancel")).status_code == 200
    await firing_of(lab, due + timedelta(days=3, hours=5)).run()
    last, skipped, _ = await firings(lab)
    assert (skipped["outcome"], skipped["scan_id"]) == ("skipped", started["scan_id"])
    assert (last["outcome"], moment(last["due_at"]).date()) == ("started", (due + timedelta(days=2)).date())
    seeds = [(await lab.call("GET", f"/{one['scan_id']}")).json()["seed"] for one in (last, started)]
    assert seeds[0] != seeds[1]
    shown = (await lab.call("GET", "/schedules/{schedule_id}")).json()
    assert shown["last_firing"] == last
    assert moment(shown["next_run_at"]) > due + timedelta(days=3, hours=5)
    await keeps_only_the_last(lab, UUID(made["id"]))


async def test_what_is_refused_is_kept_told_and_harms_no_neighbour(lab: Lab) -> None:
    few = await lab.create_set("few", 60)
    made = await create(lab, request=lab.request(sample_set_id=few))
    due = moment(made["next_run_at"])
    await create(lab, name="neighbour")
    async with lab.database.transaction(lab.tenant.access) as session:
        schedules = ScanScheduleRepository(session, lab.tenant.access)
        broken = await schedules.get(UUID(made["id"]))
        # As a later release might find a request that an earlier one took.
        twin = {name: getattr(broken, name) for name in ("account_id", "cron", "time_zone", "created_by")}
        twin |= {"request": {**broken.request, "repeats": 99}, "enabled": True, "next_run_at": due, "updated_at": due}
        schedules.add(ScanSchedule(name="old", **twin))
    await firing_of(lab, due).run()
    schedules_now = (await lab.call("GET", "/schedules")).json()["results"]
    outcomes = {one["name"]: one["last_firing"] for one in schedules_now}
    assert outcomes["neighbour"]["outcome"] == "started"
    assert outcomes["old"]["problem"]["type"] == "validation-failed"
    problem = outcomes["nightly"]["problem"]
    assert (outcomes["nightly"]["outcome"], problem["type"]) == ("refused", "scan-not-ready")
    assert "no frozen holdout" in problem["detail"]
    told = (await lab.call("GET", "", below="/events", params={"limit": 100})).json()["results"]
    refused = [event for event in told if event["type"] == "scan.schedule_refused"]
    assert {event["data"]["name"] for event in refused} == {"nightly", "old"}
    assert (await lab.call("GET", "")).json()["pagination"]["total"] == 1


async def keeps_only_the_last(lab: Lab, schedule_id: UUID) -> None:
    access = lab.tenant.access
    async with lab.database.transaction(access) as session:
        repository = ScanFiringRepository(session, access)
        before = await repository.last_started(schedule_id)
        later = datetime(2126, 1, 1, tzinfo=UTC)
        for number in range(8):
            due_at = later + timedelta(days=number)
            repository.add(ScanFiring(schedule_id=schedule_id, due_at=due_at, outcome="refused"))
        await repository.flush()
        await repository.forget_old(schedule_id, 5)
        kept = await repository.find_all(order_by=(ScanFiring.due_at,))
        # The last that started something stays too: it says what still runs.
        assert before is not None
        assert [firing.due_at.year for firing in kept] == [before.due_at.year] + 5 * [2126]


async def test_a_night_has_its_budget(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounded autonomy: what schedules may spend in 24 hours is one amount, whatever each asks for."""
    bounds = {"max_cost_increase_percent": 5, "allowed_change_kinds": ["few_shot"], "budget_per_night_usd": "1"}
    answer = await lab.call("PUT", "", {"mode": "bounded_auto", "bounds": bounds}, below="/autonomy")
    assert answer.status_code == 200, answer.text
    # The built-in models cost nothing; here they are said to.
    monkeypatch.setattr("spectral.domains.scans.costing.CostForecast.is_free", False)
    asked = {"budget": {"max_evaluations": 2500, "max_cost_usd": "0.7"}}
    first = await create(lab, name="first", request=lab.request(**asked))
    await create(lab, name="second", request=lab.request(**asked))
    await create(lab, name="third", request=lab.request(**asked))
    due = moment(first["next_run_at"])
    await firing_of(lab, due).run()
    found = {one["name"]: one["last_firing"] for one in (await lab.call("GET", "/schedules")).json()["results"]}
    outcomes = sorted((one["outcome"], (one["problem"] or {}).get("type")) for one in found.values())
    assert outcomes == [("refused", "night-budget-spent"), ("started", None), ("started", None)]
    budgets = sorted(one["budget"]["max_cost_usd"] for one in await scans_of(lab, found))
    assert budgets == ["0.3", "0.7"]


async def scans_of(lab: Lab, found: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        (await lab.call("GET", f"/{one['scan_id']}")).json() for one in found.values() if one["scan_id"] is not None
    ]
