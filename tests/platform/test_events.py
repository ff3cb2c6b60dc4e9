"""What is told as an event, in the transaction in which it happened."""

from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.platform.events import DomainEvent, EventType, emit
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant
from tests.fixtures.world import WorldBuilder


async def events(client: httpx.AsyncClient, tenant: Tenant, **query: str) -> list[dict[str, Any]]:
    answer = await client.get(f"{tenant.url}/events", params=query, headers=tenant.client_headers)
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_an_event_is_there_only_if_its_transaction_commits(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    before = len(await events(client, tenant))

    async def roll_back() -> None:
        async with database.transaction(tenant.access) as session:
            await emit(session, tenant.access, EventType.KEY_REVOKED, subject="api_key:1")
            raise KeyError

    with pytest.raises(KeyError):
        await roll_back()
    assert len(await events(client, tenant)) == before
    async with database.transaction(tenant.access) as session:
        data = {"note": f"it was {tenant.api_key}", "password": "p"}
        await emit(session, tenant.access, EventType.KEY_REVOKED, subject="api_key:1", data=data)
    (event,) = await events(client, tenant, subject="api_key:1")
    assert event["type"] == "key.revoked"
    assert event["data"] == {"note": "it was [masked]", "password": "[masked]"}


async def test_what_people_do_is_told(client: httpx.AsyncClient, database: Database) -> None:
    world = await WorldBuilder(client, database, "ours").build()
    tenant, ids = world.tenant, world.ids
    # First, because an acceptance supersedes what is undecided.
    rejected = f"{tenant.url}/changesets/{ids['rejectable_id']}/reject"
    assert (await client.post(rejected, json={"reason": "no"}, headers=world.headers)).is_success
    path = f"{tenant.url}/changesets/{ids['acceptable_id']}"
    for action, body in (("accept", {"override_reason": "known"}), ("apply", {}), ("rollback", {"reason": "why"})):
        answer = await client.post(f"{path}/{action}", json=body, headers=world.headers)
        assert answer.is_success, answer.text
    assert (await client.post(f"{tenant.url}/scans/{ids['scan_id']}/cancel", headers=world.headers)).is_success
    assert (await client.delete(f"{tenant.url}/keys/{ids['key_id']}", headers=world.headers)).is_success
    told = {event["type"] for event in await events(client, tenant, limit="100")}
    assert told >= {
        "agent.promoted",
        "changeset.accepted",
        "changeset.applied",
        "changeset.proposed",
        "changeset.rejected",
        "changeset.rolled_back",
        "key.created",
        "key.revoked",
        "scan.finished",
    }
    (accepted,) = await events(client, tenant, type="changeset.accepted")
    assert accepted["subject"] == f"changeset:{ids['acceptable_id']}"
    assert accepted["data"]["state"] == "accepted"
    page = await client.get(f"{tenant.url}/events", params={"limit": 2}, headers=world.headers)
    cursor = page.json()["pagination"]["next_cursor"]
    following = await events(client, tenant, limit="2", cursor=cursor)
    assert not {event["id"] for event in following} & {event["id"] for event in page.json()["results"]}
    wrong = await client.get(f"{tenant.url}/events", params={"type": "made.up"}, headers=world.headers)
    assert wrong.status_code == 422


async def test_a_change_of_members_is_told(client: httpx.AsyncClient, tenant: Tenant) -> None:
    person = await join(client, tenant, "grace")
    member = {"user_id": str(person.user_id), "role": "observer"}
    assert (await client.post(f"{tenant.url}/members", json=member, headers=tenant.client_headers)).status_code == 201
    url = f"{tenant.url}/members/{person.user_id}"
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 204
    told = await events(client, tenant, type="workspace.member_changed")
    assert [event["data"] for event in told] == [
        {"change": change, "user_id": str(person.user_id)} for change in ("removed", "added")
    ]


@pytest.mark.databases("postgresql")
async def test_another_workspace_s_events_are_out_of_reach(
    tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    async with database.transaction(other_tenant.access, read_only=True) as session:
        found = (await session.scalars(sa.select(DomainEvent.workspace_id))).all()
    assert set(found) == {other_tenant.workspace_id}
