"""What every write to an agent shares: the agent is held, is not archived, and the audit log says what was done."""

from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from spectral.domains.agents.errors import AgentArchivedError
from spectral.domains.agents.models import Agent
from spectral.domains.agents.repository import AgentRepository
from spectral.platform import audit
from spectral.platform.access.principal import WorkspaceAccess
from spectral.platform.events import EventType, emit


def refuse_archived(agent: Agent) -> None:
    """Raises AgentArchivedError (400) for an archived agent."""
    if agent.archived_at is not None:
        raise AgentArchivedError(f"The agent {agent.name} is archived; take it out of the archive first")


async def hold_writable(agents: AgentRepository, agent_id: UUID) -> Agent:
    """The agent, held until the transaction ends. Raises NotFoundError, AgentArchivedError (400)."""
    agent = await agents.lock(agent_id)
    refuse_archived(agent)
    return agent


async def record(
    session: AsyncSession, access: WorkspaceAccess, agent_id: UUID, action: str, detail: dict[str, Any]
) -> None:
    """The audit log says that the caller did this to the agent."""
    await audit.record(
        session,
        account_id=access.account_id,
        workspace_id=access.workspace_id,
        actor=access.actor,
        action=action,
        subject=f"agent:{agent_id}",
        detail=detail,
    )
    if action == EventType.AGENT_PROMOTED:
        told = {name: detail[name] for name in ("environment", "before", "after")}
        await emit(session, access, EventType.AGENT_PROMOTED, subject=f"agent:{agent_id}", data=told)
