"""An account may demand a second factor of everybody who signs in with a password."""

from collections.abc import Callable
from datetime import datetime

import httpx
import pytest
import sqlalchemy as sa
from litestar import Litestar

from spectral.domains.accounts.models import User
from spectral.domains.auth.models import UserSession
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.fixtures.servers import in_process
from tests.fixtures.tenants import Tenant

POLICY = "/api/v1/account/second-factor"


@pytest.fixture
def shown(identity: Database, app: Litestar, tenant: Tenant) -> "Shown":
    return Shown(identity, app, tenant)


class Shown:
    """Gives the tenant's owner a second factor that they have just shown, or takes it away."""

    def __init__(self, identity: Database, app: Litestar, tenant: Tenant) -> None:
        self.identity = identity
        self.app = app
        self.tenant = tenant

    async def set(self, moment: datetime | None) -> None:
        owner = self.tenant.user_id
        async with self.identity.transaction() as session:
            await session.execute(sa.update(User).where(User.id == owner).values(second_factor_at=moment))
            await session.execute(
                sa.update(UserSession).where(UserSession.user_id == owner).values(stepped_up_at=moment)
            )
        self.app.state["authenticator"].forget()


async def test_nobody_demands_what_they_do_not_have(client: httpx.AsyncClient, tenant: Tenant) -> None:
    answer = await client.put(POLICY, json={"required": True}, headers=tenant.client_headers)
    assert answer.status_code == 400
    assert "second factor of your own" in answer.json()["detail"]
    assert (await client.get(POLICY, headers=tenant.client_headers)).json() == {"required": False}


async def test_without_a_second_factor_people_have_no_rights_until_they_set_one_up(
    client: httpx.AsyncClient, tenant: Tenant, shown: Shown
) -> None:
    await shown.set(utc_now())
    assert (await client.put(POLICY, json={"required": True}, headers=tenant.client_headers)).status_code == 200
    assert (await client.get(tenant.url, headers=tenant.client_headers)).status_code == 200
    await shown.set(None)
    for path in (tenant.url, f"{tenant.url}/agents", POLICY):
        answer = await client.get(path, headers=tenant.client_headers)
        assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "second-factor-missing"), path
    assert (await client.get("/api/v1/auth/me", headers=tenant.client_headers)).status_code == 200
    # Keys are not people.
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    await shown.set(utc_now())
    assert (await client.put(POLICY, json={"required": False}, headers=tenant.client_headers)).status_code == 200
    await shown.set(None)
    assert (await client.get(tenant.url, headers=tenant.client_headers)).status_code == 200


async def test_an_installation_can_demand_it_of_everybody(
    settings: Settings, create_app: Callable[[Settings], Litestar], tenant: Tenant, other_tenant: Tenant, shown: Shown
) -> None:
    demanding = settings.model_copy(update={"second_factor_required": True})
    async with in_process(create_app(demanding)) as strict:
        for path in (tenant.url, f"{tenant.url}/agents"):
            answer = await strict.get(path, headers=tenant.client_headers)
            assert (answer.status_code, answer.json()["type"].rpartition("/")[2]) == (403, "second-factor-missing")
        for path in (tenant.url, "/api/v1/workspaces/01a2014d-b7b2-7185-ad90-62b02f1db4e2"):
            # The same for what is there and for what is not.
            assert (await strict.get(path, headers=other_tenant.client_headers)).status_code == 403
        assert (await strict.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
        assert (await strict.get("/api/v1/auth/second-factor", headers=tenant.client_headers)).status_code == 200
    await shown.set(utc_now())
    async with in_process(create_app(demanding)) as strict:
        assert (await strict.get(tenant.url, headers=tenant.client_headers)).status_code == 200


async def test_a_stranger_is_told_nothing_about_the_policy(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, shown: Shown
) -> None:
    await shown.set(utc_now())
    await client.put(POLICY, json={"required": True}, headers=tenant.client_headers)
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 404


async def test_the_decision_is_in_the_audit_log(
    client: httpx.AsyncClient, tenant: Tenant, shown: Shown, identity: Database
) -> None:
    await shown.set(utc_now())
    for required in (True, True, False):
        await client.put(POLICY, json={"required": required}, headers=tenant.client_headers)
    async with identity.transaction(read_only=True) as session:
        found = await session.scalars(
            sa.select(AuditEntry.action)
            .where(AuditEntry.account_id == tenant.account_id, AuditEntry.action.startswith("account.second"))
            .order_by(AuditEntry.created_at, AuditEntry.id)
        )
        assert list(found) == ["account.second_factor_demanded", "account.second_factor_not_demanded"]
