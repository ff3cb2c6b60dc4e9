"""Secrets through the API: set, named, never shown."""

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.workflows.models import SECRET_PURPOSE, WorkflowSecret
from spectral.domains.workflows.settings import secrets_service
from spectral.platform.db.session import Database
from spectral.platform.shared.secret_box import SecretBox
from spectral.settings import Settings
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant

VALUE = "a very secret value"


async def test_a_secret_is_set_replaced_named_and_deleted(
    client: httpx.AsyncClient, database: Database, settings: Settings, tenant: Tenant, other_tenant: Tenant
) -> None:
    url, headers = f"{tenant.url}/workflow-secrets", tenant.client_headers
    answers = [
        await client.put(f"{url}/TOKEN", json={"value": "the first one"}, headers=headers),
        await client.put(f"{url}/TOKEN", json={"value": VALUE}, headers=headers),
        await client.put(f"{url}/A_1", json={"value": f"{VALUE} too"}, headers=headers),
        await client.get(url, headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert set(answers[1].json()) == {"name", "created_by", "created_at", "updated_at"}
    assert [secret["name"] for secret in answers[3].json()["results"]] == ["A_1", "TOKEN"]
    # The account's log is one too.
    log = await client.get("/api/v1/account/audit-log", params={"action": "workflow_secret."}, headers=headers)
    assert [entry["detail"] for entry in reversed(log.json()["results"])] == [
        {"name": "TOKEN", "replaced": False},
        {"name": "TOKEN", "replaced": True},
        {"name": "A_1", "replaced": False},
    ]
    assert not [answer for answer in (*answers, log) if "secret value" in answer.text]
    async with database.transaction(tenant.access, read_only=True) as session:
        mine = sa.select(WorkflowSecret.name, WorkflowSecret.value).where(
            WorkflowSecret.workspace_id == tenant.workspace_id
        )
        stored = {row.name: row.value for row in await session.execute(mine)}
    assert VALUE not in str(stored)
    assert SecretBox(settings.secrets, SECRET_PURPOSE).open(stored["TOKEN"]) == VALUE
    # Somebody else's is not there.
    theirs = await client.get(f"{other_tenant.url}/workflow-secrets", headers=other_tenant.client_headers)
    assert theirs.json()["results"] == []
    gone = await client.delete(f"{other_tenant.url}/workflow-secrets/TOKEN", headers=other_tenant.client_headers)
    assert gone.status_code == 404
    assert (await client.delete(f"{url}/TOKEN", headers=headers)).status_code == 204
    assert (await client.delete(f"{url}/TOKEN", headers=headers)).status_code == 404
    assert [secret["name"] for secret in (await client.get(url, headers=headers)).json()["results"]] == ["A_1"]


async def test_what_cannot_be_a_secret_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    url, headers = f"{tenant.url}/workflow-secrets", tenant.client_headers
    for name, value, pointer in (
        ("token", VALUE, "secret_name"),
        ("1TOKEN", VALUE, "secret_name"),
        ("A-B", VALUE, "secret_name"),
        ("A" * 65, VALUE, "secret_name"),
        ("TOKEN", "abc", "/value"),
        ("TOKEN", "x" * 16_385, "/value"),
        ("TOKEN", 7, "/value"),
    ):
        refused = await client.put(f"{url}/{name}", json={"value": value}, headers=headers)
        assert refused.status_code == 422, refused.text
        assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
        assert VALUE not in refused.text
    half = await client.put(
        f"{url}/TOKEN", content=b'{"value": "abc\\ud800d"}', headers={**headers, "Content-Type": "application/json"}
    )
    assert half.status_code in {400, 422}
    monkeypatch.setattr(secrets_service, "MAXIMUM_SECRETS", 1)
    assert (await client.put(f"{url}/FIRST", json={"value": VALUE}, headers=headers)).status_code == 200
    assert (await client.put(f"{url}/FIRST", json={"value": VALUE}, headers=headers)).status_code == 200
    full = await client.put(f"{url}/SECOND", json={"value": VALUE}, headers=headers)
    assert (full.status_code, full.json()["type"].rsplit("/", 1)[-1]) == (400, "business-rule-violation")
    colleague = await join(client, tenant, "colleague", "member", "contributor")
    for method, body in (("PUT", {"value": VALUE}), ("DELETE", None)):
        denied = await client.request(method, f"{url}/FIRST", json=body, headers=colleague.headers)
        assert denied.status_code == 403
