"""Every built-in example is run to each of its ends: stored, started, answered and signalled over HTTP."""

from typing import Any

import httpx
import pytest

from spectral.domains.workflows.definitions.built_in import examples
from spectral.platform.db.session import Database
from tests.domains.workflows.performing import Performance
from tests.domains.workflows.runs.acting import Stage
from tests.fixtures.receivers import Received, Reply, receiving
from tests.fixtures.tenants import register_tenant

SHORT = "50ms"
"""Instead of the hours and days of an example, where its time is to run out."""


@pytest.fixture
async def play(engine_client: httpx.AsyncClient, database: Database) -> Performance:
    return Performance(Stage(engine_client, database, await register_tenant(engine_client, "ours")))


def test_every_example_is_run_here() -> None:
    assert {f"test_{example.name.replace('-', '_')}" for example in examples()} <= set(globals())


async def test_approval(play: Performance) -> None:
    name = await play.example("approval")
    asks = await play.run(name, {"subject": "The trip", "details": "To Rome"})
    assert asks["status"] == "interrupted"
    question = await play.question(asks)
    assert (question["title"], question["description"]) == ("Approve: The trip?", "To Rome")
    assert (question["on_timeout"], question["kind"]) == ("reject", "decision")
    approved = await play.answer(asks, comment="Enjoy")
    assert approved["outputs"] == {"approved": True, "message": "The trip was approved"}
    assert (await play.step(approved, "decide"))["outputs"]["comment"] == "Enjoy"
    begins = ["run.queued", "run.started", "step.started decide", "interrupt.requested decide", "run.interrupted"]
    ends = ["step.completed decide", "step.started tell", "step.completed tell", "run.succeeded"]
    assert await play.events(approved) == [*begins, "interrupt.answered decide", *ends]

    rejected = await play.answer(await play.run(name, {"subject": "The trip"}), approved=False)
    assert rejected["outputs"] == {"approved": False, "message": "The trip was rejected"}
    assert rejected["status"] == "succeeded"

    await play.example("approval", timeout=SHORT)
    late = await play.begin(name, {"subject": "The trip"}, until="succeeded")
    assert late["outputs"] == rejected["outputs"]
    assert await play.events(late) == [*begins, "interrupt.expired decide", *ends]
    (settled,) = (await play.stage.get(f"/runs/{late['id']}/interrupts"))["results"]
    assert (settled["status"], settled["answered_by"]) == ("expired", None)


async def test_code_review(play: Performance) -> None:
    name = await play.example("code-review")
    bad = await play.run(name, {"code": "password = eval(shell)\n# todo: fixme, a global\n"})
    assert bad["status"] == "succeeded", bad["error"]
    assert bad["outputs"]["review"] == "request-changes"
    assert sorted(bad["outputs"]["findings"]) == ["correctness: mistake", "security: hole", "style: fine"]
    steps = await play.steps(bad)
    assert set(steps) == {"parse", "correctness", "security", "style", "summary"}
    assert (next(iter(steps)), list(steps)[-1], set(steps.values())) == ("parse", "summary", {"succeeded"})
    events = await play.events(bad)
    reviewers = ("correctness", "security", "style")
    # The three begin before the first of them has ended, and the fourth after the last.
    assert max(events.index(f"step.started {one}") for one in reviewers) < min(
        events.index(f"step.completed {one}") for one in reviewers
    )
    assert max(events.index(f"step.completed {one}") for one in reviewers) < events.index("step.started summary")
    assert bad["spent"]["tokens"] > 0

    untidy = await play.run(name, {"code": "tmp = lambda foo: bar(foo)"})
    assert untidy["outputs"]["review"] == "request-changes"
    assert sorted(untidy["outputs"]["findings"]) == ["correctness: fine", "security: fine", "style: messy"]
    good = await play.run(name, {"code": "def double(value):\n    result = value * 2\n    return result\n"})
    assert good["outputs"]["review"] == "approve"
    assert sorted(good["outputs"]["findings"]) == ["correctness: fine", "security: fine", "style: fine"]


async def test_order_approval(play: Performance) -> None:
    name = await play.example("order-approval")

    def order(amount: int, count: int = 1) -> dict[str, Any]:
        return {"order_id": "17", "amount": amount, "items": ["book"] * count}

    small = await play.begin(name, order(999), until="succeeded")
    assert small["outputs"] == {"approved": True, "carrier": "fast", "amount": 999}
    steps = await play.steps(small)
    assert steps["large"] == "skipped"
    assert "large[body]/ask" not in steps
    assert (steps["carrier[fast]/fast-answer"], steps["carrier[slow]/slow-offer"]) == ("succeeded", "cancelled")
    (line,) = (await play.stage.get(f"/runs/{small['id']}/logs"))["results"]
    assert (line["message"], len(line["data"])) == ("order 17 was checked", 2)

    asks = await play.run(name, order(1000))
    question = await play.question(asks)
    assert (asks["status"], question["title"]) == ("interrupted", "Approve order 17 over 1000?")
    assert question["payload"] == {"stock": {"check": "stock", "ok": True}, "credit": {"check": "credit", "ok": True}}
    approved = await play.until((await play.answer(asks))["id"], "succeeded")
    assert approved["outputs"] == {"approved": True, "carrier": "fast", "amount": 1000}

    rejected = await play.answer(await play.run(name, order(1000)), approved=False)
    assert rejected["outputs"] == {"approved": False, "carrier": None, "amount": 1000}
    assert (await play.steps(rejected))["carrier"] == "skipped"

    too_many = await play.run(name, order(10, count=11))
    assert too_many["outputs"] == {"approved": False, "carrier": None, "amount": 10}

    await play.example("order-approval", timeout=SHORT)
    late = await play.begin(name, order(1000), until="succeeded")
    assert late["outputs"] == rejected["outputs"]


async def test_parallel_fetch(play: Performance) -> None:
    name = await play.example("parallel-fetch", retries="{limit: 3, delay: 20ms, backoff: exponential}")
    seen: list[str] = []

    def answer(request: Received) -> Reply:
        seen.append(request.path)
        if request.path == "/gone" or (request.path == "/busy" and seen.count("/busy") < 3):
            return Reply(404 if request.path == "/gone" else 503)
        if request.path == "/text":
            return Reply(200, b"plain", {"Content-Type": "text/plain"})
        return Reply(200, b'{"page": 1}', {"Content-Type": "application/json"})

    with receiving() as receiver:
        receiver.answer = answer
        urls = [f"{receiver.url}{path}" for path in ("/page", "/gone", "/busy", "/text")]
        # Nobody has opened the private network yet.
        refused = await play.run(name, {"urls": urls[:1]})
        assert (refused["outputs"], seen) == ({"pages": [None], "failed": 1}, [])
        assert (await play.step(refused, "fetch[0]/get"))["error"]["type"] == "outbound-refused"

        opened = await play.stage.send("PUT", "/workflow-settings", {"allowed_networks": ["127.0.0.1"]})
        assert opened.status_code == 200, opened.text
        started = await play.stage.post(f"/workflows/{name}/runs", {"inputs": {"urls": urls}}, expect=202)
        fetched = await play.until(started["id"], "succeeded")
    page, gone, busy, text = fetched["outputs"]["pages"]
    assert (page, gone) == ({"url": urls[0], "status": 200, "body": {"page": 1}}, None)
    assert (busy["body"], text["body"]) == ({"page": 1}, "plain")
    assert fetched["outputs"]["failed"] == 1
    assert sorted(seen) == ["/busy", "/busy", "/busy", "/gone", "/page", "/text"]
    assert (await play.step(fetched, "fetch[2]/get"))["attempts"] == 3
    assert (await play.step(fetched, "fetch[1]/get"))["error"]["type"] == "http-status"
    assert (await play.events(fetched)).count("step.retrying fetch[2]/get") == 2


async def test_publish(play: Performance) -> None:
    await play.example("approval")
    name = await play.example("publish")
    article = {"title": "A New World", "body": "It is round."}

    async def ask() -> tuple[dict[str, Any], dict[str, Any]]:
        """A run, and the run of `approval` that it waits for."""
        run = await play.begin(name, article, until="waiting")
        (child,) = (await play.stage.get(f"/runs?parent={run['id']}"))["results"]
        assert (child["workflow"], child["parent"]["kind"], child["parent"]["step"]) == ("approval", "subflow", "ask")
        return run, await play.until(child["id"], "interrupted")

    run, child = await ask()
    assert (await play.question(child))["title"] == "Approve: A New World?"
    await play.answer(child, approved=False)
    rejected = await play.until(run["id"], "succeeded")
    assert rejected["outputs"] == {"published": False, "slug": None}
    assert (await play.stage.get("/workflow-memory"))["results"] == []

    run, child = await ask()
    await play.answer(child)
    published = await play.until(run["id"], "succeeded")
    assert published["outputs"] == {"published": True, "slug": "a-new-world"}
    (kept,) = (await play.stage.get("/workflow-memory/publish"))["results"]
    assert (kept["key"], kept["value"]) == ("article:a new world", article)

    # Whoever ends the approval ends what waits for it.
    run, child = await ask()
    await play.stage.post(f"/runs/{child['id']}/terminate")
    failed = await play.until(run["id"], "failed")
    assert (failed["error"]["node"], failed["error"]["type"]) == ("ask", "cancelled")


async def test_refine(play: Performance) -> None:
    name = await play.example("refine")
    good = await play.run(name, {"draft": "0123456789"})
    assert good["outputs"] == {"text": "0123456789" + " (revised)" * 3, "rounds": 3, "good_enough": True}
    assert list(await play.steps(good)) == [
        "improve",
        *(f"improve[{n}]/{step}" for n in (1, 2, 3) for step in ("write", "score")),
    ]
    never = await play.run(name, {"draft": "", "enough": 1000})
    assert never["outputs"] == {"text": " (revised)" * 5, "rounds": 5, "good_enough": False}


async def test_shipment(play: Performance) -> None:
    name = await play.example("shipment")
    parcel = {"parcel": "P-1", "days": 0.000001}

    run = await play.begin(name, parcel, until="waiting")
    # A payload that is no carrier is not what was waited for.
    await play.signal(run, "parcel-left", {"carrier": 3})
    await play.signal(run, "parcel-left", {"carrier": "Post"})
    asks = await play.until(run["id"], "interrupted", "failed")
    assert (await play.question(asks))["title"] == "Did parcel P-1 arrive with Post?"
    lost = await play.answer(asks, approved=False)
    assert lost["outputs"] == {"sent": True, "arrived": False}
    events = await play.events(lost)
    assert {"signal.refused left", "signal.consumed left"} <= set(events)
    assert (await play.steps(lost))["arrived[scan]/scanned"] == "cancelled"

    # Both signals are there before anything waits for the second: the scan wins over the person.
    run = await play.begin(name, parcel, until="waiting")
    await play.signal(run, "parcel-arrived", None)
    await play.signal(run, "parcel-left", {"carrier": "Post"})
    scanned = await play.until(run["id"], "succeeded", "failed")
    assert scanned["outputs"] == {"sent": True, "arrived": True}
    assert (await play.steps(scanned))["arrived[person]/ask"] == "cancelled"
    assert (await play.stage.get(f"/runs/{scanned['id']}/interrupts?status=pending"))["results"] == []
    assert "interrupt.cancelled arrived[person]/ask" in await play.events(scanned)

    await play.example("shipment", timeout=SHORT)
    late = await play.begin(name, parcel, until="succeeded")
    assert late["outputs"] == {"sent": False, "arrived": False}
    assert "way[body]/lost" in await play.steps(late)
