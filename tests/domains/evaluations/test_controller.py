"""Rubrics and objectives over HTTP."""

from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.evaluations.models import Objective, RubricVersion
from spectral.domains.evaluations.repository import RubricVersionRepository
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

LABELS = {"name": "intent", "scorer": "label", "weight": 3, "options": {"labels": ["billing", "login"]}}
SPEED = {"name": "speed", "scorer": "latency", "weight": 1, "options": {"target_ms": 100, "limit_ms": 300}}
HOPELESS = {"name": "r", "scorer": "regex", "options": {"pattern": r"(a)\1"}}
RUBRIC = {"name": "Right and fast", "dimensions": [LABELS, SPEED], "threshold": 0.75}
OBJECTIVE = {
    "name": "Better, not dearer",
    "terms": [{"source": "rubric", "weight": 3}, {"source": "cost", "weight": 1, "scale_usd": "0.001"}],
    "guards": [{"kind": "latency", "max_ratio": 1.1}, {"kind": "dimension", "dimension": "intent", "minimum": 0.8}],
    "minimum_effect": 0.02,
}
CASES = [
    {"input": "charged twice", "expected": "billing", "output": "billing", "latency_ms": 100},
    {"input": "charged twice", "expected": "billing", "output": "login", "latency_ms": 200},
    {"input": "no label known", "expected": "other", "output": "login"},
    {"input": "refused", "expected": "login", "error": {"type": "invalid_request", "message": "too long"}},
]
PAIRS = [
    {
        "champion": {"total": 0.5, "dimensions": {"intent": 0.5}, "cost_usd": "0.001", "latency_ms": 100},
        "challenger": {"total": 1, "dimensions": {"intent": 1}, "cost_usd": "0.001", "latency_ms": 105},
    },
    {"champion": {"total": 0.5, "cost_usd": None}, "challenger": {"total": 1, "cost_usd": "0"}},
]

Answer = dict[str, Any]


async def made(client: httpx.AsyncClient, tenant: Tenant, what: str, body: Answer) -> Answer:
    response = await client.post(f"{tenant.url}/evaluations/{what}", json=body, headers=tenant.client_headers)
    assert response.status_code == 201, response.text
    assert response.headers["location"] == f"{tenant.url}/evaluations/{what}/{response.json()['id']}"
    answer: Answer = response.json()
    return answer


def problem(response: httpx.Response, status: int, slug: str) -> Answer:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    answer: Answer = response.json()
    assert answer["type"].endswith(f"/{slug}"), answer
    return answer


async def test_a_rubric_is_stored_with_every_default_written_out(client: httpx.AsyncClient, tenant: Tenant) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    assert (rubric["version"], rubric["latest_version"], rubric["on_error"]) == (1, 1, "zero")
    assert rubric["dimensions"] == [LABELS, SPEED]
    assert rubric["created_by"] == f"user:{tenant.user_id}"
    read = await client.get(f"{tenant.url}/evaluations/rubrics/{rubric['id']}", headers=tenant.client_headers)
    assert read.json() == rubric
    exact = await made(client, tenant, "rubrics", {"name": "x", "dimensions": [{"name": "a", "scorer": "exact_match"}]})
    assert exact["dimensions"][0]["options"] == {"case_sensitive": True, "collapse_whitespace": True}
    listed = (await client.get(f"{tenant.url}/evaluations/rubrics?limit=1", headers=tenant.client_headers)).json()
    assert listed["pagination"] == {"total": 2, "limit": 1, "offset": 0}
    assert listed["results"] == [exact]


async def test_other_content_is_a_new_version_and_old_ones_stay(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    url = f"{tenant.url}/evaluations/rubrics/{rubric['id']}"
    headers = tenant.client_headers
    stricter = (await client.patch(url, json={"threshold": 0.9}, headers=headers)).json()
    assert (stricter["version"], stricter["threshold"], stricter["dimensions"]) == (2, 0.9, rubric["dimensions"])
    renamed = (await client.patch(url, json={"name": "Strict", "description": None}, headers=headers)).json()
    assert (renamed["version"], renamed["name"], renamed["digest"]) == (2, "Strict", stricter["digest"])
    replaced = (await client.put(url, json={**RUBRIC, "dimensions": [SPEED]}, headers=headers)).json()
    assert (replaced["version"], replaced["name"], len(replaced["dimensions"])) == (3, RUBRIC["name"], 1)
    same = (await client.put(url, json={**RUBRIC, "dimensions": [SPEED]}, headers=headers)).json()
    assert same["version"] == 3
    first = (await client.get(f"{url}?version=1", headers=headers)).json()
    assert (first["version"], first["latest_version"], first["digest"]) == (1, 3, rubric["digest"])
    assert first["dimensions"] == rubric["dimensions"]
    versions = (await client.get(f"{url}/versions", headers=headers)).json()
    assert [each["version"] for each in versions["results"]] == [3, 2, 1]
    problem(await client.get(f"{url}?version=4", headers=headers), 404, "not-found")
    problem(await client.get(f"{url}?version=0", headers=headers), 422, "validation-error")
    assert (await client.delete(url, headers=headers)).status_code == 204
    problem(await client.get(url, headers=headers), 404, "not-found")
    async with database.transaction(tenant.access, read_only=True) as session:
        assert await RubricVersionRepository(session, tenant.access).count() == 0


async def test_a_name_is_taken_once(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    await made(client, other_tenant, "rubrics", RUBRIC)
    await made(client, tenant, "rubrics", {**RUBRIC, "name": "Second"})
    headers = tenant.client_headers
    url = f"{tenant.url}/evaluations/rubrics"
    problem(await client.post(url, json=RUBRIC, headers=headers), 409, "rubric-name-taken")
    taken = {"name": "Second", "threshold": 0.1}
    problem(await client.patch(f"{url}/{rubric['id']}", json=taken, headers=headers), 409, "rubric-name-taken")
    assert (await client.get(f"{url}/{rubric['id']}", headers=headers)).json() == rubric
    await made(client, tenant, "objectives", OBJECTIVE)
    again = await client.post(f"{tenant.url}/evaluations/objectives", json=OBJECTIVE, headers=headers)
    problem(again, 409, "objective-name-taken")


async def test_examples_are_scored_before_anything_is_saved(client: httpx.AsyncClient, tenant: Tenant) -> None:
    spec = {name: value for name, value in RUBRIC.items() if name != "name"}
    url = f"{tenant.url}/evaluations/rubrics"
    previewed = await client.post(
        f"{url}/preview", json={"rubric": spec, "cases": CASES}, headers=tenant.client_headers
    )
    assert previewed.status_code == 200, previewed.text
    scores = previewed.json()
    assert [case["total"] for case in scores["cases"]] == [1.0, 0.125, None, 0.0]
    assert [case["missing_reason"] for case in scores["cases"]] == [None, None, "scorer", None]
    assert (scores["scored"], scores["missing"], scores["passed"]) == (3, 1, 1)
    assert scores["mean_total"] == pytest.approx(0.375)
    assert scores["weights"] == {"intent": 0.75, "speed": 0.25}
    assert scores["cases"][1]["dimensions"]["intent"]["explanation"] == 'expected label "billing", got "login"'
    assert scores["cases"][0]["dimensions"]["intent"]["scorer"] == "label@1"
    listed = await client.get(url, headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 0
    stored = await made(client, tenant, "rubrics", RUBRIC)
    await client.patch(f"{url}/{stored['id']}", json={"dimensions": [SPEED]}, headers=tenant.client_headers)
    scored = await client.post(
        f"{url}/{stored['id']}/score", json={"version": 1, "cases": CASES}, headers=tenant.client_headers
    )
    assert scored.status_code == 200, scored.text
    assert scored.json() == scores
    latest = await client.post(f"{url}/{stored['id']}/score", json={"cases": CASES}, headers=tenant.client_headers)
    assert latest.json()["weights"] == {"speed": 1.0}
    absent = {"version": 9, "cases": CASES}
    problem(
        await client.post(f"{url}/{stored['id']}/score", json=absent, headers=tenant.client_headers), 404, "not-found"
    )


async def test_a_preview_that_takes_too_long_is_given_up(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spectral.domains.evaluations.previewing.PREVIEW_SECONDS", -1.0)
    spec = {name: value for name, value in RUBRIC.items() if name != "name"}
    refused = await client.post(
        f"{tenant.url}/evaluations/rubrics/preview",
        json={"rubric": spec, "cases": CASES},
        headers=tenant.client_headers,
    )
    problem(refused, 400, "preview-too-slow")


async def test_a_scorer_that_was_uninstalled_is_said_so(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    async with database.transaction(tenant.access) as session:
        gone = {**RUBRIC, "dimensions": [{**SPEED, "scorer": "gone"}], "on_error": "zero"}
        del gone["name"]
        await session.execute(
            sa.update(RubricVersion)
            .where(RubricVersion.workspace_id == tenant.workspace_id)
            .values(document=gone, digest="0" * 64)
        )
    url = f"{tenant.url}/evaluations/rubrics/{rubric['id']}"
    headers = tenant.client_headers
    assert (await client.get(url, headers=headers)).json()["dimensions"][0]["scorer"] == "gone"
    refused = await client.post(f"{url}/score", json={"cases": CASES}, headers=headers)
    assert "'gone' is not installed" in problem(refused, 400, "scorer-not-installed")["detail"]
    problem(await client.patch(url, json={"threshold": 0.1}, headers=headers), 400, "scorer-not-installed")
    assert (await client.patch(url, json={"dimensions": [SPEED]}, headers=headers)).json()["version"] == 2


async def test_an_objective_from_creation_to_deletion(client: httpx.AsyncClient, tenant: Tenant) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    objective = await made(client, tenant, "objectives", {**OBJECTIVE, "rubric_id": rubric["id"]})
    assert objective["terms"] == OBJECTIVE["terms"]
    assert objective["guards"][0] == {"kind": "latency", "statistic": "p95", "max_ratio": 1.1}
    url = f"{tenant.url}/evaluations/objectives/{objective['id']}"
    headers = tenant.client_headers
    assert (await client.get(url, headers=headers)).json() == objective
    changed = (await client.patch(url, json={"minimum_effect": 0.05, "description": "d"}, headers=headers)).json()
    assert (changed["minimum_effect"], changed["terms"], changed["description"]) == (0.05, objective["terms"], "d")
    replaced = (await client.put(url, json={"name": "Plain"}, headers=headers)).json()
    assert (replaced["name"], replaced["rubric_id"], replaced["guards"]) == ("Plain", None, [])
    assert replaced["terms"] == [{"source": "rubric", "weight": 1.0}]
    assert replaced["minimum_effect"] == 0.01
    listed = (await client.get(f"{tenant.url}/evaluations/objectives", headers=headers)).json()
    assert listed["results"] == [replaced]
    assert (await client.delete(url, headers=headers)).status_code == 204
    problem(await client.get(url, headers=headers), 404, "not-found")


async def test_guards_name_dimensions_that_the_rubric_has(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    rubric = await made(client, tenant, "rubrics", {**RUBRIC, "dimensions": [SPEED]})
    theirs = await made(client, other_tenant, "rubrics", RUBRIC)
    url = f"{tenant.url}/evaluations/objectives"
    headers = tenant.client_headers
    wrong = await client.post(url, json={**OBJECTIVE, "rubric_id": rubric["id"]}, headers=headers)
    assert problem(wrong, 400, "unknown-dimension")["dimension"] == "intent"
    for foreign in (theirs["id"], str(uuid4())):
        problem(await client.post(url, json={**OBJECTIVE, "rubric_id": foreign}, headers=headers), 404, "not-found")
    objective = await made(client, tenant, "objectives", OBJECTIVE)
    for change, status, slug in (
        ({"rubric_id": rubric["id"]}, 400, "unknown-dimension"),
        ({"rubric_id": theirs["id"]}, 404, "not-found"),
    ):
        problem(await client.patch(f"{url}/{objective['id']}", json=change, headers=headers), status, slug)
    assert (await client.get(f"{url}/{objective['id']}", headers=headers)).json() == objective


async def test_a_rubric_in_use_is_not_deleted(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    objective = await made(client, tenant, "objectives", {**OBJECTIVE, "rubric_id": rubric["id"]})
    url = f"{tenant.url}/evaluations/rubrics/{rubric['id']}"
    headers = tenant.client_headers
    refused = problem(await client.delete(url, headers=headers), 400, "rubric-in-use")
    assert objective["name"] in refused["detail"]

    async def sees_none(*_: object, **__: object) -> list[Objective]:
        return []

    # A reference from a domain above is only seen by its foreign key; the objective's stands for it here.
    monkeypatch.setattr("spectral.domains.evaluations.service.ObjectiveRepository.find_all", sees_none)
    problem(await client.delete(url, headers=headers), 400, "rubric-in-use")
    assert (await client.get(url, headers=headers)).json() == rubric
    await client.delete(f"{tenant.url}/evaluations/objectives/{objective['id']}", headers=headers)
    assert (await client.delete(url, headers=headers)).status_code == 204


async def test_an_objective_is_applied_to_pairs(client: httpx.AsyncClient, tenant: Tenant) -> None:
    objective = await made(client, tenant, "objectives", OBJECTIVE)
    url = f"{tenant.url}/evaluations/objectives/{objective['id']}/preview"
    answer = await client.post(url, json={"pairs": PAIRS}, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    preview = answer.json()
    assert preview["pairs"][0] == {"champion": 0.5, "challenger": 0.875, "difference": 0.375}
    assert preview["pairs"][1] == {"champion": None, "challenger": 1.0, "difference": None}
    assert (preview["mean_difference"], preview["missing"], preview["minimum_effect"]) == (0.375, 1, 0.02)
    latency, floor = preview["guards"]
    assert (latency["name"], latency["slack"], latency["holds"]) == ("p95_latency", pytest.approx(5.0), True)
    assert (floor["name"], floor["slack"], floor["pairs"], floor["missing"]) == (
        "intent_minimum",
        pytest.approx(0.2),
        1,
        1,
    )


async def test_everything_is_in_the_audit_log(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    url = f"{tenant.url}/evaluations/rubrics/{rubric['id']}"
    await client.patch(url, json={"threshold": 0.1}, headers=tenant.client_headers)
    await client.delete(url, headers=tenant.client_headers)
    async with database.transaction(tenant.access, read_only=True) as session:
        rows = await session.execute(
            sa.text("SELECT action, actor FROM audit_entry WHERE subject = :subject ORDER BY created_at, id"),
            {"subject": f"rubric:{rubric['id']}"},
        )
        entries = [tuple(row) for row in rows]
    actor = f"user:{tenant.user_id}"
    assert entries == [("rubric.created", actor), ("rubric.updated", actor), ("rubric.deleted", actor)]


ROUTES = [
    ("GET", "rubrics", None),
    ("POST", "rubrics", {**RUBRIC, "name": "New"}),
    ("POST", "rubrics/preview", {"rubric": {"dimensions": [SPEED]}, "cases": CASES}),
    ("GET", "rubrics/{rubric}", None),
    ("GET", "rubrics/{rubric}/versions", None),
    ("PATCH", "rubrics/{rubric}", {"threshold": 0.2}),
    ("PUT", "rubrics/{rubric}", RUBRIC),
    ("POST", "rubrics/{rubric}/score", {"cases": CASES}),
    ("DELETE", "rubrics/{rubric}", None),
    ("GET", "objectives", None),
    ("POST", "objectives", {**OBJECTIVE, "name": "New"}),
    ("GET", "objectives/{objective}", None),
    ("PATCH", "objectives/{objective}", {"minimum_effect": 0.2}),
    ("PUT", "objectives/{objective}", OBJECTIVE),
    ("POST", "objectives/{objective}/preview", {"pairs": PAIRS}),
    ("DELETE", "objectives/{objective}", None),
]


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    ids = {
        "rubric": (await made(client, tenant, "rubrics", RUBRIC))["id"],
        "objective": (await made(client, tenant, "objectives", OBJECTIVE))["id"],
    }
    for method, path, body in ROUTES:
        filled = path.format(**ids)
        mine, theirs = f"{tenant.url}/evaluations/{filled}", f"{other_tenant.url}/evaluations/{filled}"
        problem(await client.request(method, mine, json=body), 401, "not-authenticated")
        problem(await client.request(method, mine, json=body, headers=tenant.key_headers), 403, "forbidden")
        problem(await client.request(method, mine, json=body, headers=other_tenant.client_headers), 404, "not-found")
        if "{" in path:
            # The caller's own workspace with somebody else's id.
            answer = await client.request(method, theirs, json=body, headers=other_tenant.client_headers)
            problem(answer, 404, "not-found")
    for kind, identifier in ids.items():
        read = await client.get(f"{tenant.url}/evaluations/{kind}s/{identifier}", headers=tenant.client_headers)
        assert read.status_code == 200


WRONG_BODIES: list[tuple[str, Answer, str]] = [
    ("rubrics", {}, "/name"),
    ("rubrics", {**RUBRIC, "extra": 1}, "/extra"),
    ("rubrics", {**RUBRIC, "name": " "}, "/name"),
    ("rubrics", {**RUBRIC, "dimensions": []}, "/dimensions"),
    ("rubrics", {**RUBRIC, "dimensions": [LABELS, {**SPEED, "scorer": "magic"}]}, "/dimensions/1"),
    ("rubrics", {**RUBRIC, "dimensions": [{**LABELS, "options": {"labels": ["one"]}}]}, "/dimensions/0"),
    ("rubrics", {**RUBRIC, "dimensions": [HOPELESS]}, "/dimensions/0"),
    ("rubrics", {**RUBRIC, "dimensions": [LABELS, LABELS]}, ""),
    ("rubrics", {**RUBRIC, "threshold": "high"}, "/threshold"),
    ("rubrics/preview", {"rubric": {"dimensions": [SPEED]}, "cases": []}, "/cases"),
    ("rubrics/preview", {"rubric": {"dimensions": [SPEED]}, "cases": CASES * 26}, "/cases"),
    ("rubrics/preview", {"rubric": {"dimensions": [SPEED]}, "cases": [{"cost_usd": "-1"}]}, "/cases/0/cost_usd"),
    ("objectives", {**OBJECTIVE, "terms": []}, "/terms"),
    ("objectives", {**OBJECTIVE, "terms": [{"source": "magic"}]}, "/terms/0"),
    ("objectives", {**OBJECTIVE, "terms": [{"source": "cost", "scale_usd": "free"}]}, "/terms/0/scale_usd"),
    ("objectives", {**OBJECTIVE, "guards": [{"kind": "latency", "max_ratio": -1}]}, "/guards/0/max_ratio"),
    ("objectives", {**OBJECTIVE, "rubric_id": "not-an-id"}, "/rubric_id"),
]  # fmt: skip


async def test_a_wrong_body_changes_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for path, body, pointer in WRONG_BODIES:
        response = await client.post(f"{tenant.url}/evaluations/{path}", json=body, headers=tenant.client_headers)
        errors = problem(response, 422, "validation-error")["errors"]
        assert pointer in {error["pointer"] for error in errors}, (path, body, errors)
    for kind in ("rubrics", "objectives"):
        listed = await client.get(f"{tenant.url}/evaluations/{kind}", headers=tenant.client_headers)
        assert listed.json()["pagination"]["total"] == 0


async def test_a_wrong_change_changes_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    rubric = await made(client, tenant, "rubrics", RUBRIC)
    objective = await made(client, tenant, "objectives", OBJECTIVE)
    wrong: list[tuple[str, Answer, Answer]] = [
        ("rubrics", rubric, {"name": None}),
        ("rubrics", rubric, {"dimensions": None}),
        ("rubrics", rubric, {"dimensions": [SPEED, SPEED]}),
        ("rubrics", rubric, {"threshold": 2}),
        ("rubrics", rubric, {"version": 7}),
        ("objectives", objective, {"terms": None}),
        ("objectives", objective, {"terms": []}),
        ("objectives", objective, {"guards": [{"kind": "cost"}, {"kind": "cost"}]}),
        ("objectives", objective, {"id": str(UUID(int=0))}),
    ]
    for kind, before, change in wrong:
        url = f"{tenant.url}/evaluations/{kind}/{before['id']}"
        problem(await client.patch(url, json=change, headers=tenant.client_headers), 422, "validation-error")
        assert (await client.get(url, headers=tenant.client_headers)).json() == before
    for kind in ("rubrics", "objectives"):
        malformed = await client.get(f"{tenant.url}/evaluations/{kind}/nonsense", headers=tenant.client_headers)
        problem(malformed, 404, "not-found")


async def test_a_repeated_request_creates_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = {**tenant.client_headers, "Idempotency-Key": "once"}
    url = f"{tenant.url}/evaluations/rubrics"
    first = await client.post(url, json=RUBRIC, headers=headers)
    again = await client.post(url, json=RUBRIC, headers=headers)
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.json() == again.json()
    other = await client.post(url, json={**RUBRIC, "name": "Other"}, headers=headers)
    assert other.status_code == 422
