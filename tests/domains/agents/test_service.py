"""Agents as other domains use them: versions under concurrency, derived candidates, references that hold."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from spectral.domains.agents.config import ConfigDocument, apply_changes, canonical_hash
from spectral.domains.agents.errors import AgentInUseError, SearchSpaceViolationError
from spectral.domains.agents.service import AgentService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.audit import AuditEntry
from spectral.platform.db.session import Database
from spectral.platform.shared.errors import ForbiddenError, NotFoundError
from spectral.platform.shared.pagination import Page
from spectral.settings import Settings
from tests.fixtures.tenants import Tenant


def document(top_k: int = 3, **members: Any) -> ConfigDocument:
    return ConfigDocument.model_validate(
        {
            "prompts": {"main": {"messages": [{"role": "user", "content": "{{text}}"}]}},
            "model": "spectral-local/small",
            "custom": {"top_k": top_k, "note": "é"},
            "search_space": [{"pointer": "/custom/top_k", "kind": "int", "bounds": {"min": 1, "max": 50}}],
            **members,
        }
    )


async def make_agent(database: Database, access: WorkspaceAccess) -> UUID:
    async with database.transaction(access) as session:
        return (await AgentService(session, access).create_agent("Sorter", None, document())).id


async def test_a_stored_version_gives_back_its_document(database: Database, tenant: Tenant) -> None:
    made = document(
        parameters={"temperature": 0.1, "tiny": 1e-9, "large": 2**53, "whole": 2.0},
        custom={"top_k": 3, "deep": {"b": [1, 1.5, None, True, "\\u0000 😀 \u2028"], "a": ""}},
    )
    agent_id = await make_agent(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        await AgentService(session, tenant.access).add_config(agent_id, made, origin="scan:1", note=None)
    async with database.transaction(tenant.access, read_only=True) as session:
        service = AgentService(session, tenant.access)
        stored = await service.read_config(agent_id, 2)
        assert stored.read_document() == made
        assert stored.config_hash == canonical_hash(stored.read_document()) == canonical_hash(made)
        assert stored.origin == "scan:1"
        assert (await service.current_config(agent_id)).version == 1


async def test_versions_given_out_at_the_same_time_are_counted_without_a_gap(
    database: Database, tenant: Tenant
) -> None:
    agent_id = await make_agent(database, tenant.access)

    async def add(top_k: int) -> int:
        async with database.transaction(tenant.access) as session:
            service = AgentService(session, tenant.access)
            return (await service.add_config(agent_id, document(top_k), origin="user", note=None)).version

    versions = await asyncio.gather(*(add(4 + index % 6) for index in range(12)))
    assert sorted(set(versions)) == [2, 3, 4, 5, 6, 7]
    assert versions[:6] == versions[6:]


async def test_promotions_at_the_same_time_make_one_chain(database: Database, tenant: Tenant) -> None:
    agent_id = await make_agent(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        for top_k in range(4, 9):
            await AgentService(session, tenant.access).add_config(agent_id, document(top_k), origin="user", note=None)

    async def promote(version: int) -> None:
        async with database.transaction(tenant.access) as session:
            await AgentService(session, tenant.access).promote_config(agent_id, version)

    await asyncio.gather(*(promote(version) for version in range(2, 7)))
    async with database.transaction(tenant.access, read_only=True) as session:
        service = AgentService(session, tenant.access)
        history, total = await service.list_promotions(agent_id, Page())
        live = await service.current_config(agent_id)
    assert total == 6
    chain = {promotion.previous_version: promotion.version for promotion in history}
    walked, at = [], chain[None]
    while at in chain:
        at = chain[at]
        walked.append(at)
    assert sorted(walked) == [2, 3, 4, 5, 6]
    assert live.version == walked[-1]


async def test_a_candidate_must_be_reachable_from_its_base(database: Database, tenant: Tenant) -> None:
    agent_id = await make_agent(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        service = AgentService(session, tenant.access)
        candidate = apply_changes(document(), {"/custom/top_k": 9})
        made = await service.add_config(agent_id, candidate, origin="scan:1", note=None, base_version=1)
        assert made.version == 2
        for stray in (document(51, search_space=[]), document(model="other"), document(search_space=[])):
            with pytest.raises(SearchSpaceViolationError):
                await service.add_config(agent_id, stray, origin="scan:1", note=None, base_version=1)
        with pytest.raises(NotFoundError):
            await service.add_config(agent_id, candidate, origin="scan:1", note=None, base_version=7)
    async with database.transaction(tenant.access, read_only=True) as session:
        assert (await AgentService(session, tenant.access).read_agent(agent_id)).latest_version == 2


async def test_promoting_needs_the_scope_whatever_route_led_there(database: Database, tenant: Tenant) -> None:
    agent_id = await make_agent(database, tenant.access)
    contributor = replace(tenant.access, scopes=tenant.access.scopes - {Scope.APPROVE_AGENTS})
    async with database.transaction(contributor) as session:
        with pytest.raises(ForbiddenError):
            await AgentService(session, contributor).promote_config(agent_id, 1, "staging")
    system = WorkspaceAccess.for_system(tenant.workspace_id, tenant.account_id, "scan 1")
    async with database.transaction(system) as session:
        promotion = await AgentService(session, system).promote_config(agent_id, 1, "staging", "bounded_auto")
    assert promotion.actor == "system:scan 1"


async def test_what_is_referred_to_is_archived_not_deleted(
    database: Database, tenant: Tenant, settings: Settings
) -> None:
    agent_id = await make_agent(database, tenant.access)
    owner = Database(settings.owner_url)
    columns = "workspace_id, agent_id"
    kind = sa.Uuid().compile(dialect=owner.writer.dialect)
    async with owner.transaction() as session:
        await session.execute(
            sa.text(
                f"CREATE TABLE evidence (workspace_id {kind}, agent_id {kind}, FOREIGN KEY ({columns}) "
                "REFERENCES agent (workspace_id, id) ON DELETE RESTRICT)"
            )
        )
        evidence = sa.table("evidence", sa.column("workspace_id", sa.Uuid()), sa.column("agent_id", sa.Uuid()))
        await session.execute(evidence.insert().values(workspace_id=tenant.workspace_id, agent_id=agent_id))
    with pytest.raises(AgentInUseError, match="archive it instead"):
        async with database.transaction(tenant.access) as session:
            await AgentService(session, tenant.access).delete_agent(agent_id)
    async with database.transaction(tenant.access) as session:
        assert (await AgentService(session, tenant.access).read_agent(agent_id)).name == "Sorter"
    async with owner.transaction() as session:
        await session.execute(evidence.delete())
    async with database.transaction(tenant.access) as session:
        await AgentService(session, tenant.access).delete_agent(agent_id)
    await owner.close()


async def test_the_audit_log_says_who_put_what_live(database: Database, tenant: Tenant) -> None:
    agent_id = await make_agent(database, tenant.access)
    async with database.transaction(tenant.access) as session:
        service = AgentService(session, tenant.access)
        await service.add_config(agent_id, document(4), origin="user", note=None)
        await service.promote_config(agent_id, 2, reason="better")
    async with database.transaction(tenant.access, read_only=True) as session:
        statement = sa.select(AuditEntry).where(AuditEntry.action == "agent.promoted")
        entries = (await session.scalars(statement.order_by(AuditEntry.created_at, AuditEntry.id))).all()
    assert [(entry.detail["before"], entry.detail["after"]) for entry in entries] == [(None, 1), (1, 2)]
    assert entries[1].detail["reason"] == "better"
    assert {entry.actor for entry in entries} == {f"user:{tenant.user_id}"}
    assert entries[1].workspace_id == tenant.workspace_id


async def test_another_workspace_sees_nothing(database: Database, tenant: Tenant, other_tenant: Tenant) -> None:
    agent_id = await make_agent(database, tenant.access)
    async with database.transaction(other_tenant.access) as session:
        service = AgentService(session, other_tenant.access)
        assert await service.list_agents(Page()) == ([], 0)
        assert await service.live_in(agent_id) == {}
        for wrong in (agent_id, uuid4()):
            for attempt in (
                service.read_agent(wrong),
                service.read_config(wrong, 1),
                service.current_config(wrong),
                service.add_config(wrong, document(9), origin="user", note=None),
                service.promote_config(wrong, 1),
                service.write_templates(wrong, document(), origin="user"),
                service.delete_agent(wrong),
            ):
                with pytest.raises(NotFoundError):
                    await attempt
