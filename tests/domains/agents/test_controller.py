"""Agents over HTTP: their life, their versions, what is live where."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.controller import matches
from spectral.domains.agents.models import Agent, AgentConfig, AgentEnvironment, AgentPromotion
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant


def document(system: str = "Sort the ticket into one of: billing, login.", **members: Any) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": "Ticket: {{text}}\nIntent:"}]
    return {
        "prompts": {"main": {"messages": messages}},
        "model": "spectral-local/small",
        "few_shot": [
            {"input": {"text": "I was charged twice on my invoice"}, "output": "billing"},
            {"input": {"text": "My password is not accepted"}, "output": "login"},
        ],
        "search_space": [{"pointer": "/few_shot", "kind": "examples", "bounds": {"max_items": 8}}],
        **members,
    }


async def create(client: httpx.AsyncClient, tenant: Tenant, name: str = "Sorter", **members: Any) -> dict[str, Any]:
    body = {"name": name, "config": document(), **members}
    response = await client.post(f"{tenant.url}/agents", json=body, headers=tenant.client_headers)
    assert response.status_code == 201, response.text
    assert response.headers["Location"] == f"{tenant.url}/agents/{response.json()['id']}"
    answer: dict[str, Any] = response.json()
    return answer


async def add_config(client: httpx.AsyncClient, tenant: Tenant, agent: str, system: str) -> dict[str, Any]:
    response = await client.post(
        f"{tenant.url}/agents/{agent}/configs", json={"config": document(system)}, headers=tenant.client_headers
    )
    assert response.status_code == 201, response.text
    answer: dict[str, Any] = response.json()
    return answer


# ---------------------------------------------------------------------------------------------------------- agents


async def test_a_new_agent_with_a_config_is_live_in_production_at_once(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    agent = await create(client, tenant, name="  Sorter ", description="sorts tickets")
    assert agent["name"] == "Sorter"
    assert (agent["runtime"], agent["archived"], agent["latest_version"]) == ("prompt", False, 1)
    assert agent["live"] == {"production": 1}
    assert agent["created_by"] == f"user:{tenant.user_id}"
    read = await client.get(f"{tenant.url}/agents/{agent['id']}", headers=tenant.key_headers)
    assert read.json() == agent
    live = await client.get(f"{tenant.url}/agents/{agent['id']}/config", headers=tenant.key_headers)
    assert live.status_code == 200
    assert live.json()["version"] == 1
    assert live.json()["config"]["prompts"]["main"]["variables"] == ["text"]


async def test_an_agent_without_a_config_has_nothing_live(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant, config=None)
    assert (agent["latest_version"], agent["live"]) == (None, {})
    live = await client.get(f"{tenant.url}/agents/{agent['id']}/config", headers=tenant.key_headers)
    assert live.status_code == 404
    assert live.json()["detail"] == "Config for the environment 'production' not found"
    await add_config(client, tenant, agent["id"], "First.")
    live = await client.get(f"{tenant.url}/agents/{agent['id']}/config", headers=tenant.key_headers)
    assert live.json()["version"] == 1


async def test_names_are_unique_in_a_workspace_and_free_elsewhere(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    agent = await create(client, tenant)
    second = await create(client, tenant, "Second")
    await create(client, other_tenant)
    again = await client.post(f"{tenant.url}/agents", json={"name": "Sorter"}, headers=tenant.client_headers)
    assert (again.status_code, again.json()["type"]) == (409, "https://spectral.dev/errors/agent-name-taken")
    renamed = await client.patch(
        f"{tenant.url}/agents/{second['id']}", json={"name": "Sorter"}, headers=tenant.client_headers
    )
    assert renamed.status_code == 409
    listed = await client.get(f"{tenant.url}/agents", headers=tenant.client_headers)
    assert [each["name"] for each in listed.json()["results"]] == ["Second", "Sorter"]
    assert listed.json()["results"][1] == agent


async def test_an_idempotent_creation_happens_once(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = {**tenant.client_headers, "Idempotency-Key": "once-and-only-once"}
    answers = [await client.post(f"{tenant.url}/agents", json={"name": "Once"}, headers=headers) for _ in range(2)]
    assert [each.status_code for each in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    listed = await client.get(f"{tenant.url}/agents", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 1


async def test_lists_are_paged_sorted_and_filtered(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for name in ("beta", "alpha", "gamma"):
        await create(client, tenant, name, config=None)

    async def names(query: str) -> list[str]:
        response = await client.get(f"{tenant.url}/agents?{query}", headers=tenant.key_headers)
        assert response.status_code == 200, response.text
        return [agent["name"] for agent in response.json()["results"]]

    assert await names("") == ["gamma", "alpha", "beta"]
    assert await names("sort=created_at") == ["beta", "alpha", "gamma"]
    assert await names("sort=name") == ["alpha", "beta", "gamma"]
    assert await names("sort=-name&limit=1&offset=1") == ["beta"]
    assert await names("name=alpha") == ["alpha"]
    assert await names("name=alp") == []
    assert await names("archived=true") == []
    for query in ("sort=colour", "limit=101", "limit=0", "offset=-1", "archived=maybe"):
        response = await client.get(f"{tenant.url}/agents?{query}", headers=tenant.key_headers)
        assert response.status_code == 422, query


async def test_changes_touch_only_what_they_name(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant, description="old")
    url = f"{tenant.url}/agents/{agent['id']}"
    changed = await client.patch(url, json={"name": "New"}, headers=tenant.client_headers)
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["description"]) == ("New", "old")
    assert changed.json()["updated_at"] > agent["updated_at"]
    cleared = await client.patch(url, json={"description": None}, headers=tenant.client_headers)
    assert cleared.json()["description"] is None
    same = await client.patch(url, json={}, headers=tenant.client_headers)
    assert same.json() == cleared.json()


async def test_an_archived_agent_takes_nothing_new_and_serves_what_is_live(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    agent = await create(client, tenant)
    url, headers = f"{tenant.url}/agents/{agent['id']}", tenant.client_headers
    await add_config(client, tenant, agent["id"], "Second.")
    archived = await client.patch(url, json={"archived": True}, headers=headers)
    assert archived.json()["archived"] is True
    template = {"name": "t", "messages": [{"role": "user", "content": "x"}]}
    for path, body in (
        ("configs", {"config": document("Third.")}),
        ("promote", {"version": 2}),
        ("templates", template),
        ("invoke", {"input": "x"}),
    ):
        refused = await client.post(f"{url}/{path}", json=body, headers=headers)
        assert (refused.status_code, refused.json()["type"]) == (400, "https://spectral.dev/errors/agent-archived"), (
            path
        )
    assert (await client.get(f"{url}/config", headers=tenant.key_headers)).json()["version"] == 1
    listed = await client.get(f"{tenant.url}/agents", headers=headers)
    assert listed.json()["results"] == []
    shown = await client.get(f"{tenant.url}/agents?archived=true", headers=headers)
    assert [each["id"] for each in shown.json()["results"]] == [agent["id"]]
    await client.patch(url, json={"archived": False}, headers=headers)
    assert (await client.post(f"{url}/promote", json={"version": 2}, headers=headers)).status_code == 200


async def test_a_deleted_agent_is_gone_with_what_belongs_to_it(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    agent = await create(client, tenant)
    url, headers = f"{tenant.url}/agents/{agent['id']}", tenant.client_headers
    template = {"name": "t", "messages": [{"role": "user", "content": "x"}]}
    assert (await client.post(f"{url}/templates", json=template, headers=headers)).status_code == 201
    assert (await client.post(f"{url}/invoke", json={"input": "hello"}, headers=headers)).status_code == 200
    kept = await create(client, tenant, "Kept")
    deleted = await client.delete(url, headers=headers)
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert (await client.get(url, headers=headers)).status_code == 404
    assert (await client.delete(url, headers=headers)).status_code == 404
    async with database.transaction(tenant.access, read_only=True) as session:
        for model in (Agent, AgentConfig, AgentEnvironment, AgentPromotion):
            statement = sa.select(sa.func.count()).where(model.workspace_id == tenant.workspace_id).select_from(model)
            assert (await session.execute(statement)).scalar_one() == 1, model
        actions = (
            await session.scalars(
                sa.select(AuditEntry.action)
                .where(AuditEntry.subject == f"agent:{agent['id']}")
                .order_by(AuditEntry.created_at, AuditEntry.id)
            )
        ).all()
    assert actions == [
        "agent.created",
        "agent.config_added",
        "agent.promoted",
        "agent.template_written",
        "agent.deleted",
    ]
    assert (await client.get(f"{tenant.url}/agents/{kept['id']}", headers=headers)).status_code == 200


# --------------------------------------------------------------------------------------------------------- configs


async def test_versions_are_counted_listed_and_read(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    second = await client.post(
        f"{tenant.url}/agents/{agent['id']}/configs",
        json={"config": document("Second."), "note": "shorter"},
        headers=tenant.client_headers,
    )
    assert second.status_code == 201
    assert second.headers["Location"] == f"{tenant.url}/agents/{agent['id']}/configs/2"
    made = second.json()
    assert (made["version"], made["note"], made["origin"], made["live_in"]) == (2, "shorter", "user", [])
    read = await client.get(second.headers["Location"], headers=tenant.key_headers)
    assert read.json() == made
    listed = await client.get(f"{tenant.url}/agents/{agent['id']}/configs", headers=tenant.key_headers)
    assert [(each["version"], each["live_in"]) for each in listed.json()["results"]] == [(2, []), (1, ["production"])]
    assert "config" not in listed.json()["results"][0]
    shown = await client.get(f"{tenant.url}/agents/{agent['id']}", headers=tenant.client_headers)
    assert (shown.json()["latest_version"], shown.json()["live"]) == (2, {"production": 1})


async def test_an_equal_document_is_the_version_that_holds_it(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    await add_config(client, tenant, agent["id"], "Second.")
    equal = dict(reversed(list(document(parameters={}, custom={}).items())))
    again = await client.post(
        f"{tenant.url}/agents/{agent['id']}/configs", json={"config": equal}, headers=tenant.client_headers
    )
    assert (again.status_code, again.json()["version"]) == (200, 1)
    assert again.headers["Location"] == f"{tenant.url}/agents/{agent['id']}/configs/1"
    listed = await client.get(f"{tenant.url}/agents/{agent['id']}/configs", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 2


async def test_two_versions_are_compared(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    await add_config(client, tenant, agent["id"], "Sort the ticket.\nAnswer with one word.")
    url = f"{tenant.url}/agents/{agent['id']}/configs"
    diff = (await client.get(f"{url}/1/diff/2", headers=tenant.key_headers)).json()
    assert (diff["from_version"], diff["to_version"]) == (1, 2)
    (change,) = diff["changes"]
    assert change["pointer"] == "/prompts/main/messages/0/content"
    assert change["operation"] == "replace"
    assert change["after"] == "Sort the ticket.\nAnswer with one word."
    assert "+Answer with one word." in change["text_diff"].splitlines()
    assert (await client.get(f"{url}/2/diff/2", headers=tenant.key_headers)).json()["changes"] == []
    for wrong in ("1/diff/3", "3/diff/1", "1/diff/x", "0/diff/1", f"1/diff/{10**30}"):
        assert (await client.get(f"{url}/{wrong}", headers=tenant.key_headers)).status_code == 404, wrong


UNUSED: dict[str, Any] = {"main": {"messages": [{"role": "user", "content": "{{x}}"}], "variables": ["x", "y"]}}
UNSOUND: list[tuple[Any, str, str]] = [
    (document(prompts=UNUSED, few_shot=[]), "/config/prompts/main/variables/1", "used by no message"),
    (document(model=""), "/config/model", "at least 1 character"),
    (document(search_space=[{"pointer": "/x", "kind": "text"}]), "/config/search_space/0/pointer", "names nothing"),
    (document(few_shot=[{"input": {"body": "x"}, "output": "y"}]), "/config/few_shot/0/input", "no value for 'text'"),
    (document(surprise=1), "/config/surprise", "not permitted"),
    ("text", "/config", "valid dictionary"),
    (None, "/config", "valid dictionary"),
]


async def test_an_unsound_config_is_refused_with_its_place(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    url = f"{tenant.url}/agents/{agent['id']}/configs"
    for config, pointer, words in UNSOUND:
        response = await client.post(url, json={"config": config}, headers=tenant.client_headers)
        assert response.status_code == 422, response.text
        found = {error["pointer"]: error["detail"] for error in response.json()["errors"]}
        assert words in found[pointer], found
    listed = await client.get(url, headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 1


# ------------------------------------------------------------------------------------------------------ promotions


async def test_promotions_put_versions_live_per_environment_and_roll_back(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    agent = await create(client, tenant)
    await add_config(client, tenant, agent["id"], "Second.")
    url = f"{tenant.url}/agents/{agent['id']}"

    async def promote(**body: Any) -> dict[str, Any]:
        response = await client.post(f"{url}/promote", json=body, headers=tenant.client_headers)
        assert response.status_code == 200, response.text
        answer: dict[str, Any] = response.json()
        return answer

    staged = await promote(version=2, environment="staging", reason="try it")
    assert (staged["previous_version"], staged["reason"], staged["actor"]) == (None, "try it", f"user:{tenant.user_id}")
    live = await promote(version=2)
    assert (live["environment"], live["previous_version"]) == ("production", 1)
    assert await promote(version=2, reason="again") == live
    back = await promote(version=1, reason="worse than it looked")
    assert (back["version"], back["previous_version"]) == (1, 2)

    read = await client.get(f"{url}/config", headers=tenant.key_headers)
    assert read.json()["version"] == 1
    staging = await client.get(f"{url}/config?environment=staging", headers=tenant.key_headers)
    assert (staging.json()["version"], staging.json()["environment"]) == (2, "staging")
    history = (await client.get(f"{url}/promotions", headers=tenant.key_headers)).json()
    assert [(each["environment"], each["version"], each["previous_version"]) for each in history["results"]] == [
        ("production", 1, 2), ("production", 2, 1), ("staging", 2, None), ("production", 1, None),
    ]  # fmt: skip
    assert history["results"][0] == back
    assert history["results"][3]["reason"] == "first version"
    of_staging = (await client.get(f"{url}/promotions?environment=staging", headers=tenant.key_headers)).json()
    assert of_staging["results"] == [staged]
    shown = await client.get(url, headers=tenant.client_headers)
    assert shown.json()["live"] == {"production": 1, "staging": 2}


WRONG_PROMOTIONS: list[tuple[dict[str, Any], int]] = [
    ({"version": 2}, 404),
    ({"version": 0}, 422),
    ({"version": 2**40}, 422),
    ({"version": "one"}, 422),
    ({}, 422),
    ({"version": 1, "environment": "Not Good"}, 422),
    ({"version": 1, "environment": ""}, 422),
    ({"version": 1, "environment": None}, 422),
    ({"version": 1, "by": "me"}, 422),
]


async def test_a_promotion_of_nothing_changes_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    url = f"{tenant.url}/agents/{agent['id']}"
    for body, status in WRONG_PROMOTIONS:
        response = await client.post(f"{url}/promote", json=body, headers=tenant.client_headers)
        assert response.status_code == status, (body, response.text)
    history = (await client.get(f"{url}/promotions", headers=tenant.client_headers)).json()
    assert history["pagination"]["total"] == 1


# ------------------------------------------------------------------------------------------------------ live config


async def test_a_running_agent_fetches_its_config_and_is_told_when_nothing_changed(
    client: httpx.AsyncClient, tenant: Tenant
) -> None:
    agent = await create(client, tenant)
    added = await add_config(client, tenant, agent["id"], "Second.")
    url = f"{tenant.url}/agents/{agent['id']}"
    first = await client.get(f"{url}/config", headers=tenant.key_headers)
    tag = first.headers["ETag"]
    assert tag == f'"1-{first.json()["config_hash"]}"'
    assert first.headers["Cache-Control"] == "private, no-cache"
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        same = await client.get(f"{url}/config", headers={**tenant.key_headers, "If-None-Match": known})
        assert (same.status_code, same.content, same.headers["ETag"]) == (304, b"", tag), known
    await client.post(f"{url}/promote", json={"version": 2}, headers=tenant.client_headers)
    changed = await client.get(f"{url}/config", headers={**tenant.key_headers, "If-None-Match": tag})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == f'"2-{added["config_hash"]}"'
    assert changed.json()["config"] == added["config"]


async def test_an_environment_without_a_config_is_no_config(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    for environment, status in (("staging", 404), ("Not%20Good", 422), ("", 422)):
        url = f"{tenant.url}/agents/{agent['id']}/config?environment={environment}"
        assert (await client.get(url, headers=tenant.key_headers)).status_code == status, environment


@pytest.mark.parametrize(
    ("given", "expected"),
    [(None, False), ("", False), ('"b"', False), ('"a"', True), ('W/"a"', True), ('"b" ,"a"', True), ("*", True),
     ('*, "b"', False), ("a", False)],
)  # fmt: skip
def test_tags_are_compared_as_the_rfc_says(given: str | None, *, expected: bool) -> None:
    assert matches(given, '"a"') is expected


# -------------------------------------------------------------------------------------------------- who may do what


WRONG_AGENTS: list[Any] = [
    {},
    {"name": ""},
    {"name": "   "},
    {"name": None},
    {"name": "x" * 201},
    {"name": "a", "description": "x" * 2001},
    {"name": "a", "workspace_id": str(uuid4())},
    {"name": "a", "config": {"model": "x"}},
    {"name": "a", "runtime": "http"},
    {"name": "a", "runtime": None},
    [],
    "name",
]


async def test_a_wrong_body_creates_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for body in WRONG_AGENTS:
        response = await client.post(f"{tenant.url}/agents", json=body, headers=tenant.client_headers)
        assert response.status_code == 422, (body, response.text)
        assert response.headers["Content-Type"] == "application/problem+json"
    listed = await client.get(f"{tenant.url}/agents", headers=tenant.client_headers)
    assert listed.json()["pagination"]["total"] == 0


async def test_a_runtime_that_nobody_has_brought_is_refused_clearly(client: httpx.AsyncClient, tenant: Tenant) -> None:
    body = {"name": "a", "runtime": "lambda"}
    response = await client.post(f"{tenant.url}/agents", json=body, headers=tenant.client_headers)
    known = "prompt, workflow, http, runner, observed"
    detail = f"is not a runtime of this installation; there are {known}"
    assert response.json()["errors"] == [{"pointer": "/runtime", "detail": detail}]


async def test_malformed_json_is_a_400(client: httpx.AsyncClient, tenant: Tenant) -> None:
    headers = {**tenant.client_headers, "Content-Type": "application/json"}
    response = await client.post(f"{tenant.url}/agents", content=b'{"name": ', headers=headers)
    assert response.status_code == 400


async def test_a_wrong_change_changes_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    agent = await create(client, tenant)
    url = f"{tenant.url}/agents/{agent['id']}"
    wrong: list[Any] = [{"name": None}, {"archived": None}, {"archived": "maybe"}, {"runtime": "lambda"}, []]
    for body in wrong:
        assert (await client.patch(url, json=body, headers=tenant.client_headers)).status_code == 422, body
    assert (await client.get(url, headers=tenant.client_headers)).json() == agent


TEMPLATE = {"name": "main", "messages": [{"role": "user", "content": "{{text}}"}]}
ROUTES: list[tuple[str, str, Any, bool]] = [
    # method, path under the agents, body, whether an API key may
    ("GET", "", None, True),
    ("POST", "", {"name": "New"}, False),
    ("GET", "/{id}", None, True),
    ("PATCH", "/{id}", {"name": "Renamed"}, False),
    ("DELETE", "/{id}", None, False),
    ("GET", "/{id}/config", None, True),
    ("GET", "/{id}/configs", None, True),
    ("POST", "/{id}/configs", {"config": document("Other.")}, False),
    ("GET", "/{id}/configs/1", None, True),
    ("GET", "/{id}/configs/1/diff/1", None, True),
    ("POST", "/{id}/promote", {"version": 1, "environment": "staging"}, False),
    ("GET", "/{id}/promotions", None, True),
    ("GET", "/{id}/templates", None, True),
    ("POST", "/{id}/templates", TEMPLATE | {"name": "other"}, False),
    ("GET", "/{id}/templates/main", None, True),
    ("PUT", "/{id}/templates/main", {"messages": [{"role": "user", "content": "x"}]}, False),
    ("DELETE", "/{id}/templates/main", None, False),
    ("GET", "/{id}/templates/main/versions", None, True),
    ("POST", "/{id}/invoke", {"input": "x"}, False),
    ("GET", "/{id}/invocations", None, False),
]


async def test_every_route_is_for_those_who_may_and_nobody_else(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    agent = await create(client, tenant)
    base = f"{tenant.url}/agents"
    await client.post(f"{base}/{agent['id']}/templates", json=TEMPLATE, headers=tenant.client_headers)
    narrow = await client.post(
        f"{tenant.url}/keys", json={"name": "traces only", "scopes": ["write:traces"]}, headers=tenant.client_headers
    )
    traces_only = {"Authorization": f"Bearer {narrow.json()['key']}"}
    shown_before = (await client.get(f"{base}/{agent['id']}", headers=tenant.client_headers)).json()
    for method, path, body, key_may in ROUTES:
        url = base + path.format(id=agent["id"])
        case = f"{method} {path}"

        async def status(headers: dict[str, str], method: str = method, url: str = url, body: Any = body) -> int:
            return (await client.request(method, url, json=body, headers=headers)).status_code

        assert await status({}) == 401, case
        assert await status({"Authorization": "Bearer nonsense"}) == 401, case
        assert await status(traces_only) == 403, case
        assert await status(other_tenant.client_headers) == 404, case
        assert await status(other_tenant.key_headers) == 404, case
        if not key_may:
            assert await status(tenant.key_headers) == 403, case
        else:
            assert await status(tenant.key_headers) == 200, case
        if "{id}" in path:
            for foreign in (f"{other_tenant.url}/agents", f"{tenant.url}/agents"):
                elsewhere = foreign + path.format(id=agent["id"] if foreign != base else uuid4())
                headers = other_tenant.client_headers if foreign != base else tenant.client_headers
                response = await client.request(method, elsewhere, json=body, headers=headers)
                assert response.status_code == 404, (case, response.text)
            malformed = await client.request(
                method, base + path.format(id="not-an-id"), json=body, headers=tenant.client_headers
            )
            assert malformed.status_code == 404, case
    shown = (await client.get(f"{base}/{agent['id']}", headers=tenant.client_headers)).json()
    assert shown == shown_before
