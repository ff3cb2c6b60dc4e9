"""The account of the caller."""

import httpx
from sqlalchemy import text

from spectral.domains.accounts.service import AccountService
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant

ACCOUNT = "/api/v1/account"


async def test_a_new_installation_knows_nobody_and_nobody_gets_in_with_what_others_ship(
    client: httpx.AsyncClient, identity: Database
) -> None:
    async with identity.transaction(read_only=True) as session:
        for table in ("app_user", "account", "api_key", "service_account", "user_session", "user_credential"):
            assert (await session.execute(text(f"SELECT count(*) FROM {table}"))).scalar_one() == 0, table  # noqa: S608
    for name in ("admin", "root", "admin@example.com", "demo@example.com", "spectral"):
        for password in ("admin", "password", "demo-password-of-spectral", "spectral"):
            answer = await client.post("/api/v1/auth/login", json={"email": name, "password": password})
            assert answer.status_code in {401, 429}


async def test_the_owner_reads_renames_and_lists(client: httpx.AsyncClient, tenant: Tenant) -> None:
    read = await client.get(ACCOUNT, headers=tenant.client_headers)
    assert read.json() | {"created_at": ""} == {
        "id": str(tenant.account_id),
        "name": "Ours",
        "created_at": "",
        "sso_provider": None,
    }
    renamed = await client.patch(ACCOUNT, json={"name": " New name "}, headers=tenant.client_headers)
    assert renamed.json()["name"] == "New name"
    members = (await client.get(f"{ACCOUNT}/members", headers=tenant.client_headers)).json()
    assert members["pagination"] == {"total": 1, "limit": 20, "offset": 0}
    assert [(member["email"], member["role"]) for member in members["results"]] == [(tenant.email, "owner")]


async def test_renaming_is_in_the_audit_log(client: httpx.AsyncClient, tenant: Tenant, database: Database) -> None:
    await client.patch(ACCOUNT, json={"name": "Later"}, headers=tenant.client_headers)
    async with database.transaction(tenant.access, read_only=True) as session:
        rows = (
            await session.execute(text("SELECT action, actor FROM audit_entry WHERE action LIKE 'account.%'"))
        ).all()
    assert sorted(rows) == [
        ("account.created", f"user:{tenant.user_id}"),
        ("account.renamed", f"user:{tenant.user_id}"),
    ]


async def test_anonymous_key_and_foreigner_are_refused(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    assert (await client.get(ACCOUNT)).status_code == 401
    assert (await client.get(ACCOUNT, headers=tenant.key_headers)).status_code == 403
    assert (await client.get(f"{ACCOUNT}/members", headers=tenant.key_headers)).status_code == 403
    foreign = other_tenant.client_headers | {"X-Account-Id": str(tenant.account_id)}
    assert (await client.get(ACCOUNT, headers=foreign)).json()["type"].endswith("/account-not-chosen")
    assert (await client.get(f"{ACCOUNT}/members", headers=foreign)).status_code == 403
    malformed = tenant.client_headers | {"X-Account-Id": "mine"}
    assert (await client.get(ACCOUNT, headers=malformed)).status_code == 400


async def test_bad_names_change_nothing(client: httpx.AsyncClient, tenant: Tenant) -> None:
    for wrong in ({}, {"name": ""}, {"name": 5}, {"name": "x" * 201}, {"name": "x", "role": "owner"}):
        assert (await client.patch(ACCOUNT, json=wrong, headers=tenant.client_headers)).status_code == 422
    assert (await client.get(ACCOUNT, headers=tenant.client_headers)).json()["name"] == "Ours"


async def test_operations_staff_leave_their_workspaces(
    client: httpx.AsyncClient, tenant: Tenant, identity: Database
) -> None:
    async with identity.transaction() as session:
        await AccountService(session).promote_to_operations(tenant.email.upper())
    signed_in = await client.post("/api/v1/auth/login", json={"email": tenant.email, "password": tenant.password})
    headers = {"Authorization": f"Bearer {signed_in.json()['access_token']}"}
    assert signed_in.json()["workspace_id"] is None
    assert (await client.get(tenant.url, headers=headers)).status_code == 404
    assert (await client.get(ACCOUNT, headers=headers)).status_code == 200
