"""Experiments by hand: measured once, compared with intervals, brought from elsewhere, refused with reasons."""

import asyncio
import json
from typing import Any
from uuid import UUID

import httpx
import pytest

from spectral.domains.changesets.experiment_comparing import Regression, compare_arms, frontier_of, summarise_arm
from spectral.domains.changesets.experiment_runs import run_experiment
from spectral.domains.changesets.experiments import ExperimentService
from spectral.domains.evaluations.measurement import Measured
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.samples.sample import Sample
from spectral.platform.db.session import Database
from spectral.platform.shared.ids import new_id
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, CrashError, DirectExecution, ScriptedRuntime, Workbench, config
from tests.fixtures.tenants import Tenant

ITEMS = [Sample(new_id(), {"case": number}, "right", {}, f"item {number}") for number in range(200)]


class Laboratory:
    """A workspace whose select split is large enough for experiments, seen over HTTP."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant, bench: Workbench) -> None:
        self.client = client
        self.tenant = tenant
        self.bench = bench
        self.url = f"{tenant.url}/changesets/experiments"

    def request(self, *shares: float, **members: Any) -> dict[str, Any]:
        """The live version against configs that are right on these shares of the items."""
        tried = [{"label": f"right on {share}", "config": config(str(share)).as_json()} for share in shares]
        asked = {
            "agent_id": str(self.bench.agent_id),
            "arms": [{"label": "live", "version": 1}, *tried],
            "sample_set_id": str(self.bench.set_id),
            "rubric_id": str(self.bench.rubric_id),
        }
        return asked | members

    async def call(self, method: str, path: str = "", body: Any = None, **options: Any) -> httpx.Response:
        kind = {"content": body} if isinstance(body, str) else {"json": body} if body is not None else {}
        return await self.client.request(method, self.url + path, headers=self.tenant.client_headers, **kind, **options)

    async def create(self, *shares: float, **members: Any) -> dict[str, Any]:
        answer = await self.call("POST", "", self.request(*shares, **members))
        assert answer.status_code == 202, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def run(self, experiment: dict[str, Any], runtime: ScriptedRuntime) -> dict[str, Any]:
        """What the engine would do, with this runtime."""
        execution = DirectExecution(self.bench.database, self.bench.access)
        await run_experiment(execution, UUID(experiment["id"]), door=DOOR, runtimes=Always(runtime))
        found: dict[str, Any] = await self.read(experiment)
        return found

    async def read(self, experiment: dict[str, Any], path: str = "", **query: Any) -> Any:
        answer = await self.call("GET", f"/{experiment['id']}{path}", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
async def laboratory(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> Laboratory:
    return Laboratory(client, tenant, await Workbench.make(database, tenant.access, items=900))


def refused(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    document: dict[str, Any] = answer.json()
    assert document["type"].endswith(f"/{slug}"), document
    return document


async def test_arms_are_measured_once_on_the_same_items_and_compared_with_the_first(laboratory: Laboratory) -> None:
    asked = await laboratory.create(0.9, 0.2, name="three", margin=0.05)
    assert (asked["status"], asked["execution"], asked["name"], asked["cost_usd"]) == (
        "queued",
        "native",
        "three",
        None,
    )
    assert asked["max_evaluations"] == 3 * asked["items"]
    with pytest.raises(CrashError):
        await laboratory.run(asked, ScriptedRuntime(crash_after=asked["items"]))
    runtime = ScriptedRuntime()
    done = await laboratory.run(asked, runtime)
    assert (done["status"], done["cost_usd"], done["failure"]) == ("completed", "0", None)
    assert done["started_at"] is not None
    assert done["finished_at"] is not None
    # What the killed execution had recorded was not executed again.
    assert len(runtime.calls) < 3 * asked["items"]
    again = ScriptedRuntime()
    assert await laboratory.run(asked, again) == done
    assert again.calls == []
    live, better, worse = done["arms"]
    assert live["champion"] is True
    assert live["objective_low"] < live["objective"] < live["objective_high"]
    assert (better["frontier"], worse["frontier"], worse["version"]) == (True, False, None)
    results = (await laboratory.read(asked, "/results"))["results"]
    assert [one["verdict"] for one in results] == ["no_regression", "regression"]
    for one, arm in zip(results, (better, worse), strict=True):
        assert one["n"] == asked["items"]
        assert one["low"] < one["effect"] < one["high"]
        assert one["effect"] == pytest.approx(arm["objective"] - live["objective"])
        assert one["p_adjusted"] >= one["p_value"]
    items = await laboratory.read(asked, "/results/items", limit=3, offset=2)
    assert items["pagination"]["total"] == asked["items"]
    shown = items["results"][0]
    assert shown["expected"] == "right"
    assert [arm["label"] for arm in shown["arms"]] == ["live", "right on 0.9", "right on 0.2"]
    (outcome,) = shown["arms"][1]["results"]
    assert outcome["output"] in {"right", "wrong"}
    assert (outcome["total"] == 1.0) is (outcome["output"] == "right") is outcome["passed"]
    other = await laboratory.run(await laboratory.create(0.95), ScriptedRuntime())
    both = await laboratory.call("GET", "/compare", params={"ids": f"{asked['id']},{other['id']}"})
    assert both.status_code == 200, both.text
    compared = both.json()
    assert (compared["items"], len(compared["arms"])) == (asked["items"], 4)
    unchanged = compared["arms"][2]
    assert (unchanged["experiment_id"], unchanged["summary"]["version"], unchanged["effect"]) == (other["id"], 1, 0.0)
    assert compared["arms"][0]["effect"] == pytest.approx(results[0]["effect"])


async def test_what_cannot_be_compared_is_refused_with_its_place(laboratory: Laboratory) -> None:
    async def refuse(status: int, slug: str, **members: Any) -> dict[str, Any]:
        return refused(await laboratory.call("POST", "", laboratory.request(0.9, **members)), status, slug)

    await refuse(422, "validation-error", split="holdout")
    await refuse(422, "validation-error", arms=[{"label": "alone", "version": 1}])
    live = {"label": "live", "version": 1}
    await refuse(422, "validation-error", arms=[live, {"label": "x", "version": 1, "config": config("1").as_json()}])
    twins = await refuse(422, "validation-error", arms=[live, {"label": "same", "config": config("0.5").as_json()}])
    assert twins["errors"] == [{"pointer": "/arms/1", "detail": "is the same configuration as /arms/0"}]
    await refuse(404, "not-found", arms=[live, {"label": "x", "version": 99}])
    unknown = {**config("1").as_json(), "model": "no-such-model"}
    await refuse(400, "unknown-model", arms=[live, {"label": "x", "config": unknown}])
    version = await refuse(400, "sample-set-version", sample_set_version=77)
    assert version["current_version"] == 2
    budget = await refuse(400, "budget-exhausted", budget={"max_evaluations": 10})
    assert budget["left"] == 10
    problem = await refuse(422, "validation-error", rubric_id=None)
    assert problem["errors"][0]["pointer"] == "/rubric_id"
    listed = await laboratory.call("GET")
    assert listed.json()["pagination"]["total"] == 0
    one = await laboratory.create(0.9)
    two = await laboratory.create(0.9, split="reflect")
    for ids, status, slug in (
        (one["id"], 422, "validation-error"),
        (f"{one['id']},{two['id']}", 400, "incomparable-experiments"),
        (f"{one['id']},{new_id()}", 404, "not-found"),
    ):
        refused(await laboratory.call("GET", "/compare", params={"ids": ids}), status, slug)
    await laboratory.run(one, ScriptedRuntime())
    await laboratory.run(two, ScriptedRuntime())
    different = await laboratory.call("GET", "/compare", params={"ids": f"{one['id']},{two['id']}"})
    assert "different splits" in refused(different, 400, "incomparable-experiments")["detail"]


async def test_an_experiment_measures_what_it_was_asked_for_or_says_that_it_cannot(laboratory: Laboratory) -> None:
    asked = await laboratory.create(0.9)
    shown = (await laboratory.read(asked, "/results/items", limit=1))["results"][0]
    assert all(arm["results"] == [] for arm in shown["arms"])
    samples = f"{laboratory.tenant.url}/samples/{laboratory.bench.set_id}/items"
    headers = laboratory.tenant.client_headers
    added = await laboratory.client.post(samples, json={"input": {"case": "new"}, "expected": "x"}, headers=headers)
    assert added.status_code == 201
    still = await laboratory.run(asked, ScriptedRuntime())
    assert (still["status"], still["items"]) == ("completed", asked["items"])
    later = await laboratory.create(0.8)
    changed = await laboratory.client.patch(
        f"{samples}/{shown['item_id']}", json={"expected": "other"}, headers=headers
    )
    assert changed.status_code == 200, changed.text
    failed = await laboratory.run(later, ScriptedRuntime())
    assert (failed["status"], failed["failure"]["type"]) == ("failed", "experiment-items-changed")
    cancelled = await laboratory.call("POST", f"/{(await laboratory.create(0.7))['id']}/cancel")
    assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    again = await laboratory.call("POST", f"/{cancelled.json()['id']}/cancel")
    assert again.status_code == 200
    refused(await laboratory.call("POST", f"/{asked['id']}/cancel"), 400, "invalid-transition")


async def test_outputs_made_elsewhere_are_taken_whole_and_scored_when_complete(laboratory: Laboratory) -> None:
    asked = await laboratory.create(0.9, execution="outputs", repeats=2)
    assert (asked["status"], asked["execution"]) == ("waiting", "outputs")
    offered = await laboratory.call("GET", f"/{asked['id']}/items")
    inputs = [json.loads(line) for line in offered.text.splitlines()]
    assert len(inputs) == asked["items"]
    assert set(inputs[0]) == {"item_id", "input"}
    hashes = [arm["config_hash"] for arm in asked["arms"]]
    lines = [
        {"item_id": one["item_id"], "config_hash": config_hash, "repeat": repeat, "cost_usd": "0.001", "latency_ms": 9}
        | {"output": "right" if place or number % 2 else "wrong", "usage": {"input_tokens": 3, "output_tokens": 1}}
        for number, one in enumerate(inputs)
        for place, config_hash in enumerate(hashes)
        for repeat in (0, 1)
    ]
    path = f"/{asked['id']}/outputs"
    wrong = [
        {**lines[0], "item_id": str(new_id())},
        {**lines[0], "config_hash": "f" * 64},
        {**lines[0], "error": {"type": "timeout"}},
        {**lines[0], "repeat": 2},
        lines[0],
        lines[0],
    ]
    body = "\n".join([json.dumps(lines[5]), "", "{", *map(json.dumps, wrong)])
    answer = await laboratory.call("POST", path, body)
    named = {each["pointer"] for each in refused(answer, 422, "outputs-refused")["errors"]}
    assert named == {"/lines/3", "/lines/4/item_id", "/lines/5/config_hash", "/lines/6", "/lines/7/repeat", "/lines/9"}
    refused(await laboratory.call("POST", path, "\n"), 422, "outputs-refused")
    failed = {key: value for key, value in lines[-1].items() if key not in {"output", "cost_usd"}}
    first = [*lines[: len(lines) // 2], failed | {"error": {"type": "timeout", "message": "slow"}}]
    half = (await laboratory.call("POST", path, "\n".join(map(json.dumps, first)))).json()
    assert (half["outputs"], half["missing"], half["status"]) == (len(first), len(lines) - len(first), "waiting")
    rest = (await laboratory.call("POST", path, "\n".join(map(json.dumps, lines[len(lines) // 2 : -1])))).json()
    assert (rest["missing"], rest["status"]) == (0, "queued")
    refused(await laboratory.call("POST", path, json.dumps(lines[0])), 400, "not-waiting-for-outputs")
    done = await laboratory.run(asked, ScriptedRuntime(crash_after=0))
    assert (done["status"], done["cost_usd"]) == ("completed", None)  # the cost of the failed one is unknown
    assert [round(arm["accuracy"], 1) for arm in done["arms"]] == [0.5, 1.0]
    assert done["arms"][0]["mean_cost_usd"] == "0.001"
    last = (await laboratory.read(asked, "/results/items", limit=1, offset=asked["items"] - 1))["results"][0]
    assert last["arms"][1]["results"][1]["error_message"] == "timeout: slow"


async def test_a_run_of_the_engine_measures_and_tells_of_it(
    engine_client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    lab = Laboratory(engine_client, tenant, await Workbench.make(database, tenant.access, items=330))
    asked = await lab.create(0.9)
    async with asyncio.timeout(60):
        while (found := await lab.read(asked))["status"] in {"queued", "running"}:  # noqa: ASYNC110 - over HTTP
            await asyncio.sleep(0.05)
    assert (found["status"], found["failure"]) == ("completed", None)
    events = await engine_client.get(f"{tenant.url}/events", headers=tenant.client_headers)
    assert events.json()["results"][0]["type"] == "experiment.finished"
    async with database.transaction(tenant.access, read_only=True) as session:
        arms = (await ExperimentService(session, tenant.access).read_experiment(UUID(asked["id"]))).arms
    assert [arm.config is None for arm in arms] == [True, False]


# ------------------------------------------------------------------------------------------------------------- pure


def measured(values: list[float | None], *, cost: int | None = 0, latency: float = 10.0) -> list[Measured]:
    return [
        Measured(
            item_id=item.id,
            repeat=0,
            config_hash="0" * 64,
            total=value,
            passed=value == 1.0,
            dimensions={},
            output="x",
            error_type=None,
            error_message=None,
            missing_reason=None if value is not None else "provider",
            cost_nano_usd=cost,
            latency_ms=latency,
            input_tokens=0,
            output_tokens=0,
        )
        for item, value in zip(ITEMS, values, strict=True)
    ]


GUARDED = ObjectiveSpec.model_validate({"guards": [{"kind": "latency", "statistic": "mean", "max_ratio": 1.1}]})
HALF = [float(number % 2) for number in range(200)]
LESS = [0.0 if number % 10 == 1 else value for number, value in enumerate(HALF)]
SLIGHTLY = [0.0 if number in {1, 31} else value for number, value in enumerate(HALF)]


@pytest.mark.parametrize(
    ("after", "latency", "margin", "verdict", "reason"),
    [
        pytest.param(HALF, 10.0, 0.05, "no_regression", "lower_bound_above_margin", id="nothing changed"),
        pytest.param(LESS, 10.0, 0.05, "regression", "upper_bound_below_zero", id="a tenth worse"),
        pytest.param(LESS, 10.0, 0.2, "no_regression", "lower_bound_above_margin", id="a loss that is allowed"),
        pytest.param(SLIGHTLY, 10.0, 0.01, "inconclusive", "interval_too_wide", id="too few to tell"),
        pytest.param(HALF, 20.0, 0.05, "regression", "guard_harm_confirmed", id="slower"),
        pytest.param([None] * 20 + HALF[20:], 10.0, 0.05, "inconclusive", "too_many_missing", id="missing"),
        pytest.param(
            [None] * 180 + HALF[180:], 10.0, 0.05, "inconclusive", "too_many_missing", id="nearly all missing"
        ),
    ],
)
def test_a_regression_is_a_confirmed_loss_or_a_harmed_guard(
    after: list[float | None], latency: float, margin: float, verdict: str, reason: str
) -> None:
    (found,) = compare_arms(
        GUARDED, ITEMS, measured(list(HALF)), [measured(after, latency=latency)], margin=margin, seed=1
    )
    assert (found["verdict"], found["reasons"]) == (verdict, [reason])
    assert (found["n_more"] is not None) is (reason == "interval_too_wide")
    assert Regression(found["verdict"])


def test_the_frontier_is_what_nobody_dominates() -> None:
    arms = [
        measured(list(HALF), cost=10),
        measured([1.0] * 200, cost=20),
        measured(list(HALF), cost=20),
        measured([0.0] * 200, cost=None),
    ]
    summaries = [summarise_arm(ObjectiveSpec(), ITEMS, arm, seed=1) for arm in arms]
    assert frontier_of(summaries) == {0, 1, 3}  # an unknown cost cannot be said to be higher
    assert summaries[3]["mean_cost_nano_usd"] is None
