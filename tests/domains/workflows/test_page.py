"""Every document of `docs/workflows.md` is run, and so every kind of step; the page on running names every event."""

import asyncio
import re
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import httpx
import pytest

from spectral.domains.workflows import execution, runs
from spectral.domains.workflows.definitions.language import KINDS
from spectral.domains.workflows.execution.states import RunStatus
from spectral.platform.db.session import Database
from tests.domains.workflows.performing import DONE, Performance
from tests.domains.workflows.runs.acting import PATIENCE_S, Stage
from tests.fixtures.project import ROOT
from tests.fixtures.receivers import Reply, receiving
from tests.fixtures.tenants import register_tenant

PAGE = (ROOT / "docs" / "workflows.md").read_text(encoding="utf-8")
DOCUMENTS = {
    found.group(1): found.group(0) for found in re.finditer(r"(?<=```yaml\n)name: (\S+)\n.*?(?=```)", PAGE, re.DOTALL)
}
TOUR = (ROOT / "docs" / "running-workflows.md").read_text(encoding="utf-8")

Ends = Callable[[Performance], Coroutine[Any, Any, None]]


@pytest.fixture
async def play(engine_client: httpx.AsyncClient, database: Database) -> Performance:
    play = Performance(Stage(engine_client, database, await register_tenant(engine_client, "ours")))
    for source in DOCUMENTS.values():
        await play.store(source)
    return play


async def gives(play: Performance, name: str, inputs: dict[str, Any]) -> Any:
    """Outputs of a run that needs nobody."""
    run = await play.begin(name, inputs, until="succeeded")
    return run["outputs"]


async def until_even(play: Performance) -> None:
    assert await gives(play, "until-even", {"n": 2}) == {"even": 4}
    assert await gives(play, "until-even", {"n": 3}) == {"even": 4}


async def tasks(play: Performance) -> None:
    run = await play.begin("kind-task", {}, until="succeeded")
    (line,) = (await play.stage.get(f"/runs/{run['id']}/logs"))["results"]
    assert line["message"].startswith('The time is {"at":')


async def agent(play: Performance) -> None:
    run = await play.begin("kind-agent", {"ticket": "The login shows an error"}, until="succeeded")
    assert run["outputs"]["output"] == "technical"
    assert run["spent"]["tokens"] > 0


async def prompt(play: Performance) -> None:
    run = await play.begin("kind-prompt", {"question": "Is that fine?"}, until="succeeded")
    assert run["outputs"]["text"] == "yes"
    tokens = (await play.stage.get(f"/runs/{run['id']}/events?type=token"))["results"]
    assert "".join(token["data"]["text"] for token in tokens) == "yes"


async def structured_output(play: Performance) -> None:
    good = await gives(play, "kind-structured-output", {"text": "I love this, great work"})
    assert (good["data"], good["repairs"]) == ({"sentiment": "good"}, 0)
    bad = await gives(play, "kind-structured-output", {"text": "This is awful"})
    assert bad["data"] == {"sentiment": "bad"}


async def http(play: Performance) -> None:
    opened = await play.stage.send("PUT", "/workflow-settings", {"allowed_networks": ["127.0.0.1"]})
    assert opened.status_code == 200, opened.text
    with receiving() as receiver:
        receiver.answer = lambda _: Reply(200, b'{"a": 1}', {"Content-Type": "application/json"})
        outputs = await gives(play, "kind-http", {"url": receiver.url})
        assert (outputs["status"], outputs["json"]) == (200, {"a": 1})
        receiver.answer = lambda _: Reply(404)
        assert (await gives(play, "kind-http", {"url": receiver.url}))["status"] == 404
        assert receiver.received[0].headers["accept"] == "application/json"


async def wait_event(play: Performance) -> None:
    run = await play.begin("kind-wait-event", {}, until="waiting")
    await play.signal(run, "paid", {"amount": 5})
    ended = await play.until(run["id"], *DONE)
    assert (ended["outputs"]["payload"], ended["outputs"]["timed_out"]) == ({"amount": 5}, False)


async def interrupt(play: Performance) -> None:
    asks = await play.run("kind-interrupt", {"amount": 7})
    assert ((await play.question(asks))["title"], asks["status"]) == ("Pay 7?", "interrupted")
    asks = await play.answer(asks)
    assert asks["status"] == "awaiting_input"
    question = await play.question(asks)
    answer = {"data": {"iban": "AA00"}, "wait": PATIENCE_S}
    ended = (await play.stage.post(f"/interrupts/{question['id']}/answer", answer))["run"]
    assert (ended["status"], ended["outputs"]["data"]) == ("succeeded", {"iban": "AA00"})
    rejected = await play.answer(await play.run("kind-interrupt", {"amount": 7}), approved=False)
    assert rejected["status"] == "succeeded"
    assert (await play.steps(rejected))["address"] == "skipped"


async def race(play: Performance) -> None:
    assert (await gives(play, "kind-race", {}))["winner"] == "time"
    await play.store(DOCUMENTS["kind-race"].replace("100ms", "1h"))
    run = await play.begin("kind-race", {}, until="waiting")
    await play.signal(run, "ready", 1)
    ended = await play.until(run["id"], *DONE)
    assert (ended["outputs"]["winner"], ended["outputs"]["result"]["payload"]) == ("event", 1)
    assert (await play.steps(ended))["first[time]/time"] == "cancelled"


async def loop(play: Performance) -> None:
    assert await gives(play, "kind-loop", {}) == {"result": {"n": 3}, "iterations": 3, "exhausted": False}


async def tap(play: Performance) -> None:
    run = await play.begin("kind-tap", {}, until="succeeded")
    assert run["outputs"] == {"still": 1}
    assert "failed" in (await play.steps(run)).values()


async def remote(play: Performance) -> None:
    run = await play.begin("kind-remote", {"image": "cat.png"}, until="waiting")
    key = {"Authorization": f"Bearer {play.stage.tenant.api_key}"}
    leased = await play.stage.send("POST", "/queues/images/lease", {"capacity": 1, "wait_s": 5}, **key)
    assert leased.status_code == 200, leased.text
    (task,) = leased.json()["tasks"]
    assert (task["task"], task["inputs"]) == ("resize", {"image": "cat.png", "width": 200})
    result = {"lease_token": task["lease_token"], "output": {"size": 9}}
    taken = await play.stage.send("POST", f"/queues/images/{task['task_id']}/result", result, **key)
    assert taken.status_code == 204, taken.text
    assert (await play.until(run["id"], *DONE))["outputs"] == {"size": 9}


async def memory(play: Performance) -> None:
    user = {"user": "ann", "language": "fr"}
    assert await gives(play, "kind-memory", user) == {"before": "unknown", "now": "fr"}
    assert await gives(play, "kind-memory", {**user, "language": "it"}) == {"before": "fr", "now": "it"}


def plainly(name: str, inputs: dict[str, Any], outputs: Any) -> Ends:
    async def check(play: Performance) -> None:
        assert await gives(play, name, inputs) == outputs

    return check


CHECKS: dict[str, Ends] = {
    "greet": plainly("greet", {}, {"text": "Hello you"}),
    "until-even": until_even,
    "kind-task": tasks,
    "kind-map": plainly("kind-map", {"first": "Ann", "last": "Lee"}, {"name": "Ann Lee", "initials": "ANN"}),
    "kind-agent": agent,
    "kind-prompt": prompt,
    "kind-structured-output": structured_output,
    "kind-http": http,
    "kind-wait-event": wait_event,
    "kind-sleep": plainly("kind-sleep", {}, {"slept_until": "2020-01-01T00:00:00+00:00"}),
    "kind-interrupt": interrupt,
    "kind-when": plainly("kind-when", {"amount": 101}, {"size": "large"}),
    "kind-branch": plainly("kind-branch", {"score": 60}, {"grade": "b"}),
    "kind-all": plainly("kind-all", {}, {"sides": ["left", "right"]}),
    "kind-race": race,
    "kind-foreach": plainly(
        "kind-foreach", {}, {"results": [{"text": f"{n}: hello {name}"} for n, name in enumerate("abc")], "count": 3}
    ),
    "kind-loop": loop,
    "kind-tap": tap,
    "kind-subflow": plainly("kind-subflow", {}, {"text": "Hello Jane"}),
    "kind-remote": remote,
    "kind-memory": memory,
}


def test_every_document_and_every_kind_is_run() -> None:
    assert set(CHECKS) == set(DOCUMENTS)
    assert set(KINDS) <= {kind for source in DOCUMENTS.values() for kind in re.findall(r"kind: ([a-z_.]+)", source)}


async def test_every_document_of_the_page_runs_as_it_says(play: Performance) -> None:
    async with asyncio.TaskGroup() as group:
        for name, check in CHECKS.items():
            group.create_task(check(play), name=name)
    assert (await play.stage.get("/runs/summary"))["by_status"].get("failed", 0) == 0


def test_the_tour_names_every_status_and_every_event() -> None:
    told = set(re.findall(r"`([a-z_.]+)`", TOUR))
    assert {status.value for status in RunStatus} <= told
    written: set[str] = set()
    for package in (execution, runs):
        for path in Path(package.__path__[0]).glob("*.py"):
            written |= set(re.findall(r'(?:NewEvent|_tell)\(\s*"([a-z_.]+)"', path.read_text(encoding="utf-8")))
    assert len(written) > 20
    # The others are made of a status: what a run is told to be.
    assert written | {f"run.{status.value}" for status in RunStatus} <= told | {"run.running"}
