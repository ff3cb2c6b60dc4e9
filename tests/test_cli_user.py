"""`spectral user sign-out`: for whoever runs the server."""

import asyncio
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant
from tests.test_cli import spectral

ME = "/api/v1/auth/me"


async def command(settings: Settings, *arguments: str) -> Any:
    return await asyncio.to_thread(spectral, settings, "user", "sign-out", *arguments)


async def signed_in(client: httpx.AsyncClient, tenant: Tenant) -> bool:
    refreshed = await client.post("/api/v1/auth/refresh", json={"refresh_token": tenant.refresh_token})
    return refreshed.status_code == 200


async def test_a_person_or_everybody_is_signed_out(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, settings: Settings, identity: Database
) -> None:
    second = {"email": tenant.email, "password": tenant.password}
    again = (await client.post("/api/v1/auth/login", json=second)).json()
    done = await command(settings, tenant.email.upper())
    assert (done.exit_code, done.output) == (0, "2 sessions ended.\n")
    await asyncio.sleep(1.1)  # what this process remembers of them
    for token in (tenant.access_token, again["access_token"]):
        assert (await client.get(ME, headers={"Authorization": f"Bearer {token}"})).status_code == 401
    assert not await signed_in(client, tenant)
    assert (await client.get(ME, headers=other_tenant.client_headers)).status_code == 200
    assert (await client.get(f"{tenant.url}/agents", headers=tenant.key_headers)).status_code == 200
    everybody = await command(settings, "--everyone")
    assert (everybody.exit_code, everybody.output) == (0, "1 sessions ended.\n")
    assert not await signed_in(client, other_tenant)
    async with identity.transaction(read_only=True) as session:
        of_command = AuditEntry.actor == "system:command line"
        found = await session.execute(sa.select(AuditEntry.account_id, AuditEntry.action).where(of_command))
        assert {tuple(row) for row in found} == {
            (tenant.account_id, "auth.sessions_revoked"),
            (other_tenant.account_id, "auth.sessions_revoked"),
        }


@pytest.mark.databases("sqlite")
async def test_what_it_is_to_do_must_be_clear(client: httpx.AsyncClient, tenant: Tenant, settings: Settings) -> None:
    for arguments in ((), (tenant.email, "--everyone"), ("nobody@example.com",)):
        assert (await command(settings, *arguments)).exit_code == 2, arguments
    assert await signed_in(client, tenant)
