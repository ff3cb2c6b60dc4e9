"""Change sets over HTTP: who may, what is answered, what is refused."""

import asyncio
import json
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest

from spectral.domains.changesets.clusters import ClusterDraft, ClusterEffect, ClusterService
from spectral.domains.changesets.experiments import ArmDraft, ExperimentDraft, ExperimentService
from spectral.domains.changesets.looks import validate
from spectral.domains.evaluations.objectives import ObjectiveSpec
from spectral.domains.samples.service import SampleService
from spectral.domains.samples.splitting import Split
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Page
from tests.domains.agents.executing import Always
from tests.domains.changesets.workbench import DOOR, DirectExecution, ScriptedRuntime, Workbench
from tests.fixtures.tenants import Tenant

ROUTES = [
    ("GET", ""),
    ("GET", "/{changeset}"),
    ("POST", "/{changeset}/accept"),
    ("POST", "/{changeset}/apply"),
    ("POST", "/{changeset}/reject"),
    ("POST", "/{changeset}/rollback"),
    ("GET", "/{changeset}/clusters"),
    ("GET", "/{changeset}/clusters/{cluster}"),
    ("PATCH", "/{changeset}/clusters/{cluster}"),
    ("GET", "/experiments"),
    ("GET", "/experiments/{experiment}"),
    ("GET", "/experiments/{experiment}/results"),
    ("POST", "/{changeset}/validation"),
    ("GET", "/{changeset}/validation"),
    ("GET", "/{changeset}/validation/{validation}"),
]


class Shop:
    """A workspace with one change set that knows all its evidence, seen over HTTP."""

    def __init__(self, client: httpx.AsyncClient, tenant: Tenant, bench: Workbench, ids: dict[str, str]) -> None:
        self.client = client
        self.tenant = tenant
        self.bench = bench
        self.ids = ids
        self.url = f"{tenant.url}/changesets"

    async def call(
        self, method: str, path: str, body: Any = None, *, headers: dict[str, str] | None = None, **options: Any
    ) -> httpx.Response:
        """A request as the owner, unless other headers are given."""
        sent = self.tenant.client_headers if headers is None else headers
        content = None if body is None else json.dumps(body)
        kind = {} if body is None else {"Content-Type": "application/json"}
        address = self.url + path.format_map(self.ids)
        return await self.client.request(method, address, content=content, headers={**kind, **sent}, **options)

    async def look(self, candidate: float) -> str:
        """A change set whose validation has finished; its id."""
        changeset = await self.bench.propose(candidate)
        started = await self.bench.start(changeset.id)
        execution = DirectExecution(self.bench.database, self.bench.access)
        await validate(execution, started.id, door=DOOR, runtimes=Always(ScriptedRuntime()))
        return str(changeset.id)


@pytest.fixture
async def shop(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> Shop:
    bench = await Workbench.make(database, tenant.access)
    scan_id = uuid4()
    async with database.transaction(tenant.access) as session:
        items, _ = await SampleService(session, tenant.access).list_items(
            bench.set_id, Page(limit=3), split=Split.REFLECT
        )
        members = [item.id for item in items]
        examples = [{"item_id": str(members[0]), "text": "right → wrong · right"}]
        drafts = [ClusterDraft("right → wrong", 3, 1.0, members, examples, {"got:wrong": 1.0}, 0.8)]
        (cluster,) = await ClusterService(session, tenant.access).record(scan_id, bench.agent_id, drafts)
        summary = {"items": 15, "missing": 0, "objective": 0.5, "accuracy": 0.5, "mean_cost_nano_usd": 1500.0}
        effect: dict[str, Any] = {
            "n": 15,
            "effect": 0.2,
            "low": -0.05,
            "high": 0.4,
            "method": "paired-t",
            "p_value": 0.04,
        }
        effect |= {"p_adjusted": 0.08, "wins": 4, "losses": 1, "broken_guards": []}
        experiment = await ExperimentService(session, tenant.access).record(
            ExperimentDraft(
                name="select",
                agent_id=bench.agent_id,
                sample_set_id=bench.set_id,
                sample_set_version=2,
                split="select",
                rubric_id=bench.rubric_id,
                rubric_version=1,
                objective=ObjectiveSpec(),
                items=15,
                repeats=1,
                seed=1,
                arms=[
                    ArmDraft("champion", "a" * 64, summary, version=1),
                    ArmDraft("few_shot 1", "b" * 64, summary, effect, version=2, changes={"/x": 1}, frontier=True),
                ],
                scan_id=scan_id,
            )
        )
    changeset = await bench.propose(
        0.9,
        scan_id=scan_id,
        experiment_id=experiment.id,
        clusters=[ClusterEffect(cluster.id, 2, 0)],
        search_cost_nano_usd=2_000_000,
    )
    started = await bench.start(changeset.id)
    await validate(DirectExecution(database, tenant.access), started.id, door=DOOR, runtimes=Always(ScriptedRuntime()))
    ids = {
        "changeset": str(changeset.id),
        "cluster": str(cluster.id),
        "experiment": str(experiment.id),
        "validation": str(started.id),
        "scan": str(scan_id),
    }
    return Shop(client, tenant, bench, ids)


def problem(answer: httpx.Response, status: int, slug: str) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"].startswith("application/problem+json")
    document: dict[str, Any] = answer.json()
    assert document["type"].endswith(f"/{slug}"), document
    return document


async def test_nobody_a_key_and_a_stranger_get_nowhere(shop: Shop, other_tenant: Tenant) -> None:
    for method, path in ROUTES:
        body = {"label": "taken over"} if method == "PATCH" else None
        assert (await shop.call(method, path, body, headers={})).status_code == 401, path
        assert (await shop.call(method, path, body, headers=shop.tenant.key_headers)).status_code == 403, path
        stranger = await shop.call(method, path, body, headers=other_tenant.client_headers)
        assert stranger.status_code == 404, path
        # The same ids under the stranger's own workspace do not exist either.
        address = f"{other_tenant.url}/changesets{path.format_map(shop.ids)}"
        answer = await shop.client.request(method, address, json=body, headers=other_tenant.client_headers)
        assert answer.status_code == (200 if path in {"", "/experiments"} else 404), (path, answer.text)
        assert not [value for value in shop.ids.values() if value not in address and value in answer.text], path
    assert (await shop.bench.read(UUID(shop.ids["changeset"]))).state == "validated"


async def test_the_list_shows_state_and_interval_and_can_be_narrowed(shop: Shop) -> None:
    answer = await shop.call("GET", "")
    (only,) = answer.json()["results"]
    assert answer.json()["pagination"] == {"total": 1, "limit": 20, "offset": 0}
    assert (only["id"], only["state"], only["verdict"]) == (shop.ids["changeset"], "validated", "validated")
    assert only["effect"]["low"] > 0.01
    assert only["further_samples"] is None
    for query, total in [
        ({"state": "validated"}, 1),
        ({"state": "proposed"}, 0),
        ({"scan_id": shop.ids["scan"]}, 1),
        ({"agent_id": str(uuid4())}, 0),
    ]:
        answer = await shop.call("GET", "", params=query)
        assert answer.json()["pagination"]["total"] == total, query
    for wrong in ({"state": "nonsense"}, {"scan_id": "1"}, {"limit": "101"}):
        problem(await shop.call("GET", "", params=wrong), 422, "validation-error")


async def test_the_detail_explains_the_verdict(shop: Shop) -> None:
    answer = await shop.call("GET", "/{changeset}")
    assert answer.status_code == 200
    detail = answer.json()
    (change,) = detail["diff"]
    assert (change["before"], change["after"], change["operation"]) == ("0.5", "0.9", "replace")
    evidence = detail["evidence"]
    assert len(evidence["trace_ids"]) == 1
    (cluster,) = evidence["clusters"]
    assert (cluster["label"], cluster["failures"], cluster["fixed"], cluster["broke"]) == ("right → wrong", 3, 2, 0)
    assert evidence["candidate"]["candidate_version"] == 2
    assert evidence["experiment"]["id"] == shop.ids["experiment"]
    assert [arm["champion"] for arm in evidence["experiment"]["arms"]] == [True, False]
    assert evidence["experiment"]["arms"][0]["mean_cost_usd"] == "0.0000015"
    holdout = evidence["holdout"]
    assert holdout["holdout_id"] == str(shop.bench.holdout_id)
    assert (len(holdout["digest"]), holdout["look"], holdout["alpha"]) == (64, 1, 0.025)
    assert evidence["interval"] == detail["validation"]["effect"] == detail["effect"]
    assert evidence["interval"]["confidence"] == 0.975
    assert detail["effect_95"]["confidence"] == 0.95
    assert (evidence["verdict"], evidence["execution"]) == ("validated", "native")
    assert detail["cost"] == {"search_usd": "0.002", "validation_usd": "0", "total_usd": "0.002"}
    validation = detail["validation"]
    assert validation["champion"]["passed"]["rate"] < validation["challenger"]["passed"]["rate"]
    assert validation["champion"]["passed"]["low"] < validation["champion"]["passed"]["rate"]
    assert validation["n"] == validation["items"]


async def test_accept_apply_and_rollback(shop: Shop) -> None:
    accepted = await shop.call("POST", "/{changeset}/accept")
    assert (accepted.status_code, accepted.json()["state"]) == (200, "accepted")
    config = await shop.client.get(
        f"{shop.tenant.url}/agents/{shop.bench.agent_id}/config", headers=shop.tenant.key_headers
    )
    assert "0.9" in config.text
    problem(await shop.call("POST", "/{changeset}/accept", {}), 400, "invalid-transition")
    applied = await shop.call("POST", "/{changeset}/apply")
    assert (applied.status_code, applied.json()["state"]) == (200, "applied")
    back = await shop.call("POST", "/{changeset}/rollback", {"reason": "it got worse"})
    assert (back.status_code, back.json()["state"], back.json()["closed_reason"]) == (
        200,
        "rolled_back",
        "it got worse",
    )
    problem(await shop.call("POST", "/{changeset}/apply"), 400, "invalid-transition")


async def test_accept_without_a_passed_validation(shop: Shop) -> None:
    shop.ids["unclear"] = await shop.look(0.54)
    refused = problem(await shop.call("POST", "/{unclear}/accept", {}), 400, "not-validated")
    assert refused["further_samples"] > 0
    assert refused["reason"] == "interval_contains_minimum_effect"
    assert str(refused["further_samples"]) in refused["detail"]
    wrong_bodies: list[Any] = [{"override_reason": reason} for reason in ("  ", 3, "x" * 2001)]
    for wrong in [*wrong_bodies, {"force": True}, []]:
        problem(await shop.call("POST", "/{unclear}/accept", wrong), 422, "validation-error")
    assert (await shop.call("GET", "/{unclear}")).json()["state"] == "inconclusive"
    accepted = await shop.call("POST", "/{unclear}/accept", {"override_reason": "we know better"})
    assert (accepted.status_code, accepted.json()["override_reason"]) == (200, "we know better")
    # What else was proposed for production is superseded by it.
    assert (await shop.call("GET", "/{changeset}")).json()["state"] == "superseded"


async def test_reject(shop: Shop) -> None:
    rejected = await shop.call("POST", "/{changeset}/reject", {"reason": "not now"})
    assert (rejected.status_code, rejected.json()["state"]) == (200, "rejected")
    problem(await shop.call("POST", "/{changeset}/reject"), 400, "invalid-transition")
    problem(await shop.call("POST", "/{changeset}/validation"), 400, "invalid-transition")


async def test_unknown_and_malformed_ids_are_not_found(shop: Shop) -> None:
    unknown = str(uuid4())
    for path in (f"/{unknown}", f"/{unknown}/clusters", f"/{unknown}/validation", f"/experiments/{unknown}"):
        problem(await shop.call("GET", path), 404, "not-found")
    problem(await shop.call("GET", "/{changeset}/clusters/" + unknown), 404, "not-found")
    problem(await shop.call("GET", "/{changeset}/validation/" + unknown), 404, "not-found")
    problem(await shop.call("GET", "/not-an-id"), 404, "not-found")
    problem(await shop.call("POST", f"/{unknown}/accept"), 404, "not-found")


async def test_clusters_are_shown_and_curated(shop: Shop) -> None:
    listed = (await shop.call("GET", "/{changeset}/clusters")).json()
    assert (listed["pagination"]["total"], listed["results"][0]["id"]) == (1, shop.ids["cluster"])
    detail = (await shop.call("GET", "/{changeset}/clusters/{cluster}")).json()
    members = detail["members"]["results"]
    assert (len(members), detail["members"]["pagination"]["total"]) == (3, 3)
    assert detail["examples"] == [{"item_id": members[0]["item_id"], "text": "right → wrong · right"}]
    patched = await shop.call(
        "PATCH", "/{changeset}/clusters/{cluster}", {"label": " off by one ", "status": "muted", "note": "known"}
    )
    assert patched.status_code == 200
    shown = patched.json()
    assert (shown["label"], shown["status"], shown["note"]) == ("off by one", "muted", "known")
    again = (await shop.call("PATCH", "/{changeset}/clusters/{cluster}", {"note": None})).json()
    assert (again["label"], again["note"]) == ("off by one", None)
    refused: list[dict[str, Any]] = [{"label": None}, {"label": ""}, {"status": "gone"}, {"status": None}, {"note": 5}]
    refused.append({"size": 3})
    for wrong in refused:
        answer = await shop.call("PATCH", "/{changeset}/clusters/{cluster}", wrong)
        problem(answer, 422, "validation-error")
    problem(await shop.call("PATCH", "/{changeset}/clusters/{cluster}"), 422, "validation-error")


async def test_experiments_have_routes_of_their_own(shop: Shop) -> None:
    listed = (await shop.call("GET", "/experiments", params={"scan_id": shop.ids["scan"]})).json()
    assert [one["id"] for one in listed["results"]] == [shop.ids["experiment"]]
    shown = (await shop.call("GET", "/experiments/{experiment}")).json()
    assert (shown["split"], shown["items"], len(shown["arms"])) == ("select", 15, 2)
    results = (await shop.call("GET", "/experiments/{experiment}/results")).json()
    (comparison,) = results["results"]
    assert results["pagination"]["total"] == 1
    assert (comparison["label"], comparison["effect"], comparison["p_adjusted"]) == ("few_shot 1", 0.2, 0.08)
    assert (comparison["low"], comparison["high"], comparison["changes"]) == (-0.05, 0.4, {"/x": 1})
    empty = (await shop.call("GET", "/experiments/{experiment}/results", params={"offset": 1})).json()
    assert (empty["results"], empty["pagination"]["total"]) == ([], 1)


async def test_a_validation_is_started_once_whatever_is_repeated(shop: Shop) -> None:
    shop.ids["fresh"] = str((await shop.bench.propose(0.8)).id)
    for wrong in ({"repeats": 0}, {"repeats": 11}, {"max_cost_usd": "-1"}, {"max_cost_usd": "a lot"}, {"looks": 2}):
        problem(await shop.call("POST", "/{fresh}/validation", wrong), 422, "validation-error")
    headers = {**shop.tenant.client_headers, "Idempotency-Key": "once"}
    body = {"repeats": 1, "max_cost_usd": "0.50"}
    started = await shop.call("POST", "/{fresh}/validation", body, headers=headers)
    assert started.status_code == 202, started.text
    validation = started.json()
    assert (validation["status"], validation["look"], validation["max_cost_usd"]) == ("queued", 2, "0.5")
    assert started.headers["location"].endswith(f"/validation/{validation['id']}")
    replayed = await shop.call("POST", "/{fresh}/validation", body, headers=headers)
    assert (replayed.status_code, replayed.json()["id"]) == (202, validation["id"])
    problem(await shop.call("POST", "/{fresh}/validation", body), 400, "invalid-transition")
    listed = (await shop.call("GET", "/{fresh}/validation")).json()
    assert [one["id"] for one in listed["results"]] == [validation["id"]]
    read = await shop.client.get(started.headers["location"], headers=shop.tenant.client_headers)
    assert read.json()["alpha"] == 0.0125
    assert (await shop.call("GET", "/{fresh}")).json()["state"] == "validating"
    assert (await shop.bench.ledger()).looks_taken == 2


async def test_a_spent_holdout_is_refused(shop: Shop) -> None:
    for candidate in (0.7, 0.75):
        shop.ids["next"] = str((await shop.bench.propose(candidate)).id)
        assert (await shop.call("POST", "/{next}/validation")).status_code == 202
    shop.ids["next"] = str((await shop.bench.propose(0.8)).id)
    refused = problem(await shop.call("POST", "/{next}/validation"), 400, "holdout-spent")
    assert refused["looks"] == 3
    assert (await shop.call("GET", "/{next}")).json()["state"] == "proposed"


async def test_the_engine_takes_the_look(engine_client: httpx.AsyncClient, shop: Shop) -> None:
    shop.ids["fresh"] = str((await shop.bench.propose(0.8)).id)
    answer = await engine_client.post(f"{shop.url}/{shop.ids['fresh']}/validation", headers=shop.tenant.client_headers)
    assert answer.status_code == 202, answer.text
    for _ in range(300):
        validation = (await engine_client.get(answer.headers["location"], headers=shop.tenant.client_headers)).json()
        if validation["finished_at"] is not None:
            break
        await asyncio.sleep(0.1)
    assert validation["status"] == "completed", validation
    # Both prompts say nothing that the local model could use, so nothing can have been shown.
    assert validation["verdict"] in {"inconclusive", "refuted"}
    assert validation["n"] == validation["items"]
    assert (await shop.call("GET", "/{fresh}")).json()["state"] == validation["verdict"]
