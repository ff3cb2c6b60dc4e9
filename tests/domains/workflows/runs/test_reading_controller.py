"""What the reading routes of runs answer, over runs that no engine has executed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from spectral.domains.workflows.execution.store import NewEvent
from spectral.platform.db.session import Database
from tests.domains.workflows.runs.recorded import Recorder, log_line
from tests.fixtures.tenants import Tenant

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def recorder(database: Database, tenant: Tenant) -> Recorder:
    return Recorder(database, tenant.access)


class Reader:
    """Asks as the owner of the workspace."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant) -> None:
        self.client = client
        self.tenant = tenant

    async def ask(self, path: str, **query: Any) -> httpx.Response:
        """Parameters may be lists; `from_` is `from`."""
        named = {name.rstrip("_"): value for name, value in query.items()}
        return await self.client.get(f"{self.tenant.url}/runs{path}", params=named, headers=self.tenant.client_headers)

    async def read(self, path: str = "", **query: Any) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, **query: Any) -> list[str]:
        """The parameters that a 422 names."""
        answer = await self.ask(path, **query)
        assert answer.status_code == 422, answer.text
        return [each["pointer"] for each in answer.json()["errors"]]

    async def walk(self, path: str, part: str | None = None, **query: Any) -> list[Any]:
        """Every result, page by page, from cursor to cursor."""
        found: list[Any] = []
        cursor: dict[str, str] = {}
        for _ in range(50):
            answer = await self.read(path, **query, **cursor)
            page = answer if part is None else answer[part]
            found += page["results"]
            following = page["next_cursor"] if part else page["pagination"]["next_cursor"]
            if following is None:
                return found
            assert page["results"]
            cursor = {f"{part}_cursor" if part else "cursor": following}
        pytest.fail("the pages do not end")


@pytest.fixture
def reader(client: httpx.AsyncClient, tenant: Tenant) -> Reader:
    return Reader(client, tenant)


async def test_runs_are_filtered_by_everything_that_they_carry(reader: Reader, recorder: Recorder) -> None:
    parent = await recorder.run(name="parent", workflow_name="billing", created_at=NOON)
    await recorder.run(
        name="a",
        status="failed",
        created_at=NOON + MINUTE,
        user_id="u1",
        conversation_id="c1",
        tags=["night", "eu"],
        labels={"team": "red", "attempt": 3, "dry": True, 'od"d.key': "x"},
        workflow_version=2,
    )
    labels = {"team": "blue"}
    await recorder.run(name="b", status="waiting", created_at=NOON + 2 * MINUTE, tags=["night"], labels=labels)
    kind = {"run_id": str(parent.id), "kind": "subflow", "step": "sub"}
    await recorder.run(name="c", workflow_name=None, created_at=NOON + 3 * MINUTE, parent_run_id=parent.id, parent=kind)

    async def names(**query: Any) -> str:
        found = await reader.read(**query)
        assert found["pagination"]["total"] == len(found["results"])
        return "".join(run["name"][0] for run in found["results"])

    assert await names() == "cbap"
    assert await names(sort="created_at") == "pabc"
    assert await names(workflow="orders") == "ba"
    assert await names(version=2) == "a"
    assert await names(status=["failed", "waiting"]) == "ba"
    assert await names(from_="2026-05-01T12:01:00Z", to="2026-05-01T12:02:00Z") == "a"
    assert await names(user_id="u1") == await names(conversation_id="c1") == "a"
    assert await names(tag=["night"]) == "ba"
    assert await names(tag=["night", "eu"]) == "a"
    assert await names(parent="parent") == await names(parent=str(parent.id)) == "c"
    assert await names(parent="nobody") == ""
    for key, value in {"team": "red", "attempt": "3", "dry": "true", 'od"d.key': "x"}.items():
        assert await names(**{f"metadata.{key}": value}) == "a", key
    assert await names(**{"metadata.team": "red", "metadata.attempt": "4"}) == ""
    child = (await reader.read(parent="parent"))["results"][0]
    assert child["parent"] == {**kind, "index": None}
    assert (child["workflow"], child["duration_ms"], child["step_count"]) == (None, None, 0)
    assert "inputs" not in child


async def test_every_list_is_walked_in_both_orders_without_gap_or_repetition(
    reader: Reader, recorder: Recorder
) -> None:
    """Rows of one moment, and rows that come while somebody reads."""
    runs = [await recorder.run(name=f"r{number}", created_at=NOON + number // 3 * MINUTE) for number in range(7)]
    await recorder.run(name="later", created_at=NOON + timedelta(days=1))
    run = runs[0]
    await recorder.steps(run, *(f"each[{number}]/s" for number in range(5)))
    await recorder.tell(run, *(NewEvent("step.started", node=f"n{number}") for number in range(6)))
    await recorder.tell(run, *(log_line(f"line {number}") for number in range(5)))
    await recorder.checkpoints(run, [{**_state(), "context": {"n": number}} for number in range(5)])
    lists = {
        "": ("id", {"to": "2026-05-02T12:00:00Z"}, 7),
        "/r0/steps": ("ordinal", {}, 5),
        "/r0/events": ("seq", {}, 12),
        "/r0/logs": ("seq", {}, 5),
        "/r0/checkpoints": ("index", {}, 6),
    }
    for path, (key, query, count) in lists.items():
        orders: list[dict[str, Any]] = [{"order": "asc"}, {"order": "desc"}]
        if not path:
            orders = [{"sort": "created_at"}, {"sort": "-created_at"}]
        forwards, backwards = [
            [row[key] for row in await reader.walk(path, limit=2, **query, **order)] for order in orders
        ]
        assert len(set(forwards)) == len(forwards) == count, path
        assert forwards == sorted(forwards) == backwards[::-1], path
        first = await reader.read(path, limit=2, **query, **orders[0])
        assert first["pagination"]["total"] == count
        cursor = first["pagination"]["next_cursor"]
        assert await reader.refused(path, cursor=cursor, **orders[1]) == ["cursor"]
        assert await reader.refused(path, cursor="nonsense") == ["cursor"]
        assert await reader.refused(path, cursor=cursor, offset=1, **orders[0]) == ["offset"]
        moved = await reader.read(path, limit=2, offset=1, **query, **orders[0])
        assert [row[key] for row in moved["results"]] == forwards[1:3]


async def test_a_run_is_read_whole_by_name_or_id(reader: Reader, recorder: Recorder) -> None:
    started = NOON + MINUTE
    run = await recorder.run(
        name="order-7",
        generation=2,
        status="interrupted",
        started_at=started,
        suspension={"at": "2026-05-01T12:02:00Z", "reason": "approval", "step": "ask", "index": 1, "data": None},
        spent={"tokens": 12, "cost_nano_usd": 4_200_000, "unknown_cost_calls": 1},
        labels={"team": "red"},
        context={"locale": "de"},
        current_nodes=["ask"],
        created_at=NOON,
    )
    await recorder.steps(run, "old", generation=1)
    await recorder.steps(run, "fetch", generation=2, finished_at=NOON)
    await recorder.steps(run, "x", "ask", generation=3)
    await recorder.tell(run, generation=3)
    await recorder.question(run, "ask", generation=3)
    await recorder.question(run, "before", generation=3, status="approved")
    await recorder.question(run, "ask", generation=2)
    await recorder.run(name="child", parent_run_id=run.id, parent={"kind": "fork", "index": 0})
    found = await reader.read("/order-7")
    assert found == await reader.read(f"/{run.id}")
    assert (found["id"], found["name"], found["generation"]) == (str(run.id), "order-7", 3)
    assert found["suspension"]["reason"] == "approval"
    assert found["spent"] == {"tokens": 12, "cost_usd": "0.0042", "unknown_cost_calls": 1}
    assert (found["pending_interrupts"], found["children"], found["step_count"]) == (1, 1, 2)
    assert found["current_step"] is None
    assert (found["inputs"], found["metadata"], found["context"]) == ({"order": 7}, {"team": "red"}, {"locale": "de"})
    assert (found["last_seq"], found["checkpoints"], found["duration_ms"]) == (1, 1, None)
    ended = await recorder.tell(run, status="succeeded", outputs=[1], finished_at=started + timedelta(seconds=90))
    found = await reader.read(f"/{ended.id}")
    assert (found["status"], found["outputs"], found["duration_ms"]) == ("succeeded", [1], 90_000)
    assert (await reader.ask("/nobody")).status_code == 404


async def test_the_step_in_flight_is_shown(reader: Reader, recorder: Recorder) -> None:
    run = await recorder.run(name="busy", status="waiting")
    await recorder.steps(run, "done")
    wake_at = NOON + timedelta(days=400)
    await recorder.steps(run, "a", "b", status="waiting", wait_type="timer", wake_at=wake_at, attempts=2, iteration=2)
    step = (await reader.read("/busy"))["current_step"]
    assert (step["key"], step["status"], step["wait_type"], step["attempts"]) == ("b", "waiting", "timer", 2)
    assert step["wake_at"] == "2027-06-05T12:00:00Z"


async def test_history_has_a_cursor_for_each_part(reader: Reader, recorder: Recorder) -> None:
    run = await recorder.run(name="long")
    await recorder.steps(run, "a", "b", "c")
    await recorder.tell(run, NewEvent("step.started", node="a", input={"x": 1}), NewEvent("token", data={"text": "t"}))
    for number, level in enumerate(("debug", "info", "warn", "error", "info")):
        await recorder.tell(run, log_line(f"line {number}", level, "http" if number % 2 else None))
    await recorder.tell(run, NewEvent("step.failed", node="a", error={"type": "http", "message": "404"}, data={"n": 2}))
    whole = await reader.read("/long/history", include_logs=True)
    assert whole["logs"]["results"][2] == {
        "seq": 6,
        "generation": 1,
        "node": None,
        "level": "warn",
        "category": None,
        "message": "line 2",
        "data": None,
        "at": whole["logs"]["results"][2]["at"],
    }
    assert [event["type"] for event in whole["events"]["results"]] == ["run.queued", "step.started", "step.failed"]
    failed = whole["events"]["results"][-1]
    assert (failed["error"], failed["data"], failed["status"]) == ({"type": "http", "message": "404"}, {"n": 2}, None)
    assert (await reader.read("/long/history"))["logs"] is None
    for part in ("steps", "events", "logs"):
        for order in ("asc", "desc"):
            walked = await reader.walk("/long/history", part, include_logs=True, limit=2, order=order)
            rows = whole[part]["results"]
            assert walked == (rows if order == "asc" else rows[::-1])
    narrowed = await reader.read("/long/history", include_logs=True, log_level=["info", "error"], log_category="http")
    assert [line["message"] for line in narrowed["logs"]["results"]] == ["line 1", "line 3"]
    assert [line["message"] for line in (await reader.read("/long/logs", level="info"))["results"]] == [
        "line 1",
        "line 4",
    ]
    assert await reader.refused("/long/history", log_level="loud") == ["log_level"]
    assert await reader.refused("/long/history", offset=1) == ["offset"]
    steps = (await reader.read("/long/history", limit=1))["steps"]["next_cursor"]
    assert await reader.refused("/long/history", events_cursor=steps) == ["events_cursor"]


async def test_generations_are_kept_apart(reader: Reader, recorder: Recorder) -> None:
    run = await recorder.run(name="again")
    await recorder.steps(run, "a", "b")
    await recorder.end(run, "failed", log_line("first"))
    await recorder.tell(run, NewEvent("run.queued"), log_line("second"), status="queued", generation=2)
    await recorder.steps(run, "a", generation=2)
    assert [step["generation"] for step in (await reader.read("/again/steps"))["results"]] == [2]
    assert len((await reader.read("/again/steps", generation=1))["results"]) == 2
    for generation, line, count in ((1, "first", 2), (2, "second", 1)):
        history = await reader.read("/again/history", generation=generation, include_logs=True)
        assert (history["generation"], history["generations"]) == (generation, 2)
        assert [each["message"] for each in history["logs"]["results"]] == [line]
        assert len(history["events"]["results"]) == count
    assert len((await reader.read("/again/events"))["results"]) == 5
    assert [event["seq"] for event in (await reader.read("/again/events", generation=2))["results"]] == [4, 5]
    assert len((await reader.read("/again/logs"))["results"]) == 2


async def test_events_are_narrowed_and_go_on_after_a_number(reader: Reader, recorder: Recorder) -> None:
    run = await recorder.run(name="told")
    kinds = ("step.started", "step.succeeded", "stepper.x", "signal.received", "token")
    await recorder.tell(run, *(NewEvent(kind) for kind in kinds))
    seqs = [event["seq"] for event in (await reader.read("/told/events", after=3))["results"]]
    assert seqs == [4, 5, 6]
    for wanted, count in ((["step.*"], 2), (["step.*", "token"], 3), (["step.started"], 1), (["nothing"], 0)):
        found = await reader.read("/told/events", type=wanted)
        assert len(found["results"]) == found["pagination"]["total"] == count, wanted
    event = (await reader.read("/told/events", limit=1))["results"][0]
    assert set(event) >= {"id", "seq", "type", "node", "started_at", "ended_at", "status", "input", "output", "error"}
    assert await reader.refused("/told/events", type="a b") == ["type"]
    assert await reader.refused("/told/events", after=-1) == ["after"]


async def test_a_checkpoint_is_the_whole_state_wherever_it_lies(reader: Reader, recorder: Recorder) -> None:
    run = await recorder.run(name="kept", suspension={"reason": "approval"})
    states = [_state(**{f"n{each}": each for each in range(number % 3 + 1)}) for number in range(9)]
    await recorder.checkpoints(run, states)
    listed = await reader.read("/kept/checkpoints")
    assert (listed["pagination"]["total"], "state" in listed["results"][0]) == (10, False)
    assert listed["results"][3]["next_nodes"] == ["n4"]
    for index, state in enumerate(states, start=1):
        found = await reader.read(f"/kept/checkpoints/{index}")
        assert (found["index"], found["state"]) == (index, state)
    assert (await reader.read("/kept/checkpoints/0"))["state"]["inputs"] == {"order": 7}
    present = await reader.read("/kept/state")
    assert present["state"] == states[-1]
    assert (present["steps_completed"], present["last_completed_node"], present["next_nodes"]) == (9, "n9", ["n10"])
    assert present["suspension"] == {"reason": "approval"}
    for path in ("/kept/checkpoints/10", "/kept/checkpoints/x", "/kept/checkpoints/-1", "/none/checkpoints/0"):
        assert (await reader.ask(path)).status_code == 404, path
    assert (await reader.ask("/kept/checkpoints/99999999999999999999")).status_code == 404


async def test_the_summary_counts_and_ranks(reader: Reader, recorder: Recorder) -> None:
    empty = await reader.read("/summary")
    assert (empty["total"], empty["success_rate"], empty["p50_duration_ms"], empty["workflows"]) == (0, None, None, [])
    for number in range(1, 21):
        started = NOON + number * MINUTE
        await recorder.run(
            name=f"r{number}",
            status="succeeded" if number > 5 else "failed",
            workflow_name="orders" if number % 2 else "billing",
            created_at=started,
            started_at=started,
            finished_at=started + timedelta(milliseconds=100 * number),
        )
    await recorder.run(name="open", status="running", workflow_name=None, started_at=NOON, created_at=NOON)
    found = await reader.read("/summary")
    assert found["by_status"] == {**dict.fromkeys(found["by_status"], 0), "succeeded": 15, "failed": 5, "running": 1}
    assert len(found["by_status"]) == 10
    assert (found["total"], found["success_rate"]) == (21, 0.75)
    assert found["avg_duration_ms"] == pytest.approx(1050, abs=0.1)
    assert (found["p50_duration_ms"], found["p95_duration_ms"]) == (1000, 1900)
    assert found["workflows"] == [
        {"workflow": "billing", "total": 10, "succeeded": 8, "failed": 2},
        {"workflow": "orders", "total": 10, "succeeded": 7, "failed": 3},
        {"workflow": None, "total": 1, "succeeded": 0, "failed": 0},
    ]
    narrowed = await reader.read("/summary", workflow="orders", from_="2026-05-01T12:10:00Z")
    assert (narrowed["total"], narrowed["success_rate"], narrowed["p50_duration_ms"]) == (5, 1, 1500)


@pytest.mark.parametrize(
    ("path", "query", "named"),
    [
        ("", {"status": "done"}, "status"),
        ("", {"from_": "yesterday"}, "from"),
        ("", {"to": "2026-05-01T12:00:00"}, "to"),
        ("", {"version": 0}, "version"),
        ("", {"sort": "name"}, "sort"),
        ("", {"limit": 101}, "limit"),
        ("", {"metadata.a": ["1", "2"]}, "metadata"),
        ("/r/steps", {"generation": 0}, "generation"),
        ("/r/steps", {"order": "up"}, "order"),
        ("/r/logs", {"level": "trace"}, "level"),
    ],
    ids=lambda value: str(value) if isinstance(value, str) else None,
)
async def test_what_cannot_be_asked_for_is_named(
    reader: Reader, recorder: Recorder, path: str, query: dict[str, Any], named: str
) -> None:
    await recorder.run(name="r")
    assert await reader.refused(path, **query) == [named]


async def test_runs_are_read_with_the_scope_only_and_by_nobody_else(
    reader: Reader, recorder: Recorder, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    run = await recorder.run(name="mine")
    paths = ["", "/summary", "/mine", f"/{run.id}", *(f"/mine/{part}" for part in ("steps", "history", "logs"))]
    paths += [f"/mine/{part}" for part in ("checkpoints", "checkpoints/0", "state", "events")]
    for path in paths:
        url = f"{tenant.url}/runs{path}"
        assert (await client.get(url)).status_code == 401
        assert (await client.get(url, headers=tenant.key_headers)).status_code == 403
        assert (await client.get(url, headers=other_tenant.client_headers)).status_code == 404
        theirs = await client.get(f"{other_tenant.url}/runs{path}", headers=other_tenant.client_headers)
        assert theirs.status_code == (404 if path not in {"", "/summary"} else 200), path
        assert str(run.id) not in theirs.text or path == f"/{run.id}"


def _state(**nodes: Any) -> dict[str, Any]:
    entries = {key: {"status": "succeeded", "outputs": value} for key, value in nodes.items()}
    return {"inputs": {"order": 7}, "context": {}, "artifacts": {}, "errors": [], "nodes": entries}
