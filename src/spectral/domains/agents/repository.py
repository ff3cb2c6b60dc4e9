"""Queries over agents and what belongs to them, each bound to one workspace."""

from collections.abc import Sequence
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import defer

from spectral.domains.agents.models import (
    Agent,
    AgentConfig,
    AgentEnvironment,
    AgentInvocation,
    AgentPromotion,
    AgentTemplate,
    AgentTemplateVersion,
)
from spectral.platform.db.repository import PricedRepository, WorkspaceRepository
from spectral.platform.shared.errors import NotFoundError
from spectral.platform.shared.pagination import Page

MAXIMUM_VERSION = 2**31 - 1
"""Versions are 32-bit integers in the store; a larger one in a path names nothing."""


class AgentRepository(WorkspaceRepository[Agent]):
    """Agents of one workspace."""

    model: ClassVar[type[Agent]] = Agent
    kind = "Agent"

    async def lock(self, agent_id: UUID) -> Agent:
        """The agent, fresh, held until the transaction ends: versions and promotions of one agent queue here.

        Raises NotFoundError.
        """
        statement = self.select(Agent.id == agent_id).with_for_update().execution_options(populate_existing=True)
        agent = (await self.session.scalars(statement)).one_or_none()
        if agent is None:
            raise NotFoundError(self.kind, agent_id)
        return agent


class ConfigRepository(WorkspaceRepository[AgentConfig]):
    """Config versions of one workspace's agents."""

    model: ClassVar[type[AgentConfig]] = AgentConfig
    kind = "Config version"

    async def of_version(self, agent_id: UUID, version: int) -> AgentConfig:
        """Raises NotFoundError."""
        config = None
        if version <= MAXIMUM_VERSION:
            config = await self.find(AgentConfig.agent_id == agent_id, AgentConfig.version == version)
        if config is None:
            raise NotFoundError(self.kind, version)
        return config

    async def page_of(self, agent_id: UUID, page: Page) -> tuple[list[AgentConfig], int]:
        """Versions without their documents, newest first."""
        statement = self.select(AgentConfig.agent_id == agent_id).options(defer(AgentConfig.document, raiseload=True))
        return await self.page(statement, page, order_by=(AgentConfig.version.desc(),))


def _live_statement(*, documents: bool) -> sa.Select[Any]:
    """See `EnvironmentRepository.live`; put together once, because it is what agents ask for most."""
    live = sa.inspect(AgentEnvironment).local_table
    now, before = (sa.inspect(AgentConfig).local_table.alias(name) for name in ("now", "before"))
    columns = [
        live.c.version,
        now.c.config_hash,
        live.c.holdback_version,
        before.c.config_hash.label("holdback_hash"),
        live.c.holdback_share,
        live.c.salt,
    ]
    if documents:
        columns += [now.c.document, before.c.document.label("holdback_document")]
    held = sa.and_(
        before.c.workspace_id == live.c.workspace_id,
        before.c.agent_id == live.c.agent_id,
        before.c.version == live.c.holdback_version,
    )
    return (
        sa.select(*columns)
        .select_from(live)
        .join(now, sa.and_(now.c.workspace_id == live.c.workspace_id, now.c.id == live.c.config_id))
        .outerjoin(before, held)
        .where(
            live.c.workspace_id == sa.bindparam("workspace"),
            live.c.agent_id == sa.bindparam("agent"),
            live.c.environment == sa.bindparam("environment"),
        )
    )


_LIVE, _LIVE_WITH_DOCUMENTS = _live_statement(documents=False), _live_statement(documents=True)


class EnvironmentRepository(WorkspaceRepository[AgentEnvironment]):
    """What is live where."""

    model: ClassVar[type[AgentEnvironment]] = AgentEnvironment
    kind = "Environment"

    async def of_agents(self, agent_ids: Sequence[UUID]) -> list[AgentEnvironment]:
        """Every environment of these agents, by name."""
        return await self.find_all(AgentEnvironment.agent_id.in_(agent_ids), order_by=(AgentEnvironment.environment,))

    async def of_agent(self, agent_id: UUID, environment: str) -> AgentEnvironment | None:
        """What is live in one environment, or None."""
        return await self.find(AgentEnvironment.agent_id == agent_id, AgentEnvironment.environment == environment)

    async def lock(self, agent_id: UUID, environment: str) -> AgentEnvironment | None:
        """What is live in one environment as it is now, held until the transaction ends."""
        statement = self.select(AgentEnvironment.agent_id == agent_id, AgentEnvironment.environment == environment)
        fresh = statement.with_for_update().execution_options(populate_existing=True)
        return (await self.session.scalars(fresh)).one_or_none()

    async def live(self, agent_id: UUID, environment: str, *, documents: bool) -> sa.Row[Any] | None:
        """Versions and hashes of what is live and, where there is one, of its holdback; in one statement.

        Columns: version, config_hash, holdback_version, holdback_hash, holdback_share, salt; with `documents` also
        document and holdback_document.
        """
        values = {"workspace": self.access.workspace_id, "agent": agent_id, "environment": environment}
        statement = _LIVE_WITH_DOCUMENTS if documents else _LIVE
        return (await self.session.execute(statement, values)).one_or_none()


class PromotionRepository(WorkspaceRepository[AgentPromotion]):
    """The history of what went live."""

    model: ClassVar[type[AgentPromotion]] = AgentPromotion
    kind = "Promotion"

    async def latest(self, agent_id: UUID, environment: str) -> AgentPromotion:
        """The promotion that made live what is live. Raises NotFoundError when there was none."""
        statement = (
            self.select(AgentPromotion.agent_id == agent_id, AgentPromotion.environment == environment)
            .order_by(AgentPromotion.created_at.desc(), AgentPromotion.id.desc())
            .limit(1)
        )
        promotion = (await self.session.scalars(statement)).one_or_none()
        if promotion is None:
            raise NotFoundError(self.kind)
        return promotion


class TemplateRepository(WorkspaceRepository[AgentTemplate]):
    """Managed templates; what they say is in their versions."""

    model: ClassVar[type[AgentTemplate]] = AgentTemplate
    kind = "Template"

    async def named(self, agent_id: UUID, name: str) -> AgentTemplate:
        """Raises NotFoundError."""
        template = await self.find(AgentTemplate.agent_id == agent_id, AgentTemplate.name == name)
        if template is None:
            raise NotFoundError(self.kind, name)
        return template


class TemplateVersionRepository(WorkspaceRepository[AgentTemplateVersion]):
    """What templates say and said."""

    model: ClassVar[type[AgentTemplateVersion]] = AgentTemplateVersion
    kind = "Template version"

    async def of_version(self, template_id: UUID, version: int) -> AgentTemplateVersion:
        """Raises NotFoundError."""
        found = await self.find(
            AgentTemplateVersion.template_id == template_id, AgentTemplateVersion.version == version
        )
        if found is None:
            raise NotFoundError(self.kind, version)
        return found

    async def current_of(self, templates: Sequence[AgentTemplate]) -> dict[UUID, AgentTemplateVersion]:
        """The current version of each template, by template id."""
        wanted = sa.tuple_(AgentTemplateVersion.template_id, AgentTemplateVersion.version).in_(
            [(template.id, template.version) for template in templates]
        )
        return {found.template_id: found for found in await self.find_all(wanted)}


class InvocationRepository(PricedRepository[AgentInvocation]):
    """Playground runs."""

    model: ClassVar[type[AgentInvocation]] = AgentInvocation
    kind = "Invocation"
