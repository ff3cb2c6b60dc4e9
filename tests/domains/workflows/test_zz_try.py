import json
import pytest
from tests.domains.workflows.performing import Performance
from tests.domains.workflows.runs.acting import Stage
from tests.fixtures.tenants import register_tenant
from tests.fixtures.receivers import Reply, receiving
@pytest.fixture
async def play(engine_client, database):
    return Performance(Stage(engine_client, database, await register_tenant(engine_client, "ours")))

async def test_all(play):
    P = play
    def show(run): print(run["workflow"], run["status"], json.dumps(run["outputs"]), run["error"], run["suspension"])
    n = await P.example("approval")
    a = await P.run(n, {"subject": "Trip"}); show(a); print(await P.question(a))
    a = await P.answer(a); show(a); print(await P.events(a), await P.steps(a))
    a = await P.run(n, {"subject": "Trip"}); a = await P.answer(a, approved=False); show(a)
    await P.example("approval", timeout="50ms")
    a = await P.begin(n, {"subject": "Trip"}, until="succeeded"); show(a); print(await P.events(a), await P.steps(a))
    await P.example("approval")
    n = await P.example("code-review")
    a = await P.run(n, {"code": "x = 1\ntry:\n  pass\nexcept:\n  global x\n"}); show(a); print(await P.events(a), await P.steps(a))
    a = await P.run(n, {"code": "short simple plain code"}); show(a)
    n = await P.example("order-approval")
    a = await P.run(n, {"order_id": "1", "amount": 10, "items": ["a"]}); show(a); print(await P.events(a), await P.steps(a))
    a = await P.run(n, {"order_id": "1", "amount": 1000, "items": ["a"]}); show(a); a = await P.answer(a); show(a); print(await P.events(a), await P.steps(a))
    a = await P.run(n, {"order_id": "1", "amount": 1000, "items": ["a"]}); a = await P.answer(a, approved=False); show(a)
    a = await P.run(n, {"order_id": "1", "amount": 10, "items": ["a"]*11}); show(a)
    n = await P.example("publish")
    a = await P.begin(n, {"title": "A New World", "body": "x"}, until="waiting"); show(a)
    kids = (await P.stage.get(f"/runs?parent={a['id']}"))["results"]; print(kids)
    k = await P.until(kids[0]["id"], "interrupted")
    k = await P.answer(k); show(k)
    a = await P.until(a["id"], "succeeded"); show(a); print(await P.events(a), await P.steps(a))
    n = await P.example("refine")
    a = await P.run(n, {"draft": "0123456789"}); show(a); print(await P.events(a), await P.steps(a))
    a = await P.run(n, {"draft": "", "enough": 1000}); show(a)
    n = await P.example("shipment")
    a = await P.begin(n, {"parcel": "p", "days": 0.000001}, until="waiting"); show(a)
    await P.signal(a, "parcel-left", {"carrier": 3})
    await P.signal(a, "parcel-left", {"carrier": "Post"})
    a = await P.until(a["id"], "interrupted", "failed"); show(a); print((await P.question(a))["title"])
    a = await P.answer(a); show(a); print(await P.events(a), await P.steps(a))
    await P.stage.send("PUT", "/workflow-settings", {"allowed_networks": ["127.0.0.1"]})
    n = await P.example("parallel-fetch")
    with receiving() as r:
        seen = []
        def ans(req):
            seen.append(req.path)
            if req.path == "/gone": return Reply(404)
            if req.path == "/flaky" and seen.count("/flaky") == 1: return Reply(503)
            return Reply(200, b'{"n": 1}', {"Content-Type": "application/json"})
        r.answer = ans
        a = await P.run(n, {"urls": [r.url + x for x in ("/a", "/gone", "/flaky")]}); show(a); print(await P.events(a), await P.steps(a))
