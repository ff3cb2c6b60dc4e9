"""Agents, their config versions and what is live where, in the caller's transaction."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import Change, ConfigDocument, canonical_hash, check_derived, diff_documents
from spectral.domains.agents.errors import AgentInUseError, AgentNameTakenError
from spectral.domains.agents.lifecycle import hold_writable, record
from spectral.domains.agents.live import MAXIMUM_HOLDBACK
from spectral.domains.agents.models import (
    CREATED,
    OBSERVED,
    Agent,
    AgentConfig,
    AgentEnvironment,
    AgentPromotion,
    AgentTemplate,
)
from spectral.domains.agents.observed import ObservedAgentService
from spectral.domains.agents.repository import (
    AgentRepository,
    ConfigRepository,
    EnvironmentRepository,
    InvocationRepository,
    PromotionRepository,
)
from spectral.domains.agents.runtime import HTTP, PROMPT
from spectral.domains.agents.settings import checked_settings
from spectral.domains.agents.templates import TemplateService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.constraints import FOREIGN_KEY
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import BusinessRuleViolationError, NotFoundError
from spectral.platform.shared.money import Spending
from spectral.platform.shared.pagination import Page

PRODUCTION = "production"
"""The environment that an agent's first version goes live in, and that a running agent reads unless it says so."""

FIRST_VERSION_REASON = "first version"
SALT_BYTES = 12

MANAGED = "managed"
AgentStatus = Literal["managed", "observed"]

AgentOrder = Literal["-created_at", "created_at", "name", "-name"]
_ORDERS: dict[AgentOrder, tuple[Any, ...]] = {
    "-created_at": (Agent.created_at.desc(), Agent.id.desc()),
    "created_at": (Agent.created_at, Agent.id),
    "name": (Agent.name, Agent.id),
    "-name": (Agent.name.desc(), Agent.id.desc()),
}


class AgentService:
    """The agents of one workspace."""

    def __init__(self, session: AsyncSession, access: WorkspaceAccess) -> None:
        self._session = session
        self._access = access
        self._agents = AgentRepository(session, access)
        self._configs = ConfigRepository(session, access)
        self._environments = EnvironmentRepository(session, access)
        self._promotions = PromotionRepository(session, access)

    # ------------------------------------------------------------------------------------------------------ agents

    async def create_agent(
        self,
        name: str,
        description: str | None,
        config: ConfigDocument | None,
        *,
        runtime: str = PROMPT,
        runtime_settings: Mapping[str, Any] | None = None,
    ) -> Agent:
        """A new agent; with a config, that is version 1 and live in production.

        One of this name that was observed in traces, and that nobody has adopted, becomes this agent.
        Raises AgentNameTakenError (409), ValidationFailedError (422) for settings that do not fit the runtime.
        """
        settings = checked_settings(runtime, runtime_settings or {})
        agent = await self._agents.find(
            Agent.name == name, Agent.runtime == OBSERVED, Agent.archived_at.is_(None)
        ) or self._agents.add(Agent(name=name, latest_version=0, origin=CREATED))
        agent.description, agent.runtime, agent.created_by = description, runtime, self._access.actor
        agent.runtime_settings = settings
        await self._agents.flush(_name_taken(name))
        made = {"name": name, "runtime": runtime, "runtime_settings": settings, "origin": agent.origin}
        await self._audit(agent.id, "agent.created", made)
        if config is not None:
            await self.add_config(agent.id, config, origin="user", note=None)
        return agent

    async def list_agents(
        self,
        page: Page,
        *,
        archived: bool = False,
        name: str | None = None,
        status: AgentStatus | None = None,
        order: AgentOrder = "-created_at",
    ) -> tuple[Sequence[Agent], int]:
        """One page of the agents that are archived, or of those that are not; `name` keeps the one of that name."""
        statement = self._agents.select(Agent.archived_at.is_not(None) if archived else Agent.archived_at.is_(None))
        if status is not None:
            statement = statement.where((Agent.runtime == OBSERVED) == (status == OBSERVED))
        if name is not None:
            statement = statement.where(Agent.name == name)
        return await self._agents.page(statement, page, order_by=_ORDERS[order])

    async def read_agent(self, agent_id: UUID) -> Agent:
        """Raises NotFoundError."""
        return await self._agents.get(agent_id)

    async def count_agents(self) -> int:
        """How many agents the workspace has that are not archived."""
        return await self._agents.count(Agent.archived_at.is_(None))

    async def spending_since(self, since: datetime) -> Spending:
        """What runs in the playground have cost since that moment."""
        return await InvocationRepository(self._session, self._access).spending_since(since)

    async def live_versions(self, agents: Sequence[Agent]) -> dict[UUID, dict[str, int]]:
        """Which version is live in which environment of each agent."""
        live: dict[UUID, dict[str, int]] = {agent.id: {} for agent in agents}
        for found in await self._environments.of_agents(list(live)):
            live[found.agent_id][found.environment] = found.version
        return live

    async def live_in(self, agent_id: UUID) -> dict[str, int]:
        """Which version is live in which environment of one agent."""
        return {found.environment: found.version for found in await self._environments.of_agents([agent_id])}

    async def update_agent(self, agent_id: UUID, changes: dict[str, Any]) -> Agent:
        """Changes name, description, archived, runtime or runtime_settings; `status` adopts an observed agent.

        Settings replace those that there are; another runtime begins with its own defaults.
        Raises NotFoundError, AgentNameTakenError (409), ValidationFailedError (422).

        An archived agent is left out of lists and takes no new versions, promotions or runs; what is live in it is
        still handed out, so that archiving stops no running process.
        """
        agent = await self._agents.lock(agent_id)
        before = {
            "name": agent.name,
            "description": agent.description,
            "archived": agent.archived_at is not None,
            "status": status_of(agent),
            "runtime": agent.runtime,
            "runtime_settings": agent.runtime_settings,
        }
        after = {**before, **changes}
        if after["runtime"] != before["runtime"] or "runtime_settings" in changes:
            after["runtime_settings"] = checked_settings(after["runtime"], changes.get("runtime_settings", {}))
        if after == before:
            return agent
        agent.name, agent.description = after["name"], after["description"]
        if after["archived"] != before["archived"]:
            agent.archived_at = utc_now() if after["archived"] else None
        agent.runtime, agent.runtime_settings = after["runtime"], after["runtime_settings"]
        if agent.runtime != HTTP:
            agent.runtime_secret_sealed = None
        if after["status"] == MANAGED:
            adopt(agent)
        agent.updated_at = utc_now()
        await self._agents.flush(_name_taken(agent.name))
        await self._audit(agent_id, "agent.updated", {"before": before, "after": after})
        return agent

    async def delete_agent(self, agent_id: UUID) -> None:
        """The agent is gone, with its versions, promotions, templates and playground runs.

        Spans that go on naming it make it appear again, as observed, after a day; archiving it hides it for good.

        Raises NotFoundError, and AgentInUseError (400) while scans or change sets refer to it: archive it instead.
        """
        agent = await self._agents.lock(agent_id)
        await ObservedAgentService(self._session, self._access).bury(agent, utc_now())
        in_use = AgentInUseError(f"Scans or change sets refer to the agent {agent.name}; archive it instead")
        await self._agents.remove(agent, {FOREIGN_KEY: in_use})
        await self._audit(agent_id, "agent.deleted", {"name": agent.name})

    # ----------------------------------------------------------------------------------------------------- configs

    async def list_configs(self, agent_id: UUID, page: Page) -> tuple[Sequence[AgentConfig], int]:
        """One page of an agent's versions without their documents, newest first. Raises NotFoundError."""
        await self._agents.get(agent_id)
        return await self._configs.page_of(agent_id, page)

    async def read_config(self, agent_id: UUID, version: int) -> AgentConfig:
        """One version. Raises NotFoundError."""
        await self._agents.get(agent_id)
        return await self._configs.of_version(agent_id, version)

    async def current_config(self, agent_id: UUID, environment: str = PRODUCTION) -> AgentConfig:
        """What is live in an environment. Raises NotFoundError when nothing is."""
        await self._agents.get(agent_id)
        live = await self._environments.of_agent(agent_id, environment)
        if live is None:
            raise NotFoundError(f"Config for the environment '{environment}'")
        return await self._configs.get(live.config_id)

    async def diff_configs(self, agent_id: UUID, before: int, after: int) -> list[Change]:
        """Where two versions of an agent differ. Raises NotFoundError."""
        older = await self.read_config(agent_id, before)
        newer = await self._configs.of_version(agent_id, after)
        return diff_documents(older.read_document(), newer.read_document())

    async def add_config(
        self,
        agent_id: UUID,
        document: ConfigDocument,
        *,
        origin: str,
        note: str | None,
        base_version: int | None = None,
    ) -> AgentConfig:
        """The version that holds this document; see `store_config`."""
        config, _new = await self.store_config(agent_id, document, origin=origin, note=note, base_version=base_version)
        return config

    async def store_config(
        self,
        agent_id: UUID,
        document: ConfigDocument,
        *,
        origin: str,
        note: str | None,
        base_version: int | None = None,
    ) -> tuple[AgentConfig, bool]:
        """The version that holds this document, and whether it is new: equal documents share one version.

        An agent's first version goes live in production at once, because there is nothing that it could replace; an
        observed agent is adopted by it, as a replica.
        base_version: the document must then be reachable through the search space of that version.
        Raises NotFoundError, AgentArchivedError (400), SearchSpaceViolationError (400).
        """
        agent = await hold_writable(self._agents, agent_id)
        if base_version is not None:
            base = await self._configs.of_version(agent_id, base_version)
            check_derived(base.read_document(), document)
        config_hash = canonical_hash(document)
        known = await self._configs.find(AgentConfig.agent_id == agent_id, AgentConfig.config_hash == config_hash)
        if known is not None:
            return known, False
        # Nothing says that the agent itself runs under it.
        adopt(agent, replica=True)
        agent.latest_version += 1
        agent.updated_at = utc_now()
        config = self._configs.add(
            AgentConfig(
                agent_id=agent_id,
                version=agent.latest_version,
                document=document.as_json(),
                config_hash=config_hash,
                origin=origin,
                note=note,
                created_by=self._access.actor,
            )
        )
        await self._configs.flush()
        detail = {"version": config.version, "config_hash": config_hash, "origin": origin}
        await self._audit(agent_id, "agent.config_added", detail)
        if config.version == 1:
            await self._put_live(config, PRODUCTION, FIRST_VERSION_REASON)
        return config, True

    # -------------------------------------------------------------------------------------------------- promotions

    async def promote_config(
        self,
        agent_id: UUID,
        version: int,
        environment: str = PRODUCTION,
        reason: str | None = None,
        *,
        holdback: float = 0.0,
    ) -> AgentPromotion:
        """The version is live in the environment; promoting an older one is how to roll back.

        holdback: the share of the sessions, up to 0.5, that keep the version before for as long as nothing else is
        promoted; there is none where nothing was live. Promoting what is live already changes nothing and answers the
        promotion that did it, except that it ends a holdback: the version is then live for everybody.
        Needs approve:agents. Raises NotFoundError, AgentArchivedError (400).
        """
        self._access.require(Scope.APPROVE_AGENTS)
        if not 0 <= holdback <= MAXIMUM_HOLDBACK:
            raise BusinessRuleViolationError(f"A holdback is a share from 0 to {MAXIMUM_HOLDBACK} of the sessions")
        await hold_writable(self._agents, agent_id)
        config = await self._configs.of_version(agent_id, version)
        return await self._put_live(config, environment, reason, holdback)

    async def find_environment(self, agent_id: UUID, environment: str) -> AgentEnvironment | None:
        """What is live in one environment, with its holdback; None where nothing is."""
        return await self._environments.of_agent(agent_id, environment)

    async def list_promotions(
        self, agent_id: UUID, page: Page, environment: str | None = None
    ) -> tuple[Sequence[AgentPromotion], int]:
        """One page of what went live, newest first. Raises NotFoundError."""
        await self._agents.get(agent_id)
        statement = self._promotions.select(AgentPromotion.agent_id == agent_id)
        if environment is not None:
            statement = statement.where(AgentPromotion.environment == environment)
        return await self._promotions.page(statement, page)

    async def _put_live(
        self, config: AgentConfig, environment: str, reason: str | None, holdback: float = 0.0
    ) -> AgentPromotion:
        """The agent must be locked: two promotions would otherwise both name the same previous version."""
        live = await self._environments.lock(config.agent_id, environment)
        if live is not None and live.version == config.version:
            await self._release(live, reason)
            return await self._promotions.latest(config.agent_id, environment)
        kept = holdback if live is not None and holdback > 0 else None
        promotion = self._promotions.add(
            AgentPromotion(
                agent_id=config.agent_id,
                environment=environment,
                config_id=config.id,
                version=config.version,
                previous_version=None if live is None else live.version,
                reason=reason,
                actor=self._access.actor,
                created_at=utc_now(),
                holdback=kept,
            )
        )
        if live is None:
            live = self._environments.add(AgentEnvironment(agent_id=config.agent_id, environment=environment))
        live.holdback_version, live.holdback_share = (None if kept is None else live.version), kept
        live.salt = None if kept is None else secrets.token_hex(SALT_BYTES)
        live.config_id, live.version, live.promoted_at = config.id, config.version, promotion.created_at
        await self._promotions.flush()
        await self._audit(
            config.agent_id,
            "agent.promoted",
            {
                "environment": environment,
                "before": promotion.previous_version,
                "after": config.version,
                "config_hash": config.config_hash,
                "reason": reason,
                "holdback": kept,
            },
        )
        return promotion

    async def _release(self, live: AgentEnvironment, reason: str | None) -> None:
        """What is live is live for everybody."""
        if live.holdback_share is None:
            return
        detail = {"environment": live.environment, "version": live.version, "holdback": live.holdback_share}
        detail |= {"holdback_version": live.holdback_version, "reason": reason}
        live.holdback_version = live.holdback_share = live.salt = None
        await self._environments.flush()
        await self._audit(live.agent_id, "agent.holdback_released", detail)

    # --------------------------------------------------------------------------------------------------- templates

    async def write_templates(self, agent_id: UUID, document: ConfigDocument, *, origin: str) -> list[AgentTemplate]:
        """The agent's managed templates say what the document's prompts say; other templates stay.

        Answers the templates that changed. Raises NotFoundError, AgentArchivedError (400).
        """
        return await TemplateService(self._session, self._access).write_prompts(agent_id, document, origin=origin)

    async def _audit(self, agent_id: UUID, action: str, detail: dict[str, Any]) -> None:
        await record(self._session, self._access, agent_id, action, detail)


def status_of(agent: Agent) -> AgentStatus:
    """`observed` while we only see traces of the agent; `managed` once somebody has created or adopted it."""
    return "observed" if agent.runtime == OBSERVED else "managed"


def adopt(agent: Agent, *, replica: bool = False) -> None:
    """An observed agent is managed from now on; others stay as they are."""
    if agent.runtime == OBSERVED:
        agent.runtime, agent.runtime_settings = PROMPT, checked_settings(PROMPT, {"replica": replica})


def _name_taken(name: str) -> dict[str, AgentNameTakenError]:
    return {"uq_agent_workspace_id_name": AgentNameTakenError(f"The workspace has an agent called {name}")}
