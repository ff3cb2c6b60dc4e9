"""Scans over HTTP: who may, what is answered, what is refused, and a whole scan from its start to its report."""

import asyncio
import json
from html.parser import HTMLParser
from typing import Any
from uuid import uuid4

import httpx
import pytest

from spectral.domains.scans import run
from spectral.domains.scans.run import ScanRun
from spectral.domains.scans.states import Phase
from spectral.platform.db.session import Database
from spectral.platform.engine.errors import LeaseLostError
from tests.domains.scans.lab import Lab
from tests.domains.scans.toy_tickets import TELLING, TEXT, champion
from tests.fixtures.tenants import Tenant

ROUTES = [
    ("GET", ""),
    ("POST", ""),
    ("POST", "/preview"),
    ("GET", "/{scan_id}"),
    ("GET", "/{scan_id}/events"),
    ("GET", "/{scan_id}/cost"),
    ("GET", "/{scan_id}/report"),
    ("POST", "/{scan_id}/cancel"),
    ("POST", "/{scan_id}/pause"),
    ("POST", "/{scan_id}/resume"),
]


@pytest.fixture
async def lab(client: httpx.AsyncClient, database: Database, tenant: Tenant) -> Lab:
    made = Lab(client, database, tenant)
    await made.prepare()
    return made


async def test_a_whole_scan(lab: Lab) -> None:
    started = await lab.call("POST", "", lab.request(), headers={"Idempotency-Key": "scan-1"})
    assert started.status_code == 202
    scan = started.json()
    lab.ids["scan_id"] = scan["id"]
    assert started.headers["location"] == f"{lab.tenant.url}/scans/{scan['id']}"
    assert (scan["status"], scan["phase"], scan["phases"], scan["results"]) == ("queued", None, [], None)
    again = await lab.call("POST", "", lab.request(), headers={"Idempotency-Key": "scan-1"})
    assert again.json()["id"] == scan["id"]

    scan = await lab.run(scan["id"])
    assert (scan["status"], scan["outcome"], scan["failure"]) == ("completed", "validated", None)
    assert [phase["name"] for phase in scan["phases"]] == [
        *("observe", "detect", "cluster", "generate", "evaluate", "diagnose", "safety")
    ]
    assert scan["progress"]["phases_finished"] == 7
    assert scan["progress"]["evaluations"] <= scan["budget"]["max_evaluations"] == 2500
    assert scan["results"]["winner"]["beats"] is True
    assert scan["results"]["validation"]["verdict"] == "validated"
    assert scan["results"]["validation"]["holdout_id"] == scan["holdout_id"]
    assert {candidate["strategy"] for candidate in scan["candidates"]} >= {"reflective", "few_shot"}

    changeset = (await lab.call("GET", f"/{scan['changeset_id']}", below="/changesets")).json()
    assert (changeset["state"], changeset["scan_id"]) == ("validated", scan["id"])
    clusters = await lab.call("GET", f"/{scan['changeset_id']}/clusters", below="/changesets")
    assert clusters.json()["pagination"]["total"] == len(scan["results"]["clusters"]) > 0
    experiment = await lab.call("GET", f"/experiments/{scan['experiment_id']}", below="/changesets")
    assert experiment.status_code == 200
    assert len(experiment.json()["arms"]) == 1 + len(scan["phases"][4]["result"]["finalists"])

    listed = (await lab.call("GET", "", params={"agent_id": lab.ids["agent_id"], "status": "completed"})).json()
    assert [one["id"] for one in listed["results"]] == [scan["id"]]
    assert (await lab.call("GET", "", params={"status": "failed"})).json()["pagination"]["total"] == 0

    cost = (await lab.call("GET", "/{scan_id}/cost")).json()
    assert cost["total_cost_usd"] == "0"
    assert {line["purpose"] for line in cost["by_model"]} == {"agent", "validation"}
    assert cost["evaluations"] == sum(line["calls"] for line in cost["by_model"]) <= 2500

    await check_events(lab)
    told = (await lab.call("GET", "", below="/events", params={"limit": 100})).json()["results"]
    kinds = [event["type"] for event in told]
    assert kinds[0] == "scan.finished"
    assert kinds.count("scan.phase_started") == 7
    assert {"changeset.proposed", "changeset.validated"} <= set(kinds)
    assert told[0]["data"]["outcome"] == "validated"
    await check_report(lab, scan)
    refused = await lab.call("POST", "/{scan_id}/cancel")
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "invalid-transition")
    holdout = await lab.call("GET", f"/{lab.ids['sample_set_id']}", below="/samples")
    assert holdout.json()["holdout"]["looks"] == 1


async def check_events(lab: Lab) -> None:
    everything = (await lab.call("GET", "/{scan_id}/events", params={"limit": 100})).json()
    events = everything["results"]
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["scan.created", "scan.started"]
    assert kinds[-1] == "scan.completed"
    assert kinds.count("scan.phase_started") == kinds.count("scan.phase_finished") == 7
    assert {"scan.cluster_found", "scan.candidate_proposed", "scan.candidate_evaluated", "scan.holdout_asked"} <= set(
        kinds
    )

    pages, cursor = [], None
    while True:
        params = {"limit": 7} | ({} if cursor is None else {"cursor": cursor})
        page = (await lab.call("GET", "/{scan_id}/events", params=params)).json()
        pages += page["results"]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            break
    assert pages == events
    after = await lab.call("GET", "/{scan_id}/events", params={"after": 3, "offset": 1, "limit": 2})
    assert [event["seq"] for event in after.json()["results"]] == [5, 6]

    stream = {"Accept": "text/event-stream"}
    streamed = await lab.call("GET", "/{scan_id}/events", headers=stream)
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert frames(streamed.text) == events
    resumed = await lab.call("GET", "/{scan_id}/events", headers={**stream, "Last-Event-ID": str(len(events) - 2)})
    assert frames(resumed.text) == events[-2:]


def frames(text: str) -> list[Any]:
    """The events of a stream; their ids and names agree with what they hold."""
    found = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "data" in lines:
            event = json.loads(lines["data"])
            assert (lines["id"], lines["event"]) == (str(event["seq"]), event["type"])
            found.append(event)
    return found


async def check_report(lab: Lab, scan: dict[str, Any]) -> None:
    plain = await lab.call("GET", "/{scan_id}/report")
    assert plain.headers["content-type"].startswith("application/json")
    report = plain.json()
    assert (report["outcome"], report["changeset_id"]) == ("validated", scan["changeset_id"])
    assert "untouched holdout" in report["headline"]
    assert report["note"].startswith("built-in local runtime")

    page = await lab.call("GET", "/{scan_id}/report", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    policy = page.headers["content-security-policy"].split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "sandbox"} <= set(policy)
    tags = Tags()
    tags.feed(page.text)
    assert not tags.seen & {"script", "img", "link", "iframe", "form"}
    assert "&lt;script&gt;" in page.text

    text = await lab.call("GET", "/{scan_id}/report", headers={"Accept": "text/markdown"})
    assert text.headers["content-type"] == "text/markdown; charset=utf-8"
    assert "<script>" not in text.text
    assert "![img]" not in text.text
    assert "## Failure clusters" in text.text


class Tags(HTMLParser):
    """Which elements a page has."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, _attributes: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)


async def test_preview_says_what_a_scan_would_need_and_spends_nothing(lab: Lab) -> None:
    answer = await lab.call("POST", "/preview", lab.request())
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    assert (preview["ready"], preview["missing"], preview["estimated_cost_usd"]) == (True, [], "0")
    assert preview["readiness"]["samples"] == {"reflect": 100, "select": 75, "holdout": 75}
    assert 0.1 < preview["readiness"]["detectable"]["effect"] < 0.25
    assert any("75 pairs detect a gain of" in warning for warning in preview["readiness"]["warnings"])
    assert preview["least_evaluations"] < preview["plan"]["max_evaluations"] == 2500

    small = (await lab.call("POST", "/preview", lab.request(budget={"max_evaluations": 100}))).json()
    assert (small["ready"], small["plan"]) == (False, None)
    assert f"at least {small['least_evaluations']} evaluations" in small["missing"][0]
    assert (await lab.call("GET", "")).json()["pagination"]["total"] == 0
    refused = await lab.call("POST", "", lab.request(budget={"max_evaluations": 100}))
    assert refused.status_code == 400
    assert refused.json()["needed_evaluations"] == small["least_evaluations"]
    exact = await lab.call("POST", "", lab.request(budget={"max_evaluations": small["least_evaluations"]}))
    assert exact.status_code == 202


async def test_the_least_budget_is_enough_and_never_exceeded(lab: Lab) -> None:
    least = (await lab.call("POST", "/preview", lab.request())).json()["least_evaluations"]
    scan = await lab.run(await lab.start(budget={"max_evaluations": least, "max_cost_usd": "1"}))
    assert scan["status"] == "completed", scan["failure"]
    assert scan["progress"]["evaluations"] <= least


async def test_without_enough_data_nothing_is_started(lab: Lab) -> None:
    few = await lab.create_set("few", 60)
    preview = (await lab.call("POST", "/preview", lab.request(sample_set_id=few))).json()
    assert preview["ready"] is False
    assert preview["readiness"]["mode"] == "synthetic_only"
    assert [missing.split(" ")[0:3] for missing in preview["missing"]] == [
        ["there", "is", "no"],
        ["the", "select", "split"],
    ]
    refused = await lab.call("POST", "", lab.request(sample_set_id=few))
    assert (refused.status_code, refused.json()["missing"]) == (400, preview["missing"])
    assert refused.json()["type"].endswith("/scan-not-ready")


async def test_a_champion_against_itself_ends_without_a_proposal(lab: Lab) -> None:
    body = {"strategies": ["template"], "candidates": [champion().as_json()]}
    scan = await lab.run(await lab.start(**body))
    assert (scan["status"], scan["outcome"], scan["changeset_id"]) == ("completed", "no_improvement", None)
    report = (await lab.call("GET", "/{scan_id}/report")).json()
    assert "nothing is proposed" in report["headline"]
    assert (await lab.call("GET", "", below="/changesets")).json()["pagination"]["total"] == 0


async def test_a_persons_own_candidate_is_tried(lab: Lab) -> None:
    better = champion(descriptions=TELLING).as_json()
    better["search_space"] = []
    scan = await lab.run(await lab.start(strategies=["template"], candidates=[better]))
    assert scan["outcome"] == "validated"
    assert [set(candidate["changes"]) for candidate in scan["candidates"]] == [{TEXT}]
    foreign = json.loads(json.dumps(better))
    foreign["parameters"] = {"temperature": 1}
    refused = await lab.call("POST", "", lab.request(strategies=["template"], candidates=[foreign]))
    assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (400, "search-space-violation")


async def test_cancelling(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = await lab.start()
    cancelled = await lab.call("POST", "/{scan_id}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert (await lab.call("POST", "/{scan_id}/cancel")).json()["status"] == "cancelled"
    events = (await lab.call("GET", "/{scan_id}/events")).json()["results"]
    assert [event["type"] for event in events] == ["scan.created", "scan.cancelled"]

    running = await lab.start()
    reached, goes_on = asyncio.Event(), asyncio.Event()

    async def held(_work: Any) -> Any:
        reached.set()
        await goes_on.wait()

    with monkeypatch.context() as patched:
        patched.setitem(run.PHASE_FUNCTIONS, Phase.DETECT, held)
        executing = asyncio.create_task(lab.execute(await lab.claim(running)))
        await asyncio.wait_for(reached.wait(), 30)
        assert (await lab.call("POST", "/{scan_id}/cancel")).json()["status"] == "cancelled"
        goes_on.set()
        with pytest.raises(LeaseLostError):
            await executing
    scan = (await lab.call("GET", "/{scan_id}")).json()
    assert (scan["status"], scan["outcome"]) == ("cancelled", None)
    kinds = [event["type"] for event in (await lab.call("GET", "/{scan_id}/events")).json()["results"]]
    assert kinds[0:2] == ["scan.created", "scan.started"]
    assert kinds[-1] == "scan.cancelled"
    # An engine that begins the waiting one in spite of all finds that it has ended.
    await lab.execute(await lab.claim(waiting))


async def test_a_zombie_writes_nothing(lab: Lab) -> None:
    scan_id = await lab.start()
    zombie = await lab.claim(scan_id)
    await lab.claim(scan_id)
    with pytest.raises(LeaseLostError):
        await lab.execute(zombie)
    assert (await lab.call("GET", "/{scan_id}")).json()["status"] == "queued"


async def test_changed_samples_end_the_scan(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = await lab.start()
    finish = ScanRun._finish_phase

    class StoppedError(BaseException):
        pass

    async def once(*arguments: Any) -> Any:
        await finish(*arguments)
        raise StoppedError

    context = await lab.claim(scan_id)
    with monkeypatch.context() as patched:
        patched.setattr(ScanRun, "_finish_phase", once)
        with pytest.raises(StoppedError):
            await lab.execute(context)
    path = f"/{lab.ids['sample_set_id']}/items"
    items = (await lab.call("GET", path, below="/samples", params={"split": "reflect", "limit": 1})).json()["results"]
    answer = await lab.call("DELETE", f"{path}/{items[0]['id']}", below="/samples")
    assert answer.status_code == 204
    ended = await lab.run(scan_id)
    assert ended["status"] == "failed"
    assert ended["failure"]["type"] == "samples-changed"
    assert "start a new scan" in ended["failure"]["detail"]


async def test_who_may(lab: Lab, other_tenant: Tenant) -> None:
    await lab.start()

    async def status(method: str, address: str, headers: dict[str, str]) -> int:
        body = lab.request() if method == "POST" else None
        return (await lab.client.request(method, address, headers=headers, json=body)).status_code

    for method, path in ROUTES:
        url = f"{lab.tenant.url}/scans{path.format_map(lab.ids)}"
        mine = f"{other_tenant.url}/scans{path.format_map(lab.ids)}"
        assert await status(method, url, {}) == 401, url
        assert await status(method, url, lab.tenant.key_headers) == 403, url
        assert await status(method, url, other_tenant.client_headers) == 404, url
        own_list = (method, path) == ("GET", "")
        assert await status(method, mine, other_tenant.client_headers) == (200 if own_list else 404), mine
        for name in (str(uuid4()), "not-an-id") if "{scan_id}" in path else ():
            assert (await lab.call(method, path.replace("{scan_id}", name))).status_code == 404, url
    assert (await lab.call("GET", "")).json()["pagination"]["total"] == 1


BAD_REQUESTS: list[tuple[dict[str, Any], int, str | None]] = [
    ({"strategies": []}, 422, "/strategies"),
    ({"strategies": ["nonsense"]}, 422, "/strategies/0"),
    ({"strategies": ["few_shot", "few_shot"]}, 422, "/strategies"),
    ({"strategies": ["template"]}, 422, "/candidates"),
    ({"strategies": ["template", "few_shot"], "candidates": [champion().as_json()]}, 422, "/strategies"),
    ({"candidates": [champion().as_json()]}, 422, "/candidates"),
    ({"strategies": ["template"], "candidates": [{}]}, 422, "/candidates/0/prompts"),
    ({"seed": -1}, 422, "/seed"),
    ({"repeats": 0}, 422, "/repeats"),
    ({"budget": {"max_evaluations": 0}}, 422, "/budget/max_evaluations"),
    ({"budget": {"max_cost_usd": "-1"}}, 422, "/budget/max_cost_usd"),
    ({"target_environment": "Not good"}, 422, "/target_environment"),
    ({"surprise": 1}, 422, "/surprise"),
    ({"agent_id": "nonsense"}, 422, "/agent_id"),
    ({"agent_id": str(uuid4())}, 404, None),
    ({"sample_set_id": str(uuid4())}, 404, None),
    ({"objective_id": str(uuid4())}, 404, None),
    ({"rubric_id": str(uuid4())}, 400, None),
    ({"reflection_model": "no-such-model"}, 400, None),
    ({"target_environment": "staging"}, 400, None),
]


async def test_bad_input_is_a_problem_and_starts_nothing(lab: Lab) -> None:
    for changes, status, pointer in BAD_REQUESTS:
        for path in ("", "/preview"):
            answer = await lab.call("POST", path, lab.request(**changes))
            assert answer.status_code == status, f"{changes}: {answer.text}"
            assert answer.headers["content-type"].startswith("application/problem+json")
            if pointer is not None:
                assert pointer in {error["pointer"] for error in answer.json()["errors"]}, answer.text
    assert (await lab.call("GET", "")).json()["pagination"]["total"] == 0


async def test_bad_places_among_events_are_refused(lab: Lab) -> None:
    await lab.start()
    for params in ({"cursor": "x"}, {"cursor": "1", "offset": "1"}, {"after": "-1"}, {"limit": "101"}, {"after": "x"}):
        answer = await lab.call("GET", "/{scan_id}/events", params=params)
        assert answer.status_code == 422, answer.text
    headers = {"Accept": "text/event-stream", "Last-Event-ID": "nonsense"}
    assert (await lab.call("GET", "/{scan_id}/events", headers=headers)).status_code == 422


async def test_what_a_scan_refers_to_cannot_be_deleted(lab: Lab) -> None:
    await lab.start()
    for below in (
        f"/agents/{lab.ids['agent_id']}",
        f"/samples/{lab.ids['sample_set_id']}",
        f"/evaluations/objectives/{lab.ids['objective_id']}",
        f"/evaluations/rubrics/{lab.ids['rubric_id']}",
    ):
        answer = await lab.call("DELETE", "", below=below)
        assert (answer.status_code, answer.json()["type"].endswith("-in-use")) == (400, True), answer.text
