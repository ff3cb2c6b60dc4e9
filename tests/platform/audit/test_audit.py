"""What an entry says, and that nobody changes it."""

import httpx
import pytest
import sqlalchemy as sa

from spectral.platform import audit
from spectral.platform.audit import AuditEntry
from spectral.platform.audit.sealing import Sealer
from spectral.platform.db.session import Database
from tests.fixtures.tenants import Tenant


async def entries(database: Database, tenant: Tenant, action: str) -> list[AuditEntry]:
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.select(AuditEntry).where(AuditEntry.account_id == tenant.account_id, AuditEntry.action == action)
        return list((await session.scalars(statement)).all())


async def test_an_entry_says_by_what_credential_and_from_where(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    headers = tenant.client_headers | {"X-Request-Id": "a-request-of-ours"}
    created = await client.post(f"{tenant.url}/agents", json={"name": "noted"}, headers=headers)
    assert created.status_code == 201
    (entry,) = await entries(database, tenant, "agent.created")
    profile = (await client.get("/api/v1/auth/sessions", headers=tenant.client_headers)).json()
    assert entry.actor == f"user:{tenant.user_id}"
    assert str(entry.credential_id) in {session["id"] for session in profile["results"]}
    assert entry.address == "127.0.0.1"
    assert entry.request_id == "a-request-of-ours"


async def test_what_the_system_does_has_no_request(tenant: Tenant, database: Database) -> None:
    async with database.transaction(tenant.access) as session:
        await audit.record(
            session, account_id=tenant.account_id, actor="system:scan 1", action="a.b", subject="c:1", detail={}
        )
    (entry,) = await entries(database, tenant, "a.b")
    assert (entry.credential_id, entry.address, entry.request_id) == (None, None, None)


async def test_secrets_are_masked_and_numbers_come_back_as_they_went(tenant: Tenant, database: Database) -> None:
    detail = {
        "password": "p",
        "after": {"api_key": "x", "note": f"it was {tenant.api_key}"},
        "share": 0.1,
        "large": 1e20,
        "whole": 2.0,
    }
    async with database.transaction(tenant.access) as session:
        await audit.record(
            session, account_id=tenant.account_id, actor="user:1", action="a.b", subject="c:1", detail=detail
        )
    (entry,) = await entries(database, tenant, "a.b")
    assert entry.detail == {
        "password": "[masked]",
        "after": {"api_key": "[masked]", "note": "it was [masked]"},
        "share": 0.1,
        "large": 10**20,
        "whole": 2,
    }
    assert isinstance(entry.detail["whole"], int)


async def test_no_role_of_the_server_changes_or_removes_an_entry(
    tenant: Tenant, database: Database, identity: Database
) -> None:
    assert await Sealer(identity).seal() > 0
    for chosen, access in ((database, tenant.access), (identity, None)):
        for table in ("audit_entry", "audit_seal"):
            for statement in ("UPDATE {} SET account_id = account_id", "DELETE FROM {}"):
                with pytest.raises(sa.exc.DBAPIError, match=r"only added to|permission denied"):
                    async with chosen.transaction(access) as session:
                        await session.execute(sa.text(statement.format(table)))


@pytest.mark.databases("postgresql")
async def test_the_application_seals_nothing(tenant: Tenant, database: Database) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        async with database.transaction(tenant.access) as session:
            await session.execute(sa.text("INSERT INTO audit_seal SELECT * FROM audit_seal"))


async def test_the_log_outlives_its_account(tenant: Tenant, database: Database, identity: Database) -> None:
    before = len(await entries(database, tenant, "account.registered")) or len(
        await entries(database, tenant, "api_key.created")
    )
    assert before
    async with identity.transaction() as session:
        await session.execute(sa.text("DELETE FROM account"))
    async with identity.transaction(read_only=True) as session:
        assert (await session.execute(sa.text("SELECT count(*) FROM audit_entry"))).scalar_one() >= before
