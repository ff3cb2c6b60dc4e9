"""Workspace-bound repositories hold the boundary, and on PostgreSQL the policies hold it again."""

import httpx
import pytest
import sqlalchemy as sa

from spectral.domains.keys.models import ApiKey
from spectral.domains.keys.repository import ApiKeyRepository
from spectral.platform.audit import AuditEntry
from spectral.platform.db.base import NanoUsdColumn, tenant_fk
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import ConflictError, NotFoundError
from spectral.platform.shared.pagination import Page
from tests.fixtures.tenants import Tenant


async def test_another_workspaces_row_is_not_there(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    async with database.transaction(other_tenant.access) as session:
        theirs = ApiKeyRepository(session, other_tenant.access)
        with pytest.raises(NotFoundError):
            await theirs.get(tenant.key_id)
        assert await theirs.find(ApiKey.id == tenant.key_id) is None
        assert await theirs.find_all(ApiKey.id == tenant.key_id) == []
        assert await theirs.count(ApiKey.id == tenant.key_id) == 0
        assert await theirs.execute(theirs.update(ApiKey.id == tenant.key_id).values(name="stolen")) == 0
        assert await theirs.execute(theirs.delete(ApiKey.id == tenant.key_id)) == 0
        rows, total = await theirs.page(theirs.select(), Page(limit=50))
        assert ([row.id for row in rows], total) == ([other_tenant.key_id], 1)
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await ApiKeyRepository(session, tenant.access).get(tenant.key_id)).name == "ours key"


async def test_a_new_row_lands_in_the_workspace_of_the_access(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    async with database.transaction(tenant.access) as session:
        smuggled = ApiKey(
            workspace_id=other_tenant.workspace_id,
            name="x",
            key_hash="0" * 64,
            prefix="sk_live_",
            last_four="0000",
            scopes=[],
        )
        ApiKeyRepository(session, tenant.access).add(smuggled)
        await session.flush()
        assert smuggled.workspace_id == tenant.workspace_id


async def test_a_named_constraint_becomes_the_error_it_was_given(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    async def add_twice(named: str) -> None:
        async with database.transaction(tenant.access) as session:
            repository = ApiKeyRepository(session, tenant.access)
            for _ in range(2):
                repository.add(ApiKey(name="x", key_hash="1" * 64, prefix="p", last_four="0000", scopes=[]))
                await repository.flush({named: ConflictError("taken")})

    with pytest.raises(ConflictError, match="taken"):
        await add_twice("uq_api_key_key_hash")
    with pytest.raises(sa.exc.IntegrityError):
        await add_twice("uq_something_else")


@pytest.mark.databases("postgresql")
async def test_the_policy_shows_and_takes_only_the_accounts_rows(
    client: httpx.AsyncClient, tenant: Tenant, other_tenant: Tenant, database: Database
) -> None:
    counted = sa.select(sa.func.count()).select_from(AuditEntry)
    async with database.transaction(read_only=True) as session:
        assert (await session.execute(counted)).scalar_one() == 0
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await session.execute(counted)).scalar_one() > 0
        foreign = counted.where(AuditEntry.account_id == other_tenant.account_id)
        assert (await session.execute(foreign)).scalar_one() == 0
    async with database.session(tenant.access) as session:
        session.add(AuditEntry(account_id=other_tenant.account_id, actor="x", action="x", subject="x", detail={}))
        with pytest.raises(sa.exc.DBAPIError, match="row-level security"):
            await session.flush()


@pytest.mark.databases("postgresql")
@pytest.mark.parametrize("statement", ["UPDATE audit_entry SET actor = 'x'", "DELETE FROM audit_entry"])
async def test_the_application_cannot_edit_the_past(
    client: httpx.AsyncClient, tenant: Tenant, database: Database, statement: str
) -> None:
    with pytest.raises(sa.exc.DBAPIError, match="permission denied"):
        async with database.transaction(tenant.access) as session:
            await session.execute(sa.text(statement))


@pytest.mark.databases("postgresql")
async def test_a_pooled_connection_keeps_no_workspace(
    client: httpx.AsyncClient, tenant: Tenant, database: Database
) -> None:
    for _ in range(3):
        async with database.transaction(tenant.access, read_only=True) as session:
            assert (
                await session.execute(sa.text("SELECT current_setting('spectral.workspace', true)"))
            ).scalar() == str(tenant.workspace_id)
        async with database.transaction(read_only=True) as session:
            left = (await session.execute(sa.text("SELECT current_setting('spectral.workspace', true)"))).scalar()
            assert not left


@pytest.mark.parametrize("wrong", [1.5, True, "1"])
def test_money_takes_integers_only(wrong: object) -> None:
    with pytest.raises(TypeError, match="nano-USD"):
        NanoUsdColumn().process_bind_param(wrong, sa.create_mock_engine("sqlite://", lambda: None).dialect)  # type: ignore[arg-type]


def test_a_tenant_reference_never_nulls_its_workspace() -> None:
    with pytest.raises(ValueError, match="SET NULL"):
        tenant_fk("agent_id", "agent", ondelete="SET NULL")
