"""What a customer sees of the operations staff that was let into a workspace, and how they end it."""

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.accounts.models import AccountMember
from spectral.domains.accounts.service import AccountService
from spectral.domains.workspaces.models import SupportGrant
from spectral.domains.workspaces.support import status_of
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from tests.fixtures.people import join
from tests.fixtures.tenants import Tenant


async def grant_to(identity: Database, tenant: Tenant, somebody: Tenant, minutes: int = 60) -> str:
    """A grant that was given so that it ends in so many minutes."""
    grant = SupportGrant(
        account_id=tenant.account_id,
        workspace_id=tenant.workspace_id,
        user_id=somebody.user_id,
        email=somebody.email,
        role="observer",
        reason="ticket 7",
        expires_at=utc_now() + timedelta(minutes=minutes),
    )
    async with identity.transaction() as session:
        session.add(grant)
        await AccountService(session).promote_to_operations(somebody.email)
    return str(grant.id)


async def test_a_grant_lets_in_until_the_customer_ends_it(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, identity: Database
) -> None:
    url = f"{tenant.url}/support-grants"
    identifier = await grant_to(identity, tenant, other_tenant)
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 200
    assert (await client.get(f"{tenant.url}/agents", headers=other_tenant.client_headers)).status_code == 200
    assert (await client.get(url, headers=other_tenant.client_headers)).status_code == 403
    refused = await client.patch(tenant.url, json={"name": "Mine"}, headers=other_tenant.client_headers)
    assert refused.status_code == 403
    (shown,) = (await client.get(url, headers=tenant.client_headers)).json()["results"]
    assert (shown["email"], shown["reason"], shown["role"]) == (other_tenant.email, "ticket 7", "observer")
    assert (shown["status"], shown["ended_at"]) == ("open", None)
    assert (await client.get(f"{url}/{identifier}", headers=tenant.client_headers)).json() == shown
    for _ in range(2):
        assert (await client.delete(f"{url}/{identifier}", headers=tenant.client_headers)).status_code == 204
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 404
    ended = (await client.get(f"{url}/{identifier}", headers=tenant.client_headers)).json()
    assert ended["status"] == "ended"


async def test_a_grant_that_has_run_out_lets_nobody_in(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, identity: Database
) -> None:
    identifier = await grant_to(identity, tenant, other_tenant, minutes=-1)
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 404
    read = await client.get(f"{tenant.url}/support-grants/{identifier}", headers=tenant.client_headers)
    assert read.json()["status"] == "expired"


async def test_a_grant_ends_with_the_staff_s_role(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, identity: Database
) -> None:
    await grant_to(identity, tenant, other_tenant)
    async with identity.transaction() as session:
        mine = AccountMember.user_id == other_tenant.user_id
        await session.execute(sa.update(AccountMember).where(mine).values(role="member"))
    assert (await client.get(tenant.url, headers=other_tenant.client_headers)).status_code == 404


async def test_only_administrators_of_the_workspace_see_and_end_grants(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, identity: Database
) -> None:
    contributor = await join(client, tenant, "contributor", inside="contributor")
    identifier = await grant_to(identity, tenant, other_tenant)
    for path in ("", f"/{identifier}"):
        url = f"{tenant.url}/support-grants{path}"
        for headers, status in ((contributor.headers, 403), (tenant.key_headers, 403), ({}, 401)):
            assert (await client.get(url, headers=headers)).status_code == status
    elsewhere = f"{other_tenant.url}/support-grants/{identifier}"
    assert (await client.delete(elsewhere, headers=other_tenant.client_headers)).status_code == 404


@pytest.mark.parametrize(
    ("expires", "ended", "status"), [(1, None, "open"), (-1, None, "expired"), (1, -1, "ended"), (-2, -2, "expired")]
)
def test_a_grant_says_how_it_stands(expires: int, ended: int | None, status: str) -> None:
    now = utc_now()
    grant = SupportGrant(
        expires_at=now + timedelta(minutes=expires),
        ended_at=None if ended is None else now + timedelta(minutes=ended),
    )
    assert status_of(grant, now) == status
