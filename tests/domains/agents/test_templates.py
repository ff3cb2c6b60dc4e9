"""Managed templates over HTTP and as change sets write them."""

from typing import Any

import httpx
import pytest

from spectral.domains.agents.config import ConfigDocument
from spectral.domains.agents.service import AgentService
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant


def prompt(content: str, **members: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": content}], **members}


@pytest.fixture
async def url(client: httpx.AsyncClient, tenant: Tenant) -> str:
    """The templates of an agent."""
    response = await client.post(f"{tenant.url}/agents", json={"name": "Sorter"}, headers=tenant.client_headers)
    return f"{response.headers['Location']}/templates"


async def test_a_template_is_versioned(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    headers = tenant.client_headers
    created = await client.post(url, json={"name": "reply.v1", **prompt("Dear {{name}}")}, headers=headers)
    assert created.status_code == 201
    assert created.headers["Location"] == f"{url}/reply.v1"
    first = created.json()
    assert (first["version"], first["variables"], first["origin"]) == (1, ["name"], "user")
    replaced = await client.put(f"{url}/reply.v1", json=prompt("Hello {{name}}"), headers=headers)
    assert (replaced.status_code, replaced.json()["version"]) == (200, 2)
    same = await client.put(f"{url}/reply.v1", json=prompt("Hello {{name}}", variables=["name"]), headers=headers)
    assert same.json() == replaced.json()
    now = await client.get(f"{url}/reply.v1", headers=tenant.key_headers)
    assert now.json() == replaced.json()
    before = await client.get(f"{url}/reply.v1?version=1", headers=tenant.key_headers)
    assert before.json() == {**first, "current_version": 2}
    versions = (await client.get(f"{url}/reply.v1/versions", headers=tenant.key_headers)).json()
    assert [each["version"] for each in versions["results"]] == [2, 1]
    listed = (await client.get(url, headers=tenant.key_headers)).json()
    assert listed["results"] == [replaced.json()]
    assert (await client.delete(f"{url}/reply.v1", headers=headers)).status_code == 204
    assert (await client.get(f"{url}/reply.v1", headers=headers)).status_code == 404
    assert (await client.delete(f"{url}/reply.v1", headers=headers)).status_code == 404
    again = await client.post(url, json={"name": "reply.v1", **prompt("New")}, headers=headers)
    assert again.json()["version"] == 1


async def test_a_name_is_given_once_and_templates_are_listed_by_name(
    client: httpx.AsyncClient, tenant: Tenant, url: str
) -> None:
    for name in ("b", "a"):
        created = await client.post(url, json={"name": name, **prompt("x")}, headers=tenant.client_headers)
        assert created.status_code == 201
    taken = await client.post(url, json={"name": "a", **prompt("y")}, headers=tenant.client_headers)
    assert (taken.status_code, taken.json()["type"]) == (409, "https://spectral.dev/errors/template-name-taken")
    listed = (await client.get(url, headers=tenant.client_headers)).json()
    assert [(each["name"], each["version"]) for each in listed["results"]] == [("a", 1), ("b", 1)]


WRONG_TEMPLATES: list[tuple[dict[str, Any], str]] = [
    ({"name": "a b", **prompt("x")}, "/name"),
    ({"name": "", **prompt("x")}, "/name"),
    (prompt("x"), "/name"),
    ({"name": "a", "messages": []}, "/messages"),
    ({"name": "a", **prompt("{{x}}", variables=[])}, "/messages/0/content"),
    ({"name": "a", **prompt("x", variables=["y"])}, "/variables/0"),
    ({"name": "a", **prompt("x"), "version": 7}, "/version"),
]


async def test_a_wrong_template_is_refused_with_its_place(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    for body, pointer in WRONG_TEMPLATES:
        response = await client.post(url, json=body, headers=tenant.client_headers)
        assert response.status_code == 422, (body, response.text)
        assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert (await client.get(url, headers=tenant.client_headers)).json()["pagination"]["total"] == 0


async def test_what_does_not_exist_is_not_found(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    for path in ("/nothing", "/nothing?version=1", "/nothing/versions", "/a%20b", "/é"):
        assert (await client.get(url + path, headers=tenant.client_headers)).status_code == 404, path


async def test_versions_out_of_range(client: httpx.AsyncClient, tenant: Tenant, url: str) -> None:
    await client.post(url, json={"name": "a", **prompt("x")}, headers=tenant.client_headers)
    for version, status in ((2, 404), (0, 422), (2**31, 422), ("x", 422)):
        response = await client.get(f"{url}/a?version={version}", headers=tenant.client_headers)
        assert response.status_code == status


async def test_an_applied_config_writes_its_prompts_and_leaves_the_rest(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    def config(**prompts: str) -> ConfigDocument:
        return ConfigDocument.model_validate(
            {"prompts": {name: prompt(text) for name, text in prompts.items()}, "model": "m"}
        )

    async with database.transaction(tenant.access) as session:
        service = AgentService(session, tenant.access)
        agent = await service.create_agent("Applied", None, None)
        first = await service.write_templates(agent.id, config(main="A {{x}}", other="B"), origin="changeset:1")
        second = await service.write_templates(agent.id, config(main="C {{x}}", more="D"), origin="changeset:2")
        third = await service.write_templates(agent.id, config(main="C {{x}}"), origin="changeset:3")
    assert [template.name for template in first] == ["main", "other"]
    assert [(template.name, template.version) for template in second] == [("main", 2), ("more", 1)]
    assert third == []
    listed = (await client.get(f"{tenant.url}/agents/{agent.id}/templates", headers=tenant.key_headers)).json()
    assert [(each["name"], each["version"], each["origin"]) for each in listed["results"]] == [
        ("main", 2, "changeset:2"), ("more", 1, "changeset:2"), ("other", 1, "changeset:1"),
    ]  # fmt: skip
