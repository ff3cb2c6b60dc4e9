"""HTTP of agents: `/api/v1/workspaces/{workspace_id}/agents`."""

from collections.abc import Sequence
from typing import Annotated, Any, TypeVar
from uuid import UUID

from litestar import Controller, Response, delete, get, patch, post, put
from litestar.di import Provide
from litestar.params import HeaderParameter, QueryParameter
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import PromptTemplate
from spectral.domains.agents.invocation import Choice, InvocationService, list_invocations
from spectral.domains.agents.live import LiveConfigService
from spectral.domains.agents.models import Agent, AgentConfig, AgentInvocation
from spectral.domains.agents.repository import MAXIMUM_VERSION
from spectral.domains.agents.runtime import Runtimes
from spectral.domains.agents.runtime_secrets import RuntimeSecretService
from spectral.domains.agents.schemas import (
    AgentIn,
    AgentOut,
    AgentPatch,
    ArmOut,
    ChangeOut,
    ConfigDiffOut,
    ConfigIn,
    ConfigSummaryOut,
    ConfigVersionOut,
    InvocationErrorOut,
    InvocationIn,
    InvocationOut,
    LiveConfigOut,
    PromotionIn,
    PromotionOut,
    RuntimeSecretIn,
    RuntimeSecretOut,
    TemplateIn,
    TemplateOut,
)
from spectral.domains.agents.service import PRODUCTION, AgentOrder, AgentService, AgentStatus, status_of
from spectral.domains.agents.templates import Managed, TemplateService
from spectral.platform.access.guards import requires
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.access.scopes import Scope
from spectral.platform.db.session import Database
from spectral.platform.shared.pagination import Collection, Page
from spectral.platform.shared.secret_box import SecretBox

T = TypeVar("T")

PATH = "/api/v1/workspaces/{workspace_id:uuid}/agents"

READ = requires(Scope.READ_AGENTS, Scope.READ_WORKSPACE)
WRITE = requires(Scope.WRITE_WORKSPACE)

EnvironmentQuery = Annotated[
    str, QueryParameter(pattern=r"^[a-z0-9][a-z0-9_-]{0,31}$", description="lower-case letters, digits, `-`, `_`")
]
VersionQuery = Annotated[int | None, QueryParameter(ge=1, le=MAXIMUM_VERSION, description="an older version")]


def provide_agent_service(session: AsyncSession, access: WorkspaceAccess) -> AgentService:
    return AgentService(session, access)


def provide_live_config_service(session: AsyncSession, access: WorkspaceAccess) -> LiveConfigService:
    return LiveConfigService(session, access)


def provide_template_service(session: AsyncSession, access: WorkspaceAccess) -> TemplateService:
    return TemplateService(session, access)


def provide_invocation_service(database: Database, access: WorkspaceAccess, runtimes: Runtimes) -> InvocationService:
    return InvocationService(database, access, runtimes)


def agent_out(agent: Agent, live: dict[str, int]) -> AgentOut:
    return AgentOut(
        id=agent.id,
        name=agent.name,
        description=agent.description,
        runtime=agent.runtime,
        runtime_settings=agent.runtime_settings,
        has_secret=agent.runtime_secret_sealed is not None,
        status=status_of(agent),
        origin=agent.origin,
        external_key=agent.external_key,
        first_seen_at=agent.first_seen_at,
        last_seen_at=agent.last_seen_at,
        archived=agent.archived_at is not None,
        latest_version=agent.latest_version or None,
        live=live,
        created_by=agent.created_by,
        created_at=agent.created_at,
        updated_at=agent.updated_at,
    )


def _summary(config: AgentConfig, live: dict[str, int]) -> dict[str, Any]:
    names = set(ConfigSummaryOut.model_fields) - {"live_in"}
    return {name: getattr(config, name) for name in names} | {
        "live_in": [environment for environment, version in live.items() if version == config.version]
    }


def config_out(config: AgentConfig, live: dict[str, int]) -> ConfigVersionOut:
    return ConfigVersionOut(**_summary(config, live), agent_id=config.agent_id, config=config.document)


def template_out(managed: Managed) -> TemplateOut:
    version = managed.version
    return TemplateOut(
        agent_id=managed.template.agent_id,
        name=managed.template.name,
        version=version.version,
        current_version=managed.template.version,
        messages=version.messages,
        variables=version.variables,
        origin=version.origin,
        created_by=version.created_by,
        created_at=version.created_at,
    )


def invocation_out(run: AgentInvocation) -> InvocationOut:
    error = InvocationErrorOut(type=run.error_type, message=run.error_message or "") if run.error_type else None
    names = set(InvocationOut.model_fields) - {"error", "cost_usd"}
    return InvocationOut(**{name: getattr(run, name) for name in names}, error=error, cost_usd=run.cost_nano_usd)


def matches(if_none_match: str | None, tag: str) -> bool:
    """Whether the caller has this answer already. Source: RFC 9110, section 13.1.2 (weak comparison)."""
    if if_none_match is None:
        return False
    given = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return tag in given or given == ["*"]


class AgentController(Controller):
    """Agents, their config versions, and what is live where."""

    path = PATH
    tags = ("Agents",)
    dependencies = {  # noqa: RUF012
        "service": Provide(provide_agent_service, sync_to_thread=False),
        "live": Provide(provide_live_config_service, sync_to_thread=False),
    }

    @get(operation_id="listAgents", summary="List the agents", guards=[READ])
    async def list_agents(
        self,
        service: AgentService,
        page: Page,
        archived: Annotated[bool, QueryParameter(description="the archived agents instead of the others")] = False,  # noqa: FBT002
        name: Annotated[
            str | None, QueryParameter(max_length=200, description="the agent of exactly this name")
        ] = None,
        status: Annotated[
            AgentStatus | None, QueryParameter(description="only agents that are managed, or only observed in traces")
        ] = None,
        sort: AgentOrder = "-created_at",
    ) -> Collection[AgentOut]:
        agents, total = await service.list_agents(page, archived=archived, name=name, status=status, order=sort)
        live = await service.live_versions(agents)
        return Collection.of([agent_out(agent, live[agent.id]) for agent in agents], total, page)

    @post(operation_id="createAgent", summary="Create an agent", guards=[WRITE], opt={"idempotent": True})
    async def create_agent(self, service: AgentService, data: AgentIn, workspace_id: UUID) -> Response[AgentOut]:
        agent = await service.create_agent(
            data.name, data.description, data.config, runtime=data.runtime, runtime_settings=data.runtime_settings
        )
        live = await service.live_versions([agent])
        return _created(agent_out(agent, live[agent.id]), workspace_id, agent.id)

    @get("/{agent_id:uuid}", operation_id="readAgent", summary="Read an agent", guards=[READ])
    async def read_agent(self, service: AgentService, agent_id: UUID) -> AgentOut:
        return await _shown(service, await service.read_agent(agent_id))

    @post(
        "/{agent_id:uuid}/runtime-secret",
        operation_id="setRuntimeSecret",
        summary="Set or make the secret that signs what is posted to the agent",
        description="Takes the place of the one before at once. Only agents with the runtime `http` have one.",
        guards=[WRITE],
        status_code=200,
        opt={"secret_answer": True},
    )
    async def set_runtime_secret(
        self,
        session: AsyncSession,
        access: WorkspaceAccess,
        runtime_secret_box: SecretBox,
        agent_id: UUID,
        data: RuntimeSecretIn,
    ) -> Response[RuntimeSecretOut]:
        secret = await RuntimeSecretService(session, access, runtime_secret_box).set_secret(agent_id, data.secret)
        return Response(RuntimeSecretOut(secret=secret), headers={"Cache-Control": "no-store"})

    @patch("/{agent_id:uuid}", operation_id="updateAgent", summary="Change, archive or adopt an agent", guards=[WRITE])
    async def update_agent(self, service: AgentService, agent_id: UUID, data: AgentPatch) -> AgentOut:
        return await _shown(service, await service.update_agent(agent_id, data.model_dump(exclude_unset=True)))

    @delete(
        "/{agent_id:uuid}",
        operation_id="deleteAgent",
        summary="Delete an agent that no scan or change set refers to",
        guards=[WRITE],
    )
    async def delete_agent(self, service: AgentService, agent_id: UUID) -> None:
        await service.delete_agent(agent_id)

    @get(
        "/{agent_id:uuid}/config",
        operation_id="readLiveConfig",
        summary="Fetch the config that is live in an environment",
        description=(
            "What a running agent fetches. Send the answer's `ETag` as `If-None-Match`: nothing new is a 304. While a "
            "promotion keeps a holdback, `arms` and `salt` say which session gets which version."
        ),
        guards=[READ],
    )
    async def read_live_config(
        self,
        live: LiveConfigService,
        agent_id: UUID,
        environment: EnvironmentQuery = PRODUCTION,
        if_none_match: Annotated[str | None, HeaderParameter(name="If-None-Match", max_length=2000)] = None,
    ) -> Response[LiveConfigOut | None]:
        found = await live.read_live(agent_id, environment, documents=if_none_match is None)
        headers = {"ETag": found.entity_tag, "Cache-Control": "private, no-cache"}
        if matches(if_none_match, found.entity_tag):
            return Response(None, status_code=304, headers=headers)
        if found.document is None:
            found = await live.read_live(agent_id, environment)
            headers["ETag"] = found.entity_tag
        answer = LiveConfigOut(
            agent_id=agent_id,
            environment=environment,
            version=found.version,
            config_hash=found.config_hash,
            config=found.document or {},
            arms=[
                ArmOut(
                    version=arm.version,
                    weight=arm.weight,
                    config_hash=arm.config_hash,
                    config=arm.document if place else None,
                )
                for place, arm in enumerate(found.arms)
            ],
            salt=found.salt,
        )
        return Response(answer, headers=headers)

    @get("/{agent_id:uuid}/configs", operation_id="listConfigs", summary="List the config versions", guards=[READ])
    async def list_configs(self, service: AgentService, agent_id: UUID, page: Page) -> Collection[ConfigSummaryOut]:
        configs, total = await service.list_configs(agent_id, page)
        live = await service.live_in(agent_id)
        return Collection.of([ConfigSummaryOut(**_summary(config, live)) for config in configs], total, page)

    @post(
        "/{agent_id:uuid}/configs",
        operation_id="addConfig",
        summary="Add a config version",
        description="A document that the agent has already is answered with its version and 200.",
        guards=[WRITE],
        opt={"idempotent": True},
    )
    async def add_config(
        self, service: AgentService, agent_id: UUID, data: ConfigIn, workspace_id: UUID
    ) -> Response[ConfigVersionOut]:
        config, new = await service.store_config(agent_id, data.config, origin="user", note=data.note)
        answer = config_out(config, await service.live_in(agent_id))
        return _created(answer, workspace_id, f"{agent_id}/configs/{config.version}", 201 if new else 200)

    @get(
        "/{agent_id:uuid}/configs/{version:int}",
        operation_id="readConfig",
        summary="Read a config version",
        guards=[READ],
    )
    async def read_config(self, service: AgentService, agent_id: UUID, version: int) -> ConfigVersionOut:
        return config_out(await service.read_config(agent_id, version), await service.live_in(agent_id))

    @get(
        "/{agent_id:uuid}/configs/{before:int}/diff/{after:int}",
        operation_id="diffConfigs",
        summary="Compare two config versions",
        guards=[READ],
    )
    async def diff_configs(self, service: AgentService, agent_id: UUID, before: int, after: int) -> ConfigDiffOut:
        changes = await service.diff_configs(agent_id, before, after)
        shown = [ChangeOut.model_validate(change) for change in changes]
        return ConfigDiffOut(from_version=before, to_version=after, changes=shown)

    @post(
        "/{agent_id:uuid}/promote",
        operation_id="promoteConfig",
        summary="Put a config version live in an environment",
        description=(
            "Promoting an older version rolls back. What is live already stays, and 200 answers how it came; a "
            "holdback of it ends. With `holdback` a share of the sessions keeps the version before."
        ),
        status_code=200,
        guards=[requires(Scope.APPROVE_AGENTS)],
    )
    async def promote_config(self, service: AgentService, agent_id: UUID, data: PromotionIn) -> PromotionOut:
        promotion = await service.promote_config(
            agent_id, data.version, data.environment, data.reason, holdback=data.holdback
        )
        return PromotionOut.model_validate(promotion)

    @get(
        "/{agent_id:uuid}/promotions",
        operation_id="listPromotions",
        summary="List what went live, newest first",
        guards=[READ],
    )
    async def list_promotions(
        self, service: AgentService, agent_id: UUID, page: Page, environment: EnvironmentQuery | None = None
    ) -> Collection[PromotionOut]:
        promotions, total = await service.list_promotions(agent_id, page, environment)
        return Collection.of([PromotionOut.model_validate(each) for each in promotions], total, page)


class AgentTemplateController(Controller):
    """Managed prompt templates of an agent."""

    path = PATH + "/{agent_id:uuid}/templates"
    tags = ("Agents",)
    dependencies = {"service": Provide(provide_template_service, sync_to_thread=False)}  # noqa: RUF012

    @get(operation_id="listTemplates", summary="List the prompt templates by name", guards=[READ])
    async def list_templates(self, service: TemplateService, agent_id: UUID, page: Page) -> Collection[TemplateOut]:
        return _templates(await service.list_templates(agent_id, page), page)

    @post(operation_id="createTemplate", summary="Create a template", guards=[WRITE], opt={"idempotent": True})
    async def create_template(
        self, service: TemplateService, agent_id: UUID, data: TemplateIn, workspace_id: UUID
    ) -> Response[TemplateOut]:
        managed = await service.create_template(agent_id, data.name, data)
        return _created(template_out(managed), workspace_id, f"{agent_id}/templates/{data.name}")

    @get("/{name:str}", operation_id="readTemplate", summary="Read a template", guards=[READ])
    async def read_template(
        self, service: TemplateService, agent_id: UUID, name: str, version: VersionQuery = None
    ) -> TemplateOut:
        return template_out(await service.read_template(agent_id, name, version))

    @put("/{name:str}", operation_id="replaceTemplate", summary="Write a template's next version", guards=[WRITE])
    async def replace_template(
        self, service: TemplateService, agent_id: UUID, name: str, data: PromptTemplate
    ) -> TemplateOut:
        return template_out(await service.replace_template(agent_id, name, data))

    @delete("/{name:str}", operation_id="deleteTemplate", summary="Delete a template", guards=[WRITE])
    async def delete_template(self, service: TemplateService, agent_id: UUID, name: str) -> None:
        await service.delete_template(agent_id, name)

    @get(
        "/{name:str}/versions",
        operation_id="listTemplateVersions",
        summary="List what a template says and said, newest first",
        guards=[READ],
    )
    async def list_template_versions(
        self, service: TemplateService, agent_id: UUID, name: str, page: Page
    ) -> Collection[TemplateOut]:
        return _templates(await service.list_versions(agent_id, name, page), page)


class AgentInvocationController(Controller):
    """The playground."""

    path = PATH + "/{agent_id:uuid}"
    tags = ("Agents",)

    @post(
        "/invoke",
        operation_id="invokeAgent",
        summary="Run the agent once",
        description="The run is kept (see `/invocations`), marked as a playground run and not counted as live traffic.",
        status_code=200,
        guards=[WRITE],
        opt={"idempotent": True},
        dependencies={"service": Provide(provide_invocation_service, sync_to_thread=False)},
    )
    async def invoke_agent(self, service: InvocationService, agent_id: UUID, data: InvocationIn) -> InvocationOut:
        choice = Choice(data.version, data.config, data.environment or PRODUCTION)
        return invocation_out(await service.invoke(agent_id, data.input, choice, seed=data.seed))

    @get(
        "/invocations",
        operation_id="listInvocations",
        summary="List the playground runs, newest first",
        guards=[requires(Scope.READ_WORKSPACE)],
    )
    async def list_invocations(
        self, session: AsyncSession, access: WorkspaceAccess, agent_id: UUID, page: Page
    ) -> Collection[InvocationOut]:
        runs, total = await list_invocations(session, access, agent_id, page)
        return Collection.of([invocation_out(run) for run in runs], total, page)


async def _shown(service: AgentService, agent: Agent) -> AgentOut:
    return agent_out(agent, await service.live_in(agent.id))


def _templates(found: tuple[Sequence[Managed], int], page: Page) -> Collection[TemplateOut]:
    return Collection.of([template_out(managed) for managed in found[0]], found[1], page)


def _created(answer: T, workspace_id: UUID, below: UUID | str, status: int = 201) -> Response[T]:
    location = f"/api/v1/workspaces/{workspace_id}/agents/{below}"
    return Response(answer, status_code=status, headers={"Location": location})
