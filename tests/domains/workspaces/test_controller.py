"""Workspaces through the API."""

from uuid import uuid4

import httpx
import pytest

from tests.fixtures.tenants import Tenant

WORKSPACES = "/api/v1/workspaces"


async def test_a_workspace_lives(client: httpx.AsyncClient, tenant: Tenant) -> None:
    created = await client.post(WORKSPACES, json={"name": "Support"}, headers=tenant.client_headers)
    assert created.status_code == 201
    url = created.headers["location"]
    assert url == f"{WORKSPACES}/{created.json()['id']}"
    listed = (await client.get(WORKSPACES, headers=tenant.client_headers)).json()
    assert [found["name"] for found in listed["results"]] == ["Support", "Default"]
    changed = await client.patch(url, json={"description": "Tickets"}, headers=tenant.client_headers)
    assert (changed.json()["name"], changed.json()["description"]) == ("Support", "Tickets")
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 202
    assert (await client.get(url, headers=tenant.client_headers)).status_code == 404
    assert (await client.get(WORKSPACES, headers=tenant.client_headers)).json()["pagination"]["total"] == 1


async def test_a_name_is_taken_once_in_an_account(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    taken = await client.post(WORKSPACES, json={"name": "Default"}, headers=tenant.client_headers)
    assert taken.status_code == 409
    assert taken.json()["type"].endswith("/workspace-name-taken")
    created = await client.post(WORKSPACES, json={"name": "Shared"}, headers=tenant.client_headers)
    assert created.status_code == 201
    again = await client.post(WORKSPACES, json={"name": "Shared"}, headers=other_tenant.client_headers)
    assert again.status_code == 201
    renamed = await client.patch(tenant.url, json={"name": "Shared"}, headers=tenant.client_headers)
    assert renamed.status_code == 409
    assert (await client.get(tenant.url, headers=tenant.client_headers)).json()["name"] == "Default"


async def test_who_may_not(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        body = {"name": "x"} if method == "PATCH" else None
        assert (await client.request(method, tenant.url, json=body)).status_code == 401
        foreign = await client.request(method, tenant.url, headers=other_tenant.client_headers, json=body)
        assert foreign.status_code == 404
        key = await client.request(method, tenant.url, headers=tenant.key_headers, json=body)
        assert key.status_code == 403
    assert (await client.post(WORKSPACES, json={"name": "x"})).status_code == 401
    assert (await client.post(WORKSPACES, json={"name": "x"}, headers=tenant.key_headers)).status_code == 403
    assert (await client.get(WORKSPACES, headers=tenant.key_headers)).status_code == 403


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": 3}, {"name": "x", "account_id": str(uuid4())}, [], None])
async def test_a_wrong_body_is_422_and_creates_nothing(client: httpx.AsyncClient, tenant: Tenant, body: object) -> None:
    answer = await client.post(WORKSPACES, json=body, headers=tenant.client_headers)
    assert answer.status_code == 422
    assert answer.json()["errors"]
    assert (await client.get(WORKSPACES, headers=tenant.client_headers)).json()["pagination"]["total"] == 1


async def test_a_header_that_contradicts_the_url_is_400(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    same = tenant.client_headers | {"X-Workspace-Id": str(tenant.workspace_id).upper()}
    assert (await client.get(tenant.url, headers=same)).status_code == 200
    other = tenant.client_headers | {"X-Workspace-Id": str(other_tenant.workspace_id)}
    assert (await client.get(tenant.url, headers=other)).status_code == 400
    assert (await client.get(f"{WORKSPACES}/not-an-id", headers=tenant.client_headers)).status_code == 404
