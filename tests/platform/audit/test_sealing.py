"""The chain: complete, one, continued, and broken by any change."""

import asyncio
import io
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import httpx
import sqlalchemy as sa
from rich.console import Console

from spectral.doctor import examine
from spectral.platform import audit
from spectral.platform.audit import AuditEntry, AuditSeal
from spectral.platform.audit.sealing import (
    BATCH,
    GENESIS,
    LOOK_BACK,
    Sealer,
    count_late,
    sealed_accounts,
    verify_chain,
)
from spectral.platform.db.migrations import owner_engine
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant, register_tenant


async def write(database: Database, tenant: Tenant, count: int) -> None:
    async with database.transaction(tenant.access) as session:
        for number in range(count):
            await audit.record(
                session,
                account_id=tenant.account_id,
                workspace_id=tenant.workspace_id,
                actor=f"user:{tenant.user_id}",
                action="thing.changed",
                subject=f"thing:{number}",
                detail={"before": {"share": 0.1 * number}, "after": None, "text": "ünicode ✓"},
            )


async def seals(identity: Database, tenant: Tenant) -> list[AuditSeal]:
    async with identity.transaction(read_only=True) as session:
        statement = sa.select(AuditSeal).where(AuditSeal.account_id == tenant.account_id).order_by(AuditSeal.seq)
        return list((await session.scalars(statement)).all())


@contextmanager
def as_owner(settings: Settings) -> Iterator[sa.Connection]:
    """What somebody with the tables' owner's rights can do: switch the triggers and the policies off."""
    engine = owner_engine(settings.owner_url)
    with engine.connect() as connection:
        for table in ("audit_entry", "audit_seal"):
            if settings.uses_sqlite:
                for verb in ("update", "delete"):
                    connection.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
            else:
                connection.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
                connection.execute(sa.text(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY"))
        yield connection
        connection.commit()
    engine.dispose()


async def test_everything_is_sealed_once_in_order_and_verifies(
    tenant: Tenant, other_tenant: Tenant, database: Database, identity: Database
) -> None:
    await write(database, tenant, BATCH + 20)
    await write(database, other_tenant, 3)
    sealer = Sealer(identity)
    assert await sealer.seal() > BATCH + 20
    assert await sealer.seal() == 0
    chain = await seals(identity, tenant)
    assert [seal.seq for seal in chain] == list(range(1, len(chain) + 1))
    assert [seal.prev for seal in chain] == [GENESIS, *(seal.hash for seal in chain[:-1])]
    report = await verify_chain(identity, tenant.account_id)
    assert (report.sealed, report.broken_at) == (len(chain), None)
    first = await sealed_accounts(identity, None)
    assert first is not None
    second = await sealed_accounts(identity, first)
    assert {first, second} == {tenant.account_id, other_tenant.account_id}
    assert second is not None
    assert await sealed_accounts(identity, second) is None


async def test_sealers_at_once_make_one_chain_and_a_new_one_continues_it(
    tenant: Tenant, settings: Settings, database: Database, identity: Database
) -> None:
    await write(database, tenant, 40)
    # Each has a database of its own, as another process would.
    others = [Database(settings.identity_url, pool_size=1) for _ in range(3)]
    try:
        await asyncio.gather(*(Sealer(one).seal() for one in (identity, *others)))
        before = len(await seals(identity, tenant))
        await write(database, tenant, 2)
        await Sealer(others[0]).seal()
    finally:
        for one in others:
            await one.close()
    assert len(await seals(identity, tenant)) == before + 2
    assert (await verify_chain(identity, tenant.account_id)).broken_at is None


async def test_an_entry_whose_transaction_commits_late_is_sealed(
    tenant: Tenant, database: Database, identity: Database
) -> None:
    """On PostgreSQL it commits after later ones were sealed; anywhere its own clock may say an earlier time."""
    sealer = Sealer(identity)
    if database.is_sqlite:
        await sealer.seal()
        async with database.transaction(tenant.access) as session:
            session.add(_entry(tenant, utc_now() - LOOK_BACK / 2))
    else:
        async with database.transaction(tenant.access) as session:
            session.add(_entry(tenant, utc_now()))
            await session.flush()
            await write(database, tenant, 1)
            await sealer.seal()
    assert await sealer.seal() == 1
    # What is older than it looks back to is found by the next sweep, and missed by nobody until then.
    async with database.transaction(tenant.access) as session:
        session.add(_entry(tenant, utc_now() - LOOK_BACK * 2))
    assert await sealer.seal() == 0
    assert await count_late(identity) == 1
    assert await Sealer(identity).seal() == 1
    assert (await verify_chain(identity, tenant.account_id)).broken_at is None


def _entry(tenant: Tenant, created_at: Any) -> AuditEntry:
    return AuditEntry(
        account_id=tenant.account_id, actor="user:1", action="a.b", subject="c:1", detail={}, created_at=created_at
    )


TAMPERING = {
    "another actor": ("UPDATE audit_entry SET actor = 'user:0' WHERE id = :entry", "the entry was changed"),
    "another address": ("UPDATE audit_entry SET address = '192.0.2.1' WHERE id = :entry", "the entry was changed"),
    "other detail": ("UPDATE audit_entry SET detail = '{}' WHERE id = :entry", "the entry was changed"),
    "an earlier seal": ("UPDATE audit_seal SET sealed_at = :earlier WHERE entry_id = :entry", "the entry was changed"),
    "no entry": ("DELETE FROM audit_entry WHERE id = :entry", "the entry is missing"),
    "no seal": ("DELETE FROM audit_seal WHERE entry_id = :entry", "a seal is missing"),
    "another hash": ("UPDATE audit_seal SET hash = '0' WHERE entry_id = :entry", "the entry was changed"),
}


async def test_a_change_by_the_owner_of_the_tables_is_found(
    tenant: Tenant, settings: Settings, database: Database, identity: Database
) -> None:
    await write(database, tenant, 10)
    await Sealer(identity).seal()
    console = Console(file=io.StringIO(), width=300)
    await examine(settings, console)
    assert "1 accounts verified" in console.file.getvalue()  # type: ignore[attr-defined]
    chain = await seals(identity, tenant)
    # From the end to the beginning, because a walk ends at the first that does not fit.
    for victim, (statement, reason) in zip(reversed(chain), TAMPERING.values(), strict=False):
        values = {"entry": victim.entry_id, "earlier": victim.sealed_at - timedelta(days=1)}
        kinds = {"entry": sa.Uuid(), "earlier": AuditSeal.__table__.c.sealed_at.type}
        named = [name for name in values if f":{name}" in statement]
        text = sa.text(statement).bindparams(*(sa.bindparam(name, values[name], kinds[name]) for name in named))
        with as_owner(settings) as connection:
            assert connection.execute(text).rowcount == 1
        report = await verify_chain(identity, tenant.account_id)
        assert (report.broken_at, report.reason, report.sealed) == (victim.seq, reason, victim.seq - 1)
    console = Console(file=io.StringIO(), width=300)
    assert not await examine(settings, console)
    assert f"{tenant.account_id} at {victim.seq}: {reason}" in console.file.getvalue()  # type: ignore[attr-defined]


async def test_a_running_server_seals_by_itself(engine_client: httpx.AsyncClient) -> None:
    tenant = await register_tenant(engine_client, "sealed")
    async with asyncio.timeout(30):
        while True:
            listed = await engine_client.get("/api/v1/account/audit-log", headers=tenant.client_headers)
            if all(entry["seq"] is not None for entry in listed.json()["results"]):
                break
            await asyncio.sleep(0.2)
    assert listed.json()["results"]
