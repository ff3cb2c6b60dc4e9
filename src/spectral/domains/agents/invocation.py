"""The playground: an agent is run once, and the run is kept."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.config import ConfigDocument, MissingVariableError, canonical_hash, render
from spectral.domains.agents.lifecycle import refuse_archived
from spectral.domains.agents.models import Agent, AgentInvocation
from spectral.domains.agents.repository import AgentRepository, InvocationRepository
from spectral.domains.agents.runtime import ExecutionMode, Runtimes
from spectral.domains.agents.service import PRODUCTION, AgentService
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.db.constraints import FOREIGN_KEY
from spectral.platform.db.session import Database
from spectral.platform.shared.clock import utc_now
from spectral.platform.shared.errors import FieldError, NotFoundError, ValidationFailedError
from spectral.platform.shared.pagination import Page


@dataclass(frozen=True, slots=True)
class Choice:
    """Which config to run: a stored version, else a draft, else what is live in the environment."""

    version: int | None = None
    draft: ConfigDocument | None = None
    environment: str = PRODUCTION


@dataclass(frozen=True, slots=True)
class _Chosen:
    agent: Agent
    document: ConfigDocument
    version: int | None
    config_hash: str


class InvocationService:
    """Runs agents of one workspace outside of any transaction and keeps each run in a short one of its own."""

    def __init__(self, database: Database, access: WorkspaceAccess, runtimes: Runtimes) -> None:
        self._database = database
        self._access = access
        self._runtimes = runtimes

    async def invoke(self, agent_id: UUID, value: JsonValue, choice: Choice, *, seed: int = 0) -> AgentInvocation:
        """One run, kept; a run that failed at the model is kept with its error and is no exception.

        Raises NotFoundError, AgentArchivedError (400), UnknownModelError (400), ValidationFailedError (422) for an
        input that lacks a variable of the prompt; then nothing was run or kept.
        """
        async with self._database.transaction(self._access, read_only=True) as session:
            chosen = await self._choose(session, agent_id, choice)
        try:
            render(chosen.document, value)
        except MissingVariableError as error:
            wrong = [FieldError(f"/input/{name}", "is a variable of the prompt and missing") for name in error.names]
            raise ValidationFailedError("The input lacks variables of the prompt", wrong) from error
        self._runtimes.check(chosen.agent)
        subject = f"agent:{agent_id}"
        runtime = self._runtimes.of(self._access, chosen.agent, ExecutionMode.PLAYGROUND, subject=subject)
        started_at = utc_now()
        (done,) = await runtime.execute_many(chosen.document, [value], [seed])
        invocation = AgentInvocation(
            agent_id=agent_id,
            version=chosen.version,
            config_hash=chosen.config_hash,
            mode=done.mode.value,
            input=value,
            output=done.output,
            error_type=None if done.error is None else done.error.type,
            error_message=None if done.error is None else done.error.message,
            model=done.model,
            seed=seed,
            input_tokens=done.input_tokens,
            output_tokens=done.output_tokens,
            cost_nano_usd=done.cost_nano_usd,
            latency_ms=done.latency_ms,
            started_at=started_at,
            actor=self._access.actor,
        )
        async with self._database.transaction(self._access) as session:
            invocations = InvocationRepository(session, self._access)
            invocations.add(invocation)
            # The agent may have been deleted while the model was thinking.
            await invocations.flush({FOREIGN_KEY: NotFoundError("Agent", agent_id)})
        return invocation

    async def _choose(self, session: AsyncSession, agent_id: UUID, choice: Choice) -> _Chosen:
        service = AgentService(session, self._access)
        agent: Agent = await service.read_agent(agent_id)
        refuse_archived(agent)
        if choice.version is None and choice.draft is not None:
            return _Chosen(agent, choice.draft, None, canonical_hash(choice.draft))
        if choice.version is not None:
            config = await service.read_config(agent_id, choice.version)
        else:
            config = await service.current_config(agent_id, choice.environment)
        return _Chosen(agent, config.read_document(), config.version, config.config_hash)


async def list_invocations(
    session: AsyncSession, access: WorkspaceAccess, agent_id: UUID, page: Page
) -> tuple[Sequence[AgentInvocation], int]:
    """One page of an agent's playground runs, newest first. Raises NotFoundError."""
    await AgentRepository(session, access).get(agent_id)
    invocations = InvocationRepository(session, access)
    return await invocations.page(invocations.select(AgentInvocation.agent_id == agent_id), page)
