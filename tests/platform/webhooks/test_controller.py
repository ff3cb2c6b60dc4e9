"""Webhooks over HTTP: kept, validated, shown once."""

from typing import Any
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

URL = "https://hooks.example.com/services/T0/B0/secret"


async def create(client: httpx.AsyncClient, tenant: Tenant, **values: Any) -> httpx.Response:
    body = {"name": "ours", "kind": "http", "url": URL, "events": ["scan.finished"]} | values
    given = {name: value for name, value in body.items() if value is not ...}
    return await client.post(f"{tenant.url}/webhooks", json=given, headers=tenant.client_headers)


async def test_a_webhook_is_kept_and_its_secret_shown_once(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    made = await create(client, tenant)
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    created = made.json()
    secret = created.pop("secret")
    assert secret.startswith("whsec_")
    path = made.headers["location"]
    assert path == f"{tenant.url}/webhooks/{created['id']}"
    answer = await client.get(path, headers=tenant.client_headers)
    assert answer.json() == created
    assert (created["status"], created["url"], created["created_by"]) == ("active", URL, f"user:{tenant.user_id}")
    changes = {"name": "theirs", "events": ["*", "scan.finished"], "enabled": False}
    changed = await client.patch(path, json=changes, headers=tenant.client_headers)
    assert changed.status_code == 200, changed.text
    assert {name: changed.json()[name] for name in ("name", "url", "status")} == {
        "name": "theirs",
        "url": URL,
        "status": "disabled",
    }
    async with database.transaction(tenant.access, read_only=True) as session:
        row = (await session.execute(sa.text("SELECT * FROM webhook"))).one()
    assert not any(secret in str(value) or URL.rpartition("://")[2] in str(value) for value in row)
    assert (await client.delete(path, headers=tenant.client_headers)).status_code == 204
    assert (await client.get(path, headers=tenant.client_headers)).status_code == 404
    log = await client.get("/api/v1/account/audit-log?action=webhook.", headers=tenant.client_headers)
    actions = [entry["action"] for entry in log.json()["results"]]
    assert actions == ["webhook.deleted", "webhook.updated", "webhook.created"]
    assert "hooks.example.com" not in log.text


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"url": "ftp://hooks.example.com/"}, "/url"),
    ({"url": "hooks.example.com"}, "/url"),
    ({"url": "https://"}, "/url"),
    ({"url": "https://user:pass@hooks.example.com/"}, "/url"),
    ({"url": "https://hooks.example.com/#here"}, "/url"),
    ({"url": "http://127.0.0.1/"}, "/url"),
    ({"url": "http://2130706433/"}, "/url"),
    ({"url": "http://0x7f.1/"}, "/url"),
    ({"url": "http://[::1]/"}, "/url"),
    ({"url": "http://[::ffff:10.0.0.1]/"}, "/url"),
    ({"url": "http://169.254.169.254/latest/meta-data"}, "/url"),
    ({"url": "https://" + "x" * 2000}, "/url"),
    ({"kind": "pigeon"}, "/kind"),
    ({"events": []}, "/events"),
    ({"events": ["scan.exploded"]}, "/events/0"),
    ({"kind": "email"}, ""),
    ({"email": "a@example.com"}, ""),
    ({"kind": "email", "url": ..., "email": "a@example.com, b@example.com"}, "/email"),
    ({"name": "  "}, "/name"),
    ({"workspace_id": str(uuid4())}, "/workspace_id"),
    ({"secret_sealed": "mine"}, "/secret_sealed"),
]


async def test_what_cannot_be_a_target_is_refused_with_its_reason(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for values, pointer in WRONG:
        answer = await create(client, tenant, **values)
        assert answer.status_code == 422, values
        assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"]), answer.text
        assert all(error["detail"] for error in answer.json()["errors"])
    listed = await client.get(f"{tenant.url}/webhooks", headers=tenant.client_headers)
    assert listed.json()["results"] == []


async def test_rules_of_webhooks(client: httpx.AsyncClient, tenant: Tenant) -> None:
    first = (await create(client, tenant)).json()
    assert (await create(client, tenant)).status_code == 409
    slack = (await create(client, tenant, kind="slack", name="slack")).json()
    assert (slack["url"], slack["secret"]) == ("https://hooks.example.com/…", None)
    mail = (await create(client, tenant, kind="email", name="mail", url=..., email="team@example.com")).json()
    assert (mail["url"], mail["email"]) == (None, "team@example.com")
    path = f"{tenant.url}/webhooks"
    headers = tenant.client_headers
    renamed = await client.patch(f"{path}/{slack['id']}", json={"name": "ours"}, headers=headers)
    assert renamed.status_code == 409
    for wrong in ({"email": "a@example.com"}, {"url": "http://10.0.0.1/"}):
        assert (await client.patch(f"{path}/{first['id']}", json=wrong, headers=headers)).status_code == 422
    assert (await client.post(f"{path}/{mail['id']}/rotate-secret", headers=headers)).status_code == 400
    for key in ("", "/rotate-secret"):
        refused = await client.post(
            f"{path}/{first['id']}{key}" if key else path, json={}, headers=headers | {"Idempotency-Key": "k" * 16}
        )
        assert refused.status_code in {400, 422}
    foreign = f"{path}/{slack['id']}/deliveries"
    tested = await client.post(f"{path}/{first['id']}/test", headers=headers)
    assert tested.status_code == 202
    assert tested.json()["state"] == "pending"
    # A delivery is another target's only by its own path.
    mixed = await client.post(f"{foreign}/{tested.json()['id']}/redeliver", headers=headers)
    assert mixed.status_code == 404
    assert (await client.get(f"{path}/{uuid4()}/deliveries", headers=headers)).status_code == 404


@pytest.mark.parametrize("path", ["/webhooks", "/events"])
async def test_a_key_reads_neither(client: httpx.AsyncClient, tenant: Tenant, path: str) -> None:
    assert (await client.get(tenant.url + path)).status_code == 401
    assert (await client.get(tenant.url + path, headers=tenant.key_headers)).status_code == 403
