"""Operations staff and customers: seen from outside, entered for a while with the customer's knowledge, deleted."""

import subprocess
import sys
import time
from uuid import uuid4

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.accounts.models import Account
from spectral.domains.workspaces.models import SupportGrant
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.domains.operations.test_controller import sign_in_as_staff
from tests.fixtures.project import ROOT
from tests.fixtures.servers import ServerProcess
from tests.fixtures.tenants import PASSWORD, Tenant, register_tenant

OPERATIONS = "/api/v1/operations"
GRANTS = f"{OPERATIONS}/grants"
LIMIT_S = 60.0


async def details_of(identity: Database, tenant: Tenant, action: str) -> list[dict[str, object]]:
    """What the customer's own audit log holds about this action."""
    async with identity.transaction(read_only=True) as session:
        mine = (AuditEntry.account_id == tenant.account_id, AuditEntry.action == action)
        return list((await session.scalars(sa.select(AuditEntry.detail).where(*mine))).all())


async def test_staff_has_its_four_scopes_and_nothing_inside_a_workspace(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    staff = await sign_in_as_staff(client, identity)
    me = (await client.get("/api/v1/auth/me", headers=staff)).json()
    assert [found for found in me.get("workspaces", []) if found["scopes"]] == []
    listed = (await client.get("/api/v1/workspaces", headers=staff)).json()
    assert listed["results"] == []
    for path in ("", "/agents", "/traces", "/keys", "/health", "/autonomy", "/support-grants"):
        assert (await client.get(f"{tenant.url}{path}", headers=staff)).status_code == 404, path
    for path in ("members", "usage", "deletions", "invites"):
        assert (await client.get(f"/api/v1/account/{path}", headers=staff)).status_code == 403, path
    for path in ("accounts", "grants", "deletions", "engine"):
        assert (await client.get(f"{OPERATIONS}/{path}", headers=staff)).status_code == 200, path


async def test_a_grant_is_for_a_while_and_in_the_customer_s_log(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    staff = await sign_in_as_staff(client, identity)
    body = {"workspace_id": str(tenant.workspace_id), "reason": "ticket 7", "minutes": 30}
    assert (await client.get(tenant.url, headers=staff)).status_code == 404
    given = await client.post(GRANTS, json=body, headers=staff | {"Idempotency-Key": "once"})
    assert given.status_code == 201
    shown = given.json()
    assert (shown["role"], shown["status"], shown["email"]) == ("observer", "open", "staff@example.com")
    replayed = await client.post(GRANTS, json=body, headers=staff | {"Idempotency-Key": "once"})
    assert replayed.json() == shown
    twice = await client.post(GRANTS, json=body, headers=staff)
    assert twice.status_code == 409
    assert twice.json()["type"].endswith("/support-grant-open")
    assert (await client.get(tenant.url, headers=staff)).status_code == 200
    assert (await client.post(f"{tenant.url}/agents", json={"name": "x"}, headers=staff)).status_code == 403
    (told,) = await details_of(identity, tenant, "support_grant.given")
    assert told["reason"] == "ticket 7"
    assert told["email"] == "staff@example.com"
    assert told["expires_at"]
    seen = (await client.get(f"{tenant.url}/support-grants", headers=tenant.client_headers)).json()["results"]
    assert [found["id"] for found in seen] == [shown["id"]]
    assert (await client.get(given.headers["location"], headers=staff)).json() == shown
    assert (await client.delete(given.headers["location"], headers=staff)).status_code == 204
    assert (await client.get(tenant.url, headers=staff)).status_code == 404
    assert len(await details_of(identity, tenant, "support_grant.ended")) == 1
    again = await client.post(GRANTS, json=body | {"role": "contributor"}, headers=staff)
    assert again.status_code == 201
    assert (await client.post(f"{tenant.url}/agents", json={"name": "x"}, headers=staff)).status_code == 201
    assert (await client.get(f"{tenant.url}/keys", headers=staff)).status_code == 403


async def test_a_grant_that_has_run_out_makes_room_for_the_next(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    staff = await sign_in_as_staff(client, identity)
    body = {"workspace_id": str(tenant.workspace_id), "reason": "ticket 7", "minutes": 30}
    first = (await client.post(GRANTS, json=body, headers=staff)).json()
    async with identity.transaction() as session:
        await session.execute(sa.update(SupportGrant).values(expires_at=utc_now()))
    assert (await client.post(GRANTS, json=body, headers=staff)).status_code == 201
    read = await client.get(f"{GRANTS}/{first['id']}", headers=staff)
    assert read.json()["status"] == "expired"
    listed = (await client.get(GRANTS, headers=staff)).json()
    assert [found["status"] for found in listed["results"]] == ["open", "expired"]


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"workspace_id": str(uuid4())}, 404),
        ({"minutes": 0}, 422),
        ({"minutes": 481}, 422),
        ({"minutes": 1.5}, 422),
        ({"reason": " "}, 422),
        ({"role": "admin"}, 422),
        ({"user_id": str(uuid4())}, 422),
    ],
)
async def test_a_wrong_grant_is_refused(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database, change: dict[str, object], status: int
) -> None:
    staff = await sign_in_as_staff(client, identity)
    body = {"workspace_id": str(tenant.workspace_id), "reason": "ticket 7", "minutes": 30}
    assert (await client.post(GRANTS, json=body | change, headers=staff)).status_code == status
    assert (await client.get(GRANTS, headers=staff)).json()["pagination"]["total"] == 0


async def test_staff_grants_itself_nothing_in_an_account_of_its_own(
    client: httpx.AsyncClient, identity: Database
) -> None:
    registered = await client.post(
        "/api/v1/auth/register", json={"email": "boss@example.com", "password": PASSWORD, "tenant_name": "Own"}
    )
    own = registered.json()["workspace_id"]
    staff = {"Authorization": f"Bearer {registered.json()['access_token']}"}
    async with identity.transaction() as session:
        await session.execute(sa.text("UPDATE account_member SET role = 'operations'"))
    refused = await client.post(GRANTS, json={"workspace_id": own, "reason": "r", "minutes": 5}, headers=staff)
    assert refused.status_code == 400
    account_id = registered.json()["account_id"]
    deleted = await client.delete(f"{OPERATIONS}/accounts/{account_id}?confirm=Own", headers=staff)
    assert deleted.status_code == 400


async def test_accounts_are_listed_from_outside_and_deleted_with_their_name(
    engine_client: httpx.AsyncClient, identity: Database
) -> None:
    client = engine_client
    tenant = await register_tenant(client, "customer")
    staff = await sign_in_as_staff(client, identity)
    listed = (await client.get(f"{OPERATIONS}/accounts", headers=staff)).json()
    assert listed["pagination"]["total"] == 2
    (shown,) = [found for found in listed["results"] if found["id"] == str(tenant.account_id)]
    assert set(shown) == {"id", "name", "created_at", "deleting_at", "members", "workspaces"}
    assert (shown["name"], shown["members"], shown["workspaces"], shown["deleting_at"]) == ("Customer", 1, 1, None)
    url = f"{OPERATIONS}/accounts/{tenant.account_id}"
    assert (await client.delete(url, headers=tenant.client_headers)).status_code == 403
    refused = await client.request("DELETE", url, json={"confirm": "customer"}, headers=staff)
    assert refused.status_code == 400
    assert (await client.delete(f"{OPERATIONS}/accounts/{uuid4()}?confirm=x", headers=staff)).status_code == 404
    accepted = await client.request("DELETE", url, json={"confirm": "Customer"}, headers=staff)
    assert accepted.status_code == 202
    again = await client.request("DELETE", url, json={"confirm": "Customer"}, headers=staff)
    assert again.status_code in {400, 404}
    deadline = time.monotonic() + LIMIT_S
    while (read := (await client.get(accepted.headers["location"], headers=staff)).json())["state"] != "done":
        assert time.monotonic() < deadline
    assert (read["kind"], read["name"]) == ("account", "Customer")
    async with identity.transaction(read_only=True) as session:
        assert await session.get(Account, tenant.account_id) is None
    (asked,) = await details_of(identity, tenant, "account.deletion_requested")
    assert asked["name"] == "Customer"
    assert (await client.get(f"{OPERATIONS}/deletions", headers=staff)).json()["pagination"]["total"] == 2


def test_the_command_line_makes_somebody_staff(settings: Settings) -> None:
    """As a process, which is how it is done; nothing in the API does it."""
    environment = ServerProcess(settings).environment

    def spectral(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "spectral", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    unknown = spectral("user", "promote-operations", "nobody@example.com")
    assert unknown.returncode != 0
    assert "not found" in unknown.stderr
    created = spectral("user", "create", "root@example.com", "--password", PASSWORD)
    assert created.returncode == 0, created.stderr
    promoted = spectral("user", "promote-operations", "Root@Example.com")
    assert promoted.returncode == 0, promoted.stderr
    assert "root@example.com is operations staff now" in promoted.stdout
    engine = sa.create_engine(settings.owner_url.replace("+aiosqlite", "").replace("+asyncpg", "+psycopg"))
    with engine.connect() as connection:
        assert connection.execute(sa.text("SELECT role FROM account_member")).scalars().all() == ["operations"]
    engine.dispose()
