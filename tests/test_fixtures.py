"""The fixtures keep what `conftest.py` promises."""

import httpx
import sqlalchemy as sa

from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.postgres import APPLICATION
from tests.fixtures.tenants import Tenant


async def test_a_database_is_migrated_and_tests_reach_it_as_the_application(
    database: Database, settings: Settings
) -> None:
    async with database.transaction(read_only=True) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM workspace"))).scalar_one() == 0
        if not settings.uses_sqlite:
            role = (
                await session.execute(
                    sa.text("SELECT rolname, rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
                )
            ).one()
            assert tuple(role) == (APPLICATION, False, False)


async def test_tenants_are_two(client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant) -> None:
    assert tenant.workspace_id != other_tenant.workspace_id
    assert (await client.get(tenant.url, headers=tenant.client_headers)).status_code == 200
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 404
