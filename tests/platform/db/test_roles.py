"""What each PostgreSQL role can do, asked by raw statements on its own connections."""

import uuid
from collections.abc import AsyncIterator

import asyncpg
import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.agents.models import Agent
from spectral.platform.db.policies import ACCOUNT_SETTING, WORKSPACE_SETTING
from spectral.platform.db.roles import CREDENTIALS, IDENTITY, INGESTION
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.project import tables, workspace_tables
from tests.fixtures.tenants import Tenant

pytestmark = pytest.mark.databases("postgresql")

IDENTITY_TABLES = sorted(set(IDENTITY) - {"api_key", "support_grant"})


@pytest.fixture
async def ingestion(settings: Settings) -> AsyncIterator[Database]:
    database = Database(settings.ingestion_url, pool_size=1)
    yield database
    await database.close()


async def rows(database: Database, statement: str, **setting: str) -> list[tuple[object, ...]]:
    """The rows of one statement in a transaction with these settings."""
    async with database.transaction() as session:
        for name, value in setting.items():
            known = {"workspace": WORKSPACE_SETTING, "account": ACCOUNT_SETTING}[name]
            await session.execute(sa.text("SELECT set_config(:name, :value, true)"), {"name": known, "value": value})
        return [tuple(row) for row in await session.execute(sa.text(statement))]


async def refused(database: Database, statement: str, **setting: str) -> bool:
    """Whether the role has no right to this statement at all."""
    try:
        await rows(database, statement, **setting)
    except sa.exc.DBAPIError as error:
        if isinstance(getattr(error.orig, "__cause__", None), asyncpg.InsufficientPrivilegeError):
            return True
        raise
    return False


async def test_without_a_setting_the_application_sees_no_tenant_s_row(
    database: Database, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    await client.post(f"{tenant.url}/agents", json={"name": "seen by nobody"}, headers=tenant.client_headers)
    for table in [*(table.name for table in workspace_tables()), *IDENTITY_TABLES]:
        if table not in CREDENTIALS:
            assert await rows(database, f'SELECT 1 FROM "{table}" LIMIT 1') == [], table  # noqa: S608


async def test_with_a_workspace_it_sees_that_one_only(
    database: Database, client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant
) -> None:
    for owner in (tenant, other_tenant):
        made = await client.post(f"{owner.url}/agents", json={"name": owner.name}, headers=owner.client_headers)
        assert made.status_code == 201
    found = await rows(database, "SELECT workspace_id, name FROM agent", workspace=str(tenant.workspace_id))
    assert found == [(tenant.workspace_id, tenant.name)]
    everywhere = "UPDATE agent SET name = 'changed' RETURNING workspace_id"
    assert await rows(database, everywhere, workspace=str(tenant.workspace_id)) == [(tenant.workspace_id,)]


async def test_with_an_account_it_sees_the_people_and_workspaces_of_that_one_only(
    database: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    account = str(tenant.account_id)
    assert await rows(database, "SELECT id FROM account", account=account) == [(tenant.account_id,)]
    assert await rows(database, "SELECT email FROM app_user", account=account) == [(tenant.email,)]
    assert await rows(database, "SELECT id FROM workspace", account=account) == [(tenant.workspace_id,)]
    assert await rows(database, "SELECT user_id FROM account_member", account=account) == [(tenant.user_id,)]
    with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
        await rows(
            database,
            "INSERT INTO account_member (account_id, user_id, role, created_at) "  # noqa: S608
            f"VALUES ('{other_tenant.account_id}', '{tenant.user_id}', 'owner', now())",
            account=account,
        )


async def test_a_row_cannot_be_put_into_another_workspace(
    database: Database, tenant: Tenant, other_tenant: Tenant
) -> None:
    statement = sa.insert(Agent).values(
        workspace_id=other_tenant.workspace_id, id=uuid.uuid4(), name="smuggled", description=None
    )
    with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
        async with database.transaction(tenant.access) as session:
            await session.execute(statement)


async def test_credentials_are_out_of_the_application_s_reach(
    database: Database, identity: Database, tenant: Tenant
) -> None:
    assert await rows(identity, "SELECT 1 FROM user_credential LIMIT 1")
    for table in CREDENTIALS:
        for statement in (f"SELECT * FROM {table}", f"DELETE FROM {table}"):  # noqa: S608
            assert await refused(database, statement, account=str(tenant.account_id)), statement
    assert await refused(database, "UPDATE app_user SET email = 'a@b.example'", account=str(tenant.account_id))


async def test_the_authentication_role_reads_no_content(
    identity: Database, client: httpx.AsyncClient, tenant: Tenant
) -> None:
    known = {*IDENTITY, *CREDENTIALS}
    workspace = str(tenant.workspace_id)
    content = [table.name for table in workspace_tables() if table.name not in known]
    assert len(content) > 20
    for table in content:
        # A few tables may be added to; what is in them is not read.
        try:
            seen = await rows(identity, f'SELECT * FROM "{table}"')  # noqa: S608
        except sa.exc.DBAPIError as error:
            assert "permission denied" in str(error), table  # noqa: PT017
        else:
            assert seen == [], table
        assert await refused(identity, f'DELETE FROM "{table}"', workspace=workspace), table  # noqa: S608


async def test_the_ingestion_role_touches_span_tables_only(
    ingestion: Database, tenant: Tenant, client: httpx.AsyncClient
) -> None:
    workspace, account = str(tenant.workspace_id), str(tenant.account_id)
    for table in tables():
        wanted = INGESTION.get(table.name, "")
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE"):
            granted = f"SELECT has_table_privilege(current_user, 'public.{table.name}', '{right}')"
            assert await rows(ingestion, granted) == [(right in wanted,)], f"{right} on {table.name}"
    assert await refused(ingestion, "SELECT * FROM user_credential", account=account)
    for statement in (
        "DELETE FROM trace",
        "TRUNCATE span",
        "DELETE FROM span_chunk",
        "UPDATE span SET name = 'changed'",
    ):
        assert await refused(ingestion, statement, workspace=workspace), statement
    # Only such a role may copy into a table with policies.
    active = "SELECT row_security_active('span'), row_security_active('span_chunk')"
    assert await rows(ingestion, active) == [(False, False)]


@pytest.mark.parametrize("name", ["url", "identity_url", "ingestion_url"])
async def test_no_role_of_the_server_can_switch_its_limits_off(settings: Settings, name: str) -> None:
    database = Database(getattr(settings, name), pool_size=1)
    try:
        ((bypasses, *attributes),) = await rows(
            database,
            "SELECT rolbypassrls, rolsuper, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
            "WHERE rolname = current_user",
        )
        assert not any(attributes)
        # It has no right to anything but span tables.
        assert bypasses is (name == "ingestion_url")
        member_of = "SELECT 1 FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = current_user"
        assert await rows(database, member_of) == []
        assert await rows(database, "SELECT 1 FROM pg_tables WHERE tableowner = current_user") == []
        for statement in (
            "ALTER TABLE agent DISABLE ROW LEVEL SECURITY",
            "CREATE TABLE public.mine (id int)",
            "SET ROLE spectral_owner",
        ):
            with pytest.raises(sa.exc.DBAPIError, match=r"must be owner|permission denied"):
                await rows(database, statement)
    finally:
        await database.close()
