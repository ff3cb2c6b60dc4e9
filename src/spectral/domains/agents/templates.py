"""Managed prompt templates: named, versioned, their variables checked, in the caller's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, PromptTemplate
from spectral.domains.agents.errors import TemplateNameTakenError
from spectral.domains.agents.lifecycle import hold_writable, record
from spectral.domains.agents.models import Agent, AgentTemplate, AgentTemplateVersion
from spectral.domains.agents.repository import AgentRepository, TemplateRepository, TemplateVersionRepository
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class Managed:
    """A template and one of its versions."""

    template: AgentTemplate
    version: AgentTemplateVersion


class TemplateService:
    """The managed templates of one workspace's agents."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._agents = AgentRepository(session, access)
        self._templates = TemplateRepository(session, access)
        self._versions = TemplateVersionRepository(session, access)

    async def list_templates(self, agent_id: UUID, page: Page) -> tuple[Sequence[Managed], int]:
        """One page of an agent's templates as they are now, by name. Raises NotFoundError."""
        await self._agents.get(agent_id)
        statement = self._templates.select(AgentTemplate.agent_id == agent_id)
        templates, total = await self._templates.page(statement, page, order_by=(AgentTemplate.name,))
        current = await self._versions.current_of(templates)
        return [Managed(template, current[template.id]) for template in templates], total

    async def list_versions(self, agent_id: UUID, name: str, page: Page) -> tuple[Sequence[Managed], int]:
        """One page of what a template says and said, newest first. Raises NotFoundError."""
        template = await self._named(agent_id, name)
        statement = self._versions.select(AgentTemplateVersion.template_id == template.id)
        versions, total = await self._versions.page(statement, page, order_by=(AgentTemplateVersion.version.desc(),))
        return [Managed(template, version) for version in versions], total

    async def read_template(self, agent_id: UUID, name: str, version: int | None = None) -> Managed:
        """A template as it is now, or as it was in a version. Raises NotFoundError."""
        template = await self._named(agent_id, name)
        return Managed(template, await self._versions.of_version(template.id, version or template.version))

    async def create_template(self, agent_id: UUID, name: str, prompt: PromptTemplate) -> Managed:
        """A new template in version 1. Raises NotFoundError, TemplateNameTakenError (409), AgentArchivedError."""
        agent = await hold_writable(self._agents, agent_id)
        return await self._create(agent, name, prompt, "user")

    async def replace_template(self, agent_id: UUID, name: str, prompt: PromptTemplate) -> Managed:
        """The template says this now, in a new version unless it said so already.

        Raises NotFoundError, AgentArchivedError (400).
        """
        await hold_writable(self._agents, agent_id)
        return await self._replace(await self._templates.named(agent_id, name), prompt, "user")

    async def delete_template(self, agent_id: UUID, name: str) -> None:
        """The template is gone, with all its versions. Raises NotFoundError, AgentArchivedError."""
        await hold_writable(self._agents, agent_id)
        template = await self._templates.named(agent_id, name)
        await self._templates.remove(template)
        await self._audit(agent_id, "agent.template_deleted", {"name": name, "version": template.version})

    async def write_prompts(self, agent_id: UUID, document: ConfigDocument, *, origin: str) -> list[AgentTemplate]:
        """Every prompt of the document is a template that says so; answers the templates that changed.

        Raises NotFoundError, AgentArchivedError (400).
        """
        agent = await hold_writable(self._agents, agent_id)
        known = {found.name: found for found in await self._templates.find_all(AgentTemplate.agent_id == agent_id)}
        changed: list[AgentTemplate] = []
        for name, prompt in sorted(document.prompts.items()):
            template = known.get(name)
            if template is None:
                changed.append((await self._create(agent, name, prompt, origin)).template)
                continue
            before = template.version
            await self._replace(template, prompt, origin)
            if template.version != before:
                changed.append(template)
        return changed

    async def _create(self, agent: Agent, name: str, prompt: PromptTemplate, origin: str) -> Managed:
        template = self._templates.add(AgentTemplate(agent_id=agent.id, name=name, version=1))
        taken = TemplateNameTakenError(f"The agent {agent.name} has a template called {name}")
        await self._templates.flush({"uq_agent_template_workspace_id_agent_id_name": taken})
        return Managed(template, await self._add_version(template, prompt, origin))

    async def _replace(self, template: AgentTemplate, prompt: PromptTemplate, origin: str) -> Managed:
        current = await self._versions.of_version(template.id, template.version)
        if PromptTemplate.model_validate({"messages": current.messages, "variables": current.variables}) == prompt:
            return Managed(template, current)
        template.version += 1
        return Managed(template, await self._add_version(template, prompt, origin))

    async def _add_version(self, template: AgentTemplate, prompt: PromptTemplate, origin: str) -> AgentTemplateVersion:
        version = self._versions.add(
            AgentTemplateVersion(
                template_id=template.id,
                version=template.version,
                messages=[message.model_dump() for message in prompt.messages],
                variables=list(prompt.variables),
                origin=origin,
                created_by=self._access.actor,
            )
        )
        await self._versions.flush()
        detail = {"name": template.name, "version": template.version, "origin": origin}
        await self._audit(template.agent_id, "agent.template_written", detail)
        return version

    async def _named(self, agent_id: UUID, name: str) -> AgentTemplate:
        await self._agents.get(agent_id)
        return await self._templates.named(agent_id, name)

    async def _audit(self, agent_id: UUID, action: str, detail: dict[str, Any]) -> None:
        await record(self._session, self._access, agent_id, action, detail)
