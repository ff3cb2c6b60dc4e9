"""Online evaluations through the API: made, changed, refused."""

from typing import Any

import httpx
import pytest

from tests.domains.evaluations.arriving import online
from tests.fixtures.tenants import Tenant


async def test_an_online_evaluation_is_made_changed_listed_and_deleted(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    url = f"{tenant.url}/evaluations/online"
    budget = {"max_evaluations": 5, "max_cost_usd": "1.50"}
    made = await online(client, tenant, sampling_rate=0.1, budget=budget, filter={"agent_id": "support"}, settle_s=30)
    assert made["filter"] == {"agent_id": "support", "agent_version": None, "mode": None, "name": None}
    assert made["budget"] == {"max_evaluations": 5, "max_cost_usd": "1.5"}
    assert (made["rubric_version"], made["target"], made["enabled"], made["sampling_rate"]) == (
        None,
        "trace",
        True,
        0.1,
    )
    assert made["figures"] == {
        "evaluated": 0,
        "failed": 0,
        "skipped_by_sampling": 0,
        "skipped_by_budget": 0,
        "cost_usd": "0",
        "evaluations_today": 0,
        "spent_today_usd": "0",
        "last_run_at": None,
    }
    changes = {"enabled": False, "rubric_version": 1, "budget": {"max_evaluations": 9}, "target": "model_call"}
    changed = await client.patch(f"{url}/{made['id']}", json=changes, headers=tenant.client_headers)
    assert changed.status_code == 200, changed.text
    expected = made | changes | {"budget": {"max_evaluations": 9, "max_cost_usd": None}}
    assert changed.json() == expected | {"updated_at": changed.json()["updated_at"]}
    listed = (await client.get(url, headers=tenant.client_headers)).json()
    assert [found["id"] for found in listed["results"]] == [made["id"]]
    # A rubric that scores new traces cannot go.
    rubric = f"{tenant.url}/evaluations/rubrics/{made['rubric_id']}"
    refused = await client.delete(rubric, headers=tenant.client_headers)
    assert (refused.status_code, refused.json()["type"].rsplit("/", 1)[-1]) == (400, "rubric-in-use")
    assert (await client.delete(f"{url}/{made['id']}", headers=tenant.client_headers)).status_code == 204
    assert (await client.get(f"{url}/{made['id']}", headers=tenant.client_headers)).status_code == 404
    log = await client.get(
        "/api/v1/account/audit-log", params={"action": "online_evaluation."}, headers=tenant.client_headers
    )
    assert [entry["action"] for entry in log.json()["results"]] == [
        "online_evaluation.deleted",
        "online_evaluation.updated",
        "online_evaluation.created",
    ]


@pytest.mark.parametrize(
    ("changes", "status", "pointer"),
    [
        ({"name": "with space"}, 422, "/name"),
        ({"name": "a/b"}, 422, "/name"),
        ({"sampling_rate": 1.01}, 422, "/sampling_rate"),
        ({"sampling_rate": -0.1}, 422, "/sampling_rate"),
        ({"settle_s": 3601}, 422, "/settle_s"),
        ({"budget": {"max_evaluations": 0}}, 422, "/budget/max_evaluations"),
        ({"budget": {"max_cost_usd": "-1"}}, 422, "/budget/max_cost_usd"),
        ({"filter": {"mode": "evaluation"}}, 422, "/filter"),
        ({"filter": {"agent": "x"}}, 422, "/filter/agent"),
        ({"target": "span"}, 422, "/target"),
        ({"rubric_version": 2}, 404, None),
        ({"rubric_id": "00000000-0000-7000-8000-000000000000"}, 404, None),
    ],
)
async def test_what_makes_no_sense_is_refused_and_named(
    client: httpx.AsyncClient, tenant: Tenant, changes: dict[str, Any], status: int, pointer: str | None
) -> None:
    made = await online(client, tenant, enabled=False)
    url = f"{tenant.url}/evaluations/online"
    body = {"name": "other", "rubric_id": made["rubric_id"], "enabled": False} | changes
    for answer in (
        await client.post(url, json=body, headers=tenant.client_headers),
        await client.patch(f"{url}/{made['id']}", json=changes, headers=tenant.client_headers),
    ):
        assert answer.status_code == status, answer.text
        if pointer is not None:
            assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert (await client.get(f"{url}/{made['id']}", headers=tenant.client_headers)).json() == made


async def test_names_are_unique_and_rights_are_needed(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    made = await online(client, tenant, enabled=False)
    url = f"{tenant.url}/evaluations/online"
    body = {"name": "manners", "rubric_id": made["rubric_id"]}
    assert (await client.post(url, json=body, headers=tenant.client_headers)).status_code == 409
    assert (await client.post(url, json=body, headers=tenant.key_headers)).status_code == 403
    assert (await client.post(url, json=body)).status_code == 401
    theirs = f"{other_tenant.url}/evaluations/online"
    # Another workspace's rubric does not exist here.
    assert (await client.post(theirs, json=body, headers=other_tenant.client_headers)).status_code == 404
    for path in ("", f"/{made['id']}", f"/{made['id']}/scores"):
        assert (await client.get(url + path, headers=other_tenant.client_headers)).status_code == 404
    assert (await client.get(f"{theirs}/{made['id']}/scores", headers=other_tenant.client_headers)).status_code == 404
